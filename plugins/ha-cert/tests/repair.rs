//! Strategy `repair`: whatever the two nodes hold and present, they end on one root, or as they were.

use crate::pair::{Cluster, FIRST, SECOND, Switch, holds, number};
use windlass_sdk::Procedure as _;

const NODES: [&str; 2] = [FIRST, SECOND];
const FILES: [&str; 4] = ["ha-root-cert", "ha-root-key", "ha-leaf-cert", "ha-leaf-key"];

/// A node, in words: its four files, and root and leaf as its service has loaded them.
#[derive(Debug, Clone)]
struct State {
    files: [String; 4],
    loaded: (String, String),
}

/// Everything that a node may be, as far as it tells one repair from another. `at`: its leaf's number differs.
fn states(at: usize) -> Vec<State> {
    let mut states = Vec::new();
    for root in ["", "garbage", "root 60", "root 65 expired", "root 70"] {
        for key in ["fits", "shut", "missing"] {
            for leaf in ["of it", "of it expired", "of another", "missing"] {
                for serves in ["its files", "another", "nothing"] {
                    let (of, leaf_number) = (number(root).unwrap_or(1), 80 + at);
                    let key = match key {
                        "fits" => format!("key {of} under ha-key"),
                        "shut" => format!("key {of} under another"),
                        _ => String::new(),
                    };
                    let (leaf, leaf_key) = match leaf {
                        "of it" => (format!("leaf {leaf_number} of {of}"), format!("key {leaf_number}")),
                        "of it expired" => (format!("leaf {leaf_number} of {of} expired"), "key 1".into()),
                        "of another" => (format!("leaf {leaf_number} of 3"), format!("key {leaf_number}")),
                        _ => (String::new(), String::new()),
                    };
                    let loaded = match serves {
                        "its files" if number(root).is_some() && !leaf.is_empty() => {
                            (root.into(), leaf.clone())
                        }
                        "another" => ("root 1".into(), format!("leaf {} of 1", 2 + at)),
                        _ => (String::new(), String::new()),
                    };
                    states.push(State { files: [root.into(), key, leaf, leaf_key], loaded });
                }
            }
        }
    }
    states
}

fn repairing(states: [&State; 2], more: &[(&str, &str)]) -> Cluster {
    let mut parameters = vec![("strategy", "repair")];
    parameters.extend(more);
    let cluster = Cluster::new(&parameters);
    for (node, state) in NODES.into_iter().zip(states) {
        for (file, words) in FILES.into_iter().zip(&state.files) {
            cluster.put(node, file, words);
        }
        cluster.load(node, &state.loaded.0, &state.loaded.1);
    }
    cluster
}

/// The files of both nodes, and what is staged.
fn snapshot(cluster: &Cluster) -> String {
    let pair = cluster.look();
    NODES.map(|name| format!("{:?} {:?}", pair.nodes[name].files, pair.nodes[name].staged)).join("\n")
}

fn file(cluster: &Cluster, node: &str, file: &str) -> String {
    cluster.look().nodes[node].files.get(file).cloned().unwrap_or_default()
}

/// Both nodes have one root, and services that loaded it and a leaf of it.
#[track_caller]
fn is_on_one_root(cluster: &Cluster, of: &[&State; 2]) {
    let root = file(cluster, FIRST, "ha-root-cert");
    for node in NODES {
        assert_eq!(file(cluster, node, "ha-root-cert"), root, "{of:?}");
        let loaded = cluster.look().nodes[node].loaded.clone();
        let leaf = file(cluster, node, "ha-leaf-cert");
        assert_eq!((loaded.0.as_str(), &loaded.1), (root.as_str(), &leaf), "{node} of {of:?}");
        assert!(holds(&leaf, &root), "{node} of {of:?}");
    }
    let failed: Vec<_> = cluster.verify().into_iter().filter(|check| !check.passed).collect();
    assert!(failed.is_empty(), "{failed:?} of {of:?}");
}

