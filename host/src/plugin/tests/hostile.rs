//! Guests that mean harm or are broken: each is contained, and the error says what it did.

use super::guest::*;
use crate::model::{Answer, Effect, Fault};
use crate::plugin::{API_VERSION, Kind, ManifestError, Plugin, PluginError, Whose, manifest};
use std::time::{Duration, Instant};

macro_rules! hostile {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/hostile/", $name, ".wat"))
    };
}

async fn apply(text: &str) -> Result<Result<(), Fault>, PluginError> {
    load(&procedure(text)).with_limits(tight()).procedure_apply(&mut unreached(), &step("go")).await
}

async fn steps(text: &str) -> PluginError {
    load(&procedure(text)).with_limits(tight()).procedure_steps(&mut unreached()).await.unwrap_err()
}

/// Every error of a hostile guest names the plugin, the call and the culprit.
#[track_caller]
fn check(error: &PluginError, call: &str, says: &str) {
    let message = error.to_string();
    for expected in ["guest", call, says] {
        assert!(message.contains(expected), "{expected:?} is not in {message:?}");
    }
    assert_eq!(error.whose(), Whose::Plugin);
}

#[tokio::test]
async fn a_guest_that_loops_is_stopped_in_its_time() {
    let began = Instant::now();
    let error = apply(hostile!("loops")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfTime { .. }), "{error:?}");
    check(&error, "apply(go)", "computing time");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_guest_that_loops_before_its_first_export_is_stopped() {
    let error = apply(hostile!("loops-at-start")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfTime { .. }), "{error:?}");
}

#[tokio::test]
async fn a_looping_guest_does_not_keep_the_host_from_other_work() {
    let plugin = load(&procedure(hostile!("loops"))).with_limits(tight());
    let mut turns = 0;
    let mut path = unreached();
    let id = step("go");
    let call = plugin.procedure_apply(&mut path, &id);
    tokio::pin!(call);
    // One thread: if the guest did not give way, the timer could not fire before the guest ends.
    let result = loop {
        tokio::select! {
            result = &mut call => break result,
            () = tokio::time::sleep(Duration::from_millis(20)) => turns += 1,
        }
    };
    assert!(matches!(result, Err(PluginError::OutOfTime { .. })));
    assert!(turns >= 2, "{turns}");
}

#[tokio::test]
async fn a_guest_that_takes_memory_without_end_is_stopped_at_its_limit() {
    let plugin = load(&procedure(hostile!("grows"))).with_limits(tight());
    let error = plugin.procedure_apply(&mut unreached(), &step("go")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfMemory { .. }), "{error:?}");
    check(&error, "apply(go)", "32 MiB");
    let most = plugin.usage().memory;
    assert!(most <= 32 << 20 && most > 16 << 20, "{most}");
}

#[tokio::test]
async fn a_guest_born_too_large_is_not_started() {
    let error = apply(hostile!("born-too-large")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfMemory { .. }), "{error:?}");
}

#[tokio::test]
async fn a_guest_that_takes_table_entries_without_end_is_stopped() {
    let error = apply(hostile!("grows-tables")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfMemory { .. }), "{error:?}");
}

