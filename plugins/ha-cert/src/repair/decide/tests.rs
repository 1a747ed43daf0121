//! Every combination of evidence: whatever is found, what is decided leaves a pair that is well, with as little as
//! that takes.

use super::*;

const NOW: i64 = 1_000 * 86_400;
const DAY: i64 = 86_400;
const KEYS: [Key; 4] = [Key::Fits, Key::Other, Key::Shut, Key::Missing];

/// Roots by fingerprint, and how long they last; a later one is newer.
const ROOTS: [(&str, i64, i64); 5] = [
    ("old", 100, NOW + 900 * DAY),
    ("expired", 150, NOW - DAY),
    ("new", 200, NOW + 3_000 * DAY),
    ("ending", 250, NOW + 10 * DAY),
    ("unfit", 300, NOW + 3_000 * DAY),
];

/// What a node's leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Missing,
    /// Of the root beside it.
    Own,
    OwnWithOtherKey,
    OwnExpired,
    /// Of the root of the other node.
    Others,
    Strange,
}
const LEAVES: [Leaf; 6] =
    [Leaf::Missing, Leaf::Own, Leaf::OwnWithOtherKey, Leaf::OwnExpired, Leaf::Others, Leaf::Strange];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    Leaf,
    Another,
    Nothing,
}
const SERVES: [Serves; 3] = [Serves::Leaf, Serves::Another, Serves::Nothing];

#[derive(Debug, Clone, Copy)]
struct State {
    root: Option<usize>,
    readable: bool,
    key: Key,
    leaf: Leaf,
    serves: Serves,
}

/// Everything that one node can be.
fn states() -> Vec<State> {
    let roots = (0..ROOTS.len()).map(|root| (Some(root), true)).chain([(None, true), (None, false)]);
    let mut states = Vec::new();
    for (root, readable) in roots {
        for key in KEYS {
            for leaf in LEAVES {
                for serves in SERVES {
                    states.push(State { root, readable, key, leaf, serves });
                }
            }
        }
    }
    states
}

fn certificate(fingerprint: &str, not_before: i64, not_after: i64) -> Certificate {
    let unfit = (fingerprint == "unfit").then_some("is weak");
    Certificate { fingerprint: fingerprint.into(), issuer: String::new(), not_before, not_after, unfit }
}

fn evidence(states: [State; 2], normal: bool) -> Evidence {
    let seen = |at: usize| {
        let (state, other) = (states[at], states[1 - at]);
        let root = match state.root {
            Some(root) => {
                let (fingerprint, from, until) = ROOTS[root];
                Found::Certificate(certificate(fingerprint, from, until))
            }
            None if state.readable => Found::Missing,
            None => Found::Unreadable("garbage".into()),
        };
        let name = format!("leaf {at}");
        let (leaf, issuer) = match state.leaf {
            Leaf::Missing => (Found::Missing, None),
            Leaf::OwnExpired => (Found::Certificate(certificate(&name, 1, NOW - 1)), None),
            leaf => {
                let issuer = match leaf {
                    Leaf::Others => other.root,
                    Leaf::Strange => None,
                    _ => state.root,
                };
                (Found::Certificate(certificate(&name, 1, NOW + 100 * DAY)), issuer)
            }
        };
        let of = |root: Option<usize>| root.is_some() && root == issuer && root != Some(1);
        let mut leaf_of = [false, false, issuer == Some(2)];
        leaf_of[at] = of(state.root);
        leaf_of[1 - at] = of(other.root);
        let served = match state.serves {
            Serves::Leaf if state.leaf != Leaf::Missing => Ok(name),
            Serves::Nothing => Err("nothing answers".into()),
            _ => Ok("another".into()),
        };
        let leaf_key = if state.leaf == Leaf::OwnWithOtherKey { Key::Other } else { Key::Fits };
        Seen { root, root_key: state.key, leaf, leaf_of, leaf_key, served }
    };
    Evidence { nodes: [seen(0), seen(1)], normal, now: NOW }
}

/// What the evidence is after the plan was carried out.
fn carried_out(evidence: &Evidence, plan: &Plan) -> Evidence {
    let root = match plan.source {
        Source::New => certificate("made", NOW, NOW + 3_650 * DAY),
        Source::Supplied => certificate("new", 200, NOW + 3_000 * DAY),
        Source::Node(role) => evidence.of(role).root.certificate().expect("it is taken from there").clone(),
    };
    let mut after = evidence.clone();
    for (at, work) in plan.work.into_iter().enumerate() {
        let node = &mut after.nodes[at];
        if work.copy {
            (node.root, node.root_key) = (Found::Certificate(root.clone()), Key::Fits);
        }
        if work.replace {
            node.leaf = Found::Certificate(certificate(&format!("new leaf {at}"), NOW, NOW + 825 * DAY));
            node.leaf_key = Key::Fits;
        }
        if work.restart {
            node.served =
                node.leaf.certificate().map(|leaf| leaf.fingerprint.clone()).ok_or_else(String::new);
        }
    }
    for at in 0..2 {
        // Of the one root now, if it was before or is new.
        let number = match plan.source {
            Source::New => None,
            Source::Supplied => Some(2),
            Source::Node(role) => Some(role as usize),
        };
        let holds = plan.work[at].replace || number.is_some_and(|number| evidence.nodes[at].leaf_of[number]);
        after.nodes[at].leaf_of = [holds; 3];
    }
    after.normal = true;
    after
}

