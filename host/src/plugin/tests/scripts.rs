//! Scripts of both languages, run by the engines that `cargo xtask engines` built.

use super::guest::{Recorder, run_engine};
use crate::model::{Answer, Effect, Entry, Fault, Outcome, code};
use crate::plugin::cache::Cache;
use crate::plugin::{
    Engine, HookAnswer, HookEvent, Language, Performed, Plugin, Profile, Script, ScriptEngine, engine, sha256,
};
use std::sync::OnceLock;

/// The engines of all languages, as far as they are built, with what marks for them.
pub fn engines(engine: &Engine) -> Vec<ScriptEngine> {
    let Some(folder) = std::env::var_os("WINDLASS_ENGINES") else { return Vec::new() };
    let folder = std::path::PathBuf::from(folder);
    let cache = Cache::open(&folder.join("images")).unwrap();
    let read = |name: &str| std::fs::read(format!("{}/{name}.wasm", folder.display())).unwrap();
    let load = |language: Language| {
        let (name, bytes) = (language.engine(), read(language.engine()));
        let loaded = ScriptEngine::load(engine, &cache, language, name, &bytes, sha256(&bytes)).unwrap();
        let Some(marker) = language.marker() else { return loaded };
        let bytes = read(marker);
        loaded.marked_by(&cache, marker, &bytes, &sha256(&bytes)).unwrap()
    };
    Language::ALL.map(load).into()
}

pub(super) fn engine_of(language: Language) -> Option<ScriptEngine> {
    static ENGINES: OnceLock<Vec<ScriptEngine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| engines(run_engine()));
    let found = engines.iter().find(|engine| engine.language() == language).cloned();
    if found.is_none() {
        println!("skipped: there is no engine of {language} scripts; cargo xtask engines builds it");
    }
    found
}

pub(super) fn script(language: Language, body: &str) -> Script {
    let comment = if language == Language::Python { "#" } else { "//" };
    let head = format!(
        "{comment} /// windlass\n{comment} api = \"0.1\"\n{comment} summary = \"x\"\n{comment} ///\n"
    );
    Script::read(&format!("try.{}", language.extension()), format!("{head}{body}").as_bytes()).unwrap()
}

pub(super) fn event(code: &str) -> HookEvent {
    let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
    HookEvent {
        code: code.into(),
        details: vec![
            entry("procedure", "ha-cert"),
            entry("step", "restart@first"),
            entry("node", "master1"),
            entry("nodes", "master1 master2"),
        ],
        parameters: vec![entry("colour", "green")],
    }
}

/// Runs a script, its effects answered by `answer`; returns what it asked for and how it ended.
fn ran(
    language: Language,
    body: &str,
    answer: impl FnMut(&Effect) -> Performed + Send,
) -> Option<(Vec<String>, Result<HookAnswer, String>)> {
    let engine = engine_of(language)?;
    let plugin = Plugin::script(&engine, script(language, body));
    let mut path = Recorder::new(answer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(plugin.hook_handle(&mut path, &event("before-step")));
    let ended = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(format!("{}: {} | {}", fault.code, fault.message, fault.hint)),
        Err(error) => Err(error.to_string()),
    };
    Some((path.effects.iter().map(ToString::to_string).collect(), ended))
}

pub(super) fn willing(effect: &Effect) -> Performed {
    Ok(Ok(match effect {
        Effect::NodesRun { .. } => Answer::Outcome(Outcome {
            succeeded: true,
            exit: 0,
            reason: String::new(),
            output: vec!["one".into()],
        }),
        Effect::ClockNow => Answer::Milliseconds(1_800_000_000_000),
        Effect::FilesRead { .. } => Answer::Bytes(b"hello".to_vec()),
        Effect::StateGet { .. } => Answer::Text(None),
        _ => Answer::Done,
    }))
}

