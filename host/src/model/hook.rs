//! The moments of a run at which hooks are called.

use super::{PluginName, StepId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A hook and a moment at which it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundHook {
    pub hook: PluginName,
    pub at: Moment,
}

/// A moment of a run. A hook is called at most once for each, whatever interrupts the run, but for those of failure
/// and of rollback, which come as often as these do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// The operator has agreed, and nothing was changed.
    BeforeRun,
    BeforeStep(StepId),
    AfterStep(StepId),
    /// Everything is done and verified.
    AfterRun,
    /// The run failed or paused.
    OnFailure,
    /// Everything was taken back.
    OnRollback,
}

impl Moment {
    /// The event's code, as `wit/hook.wit` has it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BeforeRun => "before-run",
            Self::BeforeStep(_) => "before-step",
            Self::AfterStep(_) => "after-step",
            Self::AfterRun => "after-run",
            Self::OnFailure => "on-failure",
            Self::OnRollback => "on-rollback",
        }
    }

    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::BeforeStep(step) | Self::AfterStep(step) => Some(step),
            Self::BeforeRun | Self::AfterRun | Self::OnFailure | Self::OnRollback => None,
        }
    }

    /// Whether a hook may stop here what is about to happen.
    pub fn may_veto(&self) -> bool {
        matches!(self, Self::BeforeRun | Self::BeforeStep(_))
    }

    /// Whether a hook is only told: a run that fails or goes back waits for nobody.
    pub fn only_tells(&self) -> bool {
        matches!(self, Self::OnFailure | Self::OnRollback)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeRun => f.write_str("before the run"),
            Self::BeforeStep(step) => write!(f, "before {step}"),
            Self::AfterStep(step) => write!(f, "after {step}"),
            Self::AfterRun => f.write_str("after the run"),
            Self::OnFailure => f.write_str("on failure"),
            Self::OnRollback => f.write_str("on rollback"),
        }
    }
}
