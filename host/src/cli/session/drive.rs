//! A run with everything it needs open, driven to where it ends or stands.

use super::ask::{Given, TerminalOperator};
use super::controller::{controller, holder};
use super::ending::{finish, journal_error};
use super::follow::Follows;
use super::hooks::Hooks;
use super::plugins::{gate_for, hold, policy_for};
use super::show::Shown;
use super::standing::Journals;
use crate::backend::live::{LeaseTerms, Live, Parts};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::effect::{Events, Interrupt};
use crate::journal::sealed::{self, Identity};
use crate::journal::{Accepted, Journal, Row, StoredRow};
use crate::model::{Event, NodeName, code};
use crate::plugin::Plugin;
use crate::run::{Machine, PluginProcedure, Settings, Tracked};
use crate::site::{OnFailure, ProcedureSettings, SecretSource, Site};
use crate::transport::Transports;
use indexmap::IndexMap;
use std::sync::Arc;

/// Everything a run needs, opened.
pub(super) struct Opened {
    pub site: Site,
    pub plugin: Plugin,
    pub hooks: Hooks,
    pub settings: ProcedureSettings,
    pub parameters: IndexMap<String, String>,
    pub secret_sources: IndexMap<String, SecretSource>,
    pub journal: Journal,
    pub rows: Vec<StoredRow>,
    /// What is not as it was when the run began, and meant.
    pub accepted: Vec<Accepted>,
    pub follows: Follows,
    pub terms: LeaseTerms,
}

/// What the operator says of leases that are not free.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LeaseArgs {
    /// Take the lease over from the run that has it; refused while a job of that one lives
    #[arg(long)]
    take_over: bool,
    /// A node that cannot be reached and is known to be dead; it carries no lease of this run
    #[arg(long, value_name = "NODE", requires = "take_over")]
    node_is_dead: Vec<NodeName>,
}

impl From<LeaseArgs> for LeaseTerms {
    fn from(args: LeaseArgs) -> Self {
        Self { take_over: args.take_over, dead: args.node_is_dead }
    }
}

pub(super) async fn drive(
    context: &Context,
    opened: Opened,
    impact: &str,
    given: Given,
    back: bool,
    began: Event,
) -> Result {
    let Opened {
        site,
        plugin,
        hooks,
        settings,
        parameters,
        secret_sources,
        journal,
        rows,
        accepted,
        follows,
        terms,
    } = opened;
    let (site, journal) = (Arc::new(site), Arc::new(journal));
    let position = Tracked::of(&journal, &rows);
    if !rows.is_empty() {
        // On disk before any node is asked: a journal that takes nothing ends it here.
        journal.commit(&Row::Resumed { controller: controller(), accepted }).map_err(journal_error)?;
    }
    let name = plugin.name().clone();
    let gate = gate_for(&site, &plugin, &settings)?;
    let named: Vec<_> = parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    // The way back is never held up.
    let gate = if back { gate } else { hold(context, &site, &plugin, named, gate)? };
    let shown = Shown::new(&context.ui);
    let events: Events = shown.events();
    events(&began);
    if let Some(broken) = follows.broken() {
        events(&broken);
    }
    let policy = policy_for(&site, &name)?;
    let identity = Identity::load_or_create(&sealed::identity_path(context.state_dir()?))
        .map_err(|error| Error::from_error(Exit::Usage, &error))?;
    // Without operators in the site, only this controller's own identity can open what the run seals.
    let alone = site.operators.is_empty();
    let recipients = match alone {
        true => identity.recipients(),
        false => {
            sealed::recipients(&site.operators).map_err(|error| Error::from_error(Exit::Usage, &error))?
        }
    };
    if rows.is_empty() {
        let row = Row::SealedTo { recipients: recipients.public(), operators: !alone };
        journal.note(&row).map_err(journal_error)?;
    }
    crate::transport::reap_orphans().await;
    let transports =
        Transports::new(&site, journal.folder()).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let agreed = follows.agreed(&site, &settings, &plugin, &parameters, impact);
    let operator = Arc::new(TerminalOperator::new(
        context.ui.clone(),
        shown.clone(),
        given,
        impact.to_string(),
        agreed,
        alone,
    ));
    let live = Live::new(Parts {
        site: site.clone(),
        run: journal.run().clone(),
        controller: holder(context)?,
        settings: settings.clone(),
        parameters,
        secret_sources,
        policy,
        transports,
        operator: operator.clone(),
        events: events.clone(),
        identity,
        recipients,
        terms,
        standing: Arc::new(Journals::of(context, &site)?),
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
            site: site.name.clone(),
            told_run: journal.run().to_string(),
            planning: false,
            roll_back_on_failure: settings.on_failure == OnFailure::Rollback,
            preflight_code: code::PREFLIGHT,
        },
        gate,
        procedure: Arc::new(PluginProcedure::new(Arc::new(plugin))),
        hooks: hooks.bound,
        ground: live.clone(),
        journal: journal.clone(),
        events,
        interrupt,
        asker: operator,
        expected: follows.expected(),
        rows,
        position,
    };
    let ending = if back { machine.roll_back().await } else { machine.drive().await };
    drop(machine);
    shown.finish();
    live.close().await;
    finish(context, journal.run(), ending, follows.broken())
}

/// Ctrl-C once: the effect in flight is finished, then the run pauses. Twice: leave at once; the journal
/// suffices.
fn watch_for_interrupts(interrupt: &Interrupt, shown: &Arc<Shown>) {
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
