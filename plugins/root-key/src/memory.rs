//! What one step leaves for the next, besides what every procedure of key sets remembers.

pub use key_sets::memory::{BEFORE, IMPACT, expect, is_marked, keep, mark};

/// The version that was primary before the run.
pub const OLD_VERSION: &str = "old-version";
/// The cluster was told to stop, and had been running.
pub const STOP_ASKED: &str = "stop-asked";
/// The cluster was told to start with the new key: what it stores from then on is sealed under it.
pub const START_ASKED: &str = "start-asked";
