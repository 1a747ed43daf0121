//! Proves the result on the live pair.

use crate::Settings;
use crate::pair::{ENDPOINT, LEAF_CERT, ROOT, Role, recall_old};
use windlass_sdk::host::{clock, cluster, crypto};
use windlass_sdk::procedure::Check;
use windlass_sdk::{CertificateSource, Fault, HealthRecord, node};

pub fn verify() -> Result<Vec<Check>, Fault> {
    let mut checks = Vec::new();
    for role in Role::BOTH {
        checks.push(served(role)?);
    }
    // Asked last, for what was restarted needs a moment; told first, for it says the most.
    checks.insert(0, normal(Settings::read()?.patience)?);
    Ok(checks)
}

/// The handshake shows which leaf is loaded; the file of the same fingerprint, that it chains.
fn served(role: Role) -> Result<Check, Fault> {
    let name = role.node_name()?;
    let served = node(&name).served(ENDPOINT)?;
    let on_disk = node(&name).read(LEAF_CERT)?;
    let says = crypto::inspect(&CertificateSource::from(&on_disk[..]))?;
    let is_new = served.fingerprint == role.leaf().inspect()?.fingerprint
        && served.fingerprint == says.fingerprint
        && served.fingerprint != recall_old(role)?;
    let chains = crypto::verify_chain(&CertificateSource::from(&on_disk[..]), &ROOT.into());
    let title = format!("{name} presents its new leaf, which chains to the corporate root");
    let check = Check::new(title, is_new && chains.is_ok())
        .evidence("new", served.fingerprint)
        .evidence("issuer", served.issuer);
    Ok(match chains {
        Ok(()) => check,
        Err(fault) => check.evidence("problem", fault.message),
    })
}

fn normal(patience: u32) -> Result<Check, Fault> {
    const PAUSE: u32 = 500;
    let mut left = patience;
    loop {
        let rows = cluster::health()?;
        let well = !rows.is_empty() && rows.iter().all(|row| row.state == "normal");
        if well || left == 0 {
            let words = |row: &HealthRecord| format!("{} {}", row.role, row.state);
            let check = Check::new("Both nodes are normal, as both see it", well);
            return Ok(rows.iter().fold(check, |check, row| {
                check.evidence(format!("{} sees {}", row.reporter, row.node), words(row))
            }));
        }
        let wait = PAUSE.min(left);
        clock::sleep(wait)?;
        left -= wait;
    }
}
