//! Puts a run together: site, plugin, journal, connections; drives it; says how it ended.

mod ask;
mod parameters;
mod show;

use super::Context;
use super::commands::site::{Reached, load};
use super::error::{Error, Exit, Result};
use crate::backend::live::{Live, Parts};
use crate::capability::nodes::NodeContexts;
use crate::capability::secrets::PasswordPolicy;
use crate::effect::{Events, Interrupt};
use crate::journal::sealed::{self, Identity};
use crate::journal::{Journal, JournalError, Row, RunRecord, StoredRow};
use crate::model::{Event, Fault, NodeName, PluginName, RunId, RunState};
use crate::plugin::{Plugin, bundle::Bundle};
use crate::policy::{Gate, Rules};
use crate::run::{Ending, Machine, PluginProcedure, Position, Settings};
use crate::site::{GrantBlock, OnFailure, ProcedureSettings, SecretSource, Site};
use crate::transport::Transports;
use ask::TerminalOperator;
use camino::Utf8PathBuf;
use indexmap::IndexMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

/// The code of a fault that a procedure's preflight answers with.
const PREFLIGHT: &str = "preflight";

/// `windlass run`.
pub struct Start {
    pub procedure: String,
    pub params: Vec<String>,
    pub secrets: Vec<String>,
    pub yes: bool,
}

/// `windlass resume` and `windlass rollback`.
pub struct Again {
    pub run: Option<String>,
    pub yes: bool,
    pub accept: Vec<Difference>,
    pub secrets: Vec<String>,
    /// Take back instead of going on.
    pub back: bool,
}

/// What may differ between the beginning of a run and its resumption, if the operator says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Difference {
    /// The site's files, or its profile
    Site,
    /// The plugin's bytes
    Plugin,
}

/// Where runs are kept on this controller.
pub fn runs_dir(context: &Context) -> Result<Utf8PathBuf> {
    Ok(context.state_dir()?.join("runs"))
}

/// Finds one run by the beginning of its id; the newest that `fits` where none is named.
/// `what` says what there is none of, then.
pub fn find_run(
    context: &Context,
    wanted: Option<&str>,
    what: &str,
    fits: impl Fn(&RunRecord) -> bool,
) -> std::result::Result<RunId, Error> {
    let dir = runs_dir(context)?;
    let all = Journal::list(&dir).map_err(journal_error)?;
    let names = || {
        all.iter().map(|entry| match entry {
            Ok(record) => &record.run,
            Err((run, _)) => run,
        })
    };
    let Some(wanted) = wanted else {
        return all
            .iter()
            .filter_map(|entry| entry.as_ref().ok())
            .find(|record| fits(record))
            .map(|record| record.run.clone())
            .ok_or_else(|| {
                let mut error = Error::new(Exit::Usage, format!("there is {what} in {dir}"));
                // One that cannot be read may be the one that was meant.
                error.causes = all
                    .iter()
                    .filter_map(|entry| entry.as_ref().err())
                    .map(|(run, error)| format!("run {run} cannot be read: {error}"))
                    .collect();
                error.hint("windlass runs list shows how each ended")
            });
    };
    let found: Vec<_> = names().filter(|run| run.as_str().starts_with(wanted)).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            Err(Error::new(Exit::Usage, format!("no run's id begins with {wanted:?}"))
                .hint("windlass runs list"))
        }
        several if several.iter().any(|run| run.as_str() == wanted) => {
            RunId::new(wanted).map_err(|error| Error::from_error(Exit::Usage, &error))
        }
        several => {
            let several: Vec<_> = several.iter().map(|run| run.as_str()).collect();
            Err(Error::new(
                Exit::Usage,
                format!("{} runs begin with {wanted:?}: {}", several.len(), several.join(", ")),
            ))
        }
    }
}

