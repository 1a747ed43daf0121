//! Whole runs of root-key, and runs on clusters that do not do as they are told.

use super::{NODES, Run, all_run, as_before, held, services, token, up, updated, versions};
use windlass::lab::{Switch, Transport};

const NATIVE: [&str; 3] = ["root-key", "-p", "update=native"];

#[test]
fn the_products_script_and_windlass_each_bring_a_new_version_to_every_node() {
    for transport in [Transport::Local, Transport::Ssh] {
        let Some(pair) = up(transport) else { return };
        for procedure in [&["root-key"][..], &NATIVE] {
            let before = held(&pair);
            let ended = Run::of(&pair, procedure).run(&pair, 0);
            updated(&pair, &before, &NODES);
            for said in
                ["4 nodes have the same new key set", "The cluster is stopped", "The cluster is started"]
            {
                assert!(ended.err.contains(said), "{said:?} is not in {}", ended.err);
            }
        }
        // The product's own lines, live.
        let ended = Run::of(&pair, &["root-key"]).run(&pair, 0);
        let at =
            |text: &str| ended.err.find(text).unwrap_or_else(|| panic!("{text:?} is not in {}", ended.err));
        let steps = [
            "Do you want to continue?(y/n):",
            "Step 4-1: The key save path",
            "Step 4-4: The root key is sent",
        ];
        assert!(steps.windows(2).all(|two| at(two[0]) < at(two[1])), "{}", ended.err);
    }
}

#[test]
fn nobody_updates_a_key_without_acknowledging_exactly_this() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    let good = token(&pair, &["root-key"]).expect("a token");
    // --yes does not give it.
    let unasked = pair.windlass(&["run", "root-key", "--yes"]).expect(1);
    assert!(unasked.err.contains("nobody to ask") && unasked.err.contains(&good), "{unasked:?}");
    for wrong in ["ack-000000000000", "yes", ""] {
        let refused = pair.windlass(&["run", "root-key", "--yes", "--ack", wrong]);
        assert!(matches!(refused.code, Some(1..=3)), "{wrong:?}: {refused:?}");
    }
    as_before(&pair, &before);
    // One of another cluster, or of an older plan: the impact is another one.
    let site = std::fs::read_to_string(pair.dir.join("site.toml")).unwrap();
    std::fs::write(pair.dir.join("site.toml"), site.replace("name = \"practice\"", "name = \"prod\""))
        .unwrap();
    let other = pair.windlass(&["run", "root-key", "--yes", "--ack", &good]).expect(1);
    assert!(other.err.contains("something else"), "{other:?}");
    as_before(&pair, &before);
}

#[test]
fn a_service_that_will_not_stop_leaves_the_key_alone_and_the_cluster_running() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    pair.lab.break_with(Switch::StuckService, Some("member1"), false, &[]).unwrap();
    let ended = Run::of(&pair, &["root-key"]).run(&pair, 1);
    assert!(ended.err.contains("member1: DBService running"), "{ended:?}");
    assert!(ended.out.contains("the cluster is as it was"), "{ended:?}");
    as_before(&pair, &before);
}

/// Each way in which the script can go wrong: the run stands with the cluster stopped, says why, and ends with one
/// new version when it is resumed, or with the old key set when it is taken back.
#[test]
fn a_script_that_goes_wrong_stops_before_anything_is_started() {
    let Some(pair) = up(Transport::Local) else { return };
    let switches: [(&[Switch], &str); 5] = [
        (&[Switch::KeyStopsAt43], "with a new key made there and not sent everywhere"),
        (&[Switch::KeyStopsAt43, Switch::ZeroExit], "it did not print \"Step 4-4"),
        (&[Switch::KeyDiesAfterY], "and made no new key"),
        (&[Switch::LyingSuccess], "reported success without its effect"),
        (&[Switch::WrongExit], "ended early, with a new key made there"),
    ];
    for (switches, says) in switches {
        for back in [false, true] {
            let before = held(&pair);
            let run = Run::of(&pair, &["root-key"]);
            let scripts = [windlass::lab::Double::UpdateRootKey];
            for switch in switches {
                pair.lab.break_with(*switch, None, false, &scripts).unwrap();
            }
            let ended = run.run(&pair, 5);
            assert!(ended.err.contains(says), "{switches:?}: {says:?} is not in {}", ended.err);
            for node in NODES {
                services(&pair, node, "stopped").expect(0);
            }
            for switch in switches {
                pair.lab.break_with(*switch, None, true, &scripts).unwrap();
            }
            if back {
                pair.windlass(&["rollback"]).expect(1);
                as_before(&pair, &before);
            } else {
                pair.windlass(&["resume"]).expect(0);
                updated(&pair, &before, &NODES);
            }
        }
    }
}

