//! The journal: what a run meant to do and what came of it, on disk before the next change.
//!
//! One SQLite database a run (write-ahead log, `synchronous = FULL`), a row for each intent, outcome and
//! turn of the run, hash-chained. A change waits for one durable commit: its intent, with every row
//! before it. Observations wait for none and are durable before the next change. Operator's answers and
//! new run objects are committed at once.
//!
//! `store` holds it for writing, `read` reads it without holding it, `chain` is the hashes, `kept` parts sealed
//! values from their rows, `sealed` seals, `mirror` is what the managers are given. Neighbours: `effect` writes the rows of effects, `run` the rest and
//! reads all of it to resume.

mod chain;
mod error;
mod kept;
pub mod mirror;
mod read;
mod row;
pub mod sealed;
mod store;
#[cfg(test)]
mod tests;

pub use chain::Hash;
pub use error::JournalError;
pub use read::{Left, Listed, RawRow, Reading, RunRecord, StoredRow};
pub use row::{Accepted, CallName, KeptObject, ObjectKind, Row, Settlement, Trace};
pub use store::{FORMAT, Follower, Journal};
