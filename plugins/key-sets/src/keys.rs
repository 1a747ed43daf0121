//! The key sets of nodes, compared by digest where they lie: no byte of them is moved for it.

use crate::KEY;
use windlass_sdk::{Content, Fault, KeySet, host::files, host::keyring, host::operator, node};

/// How the files of some nodes compare.
#[derive(Debug, Default)]
pub struct Compared {
    pub same: Vec<String>,
    /// Another key set, or none.
    pub other: Vec<String>,
    pub away: Vec<String>,
}

/// The digest of a node's key set. A fault where there is none.
pub fn digest(on: &str) -> Result<String, Fault> {
    node(on).fingerprint(KEY)?.ok_or_else(|| missing(on))
}

fn missing(on: &str) -> Fault {
    Fault::new("unknown", format!("{on} has no key set: {KEY} does not exist there"))
        .hint(format!("windlass site explain {KEY} says where it is looked for"))
}

/// Compares the key sets of nodes with a digest. A fault that is not about one node is passed on.
pub fn compare(on: &[String], with: &str) -> Result<Compared, Fault> {
    let mut compared = Compared::default();
    for member in files::fingerprint_each(on, KEY)? {
        match member.fingerprint {
            Ok(Some(digest)) if digest == with => compared.same.push(member.node),
            Ok(_) => compared.other.push(member.node),
            Err(fault) if fault.is("unreachable") => compared.away.push(member.node),
            Err(fault) => return Err(fault),
        }
    }
    Ok(compared)
}

/// The key set of a node. A fault where there is none.
pub fn key_set(on: &str) -> Result<KeySet, Fault> {
    keyring::versions(on, KEY)?.ok_or_else(|| missing(on))
}

/// The version that new values are sealed under.
pub fn primary(set: &KeySet) -> Result<u32, Fault> {
    let primary = set.versions.iter().find(|version| version.primary);
    primary.map(|version| version.number).ok_or_else(|| Fault::failed("the key set has no primary version"))
}

/// What came of putting a key set on nodes.
#[derive(Debug, Default)]
pub struct Put {
    /// They do not answer.
    pub away: Vec<String>,
    /// `NODE: why`.
    pub failed: Vec<String>,
}

/// Puts the key set of one node on others.
pub fn put(from: &str, to: &[String]) -> Result<Put, Fault> {
    let mut put = Put::default();
    if to.is_empty() {
        return Ok(put);
    }
    for member in files::put_each(to, KEY, &Content::file(from, KEY))? {
        match member.done {
            Ok(()) => {}
            Err(fault) if fault.is("unreachable") => put.away.push(member.node),
            Err(fault) => put.failed.push(format!("{}: {}", member.node, fault.message)),
        }
    }
    let there = to.len() - put.away.len() - put.failed.len();
    operator::progress(there as u32, to.len() as u32, "nodes have the key set")?;
    Ok(put)
}
