//! Sealed values by name, on the controller: one SQLite file. It holds no key and no value in the clear.
//!
//! Which version a value is sealed under is what its own first bytes say, never a column beside them, so that "none
//! is sealed under an older one" is a statement about the values.

use super::error::KeyringError;
use super::keyset::{Keyset, version_of};
use crate::capability::secrets::Secret;
use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

/// The version of the file's tables.
const FORMAT: i64 = 1;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 200;
/// So many values are sealed anew in one commit: what a kill can cost, and few enough to be done at once.
const BATCH: usize = 256;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS items (
    name TEXT PRIMARY KEY NOT NULL,
    sealed BLOB NOT NULL,
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_version ON items (substr(sealed, 1, 5), name);
";

/// A sealed value, as `secret list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    /// What it is sealed under; none where it does not say.
    pub version: Option<u32>,
    /// Bytes, sealed.
    pub length: i64,
    /// When its value was put there, in milliseconds since 1970 UTC.
    pub changed: i64,
}

/// How far sealing anew has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    pub done: i64,
    pub of: i64,
}

/// The sealed values of a site. Several processes may have it open.
pub struct Store {
    connection: Connection,
    path: Utf8PathBuf,
}

impl Store {
    /// Opens the store in a folder, which is made where there is none: 0700, the file 0600.
    pub fn open(folder: &Utf8Path) -> Result<Self, KeyringError> {
        let unusable = |source| KeyringError::Folder { path: folder.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
        let path = folder.join("secrets.db");
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(unusable)?;
        let of = |what, path: &Utf8Path| {
            let path = path.to_owned();
            move |source| KeyringError::Store { what, path, source }
        };
        let connection = Connection::open(&path).map_err(of("opened", &path))?;
        let begin = || -> rusqlite::Result<i64> {
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if found == 0 {
                connection.execute_batch(TABLES)?;
                connection.pragma_update(None, "user_version", FORMAT)?;
                return Ok(FORMAT);
            }
            Ok(found)
        };
        match begin().map_err(of("opened", &path))? {
            FORMAT => Ok(Self { connection, path }),
            found => Err(KeyringError::Format { path, found }),
        }
    }

    /// Whether a folder has a store.
    pub fn is_there(folder: &Utf8Path) -> bool {
        folder.join("secrets.db").exists()
    }

    /// A name is one line of printable text without a slash: it stands in listings, and in a file's name elsewhere.
    pub fn check_name(name: &str) -> Result<(), KeyringError> {
        let why = if name.is_empty() {
            "it is empty"
        } else if name.len() > LONGEST_NAME {
            "it is longer than 200 bytes"
        } else if name.contains('/') {
            "it has a slash"
        } else if name.chars().any(char::is_control) {
            "it has a line break or another control character"
        } else if name.starts_with(['-', '.']) || name != name.trim() {
            "it begins with a dash, a dot or a space, or ends with a space"
        } else {
            return Ok(());
        };
        Err(KeyringError::Name { name: name.chars().take(60).collect(), why })
    }

    /// Seals a value under the key set's primary and keeps it under a name.
    pub fn put(&self, keyset: &Keyset, name: &str, value: &Secret, now: i64) -> Result<(), KeyringError> {
        Self::check_name(name)?;
        let sealed = keyset.seal(value, name)?;
        let put = "INSERT INTO items VALUES (?1, ?2, ?3)
                   ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, changed = excluded.changed";
        self.connection.execute(put, params![name, sealed, now]).map_err(|e| self.failed("written", e))?;
        Ok(())
    }

    /// Opens a value; says which version it was sealed under.
    pub fn get(&self, keyset: &Keyset, name: &str) -> Result<(Secret, u32), KeyringError> {
        keyset.open(&self.sealed(name)?, name)
    }

    /// The bytes as they are kept.
    pub fn sealed(&self, name: &str) -> Result<Vec<u8>, KeyringError> {
        Self::check_name(name)?;
        let found: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT sealed FROM items WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(|e| self.failed("read", e))?;
        found.ok_or_else(|| KeyringError::NoItem { name: name.into() })
    }

    /// Removes a value.
    pub fn remove(&self, name: &str) -> Result<(), KeyringError> {
        Self::check_name(name)?;
        match self.connection.execute("DELETE FROM items WHERE name = ?1", [name]) {
            Ok(0) => Err(KeyringError::NoItem { name: name.into() }),
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("written", error)),
        }
    }

