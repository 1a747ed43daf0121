//! Hooks of a site, end to end: when they are called, what their answers do to a run and to its exit code, and what
//! becomes of those that are broken, hostile, or not what the site says.

use crate::refuse::plugin::{component, signed};
use crate::refuse::{Practice, Said, built, local, locked};
use windlass::lab::Double;
use windlass::plugin::Kind;

/// A maintenance window that is open now, or not.
fn window(open: bool) -> String {
    let now = jiff::Timestamp::now();
    let clock = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    let (from, until) = if open { (clock(-2), clock(2)) } else { (clock(2), clock(4)) };
    format!("params = {{ from = \"{from}\", until = \"{until}\" }}")
}

/// Binds a hook; `more` are lines of its `[[hooks]]`.
fn bind(practice: &Practice, hook: &str, more: &str) {
    let site = practice.read("site.toml");
    practice.write("site.toml", format!("{site}\n[[hooks]]\nplugin = \"{hook}\"\n{more}\n"));
}

fn grant(practice: &Practice, hook: &str, lines: &str) {
    let grants = practice.read("grants.toml");
    practice.write("grants.toml", format!("{grants}\n[grants.{hook}]\n{lines}\n"));
}

/// Puts an example into the site.
fn install(practice: &Practice, hook: &str) -> Option<()> {
    practice.write(&format!("hooks/{hook}.wasm"), built(hook)?);
    Some(())
}

/// A site whose profile has the inventory's file.
fn inventory(practice: &Practice) {
    let inventory = "extends = \"practice\"\ntitle = \"practice, with an inventory\"\n\
                     [files.cmdb]\npath = \"${om}/cmdb.json\"\nmode = \"0644\"\n";
    practice.write("profiles/own.toml", inventory);
    let site = practice.read("site.toml").replacen("profile = \"practice\"", "profile = \"own\"", 1);
    practice.write("site.toml", site);
}

fn restarts(practice: &Practice) -> usize {
    let ends = format!(" {}", Double::RestartOms.as_str());
    let ran = |node| practice.lab.journal(node).unwrap_or_default();
    ["master1", "master2"]
        .map(|node| ran(node).iter().filter(|line| line.ends_with(&ends)).count())
        .iter()
        .sum()
}

fn run_id(said: &Said) -> String {
    let line =
        said.err.lines().find_map(|line| line.strip_prefix("run ")).unwrap_or_else(|| panic!("{said:#?}"));
    line.split(':').next().unwrap().to_owned()
}

#[test]
fn three_examples_go_with_a_whole_run_and_are_shown_before_it() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "window") else { return };
    install(&practice, "health-gate").unwrap();
    install(&practice, "cmdb").unwrap();
    inventory(&practice);
    bind(&practice, "window", &format!("before = \"ha-cert/*\"\n{}", window(true)));
    bind(&practice, "health-gate", "before = \"ha-cert/run\"\norder = -1");
    bind(&practice, "cmdb", "after = \"ha-cert/run\"\nparams = { node = \"master2\" }");
    grant(&practice, "window", "general = [\"clock\"]");
    grant(&practice, "health-gate", "general = [\"health\", \"clock\"]");
    grant(&practice, "cmdb", "endpoints = [\"ha@*\"]\nfiles = [\"write cmdb@master2\"]");

    let file = practice.dir.join("plan.json").into_string();
    let plan = practice.windlass(&["plan", "ha-cert", "-o", &file]);
    plan.check(0, &["hook window, before restart@first", "hook cmdb, after the run", "om-0.0.1/cmdb.json"]);

    // Held to the plan: what a hook does is in it, values that only the run knows included.
    let said = practice.windlass(&["run", "--plan", &file, "--yes"]);
    said.check(
        0,
        &["hook health-gate before the run", "hook window before restart@second", "hook cmdb after the run"],
    );
    let written: serde_json::Value = serde_json::from_slice(
        &std::fs::read(practice.node("master2").join("opt/Bigdata/om-0.0.1/cmdb.json")).unwrap(),
    )
    .unwrap();
    // As OpenSSL has it.
    for (at, node) in ["master1", "master2"].into_iter().enumerate() {
        let leaf = practice.cert_ha(node).join("server.crt");
        let output = std::process::Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in", leaf.as_str()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let known = text.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase();
        assert_eq!(written["served"][at]["node"], node);
        assert_eq!(written["served"][at]["fingerprint"].as_str(), Some(known.as_str()));
    }
    let show = practice.windlass(&["runs", "show", &run_id(&said)]);
    show.check(0, &["hook window before restart@first: done", "hook cmdb after the run: done"]);
}

