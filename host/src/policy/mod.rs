//! Grants: what a plugin asks for (needs), what the site allows it (grants), and the gate between.
//!
//! Deny by default. An effect is taken apart into *requirements*; each must be met by a pattern of the
//! plugin's needs and by one of the site's grants. Only [`Gate::check`] makes a [`Permit`], and only a
//! permit can be acted on, so an ungated effect does not compile.
//!
//! Neighbours: `effect` calls the gate, `backend` takes permits. Nothing here reaches a node.

mod envelope;
mod gate;
mod pattern;
mod requirement;

pub use envelope::{Bounds, Collecting, Names};
pub use gate::{Claim, Denial, Facts, Gate, Outside, Permit, claims};
pub use pattern::{Met, PatternError, Rules, UNCLEAR_ROLES};
pub use requirement::{Requirement, Verb};
