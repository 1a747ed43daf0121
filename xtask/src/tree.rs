//! Where things are: the repository, its target folder, cargo itself.

use crate::error::{Error, at};
use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Tree {
    /// The folder of the repository's `Cargo.toml`.
    pub root: PathBuf,
    /// The target folder, wherever cargo's configuration puts it.
    pub target: PathBuf,
}

impl Tree {
    /// Finds the repository that this xtask was started from.
    pub fn find() -> Result<Tree, Error> {
        // Read when run, not when compiled: the repository may have been moved since.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .ok_or_else(|| Error::Usage("start this as `cargo xtask`, inside the repository".into()))?;
        let root = Path::new(&manifest)
            .parent()
            .ok_or_else(|| Error::Usage("xtask's folder has no parent".into()))?
            .to_path_buf();
        let metadata = metadata(&root.join("Cargo.toml"))?;
        let target = text(&metadata, "target_directory")?.into();
        Ok(Tree { root, target })
    }

    /// Returns the folder that holds the finished components, one `<name>.wasm` each.
    pub fn components(&self) -> PathBuf {
        self.target.join("guests/components")
    }

    /// Returns where tools that the checks need are installed, so that nothing outside is touched.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Starts a `cargo` command in the repository, with the same cargo that runs this.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }
}

/// Starts a `cargo` command without what `cargo run` put into this process's environment: variables such as
/// `CARGO_PKG_NAME` would be taken for changed inputs by build scripts.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    command
}

/// Returns `cargo metadata` of one workspace, without its dependencies.
pub fn metadata(manifest: &Path) -> Result<serde_json::Value, Error> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]).arg(manifest);
    let answer = process::capture(&mut command)?;
    serde_json::from_str(&answer)
        .map_err(|error| Error::Answer { what: process::shown(&command), reason: error.to_string() })
}

/// Returns a text member of an object that cargo printed.
pub fn text<'a>(value: &'a serde_json::Value, key: &str) -> Result<&'a str, Error> {
    value
        .get(key)
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| Error::Answer { what: "cargo metadata".into(), reason: format!("no text {key:?}") })
}

/// Returns every file below a folder, sorted; links are not followed.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(at("read folder", &folder))? {
            let entry = entry.map_err(at("read folder", &folder))?;
            let kind = entry.file_type().map_err(at("look at", entry.path()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a file only where its bytes change, so that cargo does not rebuild what includes it.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at("create", folder))?;
    }
    std::fs::write(path, bytes).map_err(at("write", path))
}
