//! What a row says.

use crate::model::{
    Answer, Check, CommandName, Digested, Effect, EffectClass, Fault, FileName, Moment, NodeName, ObjectName,
    Plan, PlannedStep, PluginName, RunId, RunState, Signer, StepId,
};
use serde::{Deserialize, Serialize};

/// Which exported call of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallName {
    Steps,
    Apply(StepId),
    Undo(StepId),
    Verify,
    /// A hook, at a moment of the run.
    Hook {
        hook: PluginName,
        at: Moment,
    },
}

impl CallName {
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::Apply(step) | Self::Undo(step) => Some(step),
            Self::Hook { at, .. } => at.step(),
            Self::Steps | Self::Verify => None,
        }
    }
}

impl CallName {
    /// What it is called in a behaviour envelope: a hook by the kind of moment alone, as it is bound to any step.
    pub fn in_envelope(&self) -> String {
        match self {
            Self::Hook { at, .. } => at.code().into(),
            call => call.to_string(),
        }
    }
}

impl std::fmt::Display for CallName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Steps => f.write_str("preflight"),
            Self::Apply(step) => write!(f, "{step}"),
            Self::Undo(step) => write!(f, "undo of {step}"),
            Self::Verify => f.write_str("verification"),
            Self::Hook { hook, at } => write!(f, "hook {hook} {at}"),
        }
    }
}

/// A difference between what a run began with and what it went on with, which the operator named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `site`, `profile`, `plugin`, `hook` or `api`.
    pub what: String,
    pub name: String,
    /// SHA-256 in lower-case hex, or a version; empty where there was none.
    pub then: String,
    pub now: String,
}

impl std::fmt::Display for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |digest: &str| if digest.is_empty() { "none".into() } else { format!("{digest:.12}") };
        write!(f, "{} {}: {} then, {} now", self.what, self.name, side(&self.then), side(&self.now))
    }
}

/// A key, certificate or secret that an effect made, as it is kept for the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptObject {
    pub plugin: PluginName,
    pub name: ObjectName,
    pub kind: ObjectKind,
    /// DER of a certificate in the clear; a key or a secret sealed to the operators. Base64. On disk a sealed
    /// value lies apart, and here stands its digest: what `runs close` removes breaks no chain.
    pub bytes: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    Certificate,
    SealedKey,
    SealedSecret,
    /// Sealed under the cluster's root key, not by Windlass.
    Canary,
}

/// What an effect left on a node, for those that come after it: swap, restore, close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// A file waits beside its target. The digest is absent where it could be guessed.
    Staged { set: ObjectName, node: NodeName, file: FileName, sha256: Option<String> },
    /// What was at a path before the run changed it lies on its node, in the save of `saved` (the path, or
    /// a folder above it), whose record has this digest.
    Saved { node: NodeName, path: String, saved: String, existed: bool, digest: String },
    /// A file of the profile was changed while a command ran that is not declared to write it: a finding.
    Strayed { node: NodeName, command: CommandName, file: FileName },
}

/// How an intent that was open when the controller died was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settlement {
    /// Its effect on the node was found: it is done and not repeated.
    FoundDone,
    /// It had not begun (or is safe to repeat), and acts again.
    ActsAgain,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "kebab-case")]
pub enum Row {
    /// First row: everything a resume must find unchanged.
    Began {
        procedure: PluginName,
        site: String,
        site_digest: String,
        /// The site's files and its profile's.
        #[serde(default)]
        files: Vec<Digested>,
        plugin_digest: String,
        /// The hooks that are bound to the procedure, each once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hooks: Vec<Digested>,
        /// The version of the interface between host and plugin.
        #[serde(default)]
        api: String,
        version: String,
        controller: String,
        parameters: Vec<(String, String)>,
    },
    /// The site left its profile to the nodes, which were asked before the run began: what goes on with the
    /// run takes it from here.
    ProfileFound {
        profile: String,
        /// A line a manager.
        told: Vec<String>,
    },
    /// Who can open what the run seals, as age recipients: the site's operators, or this controller alone.
    SealedTo {
        recipients: Vec<String>,
        operators: bool,
    },
    Resumed {
        controller: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<Accepted>,
    },
    LeaseTaken {
        manager: NodeName,
        token: u64,
    },
    /// Another had the lease of a manager, and the operator said to take it.
    LeaseTakenOver {
        manager: NodeName,
        /// Whose it was; none where they died before they said.
        run: Option<RunId>,
        /// The same in an operator's words.
        holder: String,
        token: u64,
    },
    /// The operator said that a node is dead: it carries neither the lease nor the mirror of this run.
    DeclaredDead {
        node: NodeName,
    },
    /// Another controller goes on, with what a manager held: so many rows.
    Adopted {
        controller: String,
        from: NodeName,
        rows: i64,
    },
    RolesBound {
        first: NodeName,
        second: NodeName,
        /// Where they are not simply the active and the standby node: why these.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        how: Option<String>,
    },
    Planned {
        steps: Vec<PlannedStep>,
    },
    /// The run follows a plan: what it may do, and who signed that. A plan's nonce is in no two of these.
    PlanTaken {
        /// SHA-256 of the plan's file.
        digest: String,
        requester: Option<Signer>,
        approvers: Vec<Signer>,
        /// Without what only looks.
        plan: Box<Plan>,
    },
    /// The operator went on without the approvals that the run needs.
    GlassBroken {
        why: String,
        by: String,
    },
    Confirmed,
    CallBegan {
        call: CallName,
    },
    Intent {
        plugin: PluginName,
        effect: Effect,
        class: EffectClass,
    },
    /// The intent of a `run-each`, whose row is `of`, on one of its nodes; it has an outcome of its own.
    Child {
        of: i64,
        node: NodeName,
    },
    /// The outcome of the intent with sequence number `of`. That of a `run-each` is made of its children's, and
    /// is empty itself.
    Outcome {
        of: i64,
        answer: Result<Answer, Fault>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<KeptObject>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        traces: Vec<Trace>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settled: Option<Settlement>,
    },
    /// A certified plugin did what no rehearsal of it did, and it was told only: a look, or on the way back.
    OutsideEnvelope {
        plugin: PluginName,
        effect: Effect,
        /// In the words of an envelope.
        entry: String,
    },
    Denied {
        plugin: PluginName,
        effect: Effect,
        fault: Fault,
    },
    CallEnded {
        call: CallName,
        result: Result<(), Fault>,
    },
    /// A hook let the run go on, and said this.
    HookWarned {
        hook: PluginName,
        at: Moment,
        text: String,
    },
    Verified {
        checks: Vec<Check>,
    },
    LeaseReleased,
    /// The run stands: it paused, or it ended.
    Stands {
        state: RunState,
        /// Kebab-case reason of a pause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        summary: String,
    },
    Closed,
}
