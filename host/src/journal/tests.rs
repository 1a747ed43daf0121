//! The journal's claims: what is durable when, and what is noticed of an edited, torn, cut or lost one.

use super::*;
use crate::model::{Answer, ObjectName, PluginName, RunId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::Connection;

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
            files: Vec::new(),
            hooks: Vec::new(),
            plugin_digest: String::new(),
            api: String::new(),
            version: String::new(),
            controller: String::new(),
            parameters: Vec::new(),
        })
        .unwrap();
    (journal, run)
}

/// A row that keeps one secret, sealed; returns what the secret's sealed bytes are.
fn keeps(of: i64) -> (Row, Vec<u8>) {
    let sealed = b"sealed to somebody".to_vec();
    let kept = KeptObject {
        plugin: PluginName::new("ha-cert").unwrap(),
        name: ObjectName::new("ha-key").unwrap(),
        kind: ObjectKind::SealedSecret,
        bytes: STANDARD.encode(&sealed),
    };
    let row =
        Row::Outcome { of, answer: Ok(Answer::Done), kept: vec![kept], traces: Vec::new(), settled: None };
    (row, sealed)
}

fn file(runs: &Utf8Path, run: &RunId) -> Utf8PathBuf {
    runs.join(run.as_str()).join("journal.db")
}

fn edit(runs: &Utf8Path, run: &RunId, sql: &str) {
    Connection::open(file(runs, run)).unwrap().execute(sql, []).unwrap();
}

/// Opening and reading it both fail so, and both leave the file as it is.
#[track_caller]
fn is_refused(runs: &Utf8Path, run: &RunId, says: &str) -> JournalError {
    let before = std::fs::read(file(runs, run)).unwrap();
    let read = Journal::read(runs, run).unwrap_err().to_string();
    let opened = Journal::open(runs, run).unwrap_err();
    assert!(read.contains(says), "{says:?} is not in {read:?}");
    assert!(opened.to_string().contains(says), "{says:?} is not in {opened:?}");
    assert!(std::fs::read(file(runs, run)).unwrap() == before, "it was written to");
    opened
}

#[test]
fn any_edit_of_a_row_is_found() {
    for (sql, row, says) in [
        ("UPDATE rows SET body = '{\"row\":\"closed\"}' WHERE sequence = 2", 2, "edited"),
        ("UPDATE rows SET at = at + 1 WHERE sequence = 2", 2, "edited"),
        ("UPDATE rows SET hash = zeroblob(32) WHERE sequence = 2", 2, "edited"),
        ("UPDATE rows SET hash = x'00' WHERE sequence = 2", 2, "its hash is not one"),
        ("DELETE FROM rows WHERE sequence = 2", 3, "a row is missing before it"),
        ("DELETE FROM rows WHERE sequence = 1", 2, "a row is missing before it"),
        ("UPDATE sealed SET bytes = x'00'", 3, "not the one it names"),
        ("DELETE FROM sealed", 3, "a sealed value that it names is missing"),
        ("INSERT INTO sealed VALUES (2, 0, x'00')", 2, "it does not name"),
        ("DELETE FROM rows", 0, "no row"),
        ("DELETE FROM meta", 0, "its format is not noted"),
        ("DROP TABLE rows", 0, "its tables are missing"),
    ] {
        let (_keep, runs) = folder();
        let (journal, run) = begin(&runs);
        journal.commit(&Row::Confirmed).unwrap();
        journal.commit(&keeps(2).0).unwrap();
        drop(journal);
        assert_eq!(Journal::read(&runs, &run).unwrap().len(), 3);
        edit(&runs, &run, sql);
        let error = is_refused(&runs, &run, says);
        assert!(matches!(error, JournalError::Damaged { row: at, .. } if at == row), "{sql}: {error}");
    }
}

