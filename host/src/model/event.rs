//! What a run tells those who watch it: progress, JSON, report and `runs show` are views of these.

use super::{
    Check, CommandName, Effect, EffectClass, Entry, Fault, FileName, NodeName, PluginName, RunId, StepId,
};
use serde::{Deserialize, Serialize};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Preflight or steps are under way (or the controller died there).
    Running,
    /// Done and verified: new-consistent.
    Done,
    /// Nothing had to be done.
    NothingToDo,
    /// Failed or declined before anything changed, or taken back: old-consistent.
    Unchanged,
    /// Something changed and the run cannot go on by itself.
    Paused,
}

/// One line of a run's story. `--json` prints these, one a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    RunBegan {
        run: RunId,
        procedure: PluginName,
        site: String,
    },
    RunResumed {
        run: RunId,
    },
    /// The run goes on without the approvals that it needs.
    GlassBroken {
        why: String,
        by: String,
    },
    RolesBound {
        first: NodeName,
        second: NodeName,
        /// Where they are not simply the active and the standby node: why these.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        how: Option<String>,
    },
    Planned {
        title: String,
        impact: String,
        steps: Vec<PlannedStep>,
    },
    StepBegan {
        step: StepId,
        title: String,
        nodes: Vec<NodeName>,
    },
    /// A change, or something kept for the run, is about to be made.
    EffectBegan {
        effect: Effect,
    },
    /// An effect acted (or was answered from the journal, on resume).
    Effect {
        step: Option<StepId>,
        plugin: PluginName,
        effect: Effect,
        class: EffectClass,
        fault: Option<Fault>,
        replayed: bool,
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    Output {
        node: NodeName,
        line: String,
    },
    /// A file of the profile was changed while a command ran that is not declared to write it: a finding.
    Strayed {
        node: NodeName,
        command: CommandName,
        file: FileName,
    },
    Note {
        text: String,
    },
    Progress {
        done: u32,
        total: u32,
        text: String,
    },
    StepDone {
        step: StepId,
    },
    StepFailed {
        step: StepId,
        fault: Fault,
    },
    StepUndone {
        step: StepId,
    },
    Verified {
        checks: Vec<Check>,
    },
    RunEnded {
        run: RunId,
        state: RunState,
        summary: String,
        evidence: Vec<Entry>,
        next: Vec<String>,
    },
}

/// A step as the plan shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub id: StepId,
    pub title: String,
    pub nodes: Vec<NodeName>,
    pub impact: String,
    pub guards: Vec<String>,
    pub undoable: bool,
}

/// The two nodes of the pair, as bound for the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Active when the run began.
    pub first: NodeName,
    /// Standby then.
    pub second: NodeName,
}
