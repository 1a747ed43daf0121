use super::marked;
use crate::model::audit::{Coverage, Unreached};
use crate::model::{Answer, Effect};
use crate::plugin::tests::guest::{Recorder, answered, hook, procedure, run_engine, step, unreached};
use crate::plugin::{Engine, Kind, Limits, Plugin, PluginError, Profile, engine};
use std::sync::OnceLock;

fn rehearse_engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine(Profile::Rehearse).unwrap())
}

/// How many functions there are and were reached, how much of their code, and those that were not.
fn counts(plugin: &Plugin) -> (u32, u32, u32, Vec<Unreached>) {
    match plugin.coverage() {
        Coverage::Functions { functions, reached, instructions_permille, unreached } => {
            (functions, reached, instructions_permille, unreached)
        }
        other => panic!("{other:?}"),
    }
}

/// `apply` answers well, on one of two ways by the length of the step's name; `undo` asks for the time, by way of a
/// table; nobody calls `$idle`.
const BRANCHES: &str = r#"
    (import "windlass:plugin/clock@0.1.1" "now" (func $now (param i32)))
    (import "windlass:plugin/state@0.1.1" "get" (func $get (param i32 i32 i32)))
    (memory (export "memory") 1)
    (type $plain (func))
    (table 2 2 funcref)
    (elem (i32.const 0) func $idle $asks)
    (func $asks (type $plain) (call $now (i32.const 2048)))
    (func $idle (type $plain) (drop (i32.add (i32.const 1) (i32.const 2))))
    (func $apply (param i32 i32) (result i32)
      (if (i32.gt_u (local.get 1) (i32.const 3))
        (then (drop (i32.const 7)) (drop (i32.const 8)))
        (else (drop (i32.const 9))))
      (i32.const 1024))
    (func $undo (param i32 i32) (result i32)
      (call_indirect (type $plain) (i32.const 1))
      (i32.const 1024))
    (func $verify (result i32) (call $get (i32.const 0) (i32.const 0) (i32.const 2048)) (i32.const 1024))
"#;

#[tokio::test]
async fn what_ran_is_counted_and_what_did_not_is_told_with_the_effects_behind_it() {
    let plugin = Plugin::compile_measured(rehearse_engine(), "guest.wasm", &procedure(BRANCHES)).unwrap();
    let (functions, reached, _, _) = counts(&plugin);
    assert_eq!(reached, 0);
    plugin.procedure_apply(&mut unreached(), &step("abc")).await.unwrap().unwrap();
    let (_, reached, short, _) = counts(&plugin);
    // `apply`, and the allocator that the step's name goes to.
    assert_eq!(reached, 2);
    plugin.procedure_apply(&mut unreached(), &step("abcd")).await.unwrap().unwrap();
    let (_, reached, both, unreached) = counts(&plugin);
    assert_eq!(reached, 2);
    assert!(both > short, "the other way adds to it: {short} and then {both}");
    assert_eq!(unreached.len() as u32, functions - reached);
    let effects: Vec<(&str, Vec<&str>)> = unreached
        .iter()
        .map(|one| (one.function.as_str(), one.effects.iter().map(String::as_str).collect()))
        .collect();
    // Names are the author's where they are in the file. The table says which entry `undo` calls.
    assert_eq!(
        effects[..3],
        [("verify", vec!["state.get"]), ("undo", vec!["clock.now"]), ("asks", vec!["clock.now"]),]
    );
    assert!(effects.contains(&("idle", vec![])), "{effects:?}");

    let mut path = Recorder::new(|_| answered(Answer::Milliseconds(1)));
    plugin.procedure_undo(&mut path, &step("abc")).await.unwrap().unwrap();
    assert_eq!(path.effects, [Effect::ClockNow]);
    assert!(counts(&plugin).3.iter().all(|one| one.function != "undo" && one.function != "asks"));
}

