//! What the host can do for a plugin: one module a capability, and no wasm types in any.

pub mod crypto;
pub mod secrets;
pub mod files;
pub mod nodes;
pub mod remote;
#[cfg(test)]
mod testing;
