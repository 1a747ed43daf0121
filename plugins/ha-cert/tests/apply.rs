//! The steps: what they do in which order, and that success without its effect is a failure.

use crate::pair::{Cluster, FIRST, SECOND, Switch};

#[test]
fn the_documented_order_is_kept_and_both_nodes_are_staged_before_either_is_changed() {
    let cluster = Cluster::new(&[("country", "DE"), ("email", "abc@dt.com")]);
    cluster.apply_all().unwrap();
    assert_eq!(
        cluster.effects(),
        "\
ask for ha-key, twice
-- root@first
generate the rsa-3072 key new-root-key
self-sign new-root for 3650 days: country=DE common-name=HADOOP.COM email=abc@dt.com
note: Generate root-ca pair success.
-- stage
stage ha-root-cert on master1 in new-root: root 101
stage ha-root-key on master1 in new-root: key new-root-key under ha-key
stage ha-root-cert on master2 in new-root: root 101
stage ha-root-key on master2 in new-root: key new-root-key under ha-key
-- copy@first
swap new-root in on master1
-- copy@second
swap new-root in on master2
-- replace@first
run replace-ha-cert password=<ha-key> on master1
note: master1: [INFO] Succeed to replace ha ssl cert.
-- restart@first
run restart-ha on master1
note: master1: start HA successfully.
note: Until master2 is restarted too, an abnormal link between the nodes is expected.
-- replace@second
run replace-ha-cert password=<ha-key> on master2
note: master2: [INFO] Succeed to replace ha ssl cert.
-- restart@second
run restart-ha on master2
note: master2: start HA successfully."
    );
}

#[test]
fn the_product_makes_the_root_on_the_first_node_and_it_is_copied_from_there() {
    let cluster = product_ca();
    cluster.apply_all().unwrap();
    let effects = cluster.effects();
    assert!(
        effects.contains(
            "\
-- root@first
run generate-ha-root country=DE state=eur city=ber company=dt organize=IT common_name=HADOOP.COM \
email=abc@dt.com password=<ha-key> on master1
note: Generate root-ca pair success.
-- stage
stage ha-root-cert on master1 in new-root: root 101
stage ha-root-key on master1 in new-root: key 101 under <ha-key>
stage ha-root-cert on master2 in new-root: root 101
stage ha-root-key on master2 in new-root: key 101 under <ha-key>
"
        ),
        "{effects}"
    );
    assert!(cluster.verify().iter().all(|check| check.passed));
}

#[test]
fn a_supplied_root_is_opened_by_preflight_and_used() {
    let cluster = Cluster::new(&[("ca", "supplied"), ("common_name", "")]);
    cluster.apply_all().unwrap();
    let effects = cluster.effects();
    assert!(
        effects.starts_with("ask for ha-key\nopen the supplied CA as new-root and new-root-key by ha-key\n")
    );
    assert_eq!(cluster.look().nodes[SECOND].files["ha-root-cert"], "root 50");
    assert!(cluster.verify().iter().all(|check| check.passed));
}

#[test]
fn leaves_issued_by_the_host_go_in_with_key_and_password_as_one_generation() {
    let cluster = Cluster::new(&[
        ("leaf", "host"),
        ("country", "DE"),
        ("email", "a@b"),
        ("leaf_names", "ha.x, 10.0.0.9"),
    ]);
    cluster.apply_all().unwrap();
    let effects = cluster.effects();
    assert!(
        effects.contains(
            "\
-- replace@second
generate the rsa-3072 key new-leaf-key.second
issue new-leaf.second for 825 days: country=DE common-name=master2 email=a@b; names master2,ha.x,10.0.0.9
stage ha-leaf-cert on master2 in new-leaf.second: leaf 103 of 101
stage ha-leaf-key on master2 in new-leaf.second: key new-leaf-key.second under ha-key
stage ha-key-password on master2 in new-leaf.second: <ha-key>
swap new-leaf.second in on master2
"
        ),
        "{effects}"
    );
    assert!(!effects.contains("replace-ha-cert"), "{effects}");
    assert!(cluster.verify().iter().all(|check| check.passed));
}

