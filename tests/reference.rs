//! What a shell and `man` are given: made without error, and in a form that their own readers accept.

use std::process::{Command, Output, Stdio};

fn windlass(arguments: &[&str]) -> Output {
    let binary = std::env::var("WINDLASS_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_windlass").into());
    Command::new(binary).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Whether a program is here; a line says so where it is not.
fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: there is no {program} to read what is made for it");
    }
    found
}

#[test]
fn completions_are_read_by_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let made = windlass(&["completions", shell]);
        assert!(made.status.success(), "{shell}: {made:?}");
        let text = String::from_utf8(made.stdout).unwrap();
        for word in ["gen-cert", "rollback", "site"] {
            assert!(text.contains(word), "{shell} is not told of {word}");
        }
        if is_here(shell) {
            let file = folder.path().join(shell);
            std::fs::write(&file, text).unwrap();
            let read = Command::new(shell).arg("-n").arg(&file).output().unwrap();
            assert!(read.status.success() && read.stderr.is_empty(), "{shell} -n: {read:?}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let made = windlass(&["man", folder.path().to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let mut pages: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    for page in ["windlass.1", "windlass-run.1", "windlass-runs-close.1", "windlass-lab-break.1"] {
        assert!(pages.iter().any(|made| made == page), "{page} is missing: {pages:?}");
    }
    for page in pages.iter().filter(|_| is_here("man")) {
        let read = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(folder.path().join(page))
            .env("MANWIDTH", "100")
            .output()
            .unwrap();
        assert!(read.status.success(), "{page}: {read:?}");
        assert!(String::from_utf8_lossy(&read.stderr).is_empty(), "{page}: {read:?}");
    }
}

#[test]
fn a_folder_that_does_not_exist_is_refused_with_the_next_command() {
    let refused = windlass(&["man", "/does/not/exist"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("mkdir -p /does/not/exist"), "{refused:?}");
}
