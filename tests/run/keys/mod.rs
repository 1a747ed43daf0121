//! `windlass run root-key` and `retire-key` on practice clusters: a pair and members, whose services read a secret
//! through the cluster's key when they start.
//!
//! What is looked at is the nodes' files and the services' own observations; no code of the host that changes keys.

mod cut;
mod leak;
mod level;
mod retire;
mod struck;
mod terminal;
mod whole;

use super::e2e::{Ended, Pair, files, up_with_members};
use camino::Utf8PathBuf;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use windlass::lab::Transport;

pub const NODES: [&str; 4] = ["master1", "master2", "member1", "member2"];

/// A pair and two members.
pub fn up(transport: Transport) -> Option<Pair> {
    up_with_members(transport, 2)
}

/// The token that acknowledges the impact of a procedure here: the plan names it. None: nothing is to be acknowledged.
#[track_caller]
pub fn token(pair: &Pair, procedure: &[&str]) -> Option<String> {
    let planned = pair.windlass(&[&["plan"], procedure].concat()).expect(0);
    let (_, after) = planned.out.split_once("unasked with --ack ")?;
    Some(after.split(')').next().unwrap().to_owned())
}

/// The file of a node's key set.
pub fn keyset(pair: &Pair, node: &str) -> Utf8PathBuf {
    security(pair, node).join("keyset.json")
}

fn backup(pair: &Pair, node: &str) -> Utf8PathBuf {
    security(pair, node).join("keyset.backup.json")
}

fn security(pair: &Pair, node: &str) -> Utf8PathBuf {
    pair.product_home(node).join("om-0.0.1/security")
}

/// What a node holds of keys: bytes, mode, owner; None where there is no such file.
type Held = Option<(Vec<u8>, u32, u32)>;

/// The key sets and backups of all nodes.
pub fn held(pair: &Pair) -> BTreeMap<String, Held> {
    let look = |path: &Utf8PathBuf| -> Held {
        let meta = path.metadata().ok()?;
        Some((std::fs::read(path).unwrap(), meta.mode() & 0o7777, meta.uid()))
    };
    let of = |node: &&str| {
        [
            (format!("{node} key set"), look(&keyset(pair, node))),
            (format!("{node} backup"), look(&backup(pair, node))),
        ]
    };
    NODES.iter().flat_map(of).collect()
}

/// The versions of a key set: number and key; and the number of the primary.
pub fn versions(bytes: &[u8]) -> (BTreeMap<u64, String>, u64) {
    let set: Value = serde_json::from_slice(bytes).unwrap();
    let one = |key: &Value| {
        assert_eq!(key["status"], "ENABLED");
        (key["keyId"].as_u64().unwrap(), key["keyData"]["value"].as_str().unwrap().to_owned())
    };
    (set["key"].as_array().unwrap().iter().map(one).collect(), set["primaryKeyId"].as_u64().unwrap())
}

fn bytes(held: &BTreeMap<String, Held>, node: &str) -> Vec<u8> {
    held[&format!("{node} key set")].as_ref().expect("a key set").0.clone()
}

/// The version that a service has sealed its last session under.
pub fn sealed_under(pair: &Pair, node: &str) -> u64 {
    let sealed = std::fs::read(pair.product_home(node).join("service/session.sealed")).unwrap();
    u64::from(u32::from_be_bytes(sealed[1..5].try_into().unwrap()))
}