/// One line for each language: the script, what it asks for, how it ends.
fn both(python: &str, js: &str, effects: &[&str], ends: &Result<HookAnswer, &str>) {
    for (language, body) in [(Language::Python, python), (Language::JavaScript, js)] {
        let Some((seen, ended)) = ran(language, body, willing) else { return };
        assert_eq!(seen, effects, "{language}: {ended:?}");
        match (ends, &ended) {
            (Ok(wanted), Ok(got)) => assert_eq!(wanted, got, "{language}"),
            (Err(says), Err(got)) => assert!(got.contains(says), "{language}: {got}"),
            _ => panic!("{language}: {ended:?}, and {ends:?} was expected"),
        }
    }
}

#[test]
fn a_script_does_what_it_says_and_answers() {
    both("", "", &[], &Ok(HookAnswer::GoOn));
    both(
        "from windlass import event, node\nnode('lb1').run('drain', node=event.node)\n",
        "node('lb1').run('drain', { node: event.node });",
        &["run drain node=\"master1\" on lb1"],
        &Ok(HookAnswer::GoOn),
    );
    both(
        "note(event.parameter('colour') + ' ' + ','.join(event.nodes))\nif event.step: veto('not now')\nnote('x')",
        "note(event.parameter('colour') + ' ' + event.nodes.join(','));\nif (event.step) veto('not now');\nnote('x');",
        &["note"],
        &Ok(HookAnswer::Veto("not now".into())),
    );
    both("warn('a')\nwarn('b')", "warn('a'); warn('b');", &[], &Ok(HookAnswer::Warn("a; b".into())));
    both(
        "assert node('a').read('f').decode() == 'hello'\nassert state.get('x', 'y') == 'y'\nstate['x'] = 7",
        "if (text(node('a').read('f')) !== 'hello') throw new Error('1');\nif (state.get('x') !== null) throw new Error('2');\nstate.set('x', 7);",
        &["read f on a", "recall x", "keep x"],
        &Ok(HookAnswer::GoOn),
    );
}

#[test]
fn what_a_script_does_not_catch_is_a_fault_that_says_where() {
    both("def f():\n    return 1 // 0\nf()\n", "const f = () => null.x;\n\nf();\n", &[], &Err("try."));
    let Some((_, ended)) = ran(Language::Python, "def f():\n    return 1 // 0\nf()\n", willing) else {
        return;
    };
    let told = ended.unwrap_err();
    assert!(told.contains("ZeroDivisionError") && told.contains("at try.py:6 in f"), "{told}");
    let (_, ended) = ran(Language::JavaScript, "\nconst f = () => null.x;\nf();\n", willing).unwrap();
    let told = ended.unwrap_err();
    assert!(told.contains("TypeError") && told.contains("at try.js:6"), "{told}");
    // A fault of the host keeps its code and its hint.
    let denied = |_: &Effect| Ok(Err(Fault::new(code::DENIED, "may not").hint("grant it")));
    for (language, body) in [(Language::Python, "note('x')"), (Language::JavaScript, "note('x')")] {
        let (_, ended) = ran(language, body, denied).unwrap();
        let told = ended.unwrap_err();
        assert!(told.starts_with("denied: may not, at try.") && told.ends_with("grant it"), "{told}");
    }
    for (language, body) in [(Language::Python, "def ("), (Language::JavaScript, "const = 1;")] {
        let (_, ended) = ran(language, body, willing).unwrap();
        let told = ended.unwrap_err();
        assert!(told.contains("SyntaxError") && told.contains(":5"), "{language}: {told}");
    }
}

#[test]
fn time_is_the_controllers_once_and_then_the_calls_own() {
    both(
        "import time, datetime\nt = time.time()\nassert int(t) == 1800000000, t\ntime.sleep(2.5)\n\
         assert abs(time.time() - t - 2.5) < 0.01\nassert datetime.datetime.now(datetime.timezone.utc).year == 2027\n",
        "const t = Date.now();\nif (Math.abs(t - 1800000000000) > 5) throw new Error(String(t));\nsleep(2500);\n\
         if (new Date().getUTCFullYear() !== 2027) throw new Error(String(new Date()));",
        &["read the clock", "wait 2500 ms"],
        &Ok(HookAnswer::GoOn),
    );
    // A script that never asks needs no grant; one that does is told.
    let denied = |effect: &Effect| match effect {
        Effect::ClockNow | Effect::ClockSleep { .. } => {
            Ok(Err(Fault::new(code::DENIED, "may not").hint("grant it")))
        }
        other => willing(other),
    };
    for (language, body) in [
        (Language::Python, "import time\ntime.time()"),
        (Language::Python, "import time\ntime.sleep(1)"),
        (Language::JavaScript, "Date.now()"),
    ] {
        let Some((_, ended)) = ran(language, body, denied) else { return };
        assert_eq!(ended.unwrap_err(), "denied: may not | grant it", "{language}");
        let (seen, ended) = ran(language, "1", denied).unwrap();
        assert_eq!((seen.len(), ended), (0, Ok(HookAnswer::GoOn)), "{language}");
    }
}

