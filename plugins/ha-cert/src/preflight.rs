//! Before anything is changed: observes both nodes, asks for the password, and plans.

use crate::evidence::CertificateFile;
use crate::health::{self, Expect};
use crate::memory::{Known, Remembered, keep_before, keep_in_date, keep_ownership};
use crate::names::{
    ENDPOINT, KEY_PASSWORD, LEAF_CERT, LEAF_KEY, NEW_ROOT, NEW_ROOT_KEY, PASSWORD, PREFLIGHT, ROOT_CERT,
    ROOT_KEY,
};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters, Strategy};
use crate::repair;
use crate::steps::planned;
use windlass_sdk::host::{clock, cluster, crypto, operator};
use windlass_sdk::{CertificateSource, Fault, procedure};
use windlass_sdk::{Problems, is_about_authority};

/// Clocks that differ by this much raise an alarm of the product, and certificates are judged by clocks.
const MOST_SKEW_MS: u64 = 20_000;

/// The new files are a few KiB; staged and saved copies double them. Below this the folder counts as full.
const LEAST_ROOM: u64 = 1024 * 1024;

pub fn steps() -> Result<Vec<procedure::Step>, Fault> {
    let parameters = Parameters::read()?;
    match parameters.strategy {
        Strategy::Sequential => sequential(&parameters),
        Strategy::Repair => repair::steps(&parameters),
    }
}

fn sequential(parameters: &Parameters) -> Result<Vec<procedure::Step>, Fault> {
    let mut problems = Problems::default();

    // Made while the nodes are asked.
    if parameters.ca == Ca::Host {
        problems.take(crypto::prepare_key(&parameters.algorithm))?;
    }
    let rows = problems.take(cluster::health())?;
    let pair = problems.take(Pair::bound())?;
    let mut before = Vec::new();
    if let Some(pair) = &pair {
        if let Some(rows) = &rows {
            health::judge(rows, pair, Expect::Bound, &mut problems);
        }
        let mut offsets = Vec::new();
        for role in Role::BOTH {
            // A node that does not tell the time tells nothing else; one problem says it.
            let Some(offset) = problems.take(pair.node(role).clock_offset())? else { continue };
            offsets.push((role, offset));
            before.push((role, examine(pair, role, parameters, &mut problems)?));
        }
        judge_clocks(pair, &offsets, &mut problems);
    } else if let Some(rows) = &rows {
        // Without a pair the table itself is the best explanation.
        for (who, what) in health::lines(rows) {
            operator::note(&format!("{who}: {what}"))?;
        }
    }

    manager(&mut problems)?;
    let supplied = password_and_supplied(parameters, &mut problems)?;
    problems.into_result(PREFLIGHT)?;
    // Without a pair there was a problem, so there is one here.
    let Some(pair) = pair else { return Err(Fault::failed("preflight found no pair and no problem")) };
    if let Some(supplied) = supplied {
        let served = before.iter().filter_map(|(_, before)| before.as_ref());
        if already_served(&supplied.fingerprint, served)? {
            operator::note(
                "Nothing to do: the supplied root is in place on both nodes, and both present a certificate that chains to it.",
            )?;
            return Ok(Vec::new());
        }
    }
    Ok(planned(&pair, parameters))
}

/// Asks for the password; with it, opens the root that the site supplies, if it does.
pub fn password_and_supplied(
    parameters: &Parameters,
    problems: &mut Problems,
) -> Result<Option<Known>, Fault> {
    let password = password(parameters, problems)?;
    Ok(match parameters.ca {
        Ca::Supplied if password => problems.take(NEW_ROOT.open_supplied(NEW_ROOT_KEY, PASSWORD))?,
        _ => None,
    }
    .map(|root| Known::from(&root)))
}

/// A full disk is a problem whatever else is.
pub fn room(pair: &Pair, role: Role, problems: &mut Problems) -> Result<(), Fault> {
    if let Some(space) = problems.take(pair.node(role).space(ROOT_CERT))?
        && space < LEAST_ROOM
    {
        let name = pair.name(role);
        problems.add(
            format!(
                "{name} has {} KiB free where {ROOT_CERT} lies; {} are needed",
                space / 1024,
                LEAST_ROOM / 1024
            ),
            format!("make room in that folder's file system on {name}"),
        );
    }
    Ok(())
}

/// What a node has and presents.
struct Before {
    root: CertificateFile,
    leaf: CertificateFile,
    served: Known,
}