/// Repairs one pair and takes it back.
fn check(states: [&State; 2], more: &[(&str, &str)]) {
    let cluster = repairing(states, more);
    let before = snapshot(&cluster);
    let plan = cluster.apply_all().unwrap_or_else(|failed| panic!("{failed:?} of {states:?}"));
    if plan.is_empty() {
        assert_eq!(snapshot(&cluster), before);
        assert!(cluster.effects().contains("Nothing to repair"), "{}", cluster.effects());
        for state in states {
            let [root, _, leaf, _] = &state.files;
            assert!(holds(leaf, root) && state.loaded == (root.clone(), leaf.clone()), "{states:?}");
        }
        return;
    }
    is_on_one_root(&cluster, &states);
    cluster
        .undo_of(plan.clone(), &plan[plan.len() - 1])
        .unwrap_or_else(|fault| panic!("{fault:?} of {states:?}"));
    assert_eq!(snapshot(&cluster), before, "{states:?}");
    for (node, state) in NODES.into_iter().zip(states) {
        let [root, _, leaf, _] = &state.files;
        if state.loaded == (root.clone(), leaf.clone()) && !leaf.is_empty() {
            assert_eq!(cluster.look().nodes[node].loaded, state.loaded, "{node} of {states:?}");
        }
    }
}

/// Every pair whose first node has this root.
fn every_pair_with(root: &str, more: &[(&str, &str)], step: usize) {
    let (first, second) = (states(0), states(1));
    let first: Vec<&State> = first.iter().filter(|state| state.files[0] == root).collect();
    assert_eq!(first.len(), 36);
    for (at, one) in first.into_iter().enumerate() {
        for other in second.iter().skip(at % step).step_by(step) {
            check([one, other], more);
        }
    }
}

macro_rules! whatever_two_nodes_hold_and_present_they_end_on_one_root_and_can_be_taken_back {
    ($($name:ident: $root:literal),+) => {
        $(#[test]
        fn $name() {
            every_pair_with($root, &[], 1);
        })+
    };
}

whatever_two_nodes_hold_and_present_they_end_on_one_root_and_can_be_taken_back! {
    a_pair_whose_first_node_has_no_root: "",
    a_pair_whose_first_node_has_a_root_that_cannot_be_read: "garbage",
    a_pair_whose_first_node_has_an_older_root: "root 60",
    a_pair_whose_first_node_has_an_expired_root: "root 65 expired",
    a_pair_whose_first_node_has_a_newer_root: "root 70"
}

#[test]
fn so_do_they_with_every_way_to_make_root_and_leaves() {
    let product = [
        ("ca", "product"),
        ("country", "DE"),
        ("state", "eur"),
        ("city", "ber"),
        ("company", "dt"),
        ("organize", "IT"),
        ("email", "abc@dt.com"),
    ];
    for root in ["", "root 60", "root 70"] {
        every_pair_with(root, &product, 7);
        every_pair_with(root, &[("ca", "supplied")], 7);
        every_pair_with(root, &[("leaf", "host")], 7);
    }
}

/// A node with a root, its key under the password, and a leaf of it that it presents.
fn good(root: u32, leaf: u32) -> State {
    let (root, leaf, key) = (format!("root {root}"), format!("leaf {leaf} of {root}"), format!("key {leaf}"));
    let root_key = format!("key {} under ha-key", number(&root).unwrap());
    State { files: [root.clone(), root_key, leaf.clone(), key], loaded: (root, leaf) }
}

/// The impact that is acknowledged, and what is then done.
fn told(cluster: &Cluster) -> String {
    cluster.apply_all().unwrap();
    let effects = &cluster.look().effects;
    let wanted = |effect: &&String| {
        let word = effect.split(' ').next().unwrap_or_default();
        ["acknowledge", "run", "stage", "swap"].contains(&word) || effect.starts_with("self-sign")
    };
    let lines: Vec<&str> = effects.iter().filter(wanted).map(String::as_str).collect();
    // A line a sentence, to be read here.
    lines.join("\n").replace(". ", ".\n  ")
}

