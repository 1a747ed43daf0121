//! What we ship, show and begin is audited, and nothing is found: no false alarm.
//!
//! What is found of plugins that mean harm is in `host/src/audit/tests/hostile.rs`.

use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

fn root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize_utf8().unwrap()
}

fn folder(variable: &str) -> Option<Utf8PathBuf> {
    let found = std::env::var(variable).ok().map(Utf8PathBuf::from);
    if found.is_none() {
        println!("skipped: {variable} is not set; run `cargo xtask test`");
    }
    found
}

/// Audits a plugin without a site; on scenarios, where any are given. Returns what stands above a note.
fn found(binary: &Utf8Path, plugin: &str, scenarios: &[Utf8PathBuf]) -> Vec<String> {
    let mut command = Command::new(binary);
    command.args(["-C", "/nowhere", "--json", "audit", plugin]).stdin(Stdio::null());
    for scenario in scenarios {
        command.args(["--scenario", scenario.as_str()]);
    }
    // An engine takes seconds to compile, so all tests have one folder of images.
    if let Ok(engines) = std::env::var("WINDLASS_ENGINES") {
        command.env("WINDLASS_CACHE_DIR", format!("{engines}/images"));
    }
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{plugin}: {error}\n{out}\n{err}"));
    assert!(report["rehearsals"]["count"].as_u64().unwrap() > 2, "{plugin} was not rehearsed: {out}");
    let findings = report["findings"].as_array().unwrap();
    let above = findings.iter().filter(|finding| finding["level"] != "note").map(ToString::to_string);
    let above: Vec<String> = above.collect();
    let expected = (Some(if above.is_empty() { 0 } else { 10 }), above.is_empty());
    assert_eq!((output.status.code(), report["verdict"] == "nothing-found"), expected, "{plugin}: {err}");
    above
}

/// Of a plugin that its author has just begun.
#[track_caller]
pub(crate) fn finds_nothing(plugin: &str, scenarios: &[Utf8PathBuf]) {
    let found = found(Utf8Path::new(env!("CARGO_BIN_EXE_windlass")), plugin, scenarios);
    assert!(found.is_empty(), "{plugin}: {found:#?}");
}

fn scenarios(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.join("scenarios").read_dir_utf8().unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().into_path()).collect();
    found.retain(|path| path.extension() == Some("toml"));
    found.sort();
    found
}

#[test]
fn no_plugin_that_we_ship_or_show_raises_an_alarm() {
    let (Some(components), Some(binary)) = (folder("WINDLASS_COMPONENTS"), folder("WINDLASS_BIN")) else {
        return;
    };
    let examples = root().join("examples");
    // The longest first: what is left of the others fits beside it.
    let mut plugins: Vec<(String, Vec<Utf8PathBuf>)> =
        ["ha-cert", "root-key", "retire-key"].map(|name| (name.to_owned(), Vec::new())).into();
    let corporate = components.join("ha-cert-csr.wasm").into_string();
    plugins.push((corporate, scenarios(&examples.join("procedures/ha-cert-csr"))));
    for hook in ["window", "health-gate", "cmdb"] {
        let component = components.join(format!("{hook}.wasm"));
        plugins.push((component.into_string(), scenarios(&examples.join("hooks").join(hook))));
    }
    let trail = scenarios(&examples.join("scripts/trail"));
    plugins.push((components.join("trail.wasm").into_string(), trail.clone()));
    if let Some(engines) = folder("WINDLASS_ENGINES") {
        for script in ["drain/drain.py", "notify/notify.js", "trail/trail.py", "trail/trail.js"] {
            plugins.push((examples.join("scripts").join(script).into_string(), Vec::new()));
        }
        for compiled in ["trail-js.wasm", "trail-py.wasm"] {
            let path = engines.join("examples").join(compiled);
            if path.exists() {
                plugins.push((path.into_string(), trail.clone()));
            }
        }
    }
    plugins.retain(|(plugin, _)| !plugin.ends_with(".wasm") || Utf8Path::new(plugin).exists());
    let next = AtomicUsize::new(0);
    let audited = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((plugin, scenarios)) = plugins.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let began = std::time::Instant::now();
                    let found = found(&binary, plugin, scenarios);
                    println!("{plugin}: {} ms", began.elapsed().as_millis());
                    audited.lock().unwrap().push((plugin.clone(), found));
                }
            });
        }
    });
    let audited = audited.into_inner().unwrap();
    assert!(audited.len() >= 10, "{audited:?}");
    let alarms: Vec<_> = audited.into_iter().filter(|(_, found)| !found.is_empty()).collect();
    assert!(alarms.is_empty(), "{alarms:#?}");
}

/// How `audit` ended: its exit code, and what it printed.
fn audit(arguments: &[&str]) -> Option<(Option<i32>, String, String)> {
    ended(Command::new(folder("WINDLASS_BIN")?), arguments)
}

fn ended(mut command: Command, arguments: &[&str]) -> Option<(Option<i32>, String, String)> {
    command.args(["-C", "/nowhere", "audit"]).args(arguments).stdin(Stdio::null());
    if let Ok(engines) = std::env::var("WINDLASS_ENGINES") {
        command.env("WINDLASS_CACHE_DIR", format!("{engines}/images"));
    }
    let ended = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((ended.status.code(), text(ended.stdout), text(ended.stderr)))
}

