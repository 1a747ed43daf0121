//! The files of a node: look, write, swap a set in as one generation, save and restore.
//!
//! Works on files whose declarations `capability::nodes` has resolved to paths; what a plugin may do
//! with them is decided before, by the gate. Every operation is one round trip of a constant POSIX `sh`
//! script (`scripts/`), through [`Remote`]. Content travels on the script's standard input only, and
//! reaches no other file than the target's own temporary beside it.
//!
//! On a node, below the service user's home and private to it:
//!
//! ```text
//! .windlass/runs/RUN/saved/KEY/N/   what was there before the run changed it
//! .windlass/runs/RUN/swaps/SET      the note of a swap, written before its first rename
//! .windlass/lease/token             read, never written: a differing token refuses every change
//! ```

mod error;
mod look;
mod save;
mod script;
mod swap;
mod write;

#[cfg(test)]
mod tests;

pub use error::{Attempt, FilesError, Problem};
pub use save::{Kind, SAVE_LIMIT, Saved, Target};
pub use swap::{Staged, SwapState};

use super::remote::Remote;
use crate::model::{FileName, NodeName, RunId};
use std::time::Duration;

/// The largest file that is read to the controller, bytes.
pub const READ_LIMIT: u64 = 1024 * 1024;

/// For one small file; a node that takes longer is not well.
const SHORT: Duration = Duration::from_secs(30);
/// For copying whole folders, and for a `sync` that has to wait for a busy disk.
const LONG: Duration = Duration::from_secs(120);

/// A declared file, bound to a path of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFile {
    pub name: FileName,
    /// Absolute, normalised, without control characters.
    pub path: String,
    /// None: what the file has; for a new one 0600 if secret, else 0644.
    pub mode: Option<u32>,
    /// `user` or `user:group`. None: what the file has.
    pub owner: Option<String>,
    pub secret: bool,
    /// Its bytes could be guessed from a hash, so none is handed out.
    pub guessable: bool,
    pub read_only: bool,
}

/// The files of one node, as one run works on them.
pub struct NodeFiles<'a, R> {
    pub remote: &'a R,
    pub node: &'a NodeName,
    /// The service user, in whose home Windlass keeps its own files.
    pub user: &'a str,
    pub run: &'a RunId,
    /// The run's token of the node's lease; none where the node carries no lease.
    pub token: Option<u64>,
}

impl<R> NodeFiles<'_, R> {
    /// The token as the lease's file has it; a run without one is fenced by any.
    fn token(&self) -> String {
        self.token.map(|token| token.to_string()).unwrap_or_default()
    }
}
