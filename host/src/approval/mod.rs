//! Plans that people sign: what a plan covers, who signed it, and whether it may run.
//!
//! `covers` gathers what a plan was made from, and says what differs when it is to run; `ack` makes the
//! impact's token. `signature` makes and checks SSH signatures, with a `key` from a file or an `agent`; `signers`
//! and `trust` say whose count; `file` is a plan with the signatures beside it, and `judge` says whether enough
//! have signed. Neighbours: `cli` makes, signs and follows plans with it. Nothing here reaches a node.

mod ack;
mod agent;
mod covers;
mod error;
mod file;
mod judge;
mod key;
mod signature;
mod signers;
mod trust;

#[cfg(test)]
mod tests;

pub use ack::ack;
pub use covers::{Difference, covers, differences};
pub use error::{ApprovalError, SignatureError};
pub use file::{PlanFile, write_plan};
pub use judge::{Asked, Judged, judge};
pub use key::{AskPassphrase, SigningKey};
pub use signature::{Namespace, SignedBy, verify};
pub use signers::{Person, Signers};
pub use trust::{MACHINE, Trust};
