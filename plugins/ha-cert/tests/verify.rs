//! Verification: the evidence, and that each lie fails the check it should.

use crate::pair::{Cluster, FIRST, SECOND, Switch};

#[test]
fn a_finished_run_is_proven_with_old_and_new_fingerprints_and_dates() {
    let cluster = Cluster::new(&[]);
    cluster.apply_all().unwrap();
    let shown: String = cluster
        .verify()
        .iter()
        .map(|check| {
            let evidence: String =
                check.evidence.iter().map(|entry| format!("  {}: {}\n", entry.name, entry.value)).collect();
            format!("{} {}\n{evidence}", if check.passed { "ok" } else { "FAILED" }, check.title)
        })
        .collect();
    assert_eq!(
        shown,
        "\
ok HAAllResOK is normal on both nodes, as both see it
  master1 sees master1: active normal (Actived)
  master1 sees master2: standby normal (Deactived)
  master2 sees master1: active normal (Actived)
  master2 sees master2: standby normal (Deactived)
ok Both nodes trust the new root
  master1 old root: sha-1, valid until 2027-01-16
  master1 new root: sha-101, valid until 2027-04-26
  master2 old root: sha-1, valid until 2027-01-16
  master2 new root: sha-101, valid until 2027-04-26
ok master1 presents a new certificate that chains to the new root
  old: sha-2, valid until 2027-01-17
  new: sha-102, valid until 2027-04-27
  issuer: root 101
ok master2 presents a new certificate that chains to the new root
  old: sha-3, valid until 2027-01-18
  new: sha-103, valid until 2027-04-28
  issuer: root 101
ok Mode and owner of the key files are as before
  master1 ha-root-key: 0600 omm:wheel
  master1 ha-leaf-key: 0600 omm:wheel
  master2 ha-root-key: 0600 omm:wheel
  master2 ha-leaf-key: 0600 omm:wheel
ok MRS Manager can be accessed
  HTTP status: 200
"
    );
}

#[test]
fn a_health_table_that_is_null_for_a_minute_after_a_restart_is_waited_for() {
    let cluster = Cluster::new(&[]);
    cluster.apply_all().unwrap();
    cluster.show_null(60_000);
    assert!(cluster.verify().iter().all(|check| check.passed));

    let hasty = Cluster::new(&[("patience", "30")]);
    hasty.apply_all().unwrap();
    hasty.show_null(60_000);
    assert!(!hasty.verify()[0].passed, "no longer than it was told");
}

#[test]
fn what_is_not_so_fails_its_check() {
    let breaks: [Broken; 6] = [
        (|cluster| turn_on(cluster, Switch::Abnormal), "HAAllResOK is normal"),
        (|cluster| set(cluster, FIRST, "ha-root-cert", "root 1"), "Both nodes trust"),
        (|cluster| load(cluster, SECOND, "leaf 3 of 1"), "master2 presents a new"),
        (|cluster| set(cluster, FIRST, "ha-leaf-cert", "leaf 77 of 101"), "master1 presents a new"),
        (|cluster| turn_on(cluster, Switch::ManagerDown), "MRS Manager can be"),
        (
            |cluster| {
                drop(cluster.change().nodes.get_mut(SECOND).map(|node| node.files.remove("ha-root-key")))
            },
            "Mode and owner",
        ),
    ];
    for (break_it, title) in breaks {
        let cluster = Cluster::new(&[("patience", "1")]);
        cluster.apply_all().unwrap();
        break_it(&cluster);
        let failed: Vec<String> =
            cluster.verify().into_iter().filter(|check| !check.passed).map(|check| check.title).collect();
        assert!(failed.iter().any(|failed| failed.starts_with(title)), "{title}: {failed:?}");
    }
}

#[test]
fn a_key_file_opened_to_others_fails_its_check_and_says_what_it_was() {
    let cluster = Cluster::new(&[]).with(Switch::KeyFileOpened);
    cluster.apply_all().unwrap();
    let checks = cluster.verify();
    let check = checks.iter().find(|check| !check.passed).unwrap();
    assert!(
        check.evidence.iter().any(|entry| entry.value == "0644 omm:wheel, before 0600 omm:wheel"),
        "{check:?}"
    );
}

#[test]
fn a_supplied_root_that_was_in_place_on_one_node_is_finished_on_both() {
    let cluster = Cluster::new(&[("ca", "supplied")]);
    set(&cluster, FIRST, "ha-root-cert", "root 50");
    cluster.apply_all().unwrap();
    let failed: Vec<_> = cluster.verify().into_iter().filter(|check| !check.passed).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn what_the_site_does_not_have_is_no_check() {
    let cluster = Cluster::new(&[]).with(Switch::NoManager);
    cluster.apply_all().unwrap();
    assert!(!cluster.verify().iter().any(|check| check.title.contains("Manager")));
}

/// What is broken after a good run, and the check that must fail.
type Broken = (fn(&Cluster), &'static str);

fn turn_on(cluster: &Cluster, switch: Switch) {
    cluster.change().on.insert(switch);
}

fn set(cluster: &Cluster, node: &str, file: &str, words: &str) {
    cluster.change().nodes.get_mut(node).unwrap().files.insert(file.into(), words.into());
}

fn load(cluster: &Cluster, node: &str, leaf: &str) {
    cluster.change().nodes.get_mut(node).unwrap().loaded.1 = leaf.into();
}
