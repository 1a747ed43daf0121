//! Proves the result on the live cluster.

use crate::memory::{self, BEFORE, OLD_VERSION, UNSEEN};
use crate::names::{KEY, NEW_CANARY, OLD_CANARY};
use crate::services::{self, Way};
use crate::unseen;
use key_sets::keys;
use key_sets::nodes::{Nodes, away};
use key_sets::words::{count, with_nodes};
use windlass_sdk::{Fault, host::keyring, procedure::Check};

pub fn verify() -> Result<Vec<Check>, Fault> {
    let cluster = Nodes::bound()?;
    if memory::is_marked(UNSEEN)? {
        return Ok(vec![unseen::said()?, services_run(&cluster)?]);
    }
    // Before anything is looked at: a resumed run looks again at what comes behind the last thing that it keeps.
    seal_new_canary(&cluster)?;
    Ok(vec![one_key_set(&cluster)?, old_values(&cluster)?, new_values(&cluster)?, services_run(&cluster)?])
}

fn one_key_set(cluster: &Nodes) -> Result<Check, Fault> {
    let present = cluster.present()?;
    let new = keys::digest(&cluster.first)?;
    let seen = keys::compare(&present, &new)?;
    let passed = seen.same.len() == present.len() && new != memory::expect(BEFORE)?;
    let check = Check::new("Every node has the same new key set", passed)
        .evidence("fingerprint", keys::key_set(&cluster.first)?.fingerprint)
        .evidence("nodes", count(seen.same.len(), "node"));
    let away = away()?;
    let apart: [(&str, &[String]); 3] =
        [("another one", &seen.other), ("no answer", &seen.away), ("in quarantine", &away)];
    Ok(with_nodes(check, &apart))
}

fn old_values(cluster: &Nodes) -> Result<Check, Fault> {
    let mut check = Check::new("What was sealed before opens", true);
    for manager in [&cluster.first, &cluster.second] {
        match keyring::opens(manager, KEY, OLD_CANARY) {
            Ok(version) => {
                check.passed &= version.to_string() == memory::expect(OLD_VERSION)?;
                check = check.evidence(manager, format!("with version {version}"));
            }
            Err(fault) => {
                check.passed = false;
                check = check.evidence(manager, fault.message);
            }
        }
    }
    Ok(check)
}

fn seal_new_canary(cluster: &Nodes) -> Result<(), Fault> {
    match keyring::canary(NEW_CANARY, &cluster.first, KEY) {
        // An earlier verification of this run has sealed it.
        Err(fault) if fault.is("invalid") => Ok(()),
        sealed => sealed,
    }
}

fn new_values(cluster: &Nodes) -> Result<Check, Fault> {
    let version = keyring::opens(&cluster.second, KEY, NEW_CANARY)?;
    let primary = keys::primary(&keys::key_set(&cluster.first)?)?;
    let old = memory::expect(OLD_VERSION)?;
    Ok(Check::new(
        "New values are sealed under the new version",
        version == primary && version.to_string() != old,
    )
    .evidence("old version", old)
    .evidence("new version", version.to_string()))
}

fn services_run(cluster: &Nodes) -> Result<Check, Fault> {
    let present = cluster.present()?;
    let seen = services::look(&present, Way::Up)?;
    let check = Check::new("Every service of every node runs", seen.so.len() == present.len())
        .evidence("nodes", count(seen.so.len(), "node"));
    Ok(with_nodes(check, &[("not running", &seen.not_so), ("no answer", &seen.away)]))
}
