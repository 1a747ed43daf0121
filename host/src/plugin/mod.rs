//! Plugins: sandboxed components, and the only room that knows wasmtime.
//!
//! A component is checked before anything of it is compiled (`manifest`, `inspect`), read for those who review it
//! (`anatomy`), compiled by the one
//! engine (`engine`) or taken from an image (`bundle`, `cache`), and each of its exports is called in a
//! fresh instance under limits (`component`, `call`); an audit runs it so that it can be said what of its code ran
//! (`coverage`). A script is the argument of its language's engine (`script`),
//! and what such engines need of WASI is closed or virtual (`wasi`). What a guest asks of the host becomes one
//! [`Effect`](crate::model::Effect) in `adapters` and leaves this room through [`CallPath`]: whether it
//! happens, and how, is decided on the other side. Types made from the contract stop at `bindings`.

mod adapters;
mod anatomy;
mod bindings;
pub mod bundle;
pub mod cache;
mod call;
mod component;
mod convert;
mod coverage;
mod engine;
mod error;
mod inspect;
pub mod manifest;
mod script;
mod types;
mod wasi;

#[cfg(test)]
pub(crate) mod tests;

pub use anatomy::{Anatomy, Imported, anatomy};
pub use component::Plugin;
pub use engine::{Engine, Limits, Profile, engine};
pub use error::{PluginError, Whose};
pub use inspect::{API_VERSION, api_series, sha256};
pub use manifest::{Kind, Manifest, ManifestError, Need};
pub use script::{LARGEST_SCRIPT, Language, Script, ScriptEngine, manifest_of};
pub use types::{CallPath, Description, HookAnswer, HookDescription, HookEvent, Parameter, Performed, Usage};