fn examine(
    pair: &Pair,
    role: Role,
    parameters: &Parameters,
    problems: &mut Problems,
) -> Result<Option<Before>, Fault> {
    let (name, node) = (pair.name(role), pair.node(role));
    room(pair, role, problems)?;
    let root = problems.take(CertificateFile::read(pair, role, ROOT_CERT))?;
    let leaf = problems.take(CertificateFile::read(pair, role, LEAF_CERT))?;
    for (file, read) in [(ROOT_CERT, &root), (LEAF_CERT, &leaf)] {
        if let Some(read) = read {
            keep_before(file, role, Some(&read.digest()))?;
        }
    }
    for file in [ROOT_KEY, LEAF_KEY] {
        if let Some(digest) = problems.take(node.fingerprint(file))? {
            keep_before(file, role, digest.as_deref())?;
        }
    }
    for file in [ROOT_KEY, LEAF_KEY] {
        match problems.take(node.stat(file))? {
            Some(Some(stat)) => keep_ownership(file, role, &stat)?,
            Some(None) => problems.add(
                format!("{file} does not exist on {name}"),
                "see that the profile's folders are those of this cluster: `windlass site explain`",
            ),
            None => {}
        }
    }
    if parameters.leaf == Leaf::Host {
        // Whether it exists does not matter, only whether the profile declares it: else this is a fault.
        problems.take(node.stat(KEY_PASSWORD))?;
    }

    let served = problems.take(node.served(ENDPOINT))?;
    let (Some(root), Some(leaf), Some(served)) = (root, leaf, served) else { return Ok(None) };
    let served = Known::from(&served);
    Remembered::OldRoot(role).keep(&Known::from(&root.certificate))?;
    Remembered::OldLeaf(role).keep(&Known::from(&leaf.certificate))?;
    let now = clock::now()?.div_euclid(1_000);
    keep_in_date(role, root.is_in_date(now) && leaf.is_in_date(now))?;
    if served.fingerprint != leaf.certificate.fingerprint {
        operator::note(&format!(
            "{name} presents {}, but {LEAF_CERT} there is {}: it was replaced earlier and the service not restarted.",
            served.fingerprint, leaf.certificate.fingerprint
        ))?;
    }
    Ok(Some(Before { root, leaf, served }))
}

pub fn judge_clocks(pair: &Pair, offsets: &[(Role, i64)], problems: &mut Problems) {
    let hint = "set the clocks right (NTP) on the nodes and on this machine";
    for (role, offset) in offsets {
        if offset.unsigned_abs() >= MOST_SKEW_MS {
            problems.add(
                format!("the clock of {} is {} this machine's", pair.name(*role), ahead_or_behind(*offset)),
                hint,
            );
        }
    }
    if let [(_, first), (_, second)] = offsets
        && first.abs_diff(*second) >= MOST_SKEW_MS
    {
        problems.add(
            format!(
                "the clocks of {} and {} differ by {} s",
                pair.name(Role::First),
                pair.name(Role::Second),
                first.abs_diff(*second) / 1_000
            ),
            hint,
        );
    }
}

fn ahead_or_behind(offset: i64) -> String {
    let seconds = offset.unsigned_abs() / 1_000;
    if offset < 0 { format!("{seconds} s behind") } else { format!("{seconds} s ahead of") }
}

fn manager(problems: &mut Problems) -> Result<(), Fault> {
    match cluster::manager() {
        Err(fault) if fault.is("unknown") => {
            operator::note("The site names no manager's page, so whether it can be accessed is not checked.")
        }
        answer => problems.take(answer).map(|_| ()),
    }
}

/// Returns whether the password is there and meets the policy.
fn password(parameters: &Parameters, problems: &mut Problems) -> Result<bool, Fault> {
    let supplied = parameters.ca == Ca::Supplied;
    let prompt = match parameters.strategy {
        _ if supplied => "Password of the supplied root key",
        Strategy::Sequential => "Password for the new HA root key",
        Strategy::Repair => "Password of the HA root key that is there, or for a new one",
    };
    // A new password is asked for twice; one that opens a key proves itself.
    let asked = PASSWORD.ask(prompt, !supplied);
    if problems.take(asked)?.is_none() {
        return Ok(false);
    }
    let Some(broken) = problems.take(PASSWORD.check())? else { return Ok(false) };
    if !broken.is_empty() {
        problems.add(
            format!("the password {PASSWORD} does not meet the policy: {}", broken.join(", ")),
            "choose another password",
        );
    }
    Ok(broken.is_empty())
}

/// Says whether both nodes have this root and present a leaf of it.
fn already_served<'a>(root: &str, before: impl Iterator<Item = &'a Before>) -> Result<bool, Fault> {
    let mut nodes = 0;
    for node in before {
        if node.root.certificate.fingerprint != root
            || node.served.fingerprint != node.leaf.certificate.fingerprint
        {
            return Ok(false);
        }
        let leaf = CertificateSource::Bytes(node.leaf.bytes.clone());
        match crypto::verify_chain(&leaf, &NEW_ROOT.into()) {
            Ok(()) => nodes += 1,
            Err(fault) if is_about_authority(&fault) => return Err(fault),
            Err(_) => return Ok(false),
        }
    }
    Ok(nodes == Role::BOTH.len())
}
