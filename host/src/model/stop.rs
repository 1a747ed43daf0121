//! Why a run cannot go on by itself.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a run stands still. Each has its entry in `docs/it-stopped.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// A step failed after something had changed.
    StepFailed,
    /// A hook vetoed what was about to happen, after something had changed.
    Vetoed,
    /// A hook failed after something had changed, and the site says `on_error = "stop"`.
    HookFailed,
    /// The procedure says that going back is not right any more.
    NoWayBack,
    /// The result could not be proven.
    NotVerified,
    /// The run asked for something that is not in the plan that was approved.
    NotApproved,
    /// A certified plugin is about to do what no rehearsal of it did.
    OutsideEnvelope,
    /// On resume, the plugin asked for something else than the journal says it did.
    Divergence,
    /// A change was under way when the controller died, and neither its record nor a probe can tell.
    Unsettled,
    /// The journal and what is found on the node disagree.
    Disagreement,
    /// The active role moved, and no command that ran may move it.
    RolesChanged,
    /// Clocks are 20 s or more apart.
    ClocksApart,
    /// A node the next step needs cannot be reached.
    Unreachable,
    /// The lease of a manager is another run's.
    LeaseLost,
    /// The operator interrupted the run.
    Interrupted,
    /// The journal can no longer be written.
    Journal,
}

impl PauseReason {
    pub const ALL: [Self; 16] = [
        Self::StepFailed,
        Self::Vetoed,
        Self::HookFailed,
        Self::NoWayBack,
        Self::NotVerified,
        Self::NotApproved,
        Self::OutsideEnvelope,
        Self::Divergence,
        Self::Unsettled,
        Self::Disagreement,
        Self::RolesChanged,
        Self::ClocksApart,
        Self::Unreachable,
        Self::LeaseLost,
        Self::Interrupted,
        Self::Journal,
    ];

    /// The word in the journal, JSON and docs.
    pub fn word(self) -> &'static str {
        match self {
            Self::StepFailed => "step-failed",
            Self::Vetoed => "vetoed",
            Self::HookFailed => "hook-failed",
            Self::NoWayBack => "no-way-back",
            Self::NotVerified => "not-verified",
            Self::NotApproved => "not-approved",
            Self::OutsideEnvelope => "outside-envelope",
            Self::Divergence => "divergence",
            Self::Unsettled => "unsettled",
            Self::Disagreement => "disagreement",
            Self::RolesChanged => "roles-changed",
            Self::ClocksApart => "clocks-apart",
            Self::Unreachable => "unreachable",
            Self::LeaseLost => "lease-lost",
            Self::Interrupted => "interrupted",
            Self::Journal => "journal",
        }
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The run must stop here, whatever the plugin would do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub reason: PauseReason,
    pub message: String,
}

impl Stop {
    pub fn new(reason: PauseReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Stop {}
