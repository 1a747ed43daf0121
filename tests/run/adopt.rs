//! A run whose laptop is gone goes on from another, by what the managers hold of it.

use super::bare::{Bare, NODES, bare};
use super::crash::begin;
use super::e2e::{Ended, PLAIN, Pair, files, up, wait};
use super::proof;
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Stdio;
use windlass::journal::sealed::Identity;
use windlass::lab::Transport;

/// Makes the identities of some controllers, and names them as operators in a site.
fn operators(site: &Utf8Path, states: &[Utf8PathBuf]) {
    let public = states.iter().map(|state| {
        let identity = Identity::load_or_create(&state.join("identity.age-key")).unwrap();
        format!("{:?}", identity.public())
    });
    let line = format!("operators = [{}]", public.collect::<Vec<_>>().join(", "));
    let text = std::fs::read_to_string(site.join("site.toml")).unwrap();
    let text = text.replacen("trust = \"dev\"", &format!("{line}\ntrust = \"dev\""), 1);
    std::fs::write(site.join("site.toml"), text).unwrap();
}

/// A bare site of two operators, `c` and `d`, and a run of `c`'s that was killed while its command ran on node1.
fn orphaned() -> Option<(Bare, String)> {
    let bare = bare()?;
    operators(&bare.dir, &["c", "d"].map(|controller| bare.state(controller)));
    let calls = "calls=state.set,secrets.generate,files.put,files.put.secret,nodes.run";
    let mut run = bare.start("c", &["run", "probe", "--yes", "-p", calls]);
    wait("the command", 30, || bare.ran("node1") == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    let id = bare.state("c").join("runs").read_dir_utf8().unwrap().next().unwrap().unwrap();
    let id = id.file_name().to_owned();
    Some((bare, id))
}

fn job_ends(bare: &Bare) {
    bare.let_end("node1");
    let runs = bare.home("node1").join(".windlass/runs");
    wait("the end of the job", 30, || files(&runs).iter().any(|path| path.as_str().ends_with("/status")));
}

fn mirror(bare: &Bare, node: &str, run: &str) -> Utf8PathBuf {
    bare.home(node).join(".windlass/runs").join(run).join("mirror")
}

fn tokens(bare: &Bare) -> Vec<Option<String>> {
    NODES.map(|node| std::fs::read_to_string(bare.home(node).join(".windlass/lease/token")).ok()).into()
}

#[test]
fn a_run_whose_laptop_is_gone_is_adopted_and_finished_elsewhere() {
    let Some((bare, run)) = orphaned() else { return };
    let refused = bare.windlass("d", &["runs", "adopt"]).expect(4);
    assert!(refused.err.contains("still runs on node1"), "{refused:?}");
    job_ends(&bare);
    let before = tokens(&bare);
    let adopted = bare.windlass("d", &["runs", "adopt"]).expect(0);
    assert!(adopted.out.contains(&run) && adopted.err.contains("windlass resume"), "{adopted:?}");
    assert!(tokens(&bare).iter().zip(&before).all(|(now, then)| now > then), "the tokens did not rise");
    bare.windlass("d", &["runs", "adopt", &run]).expect(2);

    // The first laptop is found again: it is told, and can do nothing.
    let nodes = NODES.map(|node| files(&bare.home(node)));
    let lost = bare.windlass("c", &["resume"]).expect(5);
    assert!(lost.err.contains("lease-lost"), "{lost:?}");
    assert_eq!(NODES.map(|node| files(&bare.home(node))), nodes);

    bare.windlass("d", &["resume"]).expect(0);
    assert_eq!(bare.ran("node1"), 1);
    let shown = bare.windlass("d", &["runs", "show"]).expect(0).out;
    assert!(shown.contains("sealed to 2 operators") && shown.contains("adopted by "), "{shown}");
    // What the first one has is the beginning of it.
    bare.windlass("c", &["runs", "verify", "--nodes"]).expect(10);
    let behind = bare.windlass("c", &["resume", "--take-over"]).expect(5);
    assert!(behind.err.contains("another controller went on"), "{behind:?}");
    bare.windlass("d", &["runs", "verify", "--nodes"]).expect(0);
}

#[test]
fn without_operators_only_its_own_controller_can_go_on_and_it_is_said() {
    let Some(bare) = bare() else { return };
    let mut run = bare.start("c", &["run", "probe", "--yes", "-p", "calls=nodes.run"]);
    wait("the command", 30, || bare.ran("node1") == 1);
    run.kill().unwrap();
    let said: Ended = run.wait_with_output().unwrap().into();
    assert!(said.err.contains("site.toml must name `operators`"), "{said:?}");
    job_ends(&bare);
    let refused = bare.windlass("d", &["runs", "adopt"]).expect(3);
    assert!(refused.err.contains("WINDLASS_IDENTITY"), "{refused:?}");
    let shown = bare.windlass("c", &["runs", "show"]).expect(0).out;
    assert!(shown.contains("site.toml must name `operators`"), "{shown}");
    bare.windlass("c", &["resume"]).expect(0);
}

#[test]
fn a_damaged_mirror_pauses_with_what_each_manager_holds_and_a_whole_one_can_be_chosen() {
    let Some((bare, run)) = orphaned() else { return };
    job_ends(&bare);
    let folders = NODES.map(|node| mirror(&bare, node, &run));
    let kept = folders.clone().map(|folder| {
        ["rows", "heads"].map(|name| (folder.join(name), std::fs::read(folder.join(name)).unwrap()))
    });
    let put_back = || {
        for (path, bytes) in kept.iter().flatten() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    };
    let rows = kept[0][0].1.clone();
    let flipped = |at: usize| {
        let mut rows = rows.clone();
        rows[at] = if rows[at] == b'A' { b'B' } else { b'A' };
        rows
    };
    let mut damages: Vec<(&str, Vec<u8>)> = vec![
        ("rows", Vec::new()),
        ("rows", rows[..rows.len() / 2].to_vec()),
        ("rows", rows[..rows.len() - 20].to_vec()),
        ("heads", b"nonsense\n".to_vec()),
        ("heads", format!("3 {}\n", "a".repeat(64)).into_bytes()),
        ("heads", format!("9999 {}\n", "a".repeat(64)).into_bytes()),
    ];
    damages.extend((1..5).map(|part| ("rows", flipped(rows.len() * part / 5))));
    let before = tokens(&bare);
    for (number, (name, damage)) in damages.iter().enumerate() {
        std::fs::write(folders[0].join(name), damage).unwrap();
        for arguments in [&["runs", "adopt"][..], &["runs", "adopt", &run, "--from", "node1"]] {
            let doubtful = bare.windlass("d", arguments).expect(5);
            for word in
                ["node1: lease held by", "NOT whole", "node2: lease held by", "mirror whole", "exit 0"]
            {
                assert!(doubtful.err.contains(word), "{number}: {word:?} is not in {}", doubtful.err);
            }
            assert!(doubtful.err.contains("--from NODE"), "{}", doubtful.err);
            assert_eq!(tokens(&bare), before, "{number}: something was taken");
            assert!(!bare.state("d").join("runs").join(&run).exists());
        }
        put_back();
    }
    // One manager lost all of it; the other has it whole.
    std::fs::remove_dir_all(&folders[0]).unwrap();
    std::fs::write(folders[1].join("rows"), b"").unwrap();
    bare.windlass("d", &["runs", "adopt"]).expect(5);
    put_back();
    std::fs::write(folders[0].join("rows"), flipped(rows.len() / 2)).unwrap();
    bare.windlass("d", &["runs", "adopt", "--from", "node2"]).expect(0);
    bare.windlass("d", &["resume"]).expect(0);
    bare.windlass("d", &["runs", "verify", "--nodes"]).expect(0);
    // node1 was sent all of it anew: it could be had from there.
    std::fs::remove_dir_all(bare.state("d").join("runs")).unwrap();
    bare.windlass("d", &["runs", "adopt", &run, "--from", "node1"]).expect(0);
    bare.windlass("d", &["resume"]).expect(0);
    bare.windlass("d", &["runs", "close"]).expect(0);
    assert!(!mirror(&bare, "node1", &run).parent().unwrap().exists());
}

#[test]
fn a_controller_that_lost_its_own_journal_fetches_it_back() {
    let Some((bare, run)) = orphaned() else { return };
    job_ends(&bare);
    let here = bare.windlass("c", &["runs", "adopt"]).expect(2);
    assert!(here.err.contains("is here already"), "{here:?}");
    let folder = bare.state("c").join("runs").join(&run);
    for part in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(folder.join(part));
    }
    let missing = bare.windlass("c", &["resume", &run]).expect(5);
    assert!(missing.err.contains("windlass runs adopt"), "{missing:?}");
    bare.windlass("c", &["runs", "adopt"]).expect(0);
    bare.windlass("c", &["resume"]).expect(0);
    assert_eq!(bare.ran("node1"), 1);
}