#[test]
fn an_audit_is_the_same_to_the_byte_in_every_format_and_one_rehearsal_is_repeated_alone() {
    let Some(components) = folder("WINDLASS_COMPONENTS") else { return };
    let gate = components.join("health-gate.wasm").into_string();
    for (format, begins) in
        [("json", "{\"format\":1"), ("sarif", "{"), ("html", "<!DOCTYPE html>"), ("text", "NOTHING FOUND")]
    {
        let once = || audit(&[&gate, "--format", format]);
        let (Some((code, one, err)), Some((_, two, _))) = (once(), once()) else { return };
        assert_eq!((code, one.starts_with(begins)), (Some(0), true), "{format}: {one} {err}");
        assert!(one == two, "{format}: two audits of the same bytes differ");
    }
    // The pool of instances needs more addresses than that.
    let mut bounded = Command::new("prlimit");
    bounded.arg(format!("--as={}", 64_u64 << 30)).arg(folder("WINDLASS_BIN").unwrap());
    let json = [gate.as_str(), "--format", "json"];
    assert!(ended(bounded, &json) == audit(&json), "without a pool it is another");
    let (code, transcript, err) = audit(&[&gate, "--only", "every-moment", "--seed", "2"]).unwrap();
    assert_eq!(code, Some(0), "{err}");
    assert!(
        transcript.starts_with("every-moment 2: another time") && transcript.contains("it ended:"),
        "{transcript}"
    );
    for (wrong, says) in [
        (["--only", "no-such", "--seed", "1"], "has no scenario no-such"),
        (["--only", "every-moment", "--seed", "99999"], "has no rehearsal 99999"),
    ] {
        let (code, _, err) = audit(&[&[gate.as_str()], &wrong[..]].concat()).unwrap();
        assert!(code == Some(2) && err.contains(says) && err.contains("next:"), "{code:?} {err}");
    }
    let (code, _, err) = audit(&["no-such-plugin"]).unwrap();
    assert!(code == Some(2) && err.contains("no plugin of that name"), "{err}");
}

#[test]
fn what_a_new_version_does_that_the_old_one_did_not_is_said_first() {
    let Some(components) = folder("WINDLASS_COMPONENTS") else { return };
    let (new, old) = (components.join("health-gate.wasm"), components.join("window.wasm"));
    let compared = audit(&[new.as_str(), "--against", old.as_str(), "--json"]);
    let Some((Some(0), out, _)) = compared else { panic!("{compared:?}") };
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let summary = report["comparison"]["summary"].to_string();
    assert!(summary.contains("also: general health"), "{summary}");
    assert!(summary.contains("ended: failed: the hook needs the parameter from; now: went on"), "{summary}");
    assert_eq!(report["comparison"]["imports"]["less"], serde_json::json!(["clock/now"]), "{out}");
    // A procedure in the place of itself conforms in every scenario.
    let Some((Some(0), out, _)) = audit(&["root-key", "--as", "root-key", "--json"]) else { panic!() };
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let scenarios = report["conformance"]["scenarios"].as_array().unwrap();
    assert!(
        scenarios.len() == 4 && scenarios.iter().all(|one| one["differs"] == serde_json::json!([])),
        "{out}"
    );
}

/// A script that knows from its own text that it is measured, and then does otherwise.
const LOOKS: &str = r#"// /// windlass
// api = "0.1"
// summary = "Looks at itself"
//
// [[needs]]
// reason = "Says that it is well"
// general = ["note"]
// ///
const itself = () => {
  return 1;
};
if (itself.toString().includes("wind" + "lass")) veto("I am looked at");
note("all is well");
"#;

#[test]
fn lines_of_a_script_are_told_in_every_format_unless_it_looks_at_its_marks() {
    if folder("WINDLASS_ENGINES").is_none() {
        return;
    }
    let notify = root().join("examples/scripts/notify/notify.js").into_string();
    let began = std::time::Instant::now();
    let Some((Some(0), out, _)) = audit(&[&notify, "--json"]) else { return };
    println!("notify.js: {} ms", began.elapsed().as_millis());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    // What it would say at moments that no scenario of it has.
    let lines =
        serde_json::json!({"coverage": "lines", "lines": 13, "reached": 10, "unreached": [26, 28, 31]});
    assert_eq!(report["coverage"], lines);
    for format in ["text", "html"] {
        let (_, told, _) = audit(&[&notify, "--format", format]).unwrap();
        assert!(told.contains("10 of 13 lines") && told.contains("26, 28, 31"), "{format}: {told}");
    }
    let folder = tempfile::tempdir().unwrap();
    let looks = folder.path().join("looks.js");
    std::fs::write(&looks, LOOKS).unwrap();
    let (code, out, err) = audit(&[looks.to_str().unwrap(), "--json"]).unwrap();
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"));
    let why =
        serde_json::json!({"coverage": "not-measurable", "why": "with marks in its code it does otherwise"});
    assert_eq!((code, &report["coverage"]), (Some(0), &why));
}
