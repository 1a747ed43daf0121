//! Scripts of a site, end to end: the examples with a real HAProxy, and what is refused of scripts and their engines.

use crate::refuse::{Practice, Said, local, locked};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scripts");

/// The engines that `cargo xtask test` has built, or none, having said why.
fn engines() -> Option<Utf8PathBuf> {
    let found = std::env::var("WINDLASS_ENGINES").ok().map(Utf8PathBuf::from);
    if found.is_none() {
        println!("skipped: WINDLASS_ENGINES is not set, so no script runs; cargo xtask engines builds them");
    }
    found
}

/// Engines take seconds to compile, so all tests have one folder of images.
fn windlass(practice: &Practice, engines: &Utf8Path, arguments: &[&str]) -> Said {
    let mut command = practice.command(arguments);
    command.env("WINDLASS_CACHE_DIR", engines.join("images"));
    Said::of(&command.output().unwrap())
}

/// Each lies in a folder of its own, with its scenarios.
fn example_file(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name);
    format!("{EXAMPLES}/{stem}/{name}")
}

fn example(name: &str) -> String {
    std::fs::read_to_string(example_file(name)).unwrap()
}

fn add(practice: &Practice, file: &str, more: &str) {
    practice.write(file, practice.read(file) + "\n" + more);
}

/// A server's name and administrative state, of a line of HAProxy's `show servers state`.
fn administrative(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split(' ').collect();
    (words.get(1) == Some(&"web")).then(|| format!("{}={}", words[3], words[6]))
}