#[test]
fn a_split_pair_is_brought_to_the_newer_of_its_roots() {
    let cluster = repairing([&good(60, 80), &good(70, 81)], &[]);
    assert_eq!(
        told(&cluster),
        "\
acknowledge Repair this pair? master1: root sha-60 (valid until 2027-03-16), with its key; leaf sha-80 (valid until 2027-04-05), issued by root 60; it presents that leaf.
  master2: root sha-70 (valid until 2027-03-26), with its key; leaf sha-81 (valid until 2027-04-06), issued by root 70; it presents that leaf.
  master2 has the newer root, sha-70, with its key: master1 is brought to it, and no further root is made.
  master1 gets the root and its key, a new leaf, a restart; master2 gets nothing.
  While OMS restarts on master1, MRS Manager may be out of reach and the active role may move; until the end a failure of the active node is not taken over.
  What is there now is saved on its node first, and a rollback puts it back as it is, broken or not.
stage ha-root-cert on master1 in new-root: root 70
stage ha-root-key on master1 in new-root: key 70 under ha-key
swap new-root in on master1
run replace-ha-cert password=<ha-key> on master1
run restart-ha on master1"
    );
}

#[test]
fn a_root_that_was_copied_to_one_node_by_hand_is_finished_on_both() {
    let mut half = good(60, 80);
    half.files[0] = "root 70".into();
    half.files[1] = "key 70 under ha-key".into();
    let cluster = repairing([&half, &good(60, 81)], &[]);
    let told = told(&cluster);
    assert!(told.contains("leaf sha-80 (valid until 2027-04-05), issued by root 60, which holds under the root of master2, not under its own; it presents that leaf"), "{told}");
    assert!(
        told.contains("master1 has the newer root, sha-70, with its key: master2 is brought to it"),
        "{told}"
    );
    assert!(
        told.contains(
            "master1 gets a new leaf, a restart; master2 gets the root and its key, a new leaf, a restart."
        ),
        "{told}"
    );
    // Without its key nothing can be issued from it, and the older root is not gone back to.
    let mut lost = half.clone();
    lost.files[1] = "key 70 under another".into();
    let told = self::told(&repairing([&lost, &good(60, 81)], &[]));
    assert!(told.contains("A new root is made for both nodes: the newest root on disk, sha-70 on master1, has a key that the password does not open."), "{told}");
    assert!(told.contains("self-sign new-root"), "{told}");
}

#[test]
fn expired_leaves_under_a_good_root_are_replaced_and_an_expired_root_is_not_kept() {
    let expired = |root: &str, leaf: u32| {
        let mut state = good(70, leaf);
        state.files[0] = root.into();
        state.files[2] = format!("leaf {leaf} of 70 expired");
        state.loaded = (root.into(), state.files[2].clone());
        state
    };
    let told = self::told(&repairing([&expired("root 70", 80), &expired("root 70", 81)], &[]));
    assert!(told.contains("expired on 2027-01-14"), "{told}");
    assert!(told.contains("Both nodes have the root sha-70, and master1 its key: it stays."), "{told}");
    assert!(
        told.contains("master1 gets a new leaf, a restart; master2 gets a new leaf, a restart."),
        "{told}"
    );
    let told =
        self::told(&repairing([&expired("root 70 expired", 80), &expired("root 70 expired", 81)], &[]));
    assert!(told.contains("the newest root on disk, sha-70 on master1, expired on 2027-01-14."), "{told}");
}

#[test]
fn a_key_or_a_root_that_is_missing_on_one_node_is_brought_there_from_the_other() {
    for (file, words, restarts) in [
        ("ha-root-key", "", false),
        ("ha-root-key", "key 9 under ha-key", false),
        ("ha-root-cert", "", true),
        ("ha-root-cert", "garbage", true),
    ] {
        let cluster = repairing([&good(70, 80), &good(70, 81)], &[]);
        cluster.put(SECOND, file, words);
        let told = told(&cluster);
        let gets = if restarts { "the root and its key, a restart" } else { "the root and its key" };
        assert!(told.contains(&format!("master1 gets nothing; master2 gets {gets}.")), "{told}");
        assert!(told.contains("stage ha-root-key on master2 in new-root: key 70 under ha-key"), "{told}");
        assert_eq!(told.contains("run restart-ha"), restarts, "{told}");
        assert!(cluster.verify().iter().all(|check| check.passed), "{:?}", cluster.verify());
    }
}

