//! Whole runs: every way to make the root, every way to make the leaves, over both transports.

use super::e2e::{NODES, PLAIN, Pair, Taste, up, up_as};
use super::matrix::{killed, recorded};
use super::proof;
use windlass::lab::{Product, Switch, Transport};
use windlass::model::{Event, RunState};

const CAS: [&str; 3] = ["host", "product", "supplied"];
const LEAVES: [&str; 2] = ["product", "host"];

/// How often gen-cert, replacehaSSLCert and restart-oms run on each node.
pub fn expected(taste: Taste) -> [[usize; 3]; 2] {
    let replaced = usize::from(taste.leaf == "product");
    [[usize::from(taste.ca == "product"), replaced, 1], [0, replaced, 1]]
}

/// One run, from the fresh pair to `runs close`, and what a second one does.
fn check(product: Product, transport: Transport, taste: Taste) {
    let Some(pair) = up_as(product, transport, taste) else { return };
    if taste.ca == "supplied" {
        pair.generate_supplied();
    }
    let before = pair.content();
    let ran = pair.windlass(&["--json", "run", "ha-cert", "--yes"]);
    if taste.ca == "product" && taste.leaf == "host" {
        // The root's key never leaves the nodes then, so there is nothing to issue with.
        let ran = ran.expect(1);
        assert!(ran.err.contains("leaf = \"product\", or ca = \"host\""), "{ran:?}");
        assert_eq!(pair.executions(), [[0; 3]; 2]);
        assert_eq!(pair.content(), before);
        return;
    }
    let ran = ran.expect(0);
    tells_a_whole_story(&ran.out);
    proof::rotated(&pair, &before);
    assert_eq!(pair.executions(), expected(taste), "{taste:?}");
    if taste.ca == "supplied" {
        for node in NODES {
            let root = std::fs::read(pair.cert_ha(node).join("root-ca.crt")).unwrap();
            assert!(
                root == std::fs::read(pair.dir.join("root-ca.crt")).unwrap(),
                "{node}: not the supplied root"
            );
        }
    }
    listed_and_shown(&pair);
    pair.windlass(&["runs", "close"]).expect(0);
    proof::nothing_saved(&pair);
    again(&pair, taste);
}

/// A supplied CA that is served already is nothing to do; any other run rotates anew.
fn again(pair: &Pair, taste: Taste) {
    if taste.ca != "supplied" {
        return;
    }
    let (content, executions) = (pair.content(), pair.executions());
    let second = pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    assert!(second.out.contains("nothing to do"), "{second:?}");
    assert_eq!((pair.content(), pair.executions()), (content.clone(), executions));
    pair.taste(Taste { ca: "host", ..taste });
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    proof::rotated(pair, &content);
}

/// Every line of `--json` is an event, and they begin and end as a run does.
#[track_caller]
fn tells_a_whole_story(lines: &str) {
    let events: Vec<Event> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(matches!(events.first(), Some(Event::RunBegan { .. })));
    assert!(matches!(events.last(), Some(Event::RunEnded { state: RunState::Done, .. })));
    let steps = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(steps(|event| matches!(event, Event::StepBegan { .. })), 8);
    assert_eq!(steps(|event| matches!(event, Event::StepDone { .. })), 8);
    let verified = events.iter().find_map(|event| match event {
        Event::Verified { checks } => Some(checks),
        _ => None,
    });
    assert!(verified.unwrap().iter().all(|check| check.passed));
}

/// `runs list` and `runs show` agree, as text and as JSON.
#[track_caller]
fn listed_and_shown(pair: &Pair) {
    let run = pair.last_run();
    let text = pair.windlass(&["runs", "list"]).expect(0).out;
    assert!(text.starts_with(&run) && text.contains("done"), "{text}");
    let text = pair.windlass(&["runs", "show", &run]).expect(0).out;
    assert!(text.contains("apply(restart@second): done") || text.contains("restart@second"), "{text}");
    assert!(text.contains("ok   HAAllResOK is normal"), "{text}");
    let rows = pair.windlass(&["--json", "runs", "show", &run]).expect(0).out;
    for (at, line) in rows.lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["sequence"].as_u64(), Some(at as u64 + 1), "{line}");
    }
}

fn every_leaf(product: Product, transport: Transport, ca: &'static str) {
    for leaf in LEAVES {
        check(product, transport, Taste { ca, leaf, ..PLAIN });
    }
}

#[test]
fn a_root_by_windlass_on_local_nodes() {
    every_leaf(Product::Mrs2, Transport::Local, CAS[0]);
}

#[test]
fn a_root_by_the_product_on_local_nodes() {
    every_leaf(Product::Mrs2, Transport::Local, CAS[1]);
}

#[test]
fn a_supplied_root_on_local_nodes() {
    every_leaf(Product::Mrs2, Transport::Local, CAS[2]);
}

