//! A bundle: one file that carries plugins, profiles, their signatures, the records of their audits and their entries of the lock, for a site that
//! reaches no network.
//!
//! It is a tar archive of plain files, so that `tar tf` shows what is in it: `bundle.toml` first, which has the digest
//! of each of the others, then `windlass.lock`, then the files by name. Of the same files it has the same bytes, and
//! what differs in any byte from what is written here is refused: links, other folders, trailing bytes and all that an
//! archive could hold besides never need to be understood.

use super::lock::{LOCK_FILE, Lock, LockError, Unread};
use crate::model::{TOO_DEEP, hex, nests_too_deeply};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read as _;

const INDEX: &str = "bundle.toml";
const FORMAT: u32 = 1;
/// More files than any site has.
const MOST: usize = 4096;
/// Where a tar archive says that it is one.
const MAGIC: (usize, &[u8]) = (257, b"ustar");

/// What a bundle carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// An entry for each file.
    pub lock: Lock,
    /// By their places in a site; signatures and records of audits too.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why bytes are no bundle, or why one cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFileError {
    #[error("it is no bundle as `windlass plugin bundle` writes it: {0}")]
    Not(String),
    #[error("it has format {0}, and this windlass reads format {FORMAT}: use a newer one")]
    Newer(u32),
    #[error("{0} is not what its entry in the bundle's lock says")]
    Differs(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    files: Vec<Indexed>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Indexed {
    path: String,
    bytes: usize,
    sha256: String,
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn not(why: impl Into<String>) -> BundleFileError {
    BundleFileError::Not(why.into())
}

impl BundleFile {
    /// The longest that is read.
    pub const LARGEST: usize = 256 << 20;

    /// Whether bytes look like a bundle, and not like a component, a script or a profile.
    pub fn looks_like_one(bytes: &[u8]) -> bool {
        bytes.get(MAGIC.0..MAGIC.0 + MAGIC.1.len()) == Some(MAGIC.1)
    }

    /// Reads a bundle, and believes nothing of it that does not agree with all the rest.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleFileError> {
        let mut entries = read_entries(bytes)?.into_iter();
        let index = match entries.next() {
            Some((path, text)) if path == INDEX => read_index(&text)?,
            _ => return Err(not(format!("it does not begin with {INDEX}"))),
        };
        let entries: Vec<_> = entries.collect();
        if entries.len() != index.files.len() {
            return Err(not(format!(
                "{INDEX} names {} files, and it has {}",
                index.files.len(),
                entries.len()
            )));
        }
        for ((path, content), indexed) in entries.iter().zip(&index.files) {
            if *path != indexed.path || content.len() != indexed.bytes || sha256(content) != indexed.sha256 {
                return Err(not(format!("{path} is not as {INDEX} says")));
            }
        }
        let mut entries = entries.into_iter();
        let lock = match entries.next() {
            Some((path, text)) if path == LOCK_FILE => read_lock(&text)?,
            _ => return Err(not(format!("{LOCK_FILE} does not follow {INDEX}"))),
        };
        let bundle = Self { lock, files: entries.collect() };
        bundle.check()?;
        match bundle.encode()? == bytes {
            true => Ok(bundle),
            false => Err(not("bytes between its files or behind them differ")),
        }
    }

    /// Returns the bundle as bytes.
    pub fn encode(&self) -> Result<Vec<u8>, BundleFileError> {
        self.check()?;
        let lock = self.lock.text().map_err(|error: LockError| not(error.to_string()))?.into_bytes();
        let files: Vec<(&str, &[u8])> = [(LOCK_FILE, lock.as_slice())]
            .into_iter()
            .chain(self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))
            .collect();
        let indexed = |(path, bytes): &(&str, &[u8])| Indexed {
            path: (*path).to_owned(),
            bytes: bytes.len(),
            sha256: sha256(bytes),
        };
        let index = Index { format: FORMAT, files: files.iter().map(indexed).collect() };
        let index = toml::to_string(&index).map_err(|error| not(error.to_string()))?;
        let mut archive = tar::Builder::new(Vec::new());
        let failed =
            |path: &str, error: std::io::Error| not(format!("{path} cannot be put into it: {error}"));
        for (path, bytes) in [(INDEX, index.as_bytes())].into_iter().chain(files) {
            let mut header = tar::Header::new_ustar();
            // The longest name of a plugin, its folder and its ending are more than the format holds.
            header.set_path(path).map_err(|error| failed(path, error))?;
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            archive.append(&header, bytes).map_err(|error| failed(path, error))?;
        }
        archive.into_inner().map_err(|error| failed(INDEX, error))
    }

    /// Each entry of the lock has its file, of its bytes, and no other file is there but a signature or a record of one.
    fn check(&self) -> Result<(), BundleFileError> {
        let mut known = Vec::new();
        for entry in self.lock.files() {
            let file = entry.file.as_str();
            let bytes = self.files.get(file).ok_or_else(|| not(format!("{file} is in its lock alone")))?;
            if sha256(bytes) != entry.sha256 {
                return Err(BundleFileError::Differs(file.to_owned()));
            }
            known.push(file);
        }
        let is_plugin = |file: &str| self.lock.plugins.iter().any(|locked| locked.file == file);
        let lost = self.files.keys().find(|path| {
            let of = path.strip_suffix(".sig").unwrap_or(path);
            // The record of a plugin's audit is signed as its file is, and no signature is of nothing.
            let is_record = of.strip_suffix(".audit").is_some_and(is_plugin) && self.files.contains_key(of);
            !known.contains(&of) && !is_record
        });
        match (lost, known.is_empty()) {
            (Some(path), _) => Err(not(format!("{path:?} is no file of its lock"))),
            (None, true) => Err(not("it carries nothing")),
            (None, false) => Ok(()),
        }
    }
}