/// Starts a new run.
pub fn start(context: &Context, start: Start) -> Result {
    let site = load(context)?;
    let name =
        PluginName::new(start.procedure.as_str()).map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let settings = site.procedures.get(&name).cloned().unwrap_or_default();
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let plugin = load_plugin(context, &site, &name, &settings)?;
        let described = plugin.procedure_describe().await.map_err(plugin_error)?;
        let parameters = parameters::settle(&name, &described, &site, &settings, &start.params)?;
        let secret_sources = parameters::secret_sources(&start.secrets)?;
        let run = new_run_id(&name)?;
        let journal = Journal::create(&runs_dir(context)?, &run).map_err(journal_error)?;
        let row = Row::Began {
            procedure: name.clone(),
            site: site.name.clone(),
            site_digest: site.digest.clone(),
            plugin_digest: plugin.digest().to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            controller: controller(),
            parameters: parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        journal.commit(&row).map_err(journal_error)?;
        let opened = Opened { site, plugin, settings, parameters, secret_sources, journal, rows: Vec::new() };
        let event = |site: &Site| Event::RunBegan {
            run: run.clone(),
            procedure: name.clone(),
            site: site.name.clone(),
        };
        let began = event(&opened.site);
        drive(context, opened, &described.impact, start.yes, false, began).await
    })
}

/// Goes on with a run, or takes it back.
pub fn again(context: &Context, again: Again) -> Result {
    let unfinished =
        |record: &RunRecord| matches!(record.state, RunState::Running | RunState::Paused) && !record.closed;
    let run = match &again.run {
        None => find_run(context, None, "no unfinished run", unfinished)?,
        named => find_run(context, named.as_deref(), "no run", |_| true)?,
    };
    let (journal, rows) = Journal::open(&runs_dir(context)?, &run).map_err(journal_error)?;
    let position = Position::of(&rows);
    if position.closed || (position.is_over() && !again.back) {
        return Err(Error::new(Exit::Usage, format!("run {run} is over: there is nothing left to do"))
            .hint(format!("windlass runs show {run}")));
    }
    let Some(StoredRow { row: Row::Began { procedure, site_digest, plugin_digest, parameters, .. }, .. }) =
        rows.first().cloned()
    else {
        return Err(Error::new(Exit::Fault, format!("the journal of run {run} does not begin as one does")));
    };
    let site = load(context)?;
    if site.digest != site_digest && !again.accept.contains(&Difference::Site) {
        return Err(Error::new(
            Exit::Refused,
            format!("the site's files are not those that run {run} began with: {site_digest:.12} then, {:.12} now", site.digest),
        )
        .hint("put them back, or, if the change is meant: --accept site"));
    }
    let settings = site.procedures.get(&procedure).cloned().unwrap_or_default();
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let plugin = load_plugin(context, &site, &procedure, &settings)?;
        if plugin.digest() != plugin_digest && !again.accept.contains(&Difference::Plugin) {
            return Err(Error::new(
                Exit::Refused,
                format!(
                    "{procedure} is not the plugin that run {run} began with: {plugin_digest:.12} then, {:.12} now",
                    plugin.digest()
                ),
            )
            .hint("use the windlass that began it, or, if the change is meant: --accept plugin"));
        }
        let described = plugin.procedure_describe().await.map_err(plugin_error)?;
        journal.note(&Row::Resumed { controller: controller() }).map_err(journal_error)?;
        let opened = Opened {
            site,
            plugin,
            settings,
            parameters: parameters.into_iter().collect(),
            secret_sources: parameters::secret_sources(&again.secrets)?,
            journal,
            rows,
        };
        let began = Event::RunResumed { run };
        drive(context, opened, &described.impact, again.yes, again.back, began).await
    })
}

/// Ends a run for good: removes what was saved for it on the nodes.
pub fn close(context: &Context, run: &RunId) -> Result<()> {
    let (journal, rows) = Journal::open(&runs_dir(context)?, run).map_err(journal_error)?;
    let position = Position::of(&rows);
    if !position.is_over() {
        return Err(Error::new(
            Exit::Paused,
            format!("run {run} is not over: what was saved on the nodes may still be needed"),
        )
        .hint(format!("windlass resume {run}, or windlass rollback {run}")));
    }
    let site = Arc::new(load(context)?);
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let transports = Transports::new(&site, journal.folder())
            .map_err(|error| Error::from_error(Exit::Fault, &error))?;
        let mut failed = None;
        for node in site.nodes.keys() {
            let files = crate::capability::files::NodeFiles {
                remote: &transports,
                node,
                user: &site.profile.service_user,
                run,
                token: None,
            };
            if let Err(error) = files.purge().await {
                failed = Some(error.to_fault());
            }
        }
        transports.close().await;
        match failed {
            Some(fault) => Err(fault_error(Exit::Preflight, &fault)
                .hint(format!("windlass runs close {run}, when it can be reached"))),
            None => journal.commit(&Row::Closed).map(drop).map_err(journal_error),
        }
    })
}