#[test]
fn chance_is_decided_by_the_call() {
    let python = "import random, uuid\nnote(f'{random.random()} {uuid.uuid4()} {random.randint(1, 10**9)}')";
    for (language, body) in
        [(Language::Python, python), (Language::JavaScript, "note(`${Math.random()} ${Math.random()}`)")]
    {
        let mut drawn = Vec::new();
        for _ in 0..2 {
            let keep = |effect: &Effect| {
                if let Effect::OperatorNote { text } = effect {
                    drawn.push(text.clone());
                }
                Ok(Ok(Answer::Done))
            };
            if ran(language, body, keep).is_none() {
                return;
            }
        }
        assert_eq!(drawn[0], drawn[1], "{language}");
        let numbers: Vec<&str> = drawn[0].split(' ').collect();
        assert_ne!(numbers[0], numbers[1], "{language}");
    }
}

#[test]
fn what_a_script_has_not_it_is_told_in_a_sentence() {
    for (body, says) in [
        ("open('/etc/passwd')", "PermissionError: a script has no files of its own"),
        ("import io\nio.open('/etc/passwd')", "a script has no files of its own"),
        ("import socket", "there is no module socket here: a script has no network"),
        ("import subprocess", "name a command in the profile"),
        ("import os", "a script has no files, processes or environment"),
        ("import urllib.request", "a script has no network"),
        ("import numpy", "there is no module numpy here"),
        ("input('x')", "a script has no terminal"),
        (
            "import sys\nsys.stdin.read()\nassert sys.argv in ([], ['']), sys.argv\nraise ValueError('fine')",
            "ValueError: fine",
        ),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
    ] {
        let Some((seen, ended)) = ran(Language::Python, body, willing) else { return };
        let told = ended.unwrap_err();
        assert!(told.contains(says) && seen.is_empty(), "{body}: {told}");
    }
    for body in
        ["require('fs')", "fetch('x')", "process.exit(1)", "import('fs').then(() => { throw 1 }); null.x"]
    {
        let (seen, ended) = ran(Language::JavaScript, body, willing).unwrap();
        assert!(ended.is_err() && seen.is_empty(), "{body}: {ended:?}");
    }
}

/// The sentences can be got round; what they speak of is not there all the same.
#[test]
fn a_script_that_gets_behind_the_prelude_finds_nothing() {
    let body = r#"
import sys
builtin = sys.__spec__.loader
posix, socket = builtin.load_module("posix"), builtin.load_module("_socket")
for name, what in {
    "open": lambda: posix.open("/etc/passwd", 0),
    "list": lambda: posix.listdir("/"),
    "make": lambda: posix.mkdir("/tmp/x"),
    "HOME": lambda: posix.environ[b"HOME"],
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", 22)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 22)),
    "resolve": lambda: socket.getaddrinfo(b"localhost", 22),
    "system": lambda: posix.system("true"),
    "fork": lambda: posix.fork(),
}.items():
    try:
        note(f"{name}: {what()}")
    except (OSError, KeyError, AttributeError):
        pass
assert posix.read(0, 10) == b"" and not posix.environ and not sys.argv[1:]
"#;
    let Some((seen, ended)) = ran(Language::Python, body, willing) else { return };
    assert_eq!((seen, ended), (vec![], Ok(HookAnswer::GoOn)));
}

