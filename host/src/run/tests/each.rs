//! `run-each`: any crash among its children, then resume, and each node's command has run once.

use super::*;
use crate::effect::{Replay, Surroundings};
use crate::journal::CallName;

/// One step that runs a command on every node, twice over, with a file between.
struct Fleet {
    nodes: Vec<NodeName>,
}

fn fleet(size: usize) -> Vec<NodeName> {
    (0..size).map(|number| node(&format!("n{number}"))).collect()
}

fn on_all(nodes: &[NodeName], command: &str) -> Effect {
    Effect::NodesRunEach {
        nodes: nodes.to_vec(),
        command: CommandName::new(command).unwrap(),
        arguments: Vec::new(),
    }
}

/// Every node in the order asked for, and each succeeded.
async fn all_succeed(path: &mut CallPath, nodes: &[NodeName], command: &str) -> Result<(), CallError> {
    let Answer::Each(members) = ask(path, on_all(nodes, command)).await? else {
        panic!("not outcomes");
    };
    assert!(members.iter().map(|member| &member.node).eq(nodes), "{members:?}");
    let succeeded =
        |answer: &Result<Answer, Fault>| matches!(answer, Ok(Answer::Outcome(outcome)) if outcome.succeeded);
    match members.iter().all(|member| succeeded(&member.answer)) {
        true => Ok(()),
        false => Err(CallError::Fault(Fault::new(code::FAILED, "some failed"))),
    }
}

impl Procedure for Fleet {
    fn steps<'a>(&'a self, _: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        let step = PlannedStep {
            id: StepId::new("all").unwrap(),
            title: String::new(),
            nodes: Vec::new(),
            impact: String::new(),
            guards: Vec::new(),
            undoable: true,
        };
        async { Ok(vec![step]) }.boxed()
    }
    fn apply<'a>(&'a self, _: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move {
            all_succeed(&mut path, &self.nodes, "look").await?;
            all_succeed(&mut path, &self.nodes, "replace").await?;
            ask(&mut path, put("root", b"new")).await?;
            all_succeed(&mut path, &self.nodes, "restart").await
        }
        .boxed()
    }
    fn undo<'a>(&'a self, _: &'a StepId, _: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async { Ok(()) }.boxed()
    }
    fn verify<'a>(&'a self, _: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

fn drive(runs: &camino::Utf8Path, sim: &Arc<Sim>, size: usize, first: bool) -> Option<Ending> {
    opened(Arc::new(Fleet { nodes: fleet(size) }), runs, sim, first).drive().now_or_never()
}

/// How often each changing command ran, looks left out.
fn changes(world: &Arc<Mutex<World>>) -> Vec<u32> {
    let world = world.lock().unwrap();
    world.ran.iter().filter(|(name, _)| !name.starts_with("look")).map(|(_, times)| *times).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_crashes_among_the_children_followed_by_resume_run_each_of_them_once(
        size in 1usize..9,
        concurrency in 1usize..6,
        crashes in prop::collection::vec(1u32..70, 0..6),
    ) {
        let (_keep, runs) = folder();
        let world = start_world();
        let mut first = true;
        let mut ending = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            let mut sim = Sim::new(&world, crash);
            Arc::get_mut(&mut sim).unwrap().concurrency = concurrency;
            ending = drive(&runs, &sim, size, first);
            first = false;
            if ending.is_some() {
                break;
            }
        }
        prop_assert!(matches!(ending, Some(Ending::Done { .. })), "{:?}", ending);
        prop_assert_eq!(changes(&world), vec![1; 2 * size]);
        prop_assert_eq!(world.lock().unwrap().lease, None);
    }

    #[test]
    fn after_children_failed_only_they_act_again(
        size in 2usize..9,
        fails in 1u32..4,
        crashes in prop::collection::vec(1u32..70, 0..4),
    ) {
        let fails = fails.min(size as u32 - 1);
        let (_keep, runs) = folder();
        let world = start_world();
        let failing = Sim::new(&world, None);
        let looks = size as u32;
        failing.fail_after(looks, fails);
        let ending = drive(&runs, &failing, size, true);
        prop_assert!(
            matches!(ending, Some(Ending::Paused { reason: PauseReason::StepFailed, .. })),
            "{:?}", ending
        );
        let mut ending = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            ending = drive(&runs, &Sim::new(&world, crash), size, false);
            if ending.is_some() {
                break;
            }
        }
        prop_assert!(matches!(ending, Some(Ending::Done { .. })), "{:?}", ending);
        let again = changes(&world).iter().filter(|times| **times == 2).count();
        prop_assert_eq!(again, fails as usize, "{:?}", changes(&world));
        prop_assert_eq!(changes(&world).iter().sum::<u32>(), 2 * size as u32 + fails);
    }
}

/// A call path of its own, on a fresh journal.
fn path(runs: &camino::Utf8Path, sim: &Arc<Sim>) -> (CallPath, Arc<Journal>, Interrupt) {
    let journal = Arc::new(Journal::create(runs, &RunId::new("each-1").unwrap()).unwrap());
    let interrupt = Interrupt::default();
    let around = Surroundings {
        plugin: PluginName::new("play").unwrap(),
        gate: gate(),
        journal: journal.clone(),
        backend: sim.clone(),
        events: Arc::new(|_| {}),
        interrupt: interrupt.clone(),
        expected: None,
    };
    (CallPath::new(around, CallName::Verify, Replay::default()), journal, interrupt)
}

#[test]
fn two_hundred_children_cost_at_most_ten_commits_and_observations_none() {
    for concurrency in [1, 7, 50, 500] {
        let (_keep, runs) = folder();
        let mut sim = Sim::new(&start_world(), None);
        Arc::get_mut(&mut sim).unwrap().concurrency = concurrency;
        let (mut path, journal, _) = path(&runs, &sim);
        let mut run = |command| {
            let before = journal.commits();
            all_succeed(&mut path, &fleet(200), command).now_or_never().unwrap().unwrap();
            journal.commits() - before
        };
        assert_eq!(run("look"), 0);
        let commits = run("replace");
        assert!((1..=10).contains(&commits), "{commits} commits, {concurrency} at once");
        // What came of them is on disk with the next change.
        let before = journal.commits();
        ask(&mut path, put("root", b"new")).now_or_never().unwrap().unwrap();
        assert_eq!(journal.commits() - before, 1);
        let rows = Journal::read(&runs, journal.run()).unwrap();
        let outcomes = |row: &&StoredRow| matches!(row.row, Row::Outcome { .. });
        assert_eq!(rows.iter().filter(outcomes).count(), 2 * 201);
    }
}

#[test]
fn an_interrupt_ends_what_is_under_way_and_begins_no_other() {
    let (_keep, runs) = folder();
    let world = start_world();
    let sim = Sim::new(&world, None);
    let (mut path, journal, interrupt) = path(&runs, &sim);
    // Raised by the second outcome: three are under way then.
    let seen = Mutex::new(0);
    journal.follow(Box::new(move |_, row| {
        let mut seen = seen.lock().unwrap();
        *seen += u32::from(matches!(row, Row::Outcome { .. }));
        if *seen == 2 {
            interrupt.raise();
        }
    }));
    let stopped = path.perform(on_all(&fleet(20), "replace")).now_or_never().unwrap().unwrap_err();
    assert_eq!(stopped.reason, PauseReason::Interrupted);
    let ran = changes(&world).len();
    assert!((2..6).contains(&ran), "{ran} began");
    let ended =
        journal.since(0).unwrap().iter().filter(|row| row.body.contains(r#""row":"outcome""#)).count();
    assert_eq!(ended, ran, "what had begun was seen to its end");
}