/// A HAProxy with a backend of two servers, called as the managers are.
struct Balancer {
    process: Child,
    socket: Utf8PathBuf,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Balancer {
    fn start(folder: &Utf8Path) -> Option<Self> {
        let socket = folder.join("haproxy.sock");
        let configuration = format!(
            "global\n  stats socket {socket} mode 600 level admin\ndefaults\n  mode tcp\n  timeout connect 1s\n  \
             timeout client 1s\n  timeout server 1s\nbackend web\n  server master1 127.0.0.1:9\n  server master2 127.0.0.1:9\n"
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let started =
            Command::new("haproxy").args(["-db", "-q", "-f", file.as_str()]).stdin(Stdio::null()).spawn();
        let Ok(process) = started else {
            println!("skipped: there is no HAProxy; on Debian: apt-get install haproxy socat");
            return None;
        };
        let balancer = Self { process, socket };
        let deadline = Instant::now() + Duration::from_secs(20);
        while balancer.states().len() != 2 {
            assert!(Instant::now() < deadline, "HAProxy never answered");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(balancer)
    }

    /// The administrative state of each server: 0 is ready, 8 is drained.
    fn states(&self) -> Vec<String> {
        let script = format!("echo 'show servers state web' | socat - UNIX-CONNECT:{}", self.socket);
        let output = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let servers = text.lines().filter(|line| line.contains(" web "));
        servers
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .map(|words| format!("{}={}", words[3], words[6]))
            .collect()
    }

    /// The example's profile, here; what it notifies is followed by what HAProxy says of its servers.
    fn profile(&self, told: &Utf8Path) -> String {
        let states =
            format!("; echo 'show servers state web' | socat - UNIX-CONNECT:{} >>\"$$3\"", self.socket);
        std::fs::read_to_string(format!("{EXAMPLES}/drain/profiles/balanced.toml"))
            .unwrap()
            .replace("\"mrs-2\"", "\"practice\"")
            .replace("/run/haproxy/admin.sock", self.socket.as_str())
            .replace("/var/log/windlass-notify.log", told.as_str())
            .replace(">>\"$$3\"'", &format!(">>\"$$3\"{}'", states.replace('\'', "\"")))
    }
}

#[test]
fn a_node_is_out_of_a_real_balancer_while_it_is_restarted_and_in_again_after_it() {
    let (Some(engines), Some(practice)) = (engines(), local()) else { return };
    let Some(balancer) = Balancer::start(&practice.dir) else { return };
    let told = practice.dir.join("told");
    practice.write("profiles/own.toml", balancer.profile(&told));
    let site = practice.read("site.toml").replacen("profile = \"practice\"", "profile = \"own\"", 1);
    practice.write("site.toml", site);
    practice.write("hooks/drain.py", example("drain.py"));
    practice.write("hooks/notify.js", example("notify.js"));
    let mut bindings = String::new();
    for step in ["restart@first", "restart@second"] {
        for when in ["before", "after"] {
            bindings += &format!(
                "[[hooks]]\nplugin = \"drain\"\n{when} = \"ha-cert/{step}\"\nparams = {{ balancer = \"master1\" }}\n\
                 [[hooks]]\nplugin = \"notify\"\n{when} = \"ha-cert/{step}\"\norder = 10\non_error = \"warn\"\n\
                 params = {{ from = \"master2\", channel = \"oncall\" }}\n"
            );
        }
    }
    add(&practice, "site.toml", &bindings);
    add(
        &practice,
        "grants.toml",
        "[grants.drain]\ncommands = [\"haproxy-drain@master1\", \"haproxy-ready@master1\", \"haproxy-sessions@master1\"]\n\
         general = [\"clock\", \"note\"]\n[grants.notify]\ncommands = [\"notify@master2\"]\ngeneral = [\"note\"]\n",
    );
    windlass(&practice, &engines, &["site", "check"]).check(0, &[]);
    let plan = windlass(&practice, &engines, &["plan", "ha-cert"]);
    plan.check(0, &["hook drain, before restart@first", "set server %s/%s state drain"]);
    assert_eq!(balancer.states(), ["master1=0", "master2=0"], "a plan changes nothing");

    let said = windlass(&practice, &engines, &["run", "ha-cert", "--yes"]);
    said.check(0, &["done and verified", "master1 is out of master1", "master2 is in master1 again"]);
    assert_eq!(balancer.states(), ["master1=0", "master2=0"]);
    // What HAProxy itself said at the four moments; first is whichever was active.
    let told = std::fs::read_to_string(&told).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let moments: Vec<(bool, Vec<String>)> = lines
        .split(|line| line.starts_with("oncall: "))
        .skip(1)
        .map(|states| states.iter().filter_map(|line| administrative(line)).collect::<Vec<_>>())
        .zip([true, false, true, false])
        .map(|(states, before)| (before, states))
        .collect();
    assert_eq!(moments.len(), 4, "{told}");
    for (before, states) in &moments {
        let drained = states.iter().filter(|state| state.ends_with("=8")).count();
        assert_eq!((states.len(), drained), (2, usize::from(*before)), "{told}");
    }
    assert_ne!(moments[0].1, moments[2].1, "each of the two was out once: {told}");
    assert!(lines[0].starts_with("oncall: ha-cert on practice is about to do restart@first"), "{told}");
    // The journal says which engine ran.
    let run = said.err.lines().find_map(|line| line.strip_prefix("run ")).unwrap().split(':').next().unwrap();
    let export = windlass(&practice, &engines, &["runs", "export", run]);
    export.check(0, &["script-python", "script-js", "\"drain\""]);
}

/// A script that waits for thirty years.
fn sleeper() -> String {
    "# /// windlass\n# api = \"0.1\"\n# summary = \"x\"\n# [[needs]]\n# reason = \"x\"\n# general = [\"clock\"]\n# ///\n\
     import time\ntime.sleep(10**9)\n"
        .into()
}

#[test]
fn a_script_that_fails_is_told_with_its_line_and_treated_as_the_site_says() {
    let (Some(engines), Some(practice)) = (engines(), local()) else { return };
    let head = "# /// windlass\n# api = \"0.1\"\n# summary = \"x\"\n# ///\n";
    for (text, says) in [
        (format!("{head}1 / 0\n"), "ZeroDivisionError: division by zero, at gate.py:5"),
        (
            format!("{head}note('x')\n"),
            "gate may not note: its manifest does not ask for it, so no grant can help, at gate.py:5",
        ),
        (format!("{head}while True: pass\n"), "computing time"),
        (format!("{head}veto('not today')\n"), "not today"),
        (sleeper(), "gate has 2s for one call"),
    ] {
        practice.write("hooks/gate.py", text);
        if !practice.read("site.toml").contains("\"gate\"") {
            add(
                &practice,
                "site.toml",
                "[[hooks]]\nplugin = \"gate\"\nbefore = \"ha-cert/run\"\ntimeout = \"2s\"\n",
            );
            add(&practice, "grants.toml", "[grants.gate]\ngeneral = [\"clock\"]\n");
        }
        let before = practice.nodes();
        let said = windlass(&practice, &engines, &["run", "ha-cert", "--yes"]);
        assert!(said.exit == 1 || said.exit == 3, "{said:#?}");
        said.check(said.exit, &["gate", says, "the cluster is as it was"]);
        before.check(&practice.nodes());
    }
}

#[test]
fn a_script_is_installed_locked_and_held_to_its_bytes() {
    let (Some(engines), Some(practice)) = (engines(), locked()) else { return };
    let site = practice.read("site.toml");
    practice
        .write("site.toml", site + "\n[[hooks]]\nplugin = \"trail\"\nafter = \"ha-cert/restart@first\"\n");
    add(&practice, "grants.toml", "[grants.trail]\nendpoints = [\"ha@*\"]\ngeneral = [\"note\"]\n");
    let file = example_file("trail.py");
    windlass(&practice, &engines, &["plan", "ha-cert"]).check(2, &["trail.wasm, .py or .js"]);
    windlass(&practice, &engines, &["plugin", "install", &file, "--yes"]).check(0, &["hooks/trail.py"]);
    windlass(&practice, &engines, &["plugin", "explain", "trail"]).check(0, &["hooks/trail.py", "ha@*"]);
    windlass(&practice, &engines, &["plan", "ha-cert"]).check(0, &["hook trail, after restart@first"]);
    let changed = practice.read("hooks/trail.py") + "\n# changed\n";
    practice.write("hooks/trail.py", changed);
    windlass(&practice, &engines, &["plan", "ha-cert"])
        .check(3, &["is not the hook trail that was installed"]);
}

#[test]
fn an_engine_that_is_missing_or_not_this_windlasss_is_refused_in_words() {
    let (Some(engines), Some(practice)) = (engines(), local()) else { return };
    practice.write("hooks/trail.js", example("trail.js"));
    add(&practice, "site.toml", "[[hooks]]\nplugin = \"trail\"\nafter = \"ha-cert/restart@first\"\n");
    let other = practice.dir.join("engines");
    std::fs::create_dir(&other).unwrap();
    let plan = |trust: &str| {
        let site = practice.read("site.toml");
        let line = site.lines().find(|line| line.starts_with("trust = ")).unwrap().to_owned();
        practice.write("site.toml", site.replace(&line, &format!("trust = \"{trust}\"")));
        let mut command = practice.command(&["plan", "ha-cert"]);
        command.env("WINDLASS_CACHE_DIR", engines.join("images")).env("WINDLASS_ENGINES", &other);
        Said::of(&command.output().unwrap())
    };
    plan("dev").check(2, &["no engine for JavaScript scripts", "cargo xtask engines"]);
    let whole = std::fs::read(engines.join("script-js.wasm")).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(other.join("script-js.wasm"), changed).unwrap();
    practice.write("hooks/trail.js", example("trail.js"));
    let site = practice.dir.join("site.toml");
    let lock = |file: &str| windlass(&practice, &engines, &["plugin", "install", file, "--yes"]);
    lock(&example_file("trail.js")).check(0, &[]);
    lock(practice.dir.join("profiles/practice.toml").as_str()).check(0, &[]);
    assert!(site.exists());
    plan("locked").check(3, &["is not this windlass's", "cargo xtask engines"]);
    std::fs::write(other.join("script-js.wasm"), &whole[..1000]).unwrap();
    plan("dev").check(2, &["script-js.wasm"]);
    std::fs::write(other.join("script-js.wasm"), whole).unwrap();
    plan("locked").check(0, &["hook trail, after restart@first"]);
    // An audit's report names the engine, and not what marks the script for it.
    let audit = || {
        let mut command = practice.command(&["audit", &example_file("trail.js")]);
        command.env("WINDLASS_CACHE_DIR", engines.join("images")).env("WINDLASS_ENGINES", &other);
        Said::of(&command.output().unwrap())
    };
    audit().check(2, &["script-js-marker.wasm", "cargo xtask engines"]);
    let mut changed = std::fs::read(engines.join("script-js-marker.wasm")).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(other.join("script-js-marker.wasm"), changed).unwrap();
    audit().check(3, &["marks JavaScript scripts for an audit is not this windlass's"]);
}
