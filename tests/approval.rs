//! Plans that people approve, end to end: who must sign, what may not change between the signature and the run,
//! and what happens where somebody goes on without.

use crate::refuse::{Nodes, Practice, Said, built, make_key, with_people};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Child, Command, Stdio};
use windlass::lab::{Double, Switch};
use windlass::model::Plan;

/// A practice pair whose site asks for one approval, and two people with a key each.
struct Desk {
    practice: Practice,
    /// Keys, plans and signatures.
    folder: Utf8PathBuf,
    config: Utf8PathBuf,
}

fn desk() -> Option<Desk> {
    let (practice, folder, config) = with_people()?;
    let mut signers = String::new();
    for (name, kind) in [("alice", "ed25519"), ("bob", "rsa")] {
        let key = folder.join(name);
        make_key(&key, kind);
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        signers += &format!("{name}@example.com namespaces=\"windlass-plan\" {public}");
    }
    std::fs::write(config.join("allowed_signers"), signers).unwrap();
    let desk = Desk { practice, folder, config };
    desk.procedure("approvals = 1");
    Some(desk)
}

impl Desk {
    /// Adds a line to what the site says of ha-cert.
    fn procedure(&self, line: &str) {
        let site = self.practice.read("site.toml");
        self.practice.write(
            "site.toml",
            site.replace("[procedures.ha-cert]\n", &format!("[procedures.ha-cert]\n{line}\n")),
        );
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).into_string()
    }

    /// Makes a plan, signed by alice.
    fn plan(&self, arguments: &[&str]) -> String {
        let (plan, key) = (self.path("plan.json"), self.path("alice"));
        let mut all = vec!["plan", "ha-cert", "-o", &plan, "--key", &key];
        all.extend(arguments);
        for entry in self.folder.read_dir_utf8().unwrap().flatten() {
            if entry.file_name().starts_with("plan.json") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        self.practice.windlass(&all).check(0, &["nothing was changed", "--ack "]);
        plan
    }

    /// Signs as bob does who has no windlass.
    fn bob_signs(&self, plan: &str, namespace: &str) {
        let _ = std::fs::remove_file(format!("{plan}.sig"));
        let signed = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f", &self.path("bob"), plan])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    fn approved(&self) -> String {
        let plan = self.plan(&[]);
        self.bob_signs(&plan, "windlass-plan");
        plan
    }

    fn run(&self, plan: &str) -> Said {
        self.practice.windlass(&["run", "--plan", plan, "--yes"])
    }

    /// As far as the question, which nobody is there to answer: nothing else was in the way.
    #[track_caller]
    fn would_run(&self, plan: &str) {
        let said = self.practice.windlass(&["run", "--plan", plan, "--no-input"]);
        said.check(4, &["nobody to ask", "--yes"]);
    }

    #[track_caller]
    fn refuses(&self, plan: &str, says: &[&str]) -> Said {
        let before: Nodes = self.practice.nodes();
        let said = self.run(plan);
        said.check(3, says);
        assert!(said.err.contains("next:"), "no next step: {said:#?}");
        before.check(&self.practice.nodes());
        said
    }
}

#[test]
fn a_run_needs_two_people_and_a_plan_serves_one_run() {
    let Some(desk) = desk() else { return };
    let before = desk.practice.nodes();
    let said = desk.practice.run(&[]);
    said.check(
        3,
        &["another person has approved", "windlass plan ha-cert -o", "windlass approve", "--break-glass"],
    );
    before.check(&desk.practice.nodes());

    let plan = desk.plan(&[]);
    desk.refuses(&plan, &["0 of 1 approvals", "another person than alice@example.com"]);
    // The requester's second signature is still the requester's.
    let again = desk.practice.windlass(&["approve", &plan, "--key", &desk.path("alice")]);
    again.check(0, &["signed by its requester", "it takes others"]);
    desk.refuses(&plan, &["0 of 1 approvals"]);

    let approved = desk.practice.windlass(&["approve", &plan, "--key", &desk.path("bob")]);
    approved
        .check(0, &["replacehaSSLCert.sh", "approved by bob@example.com", "plan.json.bob@example.com.sig"]);
    // What Windlass signed, OpenSSH verifies.
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", "windlass-plan", "-I", "bob@example.com", "-f"])
        .arg(desk.config.join("allowed_signers"))
        .args(["-s", &format!("{plan}.bob@example.com.sig")])
        .stdin(std::fs::File::open(&plan).unwrap())
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");

    // Nobody said yes to the first of these two, so the plan is still there for the second.
    desk.would_run(&plan);
    desk.run(&plan).check(0, &["done and verified"]);
    let shown = desk.practice.windlass(&["runs", "show"]);
    shown.check(0, &["asked for by alice@example.com (SHA256:", "approved by bob@example.com (SHA256:"]);
    desk.refuses(&plan, &["a plan serves one run", "windlass runs show"]);
    desk.practice.run(&[]).check(3, &["another person has approved"]);
}

