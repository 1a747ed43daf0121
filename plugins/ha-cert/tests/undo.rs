//! Taking steps back: whatever the step that failed, both nodes end as they were.

use crate::apply::product_ca;
use crate::pair::{Cluster, FIRST, SECOND, Switch};
use windlass_sdk::Procedure as _;

const STEPS: [&str; 8] = [
    "root@first",
    "stage",
    "copy@first",
    "copy@second",
    "replace@first",
    "restart@first",
    "replace@second",
    "restart@second",
];

#[test]
fn a_node_gets_its_old_files_before_it_is_restarted_again() {
    let cluster = Cluster::new(&[]);
    cluster.apply_all().unwrap();
    cluster.clear_effects();
    cluster.undo_from("restart@second").unwrap();
    assert_eq!(
        cluster.effects(),
        "\
-- undo restart@second
restore replace-ha-cert on master2
restore ha-root-cert on master2
restore ha-root-key on master2
run restart-ha on master2
note: master2: start HA successfully. It presents its old certificate again.
-- undo replace@second
restore replace-ha-cert on master2
-- undo restart@first
restore replace-ha-cert on master1
restore ha-root-cert on master1
restore ha-root-key on master1
run restart-ha on master1
note: master1: start HA successfully. It presents its old certificate again.
-- undo replace@first
restore replace-ha-cert on master1
-- undo copy@second
restore ha-root-cert on master2
restore ha-root-key on master2
-- undo copy@first
restore ha-root-cert on master1
restore ha-root-key on master1
-- undo stage
discard new-root on master1
discard new-root on master2
-- undo root@first"
    );
}

#[test]
fn from_any_step_and_any_way_both_nodes_end_as_they_were() {
    let ways: [fn() -> Cluster; 4] = [
        || Cluster::new(&[]),
        product_ca,
        || Cluster::new(&[("ca", "supplied")]),
        || Cluster::new(&[("leaf", "host")]),
    ];
    for way in ways {
        for last in STEPS {
            let cluster = way();
            let before = snapshot(&cluster);
            cluster.plan().unwrap();
            for id in STEPS {
                ha_cert::HaCert::apply(id).unwrap();
                if id == last {
                    break;
                }
            }
            cluster.undo_from(last).unwrap();
            assert_eq!(snapshot(&cluster), before, "{last}");
            // Again, as after an interruption: nothing more to take back.
            cluster.clear_effects();
            cluster.undo_from(last).unwrap();
            assert_eq!(snapshot(&cluster), before, "{last}");
            assert!(!cluster.effects().contains("run "), "{last}: {}", cluster.effects());
        }
    }
}

#[test]
fn a_step_that_failed_half_way_is_taken_back() {
    for switch in [Switch::WrongExit, Switch::LyingReplace, Switch::SyncOverwrites, Switch::RestartFails] {
        let cluster = Cluster::new(&[]).with(switch);
        let before = snapshot(&cluster);
        let (failed, _) = cluster.apply_all().unwrap_err();
        cluster.undo_from(&failed).unwrap();
        assert_eq!(snapshot(&cluster), before, "{switch:?}");
    }
}

#[test]
fn a_service_that_never_loaded_the_new_files_is_not_restarted() {
    let cluster = Cluster::new(&[]).with(Switch::RestartFails);
    cluster.apply_all().unwrap_err();
    cluster.clear_effects();
    cluster.undo_from("restart@first").unwrap();
    assert!(!cluster.effects().contains("restart-ha"), "{}", cluster.effects());
}

#[test]
fn a_restore_without_effect_is_a_failure() {
    let cluster = Cluster::new(&[]);
    cluster.apply_all().unwrap();
    cluster.change().on.insert(Switch::RestoreLies);
    let fault = cluster.undo_from("restart@second").unwrap_err();
    let says = "ha-leaf-cert on master2 is not what it was before the run: restored, it has the digest ";
    assert!(fault.message.contains(says), "{fault:?}");
    assert!(!cluster.effects().contains("undo replace"));
}

