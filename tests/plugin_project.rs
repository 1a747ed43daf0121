//! A plugin's project, as its author has it: begun, built, rehearsed; and what is said where something is wrong.

use camino::{Utf8Path, Utf8PathBuf};
use std::io::BufRead as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The scenarios of this repository's own plugins and examples, by component.
const REHEARSED: [(&str, &str); 6] = [
    ("window", "examples/hooks/window"),
    ("health-gate", "examples/hooks/health-gate"),
    ("cmdb", "examples/hooks/cmdb"),
    ("ha-cert-csr", "examples/procedures/ha-cert-csr"),
    ("ha-cert", "plugins/ha-cert"),
    ("root-key", "plugins/root-key"),
];

struct Said {
    exit: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn check(&self, exit: i32, words: &[&str]) {
        assert_eq!(self.exit, exit, "{}\n{}", self.out, self.err);
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "{word}\n{}\n{}", self.out, self.err);
        }
    }
}

/// None where no component was built, having said so.
fn components() -> Option<Utf8PathBuf> {
    let found = std::env::var("WINDLASS_COMPONENTS").ok().map(Utf8PathBuf::from);
    if found.is_none() {
        println!("skipped: WINDLASS_COMPONENTS is not set; run `cargo xtask test`");
    }
    found
}

fn root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize_utf8().unwrap()
}

