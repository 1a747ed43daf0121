//! A bare site: two nodes that are folders, a profile of one command, and the probe as its procedure. A whole run
//! on it costs little, so what must hold of any run is tried often.

use super::e2e::{Ended, wait};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Child, Command, Stdio};

const SITE: &str = r#"
[site]
name = "bare"
profile = "bare"
trust = "dev"
OPERATORS
[nodes.node1]
local = "nodes/node1"
groups = ["managers"]
[nodes.node2]
local = "nodes/node2"
groups = ["managers"]
[procedures.probe.params]
plugin = "probe.wasm"
"#;

const GRANTS: &str = r#"
[grants.probe]
commands = ["work@node1", "work@node2"]
files = ["write plain@node1", "write sealed@node1"]
secrets = ["word", "word -> file:sealed"]
general = ["parameters", "state", "clock"]
"#;

/// The command says that it ran, and ends once it may.
const PROFILE: &str = r#"
title = "A bare product"
service_user = "omm"
managers = "managers"
[vars]
home = { login_env = "HOME", user = "omm" }
[files.plain]
path = "${home}/plain"
[files.sealed]
path = "${home}/sealed"
secret = true
[commands.work]
kind = "change"
argv = ["sh", "-c", "echo ran >>ran; while [ -e ran ] && [ ! -e go ]; do sleep 0.02; done"]
user = "omm"
writes = []
rerun = "never"
[commands.work.args]
mode = { default = "slow" }
"#;

pub const NODES: [&str; 2] = ["node1", "node2"];

pub struct Bare {
    pub dir: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

/// Makes the site, or says why it cannot be had here.
pub fn bare() -> Option<Bare> {
    let Ok(components) = std::env::var("WINDLASS_COMPONENTS") else {
        println!("skipped: WINDLASS_COMPONENTS names no probe; `cargo xtask test` sets it");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap().join("site");
    std::fs::create_dir_all(dir.join("profiles")).unwrap();
    std::fs::write(dir.join("site.toml"), SITE.replace("OPERATORS", "")).unwrap();
    std::fs::write(dir.join("grants.toml"), GRANTS).unwrap();
    std::fs::write(dir.join("profiles/bare.toml"), PROFILE).unwrap();
    std::fs::copy(Utf8Path::new(&components).join("probe.wasm"), dir.join("probe.wasm")).unwrap();
    let bare = Bare { dir, _folder: folder };
    for node in NODES {
        std::fs::create_dir_all(bare.home(node)).unwrap();
        let environment = format!("HOME={}\nPATH=/usr/bin:/bin\nUSER=omm\n", bare.home(node));
        std::fs::write(bare.dir.join("nodes").join(node).join("login-env"), environment).unwrap();
    }
    Some(bare)
}

impl Bare {
    pub fn home(&self, node: &str) -> Utf8PathBuf {
        self.dir.join("nodes").join(node).join("home")
    }

    /// `windlass ARGUMENTS` of one of several controllers.
    pub fn command(&self, controller: &str, arguments: &[&str]) -> Command {
        let binary =
            std::env::var("WINDLASS_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_windlass").to_owned());
        let mut command = Command::new(binary);
        command.arg("-C").arg(&self.dir).args(arguments).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.dir.join("..")).stdin(Stdio::null());
        command.env("WINDLASS_STATE_DIR", self.state(controller));
        command
    }

    pub fn state(&self, controller: &str) -> Utf8PathBuf {
        self.dir.with_file_name(controller)
    }

    pub fn windlass(&self, controller: &str, arguments: &[&str]) -> Ended {
        self.command(controller, arguments).output().unwrap().into()
    }

