//! `windlass run retire-key`: refused while anything needs the version, and then gone everywhere.

use super::{NODES, Run, held, keyset, no_leftovers, services, up, updated, versions};
use crate::run::e2e::{Pair, feed};
use windlass::lab::Transport;

/// The version that was the primary before the last update.
fn old(pair: &Pair) -> u64 {
    let (all, primary) = versions(&std::fs::read(keyset(pair, "master1")).unwrap());
    *all.keys().find(|number| **number != primary).expect("an older version")
}

fn retire(pair: &Pair, version: u64, code: i32) -> String {
    let version = format!("version={version}");
    pair.windlass(&["run", "retire-key", "-p", &version, "--yes"]).expect(code).err
}

/// Makes everything that the services keep need the version of now.
fn renew(pair: &Pair) {
    for node in NODES {
        services(pair, node, "renew").expect(0);
        services(pair, node, "stop").expect(0);
        services(pair, node, "start").expect(0);
    }
}

fn put(pair: &Pair) {
    feed(&mut pair.command(&["secret", "put", "db"]), b"Changeme_123").expect(0);
}

#[test]
fn a_version_goes_when_nothing_needs_it_and_everything_that_does_is_named() {
    let Some(pair) = up(Transport::Local) else { return };
    put(&pair);
    let before = held(&pair);
    Run::of(&pair, &["root-key"]).run(&pair, 0);
    updated(&pair, &before, &NODES);
    let version = old(&pair);
    let (_, primary) = versions(&std::fs::read(keyset(&pair, "master1")).unwrap());
    let updated_by = pair.last_run();

    let refused = retire(&pair, version, 4);
    for why in [
        "the site's value db is sealed under it",
        &format!("the run {updated_by} is not closed"),
        "the backup on master1 was taken when",
        "the backup on master2 was taken when",
        "on member2: DBService db-password is sealed under",
    ] {
        assert!(refused.contains(why), "{why:?} is not in {refused}");
    }
    assert!(retire(&pair, primary, 4).contains("the one that new values are sealed under"));
    assert!(retire(&pair, 7, 4).contains("has no version 7"));
    for wrong in ["", "seven", "-1", "99999999999"] {
        let ended = pair.windlass(&["run", "retire-key", "-p", &format!("version={wrong}"), "--yes"]);
        assert!(matches!(ended.code, Some(1 | 2 | 4)), "{wrong:?}: {ended:?}");
        assert!(ended.err.contains("keyring info") || ended.err.contains("version"), "{wrong:?}: {ended:?}");
    }

    pair.windlass(&["secret", "rewrap"]).expect(0);
    renew(&pair);
    pair.windlass(&["runs", "close", &updated_by]).expect(0);
    for manager in ["master1", "master2"] {
        std::fs::remove_file(super::backup(&pair, manager)).unwrap();
    }
    let before = held(&pair);
    let procedure = ["retire-key", "-p", &format!("version={version}")];
    Run::of(&pair, &procedure).run(&pair, 0);
    let (left, still) = versions(&std::fs::read(keyset(&pair, "master1")).unwrap());
    assert!(!left.contains_key(&version) && still == primary);
    for node in NODES {
        assert!(
            std::fs::read(keyset(&pair, node)).unwrap() == std::fs::read(keyset(&pair, "master1")).unwrap()
        );
        services(&pair, node, "stop").expect(0);
        services(&pair, node, "start").expect(0);
        no_leftovers(&pair, node);
    }
    assert_eq!(pair.windlass(&["secret", "get", "db"]).expect(0).out, "Changeme_123");

    // Until the run is closed, what it took away comes back.
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    assert!(held(&pair) == before);
}

#[test]
fn retiring_a_version_takes_two_approvals_where_the_site_does_not_say_otherwise() {
    let Some(pair) = up(Transport::Local) else { return };
    let path = pair.dir.join("site.toml");
    let site = std::fs::read_to_string(&path).unwrap();
    let (before, _) = site.split_once("[procedures.retire-key]").unwrap();
    std::fs::write(&path, before).unwrap();
    let ended = pair.windlass(&["run", "retire-key", "-p", "version=7", "--yes"]).expect(3);
    assert!(ended.err.contains("needs a plan that 2 others have approved"), "{ended:?}");
}