fn windlass(arguments: &[&str]) -> Said {
    // A site that is none: an author needs no site.
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(["-C", "/nowhere", "plugin"]).args(arguments).stdin(Stdio::null());
    // An engine takes seconds to compile, so all tests have one folder of images.
    if let Ok(engines) = std::env::var("WINDLASS_ENGINES") {
        command.env("WINDLASS_CACHE_DIR", format!("{engines}/images"));
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { exit: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn scenarios(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.join("scenarios").read_dir_utf8().unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().into_path()).collect();
    found.retain(|path| path.extension() == Some("toml"));
    found.sort();
    found
}

/// Rehearses a component on scenarios.
fn test(component: &Utf8Path, scenarios: &[Utf8PathBuf], more: &[&str]) -> Said {
    let mut arguments = vec!["test", component.as_str()];
    for scenario in scenarios {
        arguments.extend(["--scenario", scenario.as_str()]);
    }
    arguments.extend(more);
    windlass(&arguments)
}

#[test]
fn every_scenario_of_the_plugins_and_examples_goes_as_recorded() {
    let Some(components) = components() else { return };
    let bless: &[&str] = if std::env::var_os("WINDLASS_UPDATE").is_some() { &["--bless"] } else { &[] };
    for (name, folder) in REHEARSED {
        let scenarios = scenarios(&root().join(folder));
        assert!(!scenarios.is_empty(), "{folder}");
        let said = test(&components.join(format!("{name}.wasm")), &scenarios, bless);
        let told: Vec<_> = said.out.lines().filter(|line| !line.starts_with("  ")).collect();
        assert_eq!(said.exit, 0, "{name}\n{}\n{}", told.join("\n"), said.err);
    }
}

/// The two of `trail` are held to one set of transcripts.
#[test]
fn every_scenario_of_the_example_scripts_goes_as_recorded() {
    if std::env::var_os("WINDLASS_ENGINES").is_none() {
        println!("skipped: WINDLASS_ENGINES is not set, so no script runs; cargo xtask engines builds them");
        return;
    }
    let bless: &[&str] = if std::env::var_os("WINDLASS_UPDATE").is_some() { &["--bless"] } else { &[] };
    for name in ["drain/drain.py", "notify/notify.js", "trail/trail.py", "trail/trail.js"] {
        let script = root().join("examples/scripts").join(name);
        let scenarios = scenarios(script.parent().unwrap());
        assert!(!scenarios.is_empty(), "{name}");
        let said = test(&script, &scenarios, bless);
        assert_eq!(said.exit, 0, "{name}\n{}\n{}", said.out, said.err);
    }
}

#[test]
fn ha_cert_goes_through_whole_on_a_simulated_pair() {
    let Some(components) = components() else { return };
    let scenario = root().join("plugins/ha-cert/scenarios/sequential.toml");
    let said = test(&components.join("ha-cert.wasm"), &[scenario], &["--json"]);
    said.check(0, &["as recorded"]);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let lines: Vec<&str> =
        told["transcript"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(*lines.last().unwrap(), "ended: done and verified");
    let passed = lines.iter().filter(|line| line.starts_with("  = passed: ")).count();
    assert!(passed >= 4, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("FAILED")), "{lines:#?}");
    // Nothing in it is of this machine or of this day: no hash, no secret.
    for line in lines {
        let hash = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(!line.split(|c: char| !c.is_ascii_alphanumeric()).any(hash), "{line}");
        assert!(!line.contains("Rehearsal-1") && !line.contains("PRIVATE KEY"), "{line}");
    }
}

#[test]
fn every_scenario_of_a_bundled_procedure_goes_as_recorded() {
    let Some(components) = components() else { return };
    for procedure in ["ha-cert", "root-key", "retire-key"] {
        let scenarios = scenarios(&root().join("plugins").join(procedure));
        let said = test(&components.join(procedure).with_extension("wasm"), &scenarios, &["--json"]);
        assert_eq!(said.exit, 0, "{procedure}: {} {}", said.out, said.err);
        assert_eq!(said.out.matches("as recorded").count(), scenarios.len(), "{procedure}: {}", said.out);
    }
}

#[test]
fn a_transcript_that_is_another_is_a_failure_that_shows_the_lines() {
    let Some(components) = components() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    let (scenario, record) = (dir.join("s.toml"), dir.join("s.transcript"));
    std::fs::write(&scenario, "[params]\nfrom = \"22:00\"\nuntil = \"04:00\"\n").unwrap();
    let component = components.join("window.wasm");
    let test = |more: &[&str]| test(&component, std::slice::from_ref(&scenario), more);

    test(&[]).check(1, &["nothing is recorded yet", "--bless"]);
    assert!(!record.exists());
    test(&["--bless"]).check(0, &["s.toml: recorded", "read the clock: 2026-01-05 02:00:00Z", "= goes on"]);
    let first = std::fs::read_to_string(&record).unwrap();
    test(&[]).check(0, &["s.toml: as recorded"]);

    // The deliberate break: another hour is outside the window.
    std::fs::write(
        &scenario,
        "start = \"2026-01-05T12:00:00Z\"\n[params]\nfrom = \"22:00\"\nuntil = \"04:00\"\n",
    )
    .unwrap();
    let broken = test(&[]);
    broken.check(
        1,
        &[
            "s.toml: NOT as recorded",
            "-     read the clock: 2026-01-05 02:00:00Z",
            "+     read the clock: 2026-01-05 12:00:00Z",
            "-   = goes on",
            "+   = vetoes: it is 12:00 UTC, and the maintenance window is 22:00 to 04:00 UTC",
            "1 of 1 scenarios did not go as recorded",
        ],
    );
    assert_eq!(std::fs::read_to_string(&record).unwrap(), first, "only --bless writes it");
}

#[test]
fn watching_tests_again_when_a_scenario_changes() {
    let Some(components) = components() else { return };
    let folder = tempfile::tempdir().unwrap();
    let scenario = Utf8Path::from_path(folder.path()).unwrap().join("s.toml");
    let window = "[params]\nfrom = \"22:00\"\nuntil = \"04:00\"\n";
    std::fs::write(&scenario, window).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["plugin", "test", "--watch", components.join("window.wasm").as_str(), "--scenario"])
        .arg(&scenario)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let wait_for = |word: &str| {
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
            if line.contains(word) {
                return true;
            }
        }
        false
    };
    let first = wait_for("nothing is recorded yet");
    std::fs::write(&scenario, format!("start = \"2026-01-05T12:00:00Z\"\n{window}")).unwrap();
    let again = wait_for("read the clock: 2026-01-05 12:00:00Z");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first && again, "{first} {again}");
}