/// What a node's own services say.
pub fn services(pair: &Pair, node: &str, verb: &str) -> Ended {
    pair.by_hand(node, &format!(r#"sh "$BIGDATA_HOME/om-0.0.1/sbin/services.sh" {verb}"#), b"")
}

#[track_caller]
pub fn all_run(pair: &Pair, nodes: &[&str]) {
    for node in nodes {
        services(pair, node, "started").expect(0);
    }
}

/// Fails unless these nodes have one new version more than before, the same everywhere, the services run and seal
/// what is new under it, and nothing is left that should not be.
#[track_caller]
pub fn updated(pair: &Pair, before: &BTreeMap<String, Held>, nodes: &[&str]) {
    let after = held(pair);
    let (old, old_primary) = versions(&bytes(before, "master1"));
    let (new, primary) = versions(&bytes(&after, "master1"));
    assert_eq!(new.len(), old.len() + 1, "new versions: {:?}", new.keys());
    assert!(!old.contains_key(&primary) && primary != old_primary);
    assert!(old.iter().all(|(number, key)| new.get(number) == Some(key)), "an old version is lost");
    for node in nodes {
        let (same, mode, owner) = after[&format!("{node} key set")].as_ref().unwrap();
        let was = before[&format!("{node} key set")].as_ref().unwrap();
        assert!(*same == bytes(&after, "master1"), "{node} has another key set");
        assert_eq!((*mode, *owner), (0o600, was.2), "{node}");
        services(pair, node, "started").expect(0);
        assert_eq!(sealed_under(pair, node), primary, "{node} seals under another version");
        no_leftovers(pair, node);
    }
    for manager in ["master1", "master2"] {
        let kept = after[&format!("{manager} backup")].as_ref().expect("a backup");
        assert!(kept.0 == bytes(before, "master1") && kept.1 == 0o600, "the backup on {manager}");
    }
}

/// Fails unless every node has what it had, byte for byte and mode for mode, and the services run.
#[track_caller]
pub fn as_before(pair: &Pair, before: &BTreeMap<String, Held>) {
    same_keys(pair, before);
    NODES.iter().for_each(|node| no_leftovers(pair, node));
}

/// As [`as_before`], of a run that could not tidy up behind it.
#[track_caller]
pub fn same_keys(pair: &Pair, before: &BTreeMap<String, Held>) {
    let after = held(pair);
    for (name, was) in before {
        assert!(after[name] == *was, "{name} is not what it was");
    }
    for node in NODES {
        services(pair, node, "started").expect(0);
    }
}

/// Nothing staged beside a file, no job, no lease.
#[track_caller]
fn no_leftovers(pair: &Pair, node: &str) {
    let beside: Vec<_> = files(&security(pair, node))
        .into_iter()
        .filter(|path| path.as_str().contains(".windlass-") || path.as_str().ends_with(".new"))
        .collect();
    assert!(beside.is_empty(), "{node}: {beside:?}");
    crate::run::proof::only_what_is_listed(pair, node);
}

/// Services run on no two nodes that have different key sets.
#[track_caller]
pub fn agree_where_they_run(pair: &Pair) {
    let runs = |node: &&&str| services(pair, node, "started").code == Some(0);
    let running: Vec<_> =
        NODES.iter().filter(runs).map(|node| std::fs::read(keyset(pair, node)).unwrap()).collect();
    assert!(running.windows(2).all(|two| two[0] == two[1]), "services run with key sets that differ");
}

/// What a matrix goes through: a procedure, what it is to find, and what it is to leave.
pub struct Taste {
    pub procedure: &'static [&'static str],
    pub prepare: fn(&Pair),
    /// It stops the cluster: services that run have one key set, at any time.
    pub stops: bool,
    /// `nodes` were there all the time.
    pub done: fn(&Pair, before: &BTreeMap<String, Held>, nodes: &[&str]),
}

pub const PRODUCT: Taste = Taste { procedure: &["root-key"], prepare: |_| {}, stops: true, done: updated };
pub const NATIVE: Taste = Taste {
    procedure: &["root-key", "-p", "update=native", "-p", "rewrap=yes", "-p", "patience=20"],
    prepare: |_| {},
    stops: true,
    done: updated,
};
pub const CATCH_UP: Taste = Taste {
    procedure: &["root-key", "-p", "mode=catch-up"],
    prepare: fall_behind,
    stops: false,
    done: is_level,
};
pub const RETIRE: Taste = Taste {
    procedure: &["retire-key", "-p", "version=4242"],
    prepare: add_unused,
    stops: false,
    done: is_retired,
};

/// A key set with one more version, that seals nothing.
fn with_unused(text: &str) -> String {
    let (_, primary) = versions(text.as_bytes());
    let keys = text.split_once("\"key\":[").unwrap().1.rsplit_once(']').unwrap().0;
    let first = keys.split_once("},{").map_or(keys.to_owned(), |(first, _)| format!("{first}}}"));
    let number = first.split_once("\"keyId\":").unwrap().1.split_once(',').unwrap().0;
    let more = first.replace(&format!("\"keyId\":{number}"), "\"keyId\":4242");
    format!("{{\"primaryKeyId\":{primary},\"key\":[{more},{keys}]}}")
}

fn add_to(pair: &Pair, nodes: &[&str]) {
    let text = std::fs::read_to_string(keyset(pair, "master1")).unwrap();
    let text = if text.contains(":4242,") { text } else { with_unused(&text) };
    nodes.iter().for_each(|node| std::fs::write(keyset(pair, node), &text).unwrap());
}

fn add_unused(pair: &Pair) {
    add_to(pair, &NODES);
}

/// All nodes but one have one more version.
fn fall_behind(pair: &Pair) {
    let behind = std::fs::read_to_string(keyset(pair, "member2")).unwrap();
    let less = match behind.split_once("\"key\":[") {
        // As an earlier case has left it: without the version that seals nothing.
        Some((head, keys)) if keys.contains(":4242,") => {
            let keys: Vec<String> = split(keys.rsplit_once(']').unwrap().0);
            let left: Vec<String> = keys.into_iter().filter(|key| !key.contains(":4242,")).collect();
            format!("{head}\"key\":[{}]}}", left.join(","))
        }
        _ => behind,
    };
    add_to(pair, &NODES);
    std::fs::write(keyset(pair, "member2"), less).unwrap();
}

/// The entries of a key set.
fn split(keys: &str) -> Vec<String> {
    let array: Vec<Value> = serde_json::from_str(&format!("[{keys}]")).unwrap();
    array.iter().map(Value::to_string).collect()
}

/// The key set of the first node, everywhere.
#[track_caller]
fn is_level(pair: &Pair, before: &BTreeMap<String, Held>, nodes: &[&str]) {
    let after = held(pair);
    for node in nodes {
        assert!(bytes(&after, node) == bytes(before, "master1"), "{node} is not level");
        services(pair, node, "started").expect(0);
        no_leftovers(pair, node);
    }
}

/// Without that version, and nothing else is different.
#[track_caller]
fn is_retired(pair: &Pair, before: &BTreeMap<String, Held>, nodes: &[&str]) {
    let after = held(pair);
    let (mut left, primary) = versions(&bytes(before, "master1"));
    left.remove(&4242).expect("the version was there");
    for node in nodes {
        assert_eq!(versions(&bytes(&after, node)), (left.clone(), primary), "{node}");
        assert!(bytes(&after, node) == bytes(&after, "master1"), "{node}");
        services(pair, node, "started").expect(0);
        no_leftovers(pair, node);
    }
}

/// A command of the site whose run is to be acknowledged.
pub struct Run {
    arguments: Vec<String>,
    token: Option<String>,
}

impl Run {
    /// `windlass run PROCEDURE …`, acknowledged and confirmed.
    #[track_caller]
    pub fn of(pair: &Pair, procedure: &[&str]) -> Self {
        let token = token(pair, procedure);
        let mut arguments: Vec<String> = vec!["run".into()];
        arguments.extend(procedure.iter().map(|word| (*word).to_owned()));
        arguments.push("--yes".into());
        arguments.extend(token.iter().flat_map(|token| ["--ack".to_owned(), token.clone()]));
        Self { arguments, token }
    }

    pub fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    /// `resume`, confirmed and acknowledged alike: the run may have been cut off before it was asked.
    pub fn resume(&self) -> Vec<&str> {
        let mut arguments = vec!["resume", "--yes"];
        arguments.extend(self.token.iter().flat_map(|token| ["--ack", token.as_str()]));
        arguments
    }

    #[track_caller]
    pub fn run(&self, pair: &Pair, code: i32) -> Ended {
        pair.windlass(&self.arguments()).expect(code)
    }
}
