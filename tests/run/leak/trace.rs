//! Every program that a run starts, on the controller and on the nodes, as the kernel is asked for it: traced,
//! not sampled, so that the shortest process is seen with its arguments and environment.

use camino::{Utf8Path, Utf8PathBuf};
use std::os::unix::fs::PermissionsExt as _;

/// Lines that strace writes: every `execve` with all of its strings, in hexadecimal. The tracer stands aside
/// (`-D`), so that the traced program is the one that was started.
const TRACE: &str = "-D -f -qq -v -xx -s 1048576 -e signal=none -e trace=execve,execveat -o";

/// Why programs cannot be traced here.
pub fn cannot() -> Option<&'static str> {
    let traced = std::process::Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-o", "/dev/null", "true"])
        .stdin(std::process::Stdio::null())
        .output();
    match traced {
        Err(_) => Some("strace is not installed"),
        Ok(output) if !output.status.success() => Some("strace may not trace here"),
        Ok(_) => None,
    }
}

/// The words that trace a program which follows them, into a file.
pub fn words(log: &Utf8Path) -> Vec<String> {
    // Only the traced calls stop a program; but what sudo needs, new privileges, is gone.
    with(&["--seccomp-bpf"], log)
}

fn with(more: &[&str], log: &Utf8Path) -> Vec<String> {
    let words = ["strace"].iter().chain(more).map(|word| (*word).to_owned());
    words.chain(TRACE.split(' ').map(String::from)).chain([log.to_string()]).collect()
}

/// A program that is the real one, and traced where it becomes the supervisor of a practice cluster: so every
/// node is, its sshd first.
pub fn supervisor(binary: &Utf8Path, folder: &Utf8Path, log: &Utf8Path) -> Utf8PathBuf {
    let program = folder.join("traced-windlass");
    let text = format!(
        "#!/bin/sh\n[ \"$2\" = supervisor ] && exec {} {binary} \"$@\"\nexec {binary} \"$@\"\n",
        with(&[], log).join(" ")
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// What each traced program was given: its arguments and its environment, each word ended by a zero.
pub fn programs(log: &Utf8Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().filter(|line| line.contains(" execve")).map(|line| strings(line).join(&0)).collect()
}

/// The strings of a line, between quotes and in hexadecimal.
fn strings(line: &str) -> Vec<Vec<u8>> {
    let quoted = line.split('"').skip(1).step_by(2);
    let byte = |digits: &str| u8::from_str_radix(digits, 16).unwrap();
    quoted.map(|string| string.split("\\x").skip(1).map(byte).collect()).collect()
}

#[test]
fn a_traced_line_is_read_back() {
    let line = r#"7 execve("\x2f\x61", ["\x61", "\x22\x5b", ""], ["\x4b\x3d\x0a"]) = 0"#;
    assert_eq!(strings(line).join(&0), b"/a\0a\0\"[\0\0K=\n");
}
