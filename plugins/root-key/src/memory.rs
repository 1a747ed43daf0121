//! What one step leaves for the next, besides what every procedure of key sets remembers.

pub use key_sets::memory::{BEFORE, IMPACT, expect, is_marked, keep, mark, recall};

/// The version that was primary before the run.
pub const OLD_VERSION: &str = "old-version";
/// The cluster was told to stop, and had been running.
pub const STOP_ASKED: &str = "stop-asked";
/// The cluster was told to start with the new key: what it stores from then on is sealed under it.
pub const START_ASKED: &str = "start-asked";
/// No node has a key set that is known of: what can be proven of one is not.
pub const UNSEEN: &str = "unseen";
/// What the product's script said, where that is all there is.
pub const UPDATE_SAID: &str = "update-said";
