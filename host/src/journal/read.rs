//! Reading a journal that nobody holds: all of it and nothing else, or as far as it can be understood.

use super::chain::{Hash, hex, link};
use super::error::JournalError;
use super::kept;
use super::row::Row;
use super::store::{FORMAT, Journal};
use crate::model::{Effect, NodeName, PluginName, RunId, RunState};
use camino::Utf8Path;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::collections::HashMap;

/// A row with its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    pub sequence: i64,
    /// Milliseconds since 1970 UTC, the controller's clock.
    pub at: i64,
    pub row: Row,
}

/// A row as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRow {
    pub sequence: i64,
    pub at: i64,
    /// JSON, with digests where sealed values belong.
    pub body: String,
    pub hash: Hash,
    pub sealed: Vec<Vec<u8>>,
}

/// What a journal says to one who does not hold it.
#[derive(Debug)]
pub struct Reading {
    pub format: i64,
    /// The version of the windlass that wrote it last.
    pub by: String,
    /// As far as the chain holds; of a newer format, all that there is.
    pub rows: Vec<RawRow>,
    /// Why it ends there.
    pub damage: Option<JournalError>,
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
    /// The windlass that can go on with it, where this one cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// A run of a state folder, or why its journal cannot be read.
pub type Listed = Result<RunRecord, (RunId, JournalError)>;

impl RawRow {
    /// The hash in lower-case hex.
    pub fn hash_text(&self) -> String {
        hex(&self.hash)
    }
}

impl Reading {
    /// Whether this windlass is too old to go on with it.
    pub fn is_newer(&self) -> bool {
        self.format > FORMAT
    }

    /// The rows that this windlass understands.
    pub fn understood(&self) -> Vec<StoredRow> {
        let parsed = |raw: &RawRow| {
            let row = serde_json::from_str(&raw.body).ok()?;
            Some(StoredRow { sequence: raw.sequence, at: raw.at, row })
        };
        self.rows.iter().filter_map(parsed).collect()
    }

    /// The hash of the last row, lower-case hex.
    pub fn head(&self) -> String {
        hex(&self.rows.last().map_or([0; 32], |row| row.hash))
    }
}

impl Journal {
    /// Reads a run's rows without holding it: every one of them, or an error.
    pub fn read(runs: &Utf8Path, run: &RunId) -> Result<Vec<StoredRow>, JournalError> {
        let (connection, path) = open(runs, run)?;
        check_format(&connection, &path)?;
        strict(&connection, &path).map(|(rows, _)| rows)
    }

    /// Reads what can be read of a run's journal without holding it, and says what is wrong with the rest.
    pub fn examine(runs: &Utf8Path, run: &RunId) -> Result<Reading, JournalError> {
        let (connection, path) = open(runs, run)?;
        let (format, by) = format_of(&connection, &path)?;
        if format < FORMAT {
            return Err(JournalError::Older { path, found: format });
        }
        let mut rows = Vec::new();
        let walked = raw_rows(&connection, &path, format, 0, |raw| {
            rows.push(raw);
            Ok(())
        });
        let mut reading = Reading { format, by, rows, damage: walked.err() };
        if reading.damage.is_none() && !reading.is_newer() {
            reading.damage = strict(&connection, &path).err();
        }
        Ok(reading)
    }

    /// Lists the runs of a state folder, newest first. A journal that cannot be read is an error of its own.
    pub fn list(runs: &Utf8Path) -> Result<Vec<Listed>, JournalError> {
        let mut listed = Vec::new();
        for run in Self::names(runs)? {
            listed.push(Self::record(runs, &run).map_err(|error| (run, error)));
        }
        Ok(listed)
    }

    /// Names the runs of a state folder, newest first; before them those whose journal does not say when it began.
    /// Reads one row of each.
    pub fn names(runs: &Utf8Path) -> Result<Vec<RunId>, JournalError> {
        let entries = match std::fs::read_dir(runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(JournalError::Folder { path: runs.to_owned(), source }),
        };
        let mut found: Vec<(i64, RunId)> = entries
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| RunId::new(entry.file_name().to_string_lossy()).ok())
            .map(|run| (began(runs, &run).unwrap_or(i64::MAX), run))
            .collect();
        found.sort_by_key(|(began, _)| std::cmp::Reverse(*began));
        Ok(found.into_iter().map(|(_, run)| run).collect())
    }

    /// Says how a run stands, having read all of its journal.
    pub fn record(runs: &Utf8Path, run: &RunId) -> Result<RunRecord, JournalError> {
        let (connection, path) = open(runs, run)?;
        let (rows, needs) = match format_of(&connection, &path)? {
            (FORMAT, _) => (strict(&connection, &path)?.0, None),
            _ => {
                let reading = Self::examine(runs, run)?;
                match reading.damage {
                    None => (reading.understood(), Some(reading.by)),
                    Some(damage) => return Err(damage),
                }
            }
        };
        summarise(run, &rows, needs).ok_or_else(|| no_beginning(path))
    }
}