/// Each is contained, and the message names the plugin and its limit.
#[test]
fn hostile_scripts_are_contained() {
    let python = [
        ("while True: pass", "computing time"),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", "MemoryError"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()", ""),
        ("for _ in range(3000): print('x' * 1000)\nraise ValueError('end')", "ValueError: end"),
        ("veto('x' * (20 << 20))", ""),
        ("note('x' * (20 << 20))", "MiB"),
        ("veto('\\ud800')", ""),
        ("note('\\ud800')\nraise ValueError('end')", "ValueError: end"),
        ("raise KeyboardInterrupt()", "KeyboardInterrupt"),
        ("import sys\nsys._getframe(1).f_globals.clear()", ""),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E()", ""),
        (
            "import gc\ngc.collect()\nx = [object() for _ in range(10**6)]\nraise ValueError('end')",
            "ValueError: end",
        ),
    ];
    let js = [
        ("for (;;);", "computing time"),
        ("const x = []; for (;;) x.push(new Uint8Array(1 << 20).fill(1));", ""),
        ("const f = () => f() + 1; f();", ""),
        ("veto('x'.repeat(20 << 20))", ""),
        ("note('x'.repeat(20 << 20))", "MiB"),
        ("note('\\ud800'); throw new Error('end')", "Error: end"),
        ("throw { get message() { throw 1 } }", ""),
        ("throw undefined", "undefined"),
        ("Object.defineProperty(Error.prototype, 'message', { get() { for (;;); } }); null.x", ""),
        (
            "globalThis.Map = null; Array.prototype.map = null; veto({ toString() { throw new Error('end') } })",
            "",
        ),
    ];
    let limits = crate::plugin::Limits { time: std::time::Duration::from_secs(2), ..Default::default() };
    let all =
        python.iter().map(|it| (Language::Python, it)).chain(js.iter().map(|it| (Language::JavaScript, it)));
    for (language, (body, says)) in all {
        let Some(engine) = engine_of(language) else { return };
        let plugin = Plugin::script(&engine, script(language, body)).with_limits(limits);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(plugin.hook_handle(&mut Recorder::new(willing), &event("before-step")));
        let told = match ended {
            Ok(Ok(HookAnswer::GoOn | HookAnswer::Warn(_))) => panic!("{language} {body:?} went on"),
            Ok(Ok(HookAnswer::Veto(reason))) => reason.chars().take(60).collect(),
            Ok(Err(fault)) => fault.message,
            Err(error) => error.to_string(),
        };
        println!("{language} {body:.50?}: {told:.200}");
        assert!(told.contains(says) && told.len() < 6_000, "{language} {body:?}: {told}");
        // The next call is none the worse for it.
        let fine = Plugin::script(&engine, script(language, "warn('fine')"));
        let ended = runtime.block_on(fine.hook_handle(&mut Recorder::new(willing), &event("before-step")));
        assert_eq!(ended.unwrap().unwrap(), HookAnswer::Warn("fine".into()));
    }
}

/// The same of what was compiled from Python and JavaScript: one hook a language, which does as the event's code says.
#[test]
fn hostile_compiled_hooks_are_contained() {
    let Some(folder) = std::env::var_os("WINDLASS_ENGINES").map(std::path::PathBuf::from) else {
        println!("skipped: WINDLASS_ENGINES is not set; cargo xtask engines builds what it names");
        return;
    };
    let cache = Cache::open(&folder.join("images")).unwrap();
    let engine = engine(Profile::Run).unwrap();
    let limits = crate::plugin::Limits { time: std::time::Duration::from_secs(2), ..Default::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, cases) in [
        (
            "hostile-py",
            &[
                ("loops", "computing time"),
                ("allocates", "MemoryError"),
                ("recurses", "RecursionError"),
                ("answers-much", ""),
                ("asks-much", "MiB"),
                ("prints", "ValueError: end"),
            ][..],
        ),
        (
            "hostile-js",
            &[
                ("loops", "computing time"),
                ("allocates", ""),
                ("recurses", ""),
                ("answers-much", ""),
                ("asks-much", "MiB"),
            ],
        ),
    ] {
        let Some(bytes) = read(folder.join(format!("examples/{name}.wasm"))) else { return };
        let plugin = cache.load(&engine, name, &bytes).unwrap().with_limits(limits);
        for (what, says) in cases {
            let ended = runtime.block_on(plugin.hook_handle(&mut Recorder::new(willing), &event(what)));
            let told = match ended {
                Ok(Ok(HookAnswer::Veto(reason))) => reason.chars().take(60).collect(),
                Ok(Ok(other)) => panic!("{name} {what}: {other:?}"),
                Ok(Err(fault)) => fault.message,
                Err(error) => error.to_string(),
            };
            println!("{name} {what}: {told:.200}");
            assert!(told.contains(says) && told.len() < 6_000, "{name} {what}: {told}");
            // The next call is none the worse for it.
            let fine = runtime.block_on(plugin.hook_handle(&mut Recorder::new(willing), &event("nothing")));
            assert_eq!(fine.unwrap().unwrap(), HookAnswer::GoOn, "{name} after {what}");
        }
    }
}

