//! What one step leaves for the next: digests, and what was begun that cannot be unsaid.

use windlass_sdk::{Fault, host::state};

/// The digest of the key set's file before the run, the same on every node.
pub const BEFORE: &str = "before";
/// What is to be acknowledged.
pub const IMPACT: &str = "impact";

/// Keeps something.
pub fn keep(name: &str, value: &str) -> Result<(), Fault> {
    state::set(name, value)
}

/// Keeps that something was begun.
pub fn mark(name: &str) -> Result<(), Fault> {
    state::set(name, "yes")
}

pub fn is_marked(name: &str) -> Result<bool, Fault> {
    Ok(state::get(name)?.is_some())
}

/// Returns what was kept, or none where no step has come that far.
pub fn recall(name: &str) -> Result<Option<String>, Fault> {
    state::get(name)
}

/// Returns what was kept. A fault: the step that keeps it has not been done.
pub fn expect(name: &str) -> Result<String, Fault> {
    recall(name)?.ok_or_else(|| {
        Fault::failed(format!("the run has not kept {name}: an earlier step is missing"))
            .hint("steps run in the order of the plan; resume the run from its last finished step")
    })
}
