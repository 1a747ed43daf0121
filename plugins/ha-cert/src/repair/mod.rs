//! Strategy `repair`: a pair that is split, was half rotated by hand, or whose certificates have expired.
//!
//! [`seen`] finds out what each node has and presents, [`decide`] says from that alone which root both are
//! brought to and what each needs, [`words`] tells it. Preflight demands less than that of `sequential`: nothing
//! need be normal, present or in date. The acknowledgement says more, and is the first step: nothing is changed
//! before it.

mod decide;
mod seen;
mod words;

pub use decide::{Plan, Source, Wanted, Work};

use crate::evidence::{Waits, seen as answered};
use crate::health::{self, Expect};
use crate::memory::{Known, Remembered};
use crate::names::{ENDPOINT, KEY_PASSWORD, PASSWORD, PREFLIGHT, ROOT_CERT, ROOT_KEY};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters};
use crate::preflight;
use crate::steps::repairing;
use decide::{Evidence, decide};
use windlass_sdk::Problems;
use windlass_sdk::host::{cluster, crypto, operator, state};
use windlass_sdk::{CertificateSource, Fault, HealthRecord, procedure};

/// What the run keeps: the plan, and the impact that is to be acknowledged.
const PLAN: &str = "repair";
const IMPACT: &str = "repair.impact";
const QUESTION: &str = "Repair this pair?";

/// Preflight and plan.
pub fn steps(parameters: &Parameters) -> Result<Vec<procedure::Step>, Fault> {
    let mut problems = Problems::default();
    let pair = problems.take(Pair::bound())?;
    if let Some(pair) = &pair {
        reachable(pair, parameters, &mut problems)?;
    }
    // Without its password no key of the pair can be judged, and no new one made.
    let supplied = preflight::password_and_supplied(parameters, &mut problems)?;
    problems.into_result(PREFLIGHT)?;
    let Some(pair) = pair else { return Err(Fault::failed("preflight found no pair and no problem")) };

    let (rows, normal) = health(&pair, parameters.patience)?;
    for (who, what) in health::lines(&rows) {
        operator::note(&format!("{who}: {what}"))?;
    }
    let evidence = seen::look(&pair, normal, supplied.is_some())?;
    let found = Role::BOTH.map(|role| words::found(&pair, role, &evidence));
    for said in &found {
        operator::note(said)?;
    }
    let wanted = Wanted {
        supplied: supplied.as_ref().map(|root| root.fingerprint.as_str()),
        leaves_by_host: parameters.leaf == Leaf::Host,
    };
    let Some(plan) = decide(&evidence, wanted) else {
        operator::note(
            "Nothing to repair: both nodes have one root and present leaves of it, all in date, and the pair is normal. To replace its certificates, use strategy = \"sequential\".",
        )?;
        return Ok(Vec::new());
    };
    let decision = words::decision(&pair, &evidence, &plan);
    let work = words::work(&pair, &plan);
    operator::note(&decision)?;
    keep(&evidence, &plan, supplied.as_ref())?;
    state::set(IMPACT, &format!("{} {} {decision} {work}", found[0], found[1]))?;
    Ok(repairing(&pair, parameters, &plan))
}

/// What must hold even for a repair: both nodes answer, have room, and their clocks agree.
fn reachable(pair: &Pair, parameters: &Parameters, problems: &mut Problems) -> Result<(), Fault> {
    let mut offsets = Vec::new();
    for role in Role::BOTH {
        let Some(offset) = problems.take(pair.node(role).clock_offset())? else { continue };
        offsets.push((role, offset));
        preflight::room(pair, role, problems)?;
        if parameters.leaf == Leaf::Host {
            problems.take(pair.node(role).stat(KEY_PASSWORD))?;
        }
    }
    preflight::judge_clocks(pair, &offsets, problems);
    Ok(())
}

/// The health table, and whether the pair is normal by it. A service that runs and shows NULL has just been
/// started: it is waited for, or a pair that is well would be taken for one that is not.
fn health(pair: &Pair, patience: u32) -> Result<(Vec<HealthRecord>, bool), Fault> {
    let mut waits = Waits::new(patience);
    loop {
        // A product that cannot be asked may be what is to be repaired.
        let rows = answered(cluster::health())?.unwrap_or_default();
        let mut problems = Problems::default();
        health::judge(&rows, pair, Expect::OneActive, &mut problems);
        let normal = problems.into_result("failed").is_ok();
        let mut starting = false;
        for role in Role::BOTH {
            let name = pair.name(role);
            let of_itself = rows.iter().find(|row| row.reporter == name && row.node == name);
            let null = of_itself.is_some_and(|row| row.state == "null");
            starting |= null && answered(pair.node(role).served(ENDPOINT))?.is_ok();
        }
        if normal || !starting || !waits.wait()? {
            return Ok((rows, normal));
        }
    }
}