    /// The values by name.
    pub fn list(&self) -> Result<Vec<Item>, KeyringError> {
        let read = || -> rusqlite::Result<Vec<Item>> {
            let mut statement = self.connection.prepare(
                "SELECT name, substr(sealed, 1, 5), length(sealed), changed FROM items ORDER BY name",
            )?;
            let item = |row: &rusqlite::Row<'_>| {
                let begin: Vec<u8> = row.get(1)?;
                Ok(Item {
                    name: row.get(0)?,
                    version: version_of(&begin),
                    length: row.get(2)?,
                    changed: row.get(3)?,
                })
            };
            statement.query_map([], item)?.collect()
        };
        read().map_err(|e| self.failed("read", e))
    }

    /// How many values are sealed under each version.
    pub fn by_version(&self) -> Result<BTreeMap<Option<u32>, i64>, KeyringError> {
        let read = || -> rusqlite::Result<BTreeMap<Option<u32>, i64>> {
            let mut statement = self
                .connection
                .prepare("SELECT substr(sealed, 1, 5), count(*) FROM items GROUP BY substr(sealed, 1, 5)")?;
            let mut counts = BTreeMap::new();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let begin: Vec<u8> = row.get(0)?;
                *counts.entry(version_of(&begin)).or_default() += row.get::<_, i64>(1)?;
            }
            Ok(counts)
        };
        read().map_err(|e| self.failed("read", e))
    }

    /// How many values are sealed under a version, and the names of the first few.
    pub fn under(&self, version: u32) -> Result<(i64, Vec<String>), KeyringError> {
        let failed = |error| self.failed("read", error);
        // Tink's own mark stands before the number, or the one of a key that came from before Tink.
        let [with, without] = [1u8, 0].map(|mark| {
            let mut prefix = vec![mark];
            prefix.extend_from_slice(&version.to_be_bytes());
            prefix
        });
        let count = "SELECT count(*) FROM items WHERE substr(sealed, 1, 5) IN (?1, ?2)";
        let count =
            self.connection.query_row(count, params![with, without], |row| row.get(0)).map_err(failed)?;
        let names = "SELECT name FROM items WHERE substr(sealed, 1, 5) IN (?1, ?2) ORDER BY name LIMIT 3";
        let mut statement = self.connection.prepare(names).map_err(failed)?;
        let names = statement.query_map(params![with, without], |row| row.get(0)).map_err(failed)?;
        Ok((count, names.collect::<rusqlite::Result<_>>().map_err(failed)?))
    }

    /// Seals every value anew that is not sealed under the primary, a few in each commit: killed at any point and
    /// begun again, it goes on where it was. `progress` is told after each commit; false stops there.
    ///
    /// Fails at the first value that does not open, having changed nothing of it.
    pub fn rewrap(
        &mut self,
        keyset: &Keyset,
        mut progress: impl FnMut(Rewrapped) -> bool,
    ) -> Result<Rewrapped, KeyringError> {
        let prefix = keyset.primary_prefix();
        let mut told = Rewrapped { done: 0, of: self.others(&prefix)? };
        let mut after = String::new();
        loop {
            let path = self.path.clone();
            let failed = |source| KeyringError::Store { what: "written", path: path.clone(), source };
            let transaction =
                self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
            let transaction = transaction.map_err(failed)?;
            let batch: Vec<(String, Vec<u8>)> = {
                let mut statement = transaction
                    .prepare_cached(
                        "SELECT name, sealed FROM items WHERE name > ?1 AND substr(sealed, 1, 5) <> ?2
                         ORDER BY name LIMIT ?3",
                    )
                    .map_err(failed)?;
                let found = statement
                    .query_map(params![after, prefix, BATCH as i64], |row| Ok((row.get(0)?, row.get(1)?)))
                    .map_err(failed)?;
                found.collect::<rusqlite::Result<_>>().map_err(failed)?
            };
            let Some((last, _)) = batch.last() else { return Ok(told) };
            after.clone_from(last);
            {
                let mut update = transaction
                    .prepare_cached("UPDATE items SET sealed = ?2 WHERE name = ?1")
                    .map_err(failed)?;
                for (name, sealed) in &batch {
                    let (value, _) = keyset.open(sealed, name)?;
                    let anew = keyset.seal(&value, name)?;
                    update.execute(params![name, anew]).map_err(failed)?;
                }
            }
            transaction.commit().map_err(failed)?;
            told.done += batch.len() as i64;
            if !progress(told) {
                return Ok(told);
            }
        }
    }

    /// How many values are not sealed under what begins with this.
    fn others(&self, prefix: &[u8]) -> Result<i64, KeyringError> {
        self.connection
            .query_row("SELECT count(*) FROM items WHERE substr(sealed, 1, 5) <> ?1", [prefix], |row| {
                row.get(0)
            })
            .map_err(|e| self.failed("read", e))
    }

    fn failed(&self, what: &'static str, source: rusqlite::Error) -> KeyringError {
        KeyringError::Store { what, path: self.path.clone(), source }
    }
}
