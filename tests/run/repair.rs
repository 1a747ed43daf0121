//! Strategy `repair` on pairs that are not well: whole runs, and the way back to just what was there.

use super::crash::begin;
use super::e2e::{Ended, NODES, PLAIN, Pair, Taste, up_as, wait};
use super::matrix::{killed, recorded};
use super::proof;
use super::states::{GOOD, PAST, another_key};
use windlass::lab::{Double, Product, Switch, Transport};

/// A repair that is told to go ahead, and nothing more.
const REPAIR: [&str; 6] = ["run", "ha-cert", "--yes", "-p", "strategy=repair", "-palgorithm=ecdsa-p256"];

fn repair(pair: &Pair, more: &[&str]) -> Ended {
    let mut arguments = REPAIR.to_vec();
    arguments.extend(more);
    pair.windlass(&arguments)
}

/// The token that a repair asks for, and all that it said.
#[track_caller]
fn token(pair: &Pair) -> (String, String) {
    let refused = repair(pair, &[]).expect(4);
    let (_, after) = refused.err.split_once("--ack ").unwrap_or_else(|| panic!("no token: {refused:?}"));
    let token = after.split_whitespace().next().unwrap().to_owned();
    (token, refused.out + &refused.err)
}

/// One state, made by `break_it`: what is said of it, what is run on each node, and both ends.
#[track_caller]
fn check(
    product: Product,
    transport: Transport,
    break_it: impl Fn(&Pair),
    says: &[&str],
    runs: [[usize; 3]; 2],
) {
    let Some(pair) = up_as(product, transport, PLAIN) else { return };
    break_it(&pair);
    let before = pair.content();
    let (token, said) = token(&pair);
    for word in says {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    proof::same_files(&pair, &before);

    let ran = pair.executions();
    let repaired = repair(&pair, &["--ack", &token]).expect(0);
    proof::on_one_root(&pair);
    let now = pair.executions();
    let new = [0, 1].map(|node| [0, 1, 2].map(|double| now[node][double] - ran[node][double]));
    assert_eq!(new, runs, "gen-cert, replacehaSSLCert and restart-oms on each node: {repaired:?}");

    let back = pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    assert!(back.out.contains("rolled back"), "{back:?}");
    proof::same_files(&pair, &before);
}

#[test]
fn only_the_token_of_what_was_found_acknowledges_it_and_a_pair_that_is_well_asks_for_none() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, PLAIN) else { return };
    let well = repair(&pair, &[]).expect(0);
    assert!(well.out.contains("nothing to do") && well.err.contains("Nothing to repair"), "{well:?}");
    assert_eq!(pair.executions(), [[0; 3]; 2]);

    split(&pair);
    let before = pair.content();
    let (token, _) = token(&pair);
    // Neither --yes nor the token of something else is an acknowledgement.
    let other = repair(&pair, &["--ack", "ack-0123456789ab"]).expect(4);
    assert!(other.err.contains("something else") && other.err.contains(&token), "{other:?}");
    proof::same_files(&pair, &before);
    repair(&pair, &["--ack", &token]).expect(0);
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    proof::same_files(&pair, &before);
    // Taken back, what is found is again what was found.
    repair(&pair, &["--ack", &token]).expect(0);
    proof::on_one_root(&pair);
    let well = repair(&pair, &[]).expect(0);
    assert!(well.out.contains("nothing to do"), "{well:?}");
}

