//! How a run came out, in words and as an exit code; what errors become at the command line.

use crate::approval::ApprovalError;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::JournalError;
use crate::model::{Event, Fault, RunId};
use crate::plugin::PluginError;
use crate::report;
use crate::run::Ending;

/// Prints how it ended; returns the exit code.
pub(super) fn finish(context: &Context, run: &RunId, ending: Ending, broken: Option<Event>) -> Result {
    let ui = &context.ui;
    // Said at the beginning too; whoever reads only the report must not miss it.
    if let (Some(Event::GlassBroken { why, by }), false) = (broken, ui.is_json()) {
        ui.out(report::glass(&why, &by));
    }
    let unchanged = |error: Error| error.hint("the cluster is as it was");
    match ending {
        Ending::Done { checks } => {
            if !ui.is_json() {
                for line in report::report(&checks) {
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
