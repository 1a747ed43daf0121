//! `windlass audit`.

use crate::cli::Context;
use crate::cli::error::{Exit, Result};
use crate::cli::session::{audited, rehearse_all};
use crate::model::PluginName;
use crate::model::audit::Level;
use camino::Utf8PathBuf;

/// Say what a plugin can do, what it does in rehearsals, and what of that should worry you
///
/// Reaches no node. It is rehearsed on a simulated cluster: as its scenarios have it, and then with every effect
/// failing, with the controller dying at every effect, with hostile answers, at other times and under other names.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component, a script, a plugin's folder, or a procedure that is part of windlass
    plugin: String,
    /// A scenario, in place of those beside the plugin; may be given again
    #[arg(long, value_name = "FILE")]
    scenario: Vec<Utf8PathBuf>,
    /// Rehearse on the scenarios of a procedure that is part of windlass, and hold it to what that one does
    #[arg(long = "as", value_name = "PROCEDURE")]
    like: Option<PluginName>,
}

pub fn run(args: &Args, context: &Context) -> Result {
    let audited = audited(context, &args.plugin, &args.scenario, args.like.as_ref())?;
    let began = std::time::Instant::now();
    let shown = rehearse_all(&audited, &|_, _, _| {})?;
    let ui = &context.ui;
    ui.out(format!("{} rehearsals in {:?}", shown.rehearsals.count, began.elapsed()));
    for scenario in &shown.rehearsals.scenarios {
        ui.out(format!("{}: {} {:?}", scenario.name, scenario.ended, scenario.cases));
    }
    for finding in &shown.findings {
        ui.out(format!("{} {} x{}: {}", finding.level.as_str(), finding.id, finding.seen, finding.message));
        if let Some(rehearsal) = &finding.rehearsal {
            ui.out(format!("    in {}: {}", rehearsal.scenario, rehearsal.case));
        }
        ui.out(format!("    {:?} {:?}", finding.call, finding.effect));
        finding.evidence.iter().for_each(|line| ui.out(format!("      {line}")));
    }
    match shown.findings.iter().any(|finding| finding.level > Level::Note) {
        true => Ok(Exit::Findings),
        false => Ok(Exit::Done),
    }
}
