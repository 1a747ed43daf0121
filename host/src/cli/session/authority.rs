//! Under what authority a run begins: a plan that people signed, a broken glass, or none where none is needed.

use super::controller::controller;
use super::ending::{approval_error, journal_error};
use crate::approval::{self, Asked, Judged, PlanFile, Trust};
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::journal::{Journal, JournalError, Row};
use crate::model::{Plan, RunId};
use crate::plugin::Plugin;
use crate::report;
use crate::run::Position;
use crate::site::ProcedureSettings;
use camino::Utf8Path;

type Result<T> = std::result::Result<T, Error>;

pub(super) fn read(path: &Utf8Path) -> Result<PlanFile> {
    PlanFile::read(path).map_err(approval_error)
}

pub(super) fn trust(context: &Context) -> Result<Trust> {
    Trust::load(approval::MACHINE.into(), context.config.as_deref(), &context.site_dir)
        .map_err(approval_error)
}

/// Under what authority a run begins.
pub(super) enum Taken {
    /// It needs none.
    Nothing,
    Plan(Box<PlanFile>, Judged),
    Glass {
        why: String,
    },
}

impl Taken {
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(file, _) => Some(&file.plan),
            Self::Nothing | Self::Glass { .. } => None,
        }
    }

    /// What the journal keeps of it.
    pub fn rows(&self) -> Vec<Row> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Plan(file, judged) => vec![Row::PlanTaken {
                digest: file.digest.clone(),
                requester: judged.requester.clone(),
                approvers: judged.approvers.clone(),
                plan: Box::new(file.plan.without_looks()),
            }],
            Self::Glass { why } => vec![glass_broken(why)],
        }
    }
}

pub(super) fn glass_broken(why: &str) -> Row {
    Row::GlassBroken { why: why.to_owned(), by: controller() }
}

/// Says under what authority a run may begin, or what is missing.
pub(super) fn taken(
    context: &Context,
    plugin: &Plugin,
    settings: &ProcedureSettings,
    file: Option<PlanFile>,
    break_glass: Option<String>,
) -> Result<Taken> {
    if let Some(why) = break_glass {
        if why.trim().is_empty() {
            return Err(Error::new(Exit::Usage, "--break-glass wants the reason, in words"));
        }
        return Ok(Taken::Glass { why });
    }
    let (name, by_itself) = (plugin.name(), plugin.manifest().approvals);
    let trust = trust(context)?;
    let asked =
        Asked { approvals: settings.approvals.unwrap_or(by_itself), approvers: settings.approvers.clone() };
    let Some(file) = file else {
        let needed = trust.approvals.max(asked.approvals);
        if needed == 0 {
            return Ok(Taken::Nothing);
        }
        return Err(Error::new(
            Exit::Refused,
            match needed {
                1 => format!("{name} needs a plan that another person has approved"),
                _ => format!("{name} needs a plan that {needed} others have approved"),
            },
        )
        .hint(format!("windlass plan {name} -o plan.json --key KEY   makes it, signed by you"))
        .hint("windlass approve plan.json                  signs it, by somebody else")
        .hint("windlass run --plan plan.json               does what it says")
        .hint("--break-glass WHY goes on without; it is told everywhere"));
    };
    in_time(&file.plan)?;
    let now = jiff::Timestamp::now().as_second();
    let signatures = file.signatures().map_err(approval_error)?;
    let judged = approval::judge(&file, &signatures, &trust, &asked, now);
    if let Some(missing) = judged.missing(&file.plan.requester) {
        let mut error = Error::new(Exit::Refused, format!("{} may not run yet: {missing}", file.path));
        error.causes = judged.others.clone();
        if !trust.exists {
            error.causes.push(format!("nobody is trusted to sign: there is no {}", trust.path));
        }
        if judged.requester.is_none() {
            error = error.hint(format!(
                "windlass plan {name} -o {} --key KEY   makes it anew, signed by you",
                file.path
            ));
        }
        return Err(error
            .hint(format!("windlass approve {}   signs it", file.path))
            .hint(format!("windlass run {name} --break-glass WHY goes on without; it is told everywhere")));
    }
    for other in &judged.others {
        context.ui.warn(other);
    }
    Ok(Taken::Plan(Box::new(file), judged))
}

/// Refuses a plan whose time is over.
pub(super) fn in_time(plan: &Plan) -> Result<()> {
    let now = jiff::Timestamp::now().as_second();
    if now < plan.expires {
        return Ok(());
    }
    let name = &plan.procedure;
    let until = report::moment(plan.expires.saturating_mul(1_000));
    Err(Error::new(Exit::Refused, format!("the plan's time is over: it could be run until {until}"))
        .hint(format!("windlass plan {name} -o plan.json makes a new one, to be approved anew")))
}

/// Held while a run takes its plan: one at a time, and each plan once.
pub(super) struct Turn {
    _lock: nix::fcntl::Flock<std::fs::File>,
}

/// Waits for other runs that are taking their plans, and refuses one that was taken.
pub(super) fn turn(context: &Context, runs: &Utf8Path, plan: &Plan) -> Result<Turn> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let failed = |why: String| Error::new(Exit::Usage, format!("the folder {runs} cannot be used: {why}"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(runs)
        .map_err(|error| failed(error.to_string()))?;
    let lock = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(runs.join("plans.lock"))
        .map_err(|error| failed(error.to_string()))?;
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive)
        .map_err(|(_, error)| failed(error.to_string()))?;
    match taken_by(context, runs, &plan.nonce)? {
        None => Ok(Turn { _lock: lock }),
        Some(run) => Err(Error::new(
            Exit::Refused,
            format!("the plan was taken by the run {run}, and a plan serves one run"),
        )
        .hint(format!("windlass runs show {run}"))
        .hint(format!("windlass plan {} -o plan.json makes a new one, to be approved anew", plan.procedure))),
    }
}

/// The run whose journal has this nonce. A run that ended before it changed anything has not used its plan.
fn taken_by(context: &Context, runs: &Utf8Path, nonce: &str) -> Result<Option<RunId>> {
    for run in Journal::names(runs).map_err(journal_error)? {
        let rows = match Journal::read(runs, &run) {
            Ok(rows) => rows,
            Err(error @ JournalError::Newer { .. }) => return Err(journal_error(error)),
            Err(error) => {
                context.ui.warn(format!("whether run {run} took this plan cannot be told: {error}"));
                continue;
            }
        };
        let takes = |row: &Row| matches!(row, Row::PlanTaken { plan, .. } if plan.nonce == nonce);
        let position = Position::of(&rows);
        if rows.iter().any(|stored| takes(&stored.row)) && (position.changed || !position.is_over()) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}