/// One thing that is not as it was when the plan was approved.
struct Edit {
    what: &'static str,
    file: &'static str,
    /// What becomes of the file; its text may be empty where there was none.
    change: fn(&str) -> String,
    says: &'static [&'static str],
}

const PROFILE: &str = r#"
extends = "mrs-2"
title = "The practice pair's own"
[commands.restart-ha]
override = true
kind = "change"
argv = ["sh", "${om}/sbin/restart-oms.sh"]
success = { contains = ["start HA successfully."] }
restarts = ["ha"]
serves = ["ha"]
settle = "served:ha"
may_switch_roles = true
rerun = "if-settle-says-no"
"#;

fn with(text: &str, more: &str) -> String {
    format!("{text}{more}")
}

/// Everything that an approval covers, each edited in the way that its title says.
const EDITS: [Edit; 12] = [
    Edit {
        what: "the argument vector of a command",
        file: "profiles/own.toml",
        change: |text| {
            text.replace(
                "\"sh\", \"${om}/sbin/restart-oms.sh\"",
                "\"sh\", \"-x\", \"${om}/sbin/restart-oms.sh\"",
            )
        },
        says: &["the profile: profiles/own.toml ("],
    },
    Edit {
        what: "a command of the profile that the site's own shadows",
        file: "profiles/own.toml",
        change: |text| {
            with(text, "[commands.ha-leaf-issuer]\noverride = true\nkind = \"observe\"\nargv = [\"true\"]\n")
        },
        says: &["the profile: profiles/own.toml ("],
    },
    Edit {
        what: "another profile",
        file: "site.toml",
        change: |text| text.replace("profile = \"own\"", "profile = \"mrs-2\""),
        says: &["site.toml: ", "the profile: profiles/own.toml (", "mrs-2 ("],
    },
    Edit {
        what: "a hook that was added",
        file: "site.toml",
        change: |text| with(text, "[[hooks]]\nplugin = \"other\"\nbefore = \"ha-cert/restart@first\"\n"),
        says: &[
            "site.toml: ",
            "hook 2: none when the plan was made, health-gate before ha-cert/restart@first",
        ],
    },
    Edit {
        what: "the order of hooks",
        file: "site.toml",
        change: |text| text.replace("order = 10", "order = 11"),
        says: &["hook 1: health-gate before", "order 10", "order 11"],
    },
    Edit {
        what: "what a hook does",
        file: "hooks/health-gate.wasm",
        change: |_| "something else\n".to_owned(),
        says: &["hook 1: health-gate before", "hooks/health-gate.wasm ("],
    },
    Edit {
        what: "wider grants",
        file: "grants.toml",
        change: |text| text.replace("[\"health\", ", "[\"health\", \"nodes\", "),
        says: &["grants.toml: "],
    },
    Edit {
        what: "where a node is",
        file: "site.toml",
        change: |text| text.replace("[nodes.master2]", "[nodes.master2]\nalias = [\"m2\"]"),
        says: &["site.toml: "],
    },
    Edit {
        what: "a parameter",
        file: "site.toml",
        change: |text| text.replace("city = \"ber\"", "city = \"muc\""),
        says: &["site.toml: "],
    },
    Edit {
        what: "the lock",
        file: "windlass.lock",
        change: |_| "# a lock\n".to_owned(),
        says: &["windlass.lock: none when the plan was made"],
    },
    Edit {
        what: "whose word the manager's page is taken on",
        file: "manager-ca.pem",
        change: |text| with(text, "\n"),
        says: &["a file of the site: manager-ca.pem ("],
    },
    Edit {
        what: "the supplied CA",
        file: "supplied.crt",
        change: |_| "another CA\n".to_owned(),
        says: &["the supplied CA: supplied.crt ("],
    },
];

