//! `windlass.lock`: the files that were installed in a site, plugins and profiles of its own, by digest, with what was
//! accepted of each. `windlass plugin install` writes it; it is read before any of them is loaded.

use super::together::Together;
use crate::model::{PluginName, TOO_DEEP, nests_too_deeply};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::TryLockError;

pub const LOCK_FILE: &str = "windlass.lock";
/// 1 had no profiles.
const FORMAT: u32 = 2;
const LONGEST: u64 = 1 << 20;
const HEAD: &str = "# Written by `windlass plugin install`, `update` and `remove`. Unless the site says trust = \"dev\", what is\n\
                    # not in here does not load, and neither does a file of other bytes.\n\n";

/// What a profile is called where a plugin says `procedure` or `hook`.
pub const PROFILE: &str = "profile";

/// What was accepted: patterns by the key that they stand under.
pub type LockedNeeds = BTreeMap<String, BTreeSet<String>>;

/// Every plugin and profile that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Locked>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<LockedProfile>,
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
    /// Where it was installed from: of the site's folder, or of this machine.
    pub source: String,
    /// Who had signed it then, to be read; whether that counts is judged at each load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    #[serde(default)]
    pub needs: LockedNeeds,
}

/// One of the site's own profiles, as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedProfile {
    pub name: PluginName,
    pub file: Utf8PathBuf,
    pub sha256: String,
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// What both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedFile<'a> {
    /// `procedure`, `hook` or `profile`.
    pub kind: &'a str,
    pub name: &'a PluginName,
    pub file: &'a Utf8Path,
    pub sha256: &'a str,
    pub source: &'a str,
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
    #[error("another windlass is changing what is installed in {site}")]
    Busy { site: Utf8PathBuf },
}

/// Keeps any other windlass from changing what is installed in a site, from before the lock is read until this is
/// dropped, or its process ends.
#[derive(Debug)]
pub struct Installing {
    /// The site's folder itself: a file for it would be one that people find and wonder about.
    _folder: std::fs::File,
}

impl Installing {
    pub fn begin(site: &Utf8Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { action: "locked", path: site.to_owned(), source };
        let folder = std::fs::File::open(site).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(LockError::Busy { site: site.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { format: FORMAT, plugins: Vec::new(), profiles: Vec::new() }
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
        Self::parse(&text).map_err(|error| match error {
            Unread::Newer(found) => LockError::Newer { path: path.clone(), found },
            Unread::Damaged(why) => damaged(why),
        })
    }

    /// Reads a lock's text, in a site or in a bundle.
    pub(super) fn parse(text: &str) -> Result<Self, Unread> {
        let damaged = |error: toml::de::Error| Unread::Damaged(error.to_string().trim().replace('\n', " "));
        if nests_too_deeply(text) {
            return Err(Unread::Damaged(TOO_DEEP.into()));
        }
        // The format first: a newer one may have keys that this windlass does not know.
        let value: toml::Table = toml::from_str(text).map_err(damaged)?;
        match value.get("format").and_then(toml::Value::as_integer).and_then(|n| u32::try_from(n).ok()) {
            Some(found) if found > FORMAT => return Err(Unread::Newer(found)),
            Some(1..=FORMAT) => {}
            _ => return Err(Unread::Damaged("it does not say its format".into())),
        }
        let mut lock: Self = toml::from_str(text).map_err(damaged)?;
        lock.format = FORMAT;
        if let Some(locked) = lock.plugins.iter().find(|locked| locked.kind == PROFILE) {
            return Err(Unread::Damaged(format!("the profile {} stands among the plugins", locked.name)));
        }
        let mut names = BTreeSet::new();
        for entry in lock.files() {
            if !names.insert((entry.kind, entry.name)) {
                return Err(Unread::Damaged(format!("the {} {} is in it twice", entry.kind, entry.name)));
            }
            // What stands there is written to, and removed.
            if !in_place(entry.kind, entry.name, entry.file) {
                let (kind, name, file) = (entry.kind, entry.name, entry.file);
                return Err(Unread::Damaged(format!("{file:?} is no place for the {kind} {name}")));
            }
        }
        Ok(lock)
    }

    /// Writes the lock of a site, at once.
    pub fn write(&self, site: &Utf8Path) -> Result<(), LockError> {
        let mut files = Together::default();
        files.write(site.join(LOCK_FILE), self.text()?.as_bytes())?;
        files.commit()
    }

    /// The lock as it is written; of equal locks the same text.
    pub fn text(&self) -> Result<String, LockError> {
        let text = toml::to_string(self)
            .map_err(|error| LockError::Damaged { path: LOCK_FILE.into(), why: error.to_string() })?;
        Ok(format!("{HEAD}{text}"))
    }

    /// Every file: plugins, then profiles.
    pub fn files(&self) -> impl Iterator<Item = LockedFile<'_>> {
        let plugins = self.plugins.iter().map(|locked| LockedFile {
            kind: &locked.kind,
            name: &locked.name,
            file: &locked.file,
            sha256: &locked.sha256,
            source: &locked.source,
        });
        let profiles = self.profiles.iter().map(|locked| LockedFile {
            kind: PROFILE,
            name: &locked.name,
            file: &locked.file,
            sha256: &locked.sha256,
            source: &locked.source,
        });
        plugins.chain(profiles)
    }

    pub fn file(&self, kind: &str, name: &PluginName) -> Option<LockedFile<'_>> {
        self.files().find(|locked| locked.kind == kind && locked.name == name)
    }