#[test]
fn a_veto_before_anything_changed_leaves_no_trace_on_any_node() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "window") else { return };
    grant(&practice, "window", "general = [\"clock\"]");
    bind(&practice, "window", &format!("before = \"ha-cert/run\"\n{}", window(false)));
    let before = practice.nodes();
    let said = practice.run(&[]);
    said.check(
        3,
        &["the hook window vetoes before the run", "maintenance window is", "the cluster is as it was"],
    );
    before.check(&practice.nodes());
    // What would happen can be seen at any time.
    practice.windlass(&["plan", "ha-cert"]).check(0, &["the hook window, before the run: it would veto now"]);
    before.check(&practice.nodes());
}

#[test]
fn a_veto_in_the_middle_pauses_and_what_is_done_stays_done() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "window") else { return };
    grant(&practice, "window", "general = [\"clock\"]");
    let shut = window(false);
    bind(&practice, "window", &format!("before = \"ha-cert/restart@second\"\n{shut}"));
    let said = practice.run(&[]);
    said.check(5, &["(vetoed)", "the hook window vetoes before restart@second", "windlass resume"]);
    assert_eq!(restarts(&practice), 1);
    practice.windlass(&["resume"]).check(5, &["(vetoed)"]);
    assert_eq!(restarts(&practice), 1);
    let open = practice.read("site.toml").replace(&shut, &window(true));
    practice.write("site.toml", open);
    practice.windlass(&["resume"]).check(3, &["site.toml", "--accept site"]);
    practice.windlass(&["resume", "--accept", "site"]).check(0, &["done and verified"]);
    assert_eq!(restarts(&practice), 2);
}

#[test]
fn a_hook_that_fails_after_the_run_is_an_exit_code_of_its_own() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "cmdb") else { return };
    inventory(&practice);
    bind(&practice, "cmdb", "after = \"ha-cert/run\"\nparams = { node = \"master2\" }");
    let said = practice.run(&[]);
    said.check(
        6,
        &[
            "done and verified",
            "the hook cmdb failed after the run",
            "cmdb may not",
            "does not grant it",
            "endpoints = [\"ha@",
        ],
    );
    assert_eq!(restarts(&practice), 2);
}