#[test]
fn an_edit_of_anything_that_was_approved_is_refused_and_says_what() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    practice.write("profiles/own.toml", PROFILE);
    let Some(hook) = built("health-gate") else { return };
    practice.write("hooks/health-gate.wasm", hook);
    // Beside it, and before it by name: not what is loaded.
    practice.write("hooks/health-gate.md", "# what it does\n");
    practice.write("grants.toml", "[grants.health-gate]\ngeneral = [\"health\", \"clock\"]\n");
    practice.write("supplied.crt", "a CA\n");
    practice.write("supplied.pem", "its key\n");
    let site = practice.read("site.toml").replace("profile = \"practice\"", "profile = \"own\"")
        + "[procedures.ha-cert.supplied]\ncertificate = \"supplied.crt\"\nkey = \"supplied.pem\"\n\
           [[hooks]]\nplugin = \"health-gate\"\nbefore = \"ha-cert/restart@first\"\norder = 10\n";
    practice.write("site.toml", site);
    let plan = desk.approved();
    desk.would_run(&plan);
    for edit in EDITS {
        let path = practice.dir.join(edit.file);
        let before = std::fs::read(&path).ok();
        let text = String::from_utf8_lossy(before.as_deref().unwrap_or_default());
        let changed = (edit.change)(&text);
        assert_ne!(changed, text, "{}: nothing was edited", edit.what);
        std::fs::write(&path, changed).unwrap();
        println!("edited: {}", edit.what);
        let mut says = vec!["since it was made", "when the plan was made", "now"];
        says.extend(edit.says);
        desk.refuses(&plan, &says);
        match before {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }
    // With everything put back, nothing is in the way.
    desk.would_run(&plan);
}

#[test]
fn a_plugin_of_other_bytes_is_not_the_one_that_was_approved() {
    let Some(desk) = desk() else { return };
    let Some(bytes) = built("ha-cert") else { return };
    let practice = &desk.practice;
    practice.write("plugins/own.wasm", &bytes);
    desk.procedure("plugin = \"plugins/own.wasm\"");
    // What the manifest asks for, granted.
    let manifest: toml::Table = include_str!("../plugins/ha-cert/manifest.toml").parse().unwrap();
    let mut grants = "[grants.ha-cert]\n".to_owned();
    for list in ["commands", "files", "endpoints", "crypto", "secrets", "general"] {
        let mut all: Vec<String> = Vec::new();
        for need in manifest["needs"].as_array().unwrap() {
            let patterns = need.get(list).and_then(toml::Value::as_array).into_iter().flatten();
            all.extend(patterns.map(|pattern| pattern.to_string()));
        }
        all.sort();
        all.dedup();
        grants += &format!("{list} = [{}]\n", all.join(", "));
    }
    practice.write("grants.toml", grants);
    let plan = desk.approved();
    desk.would_run(&plan);
    // One more custom section: the same code, another file.
    practice.write("plugins/own.wasm", [&bytes[..], &[0, 3, 1, b'x', b'y']].concat());
    desk.refuses(&plan, &["the plugin: ha-cert (", "when the plan was made"]);
}