/// Path and content of each, as they follow each other.
fn read_entries(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, BundleFileError> {
    if bytes.len() > BundleFile::LARGEST {
        return Err(not(format!("it is longer than {} MiB", BundleFile::LARGEST >> 20)));
    }
    let unread = |error: std::io::Error| not(error.to_string());
    let mut archive = tar::Archive::new(bytes);
    let mut entries = Vec::new();
    // Raw: nothing of the format's extensions is followed. They are no plain files, and refused as such.
    for entry in archive.entries().map_err(unread)?.raw(true) {
        let mut entry = entry.map_err(unread)?;
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| not("a name in it is not UTF-8"))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(not(format!("{path:?} in it is no plain file")));
        }
        if entries.len() == MOST || entries.iter().any(|(known, _)| *known == path) {
            return Err(not(format!("it has {path:?} twice, or more than {MOST} files")));
        }
        // No more than the bundle has: what a header says beyond that is cut short, and found to differ.
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(unread)?;
        entries.push((path, content));
    }
    Ok(entries)
}

fn text(bytes: &[u8], what: &str) -> Result<String, BundleFileError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| not(format!("{what} is not UTF-8")))
}

fn read_index(bytes: &[u8]) -> Result<Index, BundleFileError> {
    let text = text(bytes, INDEX)?;
    let wrong = |error: toml::de::Error| not(format!("{INDEX}: {}", error.message()));
    if nests_too_deeply(&text) {
        return Err(not(format!("{INDEX}: {TOO_DEEP}")));
    }
    // The format first: a newer one may have keys that this windlass does not know.
    let value: toml::Table = toml::from_str(&text).map_err(wrong)?;
    match value.get("format").and_then(toml::Value::as_integer).and_then(|n| u32::try_from(n).ok()) {
        Some(FORMAT) => toml::from_str(&text).map_err(wrong),
        Some(found) if found > FORMAT => Err(BundleFileError::Newer(found)),
        _ => Err(not(format!("{INDEX} does not say its format"))),
    }
}

