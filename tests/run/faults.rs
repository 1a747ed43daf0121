//! The fault matrix: at each effect of a run, something happens to a node. What comes of it is the old state, the new
//! one, or a pause with what was saved intact; and once the node is well again, `resume` or `rollback` ends it.
//!
//! The controller is stopped at a place (`host/src/fuse.rs`), the node has its fault, and the controller goes on.
//! `cargo xtask test --matrix` goes through every effect with every fault, an ordinary run through a few that a seed
//! chooses.

use super::crash::Dice;
use super::e2e::{Ended, NODES, PLAIN, Pair, up};
use super::matrix::{Place, Work, go_through, recorded};
use super::proof;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};
use windlass::lab::{Switch, Transport};

/// What was restarted need not be waited for as long as the product may take.
const RUN: [&str; 6] = ["run", "ha-cert", "--yes", "-p", "patience=15", "-palgorithm=ecdsa-p256"];
/// Seconds that a run may go on behind its fault: connections that hang are given up after some.
const PATIENCE: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NodeKilled,
    NodeRebooted,
    LinkDown,
    DiskFull,
}

pub const FAULTS: [Fault; 4] = [Fault::NodeKilled, Fault::NodeRebooted, Fault::LinkDown, Fault::DiskFull];

impl Fault {
    fn switches(self) -> &'static [Switch] {
        match self {
            Fault::NodeKilled | Fault::NodeRebooted => &[Switch::NodeDown],
            Fault::LinkDown => &[Switch::LinkDown],
            Fault::DiskFull => &[Switch::DiskFull, Switch::HomeFull],
        }
    }

    pub fn strikes(self, pair: &Pair, node: &str) {
        self.set(pair, node, false);
        if self == Fault::NodeRebooted {
            self.set(pair, node, true);
        }
    }

    pub fn is_repaired(self, pair: &Pair, node: &str) {
        self.set(pair, node, true);
    }

    fn set(self, pair: &Pair, node: &str, off: bool) {
        for switch in self.switches() {
            pair.lab.break_with(*switch, Some(node), off, &[]).unwrap();
        }
    }
}

#[derive(Debug, Clone)]
struct Case {
    fault: Fault,
    node: &'static str,
    place: Place,
    back: bool,
}

impl Work for Case {
    fn title(&self) -> String {
        let Case { fault, node, place, back } = self;
        let then = if *back { "rollback" } else { "resume" };
        format!("{fault:?} of {node} at {place}, then {then}")
    }

    fn up(&self) -> Option<Pair> {
        let pair = up(Transport::Ssh, PLAIN)?;
        // What hangs is found out soon.
        pair.impatient();
        Some(pair)
    }

    fn check(&self, pair: &Pair) -> bool {
        let before = pair.content();
        let Some(ended) = self.strike(pair) else {
            proof::new_consistent(pair, &before);
            return true;
        };
        self.fault.is_repaired(pair, self.node);
        match ended.code {
            Some(0) => proof::new_consistent(pair, &before),
            // Nothing was changed. A lease that could not be given back is named to the next run, which takes it.
            Some(1 | 4) if leased(pair) => {
                assert!(pair.content() == before, "changed: {ended:?}");
                pair.wait_normal();
                let held = pair.windlass(&RUN).expect(4);
                assert!(held.err.contains("--take-over"), "{held:?}");
                pair.windlass(&[&RUN[..], &["--take-over"]].concat()).expect(0);
                proof::new_consistent(pair, &before);
            }
            Some(1 | 4) => proof::as_it_was(pair, &before),
            Some(5) => {
                let run = pair.last_run();
                assert!(ended.err.contains(&format!("windlass resume {run}")), "{ended:?}");
                saved_is_intact(pair, &run, &before);
                self.go_on(pair, &run, &before);
            }
            _ => panic!("{ended:?}"),
        }
        true
    }
}

impl Case {
    fn strike(&self, pair: &Pair) -> Option<Ended> {
        strike(pair, &RUN, &self.place, || self.fault.strikes(pair, self.node))
    }

    /// What the operator types, once the node is well.
    fn go_on(&self, pair: &Pair, run: &str, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
        if !self.back {
            let resumed = pair.windlass(&["resume", run, "--yes"]);
            match resumed.code {
                Some(0) => return proof::new_consistent(pair, before),
                // What a node's death cut short cannot always be told, or done again.
                Some(5) => {
                    println!("{}: resume pauses again: {}", self.title(), resumed.err.replace('\n', " | "));
                    assert!(resumed.err.contains(&format!("windlass rollback {run}")), "{resumed:?}");
                }
                _ => panic!("{resumed:?}"),
            }
        }
        pair.windlass(&["rollback", run]).expect(1);
        proof::as_it_was(pair, before);
    }
}