#[test]
fn roles_that_changed_places_and_paths_that_moved_are_refused_before_any_change() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    let plan = desk.approved();

    // The product's folder under another name: every path resolves, and none to what was approved.
    let environment = practice.node("master1").join("login-env");
    let text = std::fs::read_to_string(&environment).unwrap();
    let home = practice.node("master1").join("opt");
    std::os::unix::fs::symlink(home.join("Bigdata"), home.join("Moved")).unwrap();
    std::fs::write(
        &environment,
        text.replace("BIGDATA_HOME=", "MOVED=")
            .replace("MOVED=", &format!("BIGDATA_HOME={}\nMOVED=", home.join("Moved"))),
    )
    .unwrap();
    desk.refuses(&plan, &["ha-root-cert on master1", "was approved as", "/Moved/", "now"]);
    std::fs::write(&environment, text).unwrap();
    std::fs::remove_file(home.join("Moved")).unwrap();

    practice.set(Switch::RolesSwitched);
    desk.refuses(&plan, &["master2 is active and master1 is standby", "approved with master1 active"]);
    practice.set(Switch::RolesSwitched);
    desk.would_run(&plan);
}

#[test]
fn an_edited_plan_an_old_one_and_a_signature_for_something_else_do_not_count() {
    let Some(desk) = desk() else { return };
    let plan = desk.plan(&[]);
    desk.bob_signs(&plan, "windlass-audit");
    desk.refuses(&plan, &["plan.json.sig does not count", "\"windlass-audit\"", "windlass-plan"]);
    desk.bob_signs(&plan, "windlass-plan");
    desk.would_run(&plan);

    let text = std::fs::read_to_string(&plan).unwrap();
    let edited = text.replace("/sbin/restart-oms.sh", "/sbin/restart-oms.sh.evil");
    assert_ne!(edited, text);
    std::fs::write(&plan, edited).unwrap();
    desk.refuses(&plan, &["plan.json.sig does not count", "was edited", "has not signed it"]);

    // Signed by both, but its time is over.
    let mut old: Plan = serde_json::from_str(&text).unwrap();
    old.expires = old.made - 60;
    std::fs::write(&plan, serde_json::to_string(&old).unwrap()).unwrap();
    desk.bob_signs(&plan, "windlass-plan");
    desk.refuses(&plan, &["time is over", "windlass plan ha-cert -o"]);
    desk.practice.windlass(&["approve", &plan, "--key", &desk.path("bob")]).check(3, &["time is over"]);

    for (text, says) in [("", "is no plan"), ("{\"format\": 2}", "has format 2"), ("[1]", "is no plan")] {
        std::fs::write(&plan, text).unwrap();
        desk.run(&plan).check(2, &["plan.json", says]);
    }
    desk.run("nowhere.json").check(2, &["nowhere.json", "cannot be read"]);
}

#[test]
fn a_plan_that_nobody_had_to_approve_still_holds_its_run_to_it() {
    let Some(desk) = desk() else { return };
    let site = desk.practice.read("site.toml").replace("approvals = 1\n", "");
    desk.practice.write("site.toml", site);
    let plan = desk.plan(&[]);
    desk.would_run(&plan);
    desk.practice.with("site.toml", "city = \"ber\"", "city = \"muc\"", || {
        drop(desk.refuses(&plan, &["site.toml: "]));
    });
    // What stands outside the site, the site cannot take back.
    std::fs::write(desk.config.join("approval.toml"), "approvals = 1\n").unwrap();
    desk.refuses(&plan, &["0 of 1 approvals"]);
    desk.practice.run(&[]).check(3, &["another person has approved"]);
    // Nor may it say itself whom to trust.
    let signers = desk.config.join("allowed_signers");
    let own = desk.practice.dir.join("allowed_signers");
    std::fs::rename(&signers, &own).unwrap();
    std::os::unix::fs::symlink(&own, &signers).unwrap();
    desk.refuses_trust(&plan);
}

impl Desk {
    #[track_caller]
    fn refuses_trust(&self, plan: &str) {
        self.run(plan).check(3, &["allowed_signers", "a site cannot approve its own runs"]);
    }
}