#[test]
fn a_file_torn_anywhere_is_an_error_or_whole_and_never_shorter() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    for _ in 0..200 {
        journal.note(&Row::Confirmed).unwrap();
    }
    journal.flush().unwrap();
    drop(journal);
    let (path, rows) = (file(&runs, &run), Journal::read(&runs, &run).unwrap());
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(501) {
        for torn in [
            whole[..at].to_vec(),
            [&whole[..at], &vec![0; (whole.len() - at).min(512)], whole.get(at + 512..).unwrap_or(&[])]
                .concat(),
            [&whole[..at], &vec![0xa5; (whole.len() - at).min(700)], whole.get(at + 700..).unwrap_or(&[])]
                .concat(),
        ] {
            std::fs::write(&path, torn).unwrap();
            // Reading only: opening would be a writer's.
            if let Ok(read) = Journal::read(&runs, &run) {
                assert!(read == rows, "torn at {at}, and {} rows were believed", read.len());
            }
        }
    }
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
fn a_lock_of_another_program_is_waited_for_and_then_named() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    drop(journal);
    let other = Connection::open(file(&runs, &run)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (journal, _) = Journal::open(&runs, &run).unwrap();
    let error = journal.commit(&Row::Confirmed).unwrap_err();
    assert!(matches!(error, JournalError::Busy { .. }), "{error}");
}

#[test]
fn a_newer_format_is_shown_as_far_as_it_is_understood_and_not_written() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    journal.commit(&Row::Confirmed).unwrap();
    drop(journal);
    let connection = Connection::open(file(&runs, &run)).unwrap();
    connection
        .execute_batch(
            "UPDATE meta SET value = 3 WHERE name = 'format';
             UPDATE meta SET value = '9.1.0' WHERE name = 'windlass';
             UPDATE rows SET body = '{\"row\":\"of-a-later-kind\"}' WHERE sequence = 2;
             DROP TABLE sealed;",
        )
        .unwrap();
    drop(connection);
    let error = is_refused(&runs, &run, "go on with windlass 9.1.0");
    assert!(matches!(error, JournalError::Newer { found: 3, .. }));
    let reading = Journal::examine(&runs, &run).unwrap();
    assert!(reading.is_newer() && reading.damage.is_none());
    assert_eq!((reading.rows.len(), reading.understood().len()), (2, 1));
    let listed = Journal::list(&runs).unwrap();
    assert_eq!(listed[0].as_ref().unwrap().needs.as_deref(), Some("9.1.0"));
}

#[test]
fn a_format_from_before_the_first_release_is_refused_in_words() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    drop(journal);
    edit(&runs, &run, "UPDATE meta SET value = 1 WHERE name = 'format'");
    is_refused(&runs, &run, "from before the first release");
}

#[test]
fn a_journal_that_is_missing_empty_or_lost_its_log_is_no_fresh_start() {
    let (_keep, runs) = folder();
    let error = Journal::open(&runs, &RunId::new("nope").unwrap()).unwrap_err();
    assert!(error.to_string().contains("no run nope"), "{error}");

    let (journal, run) = begin(&runs);
    // As after a kill: nothing closed, so all rows are in the log yet.
    let copy = runs.join("copy");
    std::fs::create_dir_all(copy.join(run.as_str())).unwrap();
    std::fs::copy(file(&runs, &run), file(&copy, &run)).unwrap();
    drop(journal);
    is_refused(&copy, &run, "journal.db-wal");

    std::fs::write(file(&copy, &run), b"").unwrap();
    is_refused(&copy, &run, "the file is empty");
    std::fs::remove_file(file(&copy, &run)).unwrap();
    for error in [Journal::read(&copy, &run).err(), Journal::open(&copy, &run).err()] {
        assert!(matches!(error, Some(JournalError::Missing { .. })), "{error:?}");
    }
    let listed = Journal::list(&copy).unwrap();
    assert!(matches!(listed.as_slice(), [Err((_, JournalError::Missing { .. }))]), "{listed:?}");
}

