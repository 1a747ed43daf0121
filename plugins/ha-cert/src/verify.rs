//! Proves the result on the live cluster: only here must the pair be normal again.

use crate::evidence::{CertificateFile, Waits, date, seen};
use crate::health::{self, Expect};
use crate::memory::{Known, Remembered, ownership, recall_ownership};
use crate::names::{ENDPOINT, LEAF_CERT, LEAF_KEY, ROOT_CERT, ROOT_KEY};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Parameters};
use crate::problems::Problems;
use windlass_sdk::Fault;
use windlass_sdk::host::cluster;
use windlass_sdk::procedure::Check;

pub fn verify() -> Result<Vec<Check>, Fault> {
    let parameters = Parameters::read()?;
    let pair = Pair::bound()?;
    let mut checks = vec![normal(&pair, parameters.patience)?, one_root(&pair, parameters.ca)?];
    for role in Role::BOTH {
        checks.push(served(&pair, role)?);
    }
    checks.push(ownership_kept(&pair)?);
    checks.extend(manager()?);
    Ok(checks)
}

/// Waits for normal: right after a restart the product shows NULL for a while.
fn normal(pair: &Pair, patience: u32) -> Result<Check, Fault> {
    let mut waits = Waits::new(patience);
    loop {
        let rows = cluster::health()?;
        let mut problems = Problems::default();
        health::judge(&rows, pair, Expect::OneActive, &mut problems);
        let judged = problems.into_result("failed");
        if judged.is_ok() || !waits.wait()? {
            let mut check = Check::new("HAAllResOK is normal on both nodes, as both see it", judged.is_ok());
            for (who, what) in health::lines(&rows) {
                check = check.evidence(who, what);
            }
            return Ok(match judged {
                Ok(()) => check,
                Err(fault) => check.evidence("problem", fault.message),
            });
        }
    }
}

fn one_root(pair: &Pair, ca: Ca) -> Result<Check, Fault> {
    let new = Remembered::NewRoot.expect()?;
    let mut check = Check::new("Both nodes trust the new root", true);
    for role in Role::BOTH {
        let old = Remembered::OldRoot(role).expect()?;
        // A supplied root may have been in place on a node already, by hand; one that was made cannot.
        check.passed &= ca == Ca::Supplied || old.fingerprint != new.fingerprint;
        check = check.evidence(format!("{} old root", pair.name(role)), described(&old));
        match seen(CertificateFile::read(pair, role, ROOT_CERT))? {
            Ok(found) => {
                check.passed &= found.certificate.fingerprint == new.fingerprint;
                check = check.evidence(
                    format!("{} new root", pair.name(role)),
                    described(&Known::from(&found.certificate)),
                );
            }
            Err(problem) => check = failed(check, problem),
        }
    }
    Ok(check)
}

/// The handshake shows which leaf is loaded, the file of the same fingerprint shows that it chains.
fn served(pair: &Pair, role: Role) -> Result<Check, Fault> {
    let name = pair.name(role);
    let old = Remembered::OldLeaf(role).expect()?;
    let check = Check::new(format!("{name} presents a new certificate that chains to the new root"), true)
        .evidence("old", described(&old));
    let served = match seen(pair.node(role).served(ENDPOINT))? {
        Ok(served) => served,
        Err(problem) => return Ok(failed(check, problem)),
    };
    let mut check =
        check.evidence("new", described(&Known::from(&served))).evidence("issuer", &served.issuer);
    check.passed = served.fingerprint != old.fingerprint;
    let files = CertificateFile::read(pair, role, LEAF_CERT)
        .and_then(|leaf| Ok((leaf, CertificateFile::read(pair, role, ROOT_CERT)?)));
    Ok(match seen(files)? {
        Err(problem) => failed(check, problem),
        Ok((leaf, _)) if leaf.certificate.fingerprint != served.fingerprint => failed(
            check,
            format!("{LEAF_CERT} is {}, not what the service presents", leaf.certificate.fingerprint),
        ),
        Ok((leaf, root)) => match seen(leaf.chains_to(&root))? {
            Ok(()) => check,
            Err(problem) => failed(check, problem),
        },
    })
}

fn ownership_kept(pair: &Pair) -> Result<Check, Fault> {
    let mut check = Check::new("Mode and owner of the key files are as before", true);
    for role in Role::BOTH {
        for file in [ROOT_KEY, LEAF_KEY] {
            let before = recall_ownership(file, role)?.unwrap_or_else(|| "not seen".into());
            let now = match seen(pair.node(role).stat(file))? {
                Ok(Some(stat)) => ownership(&stat),
                Ok(None) => "missing".into(),
                Err(problem) => problem,
            };
            check.passed &= before == now;
            let shown = if before == now { now } else { format!("{now}, before {before}") };
            check = check.evidence(format!("{} {file}", pair.name(role)), shown);
        }
    }
    Ok(check)
}

/// None where the site names no manager's page: what was not looked at is no check.
fn manager() -> Result<Option<Check>, Fault> {
    let check = Check::new("MRS Manager can be accessed", true);
    Ok(match cluster::manager() {
        Err(fault) if fault.is("unknown") => None,
        answer => Some(match seen(answer)? {
            Ok(status) => check.evidence("HTTP status", status.to_string()),
            Err(problem) => failed(check, problem),
        }),
    })
}

fn described(certificate: &Known) -> String {
    format!("{}, valid until {}", certificate.fingerprint, date(certificate.not_after))
}

fn failed(mut check: Check, problem: String) -> Check {
    check.passed = false;
    check.evidence("problem", problem)
}
