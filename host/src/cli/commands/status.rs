//! `windlass status`.

use crate::cli::Context;
use crate::cli::error::{Exit, Result};
use crate::cli::session::{Found, load, status};
use crate::cli::ui::Format;
use std::io::IsTerminal as _;
use std::time::Duration;

/// Show how a site stands: certificates, keys, services, runs
///
/// Asks every node and changes nothing: certificates with the days that they have left, what endpoints present
/// against what is on disk, mode and owner of key files, key sets that are out of step, and the last runs of this
/// controller. Exit status 10 where something wants attention; the thresholds are [status] of site.toml.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look again and again, until interrupted: every 30 seconds, or so many
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30", require_equals = true,
          value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
}

/// Runs `status`.
pub fn run(args: &Args, context: &Context) -> Result {
    let Found { site, .. } = load(context)?;
    loop {
        let seen = status(context, &site)?;
        let ui = &context.ui;
        if args.watch.is_some() && std::io::stdout().is_terminal() && ui.format == Format::Text {
            // From the top of an empty screen.
            ui.out("\u{1b}[H\u{1b}[2J");
        }
        match ui.format {
            // The others are refused before a command is called.
            Format::Text | Format::Scenario | Format::Sarif | Format::Html => {
                seen.lines().iter().for_each(|line| ui.out(line))
            }
            Format::Json => ui.json(&seen),
            Format::Prometheus => ui.out(seen.prometheus().trim_end()),
        }
        match args.watch {
            Some(seconds) => std::thread::sleep(Duration::from_secs(seconds)),
            None if seen.attention.is_empty() => return Ok(Exit::Done),
            None => return Ok(Exit::Findings),
        }
    }
}
