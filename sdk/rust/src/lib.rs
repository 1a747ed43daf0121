//! Write Windlass plugins in Rust.
//!
//! A plugin has no files, sockets, clock or randomness of its own; it has the functions of [`host`], one for
//! each function of the contract in `wit/`. Each answers with a value or with a [`Fault`], which `?` passes on.
//! A guest must not panic: a panic is a trap, and a trap tells the operator nothing.
//!
//! ```
//! use windlass_sdk::{Fault, node};
//!
//! fn restart(name: &str) -> Result<(), Fault> {
//!     let outcome = node(name).run("restart-ha").call()?;
//!     if outcome.succeeded {
//!         return Ok(());
//!     }
//!     Err(Fault::failed(format!("restart-ha on {name}: {}", outcome.reason)))
//! }
//! # let _ = restart;
//! ```
//!
//! Keys, certificates, secrets and staged sets are objects of the [`run`], by name.
//!
//! A procedure implements [`Procedure`] and ends its `lib.rs` with `export_procedure!(Type)`; a hook implements
//! [`Hook`] and ends with `export_hook!(Type)`. Both are built for `wasm32-unknown-unknown`. Built for any other
//! target, the same functions call a [`mock`] host that a test installs, so a plugin's tests are ordinary tests.

#[doc(hidden)]
pub mod bindings;

pub mod hook;
pub mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
mod node;
mod parameters;
mod problems;
pub mod procedure;
mod records;
pub mod run;

pub use bindings::procedure::windlass::plugin::{
    cluster::HealthRecord,
    crypto::{Certificate, CertificateSource},
    files::{Content, EncryptedKey, FileStat, MemberDone, MemberFingerprint, SourceFile},
    keyring::{KeySet, Version},
    nodes::{Argument, Member, MemberOutcome, Outcome, QuarantinedNode, Value},
    types::{Entry, Fault},
};
pub use hook::Hook;
pub use node::{Command, Node, bound, node};
pub use parameters::Parameters;
pub use problems::{Problems, is_about_authority};
pub use procedure::Procedure;
