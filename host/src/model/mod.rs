//! Plain data that every room may use: names, effects, answers, faults, events.
//!
//! Nothing here acts, and nothing here knows another room. What is written to the journal is made of
//! these types, so a change to their serde shape is a change of the journal's format.

mod answer;
pub mod audit;
mod certification;
mod effect;
mod event;
mod fault;
mod hook;
mod names;
mod nesting;
mod plan;
#[cfg(test)]
pub(crate) mod samples;
mod stop;

pub use answer::{
    Answer, Certificate, Check, Entry, FileStat, Health, KeySet, KeyVersion, Member, MemberAnswer, Outcome,
    Quarantine,
};
pub use certification::{Accepted, CERTIFICATION_FORMAT, Certification};
pub use effect::{Argument, CertificateSource, Content, Effect, EffectClass, Value};
pub use event::{Event, PlannedStep, Roles, RunState};
pub use fault::{Fault, code};
pub use hook::{BoundHook, Moment};
pub use names::{
    CommandName, EndpointName, FileName, NameError, NodeName, ObjectName, PluginName, RunId, StepId,
};
pub use nesting::{TOO_DEEP, nests_too_deeply};
pub use plan::{
    Covers, Detail, Digested, HookCover, HookPlan, PLAN_FORMAT, Plan, PlannedCommand, PlannedEffect,
    PlannedFile, PlannedPrompt, PlannedRequest, RolesCover, Shape, Signer, StepPlan, SuppliedCover, Symbol,
};
pub use stop::{PauseReason, Stop};

/// Writes bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
