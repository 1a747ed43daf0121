//! Hooks: when they are asked, what their answers do to a run, and that no interruption makes one act twice.

use super::*;
use crate::plugin::{HookAnswer, HookEvent};
use crate::site::{HookAt, HookBinding, Steps};
use std::time::Duration;

/// What a hook does when it is called.
#[derive(Debug, Clone)]
enum Says {
    Answer(HookAnswer),
    Fault(&'static str),
    Breaks,
    /// Runs this first, then goes on.
    Runs(&'static str),
    Sleeps(u32),
    /// Asks so many times for the time.
    Looks(u32),
}

const GO_ON: Says = Says::Answer(HookAnswer::GoOn);

/// A hook that answers each moment as it is told to, and remembers what it was asked.
struct Played {
    says: Mutex<Says>,
    asked: Arc<Mutex<Vec<HookEvent>>>,
}

impl HookCalls for Played {
    fn handle<'a>(
        &'a self,
        event: &'a HookEvent,
        mut path: CallPath,
    ) -> BoxFuture<'a, Result<HookAnswer, CallError>> {
        async move {
            self.asked.lock().unwrap().push(event.clone());
            let says = self.says.lock().unwrap().clone();
            match says {
                Says::Answer(answer) => return Ok(answer),
                Says::Fault(code) => return Err(CallError::Fault(Fault::new(code, "it does not work"))),
                Says::Breaks => return Err(CallError::Broken(Breakage::Trap, "played trapped".into())),
                Says::Runs(command) => drop(ask(&mut path, execute(command, "a")).await?),
                Says::Sleeps(milliseconds) => {
                    drop(ask(&mut path, Effect::ClockSleep { milliseconds }).await?);
                }
                Says::Looks(times) => {
                    for _ in 0..times {
                        ask(&mut path, Effect::ClockNow).await?;
                    }
                }
            }
            Ok(HookAnswer::GoOn)
        }
        .boxed()
    }
}

type Asked = Arc<Mutex<Vec<HookEvent>>>;

fn hook(name: &str, at: HookAt, stop_on_error: bool, says: Says) -> (Hook, Asked) {
    let asked = Asked::default();
    let block =
        GrantBlock { commands: vec!["drain".into()], general: vec!["clock".into()], ..GrantBlock::default() };
    let plugin = PluginName::new(name).unwrap();
    let rules = Rules::parse(&block).unwrap();
    let binding = HookBinding {
        plugin: plugin.clone(),
        procedure: PluginName::new("play").unwrap(),
        at,
        order: 0,
        stop_on_error,
        optional: false,
        timeout: Duration::from_secs(60),
        params: [("lb".to_owned(), "lb1".to_owned())].into(),
    };
    let gate = Gate::new(plugin, rules.clone(), rules, false);
    let calls = Arc::new(Played { says: Mutex::new(says), asked: asked.clone() });
    (Hook { binding, gate, calls }, asked)
}

fn one(id: &str) -> Steps {
    Steps::One(StepId::new(id).unwrap())
}

/// Every moment of a run that goes well, in order, as a binding for it alone.
fn moments() -> Vec<(HookAt, Moment)> {
    let mut all = vec![(HookAt::BeforeRun, Moment::BeforeRun)];
    for id in STEPS {
        let step = StepId::new(id).unwrap();
        all.push((HookAt::BeforeStep(one(id)), Moment::BeforeStep(step.clone())));
        all.push((HookAt::AfterStep(one(id)), Moment::AfterStep(step)));
    }
    all.push((HookAt::AfterRun, Moment::AfterRun));
    all
}

/// A run from its beginning, or from where its journal is, with hooks.
fn hooked(
    hooks: &[Hook],
    runs: &camino::Utf8Path,
    sim: &Arc<Sim>,
    first: bool,
    back: bool,
) -> Option<Ending> {
    let mut machine = opened(Arc::new(Play), runs, sim, first);
    machine.hooks = hooks.to_vec();
    lived(machine, back)
}