#[tokio::test]
async fn a_table_that_code_writes_may_hold_anything() {
    let text = BRANCHES.replace(
        "(func $idle (type $plain)",
        "(func $idle (type $plain) (table.set (i32.const 0) (ref.func $asks)) ",
    );
    let plugin = Plugin::compile_measured(rehearse_engine(), "guest.wasm", &procedure(&text)).unwrap();
    let (.., unreached) = counts(&plugin);
    let undo = unreached.iter().find(|one| one.function == "undo").unwrap();
    assert_eq!(undo.effects, ["clock.now"]);
    // By the number of the other entry it would not be told if the elements were believed.
    let text = text.replace(
        "(call_indirect (type $plain) (i32.const 1))",
        "(call_indirect (type $plain) (i32.const 0))",
    );
    let plugin = Plugin::compile_measured(rehearse_engine(), "guest.wasm", &procedure(&text)).unwrap();
    let (.., unreached) = counts(&plugin);
    assert_eq!(unreached.iter().find(|one| one.function == "undo").unwrap().effects, ["clock.now"]);
}

#[tokio::test]
async fn reading_the_marks_is_not_the_guests_cost() {
    let component = procedure("");
    let fuel = async |plugin: Plugin| {
        plugin.procedure_verify(&mut unreached()).await.unwrap().unwrap();
        plugin.usage().fuel
    };
    let plain = fuel(Plugin::compile(rehearse_engine(), "guest.wasm", &component).unwrap()).await;
    let measured = fuel(Plugin::compile_measured(rehearse_engine(), "guest.wasm", &component).unwrap()).await;
    // One piece of code, and the four instructions of its mark.
    assert_eq!(measured - plain, 4);
}

#[tokio::test]
async fn a_marked_guest_traps_and_ends_as_it_would_have() {
    for (fields, says) in [
        ("(func $verify (result i32) unreachable)", "it gave up"),
        ("(func $verify (result i32) (loop $l (br $l)) (i32.const 0))", "units of fuel"),
        ("(func $verify (result i32) (call $verify))", "nest too deeply"),
    ] {
        let limits = Limits { fuel: 10_000_000, ..Default::default() };
        let plugin = Plugin::compile_measured(rehearse_engine(), "guest.wasm", &procedure(fields)).unwrap();
        let plugin = plugin.with_limits(limits);
        let error = plugin.procedure_verify(&mut unreached()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        // A trapped instance cannot be asked any more; the next call is.
        assert_eq!(counts(&plugin).1, 0);
        plugin.procedure_describe().await.unwrap();
        assert_eq!(counts(&plugin).1, 1);
    }
}

#[tokio::test]
async fn the_bundled_plugins_say_the_same_with_marks() {
    let Some(folder) = std::env::var_os("WINDLASS_COMPONENTS") else {
        println!("skipped: WINDLASS_COMPONENTS is not set; run `cargo xtask test`");
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let component = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let plain = Plugin::compile(run_engine(), name, &component).unwrap();
        let marked = Plugin::compile_measured(run_engine(), name, &component).unwrap();
        assert_eq!(plain.digest(), marked.digest());
        match plain.manifest().kind {
            Kind::Procedure => assert_eq!(
                plain.procedure_describe().await.unwrap(),
                marked.procedure_describe().await.unwrap()
            ),
            Kind::Hook => {
                assert_eq!(plain.hook_describe().await.unwrap(), marked.hook_describe().await.unwrap());
            }
        }
        let (functions, reached, permille, unreached) = counts(&marked);
        println!("{name}: {reached} of {functions} functions, {permille} ‰, {} listed", unreached.len());
        assert!(reached > 0 && reached < functions, "{name}: {reached} of {functions}");
        assert!(!unreached[0].effects.is_empty(), "{name}: {:?}", unreached[0]);
        seen += 1;
    }
    assert!(seen > 4, "{seen}");
}

#[test]
fn what_cannot_be_read_is_not_marked() {
    let component = hook("");
    for end in (0..component.len()).step_by(7) {
        let _ = marked(&component[..end]);
    }
    assert!(marked(b"\0asm").is_err());
}

#[test]
fn a_component_of_another_language_or_without_marks_says_why_it_is_not_measured() {
    let plain = Plugin::compile(run_engine(), "guest.wasm", &hook("")).unwrap();
    assert!(!plain.is_measured());
    let Coverage::NotMeasurable { why } = plain.coverage() else { panic!() };
    assert_eq!(why, "it was not measured");
    let not_a_plugin = Plugin::compile_measured(run_engine(), "guest.wasm", b"x");
    assert!(matches!(not_a_plugin, Err(PluginError::Manifest { .. })), "{not_a_plugin:?}");
}