/// Everything a run needs, opened.
struct Opened {
    site: Site,
    plugin: Plugin,
    settings: ProcedureSettings,
    parameters: IndexMap<String, String>,
    secret_sources: IndexMap<String, SecretSource>,
    journal: Journal,
    rows: Vec<StoredRow>,
}

async fn drive(
    context: &Context,
    opened: Opened,
    impact: &str,
    yes: bool,
    back: bool,
    began: Event,
) -> Result {
    let Opened { site, plugin, settings, parameters, secret_sources, journal, rows } = opened;
    let (site, journal) = (Arc::new(site), Arc::new(journal));
    let name = plugin.name().clone();
    let gate = gate_for(&site, &plugin, &settings)?;
    let shown = show::Shown::new(&context.ui);
    let events: Events = shown.events();
    events(&began);
    let policy = policy_for(&site, &name)?;
    let identity = Identity::load_or_create(&sealed::identity_path(context.state_dir()?))
        .map_err(|error| Error::from_error(Exit::Usage, &error))?;
    // Without operators in the site, only this controller's own identity can open what the run seals.
    let recipients = if site.operators.is_empty() {
        identity.recipients()
    } else {
        sealed::recipients(&site.operators).map_err(|error| Error::from_error(Exit::Usage, &error))?
    };
    crate::transport::reap_orphans().await;
    let transports =
        Transports::new(&site, journal.folder()).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let operator =
        Arc::new(TerminalOperator::new(context.ui.clone(), shown.clone(), yes, impact.to_string()));
    let live = Live::new(Parts {
        site: site.clone(),
        run: journal.run().clone(),
        controller: controller(),
        settings: settings.clone(),
        parameters,
        secret_sources,
        policy,
        transports,
        operator: operator.clone(),
        events: events.clone(),
        identity,
        recipients,
    });
    if !rows.is_empty() {
        live.recall_run(&rows).await.map_err(|stop| Error::new(Exit::Paused, stop.message))?;
    }
    let interrupt = Interrupt::default();
    watch_for_interrupts(&interrupt, &shown);
    let machine = Machine {
        settings: Settings {
            run: journal.run().clone(),
            plugin: name,
            roll_back_on_failure: settings.on_failure == OnFailure::Rollback,
            preflight_code: PREFLIGHT,
        },
        gate,
        procedure: Arc::new(PluginProcedure::new(Arc::new(plugin))),
        ground: live.clone(),
        journal: journal.clone(),
        events,
        interrupt,
        asker: operator,
        rows,
    };
    let ending = if back { machine.roll_back().await } else { machine.drive().await };
    drop(machine);
    shown.finish();
    live.close().await;
    finish(context, journal.run(), ending)
}

/// Prints how it ended; returns the exit code.
fn finish(context: &Context, run: &RunId, ending: Ending) -> Result {
    let ui = &context.ui;
    let unchanged = |error: Error| error.hint("the cluster is as it was");
    match ending {
        Ending::Done { checks } => {
            if !ui.is_json() {
                for line in crate::report::report(&checks) {
                    ui.out(line);
                }
                ui.out(format!("run {run}: done and verified"));
                ui.say(format!(
                    "what was there before is kept on the nodes until: windlass runs close {run}"
                ));
            }
            Ok(Exit::Done)
        }
        Ending::NothingToDo { why } => {
            if !ui.is_json() {
                ui.out(format!("nothing to do: {why}"));
            }
            Ok(Exit::Done)
        }
        Ending::RolledBack { why } => {
            if !ui.is_json() {
                ui.out(format!("run {run}: rolled back ({why}); the cluster is as it was"));
            }
            Ok(Exit::Failed)
        }
        Ending::Declined => {
            ui.say("declined; the cluster is as it was");
            Ok(Exit::Failed)
        }
        Ending::Failed { fault } => Err(unchanged(fault_error(Exit::Failed, &fault))),
        Ending::Denied { fault } => Err(unchanged(fault_error(Exit::Refused, &fault))),
        Ending::Preflight { message, hint } => {
            let error = Error::new(Exit::Preflight, message);
            Err(unchanged(if hint.is_empty() { error } else { error.hint(hint) }))
        }
        Ending::Paused { reason, message, hint } => {
            let error = Error::new(Exit::Paused, format!("the run is paused ({reason}): {message}"));
            let error = if hint.is_empty() { error } else { error.hint(hint) };
            Err(error
                .hint(format!("windlass resume {run}      goes on"))
                .hint(format!("windlass rollback {run}    takes back what was done"))
                .hint(format!("windlass runs show {run}   shows what happened")))
        }
    }
}