#[test]
fn what_is_wrong_with_what_is_tested_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    windlass(&["test", dir.join("none").as_str()]).check(2, &["there is no", "windlass plugin test PATH"]);
    windlass(&["test", dir.as_str()]).check(2, &["manifest.toml cannot be read", "windlass plugin new NAME"]);
    windlass(&["build", dir.as_str()])
        .check(2, &["manifest.toml cannot be read", "windlass plugin new NAME"]);
    let manifest = "name = \"a\"\nversion = \"0.1.0\"\nkind = \"hook\"\napi = \"0.1\"\nsummary = \"x\"\n";
    std::fs::write(dir.join("manifest.toml"), manifest).unwrap();
    windlass(&["test", dir.as_str()]).check(2, &["a.wasm: the plugin is not built", "windlass plugin build"]);
    windlass(&["build", dir.as_str()]).check(2, &["there is no Cargo.toml", "a script needs no building"]);

    let Some(components) = components() else { return };
    std::fs::copy(components.join("window.wasm"), dir.join("a.wasm")).unwrap();
    windlass(&["test", dir.as_str()]).check(2, &["there is no scenario in", "touch", "default.toml"]);
    std::fs::create_dir(dir.join("scenarios")).unwrap();
    // An empty file is a scenario.
    std::fs::write(dir.join("scenarios/default.toml"), "").unwrap();
    windlass(&["test", dir.as_str()])
        .check(1, &["hook window before the run", "the hook needs the parameter from"]);
    // Words that the profile does not have.
    let wrong = "[grants]\ncommands = [\"restart-hb\"]\n[[events]]\nbefore = \"ha-cert/*\"\n";
    std::fs::write(dir.join("scenarios/default.toml"), wrong).unwrap();
    windlass(&["test", dir.as_str()]).check(
        2,
        &["scenarios/default.toml:2:13", "did you mean \"restart-ha\"?", "an event is of one step, as"],
    );
    // A parameter that a procedure does not have.
    std::fs::write(dir.join("scenarios/default.toml"), "[params]\nstratgy = \"x\"\n").unwrap();
    test(&components.join("ha-cert.wasm"), &[dir.join("scenarios/default.toml")], &[])
        .check(2, &["[params] of the scenario: there is no parameter \"stratgy\"", "did you mean strategy?"]);
}

#[test]
fn a_script_is_begun_as_one_file_with_a_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    for (lang, file) in [("python", "drain/drain.py"), ("js", "gate/gate.js")] {
        let name = file.split('/').next().unwrap();
        windlass(&["new", name, "--lang", lang, "--in", dir.as_str()]).check(0, &[file]);
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        assert!(text.contains(&format!("name = \"{name}\"")) && !text.contains("{{"), "{text}");
        assert!(dir.join(name).join("scenarios/unwell.toml").exists());
        // Its head is read before any engine is looked for.
        let broken = dir.join(name).join(format!("broken.{}", file.rsplit('.').next().unwrap()));
        std::fs::write(&broken, text.replace("api = \"0.1\"", "")).unwrap();
        windlass(&["test", broken.as_str()]).check(2, &["api"]);
        std::fs::remove_file(&broken).unwrap();
        if std::env::var_os("WINDLASS_ENGINES").is_none() {
            println!("skipped: WINDLASS_ENGINES is not set, so no script runs; run `cargo xtask test`");
            continue;
        }
        windlass(&["test", dir.join(name).as_str()]).check(0, &["unwell.toml: as recorded"]);
        crate::audit::finds_nothing(dir.join(name).as_str(), &[]);
    }
    windlass(&["new", "drain", "--lang", "js", "--in", dir.as_str()])
        .check(2, &["is there already", "--in DIR"]);
    windlass(&["new", "Drain", "--lang", "rust", "--in", dir.as_str()]).check(2, &["lower-case letters"]);
    windlass(&["new", "rotate", "--lang", "python", "--kind", "procedure", "--in", dir.as_str()])
        .check(2, &["a procedure is written in Rust", "--lang rust --kind procedure"]);
}

