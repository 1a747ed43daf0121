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
    /// The plugin broke: it trapped, ran out of time or memory, or answered garbage.
    Broken(String),
}

/// The exported calls of a procedure. Each runs in a fresh instance, with a call path of its own.
pub trait Procedure: Send + Sync {
    fn steps<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>>;
    fn apply<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>>;
    fn undo<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>>;
    fn verify<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>>;
}
