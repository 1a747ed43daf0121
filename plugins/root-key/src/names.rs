//! What the profile calls the files and commands, and what this procedure calls its objects.

pub use key_sets::{BACKUP, KEY};

/// Tells whether what depends on the cluster is stopped. The site's own; there may be none.
pub const APPLICATIONS: &str = "applications-stopped";
pub const STOP: &str = "stop-cluster";
pub const START: &str = "start-cluster";
/// They succeed where every service of a node is so, and say what each is.
pub const STOPPED: &str = "services-stopped";
pub const STARTED: &str = "services-started";
/// The product's script.
pub const UPDATE: &str = "update-root-key";
/// They keep a node from being started, and let it in again. There may be none.
pub const ISOLATE: &str = "isolate-node";
pub const JOIN: &str = "join-node";
/// Their placeholder.
pub const NODE: &str = "node";

/// The set that the new key set is staged in.
pub const NEW_KEY: &str = "new-key";
/// Sealed before the update, and after it.
pub const OLD_CANARY: &str = "old-canary";
pub const NEW_CANARY: &str = "new-canary";
