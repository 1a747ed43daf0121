//! The kill matrix: a controller killed at every place that a run passes, then resumed or taken back.
//!
//! The places come from a run that records them (`host/src/fuse.rs`): before the intent of an effect, between intent
//! and act, while a node has its script, during a job, between act and outcome, before the answer; and between
//! effects, where leases and guards are. Every place of a change and of what is kept; one of each observation and of
//! each gap. `cargo xtask test --matrix` goes through all of them, an ordinary run through a few that a seed
//! chooses.

use super::crash::Dice;
use super::e2e::{PLAIN, Pair, Taste, up};
use super::proof;
use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use windlass::lab::Transport;

/// Root and leaves by Windlass and by the product; a root of the product's has its leaves by the product.
const TASTES: [Taste; 3] = [PLAIN, Taste { leaf: "host", ..PLAIN }, Taste { ca: "product", ..PLAIN }];

/// A root of ECDSA, for the time that one of RSA takes: where a run can be cut is the same.
const RUN: [&str; 5] = ["run", "ha-cert", "--yes", "-p", "algorithm=ecdsa-p256"];

/// A place that a run passes, as `WINDLASS_FUSE` records it.
#[derive(Debug, Clone)]
pub struct Place {
    pub at: u64,
    pub effect: u64,
    pub call: String,
    pub class: String,
    pub place: String,
    pub words: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place { at, effect, call, place, words, .. } = self;
        write!(f, "{at} ({place} of effect {effect} in {call}: {words})")
    }
}

/// What follows the kill.
#[derive(Debug, Clone)]
pub enum Then {
    Resume,
    RollBack,
    /// The rollback is killed too, at this of its places, and begun again.
    RollBackKilledAt(u64),
}

struct Case {
    transport: Transport,
    taste: Taste,
    place: Place,
    then: Then,
}

/// One case of a matrix.
pub trait Work: Sync {
    fn title(&self) -> String;

    /// A pair for it, which serves the following cases too.
    fn up(&self) -> Option<Pair>;

    /// Whether a pair that served another case serves this one.
    fn goes_with(&self, _other: &Self) -> bool {
        true
    }

    /// Fails where something does not hold; false: the pair serves no other case.
    fn check(&self, pair: &Pair) -> bool;
}

/// Runs a command that writes down every place it passes.
pub fn recorded(pair: &Pair, arguments: &[&str], code: i32) -> Vec<Place> {
    let file = pair.controller.join("places");
    let mut command = pair.command(arguments);
    command.env("WINDLASS_FUSE", format!("record:{file}"));
    super::e2e::Ended::from(command.output().unwrap()).expect(code);
    read(&file)
}

/// Reads the places that a command has written down.
pub fn read(file: &camino::Utf8Path) -> Vec<Place> {
    let text = std::fs::read_to_string(file).unwrap();
    let place = |line: &str| {
        let mut words = line.splitn(6, ' ');
        let mut word = || words.next().unwrap().to_owned();
        Place {
            at: word().parse().unwrap(),
            effect: word().parse().unwrap(),
            call: word(),
            class: word(),
            place: word(),
            words: word(),
        }
    };
    text.lines().map(place).collect()
}