/// Runs a command until a place, has the fault happen, and returns how it ended; None where it never got there.
pub fn strike(pair: &Pair, arguments: &[&str], place: &Place, fault: impl FnOnce()) -> Option<Ended> {
    let mut command = pair.command(arguments);
    command.env("WINDLASS_FUSE", format!("stop:{}", place.at));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id() as i32;
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    };
    let deadline = Instant::now() + PATIENCE;
    let mut stopped = false;
    while !stopped && state() != 'Z' {
        assert!(Instant::now() < deadline, "it neither stopped nor ended");
        std::thread::sleep(Duration::from_millis(2));
        stopped = state() == 'T';
    }
    if stopped {
        fault();
        kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
        while state() != 'Z' && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if state() != 'Z' {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            panic!("it hangs: {:?}", Ended::from(child.wait_with_output().unwrap()));
        }
    }
    let ended: Ended = child.wait_with_output().unwrap().into();
    if !stopped {
        ended.expect(0);
        return None;
    }
    Some(ended)
}

/// Whether a node says that a run has it.
fn leased(pair: &Pair) -> bool {
    NODES.iter().any(|node| pair.home(node).join(".windlass/lease").exists())
}

/// What the run saved of a file on a node is what that held before the run.
fn saved_is_intact(pair: &Pair, run: &str, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
    for node in NODES {
        let cert_ha = format!("{}/{}/", pair.lab.product().bigdata_home(), pair.lab.product().cert_ha());
        let saved = pair.home(node).join(format!(".windlass/runs/{run}/saved/before"));
        let Ok(entries) = saved.read_dir_utf8() else { continue };
        for entry in entries.map(|entry| entry.unwrap().path().to_owned()) {
            // One that is being made is not one yet.
            if entry.file_name().unwrap().starts_with('.') {
                continue;
            }
            let text = std::fs::read_to_string(entry.join("entry")).unwrap();
            let path = text.lines().nth(1).unwrap();
            for file in super::e2e::files(&entry).into_iter().chain([entry.join("data")]) {
                let Ok(below) = file.strip_prefix(entry.join("data")) else { continue };
                let full = format!("{path}/{below}");
                let Some(name) = full.trim_end_matches('/').strip_prefix(&cert_ha) else { continue };
                if let Ok(bytes) = std::fs::read(&file) {
                    assert!(bytes == before[&format!("{node} {name}")].0, "{name} as saved on {node}");
                }
            }
        }
    }
}

/// Where something may happen to a node: before each effect that asks a node acts; for a change, also while the node
/// has its script and its job.
pub fn exposed(places: &[Place]) -> Vec<Place> {
    let asking: BTreeSet<u64> =
        places.iter().filter(|place| place.place == "Sent").map(|place| place.effect).collect();
    let mut chosen = BTreeSet::new();
    let mut struck = Vec::new();
    for place in places {
        let wanted = match place.class.as_str() {
            "Change" => matches!(place.place.as_str(), "BeforeAct" | "Sent" | "Running"),
            "Observe" => place.place == "BeforeAct" && asking.contains(&place.effect),
            _ => false,
        };
        if wanted && chosen.insert((place.effect, place.place.clone())) {
            struck.push(place.clone());
        }
    }
    struck
}

fn cases(places: &[Place], dice: &mut Dice) -> Vec<Case> {
    let struck = exposed(places);
    let mut cases = Vec::new();
    for fault in FAULTS {
        for place in &struck {
            let own = NODES.into_iter().find(|node| place.words.contains(node));
            let node = own.unwrap_or(NODES[dice.below(2)]);
            cases.push(Case { fault, node, place: place.clone(), back: dice.below(2) == 0 });
        }
    }
    cases
}

#[test]
fn whatever_happens_to_a_node_a_run_ends_whole_or_stands_and_goes_on() {
    let mut dice = Dice::roll();
    let places = {
        let Some(pair) = up(Transport::Ssh, PLAIN) else { return };
        recorded(&pair, &RUN, 0)
    };
    let mut cases = cases(&places, &mut dice);
    println!("{} cases", cases.len());
    if std::env::var_os("WINDLASS_MATRIX").is_none() {
        // Two of each, at changes.
        let mut few = Vec::new();
        for fault in FAULTS {
            let of_it: Vec<_> =
                cases.iter().filter(|case| case.fault == fault && case.place.class == "Change").collect();
            few.extend((0..2).map(|_| of_it[dice.below(of_it.len())].clone()));
        }
        cases = few;
    }
    go_through("faults over ssh", &cases);
}
