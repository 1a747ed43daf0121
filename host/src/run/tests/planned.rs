//! A run that follows a plan: it does what the plan has, from its first effect to its last, and stops at anything
//! else.

use super::*;

/// What [`Play`] does, as a plan; `second` is the second command of its step `replace`.
fn plan(second: &str) -> Plan {
    let planned = |effect: Effect, class| PlannedEffect {
        effect: shown(&effect),
        words: effect.to_string(),
        class,
        detail: Detail::default(),
        born: Vec::new(),
    };
    let change = |effect| planned(effect, EffectClass::Change);
    let kept = planned(Effect::StateSet { name: "x".into(), value: "y".into() }, EffectClass::Keep);
    let effects = |step: &str| match step {
        "copy" => vec![change(put("root", b"new")), change(put("key", b"newer"))],
        "replace" => vec![change(execute("replace", "a")), kept.clone(), change(execute(second, "b"))],
        _ => vec![change(execute("restart", "a"))],
    };
    let covers = Covers {
        roles: Some(RolesCover { first: roles().first, second: roles().second }),
        ..samples::covers()
    };
    let steps = STEPS.into_iter().map(|id| StepPlan { step: samples::step(id), effects: effects(id) });
    Plan { covers, steps: steps.collect(), ..samples::plan("play") }
}

/// As a plan shows it: bytes by their digest.
fn shown(effect: &Effect) -> serde_json::Value {
    let mut value = serde_json::to_value(effect).unwrap();
    if let Effect::FilesPut { content: Content::Bytes(bytes), .. } = effect {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        value["content"]["bytes"] = format!("sha256:{}", crate::model::hex(digest.as_ref())).into();
    }
    value
}

/// As [`live`], following a plan.
fn held_to(
    plan: Option<&Plan>,
    runs: &camino::Utf8Path,
    sim: &Arc<Sim>,
    first: bool,
    back: bool,
) -> Option<Ending> {
    let mut machine = opened(Arc::new(Play), runs, sim, first);
    machine.expected = plan.map(|plan| Arc::new(crate::effect::Expected::of(plan)));
    lived(machine, back)
}

#[test]
fn a_run_is_held_to_its_plan_from_its_first_effect_to_its_last() {
    let (_keep, runs) = folder();
    let world = start_world();
    let ending = held_to(Some(&plan("replace")), &runs, &Sim::new(&world, None), true, false).unwrap();
    assert!(matches!(ending, Ending::Done { .. }), "{ending:?}");

    // Something else than the plan has: it stops before that, and stays stopped.
    let (_keep, runs) = folder();
    let world = start_world();
    let other = plan("restart");
    for first in [true, false] {
        let ending = held_to(Some(&other), &runs, &Sim::new(&world, None), first, false).unwrap();
        let Ending::Paused { reason: PauseReason::NotApproved, message, .. } = &ending else {
            panic!("{ending:?}")
        };
        assert!(message.contains("run replace on b") && message.contains("run restart on b"), "{message}");
        assert_eq!(world.lock().unwrap().ran.keys().collect::<Vec<_>>(), ["replace@a"]);
    }
    // The way back is nobody's plan.
    let ending = held_to(Some(&other), &runs, &Sim::new(&world, None), false, true).unwrap();
    assert!(matches!(ending, Ending::RolledBack { .. }), "{ending:?}");

    // Before anything has changed, it is a refusal.
    for wrong in [
        Plan { steps: Vec::new(), ..plan("replace") },
        Plan {
            covers: Covers {
                roles: Some(RolesCover { first: roles().second, second: roles().first }),
                ..plan("replace").covers
            },
            ..plan("replace")
        },
    ] {
        let (_keep, runs) = folder();
        let world = start_world();
        let ending = held_to(Some(&wrong), &runs, &Sim::new(&world, None), true, false).unwrap();
        assert!(matches!(ending, Ending::Denied { .. }), "{ending:?}");
        assert_eq!(end_of(&world), end_of(&start_world()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_run_that_follows_a_plan_crashes_and_resumes_as_any_other(
        crashes in prop::collection::vec(1u32..20, 0..6),
    ) {
        let (_keep, runs) = folder();
        let world = start_world();
        let plan = plan("replace");
        let mut first = true;
        let mut ending = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            ending = held_to(Some(&plan), &runs, &Sim::new(&world, crash), first, false);
            first = false;
            if ending.is_some() {
                break;
            }
        }
        prop_assert!(matches!(ending, Some(Ending::Done { .. })), "{:?}", ending);
    }
}