/// A handle costs the host memory that is not the guest's.
#[tokio::test]
async fn a_guest_that_takes_handles_without_end_is_stopped() {
    for text in [hostile!("handles"), hostile!("handles-of-wasi")] {
        // As few as wasmtime by itself would let it have.
        for text in [text, &text.replace("1000000", "1001")] {
            let error = apply(text).await.unwrap_err();
            assert!(matches!(error, PluginError::Trapped { .. }), "{error:?}");
            check(&error, "apply(go)", "more than 1000 handles");
        }
        apply(&text.replace("1000000", "999")).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_guest_that_recurses_without_end_is_stopped() {
    let error = apply(hostile!("recurses")).await.unwrap_err();
    check(&error, "apply(go)", "nest too deeply");
}

#[tokio::test]
async fn a_guest_that_traps_is_named() {
    let error = apply(hostile!("traps")).await.unwrap_err();
    assert!(matches!(error, PluginError::Trapped { .. }), "{error:?}");
    check(&error, "apply(go)", "gave up");
}

#[tokio::test]
async fn an_answer_outside_the_guests_memory_is_a_trap_of_the_guest() {
    let error = apply(hostile!("points-outside")).await.unwrap_err();
    assert!(matches!(error, PluginError::Trapped { .. }), "{error:?}");
}

#[tokio::test]
async fn a_step_id_that_is_a_path_is_garbage() {
    let error = steps(hostile!("step-id")).await;
    assert!(matches!(error, PluginError::Garbage { .. }), "{error:?}");
    check(&error, "steps()", "../../etc/x");
}

#[tokio::test]
async fn two_steps_of_one_id_are_garbage() {
    check(&steps(hostile!("step-twice")).await, "steps()", "the step same is there twice");
}

#[tokio::test]
async fn too_many_steps_are_garbage() {
    check(&steps(hostile!("steps-many")).await, "steps()", "1000 steps, and at most 200");
}

#[tokio::test]
async fn a_list_longer_than_the_guests_memory_is_a_trap_and_takes_no_memory_of_the_host() {
    let error = steps(hostile!("steps-endless")).await;
    assert!(matches!(error, PluginError::Trapped { .. } | PluginError::TooMuch { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_larger_than_the_copy_limit_is_refused() {
    let error = apply(hostile!("text-huge")).await.unwrap_err();
    assert!(matches!(error, PluginError::TooMuch { .. }), "{error:?}");
    check(&error, "apply(go)", "8 MiB");
}

#[tokio::test]
async fn an_argument_larger_than_the_copy_limit_is_refused_and_makes_no_effect() {
    let error = apply(hostile!("argument-huge")).await.unwrap_err();
    assert!(matches!(error, PluginError::TooMuch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_text_over_its_length_is_garbage() {
    check(&apply(hostile!("text-long")).await.unwrap_err(), "apply(go)", "8192 characters");
}

#[tokio::test]
async fn terminal_escapes_and_forged_lines_are_neutralised() {
    let fault = apply(hostile!("text-escapes")).await.unwrap().unwrap_err();
    assert_eq!(fault.code, "failed");
    assert_eq!(fault.message, "gone\u{fffd}[2J all is well\u{fffd}");
}

#[tokio::test]
async fn text_that_is_not_utf8_is_a_trap_of_the_guest() {
    let error = apply(hostile!("text-not-utf8")).await.unwrap_err();
    assert!(matches!(error, PluginError::Trapped { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_that_could_be_an_option_is_invalid_and_makes_no_effect() {
    let fault = apply(hostile!("argument-name")).await.unwrap().unwrap_err();
    assert_eq!(fault.code, "invalid");
    assert!(fault.message.contains("-oProxyCommand=x"), "{fault}");
}

#[tokio::test]
async fn a_guest_that_asks_for_ever_is_stopped_by_its_own_time() {
    let mut path = Recorder::new(|_: &Effect| answered(Answer::Milliseconds(0)));
    let plugin = load(&procedure(hostile!("asks-for-ever"))).with_limits(tight());
    let error = plugin.procedure_apply(&mut path, &step("go")).await.unwrap_err();
    assert!(matches!(error, PluginError::OutOfTime { .. }), "{error:?}");
    assert_eq!(plugin.usage().host_calls as usize, path.effects.len());
}

#[tokio::test]
async fn nothing_happens_while_a_plugin_describes_itself() {
    let plugin = load(&procedure(hostile!("describes-with-effects"))).with_limits(tight());
    plugin.procedure_describe().await.unwrap();
    assert_eq!(plugin.usage().host_calls, 1);
}

fn refusal(component: &[u8]) -> PluginError {
    let error = Plugin::compile(run_engine(), "guest.wasm", component).unwrap_err();
    assert_eq!(error.whose(), Whose::Plugin);
    assert!(error.to_string().contains("guest"), "{error}");
    error
}

/// Returns the error's own sentence and its causes'.
fn story(error: &PluginError) -> String {
    let source = std::error::Error::source(error).map(|cause| cause.to_string()).unwrap_or_default();
    format!("{error}: {source}")
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let error = refusal(&procedure(hostile!("imports-unknown-interface")));
    assert!(matches!(error, PluginError::Import { .. }), "{error:?}");
    assert!(error.to_string().contains("windlass:plugin/telepathy@0.1.0"), "{error}");
}

#[test]
fn a_function_that_does_not_exist_is_named() {
    let error = refusal(&procedure(hostile!("imports-unknown-function")));
    assert!(matches!(error, PluginError::Link { .. }), "{error:?}");
    assert!(error.to_string().contains("rewind"), "{error}");
}

#[test]
fn a_function_of_another_type_is_named() {
    let error = refusal(&procedure(hostile!("imports-other-type")));
    assert!(matches!(error, PluginError::Link { .. }), "{error:?}");
    assert!(error.to_string().contains("now"), "{error}");
}

#[test]
fn a_newer_contract_is_refused_naming_interface_version_and_the_host_that_has_it() {
    let error = refusal(&procedure(hostile!("imports-newer-version"))).to_string();
    for expected in ["windlass:plugin/nodes", "0.2.0", API_VERSION, "Windlass 0.2.0 or newer"] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_import_without_a_version_or_with_an_older_one_says_so() {
    for (import, says) in [
        ("windlass:plugin/nodes", "does not say which version"),
        ("windlass:plugin/nodes@0.0.9", "older than any this host has"),
        ("windlass:plugin/telepathy@0.1.0", "has no such interface"),
    ] {
        let text = format!("(component (import \"{import}\" (instance)))");
        let error = refusal(&procedure(&text)).to_string();
        assert!(error.contains(import) && error.contains(says), "{error}");
    }
}

#[test]
fn imports_of_wasi_or_of_anything_else_are_refused_by_name() {
    let error = refusal(&procedure(hostile!("imports-wasi"))).to_string();
    assert!(
        error.contains("wasi:http/types@0.2.0") && error.contains("of WASI this host has 0.2"),
        "{error}"
    );
    let error = refusal(&procedure(hostile!("imports-function"))).to_string();
    assert!(error.contains("system"), "{error}");
}

#[test]
fn a_missing_export_is_named() {
    let error = refusal(&procedure(hostile!("exports-nothing")));
    assert!(matches!(error, PluginError::Export { .. }), "{error:?}");
    assert!(error.to_string().contains("procedure-api"), "{error}");
}

#[test]
fn a_procedure_that_says_it_is_a_hook_lacks_a_hooks_exports() {
    let error = refusal(&with_manifest(bare_procedure(""), Kind::Hook)).to_string();
    assert!(error.contains("hook-api"), "{error}");
}

#[test]
fn a_core_module_is_refused_in_a_sentence() {
    let error = story(&refusal(&bare_procedure(hostile!("core-module"))));
    assert!(error.contains("core WebAssembly module, not a component"), "{error}");
}

#[test]
fn a_file_cut_short_anywhere_is_refused_and_never_panics() {
    let whole = procedure("");
    for length in (0..whole.len()).step_by(7) {
        let error = Plugin::compile(run_engine(), "guest.wasm", &whole[..length]).unwrap_err();
        assert!(matches!(error, PluginError::Manifest { .. }), "{length}: {error:?}");
    }
}

#[test]
fn a_file_that_is_something_else_is_refused_in_a_sentence() {
    for other in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01", b"-----BEGIN CERTIFICATE-----\n"] {
        assert!(story(&refusal(other)).contains("not WebAssembly"), "{other:?}");
    }
}

#[test]
fn two_manifests_are_refused() {
    let json = serde_json::to_vec(&a_manifest(Kind::Procedure)).unwrap();
    let mut component = procedure("");
    wasm_encoder::ComponentSection::append_to_component(
        &wasm_encoder::CustomSection { name: manifest::SECTION.into(), data: json.into() },
        &mut component,
    );
    let error = refusal(&component);
    let twice = matches!(&error, PluginError::Manifest { source: ManifestError::Twice, .. });
    assert!(twice, "{error:?}");
}
