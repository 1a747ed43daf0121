//! The one call path: gate → journal intent → act → journal outcome → answer.
//!
//! Every function a plugin imports ends in [`CallPath::perform`]. On resume the same path answers from
//! the journal, as long as the plugin asks for what it asked before.
//!
//! Neighbours: `plugin` calls it, `policy` gates, `journal` keeps, a `backend` acts.

mod each;
mod expected;
mod path;
mod replay;

pub use expected::Expected;
pub(crate) use path::journal_stop;
pub use path::{CallPath, Events, Interrupt, Limits, Surroundings};
pub use replay::{Past, PastChild, Replay};
