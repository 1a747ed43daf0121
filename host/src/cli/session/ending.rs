//! How a run came out, in words and as an exit code; what errors become at the command line.

use crate::approval::ApprovalError;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::JournalError;
use crate::model::{Event, Fault, RunId};
use crate::plugin::PluginError;
use crate::report;
use crate::run::{self, Ending};

/// Prints how it ended; returns the exit code.
pub(super) fn finish(context: &Context, run: &RunId, ending: Ending, broken: Option<Event>) -> Result {
    let ui = &context.ui;
    // Said at the beginning too; whoever reads only the report must not miss it.
    if let (Some(Event::GlassBroken { why, by }), false) = (broken, ui.is_json()) {
        ui.out(report::glass(&why, &by));
    }
    let unchanged = |error: Error| error.hint("the cluster is as it was");
    match ending {
        Ending::Done { checks, hooks_failed } => {
            if !ui.is_json() {
                for line in report::report(&checks) {
                    ui.out(line);
                }
                ui.out(format!("run {run}: {}", run::done(&checks)));
                for fault in &hooks_failed {
                    ui.warn(fault.in_full());
                }
                ui.say(format!(
                    "what was there before is kept on the nodes until: windlass runs close {run}"
                ));
            }
            Ok(if hooks_failed.is_empty() { Exit::Done } else { Exit::HookFailed })
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
        Ending::Site { message, hint } => Err(unchanged(Error::new(Exit::Usage, message).hint(hint))),
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

/// What a journal that cannot be used means before any node was asked.
pub fn journal_error(error: JournalError) -> Error {
    use JournalError::*;
    let exit = match error {
        // The controller is not fit to begin or to go on.
        Held { .. } | Busy { .. } | Full { .. } | Broken { .. } => Exit::Preflight,
        // Where runs are kept, and by which windlass, is the operator's to say.
        NoRun { .. } | Newer { .. } | Older { .. } | Folder { .. } | ReadOnly { .. } => Exit::Usage,
        // The run stands until the operator has put its journal right.
        Damaged { .. } | Missing { .. } => Exit::Paused,
        Sqlite { .. } => Exit::Fault,
    };
    let hints: Vec<String> = match &error {
        Full { .. } => vec![
            "make room there, then type the same again".into(),
            "or keep runs elsewhere: WINDLASS_STATE_DIR".into(),
        ],
        Busy { .. } => vec!["end what has it open, then type the same again".into()],
        ReadOnly { .. } | Folder { .. } => {
            vec!["make it a folder that you may write to, or keep runs elsewhere: WINDLASS_STATE_DIR".into()]
        }
        Damaged { path, .. } => fetch_back(path.parent().and_then(camino::Utf8Path::file_name)),
        Missing { run, .. } => fetch_back(Some(run)),
        Sqlite { .. } => vec!["no node was asked for anything; type the same again".into()],
        _ => Vec::new(),
    };
    hints.into_iter().fold(Error::from_error(exit, &error), |made, hint| made.hint(hint))
}

/// Where a run's journal is to be had again.
fn fetch_back(run: Option<&str>) -> Vec<String> {
    vec![
        format!("windlass runs adopt {} fetches what the managers hold of it", run.unwrap_or("RUN")),
        "or put a copy of the journal back, if there is one, and type the same again".into(),
    ]
}

pub(super) fn approval_error(error: ApprovalError) -> Error {
    let exit = match error {
        // Whom to trust must be beyond doubt before anything else is.
        ApprovalError::Unsafe { .. } | ApprovalError::Trusted { .. } => Exit::Refused,
        ApprovalError::Sign { .. } | ApprovalError::Agent { .. } => Exit::Failed,
        _ => Exit::Usage,
    };
    Error::from_error(exit, &error)
}

pub(super) fn plugin_error(error: PluginError) -> Error {
    // A plugin that cannot be loaded or breaks before a run began has changed nothing.
    Error::from_error(Exit::Usage, &error)
}

pub(super) fn fault_error(exit: Exit, fault: &Fault) -> Error {
    let error = Error::new(exit, fault.message.clone());
    if fault.hint.is_empty() { error } else { error.hint(fault.hint.clone()) }
}
