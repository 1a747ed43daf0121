//! The database, held by the one controller of a run.

use super::chain::{Hash, link};
use super::error::JournalError;
use super::kept;
use super::read::{self, RawRow, StoredRow};
use super::row::Row;
use crate::model::RunId;
use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OpenFlags, params};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// The version of the journal's format. A newer one is shown and never written; 1 was before the first release.
///
/// 2: the chain covers a row's time, sealed values lie apart, children of a `run-each` have rows.
pub const FORMAT: i64 = 2;

const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE rows (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL);
    CREATE TABLE sealed (sequence INTEGER NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (sequence, place)) WITHOUT ROWID;";

/// SQLite's own name for a database without a file.
const NOWHERE: &str = "(nowhere)";

/// How long another program's lock on the database is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Is told of each row as it is appended, on disk or not yet.
pub type Follower = Box<dyn FnMut(i64, &Row) + Send>;

/// The journal of one run, held by one controller.
///
/// Rows that were noted and never committed are gone when it is dropped, as after a crash. After a write that
/// failed it takes no more: SQLite may have dropped what was noted before, and the chain must not go on from
/// rows that are not there.
pub struct Journal {
    run: RunId,
    path: Utf8PathBuf,
    inner: Mutex<Inner>,
    // Locks the run's folder for as long as the journal is open; none where it has none.
    _lock: Option<nix::fcntl::Flock<std::fs::File>>,
}

struct Inner {
    /// None: rows are kept nowhere, and only told.
    connection: Option<Connection>,
    head: Hash,
    next: i64,
    /// Rows written since the last commit.
    open: bool,
    /// The last row that is committed.
    durable: i64,
    broken: bool,
    commits: u64,
    slower: Duration,
    followers: Vec<Follower>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<journal {}>", self.path)
    }
}

impl Journal {
    /// Makes the folder and the database of a new run.
    pub fn create(runs: &Utf8Path, run: &RunId) -> Result<Self, JournalError> {
        let folder = make_folder(runs, run)?;
        let lock = lock(&folder)?;
        Self::make(run.clone(), folder.join("journal.db"), lock)
    }

    /// Makes a journal that keeps no row, and only tells its followers of each: a rehearsal has thousands of them. It
    /// goes on behind as many rows of an earlier life.
    pub fn told_only(run: &RunId, rows: &[StoredRow]) -> Self {
        let next = rows.last().map_or(1, |last| last.sequence + 1);
        Self::held(run.clone(), NOWHERE.into(), None, None, [0; 32], next)
    }

    /// The number of the last row that a crash now would leave.
    pub fn durable(&self) -> i64 {
        self.lock().durable
    }

    /// Makes the journal of a run again from rows that were fetched, in place of what is here, which is set
    /// aside. Nothing is on disk before the next commit.
    pub fn rebuild(runs: &Utf8Path, run: &RunId, rows: &[RawRow]) -> Result<Self, JournalError> {
        let folder = make_folder(runs, run)?;
        let lock = lock(&folder)?;
        let path = folder.join("journal.db");
        set_aside(&path).map_err(|source| JournalError::Folder { path: folder.clone(), source })?;
        let journal = Self::make(run.clone(), path, lock)?;
        {
            let mut inner = journal.lock();
            for raw in rows {
                journal.insert(&mut inner, raw)?;
            }
        }
        Ok(journal)
    }

