//! The database.

use super::row::Row;
use crate::model::{PluginName, RunId, RunState};
use aws_lc_rs::digest::{SHA256, digest};
use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, MutexGuard};

/// The version of the journal's format. A host refuses to write a newer one.
pub const FORMAT: i64 = 1;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {path} cannot be {doing}")]
    Sqlite { doing: &'static str, path: Utf8PathBuf, source: rusqlite::Error },
    #[error("the folder {path} cannot be used for the journal")]
    Folder { path: Utf8PathBuf, source: std::io::Error },
    #[error("the journal {path} is held by another windlass (a run has one controller at a time)")]
    Held { path: Utf8PathBuf },
    #[error(
        "the journal {path} has format {found}, and this windlass knows {FORMAT}: use the windlass that wrote it, or a newer one"
    )]
    Newer { path: Utf8PathBuf, found: i64 },
    #[error("the journal {path} is damaged at row {row}: {why}")]
    Damaged { path: Utf8PathBuf, row: i64, why: String },
    #[error("there is no run {run} in {path}")]
    NoRun { run: String, path: Utf8PathBuf },
}

/// A row with its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    pub sequence: i64,
    /// Milliseconds since 1970 UTC, the controller's clock.
    pub at: i64,
    pub row: Row,
}

/// A run as `runs list` shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RunRecord {
    pub run: RunId,
    pub procedure: PluginName,
    pub site: String,
    pub state: RunState,
    /// Milliseconds since 1970 UTC.
    pub began: i64,
    pub changed: i64,
    pub summary: String,
    pub closed: bool,
}

/// A run of a state folder, or why its journal cannot be read.
pub type Listed = Result<RunRecord, (RunId, JournalError)>;

/// The journal of one run, held by one controller.
///
/// Rows that were noted and never committed are gone when it is dropped, as after a crash.
#[derive(Debug)]
pub struct Journal {
    run: RunId,
    path: Utf8PathBuf,
    inner: Mutex<Inner>,
    // Locks the run's folder for as long as the journal is open.
    _lock: nix::fcntl::Flock<std::fs::File>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    head: [u8; 32],
    next: i64,
    /// Rows written since the last commit.
    open: bool,
    commits: u64,
}