#[test]
fn a_broken_glass_goes_on_and_is_told_everywhere() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    practice.run(&["--break-glass", " "]).check(2, &["the reason"]);
    let said = practice.windlass(&["-q", "run", "ha-cert", "--yes", "--break-glass", "pager 4711\u{1b}[2J"]);
    said.check(0, &["done and verified"]);
    for told in [&said.out, &said.err] {
        assert!(told.contains("THE GLASS IS BROKEN") && told.contains("pager 4711"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    practice.windlass(&["runs", "show"]).check(0, &["THE GLASS IS BROKEN", "pager 4711"]);
    let rows = practice.windlass(&["--json", "runs", "show"]);
    rows.check(0, &["\"row\":\"glass-broken\"", "pager 4711"]);
    let events = practice.windlass(&["--json", "run", "ha-cert", "--yes", "--break-glass", "again"]);
    events.check(0, &["\"event\":\"glass-broken\"", "\"why\":\"again\""]);
}

#[test]
fn the_impacts_token_is_the_plans_and_no_other() {
    let Some(desk) = desk() else { return };
    let site = desk.practice.read("site.toml").replace("approvals = 1\n", "");
    desk.practice.write("site.toml", site);
    let planned = desk.practice.windlass(&["plan", "ha-cert"]);
    planned.check(0, &[]);
    let token = planned.out.lines().find_map(|line| line.split_once("--ack ")).unwrap().1.to_owned();
    let run = |token: &str| desk.practice.windlass(&["run", "ha-cert", "--no-input", "--ack", token]);
    run(&token).check(4, &["nobody to ask"]);
    run("0000-0000-0000").check(3, &["not the token of this impact", "windlass plan ha-cert"]);
    desk.practice.with("site.toml", "city = \"ber\"", "city = \"muc\"", || {
        run(&token).check(3, &["not the token of this impact"]);
    });
}

#[test]
fn a_paused_run_goes_on_with_what_was_approved_and_with_nothing_else() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    let script = [Double::ReplaceHaSslCert];
    let lie = |heal| drop(practice.lab.break_with(Switch::LyingSuccess, None, heal, &script).unwrap());
    for glass in [false, true] {
        let plan = desk.approved();
        lie(false);
        desk.run(&plan).check(5, &["without its effect"]);
        lie(true);
        let text = practice.read("site.toml");
        practice.write("site.toml", with(&text, "# a remark\n"));
        practice.windlass(&["resume"]).check(3, &["is not what run"]);
        practice
            .windlass(&["resume", "--accept", "site"])
            .check(3, &["a difference is not part of it", "--break-glass"]);
        let resumed = if glass {
            practice.windlass(&["resume", "--accept", "site", "--break-glass", "it is a remark"])
        } else {
            practice.write("site.toml", &text);
            practice.windlass(&["resume"])
        };
        resumed.check(0, &["done and verified"]);
        assert_eq!(resumed.err.contains("THE GLASS IS BROKEN"), glass, "{resumed:#?}");
        practice.write("site.toml", &text);
    }
}

/// An ssh agent, ended when it goes.
struct Agent {
    child: Child,
    socket: Utf8PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent(folder: &Utf8Path) -> Option<Agent> {
    let socket = folder.join("agent");
    let started = Command::new("ssh-agent")
        .args(["-D", "-a", socket.as_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        println!("skipped: there is no ssh-agent");
        return None;
    };
    let agent = Agent { child, socket };
    for _ in 0..400 {
        if agent.socket.exists() {
            return Some(agent);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("ssh-agent never came");
}

#[test]
fn an_ssh_agent_signs_with_the_key_that_is_trusted() {
    let Some(desk) = desk() else { return };
    let Some(agent) = agent(&desk.folder) else { return };
    let plan = desk.plan(&[]);
    let approve = |arguments: &[&str]| {
        let mut all = vec!["approve", plan.as_str()];
        all.extend(arguments);
        let mut command = desk.practice.command(&all);
        command.env("SSH_AUTH_SOCK", &agent.socket);
        Said::of(&command.output().unwrap())
    };
    approve(&[]).check(2, &["holds no key that could sign", "--key"]);
    let add = |name: &str| {
        let added = Command::new("ssh-add")
            .arg(desk.path(name))
            .env("SSH_AUTH_SOCK", &agent.socket)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(added.status.success(), "{added:?}");
    };
    add("bob");
    approve(&[]).check(0, &["approved by bob@example.com"]);
    add("alice");
    approve(&[]).check(2, &["2 keys that could sign", ".pub"]);
    approve(&["--key", &desk.path("alice.pub")]).check(0, &["signed by its requester"]);
    desk.would_run(&plan);
}