fn once(hooks: &[Hook]) -> (Ending, Arc<Mutex<World>>) {
    let (_keep, runs) = folder();
    let world = start_world();
    let ending = hooked(hooks, &runs, &Sim::new(&world, None), true, false).unwrap();
    (ending, world)
}

fn codes(asked: &Asked) -> Vec<String> {
    let told = |event: &HookEvent| match event.details.iter().find(|entry| entry.name == "step") {
        Some(step) => format!("{} {}", event.code, step.value),
        None => event.code.clone(),
    };
    asked.lock().unwrap().iter().map(told).collect()
}

#[test]
fn a_hook_of_every_moment_is_asked_once_at_each_in_order() {
    let asked = Asked::default();
    let hooks: Vec<Hook> = [
        HookAt::BeforeRun,
        HookAt::BeforeStep(Steps::Each),
        HookAt::AfterStep(Steps::Each),
        HookAt::AfterRun,
        HookAt::OnFailure,
        HookAt::OnRollback,
    ]
    .into_iter()
    .map(|at| {
        let (mut hook, _) = hook("h", at, true, GO_ON);
        hook.calls = Arc::new(Played { says: Mutex::new(GO_ON), asked: asked.clone() });
        hook
    })
    .collect();
    let (ending, _) = once(&hooks);
    assert!(matches!(&ending, Ending::Done { hooks_failed, .. } if hooks_failed.is_empty()), "{ending:?}");
    let expected: Vec<String> = moments()
        .iter()
        .map(|(_, moment)| match moment.step() {
            Some(step) => format!("{} {step}", moment.code()),
            None => moment.code().into(),
        })
        .collect();
    assert_eq!(codes(&asked), expected);
    let first = asked.lock().unwrap()[1].clone();
    assert_eq!(first.parameters, [Entry { name: "lb".into(), value: "lb1".into() }]);
    let details: Vec<(&str, &str)> =
        first.details.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect();
    assert_eq!(
        details,
        [
            ("procedure", "play"),
            ("run", "play-1"),
            ("site", "practice"),
            ("first", "a"),
            ("second", "b"),
            ("step", "copy"),
            ("title", ""),
            ("node", "a"),
            ("nodes", "a"),
        ]
    );
}

/// How a run ends where one hook says something at one moment, in a word.
fn expected(moment: &Moment, says: &Says, stops: bool) -> &'static str {
    let changed =
        !matches!(moment, Moment::BeforeRun) && *moment != Moment::BeforeStep(StepId::new(STEPS[0]).unwrap());
    match says {
        Says::Answer(HookAnswer::GoOn | HookAnswer::Warn(_)) => "done",
        Says::Answer(HookAnswer::Veto(_)) if moment.may_veto() => match changed {
            true => "vetoed",
            false => "denied",
        },
        _ if !stops => "done",
        _ if *moment == Moment::AfterRun => "done, hook failed",
        _ if changed => "hook-failed",
        Says::Fault(code::DENIED) => "denied",
        _ => "failed",
    }
}

fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done { hooks_failed, .. } if hooks_failed.is_empty() => "done",
        Ending::Done { .. } => "done, hook failed",
        Ending::Denied { .. } => "denied",
        Ending::Failed { .. } => "failed",
        Ending::Paused { reason, .. } => reason.word(),
        _ => "something else",
    }
}

