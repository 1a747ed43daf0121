//! Two controllers at once: the lease lets one of them go on, and tells the other who that is. `run::lease` tries
//! it many times, and what a take-over does.

use super::*;
use std::process::Child;
use std::time::{Duration, Instant};

#[test]
fn a_second_run_is_refused_and_told_who_holds_the_lease() {
    let Some(practice) = local() else { return };
    practice.set(Switch::Slow);
    let first = start(&practice, "state", &["run", "ha-cert", "--yes"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !practice.lab.journal("master1").unwrap().iter().any(|line| line.ends_with(" replacehaSSLCert")) {
        assert!(Instant::now() < deadline, "the first run never came to its script");
        std::thread::sleep(Duration::from_millis(20));
    }
    let holder = practice.windlass(&["--json", "runs", "list"]).out;
    let holder: serde_json::Value = serde_json::from_str(holder.lines().next().unwrap()).unwrap();
    let holder = holder["run"].as_str().unwrap().to_owned();
    let mut second = practice.command(&["run", "ha-cert", "--yes"]);
    second.env("WINDLASS_STATE_DIR", practice.state.with_file_name("another"));
    Said::of(&second.output().unwrap()).check(4, &["lease", "held by", &holder, "next:"]);
    practice.windlass(&["resume", &holder]).check(4, &[&holder]);
    Said::of(&first.wait_with_output().unwrap()).check(0, &["done and verified"]);
    practice.is_free();
}

fn start(practice: &Practice, state: &str, arguments: &[&str]) -> Child {
    let mut command = practice.command(arguments);
    command.env("WINDLASS_STATE_DIR", practice.state.with_file_name(state));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
