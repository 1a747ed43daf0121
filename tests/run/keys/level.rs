//! Nodes that are away while the key is updated: named, quarantined, kept from starting, and brought level.

use super::{NODES, Run, held, keyset, services, up, updated};
use crate::run::e2e::Pair;
use windlass::lab::{Switch, Transport};

const NATIVE: [&str; 3] = ["root-key", "-p", "update=native"];
const PRESENT: [&str; 3] = ["master1", "master2", "member1"];

fn link(pair: &Pair, up: bool) {
    pair.lab.break_with(Switch::LinkDown, Some("member2"), up, &[]).unwrap();
}

#[test]
fn a_node_that_is_away_is_quarantined_and_brought_level_when_it_is_back() {
    let Some(pair) = up(Transport::Ssh) else { return };
    pair.impatient();
    let before = held(&pair);
    link(&pair, false);
    // What the product's script makes of it is not known.
    let refused = pair.windlass(&["run", "root-key", "--yes"]).expect(4);
    assert!(refused.err.contains("member2 is away"), "{refused:?}");

    let ended = Run::of(&pair, &NATIVE).run(&pair, 0);
    assert!(ended.err.contains("member2 is away"), "{ended:?}");
    assert!(ended.err.contains("member2 is in quarantine: it did not answer"), "{ended:?}");
    updated(&pair, &before, &PRESENT);
    let status = pair.windlass(&["status"]).expect(10);
    assert!(status.out.contains("in quarantine"), "{status:?}");

    link(&pair, true);
    // Its services were stopped by nobody, and are isolated from the cluster's start.
    assert!(
        std::fs::read(keyset(&pair, "member2")).unwrap() == before["member2 key set"].as_ref().unwrap().0
    );
    let next = pair.windlass(&[&["run"][..], &NATIVE, &["--yes"]].concat()).expect(4);
    assert!(next.err.contains("member2 is in quarantine") && next.err.contains("mode=catch-up"), "{next:?}");

    let level = pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(0);
    assert!(level.err.contains("member2 is out of quarantine"), "{level:?}");
    services(&pair, "member2", "stop").expect(0);
    services(&pair, "member2", "start").expect(0);
    updated(&pair, &before, &NODES);
    let again = pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(0);
    assert!(again.err.contains("nothing to do") || again.out.contains("nothing to do"), "{again:?}");
    let status = pair.windlass(&["status"]).expect(0);
    assert!(status.out.contains("nothing wants attention"), "{status:?}");
}

#[test]
fn a_node_that_is_lost_while_the_key_is_on_its_way_is_quarantined_too() {
    let Some(pair) = up(Transport::Ssh) else { return };
    pair.impatient();
    let before = held(&pair);
    let run = Run::of(&pair, &NATIVE);
    let mut under_way = crate::run::crash::begin(&pair, &run.arguments());
    assert!(under_way.until(r#""effect":"files.swap""#), "it never came to the swap");
    link(&pair, false);
    let ended = under_way.end();
    link(&pair, true);
    match ended.code {
        // It had the new key before it was lost, or the link was down too late.
        Some(0) if !ended.out.contains("nodes.quarantine") => updated(&pair, &before, &NODES),
        Some(0) => {
            updated(&pair, &before, &PRESENT);
            pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(0);
            services(&pair, "member2", "stop").expect(0);
            services(&pair, "member2", "start").expect(0);
            updated(&pair, &before, &NODES);
        }
        _ => {
            ended.expect(5);
            pair.windlass(&["resume"]).expect(0);
            updated(&pair, &before, &NODES);
        }
    }
}

#[test]
fn a_node_with_a_version_of_its_own_is_not_overwritten() {
    let Some(pair) = up(Transport::Local) else { return };
    // As if somebody had run the script there alone.
    let text = std::fs::read_to_string(keyset(&pair, "member1")).unwrap();
    let (_, primary) = super::versions(text.as_bytes());
    let key = text.split_once("\"key\":[").unwrap().1.rsplit_once(']').unwrap().0.to_owned();
    let other = key.replace(&primary.to_string(), "4242");
    let both = format!("{{\"primaryKeyId\":4242,\"key\":[{key},{other}]}}");
    std::fs::write(keyset(&pair, "member1"), &both).unwrap();
    let refused = pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(4);
    assert!(refused.err.contains("member1 has version 4242 of the key"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(keyset(&pair, "member1")).unwrap(), both);

    // One that merely is behind is brought level.
    let member2 = keyset(&pair, "member2");
    std::fs::write(keyset(&pair, "member1"), &text).unwrap();
    std::fs::remove_file(&member2).unwrap();
    pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(0);
    assert_eq!(std::fs::read_to_string(&member2).unwrap(), text);
    // And taken back, on request.
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    assert!(!member2.exists());
}
