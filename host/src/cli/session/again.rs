//! `windlass resume` and `windlass rollback`: an earlier run, from wherever its journal says it is.

use super::drive::{LeaseArgs, Opened, drive};
use super::ending::{journal_error, plugin_error};
use super::network::enter;
use super::parameters;
use super::plugins::load_plugin;
use super::runs::{find_run, runs_dir};
use crate::cli::Context;
use crate::cli::commands::site::load;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, Row, RunRecord, StoredRow};
use crate::model::{Event, RunState};
use crate::run::Position;

/// `windlass resume` and `windlass rollback`.
pub struct Again {
    pub run: Option<String>,
    pub yes: bool,
    pub accept: Vec<Difference>,
    pub lease: LeaseArgs,
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
        let opened = Opened {
            site,
            plugin,
            settings,
            parameters: parameters.into_iter().collect(),
            secret_sources: parameters::secret_sources(&again.secrets)?,
            journal,
            rows,
            terms: again.lease.into(),
        };
        let began = Event::RunResumed { run };
        drive(context, opened, &described.impact, again.yes, again.back, began).await
    })
}
