//! One durable commit of the journal, beside one of bare SQLite in the same folder.

use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use windlass::journal::{Journal, Row};
use windlass::model::RunId;

const COUNT: usize = 200;

pub fn measure(folder: &Utf8Path) -> Result<()> {
    let journal = Journal::create(&folder.join("runs"), &RunId::new("bench-1")?)?;
    let times = Times::of(COUNT, || Ok(journal.commit(&Row::Confirmed).map(drop)?))?;
    tell("durable commit of the journal", &times, None, &format!("one row, hash-chained; {COUNT} times"));

    let bare = rusqlite::Connection::open(folder.join("bare.db"))?;
    bare.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, row TEXT)",
    )?;
    let times = Times::of(COUNT, || {
        Ok(bare.execute("INSERT INTO rows (row) VALUES (?1)", ["{\"row\":\"confirmed\"}"]).map(drop)?)
    })?;
    tell("  beside it: an insert of bare SQLite", &times, None, "WAL, synchronous = FULL, the same folder");
    Ok(())
}