/// Runs a command that is killed at a place; where it ended before it got there, says so.
pub fn killed(pair: &Pair, arguments: &[&str], at: u64) -> bool {
    let output = pair.command(arguments).env("WINDLASS_FUSE", at.to_string()).output().unwrap();
    match output.status.signal() {
        Some(9) => true,
        // Waiting for a service may take an effect more or less.
        None => false,
        Some(other) => panic!("ended by signal {other}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Every place of a change and of what is kept; one of each observation, and of each gap between effects.
pub fn chosen(places: &[Place], dice: &mut Dice) -> Vec<Place> {
    let mut groups: BTreeMap<(u64, &str), Vec<&Place>> = BTreeMap::new();
    for place in places {
        groups.entry((place.effect, &place.class)).or_default().push(place);
    }
    let mut chosen = Vec::new();
    for ((_, class), group) in groups {
        match class {
            "Change" | "Keep" => chosen.extend(group.into_iter().cloned()),
            _ => chosen.push(group[dice.below(group.len())].clone()),
        }
    }
    chosen
}

/// One place of each effect: where a rollback is cut short.
pub fn one_of_each(places: &[Place], dice: &mut Dice) -> Vec<Place> {
    let mut effects: BTreeMap<u64, Vec<&Place>> = BTreeMap::new();
    for place in places.iter().filter(|place| place.class != "Between") {
        effects.entry(place.effect).or_default().push(place);
    }
    effects.into_values().map(|of_it| of_it[dice.below(of_it.len())].clone()).collect()
}

/// The last place of each step's last change: one state for each changing step.
pub fn states(places: &[Place]) -> Vec<Place> {
    let answered = places.iter().filter(|place| place.class == "Change" && place.place == "BeforeAnswer");
    let last: BTreeMap<&str, &Place> = answered.map(|place| (place.call.as_str(), place)).collect();
    last.into_values().cloned().collect()
}

/// All that there is to go through, for one taste; where it is to be `quick`, rollbacks of one state only.
fn cases(transport: Transport, taste: Taste, quick: bool, dice: &mut Dice) -> Option<Vec<Case>> {
    let pair = up(transport, taste)?;
    let before = pair.content();
    let places = recorded(&pair, &RUN, 0);
    proof::new_consistent(&pair, &before);
    let mut cases = Vec::new();
    for place in chosen(&places, dice) {
        cases.push(Case { transport, taste, place: place.clone(), then: Then::Resume });
        if place.class == "Change" {
            cases.push(Case { transport, taste, place, then: Then::RollBack });
        }
    }
    let mut states = states(&places);
    if quick {
        states = vec![states.swap_remove(dice.below(states.len()))];
    }
    for place in states {
        if !killed(&pair, &RUN, place.at) {
            continue;
        }
        let back = recorded(&pair, &["rollback"], 1);
        for place_back in one_of_each(&back, dice) {
            let then = Then::RollBackKilledAt(place_back.at);
            cases.push(Case { transport, taste, place: place.clone(), then });
        }
    }
    Some(cases)
}

impl Work for Case {
    fn title(&self) -> String {
        let Case { taste, place, then, .. } = self;
        format!("ca {}, leaf {}, killed at {place}, then {then:?}", taste.ca, taste.leaf)
    }

    fn up(&self) -> Option<Pair> {
        up(self.transport, self.taste)
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.taste == other.taste
    }

    /// One kill, and what follows it.
    fn check(&self, pair: &Pair) -> bool {
        let (before, executions) = (pair.content(), pair.executions());
        let killed_there = killed(pair, &RUN, self.place.at);
        match self.then {
            _ if !killed_there => proof::new_consistent(pair, &before),
            Then::Resume => {
                let resumed = pair.windlass(&["resume", "--yes"]);
                // Killed after it was over: there is nothing left to do.
                if !(resumed.code == Some(2) && resumed.err.contains("no unfinished run")) {
                    resumed.expect(0);
                }
                proof::new_consistent(pair, &before);
                super::crash::ran_as_a_whole_run(pair, executions, self.taste);
            }
            Then::RollBack | Then::RollBackKilledAt(_) => {
                if let Then::RollBackKilledAt(at) = self.then {
                    killed(pair, &["rollback"], at);
                }
                let run = pair.last_run();
                let back = pair.windlass(&["rollback", &run]);
                // Killed before anything changed, or after it was taken back.
                if !(back.code == Some(2) && back.err.contains("nothing left to do")) {
                    back.expect(1);
                }
                proof::as_it_was(pair, &before);
            }
        }
        true
    }
}

/// The cases that passed, in the file that `WINDLASS_MATRIX_LOG` names: a matrix that was interrupted goes on there.
/// It says nothing of another build, so a file goes with one.
struct Passed {
    before: HashSet<String>,
    file: Option<Mutex<std::fs::File>>,
}

impl Passed {
    fn open() -> Self {
        let Some(path) = std::env::var_os("WINDLASS_MATRIX_LOG") else {
            return Self { before: HashSet::new(), file: None };
        };
        let before = std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        Self { before, file: Some(Mutex::new(file)) }
    }

    fn note(&self, title: &str) {
        if let Some(file) = &self.file {
            writeln!(file.lock().unwrap(), "{title}").unwrap();
        }
    }
}

/// Goes through cases on two pairs at once; prints how many and how long.
pub fn go_through<W: Work>(what: &str, cases: &[W]) {
    let began = Instant::now();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let passed = Passed::open();
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut pair: Option<(&W, Pair)> = None;
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if passed.before.contains(&case.title()) {
                        continue;
                    }
                    if pair.as_ref().is_none_or(|(before, _)| !case.goes_with(before)) {
                        drop(pair.take());
                        pair = case.up().map(|pair| (case, pair));
                    }
                    let Some((_, on)) = &pair else { return };
                    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.check(on)));
                    done.fetch_add(1, Ordering::Relaxed);
                    if checked.is_ok() {
                        passed.note(&case.title());
                        on.forget_runs();
                    }
                    if checked.is_err() {
                        println!("FAILED: {}", case.title());
                        failures.lock().unwrap().push(case.title());
                    }
                    // What a failure left is nobody's to build on.
                    if !checked.unwrap_or(false) {
                        pair = None;
                    }
                }
            });
        }
    });
    if !passed.before.is_empty() {
        let before = cases.iter().filter(|case| passed.before.contains(&case.title())).count();
        println!("{before} of {} cases passed in an earlier go", cases.len());
    }
    println!("{} cases, {what}, in {:.0} s", done.into_inner(), began.elapsed().as_secs_f64());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// All cases, or so many that the dice choose, of all tastes.
fn matrix(transport: Transport, tastes: &[Taste], few: usize) {
    let mut dice = Dice::roll();
    let quick = std::env::var_os("WINDLASS_MATRIX").is_none();
    let mut all = Vec::new();
    for taste in tastes {
        let Some(cases) = cases(transport, *taste, quick, &mut dice) else { return };
        println!("{} cases with ca {}, leaf {}", cases.len(), taste.ca, taste.leaf);
        all.push(cases);
    }
    if quick {
        thin(&mut all, few, &mut dice);
    }
    let what = format!("kills over {transport:?}");
    go_through(&what, &all.into_iter().flatten().collect::<Vec<_>>());
}

/// Leaves so many cases that the dice choose, as many of each taste.
pub fn thin<W>(all: &mut [Vec<W>], few: usize, dice: &mut Dice) {
    let each = few.div_ceil(all.len());
    for cases in all {
        while cases.len() > each {
            cases.swap_remove(dice.below(cases.len()));
        }
    }
}

#[test]
fn killed_anywhere_on_local_nodes_a_run_is_resumed_or_taken_back() {
    matrix(Transport::Local, &TASTES, 40);
}

#[test]
fn killed_anywhere_over_ssh_a_run_is_resumed_or_taken_back() {
    if std::env::var_os("WINDLASS_MATRIX").is_some() {
        println!("skipped: the whole matrix is gone through on local nodes");
        return;
    }
    matrix(Transport::Ssh, &TASTES[..1], 12);
}