#[test]
fn a_node_that_started_by_itself_meanwhile_is_restarted_with_its_old_files() {
    for (at, id) in STEPS.into_iter().enumerate() {
        for (name, standby) in [(FIRST, FIRST), (FIRST, SECOND), (SECOND, FIRST), (SECOND, SECOND)] {
            let cluster = Cluster::new(&[("patience", "60")]);
            cluster.plan().unwrap();
            STEPS[..=at].iter().for_each(|id| ha_cert::HaCert::apply(id).unwrap());
            cluster.starts_again(name);
            cluster.change().active = if standby == FIRST { SECOND.into() } else { FIRST.into() };
            cluster.undo_from(id).unwrap();
            let pair = cluster.look();
            for (name, leaf) in [(FIRST, "leaf 2 of 1"), (SECOND, "leaf 3 of 1")] {
                assert_eq!(pair.nodes[name].loaded, ("root 1".into(), leaf.into()), "{id}, {name}");
            }
        }
    }
}

#[test]
fn the_one_that_started_again_is_tried_first_and_alone() {
    let cluster = Cluster::new(&[]);
    cluster.plan().unwrap();
    STEPS[..3].iter().for_each(|id| ha_cert::HaCert::apply(id).unwrap());
    cluster.starts_again(FIRST);
    cluster.change().active = SECOND.into();
    cluster.clear_effects();
    cluster.undo_from("copy@first").unwrap();
    assert!(cluster.effects().contains("run restart-ha on master1"), "{}", cluster.effects());
    assert!(!cluster.effects().contains("run restart-ha on master2"), "{}", cluster.effects());
}

#[test]
fn a_node_that_is_away_is_not_restarted_and_one_that_stays_abnormal_is_said() {
    let cluster = Cluster::new(&[]);
    cluster.plan().unwrap();
    STEPS[..3].iter().for_each(|id| ha_cert::HaCert::apply(id).unwrap());
    cluster.change().on.insert(Switch::StandbyDown);
    cluster.clear_effects();
    cluster.undo_from("copy@first").unwrap();
    let effects = cluster.effects();
    assert!(!effects.contains("restart-ha"), "{effects}");
    assert!(
        effects.contains("The old files are back, and will be loaded by master2 when it starts"),
        "{effects}"
    );

    let cluster = Cluster::new(&[]);
    cluster.plan().unwrap();
    STEPS[..3].iter().for_each(|id| ha_cert::HaCert::apply(id).unwrap());
    cluster.change().on.insert(Switch::Abnormal);
    let fault = cluster.undo_from("copy@first").unwrap_err();
    let says = "the old files are back and loaded on both nodes, and still ";
    assert!(fault.message.starts_with(says), "{fault:?}");
    assert_eq!(cluster.effects().matches("run restart-ha").count(), 2, "{}", cluster.effects());
}

/// Files, staged sets and what the services present, of both nodes.
fn snapshot(cluster: &Cluster) -> String {
    let pair = cluster.look();
    [FIRST, SECOND]
        .map(|name| {
            let node = &pair.nodes[name];
            format!("{:?} {:?} {:?}", node.files, node.staged, node.loaded)
        })
        .join("\n")
}

#[test]
fn what_expired_while_the_run_stood_is_not_put_back() {
    for last in STEPS {
        let cluster = Cluster::new(&[]);
        cluster.plan().unwrap();
        let done: Vec<&str> = STEPS.into_iter().take_while(|id| *id != last).chain([last]).collect();
        done.iter().for_each(|id| ha_cert::HaCert::apply(id).unwrap());
        let there = snapshot(&cluster);
        cluster.days_pass(1);
        cluster.clear_effects();
        if matches!(last, "root@first" | "stage") {
            // Nothing was put in place, so nothing old comes back.
            cluster.undo_from(last).unwrap();
            continue;
        }
        let fault = cluster.undo_from(last).unwrap_err();
        assert!(fault.is("no-way-back"), "{last}: {fault:?}");
        let says =
            "the root certificate that master1 had before the run expired on 2027-01-16, while the run stood";
        assert!(fault.message.contains(says), "{fault:?}");
        assert_eq!(snapshot(&cluster), there, "{last}");
        assert_eq!(cluster.effects(), format!("-- undo {last}"));
    }
}

#[test]
fn a_way_back_that_was_begun_is_gone_to_its_end() {
    let cluster = Cluster::new(&[]);
    let before = snapshot(&cluster);
    cluster.apply_all().unwrap();
    ha_cert::HaCert::undo("restart@second").unwrap();
    cluster.days_pass(1);
    cluster.undo_from("restart@second").unwrap();
    assert_eq!(snapshot(&cluster), before);
}