#[test]
fn a_broken_or_hostile_hook_is_contained_named_and_treated_as_the_site_says() {
    let Some(practice) = local() else { return };
    let before = practice.nodes();
    let shape = |text: &str| {
        text.replace("(func $apply (param i32 i32)", "(func $handle (param i32 i32 i32 i32 i32 i32)")
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/hostile");
    let site = practice.read("site.toml");
    for (name, says) in [
        ("loops", "10s of computing time"),
        ("grows", "256 MiB of memory"),
        ("grows-tables", "memory"),
        ("recurses", "trapped"),
        ("traps", "trapped"),
        ("text-huge", "more than 8 MiB"),
        ("text-not-utf8", "handle(before-run)"),
        ("argument-huge", "more than 8 MiB"),
        ("points-outside", "handle(before-run)"),
    ] {
        let text = std::fs::read_to_string(format!("{folder}/{name}.wat")).unwrap();
        let hostile = component(&shape(&text), Kind::Hook);
        practice.write("hooks/hostile.wasm", signed(&hostile, "hostile", Kind::Hook));
        bind(&practice, "hostile", "before = \"ha-cert/run\"");
        let said = practice.run(&[]);
        said.check(1, &["the hook hostile failed before the run", says, "the cluster is as it was"]);
        before.check(&practice.nodes());
        practice.write("site.toml", &site);
    }
    // The last of them again, where the site says that it does not matter.
    bind(&practice, "hostile", "before = \"ha-cert/*\"\non_error = \"warn\"");
    bind(&practice, "hostile", "after = \"ha-cert/run\"\non_error = \"warn\"");
    practice.run(&[]).check(0, &["hostile failed", "the run goes on", "done and verified"]);
    assert_eq!(restarts(&practice), 2);
}

#[test]
fn a_hook_that_is_not_what_the_site_says_is_refused_before_a_node_is_asked() {
    let Some(practice) = local() else { return };
    let Some(gate) = built("health-gate") else { return };
    let (site, before) = (practice.read("site.toml"), practice.nodes());
    type Case<'a> = (&'a str, &'a str, Option<Vec<u8>>, i32, &'a [&'a str]);
    let cases: [Case; 9] = [
        ("gone", "before = \"ha-cert/run\"", None, 2, &["gone has no file", "hooks/gone.wasm"]),
        (
            "other",
            "before = \"ha-cert/run\"",
            Some(gate.clone()),
            2,
            &["is the hook health-gate", "binds other"],
        ),
        ("probe", "before = \"ha-cert/run\"", built("probe"), 2, &["is a procedure"]),
        (
            "ha-cert",
            "before = \"ha-cert/run\"",
            Some(signed(&component("", Kind::Hook), "ha-cert", Kind::Hook)),
            2,
            &["the hook ha-cert has the name of a procedure"],
        ),
        ("cut", "before = \"ha-cert/run\"", Some(gate[..gate.len() / 2].to_vec()), 2, &["cut.wasm"]),
        ("text", "before = \"ha-cert/run\"", Some(b"#!/bin/sh\n".to_vec()), 2, &["text.wasm"]),
        (
            "health-gate",
            "before = \"ha-crt/run\"",
            Some(gate.clone()),
            2,
            &["there is no procedure ha-crt", "ha-cert"],
        ),
        (
            "health-gate",
            "before = \"ha-cert/restrat@first\"",
            Some(gate.clone()),
            2,
            &["no such step", "restart@first", "optional"],
        ),
        (
            "health-gate",
            "before = \"ha-cert/run\"",
            Some(gate),
            3,
            &["health-gate may not", "general = [\"health\"]"],
        ),
    ];
    for (name, bound, bytes, exit, says) in cases {
        if let Some(bytes) = bytes {
            practice.write(&format!("hooks/{name}.wasm"), bytes);
        }
        bind(&practice, name, bound);
        let said = practice.run(&[]);
        assert!(said.err.contains("next:"), "no next step: {said:#?}");
        said.check(exit, says);
        before.check(&practice.nodes());
        practice.write("site.toml", &site);
    }
}

#[test]
fn another_hook_than_the_run_began_with_is_asked_about() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "window") else { return };
    grant(&practice, "window", "general = [\"clock\"]");
    bind(&practice, "window", &format!("before = \"ha-cert/restart@first\"\n{}", window(false)));
    practice.run(&[]).check(5, &["(vetoed)"]);
    let quiet = signed(&component("", Kind::Hook), "window", Kind::Hook);
    practice.write("hooks/window.wasm", quiet);
    practice.windlass(&["resume"]).check(3, &["hook window: ", "--accept hook"]);
    // The way back needs no hook.
    std::fs::remove_file(practice.dir.join("hooks/window.wasm")).unwrap();
    practice.windlass(&["rollback"]).check(3, &["no hook is called", "hook window: ", "none now"]);
    practice.windlass(&["rollback", "--accept", "hook"]).check(1, &["rolled back"]);
}