/// What a run has left that outlives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    pub closed: bool,
    /// What it said of nodes, in order: why a node was put in quarantine, none where it was released.
    pub quarantines: Vec<(NodeName, Option<String>)>,
    /// It saved something before it changed it, and one of its effects names the file that was asked for.
    pub keeps: bool,
}

impl Journal {
    /// Says what a run of a site has left; none for a run of another site. Reads all of a journal only where there is
    /// something in it.
    pub fn left(runs: &Utf8Path, run: &RunId, site: &str, file: &str) -> Result<Option<Left>, JournalError> {
        let (connection, path) = open(runs, run)?;
        match raw_row(&connection, &path, 1)? {
            Row::Began { site: of, .. } if of == site => {}
            Row::Began { .. } => return Ok(None),
            _ => return Err(no_beginning(path)),
        }
        let has = |what: &str| -> Result<bool, JournalError> {
            let sql = "SELECT EXISTS (SELECT 1 FROM rows WHERE instr(body, ?1))";
            let found = connection.query_row(sql, [what], |row| row.get(0));
            found.map_err(|source| JournalError::of("read", &path, source))
        };
        let quoted = |word: &str| format!("\"{word}\"");
        let keeps = has(&quoted(file))? && has(&quoted("saved"))?;
        let quarantines = match has(&quoted("nodes.quarantine"))? || has(&quoted("nodes.release"))? {
            true => quarantines(&Self::read(runs, run)?),
            false => Vec::new(),
        };
        let closed = has(&serde_json::to_string(&Row::Closed).unwrap_or_default())?;
        Ok(Some(Left { closed, quarantines, keeps }))
    }
}

fn quarantines(rows: &[StoredRow]) -> Vec<(NodeName, Option<String>)> {
    let done = |of: i64| {
        let answers = |row: &StoredRow| matches!(&row.row, Row::Outcome { of: answered, answer: Ok(_), .. } if *answered == of);
        rows.iter().any(answers)
    };
    let said = |stored: &StoredRow| match &stored.row {
        Row::Intent { effect: Effect::NodesQuarantine { node, reason }, .. } => {
            Some((node.clone(), Some(reason.clone())))
        }
        // One that was cut short releases nobody.
        Row::Intent { effect: Effect::NodesRelease { node }, .. } if done(stored.sequence) => {
            Some((node.clone(), None))
        }
        _ => None,
    };
    rows.iter().filter_map(said).collect()
}

fn no_beginning(path: camino::Utf8PathBuf) -> JournalError {
    JournalError::Damaged { path, row: 1, why: "it does not say which procedure began where".into() }
}

/// Reads one row by itself: whether the chain holds is not looked at.
fn raw_row(connection: &Connection, path: &Utf8Path, sequence: i64) -> Result<Row, JournalError> {
    let body: String = connection
        .query_row("SELECT body FROM rows WHERE sequence = ?1", [sequence], |row| row.get(0))
        .map_err(|source| JournalError::of("read", path, source))?;
    serde_json::from_str(&body).map_err(|error| JournalError::Damaged {
        path: path.to_owned(),
        row: sequence,
        why: error.to_string(),
    })
}

fn began(runs: &Utf8Path, run: &RunId) -> Option<i64> {
    let (connection, _) = open(runs, run).ok()?;
    connection.query_row("SELECT at FROM rows WHERE sequence = 1", [], |row| row.get(0)).ok()
}

/// Returns how the run stands; none for a journal without its first row.
fn summarise(run: &RunId, rows: &[StoredRow], needs: Option<String>) -> Option<RunRecord> {
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
        needs,
    };
    for stored in rows {
        match &stored.row {
            Row::Stands { state, summary, .. } => {
                record.state = *state;
                record.summary = summary.clone();
            }
            Row::Resumed { .. } | Row::Adopted { .. } => record.state = RunState::Running,
            Row::Closed => record.closed = true,
            _ => {}
        }
    }
    Some(record)
}

fn open(runs: &Utf8Path, run: &RunId) -> Result<(Connection, camino::Utf8PathBuf), JournalError> {
    let path = file_of(runs, run)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)
        .map_err(|source| JournalError::of("opened", &path, source))?;
    Ok((connection, path))
}

/// Returns where a run's journal lies, having seen it there.
pub(super) fn file_of(runs: &Utf8Path, run: &RunId) -> Result<camino::Utf8PathBuf, JournalError> {
    let folder = runs.join(run.as_str());
    let path = folder.join("journal.db");
    match std::fs::metadata(&path) {
        // To SQLite a file without a byte is a database without a table.
        Ok(meta) if meta.len() == 0 => {
            Err(JournalError::Damaged { path, row: 0, why: "the file is empty".into() })
        }
        Ok(_) => Ok(path),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalError::Folder { path: folder, source: error })
        }
        Err(_) if folder.is_dir() => {
            Err(JournalError::Missing { run: run.to_string(), path: runs.to_owned() })
        }
        Err(_) => Err(JournalError::NoRun { run: run.to_string(), path: runs.to_owned() }),
    }
}

