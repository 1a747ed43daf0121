//! Crash anywhere, resume, and the end is that of an uninterrupted run: no wasm, no nodes.
//!
//! `each` is the same for `run-each`, whose children are under way together; `hooks` what a site's hooks do to a run; `planned` for a run that follows a
//! plan.
//!
//! The cluster is a small world in memory; a crash is a future that is dropped where it waits, with the
//! rows that were not committed lost.

mod each;
mod hooks;
mod one_way;
mod planned;

use super::*;
use crate::backend::{Acted, Backend, Ready};
use crate::effect::{CallPath, Events, Interrupt};
use crate::journal::{Journal, KeptObject, Row, Settlement, StoredRow, Trace};
use crate::model::*;
use crate::policy::{Facts, Gate, Permit, Rules};
use crate::site::GrantBlock;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What outlives the controller.
#[derive(Debug, Default, Clone, PartialEq)]
struct World {
    files: BTreeMap<String, Vec<u8>>,
    saved: BTreeMap<String, Option<Vec<u8>>>,
    /// How often each command really ran.
    ran: BTreeMap<String, u32>,
    /// Job records by intent.
    jobs: BTreeMap<i64, ()>,
    lease: Option<u64>,
    token: u64,
}

struct Sim {
    world: Arc<Mutex<World>>,
    /// Crash when this many points have been passed.
    crash_at: Option<u32>,
    passed: Mutex<u32>,
    /// So many commands succeed, then so many fail.
    fails: Mutex<(u32, u32)>,
    roles: Mutex<Roles>,
    /// Children of a `run-each` at once.
    concurrency: usize,
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}
fn roles() -> Roles {
    Roles { first: node("a"), second: node("b") }
}

impl Sim {
    fn new(world: &Arc<Mutex<World>>, crash_at: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            crash_at,
            passed: Mutex::new(0),
            fails: Mutex::default(),
            roles: Mutex::new(roles()),
            concurrency: 3,
        })
    }
    fn fail_after(&self, well: u32, badly: u32) {
        *self.fails.lock().unwrap() = (well, badly);
    }
    /// A place where the controller can die.
    async fn point(&self) {
        let here = {
            let mut passed = self.passed.lock().unwrap();
            *passed += 1;
            *passed
        };
        // Nothing goes on after it, whatever was under way beside it.
        if self.crash_at.is_some_and(|crash| here >= crash) {
            pending::<()>().await;
        }
    }
    async fn really(&self, effect: &Effect, sequence: i64) -> Result<Answer, Fault> {
        match effect {
            Effect::FilesPut { file, content: Content::Bytes(bytes), .. } => {
                let mut world = self.world.lock().unwrap();
                let before = world.files.get(file.as_str()).cloned();
                world.saved.entry(file.to_string()).or_insert(before);
                world.files.insert(file.to_string(), bytes.clone());
                Ok(Answer::Done)
            }
            Effect::FilesRestore { name, .. } => {
                let mut world = self.world.lock().unwrap();
                match world.saved.get(name).cloned() {
                    Some(Some(bytes)) => drop(world.files.insert(name.clone(), bytes)),
                    Some(None) => drop(world.files.remove(name)),
                    None => {}
                }
                Ok(Answer::Done)
            }
            Effect::NodesRun { node, command, .. } => {
                let failing = {
                    let (well, badly) = &mut *self.fails.lock().unwrap();
                    let failing = *well == 0 && *badly > 0;
                    match failing {
                        true => *badly -= 1,
                        false => *well = well.saturating_sub(1),
                    }
                    failing
                };
                {
                    let mut world = self.world.lock().unwrap();
                    world.jobs.insert(sequence, ());
                    *world.ran.entry(format!("{command}@{node}")).or_default() += 1;
                }
                // The job goes on without the controller.
                self.point().await;
                Ok(Answer::Outcome(Outcome {
                    succeeded: !failing,
                    exit: i32::from(failing),
                    reason: String::new(),
                    output: Vec::new(),
                }))
            }
            Effect::FilesFingerprint { file, .. } => {
                let world = self.world.lock().unwrap();
                Ok(Answer::Text(world.files.get(file.as_str()).map(|bytes| format!("{bytes:?}"))))
            }
            _ => Ok(Answer::Done),
        }
    }
}

impl Facts for Sim {
    fn places(&self, _: &NodeName) -> Vec<String> {
        Vec::new()
    }
    fn set_members(&self, _: &ObjectName, _: &NodeName) -> Vec<FileName> {
        Vec::new()
    }
    fn is_command(&self, _: &str) -> bool {
        false
    }
    fn secret_in_argv(&self, _: &CommandName) -> bool {
        false
    }
}

