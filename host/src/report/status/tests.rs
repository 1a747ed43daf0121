//! What wants attention, and when.

use super::*;

const NOW: i64 = 1_800_000_000;
const THRESHOLDS: Thresholds = Thresholds { certificate_days: 30, key_days: 365 };

fn name<T: std::str::FromStr<Err = crate::model::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn keyset(keys: Option<Keys>, problem: Option<&str>) -> KeysetStatus {
    KeysetStatus { keys, problem: problem.map(str::to_owned) }
}

fn node(text: &'static str) -> NodeStatus {
    NodeStatus {
        certificates: vec![CertificateStatus {
            file: name("ha-leaf-cert"),
            subject: "CN=x".into(),
            fingerprint: "aa".repeat(32),
            not_before: NOW - DAY,
            not_after: NOW + 100 * DAY,
            in_use: true,
        }],
        endpoints: vec![EndpointStatus {
            endpoint: name("ha"),
            file: name("ha-leaf-cert"),
            served: Some("aa".repeat(32)),
            problem: None,
        }],
        keys: vec![KeyStatus {
            file: name("ha-leaf-key"),
            mode: "0600".into(),
            owner: "omm".into(),
            expected_owner: Some("omm".into()),
            modified: NOW - 10 * DAY,
        }],
        keyset: Some(keyset(
            Some(Keys { fingerprint: "bb".repeat(32), primary: 7, versions: 1, written: NOW - 10 * DAY }),
            None,
        )),
        health: vec![HealthStatus { of: text.into(), role: "active".into(), state: "normal".into() }],
        ..NodeStatus::new(name(text))
    }
}

fn site(change: impl FnOnce(&mut Status)) -> Status {
    let mut status = Status {
        site: "prod".into(),
        at: NOW,
        nodes: vec![node("master1"), node("master2"), node("worker1")],
        ..Status::default()
    };
    change(&mut status);
    status.judge(THRESHOLDS);
    status
}

fn keys(status: &mut Status, at: usize) -> &mut Keys {
    match &mut status.nodes[at].keyset {
        Some(KeysetStatus { keys: Some(keys), .. }) => keys,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_site_that_is_well_wants_nothing() {
    let status = site(|_| {});
    assert_eq!(status.attention, []);
    assert_eq!(status.lines()[0], "site prod: nothing wants attention");
}

#[test]
fn each_thing_that_is_wrong_is_said_once_and_of_its_node() {
    let cases: Vec<(&str, &str, Status)> = vec![
        ("master2", "no route", site(|s| s.nodes[1].problem = Some("no route".into()))),
        ("master1", "expired on", site(|s| s.nodes[0].certificates[0].not_after = NOW)),
        ("master1", "in 29 days", site(|s| s.nodes[0].certificates[0].not_after = NOW + 30 * DAY - 1)),
        ("master1", "is not valid before", site(|s| s.nodes[0].certificates[0].not_before = NOW + 1)),
        ("master1", "presents cccc", site(|s| s.nodes[0].endpoints[0].served = Some("cc".repeat(32)))),
        ("master1", "ha: refused", site(|s| s.nodes[0].endpoints[0].problem = Some("refused".into()))),
        (
            "master1",
            "used by others than its owner (mode 0640)",
            site(|s| s.nodes[0].keys[0].mode = "0640".into()),
        ),
        (
            "master1",
            "used by others than its owner (mode 0604)",
            site(|s| s.nodes[0].keys[0].mode = "0604".into()),
        ),
        ("master1", "belongs to root, not to omm", site(|s| s.nodes[0].keys[0].owner = "root".into())),
        (
            "master1",
            "sees master1 as active, abnormal",
            site(|s| s.nodes[0].health[0].state = "abnormal".into()),
        ),
        ("worker1", "has no key set", site(|s| s.nodes[2].keyset = Some(keyset(None, None)))),
        ("worker1", "cut off", site(|s| s.nodes[2].keyset = Some(keyset(None, Some("cut off"))))),
        (
            "worker1",
            "another than that of master1, master2",
            site(|s| keys(s, 2).fingerprint = "dd".repeat(32)),
        ),
    ];
    for (of, what, status) in cases {
        let [Attention { node: Some(node), what: said, .. }] = status.attention.as_slice() else {
            panic!("{what}: {:?}", status.attention);
        };
        assert!(node.as_str() == of && said.contains(what), "{what}: {said}");
        assert!(status.lines()[1].contains(what), "{:?}", status.lines());
    }
    let old = site(|s| (0..3).for_each(|at| keys(s, at).written = NOW - 365 * DAY));
    assert_eq!(old.attention.len(), 1);
    assert_eq!(old.attention[0].what, "the key set was written 365 days ago");
    // The day before, and a certificate of exactly so many days: not yet.
    assert_eq!(site(|s| (0..3).for_each(|at| keys(s, at).written = NOW - 365 * DAY + 1)).attention, []);
    assert_eq!(site(|s| s.nodes[0].certificates[0].not_after = NOW + 30 * DAY).attention, []);
}

#[test]
fn a_certificate_that_is_merely_there_may_be_as_old_as_it_likes() {
    let unused = |s: &mut Status| {
        s.nodes[0].certificates[0].not_after = NOW - DAY;
        s.nodes[0].certificates[0].in_use = false;
    };
    assert_eq!(site(unused).attention, []);
}

#[test]
fn a_site_without_key_sets_lacks_none() {
    let without = |s: &mut Status| {
        s.nodes.iter_mut().for_each(|node| node.keyset = Some(keyset(None, None)));
    };
    assert_eq!(site(without).attention, []);
}

#[test]
fn a_paused_run_wants_attention_until_it_is_closed() {
    let run = |state, closed| RunStatus {
        run: RunId::new("ha-cert-1").unwrap(),
        state,
        changed: NOW,
        summary: "lease lost".into(),
        closed,
    };
    for (state, closed, wanted) in
        [(RunState::Paused, false, 1), (RunState::Paused, true, 0), (RunState::Running, false, 0)]
    {
        let status = site(|s| s.runs = vec![run(state, closed)]);
        assert_eq!(status.attention.len(), wanted, "{state:?} {closed}");
    }
}

#[test]
fn labels_of_metrics_are_escaped_and_their_samples_stand_together() {
    let text = site(|s| s.site = "a\"b\\c\nd".into()).prometheus();
    assert!(text.contains(r#"windlass_attention{site="a\"b\\c\nd"} 0"#), "{text}");
    let mut seen = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(of) => seen.push(of.split(' ').next().unwrap().to_owned()),
            None if line.starts_with('#') => {}
            None => assert!(line.starts_with(seen.last().unwrap().as_str()), "{line}"),
        }
    }
    let all = seen.len();
    seen.dedup();
    assert_eq!((seen.len(), text.ends_with('\n')), (all, true));
}
