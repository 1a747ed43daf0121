//! Proves that the version is gone everywhere and that nothing else is.

use crate::PRIMARY;
use key_sets::memory::{self, BEFORE};
use key_sets::nodes::Nodes;
use key_sets::words::{count, list, with_nodes};
use key_sets::{KEY, keys};
use windlass_sdk::{Fault, host::keyring, procedure::Check};

const CANARY: &str = "canary";

pub fn verify(version: u32) -> Result<Vec<Check>, Fault> {
    let cluster = Nodes::bound()?;
    // Before anything is looked at: a resumed run looks again at what comes behind the last thing that it keeps.
    match keyring::canary(CANARY, &cluster.first, KEY) {
        // An earlier verification of this run has sealed it.
        Err(fault) if fault.is("invalid") => {}
        sealed => sealed?,
    }
    let set = keys::key_set(&cluster.first)?;
    let digest = keys::digest(&cluster.first)?;
    let compared = keys::compare(&cluster.all, &digest)?;
    let same = Check::new(
        "Every node has the same key set",
        compared.same.len() == cluster.all.len() && digest != memory::expect(BEFORE)?,
    )
    .evidence("fingerprint", &set.fingerprint)
    .evidence("nodes", count(compared.same.len(), "node"));
    let same = with_nodes(same, &[("another one", &compared.other), ("no answer", &compared.away)]);
    let numbers: Vec<String> = set.versions.iter().map(|version| version.number.to_string()).collect();
    let gone = Check::new("The version is gone", !numbers.contains(&version.to_string()))
        .evidence("left", list(&numbers));
    let under = keyring::opens(&cluster.second, KEY, CANARY)?;
    let still = Check::new("New values are sealed as before", under.to_string() == memory::expect(PRIMARY)?)
        .evidence("version", under.to_string());
    Ok(vec![same, gone, still])
}