/// Returns the format of a journal and who wrote it last.
fn format_of(connection: &Connection, path: &Utf8Path) -> Result<(i64, String), JournalError> {
    let damaged = |why: &str| JournalError::Damaged { path: path.to_owned(), row: 0, why: why.into() };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'rows')", [], |row| row.get(0))
        .map_err(|source| JournalError::of("read", path, source))?;
    if tables != 2 {
        return Err(damaged("it holds no journal: its tables are missing"));
    }
    let of = |name: &str| -> Result<Option<rusqlite::types::Value>, JournalError> {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(|source| JournalError::of("read", path, source))
    };
    let Some(rusqlite::types::Value::Integer(format)) = of("format")? else {
        return Err(damaged("its format is not noted"));
    };
    let by = match of("windlass")? {
        Some(rusqlite::types::Value::Text(by)) => by,
        _ => "of an unknown version".into(),
    };
    Ok((format, by))
}

/// Refuses a journal that this windlass must not write.
pub(super) fn check_format(connection: &Connection, path: &Utf8Path) -> Result<(), JournalError> {
    match format_of(connection, path)? {
        (found, by) if found > FORMAT => Err(JournalError::Newer { path: path.to_owned(), found, by }),
        (found, _) if found < FORMAT => Err(JournalError::Older { path: path.to_owned(), found }),
        _ => Ok(()),
    }
}

/// Reads every row, checks the chain, understands all of it. Returns the rows and the head.
pub(super) fn strict(
    connection: &Connection,
    path: &Utf8Path,
) -> Result<(Vec<StoredRow>, Hash), JournalError> {
    let mut rows: Vec<StoredRow> = Vec::new();
    let (mut head, mut missing) = ([0; 32], None);
    let damaged = |row: i64, why: String| JournalError::Damaged { path: path.to_owned(), row, why };
    raw_rows(connection, path, FORMAT, 0, |raw| {
        let RawRow { sequence, at, body, hash, sealed } = raw;
        let mut row: Row = serde_json::from_str(&body)
            .map_err(|error| damaged(sequence, format!("it cannot be read: {error}")))?;
        if kept::join(&mut row, sealed).map_err(|why| damaged(sequence, why))? > 0 {
            missing = missing.or(Some(sequence));
        }
        head = hash;
        rows.push(StoredRow { sequence, at, row });
        Ok(())
    })?;
    if rows.is_empty() {
        let why = "it has no row: the run never began, or the write-ahead log (journal.db-wal) is lost";
        return Err(damaged(0, why.into()));
    }
    // Closing a run removes them.
    if let Some(sequence) = missing
        && !rows.iter().any(|stored| matches!(stored.row, Row::Closed))
    {
        return Err(damaged(sequence, "a sealed value that it names is missing".into()));
    }
    Ok((rows, head))
}

/// Hands over the rows after `after`, in order, as far as the chain holds. That of a newer format is not
/// known here, and not checked.
pub(super) fn raw_rows(
    connection: &Connection,
    path: &Utf8Path,
    format: i64,
    after: i64,
    mut take: impl FnMut(RawRow) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let error = |source| JournalError::of("read", path, source);
    let mut sealed =
        if format == FORMAT { sealed_values(connection, after).map_err(error)? } else { HashMap::new() };
    let mut head: Hash = match after {
        0 => [0; 32],
        after => hash_at(connection, after).map_err(error)?.unwrap_or_default(),
    };
    let mut expected = after;
    let mut statement = connection
        .prepare_cached("SELECT sequence, at, body, hash FROM rows WHERE sequence > ?1 ORDER BY sequence")
        .map_err(error)?;
    let mut stored = statement.query([after]).map_err(error)?;
    while let Some(row) = stored.next().map_err(error)? {
        let (sequence, at, body, hash): (i64, i64, String, Vec<u8>) = (
            row.get(0).map_err(error)?,
            row.get(1).map_err(error)?,
            row.get(2).map_err(error)?,
            row.get(3).map_err(error)?,
        );
        let damaged =
            |why: &str| JournalError::Damaged { path: path.to_owned(), row: sequence, why: why.into() };
        expected += 1;
        let hash = Hash::try_from(hash).map_err(|_| damaged("its hash is not one"))?;
        if format == FORMAT {
            if sequence != expected {
                return Err(damaged("a row is missing before it"));
            }
            if hash != link(&head, sequence, at, &body) {
                return Err(damaged("its hash does not follow from the rows before it: it was edited"));
            }
        }
        head = hash;
        take(RawRow { sequence, at, body, hash, sealed: sealed.remove(&sequence).unwrap_or_default() })?;
    }
    Ok(())
}

fn sealed_values(connection: &Connection, after: i64) -> rusqlite::Result<HashMap<i64, Vec<Vec<u8>>>> {
    let mut statement = connection
        .prepare_cached("SELECT sequence, bytes FROM sealed WHERE sequence > ?1 ORDER BY sequence, place")?;
    let mut found: HashMap<i64, Vec<Vec<u8>>> = HashMap::new();
    let mut stored = statement.query([after])?;
    while let Some(row) = stored.next()? {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found)
}

pub(super) fn hash_at(connection: &Connection, sequence: i64) -> rusqlite::Result<Option<Hash>> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM rows WHERE sequence = ?1")?
        .query_row([sequence], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|hash| hash.try_into().ok()))
}
