//! `site.toml`, `grants.toml` and profiles → a validated [`Site`].
//!
//! Neighbours: `cli` loads a site through here; `policy`, `capability` and `run` read the types.

mod types;

pub use types::*;