/// `windlass site`; with `--connect`, each node is asked for its variables.
pub fn site(args: super::commands::site::Args, context: &Context) -> Result {
    use super::commands::site::{Command, load, run};
    let connects = matches!(args.command, Command::Check { connect: true });
    let runtime = if connects { enter(&load(context)?)? } else { threads()? };
    runtime.block_on(run(args, context, async |site| connect(context, site).await))
}

/// Asks every node, side by side, for what its commands and files need.
async fn connect(context: &Context, site: &Site) -> Vec<Reached> {
    let problem = |node: &NodeName, message: String, hint: String| Reached {
        node: node.clone(),
        problem: Some(message),
        hint: (!hint.is_empty()).then_some(hint),
    };
    let opened = context.state_dir().map_err(|error| error.message).and_then(|state| {
        let dir = state.join("check");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| format!("{dir}: {error}"))?;
        Transports::new(site, &dir).map_err(|error| error.to_string())
    });
    let transports = match opened {
        Ok(transports) => transports,
        Err(why) => {
            return site.nodes.keys().map(|node| problem(node, why.clone(), String::new())).collect();
        }
    };
    let reached = futures::future::join_all(site.nodes.keys().map(|node| {
        let transports = &transports;
        async move {
            match NodeContexts::default().of(transports, site, node).await {
                Ok(context) => match crate::backend::live::unresolved(site, &context) {
                    None => Reached { node: node.clone(), problem: None, hint: None },
                    Some(fault) => problem(node, fault.message, fault.hint),
                },
                Err(error) => {
                    let fault = error.to_fault();
                    problem(node, fault.message, fault.hint)
                }
            }
        }
    }))
    .await;
    transports.close().await;
    reached
}

/// Enters the practice cluster's network where the site is one, and only then starts threads.
pub fn enter(site: &Site) -> std::result::Result<tokio::runtime::Runtime, Error> {
    if let Some(pid) = &site.lab {
        crate::lab::enter(&site.dir.join(pid)).map_err(|error| {
            Error::from_error(Exit::Preflight, &error).hint(format!("windlass lab up {}", site.dir))
        })?;
    }
    threads()
}

/// For what enters namespaces of its own: they are a thread's, not the process's.
pub fn one_thread() -> std::result::Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Exit::Fault, format!("the runtime cannot be started: {error}")))
}

pub fn threads() -> std::result::Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Exit::Fault, format!("threads cannot be started: {error}")))
}

fn load_plugin(
    context: &Context,
    site: &Site,
    name: &PluginName,
    settings: &ProcedureSettings,
) -> std::result::Result<Plugin, Error> {
    let engine = crate::plugin::engine(crate::plugin::Profile::Run).map_err(plugin_error)?;
    if let Some(path) = settings.params.get("plugin") {
        let path = site.dir.join(path);
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::new(
                Exit::Usage,
                format!("the plugin {path} of [procedures.{name}] cannot be read: {error}"),
            )
        })?;
        let plugin = Plugin::compile(&engine, path.as_str(), &bytes).map_err(|error| {
            plugin_error(error).hint(format!("the plugin is {path}, from [procedures.{name}] in site.toml"))
        })?;
        if plugin.name() != name {
            return Err(Error::new(
                Exit::Usage,
                format!("{path} is the plugin {}, and [procedures.{name}] wants {name}", plugin.name()),
            ));
        }
        return Ok(plugin);
    }
    let Some(embedded) = context.bundle else {
        return Err(Error::new(
            Exit::Usage,
            format!("this windlass was built without its procedures, so there is no {name}"),
        )
        .hint("cargo xtask build puts them in"));
    };
    let bundle = Bundle::open(embedded).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    match bundle.get(&engine, name.as_str()).map_err(plugin_error)? {
        Some(plugin) => Ok(plugin),
        None => {
            let known: Vec<_> = bundle.list().map(|(manifest, _)| manifest.name.to_string()).collect();
            Err(Error::new(Exit::Usage, format!("there is no procedure {name}"))
                .hint(format!("there are: {}", known.join(", "))))
        }
    }
}