impl Journal {
    /// Makes the folder and the database of a new run.
    pub fn create(runs: &Utf8Path, run: &RunId) -> Result<Self, JournalError> {
        let folder = runs.join(run.as_str());
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| JournalError::Folder { path: folder.clone(), source })?;
        let journal = Self::open_locked(run.clone(), &folder, true)?;
        {
            let inner = journal.lock();
            inner
                .connection
                .execute_batch(
                    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
                     CREATE TABLE rows (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, \
                       body TEXT NOT NULL, hash BLOB NOT NULL);",
                )
                .and_then(|()| {
                    inner.connection.execute("INSERT INTO meta VALUES ('format', ?1)", params![FORMAT])
                })
                .map_err(|source| journal.error("created", source))?;
        }
        Ok(journal)
    }

    /// Opens the journal of a run to go on with it; checks the chain.
    pub fn open(runs: &Utf8Path, run: &RunId) -> Result<(Self, Vec<StoredRow>), JournalError> {
        let folder = runs.join(run.as_str());
        if !folder.join("journal.db").exists() {
            return Err(JournalError::NoRun { run: run.to_string(), path: runs.to_owned() });
        }
        let journal = Self::open_locked(run.clone(), &folder, false)?;
        let (rows, head) = {
            let inner = journal.lock();
            read_rows(&inner.connection, &journal.path)?
        };
        {
            let mut inner = journal.lock();
            inner.head = head;
            inner.next = rows.last().map_or(1, |row| row.sequence + 1);
        }
        Ok((journal, rows))
    }

    /// Reads a run's rows without holding it.
    pub fn read(runs: &Utf8Path, run: &RunId) -> Result<Vec<StoredRow>, JournalError> {
        let path = runs.join(run.as_str()).join("journal.db");
        if !path.exists() {
            return Err(JournalError::NoRun { run: run.to_string(), path: runs.to_owned() });
        }
        let connection = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| JournalError::Sqlite { doing: "opened", path: path.clone(), source })?;
        read_rows(&connection, &path).map(|(rows, _)| rows)
    }

    /// Lists the runs of a state folder, newest first. A journal that cannot be read is an error of its own.
    pub fn list(runs: &Utf8Path) -> Result<Vec<Listed>, JournalError> {
        let mut found = Vec::new();
        let entries = match std::fs::read_dir(runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(source) => return Err(JournalError::Folder { path: runs.to_owned(), source }),
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(run) = RunId::new(name) else { continue };
            if !entry.path().join("journal.db").exists() {
                continue;
            }
            match Self::read(runs, &run) {
                Ok(rows) => {
                    if let Some(record) = summarise(&run, &rows) {
                        found.push(Ok(record));
                    }
                }
                Err(error) => found.push(Err((run, error))),
            }
        }
        let began = |entry: &Listed| entry.as_ref().map_or(i64::MAX, |record| record.began);
        found.sort_by_key(|entry| std::cmp::Reverse(began(entry)));
        Ok(found)
    }

    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The run's folder on the controller.
    pub fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Reads every row back, those not yet on disk included.
    pub fn rows(&self) -> Result<Vec<StoredRow>, JournalError> {
        read_rows(&self.lock().connection, &self.path).map(|(rows, _)| rows)
    }

    /// Appends a row without waiting for the disk; returns its sequence number.
    pub fn note(&self, row: &Row) -> Result<i64, JournalError> {
        let mut inner = self.lock();
        self.append(&mut inner, row)
    }

    /// Appends a row and waits until it and every row before it is on disk.
    pub fn commit(&self, row: &Row) -> Result<i64, JournalError> {
        let mut inner = self.lock();
        let sequence = self.append(&mut inner, row)?;
        self.end_transaction(&mut inner)?;
        Ok(sequence)
    }

    /// Waits until every row is on disk.
    pub fn flush(&self) -> Result<(), JournalError> {
        let mut inner = self.lock();
        self.end_transaction(&mut inner)
    }

    /// How many durable commits this journal has made; for tests and benchmarks.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// The hash of the last row, lower-case hex: what the managers keep with the lease.
    pub fn head(&self) -> String {
        hex(&self.lock().head)
    }

    fn open_locked(run: RunId, folder: &Utf8Path, create: bool) -> Result<Self, JournalError> {
        let folder_error = |source| JournalError::Folder { path: folder.to_owned(), source };
        let path = folder.join("journal.db");
        let lock = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))
            .map_err(folder_error)?;
        let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock)
            .map_err(|_| JournalError::Held { path: path.clone() })?;
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let error = |doing| {
            let path = path.clone();
            move |source| JournalError::Sqlite { doing, path, source }
        };
        let connection = Connection::open_with_flags(&path, flags).map_err(error("opened"))?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(error("opened"))?;
        if !create {
            let found: Option<i64> = connection
                .query_row("SELECT value FROM meta WHERE name = 'format'", [], |row| row.get(0))
                .optional()
                .map_err(error("read"))?;
            match found {
                Some(found) if found > FORMAT => return Err(JournalError::Newer { path, found }),
                Some(_) => {}
                None => {
                    return Err(JournalError::Damaged {
                        path,
                        row: 0,
                        why: "its format is not noted".into(),
                    });
                }
            }
        }
        let inner = Inner { connection, head: [0; 32], next: 1, open: false, commits: 0 };
        Ok(Self { run, path, inner: Mutex::new(inner), _lock: lock })
    }

    fn append(&self, inner: &mut Inner, row: &Row) -> Result<i64, JournalError> {
        let body = serde_json::to_string(row).map_err(|source| JournalError::Damaged {
            path: self.path.clone(),
            row: inner.next,
            why: format!("a row could not be written as JSON: {source}"),
        })?;
        if !inner.open {
            inner
                .connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(|source| self.error("written", source))?;
            inner.open = true;
        }
        let sequence = inner.next;
        let hash = link(&inner.head, sequence, &body);
        let at = jiff::Timestamp::now().as_millisecond();
        inner
            .connection
            .prepare_cached("INSERT INTO rows (sequence, at, body, hash) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute(params![sequence, at, body, &hash[..]]))
            .map_err(|source| self.error("written", source))?;
        inner.head = hash;
        inner.next += 1;
        Ok(sequence)
    }

    fn end_transaction(&self, inner: &mut Inner) -> Result<(), JournalError> {
        if inner.open {
            inner.connection.execute_batch("COMMIT").map_err(|source| self.error("written", source))?;
            inner.open = false;
            inner.commits += 1;
        }
        Ok(())
    }

    fn error(&self, doing: &'static str, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite { doing, path: self.path.clone(), source }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves the transaction open at worst, which is as after a crash.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Each row's hash covers the one before it, its number and its text.
fn link(head: &[u8; 32], sequence: i64, body: &str) -> [u8; 32] {
    let mut text = Vec::with_capacity(40 + body.len());
    text.extend_from_slice(head);
    text.extend_from_slice(&sequence.to_be_bytes());
    text.extend_from_slice(body.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &text).as_ref());
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_rows(connection: &Connection, path: &Utf8Path) -> Result<(Vec<StoredRow>, [u8; 32]), JournalError> {
    let error = |source| JournalError::Sqlite { doing: "read", path: path.to_owned(), source };
    let mut statement =
        connection.prepare("SELECT sequence, at, body, hash FROM rows ORDER BY sequence").map_err(error)?;
    let mut rows = Vec::new();
    let mut head = [0; 32];
    let mut stored = statement.query([]).map_err(error)?;
    while let Some(row) = stored.next().map_err(error)? {
        let (sequence, at, body, hash): (i64, i64, String, Vec<u8>) = (
            row.get(0).map_err(error)?,
            row.get(1).map_err(error)?,
            row.get(2).map_err(error)?,
            row.get(3).map_err(error)?,
        );
        let damaged =
            |why: &str| JournalError::Damaged { path: path.to_owned(), row: sequence, why: why.into() };
        if sequence != rows.len() as i64 + 1 {
            return Err(damaged("a row is missing before it"));
        }
        let expected = link(&head, sequence, &body);
        if hash != expected {
            return Err(damaged("its hash does not follow from the rows before it: it was edited"));
        }
        head = expected;
        let row =
            serde_json::from_str(&body).map_err(|error| damaged(&format!("it cannot be read: {error}")))?;
        rows.push(StoredRow { sequence, at, row });
    }
    Ok((rows, head))
}

/// Returns how the run stands; none for a journal whose first row was never committed.
fn summarise(run: &RunId, rows: &[StoredRow]) -> Option<RunRecord> {
    let (first, last) = (rows.first()?, rows.last()?);
    let Row::Began { procedure, site, .. } = &first.row else { return None };
    let mut record = RunRecord {
        run: run.clone(),
        procedure: procedure.clone(),
        site: site.clone(),
        state: RunState::Running,
        began: first.at,
        changed: last.at,
        summary: String::new(),
        closed: false,
    };
    for stored in rows {
        match &stored.row {
            Row::Stands { state, summary, .. } => {
                record.state = *state;
                record.summary = summary.clone();
            }
            Row::Resumed { .. } => record.state = RunState::Running,
            Row::Closed => record.closed = true,
            _ => {}
        }
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    fn begin(runs: &Utf8Path) -> (Journal, RunId) {
        let run = RunId::new("ha-cert-1").unwrap();
        let journal = Journal::create(runs, &run).unwrap();
        journal
            .commit(&Row::Began {
                procedure: PluginName::new("ha-cert").unwrap(),
                site: "practice".into(),
                site_digest: String::new(),
                plugin_digest: String::new(),
                version: String::new(),
                controller: String::new(),
                parameters: Vec::new(),
            })
            .unwrap();
        (journal, run)
    }

    #[test]
    fn an_edited_row_is_found() {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        journal.commit(&Row::Confirmed).unwrap();
        let path = journal.path.clone();
        drop(journal);
        assert_eq!(Journal::read(&runs, &run).unwrap().len(), 2);
        Connection::open(&path)
            .unwrap()
            .execute("UPDATE rows SET body = '{\"row\":\"closed\"}' WHERE sequence = 2", [])
            .unwrap();
        let error = Journal::read(&runs, &run).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { row: 2, .. }), "{error}");
    }

    #[test]
    fn a_removed_row_is_found() {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        journal.note(&Row::Confirmed).unwrap();
        journal.commit(&Row::LeaseReleased).unwrap();
        let path = journal.path.clone();
        drop(journal);
        Connection::open(&path).unwrap().execute("DELETE FROM rows WHERE sequence = 2", []).unwrap();
        assert!(matches!(Journal::read(&runs, &run), Err(JournalError::Damaged { row: 3, .. })));
    }

    #[test]
    fn notes_are_durable_with_the_next_commit_and_lost_without_one() {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        journal.note(&Row::Confirmed).unwrap();
        // Another reader sees what is committed: the note is not there yet.
        assert_eq!(Journal::read(&runs, &run).unwrap().len(), 1);
        let before = journal.commits();
        journal.commit(&Row::LeaseReleased).unwrap();
        assert_eq!(journal.commits(), before + 1, "a note and a row committed cost one commit");
        assert_eq!(Journal::read(&runs, &run).unwrap().len(), 3);
    }

    #[test]
    fn a_second_controller_is_refused() {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        assert!(matches!(Journal::open(&runs, &run), Err(JournalError::Held { .. })));
        drop(journal);
        let (reopened, rows) = Journal::open(&runs, &run).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(reopened.commit(&Row::Closed).unwrap(), 2);
    }

    #[test]
    fn a_newer_format_is_refused_before_anything_is_written() {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        let path = journal.path.clone();
        drop(journal);
        Connection::open(&path)
            .unwrap()
            .execute("UPDATE meta SET value = 2 WHERE name = 'format'", [])
            .unwrap();
        assert!(matches!(Journal::open(&runs, &run), Err(JournalError::Newer { found: 2, .. })));
    }

    #[test]
    fn an_unknown_run_is_named() {
        let (_keep, runs) = folder();
        let error = Journal::open(&runs, &RunId::new("nope").unwrap()).unwrap_err();
        assert!(error.to_string().contains("no run nope"), "{error}");
    }
}
