//! A run that follows a plan: who signed it, what differs from when it was made, and what it may do.

use super::ending::approval_error;
use super::prepare::entries;
use crate::approval::{self, Asked, Difference, Judged, Namespace, Person, PlanFile, SigningKey, Trust};
use crate::capability::secrets::source;
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::effect::Expected;
use crate::journal::{Journal, Row, StoredRow};
use crate::model::{Covers, Event, Fault, Plan, PlannedStep, PluginName, Roles, RunId, code};
use crate::plugin::Plugin;
use crate::run::Position;
use crate::site::{ProcedureSettings, Site};
use camino::Utf8Path;
use indexmap::IndexMap;
use std::sync::Arc;
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Error>;

/// Says what was agreed on before the run goes ahead; a fault where it is something else, or where the impact's
/// token that was given is another's.
pub type Agreed =
    Box<dyn Fn(Option<&Roles>, &[PlannedStep], Option<&str>) -> std::result::Result<(), Fault> + Send + Sync>;

pub(super) fn read(path: &Utf8Path) -> Result<PlanFile> {
    PlanFile::read(path).map_err(approval_error)
}

pub(super) fn trust(context: &Context) -> Result<Trust> {
    Trust::load(approval::MACHINE.into(), context.config.as_deref(), &context.site_dir)
        .map_err(approval_error)
}

/// Opens a key of the operator's own, and says who they are with it.
pub(super) fn signer(context: &Context, path: &Utf8Path) -> Result<(Person, SigningKey)> {
    let trust = trust(context)?;
    let key = open_key(context, path)?;
    let now = jiff::Timestamp::now().as_second();
    match trust.signers.who(&key.signed_by(), Namespace::Plan, now) {
        Ok(person) => Ok((person, key)),
        Err(why) => Err(Error::new(Exit::Refused, why).hint(format!(
            "whom to trust stands in {}: PRINCIPAL namespaces=\"windlass-*\" KEY",
            trust.path
        ))),
    }
}

pub(super) fn open_key(context: &Context, path: &Utf8Path) -> Result<SigningKey> {
    let ui = &context.ui;
    let mut ask = |prompt: &str| match ui.interactive {
        true => source::terminal(prompt).map(|typed| Zeroizing::new(typed.expose().to_vec())),
        false => Err(std::io::Error::other("it has a passphrase, and there is nobody to ask for it")),
    };
    SigningKey::open(path, &mut ask).map_err(approval_error)
}

/// Signs a plan's file; the signature is written beside it.
pub(super) fn sign(path: &Utf8Path, by: &str, key: &SigningKey) -> Result<camino::Utf8PathBuf> {
    let file = read(path)?;
    let signature = key.sign(&file.bytes, Namespace::Plan).map_err(approval_error)?;
    file.add_signature(by, &signature).map_err(approval_error)
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
    Row::GlassBroken { why: why.to_owned(), by: super::controller::controller() }
}

/// Says under what authority a run may begin, or what is missing.
pub(super) fn taken(
    context: &Context,
    name: &PluginName,
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
    let trust = trust(context)?;
    let asked = Asked { approvals: settings.approvals, approvers: settings.approvers.clone() };
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
    let until = crate::report::moment(plan.expires.saturating_mul(1_000));
    Err(Error::new(Exit::Refused, format!("the plan's time is over: it could be run until {until}"))
        .hint(format!("windlass plan {name} -o plan.json makes a new one, to be approved anew")))
}

/// Refuses where something that the plan covers is not what it was.
pub(super) fn hold(plan: &Plan, site: &Site, settings: &ProcedureSettings, plugin: &Plugin) -> Result<()> {
    let covers =
        approval::covers(site, settings, plugin.name(), plugin.digest(), &plan.covers.parameters, None)
            .map_err(approval_error)?;
    refuse(&plan.procedure, &approval::differences(&plan.covers, &covers))
}

pub(super) fn hold_parameters(plan: &Plan, parameters: &IndexMap<String, String>) -> Result<()> {
    let covers = Covers { parameters: entries(parameters), ..plan.covers.clone() };
    refuse(&plan.procedure, &approval::differences(&plan.covers, &covers))
}

/// The plan's parameters, as the command line would give them.
pub(super) fn given(plan: &Plan) -> Vec<String> {
    plan.covers.parameters.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect()
}

fn refuse(procedure: &PluginName, differences: &[Difference]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Exit::Refused,
        format!("the plan is not of this any more: {} since it was made", changed(differences.len())),
    );
    error.causes = differences.iter().map(ToString::to_string).collect();
    Err(error
        .hint("put back what was changed, or, if it is meant:")
        .hint(format!("windlass plan {procedure} -o plan.json makes a new plan, to be approved anew")))
}