#[test]
fn of_two_that_adopt_at_once_one_does() {
    let Some((bare, run)) = orphaned() else { return };
    job_ends(&bare);
    for round in 0..5 {
        let both = ["d", "c"].map(|controller| bare.start(controller, &["runs", "adopt", &run, "--yes"]));
        let ended = both.map(|child| Ended::from(child.wait_with_output().unwrap()));
        let mut codes = ended.clone().map(|ended| ended.code.unwrap());
        codes.sort();
        // One after the other both may have it; the one that has it already is told so.
        assert!(matches!(codes, [0, 0 | 2 | 4]), "{round}: {ended:?}");
        let holders: Vec<_> = NODES
            .iter()
            .map(|node| std::fs::read_to_string(bare.home(node).join(".windlass/lease/record")).unwrap())
            .collect();
        let who = |record: &String| record.lines().nth(1).unwrap().to_owned();
        assert_eq!(who(&holders[0]), who(&holders[1]), "{round}: two have it");
    }
}

fn adopted_on_a_pair(transport: Transport, back: bool) {
    let Some(pair) = up(transport, PLAIN) else { return };
    let other = pair.controller.join("other");
    operators(&pair.dir, &[pair.controller.join("state"), other.clone()]);
    let before = pair.content();
    let mut run = begin(&pair, &["run", "ha-cert", "--yes"]);
    assert!(run.until_effect(190), "{}", run.told.len());
    run.kill();
    // The laptop is gone, with all that was on it.
    std::fs::remove_dir_all(pair.controller.join("state")).unwrap();
    let on_other = |pair: &Pair, arguments: &[&str]| -> Ended {
        let mut command = pair.command(arguments);
        command.env("WINDLASS_STATE_DIR", &other).stdin(Stdio::null());
        command.output().unwrap().into()
    };
    wait("the end of a job that was under way", 60, || {
        let ended = on_other(&pair, &["runs", "adopt"]);
        assert!(ended.code == Some(0) || ended.err.contains("still runs on"), "{}", ended.err);
        ended.code == Some(0)
    });
    match back {
        false => {
            on_other(&pair, &["resume", "--yes"]).expect(0);
            proof::rotated(&pair, &before);
        }
        true => {
            on_other(&pair, &["rollback"]).expect(1);
            proof::as_it_was(&pair, &before);
        }
    }
    on_other(&pair, &["runs", "close"]).expect(0);
    proof::nothing_saved(&pair);
}

#[test]
fn a_rotation_is_finished_from_another_laptop() {
    adopted_on_a_pair(Transport::Local, false);
}

#[test]
fn a_rotation_is_taken_back_from_another_laptop_over_ssh() {
    adopted_on_a_pair(Transport::Ssh, true);
}
