//! Replaces the HA certificates of an active/standby pair of management nodes.
//!
//! Strategy `sequential` is the product's documented procedure, in its order and with its messages, except that
//! both nodes are staged before either is changed; strategy [`repair`] does as much of it as a pair that is not
//! well needs. One file a phase: [`preflight`] observes and plans,
//! [`apply`] does a step, [`undo`] takes one back, [`verify`] proves the result. What they share is beside them:
//! the parameters, the pair, what is remembered between steps, and how health and certificates are judged.
//!
//! Nothing here holds a path, an argument vector or a secret: files, commands and secrets go by name.

mod apply;
mod evidence;
mod health;
mod memory;
mod names;
mod pair;
mod parameters;
mod preflight;
mod repair;
mod steps;
mod undo;
mod verify;

use windlass_sdk::procedure::{Check, Description, Step};
use windlass_sdk::{Fault, Procedure};

/// The procedure `ha-cert`.
pub struct HaCert;

impl Procedure for HaCert {
    fn describe() -> Description {
        Description {
            title: "Replace the HA certificates of the active and the standby management node".into(),
            impact: "MRS Manager is restarted, one node after the other: until it is back, it cannot be accessed \
                     and serves nobody. From the first restart to the second the two nodes trust different roots, \
                     so their link is down and a failure of the active node is not taken over. A repair restarts only \
                     what needs it, and says so before."
                .into(),
            parameters: parameters::declared(),
        }
    }

    fn steps() -> Result<Vec<Step>, Fault> {
        preflight::steps()
    }

    fn apply(step: &str) -> Result<(), Fault> {
        apply::apply(step.parse()?)
    }

    fn undo(step: &str) -> Result<(), Fault> {
        undo::undo(step.parse()?)
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        verify::verify()
    }
}

windlass_sdk::export_procedure!(HaCert);
