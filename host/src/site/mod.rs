//! `site.toml`, `grants.toml` and profiles → a validated [`Site`], or every mistake in them at once.
//!
//! `reader` and `field` are the cursor over TOML; `site_file` (with `inventory`), `grants_file`, `hooks`, `layer` and
//! `command` read one file or entry each; `scenario` reads those of rehearsals; `compose` lays profiles over each other; `check` judges the whole. `login` says
//! which environments nodes are asked for; `explain` says a declaration in words. `lock` is `windlass.lock`,
//! `bundle_file` one file that carries what is in it, `together` what is put in place at once.
//! Neighbours: `cli` loads a site through here; `policy`, `capability` and `run` read the types.

mod bundle_file;
mod bundled;
mod check;
mod command;
mod compose;
mod explain;
mod field;
mod grants_file;
mod hooks;
mod inventory;
mod layer;
mod load;
mod lock;
mod login;
mod mistake;
mod reader;
mod scenario;
mod site_file;
pub mod starter;
mod template;
mod together;
mod types;

#[cfg(test)]
mod tests;

pub use bundle_file::{BundleFile, BundleFileError};
pub use bundled::{AUTO, profile_names};
pub use explain::{Explanation, explain};
pub use grants_file::{CRYPTO, GENERAL, KEYRING, ROLES};
pub use hooks::{HOOK_FILES, HookFileError, file_of as hook_file};
pub use load::{Outline, ProfileHead, leaves_profile_open, profile_head};
pub use lock::{
    Installing, LOCK_FILE, Lock, LockError, Locked, LockedFile, LockedNeeds, LockedProfile, PROFILE,
    folder_of,
};
pub use login::vars_needed;
pub use mistake::{Mistake, Place, SiteErrors};
pub(crate) use mistake::{count, nearest};
pub use scenario::{
    Scenario, ScenarioErrors, ScenarioEvent, SimulatedAnswer, SimulatedCluster, SimulatedFile, SimulatedNode,
    SimulatedOperator,
};
pub use template::TemplateError;
pub use together::Together;
pub use types::*;