#[test]
fn a_node_that_the_script_left_out_is_asked_about_and_brought_level() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    pair.lab.break_with(Switch::MissesKey, Some("member2"), false, &[]).unwrap();
    let run = Run::of(&pair, &["root-key"]);
    let unasked: Vec<&str> = run.arguments().into_iter().filter(|word| *word != "--yes").collect();
    // Without --yes there is nobody to say it to.
    let stands = pair.windlass(&[&["--no-input"], unasked.as_slice()].concat());
    assert_eq!(stands.code, Some(4), "{stands:?}");
    let ended = run.run(&pair, 0);
    assert!(ended.err.contains("The key set of master1 was put on member2"), "{ended:?}");
    updated(&pair, &before, &NODES);
}

#[test]
fn once_started_with_the_new_key_there_is_no_way_back() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    // The service of one node does not find its folder.
    let service = pair.product_home("member1").join("service/db-password.sealed");
    let aside = service.with_extension("aside");
    let run = Run::of(&pair, &["root-key", "-p", "patience=4"]);
    std::fs::rename(&service, &aside).unwrap();
    let ended = run.run(&pair, 5);
    assert!(ended.err.contains("member1: DBService stopped"), "{ended:?}");
    let back = pair.windlass(&["rollback"]).expect(5);
    assert!(back.err.contains("no-way-back") && back.err.contains("sealed under it"), "{back:?}");
    std::fs::rename(&aside, &service).unwrap();
    pair.windlass(&["resume"]).expect(0);
    updated(&pair, &before, &NODES);
}

#[test]
fn preflight_says_all_that_is_in_the_way_and_changes_nothing() {
    let Some(pair) = up(Transport::Local) else { return };
    let path = super::keyset(&pair, "member1");
    let good = std::fs::read(&path).unwrap();
    let (_, primary) = versions(&good);
    let text = String::from_utf8(good.clone()).unwrap();
    let twice = text.replace("\"key\":[", "\"key\":[null,");
    let bad: [(&str, Vec<u8>, &str); 6] = [
        ("master1", good[..good.len() / 2].to_vec(), "it ends too soon"),
        ("master1", text.replace("AesGcmKey", "AesSivKey").into_bytes(), "of another type than AES-GCM"),
        ("master1", text.replace(&format!("Id\":{primary}"), "Id\":7").into_bytes(), "7"),
        ("master1", twice.into_bytes(), "it is not a Tink key set"),
        ("member1", b"{}".to_vec(), "another key set than master1 has, or none, is on member1"),
        ("member2", Vec::new(), "another key set than master1 has, or none, is on member2"),
    ];
    for (node, content, says) in bad {
        let path = super::keyset(&pair, node);
        std::fs::write(&path, &content).unwrap();
        let before = held(&pair);
        let ended = pair.windlass(&["run", "root-key", "--yes"]);
        std::fs::write(&path, &good).unwrap();
        if says == "7" {
            // A consistent key set of another number: nothing is wrong with it but that the others have another one.
            continue;
        }
        assert_eq!(ended.code, Some(4), "{says}: {ended:?}");
        assert!(ended.err.contains(says), "{says:?} is not in {}", ended.err);
        std::fs::write(&path, &content).unwrap();
        assert!(held(&pair) == before, "{says}: something changed");
        std::fs::write(&path, &good).unwrap();
    }
    services(&pair, "member1", "stop").expect(0);
    let ended = pair.windlass(&["run", "root-key", "--yes"]);
    services(&pair, "member1", "start").expect(0);
    all_run(&pair, &NODES);
    // Its own services are all stopped, the others' are not: that is for the stop of the cluster to even out.
    assert_eq!(ended.code, Some(1), "{ended:?}");

    // Where the profile does not say that the product reads it, Windlass makes no key set for it.
    let path = pair.dir.join("profiles/practice.toml");
    let profile = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, profile.replace("product_reads_keyset = \"yes\"", "product_reads_keyset = \"no\""))
        .unwrap();
    let refused = pair.windlass(&[&["run"][..], &NATIVE, &["--yes"]].concat()).expect(4);
    assert!(refused.err.contains("update = native is refused"), "{refused:?}");
}