/// Keeps what the steps need to know of a plan whose root is not made by one of them.
fn keep(evidence: &Evidence, plan: &Plan, supplied: Option<&Known>) -> Result<(), Fault> {
    let root = match plan.source {
        Source::New => None,
        Source::Supplied => supplied.cloned(),
        Source::Node(role) => evidence.of(role).root.certificate().map(known),
    };
    if let Some(root) = root {
        Remembered::NewRoot.keep(&root)?;
    }
    for role in Role::BOTH {
        // A leaf that stays is the one that the node must present at the end.
        if let (false, Some(leaf)) = (plan.of(role).replace, evidence.of(role).leaf.certificate()) {
            Remembered::NewLeaf(role).keep(&known(leaf))?;
        }
    }
    state::set(PLAN, &written(plan))
}

fn known(certificate: &decide::Certificate) -> Known {
    Known { fingerprint: certificate.fingerprint.clone(), not_after: certificate.not_after }
}

/// Returns the plan that preflight kept.
pub fn plan() -> Result<Plan, Fault> {
    let text = state::get(PLAN)?.unwrap_or_default();
    read(&text).ok_or_else(|| {
        Fault::failed(format!("the run keeps no plan of a repair, but {text:?}"))
            .hint("the run's journal may have been changed; see `windlass runs verify`")
    })
}

/// As `second clr --r`: where the root is from, then what the first and the second node get.
fn written(plan: &Plan) -> String {
    let source = match plan.source {
        Source::New => "new",
        Source::Supplied => "supplied",
        Source::Node(role) => role.name(),
    };
    let work = |work: Work| -> String {
        let letter = |wanted: bool, letter| if wanted { letter } else { '-' };
        [letter(work.copy, 'c'), letter(work.replace, 'l'), letter(work.restart, 'r')].into_iter().collect()
    };
    format!("{source} {} {}", work(plan.of(Role::First)), work(plan.of(Role::Second)))
}

fn read(text: &str) -> Option<Plan> {
    let mut words = text.split(' ');
    let source = match words.next()? {
        "new" => Source::New,
        "supplied" => Source::Supplied,
        name => Source::Node(Role::BOTH.into_iter().find(|role| role.name() == name)?),
    };
    let mut work = || {
        let word = words.next()?;
        let mut letters = word.chars().zip("clr".chars()).map(|(letter, wanted)| letter == wanted);
        Some(Work { copy: letters.next()?, replace: letters.next()?, restart: letters.next()? })
    };
    Some(Plan { source, work: [work()?, work()?] })
}

/// The first step: nothing is changed before the operator has seen what was found and agreed to what is done.
pub fn acknowledge() -> Result<(), Fault> {
    let impact = state::get(IMPACT)?.unwrap_or_default();
    match operator::acknowledge(QUESTION, &impact) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::new("declined", "the repair was not acknowledged")),
        // Nobody to ask, or the token of another acknowledgement: the run is not begun.
        Err(fault) if fault.is("unknown") || fault.is("refused") => {
            Err(Fault { code: PREFLIGHT.into(), ..fault })
        }
        Err(fault) => Err(fault),
    }
}

/// What a node's key is to the root beside it: `sequential` knows, since it put it there.
pub fn key_fits(pair: &Pair, role: Role) -> Result<String, Fault> {
    let root = pair.node(role).read(ROOT_CERT)?;
    crypto::check_key(pair.name(role), ROOT_KEY, PASSWORD.name, &CertificateSource::Bytes(root))
}

/// Whether a new root is made by the run, so that no node can have had it before.
pub fn makes_root(parameters: &Parameters, plan: Option<&Plan>) -> bool {
    let made = plan.is_none_or(|plan| plan.source == Source::New);
    made && parameters.ca != Ca::Supplied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_kept_is_read_again_and_nothing_else_is() {
        let all = |bits: u8| Work { copy: bits & 1 > 0, replace: bits & 2 > 0, restart: bits & 4 > 0 };
        for source in [Source::New, Source::Supplied, Source::Node(Role::First), Source::Node(Role::Second)] {
            for bits in 0..64 {
                let plan = Plan { source, work: [all(bits & 7), all(bits >> 3)] };
                assert_eq!(read(&written(&plan)), Some(plan));
            }
        }
        for text in ["", "new", "new clr", "third clr clr", "new c -"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