    pub fn find(&self, kind: &str, name: &PluginName) -> Option<&Locked> {
        self.plugins.iter().find(|locked| locked.kind == kind && locked.name == *name)
    }

    /// Takes a plugin in, in the place of an older one; in the order of names.
    pub fn put(&mut self, locked: Locked) {
        self.remove(&locked.kind.clone(), &locked.name.clone());
        self.plugins.push(locked);
        self.plugins.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    }

    /// The same of a profile.
    pub fn put_profile(&mut self, locked: LockedProfile) {
        self.remove(PROFILE, &locked.name.clone());
        self.profiles.push(locked);
        self.profiles.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// Takes an entry out, and returns the file that it is of.
    pub fn remove(&mut self, kind: &str, name: &PluginName) -> Option<Utf8PathBuf> {
        let file = self.file(kind, name)?.file.to_owned();
        self.plugins.retain(|locked| locked.kind != kind || locked.name != *name);
        self.profiles.retain(|locked| kind != PROFILE || locked.name != *name);
        Some(file)
    }
}

/// Why a lock's text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    Newer(u32),
    Damaged(String),
}

/// The folder of a site that files of a kind lie in.
pub fn folder_of(kind: &str) -> Option<&'static str> {
    match kind {
        "hook" => Some("hooks"),
        "procedure" => Some("plugins"),
        PROFILE => Some("profiles"),
        _ => None,
    }
}

/// Whether a file is `FOLDER/NAME.ENDING`, and so leads nowhere else. Which endings are loaded is not the lock's to say.
fn in_place(kind: &str, name: &PluginName, file: &Utf8Path) -> bool {
    let ending = folder_of(kind)
        .and_then(|folder| file.as_str().strip_prefix(folder)?.strip_prefix('/'))
        .and_then(|rest| rest.strip_prefix(name.as_str())?.strip_prefix('.'));
    ending.is_some_and(|ending| {
        (1..=8).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && ending != "sig"
            && (kind != PROFILE || ending == "toml")
    })
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
            signed_by: None,
            needs: [("general".to_owned(), ["clock".to_owned()].into())].into(),
        }
    }

    fn profile(name: &str) -> LockedProfile {
        LockedProfile {
            name: PluginName::new(name).unwrap(),
            file: format!("profiles/{name}.toml").into(),
            sha256: "cd".repeat(32),
            source: "/tmp/x.toml".into(),
            signed_by: Some("alice".into()),
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
        lock.put_profile(profile("own"));
        lock.write(site).unwrap();
        assert_eq!(Lock::read(site).unwrap(), lock);
        let name = |name| PluginName::new(name).unwrap();
        assert_eq!(lock.find("hook", &name("b")).map(|locked| locked.version.as_str()), Some("2.0.0"));
        assert_eq!(lock.find("procedure", &name("b")), None);
        let places: Vec<_> = lock.files().map(|entry| (entry.kind, entry.file.as_str())).collect();
        assert_eq!(
            places,
            [("hook", "hooks/a.wasm"), ("hook", "hooks/b.wasm"), ("profile", "profiles/own.toml")]
        );
        assert!(lock.remove("hook", &name("a")).is_some() && lock.remove("hook", &name("a")).is_none());
        // A hook and a profile may have one name.
        assert!(lock.remove("hook", &name("own")).is_none() && lock.remove(PROFILE, &name("own")).is_some());
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
            ("format = 3\nnew = true\n".into(), "newer"),
            ("format = 0\n".into(), "format"),
            ("format = -1\n".into(), "format"),
            ("format = \n".into(), "not a lock"),
            (good.replace("version = ", "vers = "), "not a lock"),
            (good.replace("name = \"a\"", "name = \"../a\""), "not a lock"),
            (good.replace("hooks/a.wasm", "hooks/../a.wasm"), "no place for the hook a"),
            (good.replace("hooks/a.wasm", "hooks/b.wasm"), "no place for the hook a"),
            (good.replace("hooks/a.wasm", "plugins/a.wasm"), "no place for the hook a"),
            (good.replace("hooks/a.wasm", "/hooks/a.wasm"), "no place for the hook a"),
            (good.replace("hooks/a.wasm", "hooks/a.wasm/b"), "no place for the hook a"),
            (good.replace("hooks/a.wasm", "hooks/a.sig"), "no place for the hook a"),
            (good.replace("kind = \"hook\"", "kind = \"profile\""), "among the plugins"),
            (format!("{good}\n[[plugins]]{entry}"), "twice"),
            (good.replace("clock", &"x".repeat(1 << 20)), "1 MiB"),
        ] {
            std::fs::write(site.join(LOCK_FILE), text).unwrap();
            let error = Lock::read(site).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(LOCK_FILE), "{says}: {error}");
        }
        // What an older one wrote is read.
        std::fs::write(site.join(LOCK_FILE), good.replace("format = 2", "format = 1")).unwrap();
        assert_eq!(Lock::read(site).unwrap(), lock);
    }
}