#[test]
fn success_without_its_effect_is_a_failure_of_the_step_that_claimed_it() {
    let host_ca = || Cluster::new(&[]);
    for (way, switch, step, says) in [
        (
            product_ca as fn() -> Cluster,
            Switch::LyingGenerate,
            "root@first",
            "ha-new-root-cert is what it was",
        ),
        (host_ca, Switch::LyingReplace, "replace@first", "ha-leaf-cert is what it was"),
        (host_ca, Switch::LeafOfOldRoot, "replace@first", "does not chain to the new root"),
        (host_ca, Switch::LyingRestart, "restart@first", "it presents sha-2"),
        (host_ca, Switch::SyncOverwrites, "restart@first", "ha-root-cert on master1 is sha-1, not sha-101"),
        (host_ca, Switch::WrongExit, "replace@first", "it ended with exit status 1"),
        (host_ca, Switch::RestartFails, "restart@first", "restart-ha on master1 failed"),
        (product_ca, Switch::WeakRoot, "root@first", "RSA key below 2048 bits"),
    ] {
        let (failed, fault) = way().with(switch).apply_all().expect_err(&format!("{switch:?}"));
        assert_eq!(failed, step, "{switch:?}: {fault:?}");
        assert!(fault.message.contains(says), "{switch:?}: {fault:?}");
    }
}

#[test]
fn files_synchronised_over_the_standby_between_the_restarts_are_caught_before_its_restart() {
    let cluster = Cluster::new(&[]);
    for id in cluster.plan().unwrap() {
        if id == "restart@second" {
            let old = "root 1".to_owned();
            cluster.change().nodes.get_mut(SECOND).unwrap().files.insert("ha-root-cert".into(), old);
            let fault = apply(&id).unwrap_err();
            assert!(fault.message.contains("ha-root-cert on master2 is sha-1"), "{fault:?}");
            assert!(!cluster.effects().contains("run restart-ha on master2"));
            return;
        }
        apply(&id).unwrap();
    }
    unreachable!("the plan has restart@second");
}

#[test]
fn the_second_node_is_not_restarted_while_the_first_does_not_present_its_new_leaf() {
    let cluster = Cluster::new(&[("patience", "3")]);
    for id in cluster.plan().unwrap() {
        if id == "restart@second" {
            cluster.change().nodes.get_mut(FIRST).unwrap().loaded.1 = "leaf 2 of 1".into();
            let fault = apply(&id).unwrap_err();
            assert!(fault.message.starts_with("3 s after the restart, ha on master1"), "{fault:?}");
            assert!(!cluster.effects().contains("run restart-ha on master2"));
            return;
        }
        apply(&id).unwrap();
    }
    unreachable!("the plan has restart@second");
}

#[test]
fn nodes_keep_their_part_when_a_restart_moves_the_role() {
    let cluster = Cluster::new(&[]).with(Switch::RoleMoves);
    cluster.apply_all().unwrap();
    let restarts: Vec<String> =
        cluster.look().effects.iter().filter(|effect| effect.starts_with("run restart")).cloned().collect();
    assert_eq!(restarts, ["run restart-ha on master1", "run restart-ha on master2"]);
    assert!(cluster.verify().iter().all(|check| check.passed));
}

#[test]
fn a_step_that_does_not_exist_is_refused() {
    let _cluster = Cluster::new(&[]);
    assert!(apply("restart@third").unwrap_err().is("invalid"));
}

fn apply(id: &str) -> Result<(), windlass_sdk::Fault> {
    use windlass_sdk::Procedure as _;
    ha_cert::HaCert::apply(id)
}

pub fn product_ca() -> Cluster {
    Cluster::new(&[
        ("ca", "product"),
        ("country", "DE"),
        ("state", "eur"),
        ("city", "ber"),
        ("company", "dt"),
        ("organize", "IT"),
        ("email", "abc@dt.com"),
    ])
}
