//! Takes the version out on the first node and puts the key set that is left on all others; and puts it back.

use key_sets::memory::{self, BEFORE};
use key_sets::nodes::Nodes;
use key_sets::words::{self, count, list};
use key_sets::{KEY, keys};
use windlass_sdk::{Fault, host::keyring, host::operator, node};

/// The set that the new key set is staged in.
const LESS: &str = "key-set-less";

pub fn acknowledge() -> Result<(), Fault> {
    words::acknowledge("Taking a version of the root key out is for good. Do you want to continue?")
}

pub fn retire(version: u32) -> Result<(), Fault> {
    let cluster = Nodes::bound()?;
    if keys::digest(&cluster.first)? == memory::expect(BEFORE)? {
        // Looked at again: what needs it may have come since preflight.
        let needs = keyring::needs(version)?;
        if !needs.is_empty() {
            return Err(Fault::failed(format!("version {version} is needed: {}", list(&needs))));
        }
        keyring::retire(LESS, &cluster.first, KEY, version)?;
        node(&cluster.first).swap(LESS)?;
    }
    let keys::Put { away, mut failed } = keys::put(&cluster.first, &cluster.others()?)?;
    failed.extend(away.iter().map(|node| format!("{node}: it does not answer")));
    if !failed.is_empty() {
        return Err(Fault::failed(format!(
            "the key set without the version could not be put on {}",
            list(&failed)
        ))
        .hint("mend that, and resume: the same key set is put there"));
    }
    operator::note(&format!(
        "Version {version} is out of the key sets of {}.",
        count(cluster.all.len(), "node")
    ))
}

/// The key set of before, on every node that has another one: the first one last, so that what is left to do shows.
pub fn undo() -> Result<(), Fault> {
    let cluster = Nodes::bound()?;
    let before = memory::expect(BEFORE)?;
    let mut order = cluster.others()?;
    order.push(cluster.first.clone());
    for changed in keys::compare(&order, &before)?.other {
        node(&changed).restore(KEY)?;
    }
    let left = keys::compare(&order, &before)?;
    let mut wrong = left.other;
    wrong.extend(left.away);
    match wrong.is_empty() {
        true => Ok(()),
        false => {
            Err(Fault::failed(format!("{} has not the key set of before, or does not answer", list(&wrong)))
                .hint("bring it up, and go on with the way back"))
        }
    }
}
