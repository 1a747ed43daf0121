//! `windlass resume` and `windlass rollback`: an earlier run, from wherever its journal says it is.

use super::ask::Given;
use super::authority;
use super::differences::{Difference, accepted};
use super::drive::{LeaseArgs, Opened, drive};
use super::ending::{journal_error, plugin_error};
use super::follow::{self, Follows};
use super::hooks::{Hooks, load_hooks};
use super::network::enter;
use super::parameters;
use super::plugins::load_plugin;
use super::profile::{Going, load_for};
use super::runs::{find_run, runs_dir};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, Row, RunRecord, StoredRow};
use crate::model::{Event, RunState};
use crate::run::Position;

/// `windlass resume` and `windlass rollback`.
#[derive(Debug, Default)]
pub struct Again {
    pub run: Option<String>,
    pub ack: Option<String>,
    pub yes: bool,
    pub accept: Vec<Difference>,
    pub lease: LeaseArgs,
    pub secrets: Vec<String>,
    /// Why to go on although the plan was approved for something else.
    pub break_glass: Option<String>,
    /// Take back instead of going on.
    pub back: bool,
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
    let Some(StoredRow { row: Row::Began { procedure, parameters, plugin_digest, .. }, .. }) =
        rows.first().cloned()
    else {
        return Err(Error::new(Exit::Fault, format!("the journal of run {run} does not begin as one does")));
    };
    let mut follows = Follows::of_stored(&rows);
    if !again.back && again.break_glass.is_none() && follows.plan().is_some() && !again.accept.is_empty() {
        return Err(Error::new(
            Exit::Refused,
            format!("run {run} follows a plan that was approved, and a difference is not part of it"),
        )
        .hint("put back what was changed, and resume without --accept")
        .hint("--break-glass WHY goes on without approval; it is told everywhere"));
    }
    let broken = again.break_glass.as_deref().map(|why| follows.break_glass(why));
    let going = if again.back { Going::Back } else { Going::On };
    let site = load_for(context, &rows, going)?;
    let settings = site.procedures.get(&procedure).cloned().unwrap_or_default();
    let runtime = enter(&site)?;
    let begun = again.back.then_some(plugin_digest.as_str());
    runtime.block_on(async {
        let plugin = load_plugin(context, &site, &procedure, &settings, begun)?;
        let hooks = match load_hooks(context, &site, &procedure) {
            // The way back waits for no hook; that one is lacking is a difference, which is asked about below.
            Err(error) if again.back => {
                context.ui.warn(format!("no hook is called: {}", error.message));
                Hooks::default()
            }
            loaded => loaded?,
        };
        let accepted = accepted(&run, &rows, &site, &plugin, &hooks.digests, &again.accept)?;
        if let (Some(plan), false) = (follows.plan(), again.back) {
            follow::hold(plan, &site, &settings, &plugin)?;
            if !position.confirmed {
                authority::in_time(plan)?;
            }
        }
        let described = plugin.procedure_describe().await.map_err(plugin_error)?;
        if let Some(broken) = &broken {
            journal.commit(broken).map_err(journal_error)?;
        }
        let opened = Opened {
            site,
            plugin,
            hooks,
            settings,
            parameters: parameters.into_iter().collect(),
            secret_sources: parameters::secret_sources(&again.secrets)?,
            journal,
            rows,
            accepted,
            terms: again.lease.into(),
            follows,
        };
        let began = Event::RunResumed { run };
        let given = Given { yes: again.yes, ack: again.ack };
        drive(context, opened, &described.impact, given, again.back, began).await
    })
}