impl Backend for Sim {
    fn as_facts(&self) -> &dyn Facts {
        self
    }
    fn class(&self, effect: &Effect) -> EffectClass {
        match effect {
            Effect::NodesRun { command, .. } | Effect::NodesRunEach { command, .. }
                if command.as_str() == "look" =>
            {
                EffectClass::Observe
            }
            Effect::FilesPut { .. }
            | Effect::NodesRun { .. }
            | Effect::NodesRunEach { .. }
            | Effect::FilesRestore { .. } => EffectClass::Change,
            Effect::StateSet { .. } => EffectClass::Keep,
            _ => EffectClass::Observe,
        }
    }
    fn concurrency(&self) -> usize {
        self.concurrency
    }
    fn act<'a>(
        &'a self,
        _: &'a PluginName,
        permit: Permit,
        sequence: i64,
        _: Ready,
    ) -> BoxFuture<'a, Result<Acted, Stop>> {
        async move {
            self.point().await;
            let answer = self.really(permit.effect(), sequence).await;
            self.point().await;
            Ok(answer.into())
        }
        .boxed()
    }
    fn settle<'a>(
        &'a self,
        _: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, Result<(Acted, Settlement), Stop>> {
        async move {
            self.point().await;
            let known = self.world.lock().unwrap().jobs.contains_key(&sequence);
            if known {
                let outcome = Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() };
                return Ok((Ok(Answer::Outcome(outcome)).into(), Settlement::FoundDone));
            }
            let answer = self.really(permit.effect(), sequence).await;
            self.point().await;
            Ok((answer.into(), Settlement::ActsAgain))
        }
        .boxed()
    }
    fn recall(
        &self,
        _: &PluginName,
        _: &Effect,
        _: &Answer,
        _: &[KeptObject],
        _: &[Trace],
    ) -> Result<(), Stop> {
        Ok(())
    }
}

impl Ground for Sim {
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend> {
        self
    }
    fn take_lease<'a>(
        &'a self,
        _: &'a RunId,
        _: &'a PluginName,
    ) -> BoxFuture<'a, Result<Vec<(NodeName, u64)>, GroundError>> {
        async move {
            let mut world = self.world.lock().unwrap();
            world.token += 1;
            world.lease = Some(world.token);
            Ok(vec![(node("a"), world.token)])
        }
        .boxed()
    }
    fn hold_lease<'a>(&'a self, tokens: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            let held = self.world.lock().unwrap().lease;
            match tokens.iter().all(|(_, token)| Some(*token) == held) {
                true => Ok(()),
                false => Err(GroundError::new(GroundErrorKind::Lost, "the lease is another's")),
            }
        }
        .boxed()
    }
    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        self.world.lock().unwrap().lease = None;
        async { Ok(()) }.boxed()
    }
    fn observe_roles<'a>(&'a self) -> BoxFuture<'a, Result<Option<Roles>, GroundError>> {
        async { Ok(Some(self.roles.lock().unwrap().clone())) }.boxed()
    }
    fn bind_roles(&self, _: &Roles) {}
    fn compare_clocks<'a>(&'a self, _: &'a [NodeName]) -> BoxFuture<'a, Result<Option<String>, GroundError>> {
        async { Ok(None) }.boxed()
    }
    fn reach<'a>(&'a self, _: &'a [NodeName]) -> BoxFuture<'a, Result<(), GroundError>> {
        async { Ok(()) }.boxed()
    }
    fn tidy<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        async { Ok(()) }.boxed()
    }
    fn may_switch_roles(&self, command: &str) -> bool {
        command == "restart"
    }
}

/// Three steps: write two files and run a command on each of two nodes, then a last command.
struct Play;

const STEPS: [&str; 3] = ["copy", "replace", "restart"];

fn put(file: &str, bytes: &[u8]) -> Effect {
    Effect::FilesPut {
        node: node("a"),
        file: FileName::new(file).unwrap(),
        content: Content::Bytes(bytes.to_vec()),
    }
}
fn execute(command: &str, on: &str) -> Effect {
    Effect::NodesRun { node: node(on), command: CommandName::new(command).unwrap(), arguments: Vec::new() }
}

async fn ask(path: &mut CallPath, effect: Effect) -> Result<Answer, CallError> {
    match path.perform(effect).await {
        Ok(Ok(Answer::Outcome(outcome))) if !outcome.succeeded => {
            Err(CallError::Fault(Fault::new(code::FAILED, "the command failed")))
        }
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(CallError::Fault(fault)),
        Err(stop) => Err(CallError::Stop(stop)),
    }
}

