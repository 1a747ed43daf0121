//! From a declaration of the profile to one node: variables, paths, commands with their arguments.
//!
//! Nothing is guessed: a variable without a value is an error, never an empty string, and a value that
//! does not fit its placeholder's declaration is refused before any node hears of it.

mod arguments;
mod command;
mod context;

#[cfg(test)]
pub(super) mod tests;

pub use arguments::ArgumentValue;
pub(super) use command::{Encoding, encode};
pub use command::{RequestBody, ResolvedCommand, ResolvedPrompt, ResolvedRequest};
pub use context::NodeContext;
