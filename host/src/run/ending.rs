//! How a run came out: what it is, what is recorded of it, and what to type next.

use crate::model::{Check, Entry, Fault, PauseReason, RunId, RunState};

/// How a run ended, or why it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Done {
        checks: Vec<Check>,
        /// Of hooks after the run.
        hooks_failed: Vec<Fault>,
    },
    NothingToDo {
        why: String,
    },
    /// The operator said no; nothing was changed.
    Declined,
    /// Nothing was changed.
    Failed {
        fault: Fault,
    },
    /// A grant or an approval is missing; nothing was changed.
    Denied {
        fault: Fault,
    },
    /// The site asks for something that this run does not have; nothing was changed.
    Site {
        message: String,
        hint: String,
    },
    /// Preflight, or the lease; nothing was changed.
    Preflight {
        message: String,
        hint: String,
    },
    /// Everything was taken back.
    RolledBack {
        why: String,
    },
    /// Something changed, and the operator is needed.
    Paused {
        reason: PauseReason,
        message: String,
        hint: String,
    },
}

/// How a run is called that did all its steps: verified only where its procedure has looked at something.
pub fn done(checks: &[Check]) -> &'static str {
    match checks {
        [] => "done; its procedure verifies nothing",
        _ => "done and verified",
    }
}

/// In which state the run is then, why it stands if it does, and the same in words.
pub(super) fn describe(ending: &Ending) -> (RunState, Option<&'static str>, String) {
    match ending {
        Ending::Done { checks, hooks_failed } if hooks_failed.is_empty() => {
            (RunState::Done, None, done(checks).into())
        }
        Ending::Done { checks, hooks_failed } => {
            let failed: Vec<_> = hooks_failed.iter().map(|fault| fault.message.as_str()).collect();
            (RunState::Done, None, format!("{}, but {}", done(checks), failed.join("; ")))
        }
        Ending::NothingToDo { why } => (RunState::NothingToDo, None, format!("nothing to do: {why}")),
        Ending::Declined => (RunState::Unchanged, None, "declined; the cluster is as it was".into()),
        Ending::Failed { fault } | Ending::Denied { fault } => {
            (RunState::Unchanged, None, format!("{}; the cluster is as it was", fault.message))
        }
        Ending::Preflight { message, .. } | Ending::Site { message, .. } => {
            (RunState::Unchanged, None, format!("{message}; the cluster is as it was"))
        }
        Ending::RolledBack { why } => (RunState::Unchanged, None, format!("rolled back ({why})")),
        Ending::Paused { reason, message, .. } => (RunState::Paused, Some(reason.word()), message.clone()),
    }
}

/// What was seen of that.
pub(super) fn evidence(ending: &Ending) -> Vec<Entry> {
    match ending {
        Ending::Done { checks, .. } => checks.iter().flat_map(|check| check.evidence.clone()).collect(),
        _ => Vec::new(),
    }
}

/// What to type next.
pub(super) fn next(ending: &Ending, run: &RunId) -> Vec<String> {
    match ending {
        Ending::Paused { reason: PauseReason::NoWayBack, .. } => {
            vec![format!("windlass resume {run}"), format!("windlass runs show {run}")]
        }
        Ending::Paused { .. } => vec![
            format!("windlass resume {run}"),
            format!("windlass rollback {run}"),
            format!("windlass runs show {run}"),
        ],
        Ending::Done { .. } => {
            vec![format!("windlass runs show {run}"), format!("windlass runs close {run}")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_looked_at_is_called_verified() {
        let check = Check { title: "well".into(), passed: true, evidence: Vec::new() };
        let words = |checks: Vec<Check>, hooks_failed| describe(&Ending::Done { checks, hooks_failed }).2;
        assert_eq!(words(vec![check], Vec::new()), "done and verified");
        assert_eq!(words(Vec::new(), Vec::new()), "done; its procedure verifies nothing");
        let failed = words(Vec::new(), vec![Fault::new("failed", "the hook x failed")]);
        assert_eq!(failed, "done; its procedure verifies nothing, but the hook x failed");
    }
}
