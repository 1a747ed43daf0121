//! A procedure as the machine sees it.

use crate::effect::CallPath;
use crate::model::{Check, Fault, PlannedStep, StepId, Stop};
use futures::future::BoxFuture;

/// Why an exported call of a plugin did not end well.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// The plugin answered with a fault.
    Fault(Fault),
    /// The host stopped it: the run pauses.
    Stop(Stop),
    /// The plugin broke, and why.
    Broken(Breakage, String),
}

/// How a plugin broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// It trapped, or answered with what the contract does not allow.
    Trap,
    /// It did not come to an end in its time.
    Time,
    Memory,
    /// It handed over more at once than it may.
    Output,
}

/// The exported calls of a procedure. Each runs in a fresh instance, with a call path of its own.
pub trait Procedure: Send + Sync {
    fn steps<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>>;
    fn apply<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>>;
    fn undo<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>>;
    fn verify<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>>;
}