#[test]
fn every_answer_at_every_moment_does_to_the_run_what_the_site_says() {
    let answers = [
        GO_ON,
        Says::Answer(HookAnswer::Warn("look out".into())),
        Says::Answer(HookAnswer::Veto("not now".into())),
        Says::Fault(code::FAILED),
        Says::Fault(code::DENIED),
        Says::Breaks,
        // Its own grants do not have it.
        Says::Runs("replace"),
    ];
    let mut seen = BTreeMap::new();
    for (at, moment) in moments() {
        for says in &answers {
            for stops in [true, false] {
                let (hook, asked) = hook("h", at.clone(), stops, says.clone());
                let (ending, world) = once(&[hook]);
                let says = match says {
                    Says::Runs(_) => &Says::Fault(code::DENIED),
                    other => other,
                };
                let what = format!("{moment}: {says:?}, stops {stops}: {ending:?}");
                assert_eq!(word(&ending), expected(&moment, says, stops), "{what}");
                assert_eq!(asked.lock().unwrap().len(), 1, "{what}");
                *seen.entry(word(&ending)).or_insert(0) += 1;
                let end = end_of(&world);
                match &ending {
                    Ending::Paused { .. } => {}
                    // As it was: a hook at the beginning leaves nothing behind.
                    Ending::Denied { .. } | Ending::Failed { .. } => {
                        assert_eq!(end, end_of(&start_world()), "{what}");
                    }
                    _ => assert_eq!(end.ran.values().copied().collect::<Vec<_>>(), [1, 1, 1], "{what}"),
                }
            }
        }
    }
    assert_eq!(
        seen.keys().copied().collect::<Vec<_>>(),
        ["denied", "done", "done, hook failed", "failed", "hook-failed", "vetoed"]
    );
}

#[test]
fn what_a_hook_vetoed_or_failed_is_asked_again_and_what_let_the_run_go_on_is_not() {
    for says in [Says::Answer(HookAnswer::Veto("not now".into())), Says::Breaks] {
        let (_keep, runs) = folder();
        let (world, run) = (start_world(), "replace");
        let (early, asked_early) = hook("early", HookAt::BeforeStep(one(run)), true, Says::Runs("drain"));
        let (vetoes, asked) = hook("late", HookAt::BeforeStep(one(run)), true, says);
        let ending = hooked(&[early.clone(), vetoes], &runs, &Sim::new(&world, None), true, false).unwrap();
        assert!(matches!(ending, Ending::Paused { .. }), "{ending:?}");
        assert!(!world.lock().unwrap().ran.contains_key("replace@a"));
        let (goes_on, asked_again) = hook("late", HookAt::BeforeStep(one(run)), true, GO_ON);
        let ending = hooked(&[early, goes_on], &runs, &Sim::new(&world, None), false, false).unwrap();
        assert_eq!(word(&ending), "done", "{ending:?}");
        let times = [asked_early, asked, asked_again].map(|asked| asked.lock().unwrap().len());
        assert_eq!(times, [1, 1, 1]);
        assert_eq!(world.lock().unwrap().ran["drain@a"], 1);
    }
}

#[test]
fn a_failure_is_told_with_its_reason_and_a_rollback_when_it_is_over() {
    let (_keep, runs) = folder();
    let world = start_world();
    // What they are told of waits for neither, whatever they do.
    let (failure, told) = hook("pager", HookAt::OnFailure, false, Says::Breaks);
    let (rollback, taken_back) = hook("pager", HookAt::OnRollback, false, Says::Runs("drain"));
    let hooks = [failure, rollback];
    for first in [true, false] {
        let failing = Sim::new(&world, None);
        failing.fail_after(0, 1);
        let ending = hooked(&hooks, &runs, &failing, first, false).unwrap();
        assert!(matches!(ending, Ending::Paused { reason: PauseReason::StepFailed, .. }), "{ending:?}");
    }
    assert_eq!(codes(&told), ["on-failure", "on-failure"], "each failure anew");
    let reason = told.lock().unwrap()[0].details.iter().find(|entry| entry.name == "reason").cloned();
    assert_eq!(reason.map(|entry| entry.value).as_deref(), Some("step-failed"));
    let ending = hooked(&hooks, &runs, &Sim::new(&world, None), false, true).unwrap();
    assert!(matches!(ending, Ending::RolledBack { .. }), "{ending:?}");
    assert_eq!(codes(&taken_back), ["on-rollback"]);
    assert_eq!(world.lock().unwrap().files["root"], b"old");
    assert_eq!(world.lock().unwrap().ran["drain@a"], 1);
}