/// A file of the repository, or one that was built.
fn read(path: std::path::PathBuf) -> Option<Vec<u8>> {
    let bytes = std::fs::read(&path);
    if bytes.is_err() {
        println!("skipped: there is no {}; cargo xtask engines and guests build it", path.display());
    }
    bytes.ok()
}

/// The same small hook in Rust, as scripts, and compiled from Python and JavaScript.
fn trails() -> Option<Vec<(&'static str, Plugin)>> {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scripts/trail");
    let engines = std::path::PathBuf::from(std::env::var_os("WINDLASS_ENGINES")?);
    let components = std::path::PathBuf::from(std::env::var_os("WINDLASS_COMPONENTS")?);
    let mut trails = Vec::new();
    for (language, name) in [(Language::Python, "trail.py"), (Language::JavaScript, "trail.js")] {
        let script = Script::read(name, &std::fs::read(examples.join(name)).unwrap()).unwrap();
        trails.push((name, Plugin::script(&engine_of(language)?, script)));
    }
    let cache = Cache::open(&engines.join("images")).unwrap();
    let engine = engine(Profile::Run).unwrap();
    for (name, file) in [
        ("trail in Rust", components.join("trail.wasm")),
        ("trail compiled from Python", engines.join("examples/trail-py.wasm")),
        ("trail compiled from JavaScript", engines.join("examples/trail-js.wasm")),
    ] {
        trails.push((name, cache.load(&engine, name, &read(file)?).unwrap()));
    }
    Some(trails)
}

#[test]
fn the_same_hook_in_five_forms_has_one_transcript() {
    let Some(trails) = trails() else {
        println!("skipped: the engines, or the guests, were not built; cargo xtask test builds them");
        return;
    };
    let served = |effect: &Effect| match effect {
        Effect::ClusterServed { node, .. } if node.as_str() == "master2" => {
            Ok(Err(Fault::new(code::UNREACHABLE, "no answer")))
        }
        Effect::ClusterServed { .. } => Ok(Ok(super::probe::certificate())),
        Effect::OperatorNote { text } if text.contains("after-run") => {
            Ok(Err(Fault::new(code::DENIED, "may not").hint("grant it")))
        }
        other => willing(other),
    };
    let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (moment, strict) in [("before-step", true), ("after-step", false), ("after-run", false)] {
        let mut told = event(moment);
        if moment == "after-run" {
            told.details.retain(|entry| entry.name == "procedure");
        }
        told.parameters = vec![entry("strict", if strict { "yes" } else { "no" })];
        let mut transcripts = Vec::new();
        for (name, plugin) in &trails {
            let mut path = Recorder::new(served);
            let ended = match runtime.block_on(plugin.hook_handle(&mut path, &told)).unwrap() {
                // Where in its own text it was, only a script can say.
                Err(fault) => {
                    let message = fault.message.split(", at ").next().unwrap_or_default().to_owned();
                    Err(Fault { message, ..fault })
                }
                answer => answer,
            };
            transcripts.push((*name, path.effects, ended));
        }
        let (first, effects, ended) = &transcripts[0];
        assert!(!effects.is_empty(), "{first}");
        for (name, others, other_end) in &transcripts[1..] {
            assert_eq!(effects, others, "{first} and {name}, {moment}");
            assert_eq!(ended, other_end, "{first} and {name}, {moment}");
        }
    }
}
