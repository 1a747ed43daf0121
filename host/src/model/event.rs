//! What a run tells those who watch it: progress, JSON, report and `runs show` are views of these.

use super::{
    BoundHook, Check, CommandName, Effect, EffectClass, Entry, Fault, FileName, Moment, NodeName, PluginName,
    RunId, StepId,
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
        /// Those that will be called, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hooks: Vec<BoundHook>,
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
    /// How far one effect is that does many things: nodes, values. Told at most twenty times an effect.
    Advanced {
        what: String,
        done: u32,
        total: u32,
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
    /// A hook is called.
    HookBegan {
        hook: PluginName,
        at: Moment,
    },
    /// A hook lets the run go on, and has something to say.
    HookWarned {
        hook: PluginName,
        at: Moment,
        text: String,
    },
    /// A hook stops what was about to happen.
    HookVetoed {
        hook: PluginName,
        at: Moment,
        reason: String,
    },
    HookFailed {
        hook: PluginName,
        at: Moment,
        fault: Fault,
        /// The run goes on all the same.
        goes_on: bool,
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

impl Event {
    /// How far an effect has come since it was at `from`, where that is worth telling: at every twentieth of it, and
    /// at its end.
    pub fn advanced(what: &dyn std::fmt::Display, from: usize, done: usize, total: usize) -> Option<Self> {
        let part = |done: usize| done.saturating_mul(20) / total.max(1);
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let worth = total > 1 && part(done) != part(from);
        worth.then(|| Self::Advanced { what: what.to_string(), done: small(done), total: small(total) })
    }
}

#[cfg(test)]
mod tests {
    use super::Event;

    #[test]
    fn what_does_many_things_is_told_of_twenty_times_at_most_and_at_its_end() {
        for (total, by, most) in [(1, 1, 0), (2, 1, 2), (50, 1, 20), (2_000, 1, 20), (100_000, 256, 20)] {
            let steps: Vec<usize> = (0..=total).step_by(by).chain([total]).collect();
            let told: Vec<Event> =
                steps.windows(2).filter_map(|two| Event::advanced(&"x", two[0], two[1], total)).collect();
            assert!(told.len() <= most, "{total}: {}", told.len());
            if most > 0 {
                let Some(Event::Advanced { done, .. }) = told.last() else { panic!("{total}: nothing") };
                assert_eq!(*done as usize, total);
            }
        }
        assert!(Event::advanced(&"x", 0, 0, 0).is_none());
    }
}