#[test]
fn nobody_is_told_of_a_run_that_another_took_over_or_that_never_began() {
    let (_keep, runs) = folder();
    let world = start_world();
    let (pager, told) = hook("pager", HookAt::OnFailure, false, GO_ON);
    let (vetoes, _) = hook("vetoes", HookAt::BeforeRun, true, GO_ON);
    assert!(hooked(&[pager.clone(), vetoes], &runs, &Sim::new(&world, Some(7)), true, false).is_none());
    {
        let mut world = world.lock().unwrap();
        world.token += 1;
        world.lease = Some(world.token);
    }
    let ending = hooked(std::slice::from_ref(&pager), &runs, &Sim::new(&world, None), false, false).unwrap();
    assert!(matches!(ending, Ending::Paused { reason: PauseReason::LeaseLost, .. }), "{ending:?}");
    assert_eq!(codes(&told), [""; 0]);
}

#[test]
fn a_step_that_the_run_lacks_is_a_mistake_of_the_site_unless_it_is_optional() {
    for at in [HookAt::BeforeStep(one("restrat")), HookAt::AfterStep(one("restrat"))] {
        let (mut hook, asked) = hook("h", at, true, GO_ON);
        let (ending, world) = once(std::slice::from_ref(&hook));
        let Ending::Site { message, .. } = &ending else { panic!("{ending:?}") };
        assert!(message.contains("play/restrat") && message.contains("copy, replace, restart"), "{message}");
        assert_eq!(end_of(&world), end_of(&start_world()));
        hook.binding.optional = true;
        let (ending, _) = once(&[hook]);
        assert_eq!(word(&ending), "done");
        assert_eq!(codes(&asked), [""; 0]);
    }
}

#[test]
fn a_hook_that_waits_or_asks_without_end_is_ended() {
    for (says, limit) in [(Says::Sleeps(61_000), "60s"), (Says::Looks(2_001), "2000 effects")] {
        let (hook, _) = hook("h", HookAt::BeforeRun, true, says);
        let (ending, _) = once(&[hook]);
        let Ending::Failed { fault } = &ending else { panic!("{ending:?}") };
        assert!(fault.message.contains("the hook h") && fault.message.contains(limit), "{}", fault.message);
    }
    let (hook, _) = hook("h", HookAt::BeforeRun, true, Says::Looks(2_000));
    assert_eq!(word(&once(&[hook]).0), "done");
}

#[test]
fn a_plan_goes_on_where_a_hook_would_veto_now() {
    for says in [Says::Answer(HookAnswer::Veto("not now".into())), Says::Breaks] {
        let (_keep, runs) = folder();
        let world = start_world();
        let mut machine = opened(Arc::new(Play), &runs, &Sim::new(&world, None), true);
        machine.hooks = vec![hook("h", HookAt::BeforeStep(one("copy")), true, says).0];
        machine.settings.planning = true;
        let ending = machine.drive().now_or_never().unwrap();
        assert_eq!(word(&ending), "done", "{ending:?}");
        drop(machine);
        let rows = Journal::read(&runs, &RunId::new("play-1").unwrap()).unwrap();
        assert!(rows.iter().any(|stored| matches!(&stored.row, Row::HookWarned { .. })));
    }
}

/// A hook before and one after every step, each of which runs a command, and one that only looks.
fn busy() -> Vec<Hook> {
    let mut hooks = Vec::new();
    for (at, _) in moments() {
        hooks.push(hook("drains", at.clone(), true, Says::Runs("drain")).0);
        hooks.push(hook("looks", at, true, Says::Looks(2)).0);
    }
    hooks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_crashes_no_hook_acts_twice(crashes in prop::collection::vec(1u32..30, 0..8)) {
        let hooks = busy();
        let (_keep, runs) = folder();
        let world = start_world();
        let mut first = true;
        let mut ending = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            ending = hooked(&hooks, &runs, &Sim::new(&world, crash), first, false);
            first = false;
            if ending.is_some() {
                break;
            }
        }
        prop_assert_eq!(ending.as_ref().map(word), Some("done"), "{:?}", ending);
        let ran = world.lock().unwrap().ran.clone();
        prop_assert_eq!(ran["drain@a"], 8);
        prop_assert_eq!((ran["replace@a"], ran["replace@b"], ran["restart@a"]), (1, 1, 1));
    }
}
