//! Updates the root key of a cluster: the key that its databases' passwords and key files are sealed under.
//!
//! The product's documented procedure, step by step, with what the documentation leaves to the operator's eyes proved:
//! every service is down before the key changes, every node has the same key set before anything starts, and what was
//! sealed before still opens. One file a phase: [`preflight`] observes and plans, [`apply`] does a step, [`undo`]
//! takes one back, [`verify`] proves the result; [`level`] is all of that for `mode = catch-up`, which brings nodes
//! that were away up to the cluster's key set. What they share is beside them and, with the other procedures of key
//! sets, in the crate `key-sets`.
//!
//! Nothing here holds a path, an argument vector or a key: files and commands go by name.

mod apply;
mod level;
mod memory;
mod names;
mod parameters;
mod preflight;
mod quarantine;
mod services;
mod steps;
mod undo;
mod unseen;
mod verify;
mod words;

use parameters::{Mode, Parameters};
use windlass_sdk::procedure::{Check, Description, Step};
use windlass_sdk::{Fault, Procedure};

/// The procedure `root-key`.
pub struct RootKey;

impl Procedure for RootKey {
    fn describe() -> Description {
        Description {
            title: "Update the root key of the cluster".into(),
            impact: words::IMPACT.into(),
            parameters: parameters::declared(),
        }
    }

    fn steps() -> Result<Vec<Step>, Fault> {
        let parameters = Parameters::read()?;
        match parameters.mode {
            Mode::Update => preflight::steps(&parameters),
            Mode::CatchUp => level::steps(),
        }
    }

    fn apply(step: &str) -> Result<(), Fault> {
        apply::apply(step.parse()?)
    }

    fn undo(step: &str) -> Result<(), Fault> {
        undo::undo(step.parse()?)
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        let parameters = Parameters::read()?;
        match parameters.mode {
            Mode::Update => verify::verify(),
            Mode::CatchUp => level::verify(),
        }
    }
}

windlass_sdk::export_procedure!(RootKey);