/// A project in Rust.
struct Project {
    dir: Utf8PathBuf,
    /// Kept from run to run. One for each kind: their modules have one name.
    target: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Project {
    /// None where nothing here compiles for wasm, having said so.
    fn begin(kind: &str) -> Option<Self> {
        if std::env::var_os("WINDLASS_COMPONENTS").is_none() {
            println!("skipped: nothing is known to compile for wasm here; run `cargo xtask test`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        windlass(&["new", "first-try", "--lang", "rust", "--kind", kind, "--in", dir.as_str()])
            .check(0, &["first-try", "windlass plugin build"]);
        let target = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("first-{kind}"));
        let project = Self { dir: dir.join("first-try"), target, _folder: folder };
        // What the repository's own guests are built with is at hand without a network.
        std::fs::copy(root().join("examples/Cargo.lock"), project.dir.join("Cargo.lock")).unwrap();
        Some(project)
    }

    fn build(&self) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(["plugin", "build", self.dir.as_str()])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { exit: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.dir.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }
}

#[test]
fn a_hook_that_is_begun_builds_goes_as_recorded_and_says_what_its_author_got_wrong() {
    let Some(project) = Project::begin("hook") else { return };
    project.build().check(0, &["first-try.wasm", "windlass plugin test"]);
    windlass(&["test", project.dir.as_str()])
        .check(0, &["well.toml: as recorded", "unwell.toml: as recorded"]);
    crate::audit::finds_nothing(project.dir.as_str(), &[]);
    let world = std::fs::read_to_string(project.dir.join("world.wit")).unwrap();
    assert!(world.contains("import windlass:plugin/cluster@0.1.1;"), "{world}");
    assert!(!world.contains("windlass:plugin/files"), "{world}");

    // A call that no need is for.
    project.change("manifest.toml", "general = [\"note\"]", "general = [\"clock\"]");
    project
        .build()
        .check(2, &["calls operator.note", "no need of manifest.toml is for it", "general = [\"note\"]"]);
    project.change("manifest.toml", "general = [\"clock\"]", "general = [\"note\"]");
    // Another kind than the code is.
    project.change("manifest.toml", "kind = \"hook\"", "kind = \"procedure\"");
    project.build().check(
        2,
        &["is a procedure by manifest.toml, and the code is a hook", "export_procedure!", "kind = \"hook\""],
    );
    project.change("manifest.toml", "kind = \"procedure\"", "kind = \"hook\"");
    // No export.
    project.change("src/lib.rs", "windlass_sdk::export_hook!(FirstTry);", "");
    project.build().check(2, &["exports nothing: a hook must", "windlass_sdk::export_hook!(YourType);"]);
    project.change("src/lib.rs", "//! The hook", "windlass_sdk::export_hook!(FirstTry)\n//! The hook");
    project.build().check(1, &["does not compile", "what cargo says above"]);
    // A manifest that cannot be meant.
    project.change("manifest.toml", "api = \"0.1\"", "api = \"0.9\"");
    project.build().check(2, &["0.9 of the plugin API", "write api = \"0.1\""]);
    project.change("manifest.toml", "api = \"0.9\"", "api = \"0.1\"");
    project.change("manifest.toml", "reason = \"Tell what was seen\"\n", "");
    project.build().check(2, &["need 2 (general) has no reason", "say why"]);
    project.change("Cargo.toml", "crate-type = [\"cdylib\", \"rlib\"]", "");
    project.change("manifest.toml", "general = [\"note\"]", "general = [\"note\"]\nreason = \"Tell\"");
    project.build().check(2, &["no library of the type cdylib", "crate-type = [\"cdylib\", \"rlib\"]"]);
}

#[test]
fn a_procedure_that_is_begun_builds_and_goes_as_recorded() {
    let Some(project) = Project::begin("procedure") else { return };
    project.build().check(0, &["first-try.wasm"]);
    windlass(&["test", project.dir.as_str()])
        .check(0, &["well.toml: as recorded", "unwell.toml: as recorded"]);
    crate::audit::finds_nothing(project.dir.as_str(), &[]);
    // A command that the profile does not have is an answer, and is told with the name.
    project.change("src/lib.rs", "run(\"restart-ha\")", "run(\"restart-hb\")");
    project.change("manifest.toml", "restart-ha@*", "restart-hb@*");
    project.build().check(0, &[]);
    windlass(&["test", project.dir.as_str()])
        .check(1, &["profile mrs-2 has no command restart-hb", "did you mean restart-ha?"]);
}
