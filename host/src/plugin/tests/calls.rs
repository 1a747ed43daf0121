//! What holds for every exported call, hostile or not.

use super::guest::*;
use crate::model::{Answer, Effect, Entry, PauseReason};
use crate::plugin::{Engine, HookAnswer, HookEvent, Limits, Plugin, PluginError, Profile, Whose, engine};
use std::time::Duration;

/// Asks the time three times, with a computation between.
const THREE_QUESTIONS: &str = r#"
    (import "windlass:plugin/clock@0.1.1" "now" (func $now (param i32)))
    (func $apply (param i32 i32) (result i32)
      (call $now (i32.const 3072)) (call $now (i32.const 3072)) (call $now (i32.const 3072))
      (i32.const 1024))"#;

/// Leaves something in every page of its memory, which it grows to 40 MiB, in its table and a global; traps where it
/// finds something.
const REMEMBERS: &str = r#"
    (memory (export "memory") 2) (data (i32.const 66000) "as it was made")
    (table $table 40000 funcref) (elem (i32.const 9) $apply) (global $mark (mut i32) (i32.const 0))
    (func $apply (param i32 i32) (result i32) (local $at i32)
      (if (global.get $mark) (then (unreachable)))
      (global.set $mark (i32.const 1))
      (if (i32.ne (memory.size) (i32.const 2)) (then (unreachable)))
      (if (i32.ne (i32.load (i32.const 66000)) (i32.const 0x69207361)) (then (unreachable)))
      (i32.store (i32.const 66000) (i32.const 7))
      (drop (memory.grow (i32.const 638)))
      (local.set $at (i32.const 131072))
      (loop $pages
        (if (i32.load (local.get $at)) (then (unreachable)))
        (i32.store (local.get $at) (i32.const 7))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $pages (i32.lt_u (local.get $at) (i32.const 41943040))))
      (if (i32.eqz (ref.is_null (table.get $table (i32.const 39999)))) (then (unreachable)))
      (if (ref.is_null (table.get $table (i32.const 9))) (then (unreachable)))
      (table.set $table (i32.const 39999) (ref.func $apply))
      (table.set $table (i32.const 9) (ref.null func))
      (i32.const 1024))"#;

#[tokio::test]
async fn a_plain_guest_describes_plans_applies_undoes_and_verifies() {
    let plugin = load(&procedure(""));
    let described = plugin.procedure_describe().await.unwrap();
    assert_eq!((described.title.as_str(), described.parameters.len()), ("", 0));
    let mut path = unreached();
    assert_eq!(plugin.procedure_steps(&mut path).await.unwrap(), Ok(vec![]));
    assert_eq!(plugin.procedure_apply(&mut path, &step("a")).await.unwrap(), Ok(()));
    assert_eq!(plugin.procedure_undo(&mut path, &step("a")).await.unwrap(), Ok(()));
    assert_eq!(plugin.procedure_verify(&mut path).await.unwrap(), Ok(vec![]));
    assert_eq!(plugin.usage().calls, 5);
}

#[tokio::test]
async fn nothing_survives_in_guest_memory_between_two_calls() {
    for profile in [Profile::Run, Profile::Rehearse] {
        let engine = engine(profile).unwrap();
        let plugin = Plugin::compile(&engine, "guest.wasm", &procedure(REMEMBERS)).unwrap();
        // Another's memory is made in its place, or not.
        let other = Plugin::compile(&engine, "guest.wasm", &procedure("")).unwrap();
        for plugin in [&plugin, &plugin, &other, &plugin] {
            let answer = plugin.procedure_apply(&mut unreached(), &step("a")).await;
            assert_eq!(answer.unwrap(), Ok(()), "{profile:?}");
        }
    }
}

/// The instances of rehearsals come out of a pool, and nothing of that may show.
#[tokio::test]
async fn what_fits_a_run_fits_a_rehearsal() {
    let memories = |n: usize| format!("(memory (export \"memory\") 1) {}", "(memory 1)".repeat(n - 1));
    let pages = |n| format!("(memory (export \"memory\") {n})");
    let tables = |n| "(table 1 funcref)".repeat(n);
    let entries = |n| format!("(table {n} funcref)");
    let globals = |n| "(global (mut i32) (i32.const 0))".repeat(n);
    let guests = [
        [1, 16, 17, 100].map(memories),
        [1, 4096, 4097, 65536].map(pages),
        [1, 64, 65, 1000].map(tables),
        [1, 200_000, 200_001, 10_000_000].map(entries),
        [1, 1000, 10_000, 100_000].map(globals),
    ];
    let engines = [Profile::Run, Profile::Rehearse].map(|profile| engine(profile).unwrap());
    let mut both = std::collections::BTreeMap::<bool, u32>::new();
    for text in guests.as_flattened() {
        let component = procedure(text);
        let mut ended = Vec::new();
        for engine in &engines {
            let answer = match Plugin::compile(engine, "guest.wasm", &component) {
                Ok(plugin) => plugin.procedure_apply(&mut unreached(), &step("a")).await,
                Err(error) => Err(error),
            };
            ended.push(answer.map_err(|error| chain(&error)));
        }
        assert_eq!(ended[0], ended[1], "{text:.60}");
        *both.entry(ended[0].is_ok()).or_default() += 1;
    }
    assert_eq!(both, [(false, 8), (true, 12)].into());
}

