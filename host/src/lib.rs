//! Windlass: a WebAssembly component host that rotates the certificates and keys of a running cluster.
//!
//! Everything a plugin does is an effect through one path: gate → journal → act → record (`effect`).
//! Data flows one way: cli → run → plugin → gate → capability → transport. ARCHITECTURE.md is the map.

pub mod approval;
pub mod audit;
pub mod backend;
pub mod capability;
pub mod cli;
pub mod effect;
mod fuse;
pub mod journal;
pub mod lab;
pub mod model;
pub mod plugin;
pub mod policy;
pub mod report;
pub mod run;
pub mod site;
pub mod transport;