#[test]
fn a_repair_that_is_killed_goes_on_without_being_acknowledged_again_or_is_taken_back() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, PLAIN) else { return };
    split(&pair);
    let before = pair.content();
    let (token, _) = token(&pair);
    let arguments = [&REPAIR[..], &["--ack", &token]].concat();
    // Somewhere in the copying, the replacing and the restarting of the one node that is worked on.
    for after in ["files.stage", "files.swap", "nodes.run"] {
        let mut run = begin(&pair, &arguments);
        assert!(run.until(&format!(r#""effect":"{after}""#)), "{after} never came");
        run.kill();
        let back = pair.windlass(&["rollback"]).expect(1);
        assert!(back.out.contains("rolled back"), "{back:?}");
        proof::same_files(&pair, &before);
    }
    let mut run = begin(&pair, &arguments);
    assert!(run.until(r#""effect":"files.swap""#));
    run.kill();
    pair.windlass(&["resume", "--yes"]).expect(0);
    proof::on_one_root(&pair);
}

#[test]
fn a_repair_that_was_killed_before_it_was_acknowledged_takes_the_token_when_it_is_resumed() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, PLAIN) else { return };
    split(&pair);
    let before = pair.content();
    let (token, _) = token(&pair);
    let arguments = [&REPAIR[..], &["--ack", &token]].concat();
    let places = recorded(&pair, &arguments, 0);
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    let asked = places.iter().find(|place| {
        place.words.starts_with("ask the operator to acknowledge") && place.place == "BeforeAct"
    });
    let asked = asked.unwrap_or_else(|| panic!("{places:?}"));
    for (ack, code) in [("ack-0123456789ab", 4), (token.as_str(), 0)] {
        assert!(killed(&pair, &arguments, asked.at));
        pair.windlass(&["resume", "--yes", "--ack", ack]).expect(code);
        if code != 0 {
            proof::same_files(&pair, &before);
        }
    }
    proof::on_one_root(&pair);
}

/// master2 was rotated by hand, master1 was not: there is no link.
pub fn split(pair: &Pair) {
    pair.new_root_by_hand("master2");
    pair.replace_by_hand("master2");
    pair.restart_by_hand("master2").expect(0);
    wait("the loss of the link", 20, || {
        pair.lab.status().unwrap().iter().all(|node| node.all_normal == Some(false))
    });
}

#[test]
fn a_split_pair_is_brought_to_the_newer_root() {
    let says = [
        "master2 has the newer root",
        "master1 is brought to it",
        "and a key that the password does not open",
    ];
    for (product, transport) in [
        (Product::Mrs2, Transport::Local),
        (Product::Mrs3, Transport::Local),
        (Product::Mrs2, Transport::Ssh),
    ] {
        check(product, transport, split, &says, [[0, 1, 1], [0, 0, 0]]);
    }
}

#[test]
fn a_split_pair_whose_passwords_are_forgotten_gets_a_new_root() {
    let forgotten = |pair: &Pair| {
        split(pair);
        // Newer than both, and of use to nobody.
        std::thread::sleep(std::time::Duration::from_secs(1));
        pair.forgotten_root_by_hand("master1");
    };
    let says = ["A new root is made for both nodes", "has a key that the password does not open"];
    check(Product::Mrs2, Transport::Local, forgotten, &says, [[0, 1, 1], [0, 1, 1]]);
}

#[test]
fn a_root_copied_to_one_node_and_left_there_is_finished() {
    let says = [
        "master1 has the newer root",
        "master2 is brought to it",
        "which holds under the root of master2, not under its own",
    ];
    let half = |pair: &Pair| pair.new_root_by_hand("master1");
    check(Product::Mrs2, Transport::Local, half, &says, [[0, 1, 1], [0, 1, 1]]);
}

#[test]
fn a_leaf_that_was_replaced_and_never_loaded_is_loaded() {
    let half = |pair: &Pair| {
        pair.new_root_by_hand("master1");
        pair.replace_by_hand("master1");
    };
    let says =
        ["instead", "master1 gets a restart; master2 gets the root and its key, a new leaf, a restart"];
    check(Product::Mrs2, Transport::Local, half, &says, [[0, 0, 1], [0, 1, 1]]);
}

#[test]
fn a_pair_that_has_expired_gets_a_new_root() {
    let says = ["expired on 2021-01-01", "A new root is made for both nodes: the newest root on disk"];
    let expired = |pair: &Pair| pair.dated(PAST, [PAST, PAST]);
    check(Product::Mrs2, Transport::Local, expired, &says, [[0, 1, 1], [0, 1, 1]]);
}

#[test]
fn a_leaf_that_has_expired_on_one_node_is_replaced_there() {
    let says = [
        "expired on 2021-01-01",
        "Both nodes have the root",
        "master1 gets nothing; master2 gets a new leaf, a restart",
    ];
    let expired = |pair: &Pair| pair.dated(GOOD, [GOOD, PAST]);
    check(Product::Mrs2, Transport::Local, expired, &says, [[0, 0, 0], [0, 1, 1]]);
}

#[test]
fn a_key_that_is_another_roots_on_one_node_is_put_right_without_a_restart() {
    let wrong = |pair: &Pair| {
        pair.on_known_root();
        pair.write("master2", "root-ca.pem", &another_key(pair));
    };
    let says = [
        "and a key that is another root's",
        "master1 gets nothing; master2 gets the root and its key.",
        "Nothing is restarted.",
    ];
    check(Product::Mrs2, Transport::Local, wrong, &says, [[0; 3]; 2]);
}

#[test]
fn a_root_that_is_missing_on_one_node_is_brought_there() {
    let missing = |pair: &Pair| {
        pair.on_known_root();
        pair.remove("master2", "root-ca.crt");
        pair.remove("master2", "root-ca.pem");
    };
    let says = ["master2: no root certificate, and no key", "master2 gets the root and its key, a restart"];
    check(Product::Mrs2, Transport::Local, missing, &says, [[0, 0, 0], [0, 0, 1]]);
}

#[test]
fn a_node_whose_service_does_not_come_up_any_more_is_brought_up() {
    let damaged = |pair: &Pair| {
        pair.on_known_root();
        pair.write("master2", "server.crt", b"damaged\n");
        pair.restart_by_hand("master2").expect(1);
        wait("the service to be down", 20, || !pair.lab.status().unwrap()[1].running);
    };
    let says = [
        "first is master1, second is master2: master1 says it is active and master2 does not say what it is",
        "master2: root",
        "no readable leaf certificate",
        "it presents nothing",
    ];
    check(Product::Mrs2, Transport::Local, damaged, &says, [[0, 0, 0], [0, 1, 1]]);
}

#[test]
fn two_nodes_that_both_say_they_are_active_are_taken_by_name() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, PLAIN) else { return };
    split(&pair);
    pair.lab.break_with(Switch::TwoActive, None, false, &[]).unwrap();
    let (token, said) = token(&pair);
    let says = "master1 says it is active and master2 says it is active; master1 is first because its name comes first";
    assert!(said.contains(says), "{said}");
    // With a link again, the product settles who is active.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            wait("the restart", 60, || pair.ran("master1", Double::RestartOms) == 1);
            pair.lab.break_with(Switch::TwoActive, None, true, &[]).unwrap();
        });
        repair(&pair, &["--ack", &token]).expect(0);
    });
    proof::on_one_root(&pair);
}

#[test]
fn a_supplied_root_is_what_a_split_pair_is_brought_to() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, Taste { ca: "supplied", ..PLAIN }) else {
        return;
    };
    pair.generate_supplied();
    split(&pair);
    let before = pair.content();
    let (token, said) = token(&pair);
    assert!(said.contains("Both nodes are brought to the root that the site supplies."), "{said}");
    repair(&pair, &["--ack", &token]).expect(0);
    proof::on_one_root(&pair);
    let supplied = std::fs::read(pair.dir.join("root-ca.crt")).unwrap();
    assert!(NODES.iter().all(|node| pair.content()[&format!("{node} root-ca.crt")].0 == supplied));
    pair.windlass(&["rollback", &pair.last_run()]).expect(1);
    proof::same_files(&pair, &before);
}

#[test]
fn a_rotation_of_a_split_pair_is_refused_as_before() {
    let Some(pair) = up_as(Product::Mrs2, Transport::Local, PLAIN) else { return };
    split(&pair);
    let before = pair.content();
    let refused = pair.windlass(&["run", "ha-cert", "--yes"]).expect(4);
    assert!(refused.err.contains("HAAllResOK of master1 is abnormal"), "{refused:?}");
    proof::same_files(&pair, &before);
}
