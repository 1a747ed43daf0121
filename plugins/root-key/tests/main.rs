//! root-key against a cluster that is a few maps: what it does where a real one would have to be broken first.

mod cluster;

use cluster::{Cluster, NODES, OLD};
use root_key::RootKey;
use windlass_sdk::{Fault, Procedure};

/// The ids of the steps that are planned.
fn steps() -> Result<Vec<String>, Fault> {
    Ok(RootKey::steps()?.into_iter().map(|step| step.id).collect())
}

/// Does steps up to the one of this id, which ends as it is answered.
fn until(last: &str) -> Result<(), Fault> {
    for id in steps()? {
        let done = RootKey::apply(&id);
        if id == last {
            return done;
        }
        done?;
    }
    Ok(())
}

#[track_caller]
fn message<T: std::fmt::Debug>(result: Result<T, Fault>) -> (String, String) {
    let fault = result.expect_err("it went well");
    (fault.code, fault.message)
}

#[test]
fn each_way_goes_through_the_steps_in_order_and_proves_the_result() {
    for native in [false, true] {
        let cluster = Cluster::up();
        cluster.set("update", if native { "native" } else { "product" });
        let wanted = ["acknowledge", "applications", "backup", "stop", "update", "compare", "start"];
        assert_eq!(steps().unwrap(), wanted);
        until("start").unwrap();
        let checks = RootKey::verify().unwrap();
        assert!(checks.iter().all(|check| check.passed), "{checks:?}");
        let host = cluster.host.borrow();
        assert!(NODES.iter().all(|node| host.keys[*node] != OLD && host.keys[*node] == host.keys["a"]));
        assert_eq!(host.made, 1);
        assert!(host.up.values().all(|up| *up));
    }
}

#[test]
fn a_new_key_that_is_there_is_the_one_whatever_became_of_the_rest() {
    for native in [false, true] {
        let cluster = Cluster::up();
        cluster.set("update", if native { "native" } else { "product" });
        cluster.host.borrow_mut().cut_after_first = true;
        let (code, why) = message(until("update"));
        assert_eq!(code, "failed", "{why}");
        assert!(cluster.host.borrow().up.values().all(|up| !up), "something was started");
        cluster.host.borrow_mut().cut_after_first = false;
        // As a resumed run does.
        RootKey::apply("update").unwrap();
        RootKey::apply("compare").unwrap();
        assert_eq!(cluster.host.borrow().made, 1, "a second key was made");
    }
}

#[test]
fn a_service_that_does_not_stop_turns_the_run_back_and_leaves_the_key_alone() {
    let cluster = Cluster::up();
    cluster.host.borrow_mut().stuck = Some("m1");
    let (code, why) = message(until("stop"));
    assert_eq!(code, "go-back");
    assert!(why.contains("m1: DBService running"), "{why}");
    RootKey::undo("stop").unwrap();
    let host = cluster.host.borrow();
    assert!(host.up.values().all(|up| *up) && host.keys.values().all(|key| key == OLD));
}

#[test]
fn what_came_up_meanwhile_is_stopped_before_the_key_changes_and_before_the_start() {
    let cluster = Cluster::up();
    until("stop").unwrap();
    cluster.host.borrow_mut().up.insert("m2", true);
    RootKey::apply("update").unwrap();
    assert!(!cluster.host.borrow().up["m2"]);
    cluster.host.borrow_mut().up.insert("m1", true);
    RootKey::apply("compare").unwrap();
    assert!(!cluster.host.borrow().up["m1"]);
}

#[test]
fn a_success_without_its_effect_is_a_failure() {
    let cluster = Cluster::up();
    cluster.host.borrow_mut().lies = true;
    let (_, why) = message(until("update"));
    assert!(why.contains("reported success without its effect"), "{why}");
}

#[test]
fn a_node_that_missed_the_key_is_asked_about_and_nothing_starts_on_a_no() {
    let cluster = Cluster::up();
    cluster.host.borrow_mut().misses = Some("m2");
    cluster.host.borrow_mut().confirms = false;
    let (_, why) = message(until("compare"));
    assert!(why.contains("did not arrive on m2: nothing was started"), "{why}");
    cluster.host.borrow_mut().confirms = true;
    RootKey::apply("compare").unwrap();
    let host = cluster.host.borrow();
    assert_eq!(host.keys["m2"], host.keys["a"]);
}

