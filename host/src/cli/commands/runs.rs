//! `windlass runs`: what ran here, how it stands, whether its journal is whole, and its end.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Verdict, find_run};
use crate::cli::ui::Format;
use crate::journal::{Journal, Reading, Row};
use crate::model::{NodeName, RunId, RunState};
use crate::report;
use crate::run::{Adopted, Position};
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
    /// Check a run's journal: that no row of it was edited, removed or lost; the newest where none is named
    Verify {
        /// A run's id, or the beginning of one
        run: Option<String>,
        /// Compare it also with what the managers hold of it
        #[arg(long)]
        nodes: bool,
    },
    /// Write every row of a run's journal, one JSON object a line; with --format scenario, the run as a scenario
    Export {
        /// A run's id, or the beginning of one; the newest where none is named
        run: Option<String>,
    },
    /// Go on here with a run whose controller is gone: fetch it from the managers, and take its lease over
    Adopt {
        /// A run's id; that of the run that has the lease where none is named
        run: Option<String>,
        /// The manager whose mirror to believe, where they disagree
        #[arg(long, value_name = "NODE")]
        from: Option<NodeName>,
        /// A node that cannot be reached and is known to be dead
        #[arg(long, value_name = "NODE")]
        node_is_dead: Vec<NodeName>,
        /// Take the lease over without asking
        #[arg(long)]
        yes: bool,
    },
    /// End a run for good: remove what was saved for it on the nodes
    Close {
        /// A run's id, or the beginning of one
        run: Option<String>,
    },
}

impl Args {
    pub fn exports(&self) -> bool {
        matches!(self.command, RunsCommand::Export { .. })
    }
}

pub fn run(args: Args, context: &Context) -> Result {
    match args.command {
        RunsCommand::List => list(context),
        RunsCommand::Show { run } => show(context, run.as_deref()),
        RunsCommand::Verify { run, nodes } => verify(context, run.as_deref(), nodes),
        RunsCommand::Export { run } => export(context, run.as_deref()),
        RunsCommand::Adopt { run, from, node_is_dead, yes } => {
            adopt(context, session::Adopt { run, from, dead: node_is_dead, yes })
        }
        RunsCommand::Close { run } => close(context, run.as_deref()),
    }
}

fn list(context: &Context) -> Result {
    let runs = Journal::list(&session::runs_dir(context)?).map_err(session::journal_error)?;
    for entry in runs {
        match entry {
            Ok(record) if context.ui.is_json() => context.ui.json(&record),
            Ok(record) => {
                let state = if record.closed { "closed" } else { report::state_word(record.state) };
                let needs = record.needs.map(|by| format!("  (needs windlass {by})")).unwrap_or_default();
                context.ui.out(format!(
                    "{:<36}  {state:<13}  {}  {}{needs}",
                    record.run,
                    report::moment(record.began),
                    record.summary
                ));
            }
            Err((run, error)) => context.ui.warn(format!("run {run} cannot be read: {error}")),
        }
    }
    Ok(Exit::Done)
}

fn show(context: &Context, wanted: Option<&str>) -> Result {
    let (run, reading) = examine(context, wanted)?;
    let rows = reading.understood();
    if context.ui.is_json() {
        for stored in &rows {
            context.ui.json(
                &serde_json::json!({ "sequence": stored.sequence, "at": stored.at, "row": stored.row }),
            );
        }
        return whole(reading);
    }
    context.ui.out(format!("run {run}"));
    for line in report::row_lines(&rows) {
        context.ui.out(line);
    }
    for stored in &rows {
        if let Row::Verified { checks } = &stored.row {
            for line in report::report(checks) {
                context.ui.out(line);
            }
        }
    }
    if rows.len() < reading.rows.len() {
        context.ui.warn(format!(
            "{} rows are of kinds that this windlass does not know; windlass {} wrote them",
            reading.rows.len() - rows.len(),
            reading.by
        ));
    }
    if let Some((RunState::Paused, _)) = Position::of(&rows).stands {
        context.ui.say(format!("next: windlass resume {run}, or windlass rollback {run}"));
    }
    whole(reading)
}

fn verify(context: &Context, wanted: Option<&str>, nodes: bool) -> Result {
    let (run, reading) = examine(context, wanted)?;
    if reading.is_newer() {
        return Err(Error::new(
            Exit::Usage,
            format!("the chain of run {run} is of a newer format, {}, and is not known here", reading.format),
        )
        .hint(format!("windlass runs verify {run}, with windlass {} or a newer one", reading.by)));
    }
    let damage = reading.damage.as_ref().map(ToString::to_string);
    let beside = if nodes { session::beside(context, &run, &reading)? } else { Vec::new() };
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({
            "run": run, "format": reading.format, "windlass": reading.by, "rows": reading.rows.len(),
            "head": reading.head(), "damage": damage, "nodes": beside,
        }));
    } else {
        let holds = if damage.is_none() { "the chain holds" } else { "the chain holds so far" };
        context.ui.out(format!("run {run}: {} rows, {holds}", reading.rows.len()));
        context.ui.out(format!("head {}", reading.head()));
        beside.iter().for_each(|beside| context.ui.out(beside.line()));
    }
    if let Some(damage) = damage {
        return Err(Error::new(Exit::Findings, damage));
    }
    let any = |verdict| beside.iter().any(|beside| beside.verdict == verdict);
    if any(Verdict::Differs) {
        let error =
            Error::new(Exit::Findings, format!("the journal of run {run} is not what the managers hold"));
        return Err(error
            .hint(format!("windlass runs adopt {run} fetches what they hold, if that is the one to trust")));
    }
    if any(Verdict::NotAsked) {
        return Err(Error::new(Exit::Preflight, "not every manager could be asked")
            .hint("windlass site check --connect tries each node on its own"));
    }
    Ok(Exit::Done)
}

fn export(context: &Context, wanted: Option<&str>) -> Result {
    let (_, reading) = examine(context, wanted)?;
    if context.ui.format == Format::Scenario {
        // Without its site a run is one of the default profile.
        let site = session::site_facts(context, &reading.understood());
        context.ui.out(report::scenario(&reading.understood(), &site).trim_end());
        return whole(reading);
    }
    for row in &reading.rows {
        // The row's own text, as the chain covers it: whoever reads this can recompute the hashes.
        context.ui.out(format!(
            r#"{{"sequence":{},"at":{},"hash":"{}","row":{}}}"#,
            row.sequence,
            row.at,
            row.hash_text(),
            row.body
        ));
    }
    whole(reading)
}

fn examine(context: &Context, wanted: Option<&str>) -> Result<(RunId, Reading)> {
    let run = session::newest_or(context, wanted)?;
    let reading = Journal::examine(&session::runs_dir(context)?, &run).map_err(session::journal_error)?;
    Ok((run, reading))
}

/// What was shown was all there is, or why not.
fn whole(reading: Reading) -> Result {
    match reading.damage {
        None => Ok(Exit::Done),
        Some(damage) => Err(session::journal_error(damage)),
    }
}

fn adopt(context: &Context, adopt: session::Adopt) -> Result {
    let Adopted { run, from, rows } = session::adopt(context, adopt)?;
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({ "run": run, "from": from, "rows": rows }));
    } else {
        context.ui.out(format!(
            "run {run} is here now, with the {rows} rows that {from} held; its lease is this controller's"
        ));
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