#[test]
fn roots_by_windlass_and_the_product_over_ssh() {
    for ca in ["host", "product"] {
        check(Product::Mrs2, Transport::Ssh, Taste { ca, ..PLAIN });
    }
}

#[test]
fn a_supplied_root_with_leaves_by_windlass_over_ssh() {
    check(Product::Mrs2, Transport::Ssh, Taste { ca: "supplied", leaf: "host", ..PLAIN });
}

#[test]
fn a_root_by_windlass_on_local_nodes_of_3_x() {
    every_leaf(Product::Mrs3, Transport::Local, CAS[0]);
}

#[test]
fn a_root_by_the_product_behind_its_prompt_on_local_nodes_of_3_x() {
    every_leaf(Product::Mrs3, Transport::Local, CAS[1]);
}

#[test]
fn a_root_by_the_product_behind_its_prompt_over_ssh_of_3_x() {
    check(Product::Mrs3, Transport::Ssh, Taste { ca: "product", ..PLAIN });
}

#[test]
fn tables_that_show_null_after_a_restart_are_waited_for() {
    for product in [Product::Mrs2, Product::Mrs3] {
        let Some(pair) = up_as(product, Transport::Local, PLAIN) else { return };
        let before = pair.content();
        pair.lab.break_for(Switch::NullAfterRestart, None, false, &[], 5).unwrap();
        let ran = pair.windlass(&["--json", "run", "ha-cert", "--yes"]).expect(0);
        tells_a_whole_story(&ran.out);
        let waits = ran.out.lines().filter(|line| line.contains(r#""effect":"clock.sleep""#)).count();
        assert!(waits > 3, "nothing was waited for");
        proof::rotated(&pair, &before);
    }
}

#[test]
fn a_step_that_lies_is_taken_back_by_itself_where_the_site_says_so() {
    let Some(pair) = up(Transport::Local, Taste { on_failure: "rollback", ..PLAIN }) else { return };
    let before = pair.content();
    pair.lab
        .break_with(Switch::LyingSuccess, None, false, &[windlass::lab::Double::ReplaceHaSslCert])
        .unwrap();
    let ran = pair.windlass(&["run", "ha-cert", "--yes"]).expect(1);
    assert!(ran.out.contains("rolled back"), "{ran:?}");
    proof::as_it_was(&pair, &before);
}

#[test]
fn a_newcomer_sees_a_run_and_one_that_is_killed_and_resumed() {
    for arguments in [&["demo"][..], &["demo", "--kill"]] {
        let Some(ran) = super::e2e::demo(&[arguments, &["--transport", "local"]].concat()) else { return };
        let ran = ran.expect(0);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("HAAllResOK is normal on both nodes"), "{said}");
        assert!(said.contains("windlass lab up practice"), "{said}");
        assert_eq!(said.contains("killed, as by SIGKILL"), arguments.len() == 2, "{said}");
        assert_eq!(said.contains("resumed"), arguments.len() == 2, "{said}");
    }
}

#[test]
fn what_a_script_changes_that_it_is_not_declared_to_is_a_finding_of_the_run() {
    let Some(pair) = up(Transport::Local, PLAIN) else { return };
    let script = pair.lab.node_root("master2").unwrap().join("opt/Bigdata/om-0.0.1/sbin/restart-oms.sh");
    let text = std::fs::read_to_string(&script).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let stray = pair.cert_ha("master2").join(".ha_pass");
    let strays = |when: &str| {
        std::fs::write(&script, format!("{first}\ntouch -d '{when}' '{stray}'\n{rest}")).unwrap();
    };
    strays("1 hour ago");
    const FINDING: &str = "finding: ha-key-password on master2 changed while restart-ha ran";
    let ran = pair.windlass(&["run", "ha-cert", "--yes"]).expect(0);
    assert_eq!(format!("{}{}", ran.out, ran.err).matches(FINDING).count(), 1, "{ran:?}");
    assert_eq!(ran.err.matches("finding: ").count() + ran.out.matches("finding: ").count(), 1, "{ran:?}");
    let shown = pair.windlass(&["runs", "show"]).expect(0).out;
    assert_eq!(shown.matches(FINDING).count(), 1, "{shown}");

    // Also where the controller dies meanwhile.
    strays("2 hours ago");
    let places = recorded(&pair, &["run", "ha-cert", "--yes"], 0);
    let running = places.iter().find(|place| {
        place.place == "Running" && place.words.contains("restart-ha") && place.words.contains("master2")
    });
    strays("3 hours ago");
    assert!(killed(&pair, &["run", "ha-cert", "--yes"], running.unwrap().at));
    pair.windlass(&["resume", "--yes"]).expect(0);
    let shown = pair.windlass(&["runs", "show"]).expect(0).out;
    assert_eq!(shown.matches(FINDING).count(), 1, "{shown}");
}