#[test]
fn a_pair_that_is_well_is_told_so_and_left_alone() {
    let cluster = repairing([&good(70, 80), &good(70, 81)], &[]);
    assert_eq!(cluster.plan().unwrap(), [] as [&str; 0]);
    assert!(cluster.effects().contains("Nothing to repair: both nodes have one root"));
    assert!(cluster.effects().contains("use strategy = \"sequential\""));
    // A table that shows NULL after a restart is waited for before the pair is taken for broken.
    let cluster = repairing([&good(70, 80), &good(70, 81)], &[]);
    cluster.show_null(60_000);
    assert_eq!(cluster.plan().unwrap(), [] as [&str; 0]);
}

#[test]
fn what_is_not_acknowledged_changes_nothing() {
    for (switch, code) in [(Switch::Declines, "declined"), (Switch::NobodyAcknowledges, "preflight")] {
        let cluster = repairing([&good(60, 80), &good(70, 81)], &[]).with(switch);
        let before = snapshot(&cluster);
        let (step, fault) = cluster.apply_all().unwrap_err();
        assert_eq!((step.as_str(), fault.code.as_str()), ("acknowledge", code), "{fault:?}");
        if switch == Switch::NobodyAcknowledges {
            assert_eq!(fault.hint, "--ack 0123456789ab", "{fault:?}");
        }
        assert_eq!(snapshot(&cluster), before);
        let changes = ["run ", "stage ", "swap ", "generate "];
        let effects = cluster.look().effects.clone();
        assert!(
            !effects.iter().any(|effect| changes.iter().any(|word| effect.starts_with(word))),
            "{effects:?}"
        );
    }
}

#[test]
fn less_is_demanded_than_of_a_rotation_and_what_is_still_demanded_is_named() {
    let split = || repairing([&good(60, 80), &good(70, 81)], &[]);
    for switch in [
        Switch::TwoActive,
        Switch::NoneActive,
        Switch::RolesSwitched,
        Switch::Abnormal,
        Switch::StandbyDown,
        Switch::NotServing,
        Switch::ManagerDown,
    ] {
        let cluster = split().with(switch);
        assert!(
            !cluster.plan().unwrap_or_else(|fault| panic!("{switch:?}: {fault:?}")).is_empty(),
            "{switch:?}"
        );
    }
    for (switch, says) in [
        (Switch::SecondUnreachable, "master2 does not answer"),
        (Switch::RolesUnbound, "bound are none as first and none as second"),
        (Switch::ClockOff, "the clock of master2 is 25 s behind this machine's"),
        (Switch::ClocksApart, "the clocks of master1 and master2 differ by 25 s"),
        (Switch::Full, "master2 has 4 KiB free where ha-root-cert lies"),
        (Switch::WeakPassword, "the password ha-key does not meet the policy: no digit, shorter than 8"),
        (Switch::NobodyToAsk, "the secret ha-key has no source"),
    ] {
        let fault = split().with(switch).plan().expect_err(&format!("{switch:?}"));
        assert_eq!(fault.code, "preflight", "{switch:?}");
        assert!(fault.message.contains(says), "{switch:?}: {fault:?}");
    }
    assert_eq!(split().with(Switch::Denied).plan().unwrap_err().code, "denied");
}

#[test]
fn a_repair_that_fails_half_way_is_taken_back_to_what_was_there() {
    for switch in [Switch::WrongExit, Switch::LyingReplace, Switch::LyingRestart, Switch::RestartFails] {
        let mut broken = good(60, 80);
        broken.files[2] = "garbage".into();
        let cluster = repairing([&broken, &good(70, 81)], &[("patience", "3")]).with(switch);
        let before = snapshot(&cluster);
        let plan = cluster.plan().unwrap();
        let failed = plan
            .iter()
            .find(|id| ha_cert::HaCert::apply(id).is_err())
            .unwrap_or_else(|| panic!("{switch:?} did not fail"));
        cluster.change().on.clear();
        cluster.undo_of(plan.clone(), failed).unwrap();
        assert_eq!(snapshot(&cluster), before, "{switch:?}");
        assert!(cluster.effects().contains("its service is left as it is") || failed.starts_with("replace"));
    }
}
