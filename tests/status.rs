//! `windlass status` on practice pairs, and what Prometheus's own tool says of its metrics.

use crate::run::e2e::{PLAIN, Pair, feed, up};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;
use windlass::lab::{Switch, Transport};

fn wants(pair: &Pair, what: &str) {
    let status = pair.windlass(&["status"]).expect(10);
    assert!(
        status.out.lines().skip(1).take_while(|line| !line.is_empty()).any(|line| line.contains(what)),
        "{what}: {status:?}"
    );
}

fn well(pair: &Pair) -> String {
    pair.wait_normal();
    let status = pair.windlass(&["status"]).expect(0).out;
    assert!(status.starts_with("site practice: nothing wants attention"), "{status}");
    status
}

#[test]
fn a_pair_that_is_well_is_shown_and_wants_nothing() {
    for transport in [Transport::Local, Transport::Ssh] {
        let Some(pair) = up(transport, PLAIN) else { continue };
        let status = well(&pair);
        for said in
            ["master1  active normal", "ha-leaf-cert", "ha presents", "ha-root-key        0600 ", "key set"]
        {
            assert!(status.contains(said), "{said}: {status}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&pair.windlass(&["--json", "status"]).expect(0).out).unwrap();
        let node = &json["nodes"][1];
        assert_eq!((&json["attention"], &node["node"]), (&serde_json::json!([]), &"master2".into()));
        assert_eq!(
            node["endpoints"][0]["served"],
            node["certificates"]
                .as_array()
                .unwrap()
                .iter()
                .find(|certificate| certificate["file"] == "ha-leaf-cert")
                .unwrap()["fingerprint"]
        );
    }
}

#[test]
fn what_is_wrong_is_said_first_and_with_exit_status_10() {
    let pair = up(Transport::Local, PLAIN).expect("local nodes need nothing");
    well(&pair);
    let key = pair.cert_ha("master1").join("root-ca.pem");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    wants(&pair, "master1: ha-root-key can be used by others than its owner (mode 0640)");
    mode(0o600);
    // Another certificate on disk than the service has loaded.
    let leaf = pair.cert_ha("master1").join("server.crt");
    let held = std::fs::read(&leaf).unwrap();
    std::fs::copy(pair.cert_ha("master2").join("server.crt"), &leaf).unwrap();
    wants(&pair, "master1: ha presents ");
    std::fs::write(&leaf, held).unwrap();

    let keyset = leaf.parent().unwrap().with_file_name("keyset.json");
    let away = keyset.with_file_name("away");
    std::fs::rename(&keyset, &away).unwrap();
    wants(&pair, "master1: it has no key set, and others have");
    std::fs::rename(&away, &keyset).unwrap();

    let site = pair.dir.join("site.toml");
    let text = std::fs::read_to_string(&site).unwrap();
    std::fs::write(&site, format!("{text}\n[status]\ncertificate_days = 36500\nkey_days = 0\n")).unwrap();
    wants(&pair, "master2: ha-leaf-cert expires on ");
    wants(&pair, "the key set was written 0 days ago");
    std::fs::write(&site, text).unwrap();

    pair.lab.break_with(Switch::StandbyDown, None, false, &[]).unwrap();
    wants(&pair, "master2");
    pair.lab.break_with(Switch::StandbyDown, None, true, &[]).unwrap();
    well(&pair);
}

#[test]
fn a_key_file_of_another_user_is_told_over_ssh() {
    let Some(pair) = up(Transport::Ssh, PLAIN) else { return };
    well(&pair);
    let key = pair.cert_ha("master1").join("root-ca.pem");
    chown(&key, Some(12_345), None).unwrap();
    wants(&pair, "master1: ha-root-key belongs to ");
}

#[test]
fn prometheus_reads_the_metrics() {
    let pair = up(Transport::Local, PLAIN).expect("local nodes need nothing");
    pair.wait_normal();
    let metrics = pair.windlass(&["--format", "prometheus", "status"]).expect(0).out;
    for metric in
        ["windlass_attention{site=\"practice\"} 0", "windlass_node_up{site=\"practice\",node=\"master1\"} 1"]
    {
        assert!(metrics.contains(metric), "{metric}: {metrics}");
    }
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("skipped: promtool is not installed");
        return;
    }
    let judged = feed(Command::new("promtool").args(["check", "metrics"]), metrics.as_bytes()).expect(0);
    assert_eq!(format!("{}{}", judged.out, judged.err), "");
    let refused = pair.windlass(&["--format", "prometheus", "runs", "list"]).expect(2);
    assert!(refused.err.contains("only status is written for Prometheus"), "{refused:?}");
}

#[test]
fn the_example_of_a_timer_is_what_systemd_reads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/systemd");
    let units = ["windlass-status.service", "windlass-status.timer"].map(|name| format!("{folder}/{name}"));
    match Command::new("systemd-analyze").arg("verify").args(&units).output() {
        Ok(verified) => assert!(verified.status.success(), "{verified:?}"),
        Err(_) => println!("skipped: systemd-analyze is not installed"),
    }
}