fn read_lock(bytes: &[u8]) -> Result<Lock, BundleFileError> {
    Lock::parse(&text(bytes, LOCK_FILE)?).map_err(|error| match error {
        Unread::Newer(found) => not(format!("its lock has format {found}: use a newer windlass")),
        Unread::Damaged(why) => not(format!("its lock: {why}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PluginName;
    use crate::site::{Locked, LockedProfile};

    fn bundle() -> BundleFile {
        let (hook, profile) = (b"a component".to_vec(), b"title = \"own\"\n".to_vec());
        let mut lock = Lock::default();
        lock.put(Locked {
            name: PluginName::new("window").unwrap(),
            kind: "hook".into(),
            file: "hooks/window.py".into(),
            sha256: sha256(&hook),
            version: "1.0.0".into(),
            api: "0.1".into(),
            source: "hooks/window.py".into(),
            signed_by: None,
            needs: [("general".to_owned(), ["clock".to_owned()].into())].into(),
        });
        lock.put_profile(LockedProfile {
            name: PluginName::new("own").unwrap(),
            file: "profiles/own.toml".into(),
            sha256: sha256(&profile),
            source: "profiles/own.toml".into(),
            signed_by: None,
        });
        let files = [
            ("hooks/window.py", hook),
            ("hooks/window.py.sig", b"a signature".to_vec()),
            ("hooks/window.py.audit", b"a record".to_vec()),
            ("hooks/window.py.audit.sig", b"its signature".to_vec()),
            ("profiles/own.toml", profile),
        ];
        BundleFile { lock, files: files.map(|(path, bytes)| (path.to_owned(), bytes)).into() }
    }

    /// An archive of these entries, with whatever headers.
    fn archive(entries: &[(tar::Header, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (header, bytes) in entries {
            archive.append(header, *bytes).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn header(path: &str, size: usize, kind: tar::EntryType) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        // As an attacker would: the crate's own way refuses `..`.
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        header
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written_and_always_has_the_same_bytes() {
        let bytes = bundle().encode().unwrap();
        assert!(BundleFile::looks_like_one(&bytes) && !BundleFile::looks_like_one(b"\0asm"));
        assert_eq!(BundleFile::parse(&bytes).unwrap(), bundle());
        assert_eq!(bundle().encode().unwrap(), bytes);
    }

    #[test]
    fn a_change_of_any_byte_is_refused_and_so_is_any_end() {
        let bytes = bundle().encode().unwrap();
        for at in 0..bytes.len() {
            for change in [0x01, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                assert!(BundleFile::parse(&changed).is_err(), "byte {at} changed by {change:#x} is taken");
            }
        }
        for end in (0..bytes.len()).step_by(64).chain(bytes.len() - 2..bytes.len()) {
            assert!(BundleFile::parse(&bytes[..end]).is_err(), "its first {end} bytes are taken");
        }
        for more in [&b"\0"[..], &[0; 512], &[0; 1024], b"more"] {
            assert!(BundleFile::parse(&[&bytes[..], more].concat()).is_err(), "{} more bytes", more.len());
        }
        assert!(BundleFile::parse(&[&bytes[..], &bytes[..]].concat()).is_err(), "two in one");
    }

    #[test]
    fn what_an_archive_could_hold_besides_is_refused() {
        use tar::EntryType::{
            Char, Directory, Fifo, GNULongName, GNUSparse, Link, Regular, Symlink, XHeader,
        };
        let index = "format = 1\nfiles = []\n";
        let first = || (header(INDEX, index.len(), Regular), index.as_bytes());
        for kind in [Symlink, Link, Directory, Fifo, Char, GNULongName, GNUSparse, XHeader] {
            let bytes = archive(&[first(), (header("hooks/x.wasm", 0, kind), b"")]);
            let error = BundleFile::parse(&bytes).unwrap_err().to_string();
            assert!(error.contains("no plain file"), "{kind:?}: {error}");
        }
        let twice = archive(&[first(), (header("x", 1, Regular), b"x"), (header("x", 1, Regular), b"x")]);
        assert!(BundleFile::parse(&twice).unwrap_err().to_string().contains("twice"));
        let newer = "format = 2\nnew = true\n";
        let newer = archive(&[(header(INDEX, newer.len(), Regular), newer.as_bytes())]);
        assert_eq!(BundleFile::parse(&newer), Err(BundleFileError::Newer(2)));
        // A header that promises more than there is.
        assert!(BundleFile::parse(&archive(&[(header(INDEX, 1 << 40, Regular), b"")])).is_err());
    }

    #[test]
    fn files_that_are_not_the_locks_are_neither_written_nor_read() {
        for (path, says) in [
            ("../escape", "no file of its lock"),
            ("/etc/passwd", "no file of its lock"),
            ("hooks/other.wasm", "no file of its lock"),
            ("hooks/other.wasm.sig", "no file of its lock"),
            ("hooks/window.py.sig.sig", "no file of its lock"),
            ("hooks/window.py.audit.audit", "no file of its lock"),
            ("hooks/window.py.sig.audit", "no file of its lock"),
            ("profiles/own.toml.audit", "no file of its lock"),
            ("site.toml", "no file of its lock"),
        ] {
            let mut more = bundle();
            more.files.insert(path.into(), b"x".to_vec());
            let error = more.encode().unwrap_err().to_string();
            assert!(error.contains(says), "{path}: {error}");
        }
        let mut unsigned = bundle();
        unsigned.files.remove("hooks/window.py.audit");
        assert!(unsigned.encode().unwrap_err().to_string().contains("window.py.audit.sig\" is no file"));
        let mut other = bundle();
        other.files.insert("hooks/window.py".into(), b"other".to_vec());
        assert_eq!(other.encode(), Err(BundleFileError::Differs("hooks/window.py".into())));
        let mut less = bundle();
        less.files.remove("profiles/own.toml");
        assert!(less.encode().unwrap_err().to_string().contains("in its lock alone"));
        let nothing = BundleFile { lock: Lock::default(), files: BTreeMap::new() };
        assert!(nothing.encode().unwrap_err().to_string().contains("carries nothing"));
    }
}
