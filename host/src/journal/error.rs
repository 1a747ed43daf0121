//! What can be wrong with a journal, in words for whoever has to put it right.

use super::store::FORMAT;
use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {path} cannot be {doing}")]
    Sqlite { doing: &'static str, path: Utf8PathBuf, source: rusqlite::Error },
    #[error("there is no room to write the journal {path}: its disk is full, or a quota is reached")]
    Full { path: Utf8PathBuf },
    #[error("the journal {path} may not be written: the file, its folder or its disk is read-only")]
    ReadOnly { path: Utf8PathBuf },
    #[error("the journal {path} is locked by another program, a database tool or a backup")]
    Busy { path: Utf8PathBuf },
    /// What was noted and not committed is lost; on disk is what the last commit left.
    #[error(
        "the journal {path} could not be written before, and takes nothing more until it is opened again"
    )]
    Broken { path: Utf8PathBuf },
    #[error("the folder {path} cannot be used for the journal")]
    Folder { path: Utf8PathBuf, source: std::io::Error },
    #[error("the journal {path} is held by another windlass (a run has one controller at a time)")]
    Held { path: Utf8PathBuf },
    #[error(
        "the journal {path} has format {found}, written by windlass {by}, and this windlass knows format \
         {FORMAT}: go on with windlass {by} or a newer one"
    )]
    Newer { path: Utf8PathBuf, found: i64, by: String },
    #[error(
        "the journal {path} has format {found}, from before the first release, and this windlass goes on with \
         format {FORMAT} only: use the windlass that began the run"
    )]
    Older { path: Utf8PathBuf, found: i64 },
    #[error("the journal {path} is damaged at row {row}: {why}")]
    Damaged { path: Utf8PathBuf, row: i64, why: String },
    #[error("the run {run} has a folder in {path} and no journal in it: journal.db is missing")]
    Missing { run: String, path: Utf8PathBuf },
    #[error("there is no run {run} in {path}")]
    NoRun { run: String, path: Utf8PathBuf },
}

impl JournalError {
    /// Makes an error of SQLite's, in an operator's words where there are any.
    pub(super) fn of(doing: &'static str, path: &Utf8Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let Some(failed) = source.sqlite_error() else { return Self::Sqlite { doing, path, source } };
        match failed.code {
            ErrorCode::DiskFull => Self::Full { path },
            // The index of the write-ahead log could not be made larger.
            _ if failed.extended_code == SQLITE_IOERR_SHMSIZE => Self::Full { path },
            ErrorCode::ReadOnly => Self::ReadOnly { path },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { path },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Self::Damaged { path, row: 0, why: source.to_string() }
            }
            _ => Self::Sqlite { doing, path, source },
        }
    }
}
