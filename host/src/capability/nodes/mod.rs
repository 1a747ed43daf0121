//! Nodes and their named commands: what a name means on a node, and running it.
//!
//! `resolve` binds declarations of the profile to one node: variables, paths, arguments. `observe` runs
//! a command that only looks, `change` one that changes (as a job of `transport`), `http` a request of
//! the controller's own. `evaluate` is pure: it says whether what came back is the declared success,
//! and what of the output a guest may see. `recognise` tells which bundled profile the managers fit. Files themselves are `capability::files`' business.

mod change;
mod contexts;
mod error;
mod evaluate;
mod http;
mod observe;
mod recognise;
mod resolve;

pub use change::{JobKey, run_change};
pub use contexts::NodeContexts;
pub use error::NodesError;
pub use evaluate::{Ended, OUTPUT_LIMIT, is_unprintable, outcome, printable};
pub use http::request;
pub use observe::observe;
pub use recognise::{Looked, look_for, recognise};
pub use resolve::{
    ArgumentValue, NodeContext, RequestBody, ResolvedCommand, ResolvedPrompt, ResolvedRequest,
};

#[cfg(test)]
mod tests;
