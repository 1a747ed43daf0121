//! The manifest asks for exactly what the procedure does: nothing is missing, and nothing is asked in vain.

use crate::apply::product_ca;
use crate::pair::{Cluster, Switch};
use std::collections::BTreeSet;

const MANIFEST: &str = include_str!("../manifest.toml");

#[test]
fn every_need_is_used_and_everything_used_is_asked_for() {
    let asked = needs();
    let used = used();
    let allows = |need: &str, effect: &str| match need.strip_suffix("@*") {
        Some(name) => effect.rsplit_once('@').is_some_and(|(used, _)| used == name),
        None => need == effect,
    };
    for effect in &used {
        assert!(asked.iter().any(|need| allows(need, effect)), "the manifest does not ask for {effect:?}");
    }
    for need in &asked {
        assert!(used.iter().any(|effect| allows(need, effect)), "nothing uses {need:?}");
    }
}

/// What the runs and roll-backs of all ways made use of.
fn used() -> BTreeSet<String> {
    let ways = [
        Cluster::new as fn(&[(&str, &str)]) -> Cluster,
        |_| product_ca(),
        |_| Cluster::new(&[("ca", "supplied")]),
        |_| Cluster::new(&[("leaf", "host")]),
    ];
    let mut used = BTreeSet::new();
    for way in ways {
        let cluster = way(&[]).with(Switch::RoleMoves);
        cluster.apply_all().unwrap();
        cluster.show_null(1);
        cluster.verify();
        cluster.undo_from("restart@second").unwrap();
        used.extend(cluster.look().used.iter().cloned());
    }
    let repair = Cluster::new(&[("strategy", "repair")]);
    // Either way: each node once is the one whose root is copied.
    for (newer, node) in [("root 70", "master1"), ("root 71", "master2")] {
        repair.put(node, "ha-root-cert", newer);
        repair.put(node, "ha-root-key", &newer.replace("root", "key"));
        repair.apply_all().unwrap();
    }
    used.extend(repair.look().used.iter().cloned());
    used
}

/// The quoted words of the manifest's arrays. The host's own tests read the file as TOML.
fn needs() -> BTreeSet<String> {
    MANIFEST
        .lines()
        .filter_map(|line| line.split_once(" = [").map(|(_, array)| array))
        .flat_map(|array| array.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}