    /// Opens the journal of a run to go on with it; checks the format before anything is written, and the chain.
    pub fn open(runs: &Utf8Path, run: &RunId) -> Result<(Self, Vec<StoredRow>), JournalError> {
        let path = read::file_of(runs, run)?;
        let lock = lock(&runs.join(run.as_str()))?;
        let connection = connect(&path, OpenFlags::empty())?;
        read::check_format(&connection, &path)?;
        if connection.is_readonly("main").unwrap_or(false) {
            return Err(JournalError::ReadOnly { path });
        }
        prepare(&connection).map_err(|source| JournalError::of("opened", &path, source))?;
        let (rows, head) = read::strict(&connection, &path)?;
        let next = rows.len() as i64 + 1;
        Ok((Self::held(run.clone(), path, Some(lock), Some(connection), head, next), rows))
    }

    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The run's folder on the controller.
    pub fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Has a view of the journal told of every row from now on.
    pub fn follow(&self, follower: Follower) {
        self.lock().followers.push(follower);
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

    /// Makes every commit take longer, as on a slower disk; for benchmarks.
    pub fn slow_down(&self, by: Duration) {
        self.lock().slower = by;
    }

    /// The number and the hash of the last row.
    pub fn head(&self) -> (i64, Hash) {
        let inner = self.lock();
        (inner.next - 1, inner.head)
    }

    /// The hash of a row; none where there is no such row.
    pub fn hash_at(&self, sequence: i64) -> Result<Option<Hash>, JournalError> {
        let inner = self.lock();
        let Some(connection) = &inner.connection else { return Ok(None) };
        read::hash_at(connection, sequence).map_err(|source| self.error("read", source))
    }

    /// The rows after one, as they lie on disk or will.
    pub fn since(&self, sequence: i64) -> Result<Vec<RawRow>, JournalError> {
        let mut rows = Vec::new();
        let inner = self.lock();
        let Some(connection) = &inner.connection else { return Ok(rows) };
        read::raw_rows(connection, &self.path, FORMAT, sequence, |raw| {
            rows.push(raw);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Appends a last row and removes every sealed value for good, both or neither; the chain holds without them.
    pub fn end(&self, row: &Row) -> Result<(), JournalError> {
        let mut inner = self.lock();
        self.append(&mut inner, row)?;
        self.write(&mut inner, |connection, _| {
            connection.execute_batch("PRAGMA secure_delete = ON; DELETE FROM sealed;")
        })?;
        self.end_transaction(&mut inner)?;
        // The write-ahead log still has them.
        self.write(&mut inner, |connection, _| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })
    }

    fn make(
        run: RunId,
        path: Utf8PathBuf,
        lock: nix::fcntl::Flock<std::fs::File>,
    ) -> Result<Self, JournalError> {
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
        // The tables are in the file itself before there is a write-ahead log that could be lost.
        connection
            .execute_batch(&format!("BEGIN;{TABLES}"))
            .and_then(|()| {
                let windlass = env!("CARGO_PKG_VERSION");
                connection.execute(
                    "INSERT INTO meta VALUES ('format', ?1), ('windlass', ?2)",
                    params![FORMAT, windlass],
                )
            })
            .and_then(|_| connection.execute_batch("COMMIT"))
            .and_then(|()| prepare(&connection))
            .map_err(|source| JournalError::of("created", &path, source))?;
        Ok(Self::held(run, path, Some(lock), Some(connection), [0; 32], 1))
    }

    fn held(
        run: RunId,
        path: Utf8PathBuf,
        lock: Option<nix::fcntl::Flock<std::fs::File>>,
        connection: Option<Connection>,
        head: Hash,
        next: i64,
    ) -> Self {
        let inner = Inner {
            connection,
            head,
            next,
            open: false,
            durable: next - 1,
            broken: false,
            commits: 0,
            slower: Duration::ZERO,
            followers: Vec::new(),
        };
        Self { run, path, inner: Mutex::new(inner), _lock: lock }
    }

    fn append(&self, inner: &mut Inner, row: &Row) -> Result<i64, JournalError> {
        if inner.connection.is_none() {
            let sequence = inner.next;
            inner.next += 1;
            inner.followers.iter_mut().for_each(|follower| follower(sequence, row));
            return Ok(sequence);
        }
        let mut parted = row.clone();
        let sealed = kept::part(&mut parted);
        let body = serde_json::to_string(&parted).map_err(|source| JournalError::Damaged {
            path: self.path.clone(),
            row: inner.next,
            why: format!("a row could not be written as JSON: {source}"),
        })?;
        let (sequence, at) = (inner.next, jiff::Timestamp::now().as_millisecond());
        let hash = link(&inner.head, sequence, at, &body);
        self.insert(inner, &RawRow { sequence, at, body, hash, sealed })?;
        for follower in &mut inner.followers {
            follower(sequence, row);
        }
        Ok(sequence)
    }

    fn insert(&self, inner: &mut Inner, raw: &RawRow) -> Result<(), JournalError> {
        self.write(inner, |connection, open| {
            if !*open {
                connection.execute_batch("BEGIN IMMEDIATE")?;
                *open = true;
            }
            connection
                .prepare_cached("INSERT INTO rows (sequence, at, body, hash) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![raw.sequence, raw.at, raw.body, &raw.hash[..]])?;
            for (place, bytes) in raw.sealed.iter().enumerate() {
                connection
                    .prepare_cached("INSERT INTO sealed (sequence, place, bytes) VALUES (?1, ?2, ?3)")?
                    .execute(params![raw.sequence, place as i64, bytes])?;
            }
            Ok(())
        })?;
        inner.head = raw.hash;
        inner.next = raw.sequence + 1;
        Ok(())
    }

    fn end_transaction(&self, inner: &mut Inner) -> Result<(), JournalError> {
        if inner.connection.is_none() {
            inner.durable = inner.next - 1;
            return Ok(());
        }
        if !inner.open {
            return if inner.broken { Err(self.broken()) } else { Ok(()) };
        }
        self.write(inner, |connection, _| connection.execute_batch("COMMIT"))?;
        inner.open = false;
        inner.durable = inner.next - 1;
        inner.commits += 1;
        if !inner.slower.is_zero() {
            std::thread::sleep(inner.slower);
        }
        Ok(())
    }

    /// Works on the database, if there is one, and on whether it has rows since the last commit.
    fn write(
        &self,
        inner: &mut Inner,
        work: impl FnOnce(&Connection, &mut bool) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        if inner.broken {
            return Err(self.broken());
        }
        let Some(connection) = &inner.connection else { return Ok(()) };
        work(connection, &mut inner.open).map_err(|source| {
            inner.broken = true;
            inner.open = false;
            // Where SQLite has done so itself there is nothing to take back.
            let _ = connection.execute_batch("ROLLBACK");
            self.error("written", source)
        })
    }

    fn broken(&self) -> JournalError {
        JournalError::Broken { path: self.path.clone() }
    }

    fn error(&self, doing: &'static str, source: rusqlite::Error) -> JournalError {
        JournalError::of(doing, &self.path, source)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves the transaction open at worst, which is as after a crash.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn make_folder(runs: &Utf8Path, run: &RunId) -> Result<Utf8PathBuf, JournalError> {
    let folder = runs.join(run.as_str());
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|source| JournalError::Folder { path: folder.clone(), source })?;
    Ok(folder)
}

/// Locks a run's folder against every other windlass of this machine.
fn lock(folder: &Utf8Path) -> Result<nix::fcntl::Flock<std::fs::File>, JournalError> {
    let folder_error = |source| JournalError::Folder { path: folder.to_owned(), source };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(folder_error)?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
        match error {
            nix::errno::Errno::EWOULDBLOCK => JournalError::Held { path: folder.join("journal.db") },
            error => folder_error(error.into()),
        }
    })
}

fn connect(path: &Utf8Path, more: OpenFlags) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.busy_timeout(PATIENCE).map(|()| connection))
        .map_err(|source| JournalError::of("opened", path, source))
}

/// What makes a commit durable.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
}

/// Renames a database that is in the way, with its log.
fn set_aside(path: &Utf8Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut number = 1;
    while Utf8PathBuf::from(format!("{path}.before-{number}")).exists() {
        number += 1;
    }
    for part in ["-wal", "-shm", ""] {
        let from = format!("{path}{part}");
        if Utf8Path::new(&from).exists() {
            // The log keeps its database's name, so that both can still be opened together.
            std::fs::rename(&from, format!("{path}.before-{number}{part}"))?;
        }
    }
    Ok(())
}
