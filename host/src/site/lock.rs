//! `windlass.lock`: the files that were installed as plugins of a site, by digest, with what was accepted of each.
//! `windlass plugin install` writes it; it is read before any of them is loaded.

use crate::model::PluginName;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

pub const LOCK_FILE: &str = "windlass.lock";
const FORMAT: u32 = 1;
const LONGEST: u64 = 1 << 20;
const HEAD: &str = "# Written by `windlass plugin install` and `remove`. Where the site says trust = \"locked\", what is not in here\n\
                    # does not load, and neither does a file of other bytes.\n\n";

/// What was accepted: patterns by the key that they stand under.
pub type LockedNeeds = BTreeMap<String, BTreeSet<String>>;

/// Every plugin that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    #[serde(default)]
    pub plugins: Vec<Locked>,
}

/// One plugin, as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: PluginName,
    /// `procedure` or `hook`.
    pub kind: String,
    /// Relative to the site.
    pub file: Utf8PathBuf,
    /// Of the file, lower-case hex.
    pub sha256: String,
    /// The plugin's own.
    pub version: String,
    /// Of the contract.
    pub api: String,
    /// Where it was installed from.
    pub source: String,
    #[serde(default)]
    pub needs: LockedNeeds,
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{path} cannot be {action}")]
    Io { action: &'static str, path: Utf8PathBuf, source: std::io::Error },
    #[error("{path} is not a lock that windlass wrote: {why}")]
    Damaged { path: Utf8PathBuf, why: String },
    #[error("{path} has format {found}, and this windlass reads format {FORMAT}: use a newer one")]
    Newer { path: Utf8PathBuf, found: u32 },
}

impl Default for Lock {
    fn default() -> Self {
        Self { format: FORMAT, plugins: Vec::new() }
    }
}

impl Lock {
    /// Reads the lock of a site; an empty one where there is none.
    pub fn read(site: &Utf8Path) -> Result<Self, LockError> {
        let path = site.join(LOCK_FILE);
        let damaged = |why: String| LockError::Damaged { path: path.clone(), why };
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LockError::Io { action: "read", path, source }),
        };
        if !metadata.is_file() || metadata.len() > LONGEST {
            return Err(damaged("it is no file, or longer than 1 MiB".into()));
        }
        let text = std::fs::read_to_string(&path).map_err(|source| LockError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        // The format first: a newer one may have keys that this windlass does not know.
        let value: toml::Table =
            toml::from_str(&text).map_err(|error| damaged(error.to_string().trim().replace('\n', " ")))?;
        match value.get("format").and_then(toml::Value::as_integer).and_then(|n| u32::try_from(n).ok()) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(LockError::Newer { path, found }),
            _ => return Err(damaged("it does not say its format".into())),
        }
        let lock: Self =
            toml::from_str(&text).map_err(|error| damaged(error.to_string().trim().replace('\n', " ")))?;
        let mut names = BTreeSet::new();
        match lock.plugins.iter().find(|locked| !names.insert((&locked.kind, &locked.name))) {
            Some(twice) => Err(damaged(format!("the {} {} is in it twice", twice.kind, twice.name))),
            None => Ok(lock),
        }
    }

    /// Writes the lock of a site, at once.
    pub fn write(&self, site: &Utf8Path) -> Result<(), LockError> {
        let path = site.join(LOCK_FILE);
        let text = toml::to_string(self)
            .map_err(|error| LockError::Damaged { path: path.clone(), why: error.to_string() })?;
        replace(&path, format!("{HEAD}{text}").as_bytes())
    }

    pub fn find(&self, kind: &str, name: &PluginName) -> Option<&Locked> {
        self.plugins.iter().find(|locked| locked.kind == kind && locked.name == *name)
    }

    /// Takes a plugin in, in the place of an older one; in the order of names.
    pub fn put(&mut self, locked: Locked) {
        self.remove(&locked.kind, &locked.name);
        self.plugins.push(locked);
        self.plugins.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    }

    pub fn remove(&mut self, kind: &str, name: &PluginName) -> Option<Locked> {
        let at = self.plugins.iter().position(|locked| locked.kind == kind && locked.name == *name)?;
        Some(self.plugins.remove(at))
    }
}

/// Puts a file in its place whole, or not at all; readable for everybody.
pub fn replace(path: &Utf8Path, bytes: &[u8]) -> Result<(), LockError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| LockError::Io { action: "written", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str) -> Locked {
        Locked {
            name: PluginName::new(name).unwrap(),
            kind: "hook".into(),
            file: format!("hooks/{name}.wasm").into(),
            sha256: "ab".repeat(32),
            version: "1.0.0".into(),
            api: "0.1".into(),
            source: "/tmp/x.wasm".into(),
            needs: [("general".to_owned(), ["clock".to_owned()].into())].into(),
        }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written_and_an_absent_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let site = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(Lock::read(site).unwrap(), Lock::default());
        let mut lock = Lock::default();
        lock.put(locked("b"));
        lock.put(locked("a"));
        lock.put(Locked { version: "2.0.0".into(), ..locked("b") });
        lock.write(site).unwrap();
        assert_eq!(Lock::read(site).unwrap(), lock);
        let name = |name| PluginName::new(name).unwrap();
        assert_eq!(lock.find("hook", &name("b")).map(|locked| locked.version.as_str()), Some("2.0.0"));
        assert_eq!(lock.find("procedure", &name("b")), None);
        assert!(lock.remove("hook", &name("a")).is_some() && lock.remove("hook", &name("a")).is_none());
    }

    #[test]
    fn what_windlass_did_not_write_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let site = Utf8Path::from_path(folder.path()).unwrap();
        let mut lock = Lock::default();
        lock.put(locked("a"));
        lock.write(site).unwrap();
        let good = std::fs::read_to_string(site.join(LOCK_FILE)).unwrap();
        let entry = good.split_once("[[plugins]]").unwrap().1;
        for (text, says) in [
            (String::new(), "format"),
            ("format = 1\nplugin = []\n".into(), "plugin"),
            ("format = 2\nnew = true\n".into(), "newer"),
            ("format = \n".into(), "not a lock"),
            (good.replace("version = ", "vers = "), "not a lock"),
            (good.replace("name = \"a\"", "name = \"../a\""), "not a lock"),
            (format!("{good}\n[[plugins]]{entry}"), "twice"),
            (good.replace("clock", &"x".repeat(1 << 20)), "1 MiB"),
        ] {
            std::fs::write(site.join(LOCK_FILE), text).unwrap();
            let error = Lock::read(site).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(LOCK_FILE), "{says}: {error}");
        }
    }
}