/// A plan that people agreed to is what the run does, effect by effect: anything else would stop it.
#[test]
fn a_run_of_a_plan_does_what_the_plan_says() {
    let Some(pair) = up(Transport::Local) else { return };
    for procedure in [&["root-key"][..], &NATIVE] {
        let before = held(&pair);
        let token = token(&pair, procedure).expect("a token");
        let plan = pair.controller.join("plan.json");
        let _ = std::fs::remove_file(&plan);
        pair.windlass(&[&["plan"], procedure, &["-o", plan.as_str()]].concat()).expect(0);
        pair.windlass(&["run", "--plan", plan.as_str(), "--yes", "--ack", &token]).expect(0);
        updated(&pair, &before, &NODES);
    }
}

/// A key's password may itself be stored under the root key: the lease keeps the two apart.
#[test]
fn the_two_procedures_exclude_each_other() {
    let Some(pair) = up(Transport::Local) else { return };
    let before = held(&pair);
    let run = Run::of(&pair, &NATIVE);
    let mut cut = crate::run::crash::begin(&pair, &run.arguments());
    assert!(cut.until("stop-cluster"), "it never came to the stop");
    cut.kill();
    let refused = pair.windlass(&["run", "ha-cert", "--yes"]).expect(4);
    assert!(refused.err.contains("is held by root-key-"), "{refused:?}");
    pair.windlass(&run.resume()).expect(0);
    updated(&pair, &before, &NODES);

    let mut cut = crate::run::crash::begin(&pair, &["run", "ha-cert", "--yes"]);
    assert!(cut.until("files.swap"), "it never came to the swap");
    cut.kill();
    let refused = run.run(&pair, 4);
    assert!(refused.err.contains("is held by ha-cert-"), "{refused:?}");
}

/// As on a real cluster: where the product keeps its key is not known, and what that leaves unproven is acknowledged.
#[test]
fn where_nobody_knows_the_keys_place_the_script_runs_once_and_its_word_has_to_do() {
    let Some(pair) = up(Transport::Local) else { return };
    let path = pair.dir.join("profiles/practice.toml");
    let profile = std::fs::read_to_string(&path).unwrap();
    let unknown =
        "\n[files.cluster-key]\noverride = true\npath = \"${om}/security/nowhere.json\"\nsecret = true\n";
    std::fs::write(&path, profile + unknown).unwrap();
    let before = held(&pair);
    let refused = pair.windlass(&[&["run"][..], &NATIVE, &["--yes"]].concat()).expect(4);
    assert!(refused.err.contains("master1 has no key set"), "{refused:?}");

    let run = Run::of(&pair, &["root-key"]);
    let ended = run.run(&pair, 0);
    assert!(ended.err.contains("it cannot be proven that a new key was made"), "{ended:?}");
    assert!(!ended.out.contains("same new key set"), "{ended:?}");
    all_run(&pair, &NODES);
    let after = held(&pair);
    assert!(NODES.iter().all(|node| super::bytes(&after, node) == super::bytes(&after, "master1")));
    assert!(super::bytes(&after, "master1") != super::bytes(&before, "master1"));
    let back = pair.windlass(&["rollback", &pair.last_run()]).expect(5);
    assert!(back.err.contains("no-way-back"), "{back:?}");
    pair.windlass(&["resume"]).expect(0);

    // The script ends early: it is not run again, nothing is started, and the operator is asked.
    pair.lab.break_with(Switch::KeyStopsAt43, None, false, &[]).unwrap();
    let run = Run::of(&pair, &["root-key"]);
    let stands = run.run(&pair, 5);
    assert!(stands.err.contains("did not say that the root key is updated and sent"), "{stands:?}");
    for node in NODES {
        services(&pair, node, "stopped").expect(0);
    }
    let made = held(&pair);
    let (_, token) = stands.err.rsplit_once("unasked by: --ack ").expect("a token");
    let token = token.split_whitespace().next().unwrap().trim_end_matches(')');
    for node in NODES {
        std::fs::write(super::keyset(&pair, node), super::bytes(&made, "master1")).unwrap();
    }
    pair.windlass(&["resume", "--ack", token]).expect(0);
    all_run(&pair, &NODES);
    assert!(super::bytes(&held(&pair), "member2") == super::bytes(&made, "master1"), "a second key was made");
}
