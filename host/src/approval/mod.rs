//! Plans that people sign: what a plan covers, who signed it, and whether it may run.
//!
//! `covers` gathers what a plan was made from, and says what differs when it is to run; `ack` makes the
//! impact's token. Neighbours: `cli` makes, signs and follows plans with it. Nothing here reaches a node.

mod ack;
mod covers;
mod error;

pub use ack::ack;
pub use covers::{Difference, covers, differences};
pub use error::ApprovalError;
