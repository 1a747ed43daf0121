//! Puts a run together: site, plugin, journal, connections; drives it; says how it ended.
//!
//! `start`, `again` and `close` are how a run begins, goes on and ends; `drive` opens what all of them need
//! and hands it to the machine of `run`; `ending` says how that came out. `plugins` finds the plugin and its
//! gate, `network` reaches nodes, `runs` finds runs by the beginning of their ids.

mod again;
mod ask;
mod close;
mod drive;
mod ending;
mod network;
mod parameters;
mod plugins;
mod runs;
mod show;
mod start;
mod verify;

pub use again::{Again, Difference, again};
pub use close::close;
pub use drive::LeaseArgs;
pub use ending::journal_error;
pub use network::{one_thread, site};
pub use runs::{find_run, newest_or, runs_dir};
pub use start::{Start, start};
pub use verify::{Verdict, beside};
