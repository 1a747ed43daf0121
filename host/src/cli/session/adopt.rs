//! `windlass runs adopt`: go on here with a run whose controller is gone.

use super::controller::holder;
use super::ending::journal_error;
use super::network::{check_folder, enter};
use super::profile::load;
use super::runs::runs_dir;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::sealed::{self, Identity};
use crate::model::{NodeName, RunId};
use crate::run::{AdoptError, Adopted, Adoption, GroundErrorKind};
use crate::transport::Transports;

/// `windlass runs adopt`.
pub struct Adopt {
    pub run: Option<String>,
    pub from: Option<NodeName>,
    pub dead: Vec<NodeName>,
    pub yes: bool,
}

/// Fetches a run from the managers and takes its lease over.
pub fn adopt(context: &Context, adopt: Adopt) -> Result<Adopted> {
    let site = load(context)?.site;
    let run =
        adopt.run.map(RunId::new).transpose().map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let identity = Identity::load_or_create(&sealed::identity_path(context.state_dir()?))
        .map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let (runs, controller) = (runs_dir(context)?, holder(context)?);
    let folder = check_folder(context).map_err(|why| Error::new(Exit::Usage, why))?;
    let runtime = enter(&site)?;
    runtime.block_on(async {
        crate::transport::reap_orphans().await;
        let transports =
            Transports::new(&site, &folder).map_err(|error| Error::from_error(Exit::Fault, &error))?;
        let terms = crate::backend::live::LeaseTerms { take_over: true, dead: adopt.dead };
        let agree = |question: &str| {
            context.ui.say(question);
            adopt.yes || context.ui.ask("Adopt it?").unwrap_or(true)
        };
        let adoption = Adoption {
            transports: &transports,
            site: &site,
            runs: &runs,
            identity: &identity,
            controller,
            terms,
            run,
            from: adopt.from,
        };
        let adopted = crate::run::adopt(adoption, &agree).await;
        transports.close().await;
        adopted.map_err(adopt_error)
    })
}

fn adopt_error(error: AdoptError) -> Error {
    let made = |exit| Error::from_error(exit, &error);
    match error {
        AdoptError::Journal(error) => journal_error(error),
        AdoptError::Ground(ref ground) => {
            let exit = match ground.kind {
                GroundErrorKind::Invalid => Exit::Usage,
                _ => Exit::Preflight,
            };
            let error = Error::new(exit, ground.message.clone());
            if ground.hint.is_empty() { error } else { error.hint(ground.hint.clone()) }
        }
        AdoptError::NoRun | AdoptError::SeveralRuns { .. } => made(Exit::Preflight).hint(
            "windlass runs adopt RUN; ~/.windlass/runs of the service user on a manager has their names",
        ),
        AdoptError::Nothing { .. } => made(Exit::Preflight)
            .hint("windlass run … --take-over takes the lease of a run that changed nothing"),
        AdoptError::Here { ref run } => {
            made(Exit::Usage).hint(format!("windlass resume {run}, or windlass rollback {run}"))
        }
        AdoptError::NotForMe { .. } => made(Exit::Refused)
            .hint("set WINDLASS_IDENTITY to the identity of one that `operators` of site.toml named then"),
        AdoptError::Doubtful { ref run, ref evidence, .. } => {
            let mut error = made(Exit::Paused);
            error.causes = evidence.clone();
            error
                .hint(format!(
                    "windlass runs adopt {run} --from NODE believes one of them, if you know which"
                ))
                .hint(format!("on the controller that began it: windlass resume {run} --take-over"))
        }
    }
}