/// Needs ∩ grants. A bundled procedure is granted what it needs, unless the site narrows it.
fn gate_for(site: &Site, plugin: &Plugin, settings: &ProcedureSettings) -> std::result::Result<Gate, Error> {
    let name = plugin.name();
    let mut needs = Rules::default();
    for need in &plugin.manifest().needs {
        let block = GrantBlock {
            commands: need.commands.clone(),
            files: need.files.clone(),
            endpoints: need.endpoints.clone(),
            crypto: need.crypto.clone(),
            secrets: need.secrets.clone(),
            general: need.general.clone(),
            digest: None,
        };
        needs.extend(rules(&block, &format!("the manifest of {name}"))?);
    }
    let replaced = settings.params.contains_key("plugin");
    let grants = match site.grants.get(name) {
        Some(block) => {
            if let Some(digest) = &block.digest
                && !plugin.digest().starts_with(digest.as_str())
            {
                return Err(Error::new(
                    Exit::Refused,
                    format!(
                        "[grants.{name}] is meant for the digest {digest}, and the plugin's is {}",
                        plugin.digest()
                    ),
                )
                .hint("review the plugin, then write its digest into grants.toml"));
            }
            rules(block, &format!("[grants.{name}] in grants.toml"))?
        }
        None if replaced => Rules::default(),
        None => needs.clone(),
    };
    Ok(Gate::new(name.clone(), needs, grants, settings.allow_secret_in_argv))
}

fn rules(block: &GrantBlock, place: &str) -> std::result::Result<Rules, Error> {
    Rules::parse(block).map_err(|errors| {
        let mut error = Error::new(Exit::Usage, format!("{place} has patterns that cannot be read"));
        error.causes = errors.iter().map(ToString::to_string).collect();
        error
    })
}

fn policy_for(site: &Site, name: &PluginName) -> std::result::Result<PasswordPolicy, Error> {
    let named = site.profile.defaults.get(name).and_then(|defaults| defaults.get("password_policy"));
    match named {
        Some(policy) => policy.parse().map_err(|error| Error::from_error(Exit::Usage, &error)),
        None => Ok(PasswordPolicy::mrs_2()),
    }
}

/// `ha-cert-20261122-020635-k3f9`: sorts by time, and two in a second differ.
fn new_run_id(procedure: &PluginName) -> std::result::Result<RunId, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0u8; 4];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| Error::new(Exit::Fault, "the operating system gives no random bytes"))?;
    let tail: String = random.iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect();
    let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    RunId::new(format!("{procedure}-{time}-{tail}")).map_err(|error| Error::from_error(Exit::Usage, &error))
}

/// `user@host`: who ran it, for the journal and the lease.
fn controller() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    format!("{}@{}", user.as_deref().unwrap_or("?"), host.as_deref().unwrap_or("?"))
}

/// Ctrl-C once: the effect in flight is finished, then the run pauses. Twice: leave at once; the journal
/// suffices.
fn watch_for_interrupts(interrupt: &Interrupt, shown: &Arc<show::Shown>) {
    let (interrupt, shown) = (interrupt.clone(), shown.clone());
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if interrupt.is_raised() {
                std::process::exit(Exit::Interrupted as i32);
            }
            interrupt.raise();
            shown.line("interrupted: finishing what is under way, then pausing (again: leave at once)");
        }
    });
}

pub fn journal_error(error: JournalError) -> Error {
    let exit = match error {
        JournalError::Held { .. } => Exit::Preflight,
        // Where runs are kept is the operator's to say.
        JournalError::NoRun { .. } | JournalError::Newer { .. } | JournalError::Folder { .. } => Exit::Usage,
        _ => Exit::Fault,
    };
    let made = Error::from_error(exit, &error);
    match exit {
        Exit::Fault => {
            made.hint("nothing was done; if there is a copy of the journal, put it back and try again")
        }
        _ => made,
    }
}

fn plugin_error(error: crate::plugin::PluginError) -> Error {
    // A plugin that cannot be loaded or breaks before a run began has changed nothing.
    Error::from_error(Exit::Usage, &error)
}

fn fault_error(exit: Exit, fault: &Fault) -> Error {
    let error = Error::new(exit, fault.message.clone());
    if fault.hint.is_empty() { error } else { error.hint(fault.hint.clone()) }
}