#[tokio::test]
async fn time_in_effects_is_not_the_guests() {
    let plugin = load(&procedure(THREE_QUESTIONS)).with_limits(tight());
    let mut path = Recorder::new(|_: &Effect| answered(Answer::Milliseconds(0)));
    // Three times as long as the guest may compute.
    path.delay = tight().time;
    assert_eq!(plugin.procedure_apply(&mut path, &step("a")).await.unwrap(), Ok(()));
    let usage = plugin.usage();
    assert!(usage.guest < tight().time, "{usage:?}");
    assert_eq!(usage.host_calls, 3);
}

#[tokio::test]
async fn a_stop_ends_the_call_at_once_and_comes_back_unchanged() {
    let plugin = load(&procedure(THREE_QUESTIONS));
    let mut asked = 0;
    let mut path = Recorder::new(move |_: &Effect| {
        asked += 1;
        if asked == 2 { stopped("the lease is gone") } else { answered(Answer::Milliseconds(0)) }
    });
    let error = plugin.procedure_apply(&mut path, &step("a")).await.unwrap_err();
    assert_eq!(error.whose(), Whose::Run);
    let PluginError::Stopped(stop) = error else { panic!("{error:?}") };
    assert_eq!((stop.reason, stop.message.as_str()), (PauseReason::LeaseLost, "the lease is gone"));
    assert_eq!(path.effects.len(), 2);
    // The plugin is none the worse for it.
    let mut path = Recorder::new(|_: &Effect| answered(Answer::Milliseconds(0)));
    assert_eq!(plugin.procedure_apply(&mut path, &step("a")).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_a_fault_of_windlass() {
    let plugin = load(&procedure(THREE_QUESTIONS));
    let mut path = Recorder::new(|_: &Effect| answered(Answer::Done));
    let error = plugin.procedure_apply(&mut path, &step("a")).await.unwrap_err();
    assert_eq!(error.whose(), Whose::Host);
    assert!(error.to_string().contains("clock.now was answered with Done"), "{error}");
}

#[tokio::test]
async fn fuel_counts_are_the_same_on_every_run() {
    let rehearse = engine(Profile::Rehearse).unwrap();
    let counted = async |engine: &Engine| {
        let plugin = Plugin::compile(engine, "guest.wasm", &procedure(THREE_QUESTIONS)).unwrap();
        let mut path = Recorder::new(|_: &Effect| answered(Answer::Milliseconds(0)));
        plugin.procedure_apply(&mut path, &step("a")).await.unwrap().unwrap();
        plugin.usage().fuel
    };
    let first = counted(&rehearse).await;
    assert!(first > 0);
    assert_eq!(first, counted(&engine(Profile::Rehearse).unwrap()).await);
}

#[tokio::test]
async fn a_guest_that_loops_in_a_rehearsal_runs_out_of_fuel() {
    let rehearse = engine(Profile::Rehearse).unwrap();
    let loops = procedure("(func $apply (param i32 i32) (result i32) (loop $l (br $l)) (unreachable))");
    let plugin = Plugin::compile(&rehearse, "guest.wasm", &loops)
        .unwrap()
        .with_limits(Limits { fuel: 1_000_000, ..Limits::default() });
    let error = plugin.procedure_apply(&mut unreached(), &step("a")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfFuel { limit: 1_000_000, .. }), "{error:?}");
}

#[tokio::test]
async fn a_hook_goes_on_vetoes_and_warns() {
    let event = HookEvent {
        code: "before-step".into(),
        details: vec![Entry { name: "step".into(), value: "restart@first".into() }],
        parameters: vec![Entry { name: "lb".into(), value: "lb1".into() }; 2],
    };
    // Answers ok with the case given, and the words "not now" where the case has a text.
    for (case, expected) in [
        (0, HookAnswer::GoOn),
        (1, HookAnswer::Veto("not now".into())),
        (2, HookAnswer::Warn("not now".into())),
    ] {
        let plugin = load(&hook(&format!(
            r#"(data (i32.const 2048) "\00\00\00\00\0{case}\00\00\00\80\08\00\00\07\00\00\00")
               (data (i32.const 2176) "not now")
               (func $handle (param i32 i32 i32 i32 i32 i32) (result i32)
                 ;; traps unless it was given one detail and two parameters
                 (if (i32.ne (local.get 3) (i32.const 1)) (then (unreachable)))
                 (if (i32.ne (local.get 5) (i32.const 2)) (then (unreachable)))
                 (i32.const 2048))"#
        )));
        assert_eq!(plugin.hook_handle(&mut unreached(), &event).await.unwrap(), Ok(expected));
    }
}

#[tokio::test]
async fn a_hook_is_no_procedure() {
    let plugin = load(&hook(""));
    plugin.hook_describe().await.unwrap();
    let error = plugin.procedure_steps(&mut unreached()).await.unwrap_err();
    assert!(error.to_string().contains("guest is a hook"), "{error}");
}

#[tokio::test]
async fn calls_of_one_plugin_can_overlap() {
    let plugin = load(&procedure(THREE_QUESTIONS));
    let mut paths: Vec<_> = (0..3)
        .map(|_| {
            let mut path = Recorder::new(|_: &Effect| answered(Answer::Milliseconds(0)));
            path.delay = Duration::from_millis(5);
            path
        })
        .collect();
    let id = step("a");
    // And they can move between threads.
    fn movable<T: Send>(call: T) -> T {
        call
    }
    let calls = paths.iter_mut().map(|path| movable(plugin.procedure_apply(path, &id)));
    for result in futures::future::join_all(calls).await {
        assert_eq!(result.unwrap(), Ok(()));
    }
    assert_eq!(plugin.usage().host_calls, 9);
}
