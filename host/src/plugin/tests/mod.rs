//! The room's tests: guests made from text, hostile and not, and what is recorded of them.

mod bundle;
mod cache;
mod calls;
mod dependencies;
pub mod guest;
mod hostile;
mod lines;
mod manifest;
mod probe;
pub mod scripts;
