//! What people sign: plans, what they cover, and whether one may run; and the files of a site, before they load.
//!
//! `covers` gathers what a plan was made from, and says what differs when it is to run; `ack` makes the
//! impact's token. `signature` makes and checks SSH signatures, with a `key` from a file or an `agent`; `signers`
//! and `trust` say whose count; `file` is a plan with the signatures beside it, and `judge` says whether enough
//! have signed; `detached` is one signature beside any other file, as a plugin's, and `certified` the record of a
//! plugin's audit. Neighbours: `cli` makes, signs and
//! follows plans with it, and loads plugins. Nothing here reaches a node.

mod ack;
mod agent;
mod certified;
mod covers;
mod detached;
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
pub use certified::{Certified, OfPlugin, RecordFile, Uncertified, record_beside, record_of};
pub use covers::{Difference, covers, differences};
pub use detached::{Uncounted, beside, signature_of, signer_of, write_signature};
pub use error::{ApprovalError, SignatureError};
pub use file::{PlanFile, write_plan};
pub use judge::{Asked, Judged, judge};
pub use key::{AskPassphrase, SigningKey};
pub use signature::{Namespace, SignedBy, verify};
pub use signers::{Person, Signers};
pub use trust::{MACHINE, Trust};
