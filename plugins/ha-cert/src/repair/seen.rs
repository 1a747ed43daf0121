//! What a node of a pair that is not well has on disk and presents, found out by looking: what is missing or
//! broken is evidence here, where `sequential` has a problem.

use super::decide::{Certificate, Evidence, Found, Key, Seen};
use crate::evidence::{CertificateFile, seen};
use crate::memory::{Known, Remembered, keep_before, keep_in_date, keep_ownership};
use crate::names::{ENDPOINT, LEAF_CERT, LEAF_KEY, NEW_ROOT, PASSWORD, ROOT_CERT, ROOT_KEY};
use crate::pair::{Pair, Role};
use windlass_sdk::host::{clock, crypto};
use windlass_sdk::is_about_authority;
use windlass_sdk::{CertificateSource, Fault};

/// The files that an undo must bring back as they were.
const FILES: [&str; 4] = [ROOT_CERT, ROOT_KEY, LEAF_CERT, LEAF_KEY];

/// A file that should hold a certificate.
type Read = Result<CertificateFile, Found>;

/// Looks at both nodes. `supplied`: the root that the site supplies is an object of the run.
pub fn look(pair: &Pair, normal: bool, supplied: bool) -> Result<Evidence, Fault> {
    let now = clock::now()?.div_euclid(1_000);
    let roots = [read(pair, Role::First, ROOT_CERT)?, read(pair, Role::Second, ROOT_CERT)?];
    let mut nodes = Vec::new();
    for role in Role::BOTH {
        nodes.push(node(pair, role, &roots, supplied, now)?);
    }
    let [Some(first), Some(second)] = [nodes.first(), nodes.get(1)] else {
        return Err(Fault::failed("a pair has two nodes, and both were looked at"));
    };
    Ok(Evidence { nodes: [first.clone(), second.clone()], normal, now })
}

fn node(pair: &Pair, role: Role, roots: &[Read; 2], supplied: bool, now: i64) -> Result<Seen, Fault> {
    for file in FILES {
        keep_before(file, role, pair.node(role).fingerprint(file)?.as_deref())?;
    }
    for file in [ROOT_KEY, LEAF_KEY] {
        if let Some(stat) = pair.node(role).stat(file)? {
            keep_ownership(file, role, &stat)?;
        }
    }
    let leaf = read(pair, role, LEAF_CERT)?;
    let own = root_of(roots, role);
    if let Ok(root) = own {
        Remembered::OldRoot(role).keep(&Known::from(&root.certificate))?;
    }
    let in_date = |read: &Read| read.as_ref().is_ok_and(|file| file.is_in_date(now));
    keep_in_date(role, in_date(own) && in_date(&leaf))?;
    let mut leaf_of = [false; 3];
    if let Ok(leaf) = &leaf {
        Remembered::OldLeaf(role).keep(&Known::from(&leaf.certificate))?;
        for of in Role::BOTH {
            if let Ok(root) = root_of(roots, of) {
                leaf_of[of as usize] = may_hold(leaf, root, now) && seen(leaf.chains_to(root))?.is_ok();
            }
        }
        if supplied {
            let chains = crypto::verify_chain(&source(leaf), &NEW_ROOT.into());
            leaf_of[2] = seen(chains)?.is_ok();
        }
    }
    let served = seen(pair.node(role).served(ENDPOINT))?;
    if let (Ok(served), Ok(leaf)) = (&served, &leaf) {
        // Only such a service gets its old certificate back by a restart with its old files.
        let serves = served.fingerprint == leaf.certificate.fingerprint && own.is_ok();
        Remembered::Served(role).keep_if(serves, &Known::from(served))?;
    }
    Ok(Seen {
        root_key: key(pair, role, ROOT_KEY, own)?,
        leaf_key: key(pair, role, LEAF_KEY, &leaf)?,
        root: found(own),
        leaf: found(&leaf),
        leaf_of,
        served: served.map(|served| served.fingerprint),
    })
}

/// Whether it is worth a check: dates and names alone rule most out, and a check that fails is told to the operator
/// as a fault.
fn may_hold(leaf: &CertificateFile, root: &CertificateFile, now: i64) -> bool {
    leaf.is_in_date(now) && root.is_in_date(now) && leaf.certificate.issuer == root.certificate.subject
}

fn root_of(roots: &[Read; 2], role: Role) -> &Read {
    &roots[role as usize]
}

/// A file that does not exist, or is no certificate, is what was found; that it cannot be asked for is a fault.
fn read(pair: &Pair, role: Role, file: &str) -> Result<Read, Fault> {
    match CertificateFile::read(pair, role, file) {
        Ok(read) => Ok(Ok(read)),
        Err(fault) if is_about_authority(&fault) || fault.is("unreachable") || fault.is("timeout") => {
            Err(fault)
        }
        Err(fault) if fault.is("unknown") => Ok(Err(Found::Missing)),
        Err(fault) => Ok(Err(Found::Unreadable(fault.message))),
    }
}

fn source(file: &CertificateFile) -> CertificateSource {
    CertificateSource::Bytes(file.bytes.clone())
}

/// What a key file is to the certificate beside it. Without that certificate it cannot be told.
fn key(pair: &Pair, role: Role, file: &str, certificate: &Read) -> Result<Key, Fault> {
    let Ok(certificate) = certificate else {
        let there = pair.node(role).stat(file)?.is_some_and(|stat| stat.size > 0);
        return Ok(if there { Key::Shut } else { Key::Missing });
    };
    match crypto::check_key(pair.name(role), file, PASSWORD.name, &source(certificate)) {
        Ok(code) => Ok(match code.as_str() {
            "fits" => Key::Fits,
            "other" => Key::Other,
            "none" => Key::Missing,
            // An open set: what is not known proves nothing.
            _ => Key::Shut,
        }),
        Err(fault) if fault.is("unknown") => Ok(Key::Missing),
        Err(fault) => Err(fault),
    }
}

fn found(read: &Read) -> Found {
    match read {
        Err(found) => found.clone(),
        Ok(file) => {
            let certificate = &file.certificate;
            Found::Certificate(Certificate {
                fingerprint: certificate.fingerprint.clone(),
                issuer: certificate.issuer.clone(),
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                unfit: crate::apply::unfit(certificate),
            })
        }
    }
}
