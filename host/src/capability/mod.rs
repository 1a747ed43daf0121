//! What the host can do for a plugin: one module a capability, and no wasm types in any.

pub mod cluster;
pub mod crypto;
pub mod files;
pub mod keyring;
pub mod nodes;
pub mod objects;
pub mod operator;
pub mod remote;
pub mod secrets;
#[cfg(test)]
mod testing;
