//! Two controllers at once: the lease lets one of them go on, and tells the other who that is.

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

#[test]
fn of_two_controllers_started_together_never_both_hold_the_lease() {
    let Some(practice) = local() else { return };
    let before = practice.nodes();
    let mut refused = 0;
    for pair in 0..20 {
        let states = ["one", "two"];
        let both = states.map(|state| start(&practice, state, &["run", "ha-cert", "--no-input"]));
        let said = both.map(|child| Said::of(&child.wait_with_output().unwrap()));
        let asked = said.iter().filter(|said| said.err.contains("nobody to ask")).count();
        for said in &said {
            said.check(4, &[if said.err.contains("nobody to ask") { "--yes" } else { "held by" }]);
        }
        assert!(asked > 0, "pair {pair}: neither went on: {said:#?}");
        refused += said.len() - asked;
        let held = states.map(|state| held(&practice, state));
        if let [Some(one), Some(two)] = held {
            assert!(one.1 <= two.0 || two.1 <= one.0, "pair {pair}: both held it: {one:?} {two:?}");
        }
    }
    assert!(refused > 0, "no two of them ever met");
    before.check(&practice.nodes());
    practice.is_free();
}

fn start(practice: &Practice, state: &str, arguments: &[&str]) -> Child {
    let mut command = practice.command(arguments);
    command.env("WINDLASS_STATE_DIR", practice.state.with_file_name(state));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The moments between which the newest run of a controller surely held the lease: from when it noted that
/// it had it, to when it noted its plan. None where it never had it.
fn held(practice: &Practice, state: &str) -> Option<(i64, i64)> {
    let mut command = practice.command(&["--json", "runs", "show"]);
    command.env("WINDLASS_STATE_DIR", practice.state.with_file_name(state));
    let rows = Said::of(&command.output().unwrap()).out;
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let at = |word: &str| {
        let row = rows.iter().rfind(|row| row["row"].to_string().contains(word))?;
        Some(row["at"].as_i64().unwrap())
    };
    Some((at("\"lease-taken\"")?, at("\"planned\"")?))
}