#[test]
fn what_a_site_has_is_listed_and_explained() {
    let Some(practice) = local() else { return };
    let Some(()) = install(&practice, "window") else { return };
    for hook in ["health-gate", "cmdb"] {
        install(&practice, hook).unwrap();
    }
    inventory(&practice);
    practice.write("hooks/broken.wasm", "no component");
    practice.write("plugins/own.wasm", built("ha-cert").unwrap());
    bind(&practice, "window", "before = \"ha-cert/*\"\norder = 5");
    bind(&practice, "cmdb", "before = \"ha-cert/*\"\norder = 1\non_error = \"warn\"");
    bind(&practice, "gone", "on = \"root-key/failure\"");
    grant(&practice, "cmdb", "endpoints = [\"ha@first\"]\nfiles = [\"write cmdb@master2\"]");
    let site = practice.read("site.toml");
    let own =
        site.replacen("[procedures.ha-cert]\n", "[procedures.ha-cert]\nplugin = \"plugins/own.wasm\"\n", 1);
    practice.write("site.toml", own);

    let said = practice.windlass(&["plugin", "list"]);
    said.check(0, &[]);
    let line = |kind: &str, name: &str, from: &str| {
        let mut lines = said.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let found = lines.find(|line| {
            line.starts_with(&format!("{kind} {name} ")) && line.split(' ').nth(3) == from.split(' ').next()
        });
        found.unwrap_or_else(|| panic!("no {kind} {name} from {from}: {said:#?}"))
    };
    for (kind, name, from, says) in [
        ("procedure", "ha-cert", "plugins/own.wasm", "not locked; takes the place of the bundled one"),
        ("procedure", "ha-cert", "bundled", "not used"),
        ("procedure", "root-key", "bundled", ""),
        ("hook", "window", "hooks/window.wasm", "not locked; before ha-cert/*; 1 of its 1 needs not granted"),
        ("hook", "cmdb", "hooks/cmdb.wasm", "2 of its 3 needs not granted as a whole"),
        ("hook", "health-gate", "hooks/health-gate.wasm", "never called: bound nowhere"),
        ("hook", "broken", "hooks/broken.wasm", "cannot be loaded: hooks/broken.wasm"),
        ("hook", "gone", "no file", "cannot be loaded: the hook gone has no file"),
    ] {
        assert!(line(kind, name, from).contains(says), "{}", line(kind, name, from));
    }
    practice.windlass(&["plugin", "explain", "cmdb"]).check(
        0,
        &[
            "hook cmdb 0.1.0: Writes the fingerprints",
            "before ha-cert/*, on error warn, in the order cmdb, window",
            "granted          endpoints = [\"ha@first\"]",
            "NOT granted      endpoints = [\"ha@second\"]",
            "granted in part  files = [\"write cmdb@*\"]",
        ],
    );
    practice.windlass(&["plugin", "explain", "ha-cert"]).check(0, &["shadows", "not used"]);
    practice.windlass(&["plugin", "explain", "nothing"]).check(2, &["no plugin \"nothing\"", "window"]);
    let json = practice.windlass(&["--json", "plugin", "list"]);
    let all: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let digests: Vec<_> = all.as_array().unwrap().iter().filter(|one| one["name"] == "ha-cert").collect();
    // The very bytes that are shipped.
    assert_eq!(digests[0]["digest"], digests[1]["digest"]);
    assert_eq!(digests[0]["shadows"], digests[1]["digest"]);
    practice.write("site.toml", site.replace("before = \"ha-cert/*\"", "before = \"ha-crt/*\""));
    practice.windlass(&["site", "check"]).check(2, &["no procedure ha-crt"]);
}

#[test]
fn what_is_not_installed_does_not_load_and_neither_does_a_file_of_other_bytes() {
    let Some(practice) = locked() else { return };
    let Some(whole) = built("window") else { return };
    practice.write("hooks/window.wasm", &whole);
    practice.write("elsewhere/window.wasm", &whole);
    grant(&practice, "window", "general = [\"clock\"]");
    bind(&practice, "window", &format!("before = \"ha-cert/run\"\n{}", window(false)));
    let before = practice.nodes();
    let refused = |says: &[&str]| {
        let said = practice.run(&[]);
        assert!(said.err.contains("next:"), "no next step: {said:#?}");
        said.check(3, says);
        practice.windlass(&["plan", "ha-cert"]).check(3, says);
        before.check(&practice.nodes());
    };
    refused(&[
        "the hook window is not in windlass.lock",
        "windlass plugin install ",
        "/hooks/window.wasm shows what it is",
    ]);

    install_from(&practice, "elsewhere/window.wasm", &[]).check(4, &["nobody to ask", "--yes"]);
    refused(&["is not in windlass.lock"]);
    let said = install_from(&practice, "elsewhere/window.wasm", &["--yes"]);
    said.check(
        0,
        &["asks for, because: Know what time it is", "general = [\"clock\"]", "installed hook window"],
    );
    install_from(&practice, "hooks/window.wasm", &["--yes"]).check(0, &["nothing to do"]);
    // It is called, and says what it has to say.
    practice.run(&[]).check(3, &["the hook window vetoes before the run"]);

    let good = practice.read("windlass.lock");
    for (file, bytes, says) in [
        (
            "windlass.lock",
            good.replace("general = [\"clock\"]", "").into(),
            &["the needs of the hook window"][..],
        ),
        (
            "windlass.lock",
            good.replace("version = \"0", "version = \"1").into(),
            &["the version of the hook window"],
        ),
        (
            "windlass.lock",
            good.replace("hooks/window", "../hooks/window").into(),
            &["no place for the hook window"],
        ),
        ("hooks/window.wasm", [&whole[..], b"\0"].concat(), &["is not the hook window that was installed"]),
        (
            "hooks/window.wasm",
            whole[..whole.len() - 1].to_vec(),
            &["is not the hook window that was installed"],
        ),
        ("hooks/window.wasm", built("cmdb").unwrap(), &["is not the hook window that was installed"]),
        ("windlass.lock", good.replace("sha256 = \"", "sha256 = \"0").into(), &["that was installed"]),
        ("windlass.lock", b"format = 1\n".to_vec(), &["is not in windlass.lock"]),
        ("windlass.lock", b"format = 9\n".to_vec(), &["use a newer one"]),
        ("windlass.lock", good.replace("kind = ", "kidn = ").into(), &["not a lock that windlass wrote"]),
    ] {
        let as_it_was = std::fs::read(practice.dir.join(file)).unwrap();
        practice.write(file, bytes);
        let said = practice.run(&[]);
        said.check(3, says);
        before.check(&practice.nodes());
        practice.write(file, as_it_was);
    }
    practice.windlass(&["plugin", "list"]).check(0, &["window"]);
    practice.windlass(&["plugin", "remove", "window"]).check(2, &["site.toml still uses window"]);
}

