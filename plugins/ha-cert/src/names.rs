//! The names that this procedure and the profile agree on, and those of its objects of the run.

use windlass_sdk::run::{Certificate, Key, Secret, StagedSet};

/// Files of the certHA folder: what both nodes trust and present.
pub const ROOT_CERT: &str = "ha-root-cert";
pub const ROOT_KEY: &str = "ha-root-key";
pub const LEAF_CERT: &str = "ha-leaf-cert";
pub const LEAF_KEY: &str = "ha-leaf-key";
/// How the service learns its key's password, where the profile declares it.
pub const KEY_PASSWORD: &str = "ha-key-password";

/// The pair that the product's generator leaves in its own folder.
pub const GENERATED_CERT: &str = "ha-new-root-cert";
pub const GENERATED_KEY: &str = "ha-new-root-key";

/// Commands.
pub const GENERATE: &str = "generate-ha-root";
pub const REPLACE: &str = "replace-ha-cert";
pub const RESTART: &str = "restart-ha";

/// The endpoint that presents the leaf.
pub const ENDPOINT: &str = "ha";

/// Objects of the run.
pub const NEW_ROOT: Certificate = Certificate::named("new-root");
pub const NEW_ROOT_KEY: Key = Key::named("new-root-key");
/// The password of the root key, and of the leaf's key: the product uses one for both.
pub const PASSWORD: Secret = Secret::named("ha-key");
/// The code of a fault of preflight: nothing was changed, and the run is not begun.
pub const PREFLIGHT: &str = "preflight";
/// The code of a fault of undo: going back is not right any more, and nothing was taken back.
pub const NO_WAY_BACK: &str = "no-way-back";
/// The staged set of the new root's two files.
pub const ROOT_SET: StagedSet = StagedSet::named("new-root");