#[test]
fn a_member_that_is_away_is_quarantined_and_a_manager_stops_the_run() {
    let cluster = Cluster::up();
    cluster.host.borrow_mut().away.insert("m2");
    let (code, why) = message(steps());
    assert!(code == "preflight" && why.contains("m2 is away"), "{why}");
    cluster.set("update", "native");
    until("start").unwrap();
    {
        let host = cluster.host.borrow();
        assert!(host.quarantined.keys().eq(&["m2"]), "{:?}", host.quarantined);
        assert_eq!((host.isolated.as_slice(), host.keys["m2"].as_str()), (&["m2"][..], OLD));
    }

    cluster.host.borrow_mut().away.clear();
    cluster.set("mode", "catch-up");
    assert_eq!(steps().unwrap(), ["level", "join"]);
    RootKey::apply("level").unwrap();
    RootKey::apply("join").unwrap();
    assert!(RootKey::verify().unwrap().iter().all(|check| check.passed));
    assert!(cluster.host.borrow().quarantined.is_empty() && cluster.host.borrow().isolated.is_empty());
    assert_eq!(steps().unwrap(), [""; 0], "there is more to do");

    let cluster = Cluster::up();
    cluster.set("update", "native");
    cluster.host.borrow_mut().away.insert("b");
    let (_, why) = message(steps());
    assert!(why.contains("b does not answer, and is a management node"), "{why}");
}

#[test]
fn going_back_ends_where_the_cluster_was_told_to_start() {
    let cluster = Cluster::up();
    until("compare").unwrap();
    for step in ["compare", "update", "stop", "backup"] {
        RootKey::undo(step).unwrap();
    }
    {
        let host = cluster.host.borrow();
        assert!(host.keys.values().all(|key| key == OLD), "{:?}", host.keys);
        assert!(host.up.values().all(|up| *up) && host.backups.is_empty());
    }
    let cluster = Cluster::up();
    cluster.host.borrow_mut().stuck_down = Some("m1");
    cluster.set("patience", "1");
    let (_, why) = message(until("start"));
    assert!(why.contains("m1: DBService stopped"), "{why}");
    assert_eq!(message(RootKey::undo("start")).0, "no-way-back");
}

#[test]
fn preflight_says_everything_at_once() {
    let cluster = Cluster::up();
    cluster.set("update", "native");
    cluster.set("product_reads_keyset", "no");
    {
        let mut host = cluster.host.borrow_mut();
        host.keys.insert("m1", "another".into());
        host.applications = Some(false);
        host.quarantined.insert("m2", "it was away".into());
        host.room = 1_000;
    }
    let (code, why) = message(steps());
    assert_eq!(code, "preflight");
    for problem in [
        "update = native is refused",
        "another key set than a has, or none, is on m1",
        "1000 bytes are free",
        "the upper-layer applications are not stopped",
        "m2 is in quarantine: it was away",
    ] {
        assert!(why.contains(problem), "{problem:?} is not in {why}");
    }
}

/// On a real cluster nobody may know where the product keeps its key.
#[test]
fn where_no_key_set_is_known_the_script_is_run_once_and_nothing_is_claimed() {
    let cluster = Cluster::up();
    cluster.host.borrow_mut().keys.clear();
    cluster.set("update", "native");
    assert!(message(steps()).1.contains("a has no key set"));
    cluster.set("update", "product");
    assert_eq!(steps().unwrap(), ["acknowledge", "applications", "stop", "update", "compare", "start"]);
    until("start").unwrap();
    assert!(cluster.host.borrow().asked[0].contains("it cannot be proven that a new key was made"));
    let checks = RootKey::verify().unwrap();
    assert_eq!(checks.len(), 2);
    assert!(checks.iter().all(|check| check.passed), "{checks:?}");
    assert_eq!(message(RootKey::undo("update")).0, "no-way-back");
    assert_eq!(cluster.host.borrow().made, 1);

    let cluster = Cluster::up();
    cluster.host.borrow_mut().keys.clear();
    cluster.host.borrow_mut().cut_after_first = true;
    cluster.host.borrow_mut().acknowledges = vec![true, false];
    let (_, why) = message(until("compare"));
    assert!(why.contains("did not say that the root key is updated and sent"), "{why}");
    assert!(cluster.host.borrow().up.values().all(|up| !up), "something was started");
    // As a resumed run does: the operator is asked again, and the script is left alone.
    cluster.host.borrow_mut().acknowledges = vec![true];
    RootKey::apply("compare").unwrap();
    assert_eq!(cluster.host.borrow().made, 1);
    RootKey::undo("update").unwrap();
}