/// `windlass plugin install` of a file of the site's folder.
fn install_from(practice: &Practice, file: &str, more: &[&str]) -> Said {
    let path = practice.dir.join(file);
    practice.windlass(&[&["plugin", "install", path.as_str()], more].concat())
}

#[test]
fn an_update_that_asks_for_more_is_shown_and_accepted_by_name() {
    let Some(practice) = locked() else { return };
    if built("window").is_none() {
        return;
    }
    let quiet = component("", Kind::Hook);
    let asks = |version: &str, words: &[&str]| {
        let mut manifest = crate::refuse::plugin::a_manifest("quiet", Kind::Hook);
        manifest.version = version.into();
        let general = words.iter().map(ToString::to_string).collect();
        manifest.needs =
            vec![windlass::plugin::Need { reason: "a test".into(), general, ..Default::default() }];
        windlass::plugin::manifest::append(&quiet, &manifest).unwrap()
    };
    practice.write("new/quiet.wasm", asks("1.0.0", &["clock", "note"]));
    install_from(&practice, "new/quiet.wasm", &["--yes"]).check(
        0,
        &[
            "installed hook quiet as hooks/quiet.wasm",
            "[[hooks]]",
            "[grants.quiet]",
            "general = [\"clock\", \"note\"]",
        ],
    );
    // Less is no matter; more is.
    practice.write("new/quiet.wasm", asks("1.1.0", &["clock"]));
    install_from(&practice, "new/quiet.wasm", &["--yes"])
        .check(0, &["in the place of 1.0.0", "no more   general = [\"note\"]"]);
    practice.write("new/quiet.wasm", asks("1.2.0", &["clock", "health"]));
    let lock = practice.read("windlass.lock");
    install_from(&practice, "new/quiet.wasm", &["--yes"]).check(
        3,
        &["NEW       general = [\"health\"]", "asks for more than what was accepted", "--accept-needs"],
    );
    assert_eq!(practice.read("windlass.lock"), lock);
    install_from(&practice, "new/quiet.wasm", &["--yes", "--accept-needs"]).check(0, &[]);
    practice.windlass(&["plugin", "remove", "quiet"]).check(0, &["removed hook quiet"]);
    assert!(!practice.dir.join("hooks/quiet.wasm").exists());
    practice.windlass(&["plugin", "remove", "quiet"]).check(2, &["not in windlass.lock"]);
    for (file, says) in [("nothing.wasm", "cannot be installed"), ("site.toml", "site.toml")] {
        install_from(&practice, file, &["--yes"]).check(2, &[says]);
    }
}

#[test]
fn a_sites_own_procedure_is_locked_like_a_hook() {
    let Some(practice) = locked() else { return };
    let Some(own) = built("probe") else { return };
    practice.write("plugins/probe.wasm", &own);
    let site = practice.read("site.toml") + "\n[procedures.probe]\nplugin = \"plugins/probe.wasm\"\n";
    practice.write("site.toml", site);
    let probe = ["run", "probe", "--yes", "-p", "calls="];
    practice.windlass(&probe).check(3, &["the procedure probe is not in windlass.lock"]);
    install_from(&practice, "plugins/probe.wasm", &["--yes"]).check(0, &["plugins/probe.wasm"]);
    practice.windlass(&probe).check(3, &["general = [\"parameters\"]"]);
}
