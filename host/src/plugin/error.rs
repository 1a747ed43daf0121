//! What can go wrong with a plugin, and whose fault it is.

use super::ManifestError;
use super::bundle::BundleError;
use super::cache::CacheError;
use crate::model::{Fault, Stop};
use std::time::Duration;

/// Whose fault an error is; the log and the exit code say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The plugin's, whatever the host was asked to do.
    Plugin,
    /// Windlass's own, or this machine's.
    Host,
    /// Neither's: the run had to end here.
    Run,
}

/// An error of the plugin room. `plugin` is the name the plugin was loaded under; `call` the exported call
/// as a person would write it, as `apply(restart@first)`.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    #[error("{plugin} is not a plugin that can be loaded")]
    Manifest { plugin: String, source: ManifestError },
    #[error(
        "{plugin} is built for {interface} {wanted}, and this host has {have}: Windlass {wanted} or newer has it; \
         update Windlass, or build the plugin for {have}"
    )]
    Version { plugin: String, interface: String, wanted: String, have: &'static str },
    #[error("{plugin} imports {import}, which is not part of the plugin contract: {why}")]
    Import { plugin: String, import: String, why: &'static str },
    #[error("{plugin} cannot be linked: {why}. Build it against the contract of this host (wit/)")]
    Link { plugin: String, why: String },
    #[error("{plugin} lacks an export that a {kind} must have: {why}")]
    Export { plugin: String, kind: &'static str, why: String },
    #[error("{plugin} cannot be compiled: {why}. The file is damaged or uses what this host does not run")]
    Compile { plugin: String, why: String },
    #[error("{plugin} is a {is}, and was used as a {wanted}")]
    Kind { plugin: String, is: &'static str, wanted: &'static str },

    #[error("{plugin} trapped in {call}: {why}. Nothing after that point was done by it")]
    Trapped { plugin: String, call: String, why: String },
    #[error("{plugin} used up its {budget:?} of computing time in {call} and was stopped")]
    OutOfTime { plugin: String, call: String, budget: Duration },
    #[error("{plugin} used up its {limit} units of fuel in {call} and was stopped")]
    OutOfFuel { plugin: String, call: String, limit: u64 },
    #[error("{plugin} asked for more than its {} MiB of memory in {call} and was stopped", limit >> 20)]
    OutOfMemory { plugin: String, call: String, limit: usize },
    #[error("{plugin} handed over more than {} MiB at once in {call} and was stopped", limit >> 20)]
    TooMuch { plugin: String, call: String, limit: usize },
    #[error("{plugin} answered {call} with what cannot be used: {why}")]
    Garbage { plugin: String, call: String, why: String },

    /// What the guest asked for was answered with a fault where its interface knows none: it ends with it.
    #[error("{}", .0.message)]
    Faulted(Fault),
    /// The call path ended the run.
    #[error("the run was stopped")]
    Stopped(#[source] Stop),

    #[error("the WebAssembly engine could not be set up: {why}. This is a fault of windlass")]
    Engine { why: String },
    #[error("{plugin}: {call} was answered with {answer}. This is a fault of windlass")]
    Answer { plugin: String, call: String, answer: String },
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl PluginError {
    pub fn whose(&self) -> Whose {
        match self {
            Self::Stopped(_) => Whose::Run,
            Self::Engine { .. }
            | Self::Answer { .. }
            | Self::Kind { .. }
            | Self::Bundle(_)
            | Self::Cache(_) => Whose::Host,
            _ => Whose::Plugin,
        }
    }
}