fn changed(count: usize) -> String {
    if count == 1 { "one thing has changed".into() } else { format!("{count} things have changed") }
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
    for listed in Journal::list(runs).map_err(super::ending::journal_error)? {
        let run = match listed {
            Ok(record) => record.run,
            Err((run, error)) => {
                context.ui.warn(format!("whether run {run} took this plan cannot be told: {error}"));
                continue;
            }
        };
        let rows = Journal::read(runs, &run).map_err(super::ending::journal_error)?;
        let takes = |row: &Row| matches!(row, Row::PlanTaken { plan, .. } if plan.nonce == nonce);
        let position = Position::of(&rows);
        if rows.iter().any(|stored| takes(&stored.row)) && (position.changed || !position.is_over()) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// What a run is held to while it goes on.
#[derive(Default)]
pub(super) struct Follows {
    plan: Option<Box<Plan>>,
    broken: Option<(String, String)>,
}

impl Follows {
    pub fn of(rows: &[Row]) -> Self {
        let mut follows = Self::default();
        for row in rows {
            match row {
                Row::PlanTaken { plan, .. } => follows.plan = Some(plan.clone()),
                Row::GlassBroken { why, by } => {
                    follows.broken = Some((why.clone(), by.clone()));
                    // From here on it is the operator's word that counts.
                    follows.plan = None;
                }
                _ => {}
            }
        }
        follows
    }

    pub fn of_stored(rows: &[StoredRow]) -> Self {
        Self::of(&rows.iter().map(|stored| stored.row.clone()).collect::<Vec<_>>())
    }

    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    pub fn break_glass(&mut self, why: &str) -> Row {
        let row = glass_broken(why);
        if let Row::GlassBroken { why, by } = &row {
            self.broken = Some((why.clone(), by.clone()));
        }
        self.plan = None;
        row
    }

    pub fn expected(&self) -> Option<Arc<Expected>> {
        self.plan.as_ref().map(|plan| Arc::new(Expected::of(plan)))
    }

    /// What is told of a broken glass, at the beginning and at the end.
    pub fn broken(&self) -> Option<Event> {
        self.broken.as_ref().map(|(why, by)| Event::GlassBroken { why: why.clone(), by: by.clone() })
    }

    /// What the steps and the roles must be when the run is about to go ahead.
    pub fn agreed(
        &self,
        site: &Arc<Site>,
        settings: &ProcedureSettings,
        plugin: &Plugin,
        parameters: &IndexMap<String, String>,
        impact: &str,
    ) -> Agreed {
        let plan = self.plan.clone();
        let (site, settings, impact) = (site.clone(), settings.clone(), impact.to_owned());
        let (name, digest) = (plugin.name().clone(), plugin.digest().to_owned());
        let parameters = entries(parameters);
        Box::new(move |roles, steps, ack| {
            if let Some(plan) = &plan {
                as_planned(plan, steps)?;
            }
            let Some(given) = ack else { return Ok(()) };
            let covers = approval::covers(&site, &settings, &name, &digest, &parameters, roles)
                .map_err(|error| Fault::new(code::REFUSED, error.to_string()))?;
            match approval::ack(&name, &covers, &impact, steps) {
                token if token == given => Ok(()),
                _ => Err(Fault::new(
                    code::REFUSED,
                    format!("{given:?} is not the token of this impact: it is of another plan, or something has changed since"),
                )
                .hint(format!("windlass plan {name} shows what would happen now, and its token"))),
            }
        })
    }
}

fn as_planned(plan: &Plan, steps: &[PlannedStep]) -> std::result::Result<(), Fault> {
    let anew = format!("windlass plan {} -o plan.json makes a new plan, to be approved anew", plan.procedure);
    let planned: Vec<&PlannedStep> = plan.steps.iter().map(|planned| &planned.step).collect();
    if planned.len() == steps.len() && planned.iter().zip(steps).all(|(planned, step)| *planned == step) {
        return Ok(());
    }
    let ids =
        |steps: Vec<&PlannedStep>| steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
    let (then, now) = (ids(planned), ids(steps.iter().collect()));
    let why = match then == now {
        true => "what a step says of itself is not what it said when the plan was made".to_owned(),
        false => format!("the steps were {then} when the plan was made, and are {now} now"),
    };
    Err(Fault::new(code::REFUSED, why).hint(anew))
}