#[test]
fn a_write_that_failed_ends_the_writing_and_leaves_what_was_committed() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    // Rolls the whole transaction back in its middle, as a full disk does.
    let trigger = "CREATE TRIGGER fails BEFORE INSERT ON rows WHEN NEW.body LIKE '%lease-taken%'
                   BEGIN SELECT RAISE(ROLLBACK, 'no more'); END";
    Connection::open(file(&runs, &run)).unwrap().execute_batch(trigger).unwrap();
    journal.note(&Row::Confirmed).unwrap();
    let fails = Row::LeaseTaken { manager: "m".parse().unwrap(), token: 1 };
    assert!(journal.commit(&fails).is_err());
    // The note went with it: a row behind it would follow from nothing.
    assert!(matches!(journal.commit(&Row::Closed), Err(JournalError::Broken { .. })));
    assert!(matches!(journal.flush(), Err(JournalError::Broken { .. })));
    drop(journal);
    Connection::open(file(&runs, &run)).unwrap().execute_batch("DROP TRIGGER fails").unwrap();
    let (journal, rows) = Journal::open(&runs, &run).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(journal.commit(&Row::Confirmed).unwrap(), 2);
    drop(journal);
    assert_eq!(Journal::read(&runs, &run).unwrap().len(), 2);
}

#[test]
fn sealed_values_lie_apart_and_the_chain_holds_when_they_are_gone() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    let (row, sealed) = keeps(1);
    journal.commit(&row).unwrap();
    assert_eq!(Journal::read(&runs, &run).unwrap()[1].row, row);
    let raw = journal.since(1).unwrap();
    assert_eq!(raw[0].sealed, std::slice::from_ref(&sealed));
    assert!(!raw[0].body.contains(&STANDARD.encode(&sealed)));
    assert_eq!(journal.head(), (2, raw[0].hash));
    journal.end(&Row::Closed).unwrap();
    drop(journal);
    assert_eq!(Journal::read(&runs, &run).unwrap().len(), 3);
    for entry in std::fs::read_dir(runs.join(run.as_str())).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        let found = bytes.windows(sealed.len()).any(|window| window == sealed);
        assert!(!found, "{:?} still has the sealed value", entry.path());
    }
}

#[test]
fn a_journal_is_made_again_from_its_rows_and_what_was_there_is_set_aside() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    journal.commit(&keeps(1).0).unwrap();
    let (rows, head) = (journal.since(0).unwrap(), journal.head());
    drop(journal);
    let before = Journal::read(&runs, &run).unwrap();
    edit(&runs, &run, "DELETE FROM rows WHERE sequence = 2");
    let again = Journal::rebuild(&runs, &run, &rows).unwrap();
    assert_eq!(again.head(), head);
    again.commit(&Row::Confirmed).unwrap();
    drop(again);
    assert_eq!(Journal::read(&runs, &run).unwrap()[..2], before);
    assert!(runs.join(run.as_str()).join("journal.db.before-1").exists());
}

#[test]
fn ten_thousand_effects_are_read_in_under_a_second() {
    let (_keep, runs) = folder();
    let (journal, run) = begin(&runs);
    for of in 0..10_000 {
        journal
            .note(&Row::Intent {
                plugin: PluginName::new("ha-cert").unwrap(),
                effect: crate::model::Effect::ClockNow,
                class: crate::model::EffectClass::Observe,
            })
            .unwrap();
        journal
            .note(&Row::Outcome {
                of: 2 * of + 2,
                answer: Ok(Answer::Milliseconds(of)),
                kept: Vec::new(),
                traces: Vec::new(),
                settled: None,
            })
            .unwrap();
    }
    journal.flush().unwrap();
    drop(journal);
    let began = std::time::Instant::now();
    let (_, rows) = Journal::open(&runs, &run).unwrap();
    assert_eq!(rows.len(), 20_001);
    // A build for tests, on a machine that does other things too: the bench measures a release.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    println!("20,001 rows in {:?}", began.elapsed());
}