/// Calls `check` for every pair of states, link up and down, with each thing that can be wanted.
fn for_all(check: impl Fn(&Evidence, Wanted<'_>, Option<&Plan>)) {
    let states = states();
    let wanted = [
        Wanted::default(),
        Wanted { leaves_by_host: true, ..Wanted::default() },
        Wanted { supplied: Some("new"), ..Wanted::default() },
    ];
    for first in &states {
        for second in &states {
            for normal in [true, false] {
                let evidence = evidence([*first, *second], normal);
                for wanted in wanted {
                    check(&evidence, wanted, decide(&evidence, wanted).as_ref());
                }
            }
        }
    }
}

#[test]
fn whatever_is_found_what_is_done_about_it_leaves_a_pair_that_is_well() {
    for_all(|evidence, _, plan| {
        let Some(plan) = plan else { return };
        assert!(plan.work.iter().any(|work| *work != Work::default()), "nothing is done: {evidence:?}");
        assert!(is_well(&carried_out(evidence, plan)), "{plan:?} of {evidence:?}");
    });
}

#[test]
fn a_root_is_taken_from_a_node_only_if_it_is_the_newest_good_and_there_with_its_key() {
    for_all(|evidence, wanted, plan| {
        let Some(plan) = plan else { return };
        let usable = |role: Role| {
            let node = evidence.of(role);
            node.root.certificate().filter(|root| {
                let newest = Role::BOTH
                    .into_iter()
                    .filter_map(|role| evidence.of(role).root.certificate())
                    .all(|other| other.not_before <= root.not_before);
                newest && ["old", "new"].contains(&root.fingerprint.as_str()) && node.root_key == Key::Fits
            })
        };
        match plan.source {
            Source::Supplied => assert!(wanted.supplied.is_some()),
            Source::Node(role) => {
                assert!(usable(role).is_some(), "{plan:?} of {evidence:?}");
                assert!(!plan.of(role).copy, "it has it already: {plan:?}");
                assert!(!wanted.leaves_by_host || plan.work.iter().all(|work| !work.replace));
            }
            Source::New => {
                let completes = Role::BOTH.into_iter().any(|role| usable(role).is_some());
                assert!(wanted.leaves_by_host || !completes, "a third root: {evidence:?}");
                assert!(plan.work.iter().all(|work| work.copy && work.replace && work.restart));
            }
        }
    });
}

#[test]
fn a_node_that_is_right_under_the_one_root_is_left_alone_while_the_other_is_worked_on() {
    for_all(|evidence, _, plan| {
        let Some(Plan { source: Source::Node(holder), work }) = plan else { return };
        let root = &evidence.of(*holder).root;
        for role in Role::BOTH {
            let node = evidence.of(role);
            let right = node.root == *root
                && node.root_key == Key::Fits
                && node.leaf_of[*holder as usize]
                && node.leaf_key == Key::Fits
                && node.leaf.certificate().is_some_and(|leaf| node.served.as_ref() == Ok(&leaf.fingerprint));
            let other = work[role.other() as usize];
            if right && other.restart && evidence.normal {
                assert_eq!(work[role as usize], Work::default(), "{evidence:?}");
            }
        }
    });
    // The property would hold of nothing, too: a split pair with two good roots is such a pair.
    let good = |root| State {
        root: Some(root),
        readable: true,
        key: Key::Fits,
        leaf: Leaf::Own,
        serves: Serves::Leaf,
    };
    let mut left_alone = 0;
    for states in [[good(0), good(2)], [good(2), good(0)]] {
        let plan = decide(&evidence(states, false), Wanted::default()).expect("it is split");
        left_alone += plan.work.iter().filter(|work| **work == Work::default()).count();
    }
    assert_eq!(left_alone, 2);
}

#[test]
fn a_pair_that_is_well_is_left_alone_and_one_without_a_link_is_restarted() {
    let good =
        |root, key| State { root: Some(root), readable: true, key, leaf: Leaf::Own, serves: Serves::Leaf };
    // An end that is near is no reason to repair: that is what a rotation is for.
    for root in [0, 2, 3] {
        for key in [Key::Fits, Key::Shut] {
            let pair = [good(root, key), good(root, key)];
            assert_eq!(decide(&evidence(pair, true), Wanted::default()), None);
        }
        let one_opens = [good(root, Key::Fits), good(root, Key::Shut)];
        assert!(decide(&evidence(one_opens, true), Wanted::default()).is_some(), "the keys are not the same");
    }
    let pair = [good(2, Key::Fits), good(2, Key::Fits)];
    let plan = decide(&evidence(pair, false), Wanted::default()).expect("it has no link");
    let restart = Work { restart: true, ..Work::default() };
    assert_eq!(plan, Plan { source: Source::Node(Role::First), work: [restart; 2] });
}

#[test]
fn which_node_is_first_decides_nothing_but_names() {
    let states = states();
    for (at, first) in states.iter().enumerate().step_by(3) {
        for second in states.iter().skip(at % 5).step_by(5) {
            let one = decide(&evidence([*first, *second], false), Wanted::default());
            let other = decide(&evidence([*second, *first], false), Wanted::default());
            let (Some(one), Some(other)) = (one, other) else { continue };
            assert_eq!(one.work, [other.work[1], other.work[0]], "{first:?} {second:?}");
            assert_eq!(one.source == Source::New, other.source == Source::New);
        }
    }
}