impl Procedure for Play {
    fn steps<'a>(&'a self, mut path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        async move {
            ask(&mut path, Effect::ClockNow).await?;
            Ok(STEPS
                .iter()
                .map(|id| PlannedStep {
                    id: StepId::new(*id).unwrap(),
                    title: String::new(),
                    nodes: vec![node("a")],
                    impact: String::new(),
                    guards: vec!["roles".into(), "reachable".into(), "clocks".into()],
                    undoable: true,
                })
                .collect())
        }
        .boxed()
    }
    fn apply<'a>(&'a self, step: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move {
            match step.as_str() {
                "copy" => {
                    ask(&mut path, Effect::ClockNow).await?;
                    ask(&mut path, put("root", b"new")).await?;
                    ask(&mut path, put("key", b"newer")).await?;
                }
                "replace" => {
                    ask(&mut path, execute("replace", "a")).await?;
                    ask(&mut path, Effect::StateSet { name: "x".into(), value: "y".into() }).await?;
                    ask(&mut path, execute("replace", "b")).await?;
                }
                _ => drop(ask(&mut path, execute("restart", "a")).await?),
            }
            Ok(())
        }
        .boxed()
    }
    fn undo<'a>(&'a self, step: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move {
            if step.as_str() == "copy" {
                for name in ["root", "key"] {
                    ask(&mut path, Effect::FilesRestore { node: node("a"), name: name.into() }).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }
    fn verify<'a>(&'a self, mut path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        async move {
            let file = FileName::new("root").unwrap();
            let seen = ask(&mut path, Effect::FilesFingerprint { node: node("a"), file }).await?;
            Ok(vec![Check {
                title: "root".into(),
                passed: seen == Answer::Text(Some(format!("{:?}", b"new".to_vec()))),
                evidence: Vec::new(),
            }])
        }
        .boxed()
    }
}

struct Yes;
impl Asker for Yes {
    fn go_ahead(&self, _: Option<&Roles>, _: &[PlannedStep], _: &[BoundHook]) -> GoAhead {
        GoAhead::Yes
    }
}

fn gate() -> Gate {
    let block = GrantBlock {
        commands: vec!["replace".into(), "restart".into(), "look".into()],
        files: vec!["write root".into(), "write key".into(), "stat root".into()],
        general: vec!["clock".into(), "state".into()],
        ..GrantBlock::default()
    };
    let rules = Rules::parse(&block).unwrap();
    Gate::new(PluginName::new("play").unwrap(), rules.clone(), rules, false)
}

fn machine(
    procedure: Arc<dyn Procedure>,
    sim: &Arc<Sim>,
    journal: Journal,
    rows: Vec<StoredRow>,
    roll_back_on_failure: bool,
) -> Machine {
    let events: Events = Arc::new(|_| {});
    let position = Tracked::of(&journal, &rows);
    Machine {
        settings: Settings {
            run: journal.run().clone(),
            plugin: PluginName::new("play").unwrap(),
            site: "practice".into(),
            told_run: journal.run().to_string(),
            planning: false,
            roll_back_on_failure,
            preflight_code: "preflight",
        },
        gate: gate(),
        procedure,
        hooks: Vec::new(),
        ground: sim.clone(),
        journal: Arc::new(journal),
        events,
        interrupt: Interrupt::default(),
        asker: Arc::new(Yes),
        expected: None,
        rows,
        position,
    }
}

/// One life of the controller. None: it crashed.
fn live(runs: &camino::Utf8Path, sim: &Arc<Sim>, first: bool, back: bool) -> Option<Ending> {
    lived(opened(Arc::new(Play), runs, sim, first), back)
}

fn lived(machine: Machine, back: bool) -> Option<Ending> {
    if back { machine.roll_back().now_or_never() } else { machine.drive().now_or_never() }
}

fn opened(procedure: Arc<dyn Procedure>, runs: &camino::Utf8Path, sim: &Arc<Sim>, first: bool) -> Machine {
    let run = RunId::new("play-1").unwrap();
    if first {
        let journal = Journal::create(runs, &run).unwrap();
        journal
            .commit(&Row::Began {
                procedure: PluginName::new("play").unwrap(),
                site: String::new(),
                site_digest: String::new(),
                files: Vec::new(),
                plugin_digest: String::new(),
                hooks: Vec::new(),
                api: String::new(),
                version: String::new(),
                controller: String::new(),
                parameters: Vec::new(),
            })
            .unwrap();
        machine(procedure, sim, journal, Vec::new(), false)
    } else {
        let (journal, rows) = Journal::open(runs, &run).unwrap();
        machine(procedure, sim, journal, rows, false)
    }
}

/// On a memory disk where there is one: thousands of cases, and durability is not what they test.
fn folder() -> (tempfile::TempDir, camino::Utf8PathBuf) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

