//! What the controller's own disk can do to a run: full, read-only, torn, edited, lost. Each is an error in
//! words before any node is asked, or a pause that goes on once it is put right; never a fresh start.

use super::crash::begin;
use super::e2e::{Ended, NODES, PLAIN, Pair, files, up};
use super::proof;
use camino::Utf8PathBuf;
use std::collections::BTreeMap;
use std::process::Command;
use windlass::lab::Transport;

/// A small disk of its own under the state folder; needs root.
struct Disk {
    path: Utf8PathBuf,
}

impl Disk {
    fn under(pair: &Pair) -> Option<Self> {
        let path = pair.controller.join("state");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs", path.as_str()]).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: a small disk cannot be mounted here");
            return None;
        }
        Some(Self { path })
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let ballast = std::fs::File::create(self.path.join("ballast")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(0), &mut &ballast).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path.join("ballast")).unwrap();
    }

    fn remount(&self, how: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,{how}"), self.path.as_str()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.path.as_str()]).status();
    }
}

/// What nodes hold and what ran on them.
#[derive(PartialEq)]
struct Nodes {
    product: BTreeMap<String, (Vec<u8>, u32, u32)>,
    windlass: BTreeMap<Utf8PathBuf, Vec<u8>>,
    executions: [[usize; 3]; 2],
}

fn on_nodes(pair: &Pair) -> Nodes {
    let homes = NODES.iter().flat_map(|node| files(&pair.home(node).join(".windlass")));
    let windlass = homes.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    Nodes { product: pair.content(), windlass, executions: pair.executions() }
}

/// A command that ends so, and no node is any different.
#[track_caller]
fn refused(pair: &Pair, arguments: &[&str], code: i32, says: &[&str]) -> Ended {
    let before = on_nodes(pair);
    let ended = pair.windlass(arguments).expect(code);
    for word in says.iter().chain(&["next:"]) {
        assert!(ended.err.contains(word), "{word:?} is not in {}", ended.err);
    }
    assert!(on_nodes(pair) == before, "a node was touched");
    ended
}

#[test]
fn a_full_disk_is_an_error_before_any_node_is_asked() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let Some(disk) = Disk::under(&pair) else { return };
    disk.fill();
    refused(&pair, &["run", "ha-cert", "--yes"], 4, &["no room", "make room"]);
    disk.make_room();
    let before = pair.content();
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    proof::rotated(&pair, &before);
}

#[test]
fn a_disk_that_fills_in_the_middle_pauses_and_resume_goes_on_once_there_is_room() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let Some(disk) = Disk::under(&pair) else { return };
    // Behind the first change: before it, a run ends and leaves everything as it is.
    let before = pair.content();
    let mut whole = begin(&pair, &["run", "ha-cert", "--yes"]);
    whole.until_effect(usize::MAX);
    let story: Vec<_> = whole.told.lines().filter(|line| line.starts_with(r#"{"event":"effect""#)).collect();
    let first = story.iter().position(|line| line.contains(r#""class":"change""#)).unwrap();
    let length = story.len();
    whole.end().expect(0);
    proof::rotated(&pair, &before);

    for effect in [2, first + 2, (first + length) / 2, length * 4 / 5] {
        let (before, executions) = (pair.content(), pair.executions());
        let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
        assert!(run.until_effect(effect), "{}", run.told);
        disk.fill();
        let ended = run.end();
        assert!(ended.err.contains("no room"), "after {effect} effects: {ended:?}");
        if effect < first {
            let ended = ended.expect(1);
            assert!(ended.err.contains("the cluster is as it was"), "{ended:?}");
            assert!(pair.content() == before);
            disk.make_room();
            continue;
        }
        let ended = ended.expect(5);
        assert!(ended.err.contains("windlass resume ha-cert-"), "{ended:?}");
        // The same disk is as full for whoever tries before there is room.
        refused(&pair, &["resume"], 4, &["no room"]);
        disk.make_room();
        pair.windlass(&["resume"]).expect(0);
        proof::rotated(&pair, &before);
        let once =
            executions.map(|[generated, replaced, restarted]| [generated, replaced + 1, restarted + 1]);
        assert_eq!(pair.executions(), once, "after {effect} effects");
    }
}

#[test]
fn a_state_folder_that_may_not_be_written_is_an_error_before_any_node_is_asked() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let Some(disk) = Disk::under(&pair) else { return };
    let before = pair.content();
    let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
    assert!(run.until_effect(40), "{}", run.told);
    run.kill();
    disk.remount("ro");
    refused(&pair, &["run", "ha-cert", "--yes"], 2, &["WINDLASS_STATE_DIR"]);
    refused(&pair, &["resume"], 2, &["cannot be used for the journal", "WINDLASS_STATE_DIR"]);
    // Looking needs no more than reading.
    pair.windlass(&["runs", "show"]).expect(0);
    disk.remount("rw");
    pair.windlass(&["resume", "--yes"]).expect(0);
    proof::rotated(&pair, &before);
}

#[test]
fn a_journal_that_was_damaged_stops_every_command_and_goes_on_when_it_is_put_back() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let before = pair.content();
    let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
    assert!(run.until_effect(60), "{}", run.told);
    run.kill();
    let id = pair.last_run();
    let folder = pair.controller.join("state/runs").join(&id);
    let kept = ["journal.db", "journal.db-wal"]
        .map(|name| (folder.join(name), std::fs::read(folder.join(name)).unwrap()));
    let put_back = || {
        let _ = std::fs::remove_file(folder.join("journal.db-shm"));
        kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    };
    let sql = |sql: &str| {
        rusqlite::Connection::open(&kept[0].0).unwrap().execute(sql, []).unwrap();
    };
    let damages: [(&str, &dyn Fn()); 6] = [
        ("journal.db-wal) is lost", &|| std::fs::remove_file(&kept[1].0).unwrap()),
        ("journal.db is missing", &|| std::fs::remove_file(&kept[0].0).unwrap()),
        ("the file is empty", &|| std::fs::write(&kept[0].0, b"").unwrap()),
        ("is damaged at row 0", &|| std::fs::write(&kept[0].0, [7; 8192]).unwrap()),
        ("edited", &|| {
            sql("UPDATE rows SET body = replace(body, 'master1', 'master2') WHERE body LIKE '%lease-taken%'")
        }),
        ("missing before it", &|| sql("DELETE FROM rows WHERE sequence = 9")),
    ];
    for (says, damage) in damages {
        damage();
        refused(&pair, &["resume", &id], 5, &[says]);
        refused(&pair, &["rollback", &id], 5, &[says]);
        let verified = pair.windlass(&["runs", "verify", &id]);
        assert!(matches!(verified.code, Some(5 | 10)) && verified.err.contains(says), "{verified:?}");
        let status = pair.windlass(&["status"]);
        assert!(matches!(status.code, Some(0 | 10)), "{status:?}");
        let listed = pair.windlass(&["runs", "list"]).expect(0);
        assert!(listed.err.contains(&id) && listed.err.contains(says), "{listed:?}");
        put_back();
    }
    pair.windlass(&["runs", "verify", &id]).expect(0);
    pair.windlass(&["resume", "--yes"]).expect(0);
    proof::rotated(&pair, &before);
}
