//! What the procedures that change the cluster's key sets share: the nodes, the key sets on them, what one step
//! leaves for the next, and lists of many names.
//!
//! Nothing here holds a path, an argument vector or a key: files and commands go by name.

pub mod keys;
pub mod memory;
pub mod nodes;
pub mod words;

/// The profile's name of the cluster's key set.
pub const KEY: &str = "cluster-key";
/// What it was before a run, kept on both management nodes.
pub const BACKUP: &str = "cluster-key-backup";
