//! Proves the result on the live cluster: only here must the pair be normal again.

use crate::evidence::{CertificateFile, Health, date, seen, wait_until_normal};
use crate::health;
use crate::memory::{Known, Remembered, ownership, recall_ownership};
use crate::names::{ENDPOINT, LEAF_CERT, LEAF_KEY, ROOT_CERT, ROOT_KEY};
use crate::pair::{Pair, Role};
use crate::parameters::{Parameters, Strategy};
use crate::repair;
use windlass_sdk::Fault;
use windlass_sdk::host::cluster;
use windlass_sdk::procedure::Check;

pub fn verify() -> Result<Vec<Check>, Fault> {
    let parameters = Parameters::read()?;
    let pair = Pair::bound()?;
    let repair = match parameters.strategy {
        Strategy::Sequential => None,
        Strategy::Repair => Some(repair::plan()?),
    };
    let made = repair::makes_root(&parameters, repair.as_ref());
    let mut checks = Vec::new();
    let mut roots = Vec::new();
    for role in Role::BOTH {
        roots.push((role, seen(CertificateFile::read(&pair, role, ROOT_CERT))?));
    }
    checks.push(one_root(&pair, &roots, made, repair.is_some())?);
    for (role, root) in &roots {
        let replaced = repair.as_ref().is_none_or(|plan| plan.of(*role).replace);
        checks.push(served(&pair, *role, root.as_ref(), replaced)?);
    }
    if repair.is_some() {
        checks.push(keys_fit(&pair)?);
    }
    checks.push(ownership_kept(&pair)?);
    checks.extend(manager()?);
    // Asked last, for what was restarted needs a moment; told first, for it says the most.
    checks.insert(0, normal(&pair, parameters.patience)?);
    Ok(checks)
}

fn normal(pair: &Pair, patience: u32) -> Result<Check, Fault> {
    let Health { rows, judged } = wait_until_normal(pair, patience)?;
    let mut check = Check::new("HAAllResOK is normal on both nodes, as both see it", judged.is_ok());
    for (who, what) in health::lines(&rows) {
        check = check.evidence(who, what);
    }
    Ok(match judged {
        Ok(()) => check,
        Err(fault) => check.evidence("problem", fault.message),
    })
}

/// `made`: the run made the root, so no node can have had it before. In a repair one may have had none.
fn one_root(
    pair: &Pair,
    roots: &[(Role, Result<CertificateFile, String>)],
    made: bool,
    repair: bool,
) -> Result<Check, Fault> {
    let new = Remembered::NewRoot.expect()?;
    let title =
        if made || !repair { "Both nodes trust the new root" } else { "Both nodes trust the one root" };
    let mut check = Check::new(title, true);
    for (role, root) in roots {
        let role = *role;
        let old = match repair {
            true => Remembered::OldRoot(role).recall()?,
            false => Some(Remembered::OldRoot(role).expect()?),
        };
        check.passed &= !(made && old.as_ref().is_some_and(|old| old.fingerprint == new.fingerprint));
        let old = old.map_or_else(|| "none that could be read".into(), |old| described(&old));
        check = check.evidence(format!("{} old root", pair.name(role)), old);
        match root {
            Ok(found) => {
                check.passed &= found.certificate.fingerprint == new.fingerprint;
                check = check.evidence(
                    format!("{} new root", pair.name(role)),
                    described(&Known::from(&found.certificate)),
                );
            }
            Err(problem) => check = failed(check, problem.clone()),
        }
    }
    Ok(check)
}

/// The handshake shows which leaf is loaded, the file of the same fingerprint shows that it chains.
fn served(
    pair: &Pair,
    role: Role,
    root: Result<&CertificateFile, &String>,
    replaced: bool,
) -> Result<Check, Fault> {
    let name = pair.name(role);
    let old = match replaced {
        // A repair may have found none.
        true => Remembered::OldLeaf(role).recall()?,
        false => None,
    };
    let title = match replaced {
        true => format!("{name} presents a new certificate that chains to the new root"),
        false => format!("{name} presents its certificate, which chains to the one root"),
    };
    let mut check = Check::new(title, true);
    if let Some(old) = &old {
        check = check.evidence("old", described(old));
    }
    let served = match seen(pair.node(role).served(ENDPOINT))? {
        Ok(served) => served,
        Err(problem) => return Ok(failed(check, problem)),
    };
    let now = if replaced { "new" } else { "as before" };
    let mut check = check.evidence(now, described(&Known::from(&served))).evidence("issuer", &served.issuer);
    check.passed = old.is_none_or(|old| served.fingerprint != old.fingerprint);
    let leaf = seen(CertificateFile::read(pair, role, LEAF_CERT))?;
    Ok(match leaf.and_then(|leaf| Ok((leaf, root.map_err(String::clone)?))) {
        Err(problem) => failed(check, problem),
        Ok((leaf, _)) if leaf.certificate.fingerprint != served.fingerprint => failed(
            check,
            format!("{LEAF_CERT} is {}, not what the service presents", leaf.certificate.fingerprint),
        ),
        Ok((leaf, root)) => match seen(leaf.chains_to(root))? {
            Ok(()) => check,
            Err(problem) => failed(check, problem),
        },
    })
}

/// A pair with a root and without its key can issue nothing the next time.
fn keys_fit(pair: &Pair) -> Result<Check, Fault> {
    let mut check = Check::new("Both nodes have the root's own key", true);
    for role in Role::BOTH {
        let fit = match seen(repair::key_fits(pair, role))? {
            Ok(code) => code,
            Err(problem) => problem,
        };
        check.passed &= fit == "fits";
        check = check.evidence(format!("{} {ROOT_KEY}", pair.name(role)), fit);
    }
    Ok(check)
}

const MISSING: &str = "missing";

fn ownership_kept(pair: &Pair) -> Result<Check, Fault> {
    let mut check = Check::new("Mode and owner of the key files are as before", true);
    for role in Role::BOTH {
        for file in [ROOT_KEY, LEAF_KEY] {
            let before = recall_ownership(file, role)?;
            let now = match seen(pair.node(role).stat(file))? {
                Ok(Some(stat)) => ownership(&stat),
                Ok(None) => MISSING.into(),
                Err(problem) => problem,
            };
            let shown = match before {
                // Only a repair begins without one.
                None => {
                    check.passed &= now != MISSING;
                    format!("{now}, before there was none")
                }
                Some(before) if before == now => now,
                Some(before) => {
                    check.passed = false;
                    format!("{now}, before {before}")
                }
            };
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