fn start_world() -> Arc<Mutex<World>> {
    let mut world = World::default();
    world.files.insert("root".into(), b"old".to_vec());
    Arc::new(Mutex::new(world))
}

/// What must be equal at the end: tokens and job numbers may differ.
fn end_of(world: &Arc<Mutex<World>>) -> World {
    World { saved: BTreeMap::new(), jobs: BTreeMap::new(), token: 0, ..world.lock().unwrap().clone() }
}

#[test]
fn an_uninterrupted_run_does_every_step_once_and_gives_the_lease_back() {
    let (_keep, runs) = folder();
    let world = start_world();
    let ending = live(&runs, &Sim::new(&world, None), true, false).unwrap();
    assert!(matches!(ending, Ending::Done { .. }), "{ending:?}");
    let end = end_of(&world);
    assert_eq!(end.files["root"], b"new");
    assert_eq!(end.ran.values().copied().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(end.lease, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_crashes_followed_by_resume_equal_an_uninterrupted_run(crashes in prop::collection::vec(1u32..20, 0..6)) {
        let expected = {
            let (_keep, runs) = folder();
            let world = start_world();
            live(&runs, &Sim::new(&world, None), true, false).unwrap();
            end_of(&world)
        };
        let (_keep, runs) = folder();
        let world = start_world();
        let mut first = true;
        let mut ending = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            ending = live(&runs, &Sim::new(&world, crash), first, false);
            first = false;
            if ending.is_some() {
                break;
            }
        }
        prop_assert!(matches!(ending, Some(Ending::Done { .. })), "{:?}", ending);
        prop_assert_eq!(end_of(&world), expected);
    }

    #[test]
    fn a_crash_anywhere_then_rollback_crashed_anywhere_restores_the_start(
        crash in 1u32..20,
        back in prop::collection::vec(1u32..6, 0..3),
    ) {
        let (_keep, runs) = folder();
        let world = start_world();
        let start = world.lock().unwrap().files.clone();
        if live(&runs, &Sim::new(&world, Some(crash)), true, false).is_some() {
            // It ended before the crash: there is nothing to take back.
            return Ok(());
        }
        let mut ending = None;
        for crash in back.iter().copied().map(Some).chain([None]) {
            ending = live(&runs, &Sim::new(&world, crash), false, true);
            if ending.is_some() {
                break;
            }
        }
        prop_assert!(matches!(ending, Some(Ending::RolledBack { .. })), "{:?}", ending);
        prop_assert_eq!(&world.lock().unwrap().files, &start);
        prop_assert_eq!(world.lock().unwrap().lease, None);
    }
}

#[test]
fn a_failed_command_pauses_and_resume_runs_it_again_without_repeating_what_succeeded() {
    let (_keep, runs) = folder();
    let world = start_world();
    let sim = Sim::new(&world, None);
    // The second command of step "replace" fails: the first is not run again.
    let failing = Sim::new(&world, None);
    failing.fail_after(0, 1);
    let ending = live(&runs, &failing, true, false).unwrap();
    assert!(matches!(ending, Ending::Paused { reason: PauseReason::StepFailed, .. }), "{ending:?}");
    assert!(world.lock().unwrap().lease.is_some(), "a paused run keeps its lease");
    let ending = live(&runs, &sim, false, false).unwrap();
    assert!(matches!(ending, Ending::Done { .. }), "{ending:?}");
    let ran = world.lock().unwrap().ran.clone();
    assert_eq!((ran["replace@a"], ran["replace@b"], ran["restart@a"]), (2, 1, 1));
}

#[test]
fn roles_that_moved_by_themselves_pause_the_run() {
    let (_keep, runs) = folder();
    let world = start_world();
    // Dies in the second step, before any command that may move the role.
    assert!(live(&runs, &Sim::new(&world, Some(7)), true, false).is_none());
    let moved = Sim::new(&world, None);
    *moved.roles.lock().unwrap() = Roles { first: node("b"), second: node("a") };
    let ending = live(&runs, &moved, false, false).unwrap();
    assert!(matches!(ending, Ending::Paused { reason: PauseReason::RolesChanged, .. }), "{ending:?}");
}

#[test]
fn a_lease_taken_over_stops_a_resume() {
    let (_keep, runs) = folder();
    let world = start_world();
    assert!(live(&runs, &Sim::new(&world, Some(7)), true, false).is_none());
    let before = world.lock().unwrap().ran.clone();
    {
        let mut world = world.lock().unwrap();
        world.token += 1;
        world.lease = Some(world.token);
    }
    let ending = live(&runs, &Sim::new(&world, None), false, false).unwrap();
    assert!(matches!(ending, Ending::Paused { reason: PauseReason::LeaseLost, .. }), "{ending:?}");
    assert_eq!(world.lock().unwrap().ran, before);
}
