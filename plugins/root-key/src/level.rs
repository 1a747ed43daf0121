//! `mode = catch-up`: brings nodes that were away, or missed the key, up to the key set that the cluster has.

use crate::memory::{self, BEFORE};
use crate::names::KEY;
use crate::quarantine;
use crate::steps::Step;
use key_sets::keys;
use key_sets::nodes::Nodes;
use key_sets::words::{count, list, with_nodes};
use windlass_sdk::{
    Fault, Problems,
    host::keyring,
    host::nodes,
    host::operator,
    node,
    procedure::{Check, Step as Planned},
};

/// The nodes that this run brings level, one a line, and those of them that were in quarantine.
const BEHIND: &str = "behind";
const QUARANTINED: &str = "quarantined";

pub fn steps() -> Result<Vec<Planned>, Fault> {
    let cluster = Nodes::bound()?;
    let mut problems = Problems::default();
    let set = keys::key_set(&cluster.first)?;
    let digest = keys::digest(&cluster.first)?;
    let compared = keys::compare(&cluster.all, &digest)?;
    let quarantined: Vec<String> = nodes::quarantined()?.into_iter().map(|node| node.node).collect();
    for behind in &compared.other {
        // What the cluster does not have it must not lose either.
        let Some(theirs) = problems.take(keyring::versions(behind, KEY))? else { continue };
        let unknown: Vec<String> = theirs
            .map_or_else(Vec::new, |theirs| theirs.versions)
            .iter()
            .filter(|version| set.versions.iter().all(|known| known.number != version.number))
            .map(|version| version.number.to_string())
            .collect();
        if !unknown.is_empty() {
            problems.add(
                format!("{behind} has version {} of the key, which {} has not", list(&unknown), cluster.first),
                "what was sealed under it there would be lost: find out where it comes from before anything is copied",
            );
        }
    }
    let absent: Vec<String> = compared.away.iter().filter(|node| cluster.is_manager(node)).cloned().collect();
    if !absent.is_empty() {
        problems
            .add(format!("{} does not answer, and is a management node", list(&absent)), "bring it up first");
    }
    let join: Vec<String> = quarantined.into_iter().filter(|node| !compared.away.contains(node)).collect();
    if compared.other.is_empty() && join.is_empty() && !compared.away.is_empty() {
        problems.add(
            format!(
                "{} {} not answer, and no other node is behind",
                list(&compared.away),
                do_or_does(compared.away.len())
            ),
            "bring it up, and begin again",
        );
    }
    problems.into_result("preflight")?;
    if !compared.away.is_empty() {
        operator::note(&format!("Still away, and left for another time: {}.", list(&compared.away)))?;
    }
    if compared.other.is_empty() && join.is_empty() {
        return Ok(Vec::new());
    }
    memory::keep(BEFORE, &digest)?;
    memory::keep(BEHIND, &compared.other.join("\n"))?;
    memory::keep(QUARANTINED, &join.join("\n"))?;
    Ok(vec![
        Step::Level
            .planned(format!("Put the key set of {} on what is behind", cluster.first), &compared.other),
        Step::Join.planned("Release what was in quarantine", &join),
    ])
}

fn do_or_does(count: usize) -> &'static str {
    if count == 1 { "does" } else { "do" }
}

fn kept(name: &str) -> Result<Vec<String>, Fault> {
    Ok(memory::expect(name)?.lines().map(str::to_owned).collect())
}

/// Puts the cluster's key set on what is behind.
pub fn level(cluster: &Nodes) -> Result<(), Fault> {
    let behind = kept(BEHIND)?;
    let digest = keys::digest(&cluster.first)?;
    if digest != memory::expect(BEFORE)? {
        return Err(Fault::failed(format!("the key set of {} has changed since preflight", cluster.first)));
    }
    if behind.is_empty() {
        return Ok(());
    }
    let keys::Put { away, mut failed } = keys::put(&cluster.first, &behind)?;
    failed.extend(away.iter().map(|node| format!("{node}: it does not answer")));
    if !failed.is_empty() {
        return Err(Fault::failed(format!("the key set could not be put on {}", list(&failed)))
            .hint("mend that, and resume: the same key set is put there"));
    }
    let compared = keys::compare(&behind, &digest)?;
    match compared.same.len() == behind.len() {
        true => operator::note(&format!("{} are level with {}.", count(behind.len(), "node"), cluster.first)),
        false => Err(Fault::failed("a node has another key set than was put there")),
    }
}

/// Releases what is level.
pub fn join(cluster: &Nodes) -> Result<(), Fault> {
    kept(QUARANTINED)?.iter().try_for_each(|member| quarantine::join(cluster, member))
}

/// Puts back what the nodes had.
pub fn unlevel(_: &Nodes) -> Result<(), Fault> {
    for behind in kept(BEHIND)? {
        node(&behind).restore(KEY)?;
    }
    Ok(())
}

/// Puts in quarantine again what was released.
pub fn part(cluster: &Nodes) -> Result<(), Fault> {
    quarantine::isolate(cluster, &kept(QUARANTINED)?, "it was being brought level, and that was taken back")
}

pub fn verify() -> Result<Vec<Check>, Fault> {
    let cluster = Nodes::bound()?;
    let mut level = kept(BEHIND)?;
    level.extend(kept(QUARANTINED)?);
    let compared = keys::compare(&level, &keys::digest(&cluster.first)?)?;
    let passed = compared.same.len() == level.len();
    let check = Check::new("What was behind has the cluster's key set", passed)
        .evidence("level", list(&compared.same))
        .evidence("fingerprint", keys::key_set(&cluster.first)?.fingerprint);
    let check = with_nodes(check, &[("another one", &compared.other), ("no answer", &compared.away)]);
    let left: Vec<String> = nodes::quarantined()?.into_iter().map(|node| node.node).collect();
    let still: Vec<String> = left.into_iter().filter(|node| level.contains(node)).collect();
    Ok(vec![
        check,
        Check::new("None of them is in quarantine", still.is_empty()).evidence("in quarantine", list(&still)),
    ])
}
