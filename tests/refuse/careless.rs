//! The careless operator: wrong folders, no place to write, journals that are not what they were.

use super::*;

#[test]
fn windlass_without_a_command_or_a_site_says_what_to_do() {
    let Some(binary) = binary() else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let state = root.join("state");
    std::fs::write(root.join("file"), "").unwrap();
    let file = root.join("file");
    let nowhere = root.join("nowhere");
    for (arguments, says) in [
        (&[][..], &["Usage: windlass", "run"][..]),
        (&["run"], &["<PROCEDURE>", "Usage"]),
        (&["rnu", "ha-cert"], &["run"]),
        (&["run", "ha-cert", "--yse"], &["--yse", "--help"]),
        (&["-C", root.as_str(), "run", "ha-cert"], &["site.toml", "windlass init"]),
        (&["-C", nowhere.as_str(), "run", "ha-cert"], &["nowhere", "windlass init"]),
        (&["-C", file.as_str(), "run", "ha-cert"], &["file", "-C"]),
        (&["-C", root.as_str(), "site", "check"], &["site.toml", "windlass init"]),
        (&["-C", root.as_str(), "resume"], &["no unfinished run", "windlass runs list"]),
    ] {
        windlass(&binary, &state, arguments).check(2, says);
    }
    windlass(&binary, &state, &["runs", "list"]).check(0, &[]);
    let said = Said::of(&command(&binary, &state, &["runs", "list"]).env_clear().output().unwrap());
    said.check(2, &["WINDLASS_STATE_DIR", "HOME"]);
}

#[test]
fn a_state_folder_that_cannot_be_used_stops_before_any_change() {
    let Some(practice) = local() else { return };
    std::fs::write(&practice.state, "").unwrap();
    let before = practice.nodes();
    for arguments in [&["run", "ha-cert", "--yes"][..], &["runs", "list"], &["resume"]] {
        let said = practice.windlass(arguments);
        said.check(2, &[practice.state.as_str()]);
    }
    before.check(&practice.nodes());
}

#[test]
fn a_full_or_read_only_disk_of_the_controller_stops_before_any_change() {
    let Some(practice) = local() else { return };
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a full disk for the controller needs root");
        return;
    }
    std::fs::create_dir(&practice.state).unwrap();
    for (exit, prepare) in [
        (
            4,
            "mount -t tmpfs -o size=64k none \"$0\" && { dd if=/dev/zero of=\"$0/x\" bs=4k 2>/dev/null || :; }",
        ),
        (2, "mount -t tmpfs -o ro none \"$0\""),
    ] {
        let run = practice.command(&["run", "ha-cert", "--yes"]);
        let mut inside = Command::new("unshare");
        inside.args(["-m", "sh", "-c", &format!("{prepare}; exec \"$@\"")]).arg(&practice.state);
        inside.arg(run.get_program()).args(run.get_args()).stdin(Stdio::null());
        inside.env("WINDLASS_STATE_DIR", &practice.state);
        let before = practice.nodes();
        let said = Said::of(&inside.output().unwrap());
        said.check(exit, &["state"]);
        before.check(&practice.nodes());
    }
    practice.is_free();
}

#[test]
fn a_journal_that_is_not_what_it_was_is_named_and_the_others_are_still_listed() {
    let Some(practice) = local() else { return };
    practice.is_free();
    practice.is_free();
    let runs = practice.state.join("runs");
    let mut names: Vec<_> =
        runs.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    names.sort();
    let [broken, whole] = names.as_slice() else { panic!("{names:?}") };
    let files: Vec<_> = runs
        .join(broken)
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    let database = files.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let content = std::fs::read(database).unwrap();
    let half = content[..content.len() / 2].to_vec();
    for bytes in [half, b"garbage\n".repeat(2_000), Vec::new()] {
        std::fs::write(database, &bytes).unwrap();
        let said = practice.windlass(&["runs", "list"]);
        said.check(0, &[whole.as_str(), broken.as_str()]);
        for arguments in [["runs", "show", broken.as_str()], ["runs", "close", broken.as_str()]] {
            practice.windlass(&arguments).check(5, &[broken.as_str(), "is damaged"]);
        }
        practice.windlass(&["resume"]).check(2, &["no unfinished run", broken.as_str(), "cannot be read"]);
        practice.windlass(&["resume", broken]).check(5, &[broken.as_str(), "runs adopt"]);
    }
    practice.is_free();
}
