//! `windlass audit`.

use crate::cli::Context;
use crate::cli::error::{Exit, Result};
use crate::cli::session::{self, Auditing};
use crate::cli::ui::Format;
use crate::model::PluginName;
use crate::model::audit::Verdict;
use crate::report;
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component, a script, a plugin's folder, a plugin of the site, or a procedure of windlass
    plugin: String,
    /// Say what it does that this older version did not
    #[arg(long, value_name = "OLD")]
    against: Option<String>,
    /// Rehearse on the scenarios of a procedure of windlass, and hold it to what that one does
    #[arg(long = "as", value_name = "PROCEDURE")]
    like: Option<PluginName>,
    /// A scenario, in place of those beside the plugin; may be given again
    #[arg(long, value_name = "FILE")]
    scenario: Vec<Utf8PathBuf>,
    /// Repeat one rehearsal of this scenario alone, and print its transcript
    #[arg(long, value_name = "SCENARIO")]
    only: Option<String>,
    /// Which one, as a finding names it; 0 is the one to which nothing is done
    #[arg(long, value_name = "N", requires = "only", default_value_t = 0)]
    seed: u32,
}

pub fn run(args: Args, context: &Context) -> Result {
    let ui = &context.ui;
    let Args { plugin, against, like, scenario, only, seed } = args;
    let auditing = Auditing { plugin, scenarios: scenario, against, like };
    if let Some(only) = only {
        let lines = session::repeat(context, &auditing, &only, seed)?;
        match ui.is_json() {
            true => ui.json(&serde_json::json!({ "scenario": only, "seed": seed, "transcript": lines })),
            false => lines.iter().for_each(|line| ui.out(line)),
        }
        return Ok(Exit::Done);
    }
    let audit = session::audit(context, &auditing, &|scenario, done, all| {
        ui.step(&format!("{scenario}: {done} of {all} rehearsals"), done == all);
    })?;
    match ui.format {
        Format::Sarif => ui.json(&report::audit::sarif(&audit)),
        Format::Html => ui.out(report::audit::html(&audit)),
        Format::Json => ui.json(&audit),
        Format::Text | Format::Prometheus | Format::Scenario => {
            report::audit::text(&audit).iter().for_each(|line| ui.out(line));
        }
    }
    Ok(match audit.verdict {
        Verdict::NothingFound => Exit::Done,
        Verdict::Findings => Exit::Findings,
    })
}
