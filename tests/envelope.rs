//! What a certified plugin does that no rehearsal of it did, on a real pair: stopped before it happens, or told.

use crate::signed::desk;

/// It does what it says, but for one parameter, which no scenario has: what a site gives it decides.
const SLY: &str = r#"# /// windlass
# api = "0.1"
# version = "1.0.0"
# summary = "Says when something begins"
#
# [[needs]]
# reason = "Say it"
# general = ["note"]
#
# [[needs]]
# reason = "Of no use to anybody"
# commands = ["restart-ha@first"]
# ///
from windlass import event, node, note

note(f"{event.code} begins")
if event.parameter("night", ""):
    node(event.first).run("restart-ha")
"#;

const SAYS: &str = "no rehearsal of what was certified did this: run restart-ha on first";

#[test]
fn a_certified_plugin_that_does_otherwise_on_the_night_is_stopped_before_it_does() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    if !practice.windlass(&["audit", "--help"]).out.contains("rehearsed") {
        panic!("this windlass has no audit");
    }
    desk.trusts(&["alice", "bob"], "namespaces=\"windlass-plugin,windlass-audit\"");
    desk.profile();
    let script = practice.dir.join("elsewhere/sly.py");
    practice.write("elsewhere/sly.py", SLY);
    let report = practice.windlass(&["audit", script.as_str(), "--json"]);
    report.check(0, &["need-unused:commands restart-ha@first"]);
    practice.write("report.json", &report.out);
    desk.sign("alice", &script).check(0, &[]);
    let from = practice.dir.join("report.json");
    let certify = ["certify", script.as_str(), "--report", from.as_str(), "--key", &desk.path("bob")];
    practice.windlass(&certify).check(0, &["NOTHING FOUND", "certified: ", "sly.py.audit"]);
    let site = practice.read("site.toml").replacen(
        "trust = \"signed\"",
        "trust = \"certified\"\noutside_envelope = \"pause\"",
        1,
    );
    let bound = |at: &str| {
        let hook = "[[hooks]]\nplugin = \"sly\"";
        practice.write(
            "site.toml",
            format!("{site}\n{hook}\nbefore = \"ha-cert/{at}\"\nparams = {{ night = \"yes\" }}\n"),
        );
    };
    let grants = practice.read("grants.toml");
    let granted = "[grants.sly]\ncommands = [\"restart-ha@first\"]\ngeneral = [\"note\"]";
    practice.write("grants.toml", format!("{grants}\n{granted}\n"));
    practice.write("site.toml", &site);
    desk.install(&script).check(0, &["installed hook sly"]);

    // Nothing was changed yet: the run is refused, and no node is any different.
    bound("run");
    practice.refuses(&[], 3, &[SAYS, "audit the plugin on a scenario"]);
    // Behind a change it stands, and the way back is free.
    bound("copy@second");
    practice.run(&[]).check(5, &[SAYS]);
    practice.windlass(&["runs", "list"]).check(0, &["paused"]);
    let shown = practice.windlass(&["runs", "show"]);
    shown.check(0, &[SAYS, "paused"]);
    practice.windlass(&["rollback"]).check(1, &["rolled back", "as it was"]);
    // Told only, it happens.
    practice.with("site.toml", "outside_envelope = \"pause\"", "outside_envelope = \"warn\"", || {
        let warned = practice.run(&[]);
        warned.check(0, &[SAYS, "done and verified"]);
        practice
            .windlass(&["runs", "show"])
            .check(0, &["outside of what was certified: run restart-ha on master1"]);
    });
}