    pub fn start(&self, controller: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(controller, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Lets the command end on a node.
    pub fn let_end(&self, node: &str) {
        std::fs::write(self.home(node).join("go"), "").unwrap();
    }

    /// How often the command ran on a node.
    pub fn ran(&self, node: &str) -> usize {
        std::fs::read_to_string(self.home(node).join("ran")).unwrap_or_default().lines().count()
    }

    /// The rows of a controller's newest run.
    pub fn rows(&self, controller: &str) -> Vec<serde_json::Value> {
        let rows = self.windlass(controller, &["runs", "export"]).expect(0).out;
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    }
}

const EACH: [&str; 5] = ["run", "probe", "--yes", "-p", "calls=nodes.run-each"];

#[test]
fn a_controller_killed_among_the_children_of_a_run_each_settles_each_by_its_own_job() {
    let Some(bare) = bare() else { return };
    bare.let_end("node1");
    let mut first = bare.start("c", &EACH);
    wait("the command on both nodes", 30, || NODES.iter().all(|node| bare.ran(node) == 1));
    let jobs = bare.home("node1").join(".windlass/runs");
    wait("the end of node1's", 30, || {
        super::e2e::files(&jobs).iter().any(|path| path.as_str().ends_with("/status"))
    });
    first.kill().unwrap();
    first.wait().unwrap();
    bare.let_end("node2");
    bare.windlass("c", &["resume"]).expect(0);
    assert_eq!(NODES.map(|node| bare.ran(node)), [1, 1]);
    let rows = bare.rows("c");
    let of = |kind: &str| rows.iter().filter(|row| row["row"]["row"] == kind).count();
    assert_eq!(of("child"), 2, "{rows:#?}");
    let settled = rows.iter().filter(|row| row["row"]["settled"] == "found-done").count();
    assert!((1..=2).contains(&settled), "{rows:#?}");
}

/// Kills a run while its command runs on node1; returns the folder of its journal.
fn killed_in_the_middle(bare: &Bare) -> Utf8PathBuf {
    let mut run = bare.start("c", &["run", "probe", "--yes", "-p", "calls=state.set,files.put,nodes.run"]);
    wait("the command", 30, || bare.ran("node1") == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    let runs = bare.state("c").join("runs");
    runs.read_dir_utf8().unwrap().next().unwrap().unwrap().into_path()
}

/// All that there is on the nodes.
fn on_nodes(bare: &Bare) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let homes = NODES.iter().flat_map(|node| super::e2e::files(&bare.home(node)));
    homes.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A resume and a rollback that pause in these words, and touch no node.
#[track_caller]
fn pauses(bare: &Bare, says: &str) {
    let before = on_nodes(bare);
    for command in ["resume", "rollback"] {
        let ended = bare.windlass("c", &[command]).expect(5);
        assert!(ended.err.contains(says) && ended.err.contains("runs verify --nodes"), "{says:?}: {ended:?}");
        assert!(on_nodes(bare) == before, "{command} touched a node");
    }
}

#[test]
fn a_journal_whose_last_rows_were_lost_is_told_from_what_the_managers_hold() {
    let Some(bare) = bare() else { return };
    let folder = killed_in_the_middle(&bare);
    let (path, pristine) = (folder.join("journal.db"), folder.join("pristine"));
    let open = || rusqlite::Connection::open(&path).unwrap();
    open().execute("VACUUM INTO ?1", [pristine.as_str()]).unwrap();
    let rows: i64 = open().query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
    for lost in 1..rows - 1 {
        for part in ["journal.db-wal", "journal.db-shm"] {
            let _ = std::fs::remove_file(folder.join(part));
        }
        std::fs::copy(&pristine, &path).unwrap();
        // A journal whose chain holds: what is cut off at its end says nothing of itself.
        open().execute("DELETE FROM rows WHERE sequence > ?1", [rows - lost]).unwrap();
        bare.windlass("c", &["runs", "verify"]).expect(0);
        pauses(&bare, "lost or edited here");
        let verified = bare.windlass("c", &["runs", "verify", "--nodes"]).expect(10);
        assert_eq!(verified.out.matches("DIFFERS").count(), 2, "{verified:?}");
    }
}

#[test]
fn the_managers_hold_a_runs_journal_to_its_last_row_until_it_is_closed() {
    let Some(bare) = bare() else { return };
    let same = |bare: &Bare| {
        let verified = bare.windlass("c", &["runs", "verify", "--nodes"]).expect(0).out;
        let rows = bare.rows("c").len();
        assert_eq!(verified.matches(&format!("holds the same {rows} rows")).count(), 2, "{verified}");
    };
    killed_in_the_middle(&bare);
    same(&bare);
    bare.let_end("node1");
    bare.windlass("c", &["resume"]).expect(0);
    same(&bare);
    bare.windlass("c", &["runs", "close"]).expect(0);
    let verified = bare.windlass("c", &["runs", "verify", "--nodes"]).expect(0).out;
    assert_eq!(verified.matches("holds nothing of it").count(), 2, "{verified}");
    let left = on_nodes(&bare).into_iter().filter(|(path, _)| path.as_str().contains("/.windlass/"));
    let left: Vec<_> = left.map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(left, ["token", "token"]);
}

#[test]
fn a_run_that_changes_nothing_leaves_no_mirror() {
    let Some(bare) = bare() else { return };
    bare.windlass("c", &["run", "probe", "--yes", "-p", "calls=state.set"]).expect(0);
    let left = on_nodes(&bare).into_iter().map(|(path, _)| path);
    assert!(left.clone().all(|path| !path.as_str().contains("mirror")), "{:?}", left.collect::<Vec<_>>());
}

#[test]
fn a_journal_that_was_edited_with_all_its_hashes_is_told_from_what_the_managers_hold() {
    let Some(bare) = bare() else { return };
    let folder = killed_in_the_middle(&bare);
    let journal = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    journal.execute("UPDATE rows SET at = at + 1 WHERE sequence = 2", []).unwrap();
    let mut rows = journal.prepare("SELECT sequence, at, body FROM rows ORDER BY sequence").unwrap();
    let rows: Vec<(i64, i64, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut head = vec![0; 32];
    for (sequence, at, body) in rows {
        head = [&head[..], &sequence.to_be_bytes(), &at.to_be_bytes(), body.as_bytes()].concat();
        head = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &head).as_ref().to_vec();
        journal.execute("UPDATE rows SET hash = ?1 WHERE sequence = ?2", (&head, sequence)).unwrap();
    }
    bare.windlass("c", &["runs", "verify"]).expect(0);
    pauses(&bare, "lost or edited here");
}

#[test]
fn an_export_has_every_row_no_sealed_value_and_a_chain_that_anybody_can_recompute() {
    let Some(bare) = bare() else { return };
    let calls = "calls=secrets.generate,files.put,files.put.secret";
    bare.windlass("c", &["run", "probe", "--yes", "-p", calls]).expect(0);
    let exported = bare.windlass("c", &["runs", "export", "--format", "jsonl"]).expect(0).out;
    let mut head = [0; 32].to_vec();
    for (at, line) in exported.lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let (sequence, time) = (row["sequence"].as_i64().unwrap(), row["at"].as_i64().unwrap());
        assert_eq!(sequence, at as i64 + 1);
        let body = line.split_once("\"row\":").unwrap().1.strip_suffix('}').unwrap();
        head = [&head[..], &sequence.to_be_bytes(), &time.to_be_bytes(), body.as_bytes()].concat();
        head = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &head).as_ref().to_vec();
        let hash: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(row["hash"], hash.as_str(), "{line}");
    }
    let verified = bare.windlass("c", &["runs", "verify"]).expect(0).out;
    let hash: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(verified.contains(&format!("head {hash}")), "{verified}");
    // The secret is on node1, in its file; sealed it is in the journal's other table.
    let secret = std::fs::read_to_string(bare.home("node1").join("sealed")).unwrap();
    assert!(!exported.contains(&secret));
    assert!(exported.contains("\"kind\":\"sealed-secret\",\"bytes\":\"sha256:"), "{exported}");
    // age's header in base64.
    assert!(!exported.contains("YWdlLWVuY3J5cHRpb24"), "{exported}");
}

#[test]
fn a_journal_of_a_newer_windlass_is_shown_and_nothing_goes_on_with_it() {
    let Some(bare) = bare() else { return };
    let folder = killed_in_the_middle(&bare);
    let journal = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    journal
        .execute_batch(
            "UPDATE meta SET value = 3 WHERE name = 'format';
             UPDATE meta SET value = '9.1.0' WHERE name = 'windlass';
             UPDATE rows SET body = '{\"row\":\"of-a-later-kind\"}' WHERE sequence = 3;",
        )
        .unwrap();
    drop(journal);
    let listed = bare.windlass("c", &["runs", "list"]).expect(0).out;
    assert!(listed.contains("(needs windlass 9.1.0)"), "{listed}");
    let shown = bare.windlass("c", &["runs", "show"]).expect(0);
    assert!(
        shown.out.contains("lease on node2") && shown.err.contains("windlass 9.1.0 wrote them"),
        "{shown:?}"
    );
    let before = on_nodes(&bare);
    for arguments in [&["resume"][..], &["rollback"], &["runs", "verify"], &["runs", "close"]] {
        let refused = bare.windlass("c", arguments).expect(2);
        assert!(refused.err.contains("9.1.0"), "{arguments:?}: {refused:?}");
    }
    assert!(on_nodes(&bare) == before);
}
