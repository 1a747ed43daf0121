//! `windlass runs`: what ran here, how it stands, and its end.

use crate::cli::Context;
use crate::cli::error::{Exit, Result};
use crate::cli::session::{self, find_run};
use crate::journal::{Journal, Row};
use crate::model::RunState;
use crate::report;
use crate::run::Position;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List the runs of this controller, newest first
    List,
    /// Show what a run did; the newest where none is named
    Show {
        /// A run's id, or the beginning of one
        run: Option<String>,
    },
    /// End a run for good: remove what was saved for it on the nodes
    Close {
        /// A run's id, or the beginning of one
        run: Option<String>,
    },
}

pub fn run(args: Args, context: &Context) -> Result {
    match args.command {
        RunsCommand::List => list(context),
        RunsCommand::Show { run } => show(context, run.as_deref()),
        RunsCommand::Close { run } => close(context, run.as_deref()),
    }
}

fn list(context: &Context) -> Result {
    let runs = Journal::list(&session::runs_dir(context)?).map_err(session::journal_error)?;
    for entry in runs {
        match entry {
            Ok(record) if context.ui.is_json() => context.ui.json(&record),
            Ok(record) => context.ui.out(format!(
                "{:<36}  {:<13}  {}  {}",
                record.run,
                if record.closed { "closed" } else { report::state_word(record.state) },
                report::moment(record.began),
                record.summary
            )),
            Err((run, error)) => context.ui.warn(format!("run {run} cannot be read: {error}")),
        }
    }
    Ok(Exit::Done)
}

fn show(context: &Context, wanted: Option<&str>) -> Result {
    let runs = session::runs_dir(context)?;
    let run = find_run(context, wanted, "no run", |_| true)?;
    let rows = Journal::read(&runs, &run).map_err(session::journal_error)?;
    if context.ui.is_json() {
        for stored in &rows {
            context.ui.json(
                &serde_json::json!({ "sequence": stored.sequence, "at": stored.at, "row": stored.row }),
            );
        }
        return Ok(Exit::Done);
    }
    context.ui.out(format!("run {run}"));
    for line in rows.iter().filter_map(report::row_line) {
        context.ui.out(line);
    }
    for stored in &rows {
        if let Row::Verified { checks } = &stored.row {
            for line in report::report(checks) {
                context.ui.out(line);
            }
        }
    }
    if let Some((RunState::Paused, _)) = Position::of(&rows).stands {
        context.ui.say(format!("next: windlass resume {run}, or windlass rollback {run}"));
    }
    Ok(Exit::Done)
}

fn close(context: &Context, wanted: Option<&str>) -> Result {
    let run = find_run(context, wanted, "no run that is not closed", |record| !record.closed)?;
    session::close(context, &run)?;
    context.ui.say(format!("run {run} is closed; what was saved for it on the nodes is removed"));
    Ok(Exit::Done)
}
