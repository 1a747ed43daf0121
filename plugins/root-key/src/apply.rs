//! Does one step, and proves that it happened.

use crate::level;
use crate::memory::{self, BEFORE, OLD_VERSION, START_ASKED, STOP_ASKED, UNSEEN};
use crate::names::{BACKUP, KEY, NEW_KEY, OLD_CANARY, UPDATE};
use crate::parameters::{Parameters, Update};
use crate::preflight::applications_stopped;
use crate::quarantine;
use crate::services::{self, Way};
use crate::steps::Step;
use crate::unseen;
use crate::words::QUESTION;
use key_sets::keys;
use key_sets::nodes::{Nodes, away};
use key_sets::words::{acknowledge, count, list};
use windlass_sdk::{Content, Fault, host::keyring, host::operator, node};

/// The host is told by this code that going back is the only right thing, and does it at once.
const GO_BACK: &str = "go-back";
const AWAY: &str = "it did not answer when the root key was updated, and has the key set of before";

pub fn apply(step: Step) -> Result<(), Fault> {
    let cluster = Nodes::bound()?;
    let parameters = Parameters::read()?;
    let unseen = memory::is_marked(UNSEEN)?;
    match step {
        Step::Update if unseen => unseen::update(&cluster, &parameters),
        Step::Compare if unseen => unseen::judge(&cluster),
        Step::Acknowledge => acknowledge(QUESTION),
        Step::Applications => applications(&cluster),
        Step::Backup => backup(&cluster),
        Step::Stop => stop(&cluster, &parameters),
        Step::Update => update(&cluster, &parameters),
        Step::Compare => compare(&cluster, &parameters),
        Step::Start => start(&cluster, &parameters),
        Step::Rewrap => rewrap(&cluster),
        Step::Level => level::level(&cluster),
        Step::Join => level::join(&cluster),
    }
}

fn applications(cluster: &Nodes) -> Result<(), Fault> {
    match applications_stopped(&cluster.first)? {
        true => operator::note("The upper-layer applications are stopped."),
        false => {
            operator::note("Whether the upper-layer applications are stopped was for the operator to say.")
        }
    }
}

fn backup(cluster: &Nodes) -> Result<(), Fault> {
    let first = node(&cluster.first);
    keyring::canary(OLD_CANARY, &cluster.first, KEY)?;
    for manager in [&cluster.first, &cluster.second] {
        node(manager).put(BACKUP, &Content::file(&cluster.first, KEY))?;
        // A backup that has never been opened is a hope.
        keyring::opens(manager, BACKUP, OLD_CANARY)?;
    }
    let before = memory::expect(BEFORE)?;
    if first.fingerprint(BACKUP)?.as_deref() != Some(before.as_str()) {
        return Err(Fault::failed(format!("the key set of {} has changed since preflight", cluster.first))
            .hint("find out who changed it, and begin again"));
    }
    operator::note(&format!(
        "The backup on {} and {} opens what was sealed before.",
        cluster.first, cluster.second
    ))
}

fn stop(cluster: &Nodes, parameters: &Parameters) -> Result<(), Fault> {
    let present = cluster.present()?;
    if services::look(&present, Way::Down)?.so.len() == present.len() {
        return operator::note("The cluster is stopped already.");
    }
    memory::mark(STOP_ASKED)?;
    services::go(cluster, &present, Way::Down, parameters.patience).map_err(|fault| {
        // The key is untouched: what had been stopped is started again.
        Fault::new(GO_BACK, fault.message).hint("see why on that node; then begin again")
    })?;
    operator::note(&format!("The cluster is stopped: no service runs on {}.", count(present.len(), "node")))
}

fn update(cluster: &Nodes, parameters: &Parameters) -> Result<(), Fault> {
    let before = memory::expect(BEFORE)?;
    services::still_down(cluster, &cluster.present()?, parameters.patience)?;
    // Never a second new key: where the first node has one, it is the one.
    let made = keys::digest(&cluster.first)? != before;
    match (parameters.update, made) {
        (_, true) => {
            operator::note(&format!("{} has a new key already; no second one is made.", cluster.first))?
        }
        (Update::Native, false) => {
            keyring::add(NEW_KEY, &cluster.first, KEY)?;
            node(&cluster.first).swap(NEW_KEY)?;
        }
        (Update::Product, false) => {
            update_by_product(cluster, &before)?;
            return operator::note("The product reports that the key is updated and sent.");
        }
    }
    quarantine::isolate(cluster, &away()?, AWAY)?;
    distribute(cluster, &cluster.others()?)
}

fn update_by_product(cluster: &Nodes, before: &str) -> Result<(), Fault> {
    let outcome = node(&cluster.first).run(UPDATE).call()?;
    let made = keys::digest(&cluster.first)? != before;
    if outcome.succeeded && made {
        return Ok(());
    }
    Err(match (outcome.succeeded, made) {
        (true, _) => Fault::failed(format!(
            "{UPDATE} on {} reported success without its effect: the key set is what it was",
            cluster.first
        ))
        .hint(format!("look at the product's log on {}; the cluster is stopped", cluster.first)),
        (false, true) => Fault::failed(format!(
            "{UPDATE} on {} ended early, with a new key made there and not sent everywhere: {}",
            cluster.first, outcome.reason
        ))
        .hint("resuming makes no second key: it puts this one on every node"),
        (false, false) => Fault::failed(format!(
            "{UPDATE} on {} failed, and made no new key: {}",
            cluster.first, outcome.reason
        ))
        .hint("resuming runs it again; rolling back starts the cluster with the key that it has"),
    })
}

/// Puts the key set of the first node on others. What does not answer is quarantined, but no management node.
fn distribute(cluster: &Nodes, to: &[String]) -> Result<(), Fault> {
    let keys::Put { away, mut failed } = keys::put(&cluster.first, to)?;
    let (managers, lost): (Vec<String>, Vec<String>) =
        away.into_iter().partition(|node| cluster.is_manager(node));
    failed.extend(managers.iter().map(|manager| format!("{manager}: it does not answer")));
    quarantine::isolate(cluster, &lost, AWAY)?;
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Fault::failed(format!("the new key set could not be put on {}", list(&failed)))
            .hint("mend that, and resume: the same key set is put there")),
    }
}

/// Before anything starts: one key set everywhere.
fn compare(cluster: &Nodes, parameters: &Parameters) -> Result<(), Fault> {
    let new = keys::digest(&cluster.first)?;
    if new == memory::expect(BEFORE)? {
        return Err(Fault::failed(format!("{} has the key set of before", cluster.first)));
    }
    let seen = keys::compare(&cluster.present()?, &new)?;
    let lost: Vec<String> = seen.away.iter().filter(|node| !cluster.is_manager(node)).cloned().collect();
    if lost.len() < seen.away.len() {
        return Err(Fault::new(
            "unreachable",
            format!("of {} a management node does not answer", list(&seen.away)),
        ));
    }
    quarantine::isolate(cluster, &lost, AWAY)?;
    if !seen.other.is_empty() {
        let missed = format!("the new key did not arrive on {}", list(&seen.other));
        let question = format!("Put the key set of {} there?", cluster.first);
        if !operator::confirm(&question, &format!("It was reported as sent, but {missed}."))? {
            return Err(Fault::failed(format!("{missed}: nothing was started"))
                .hint("bring it there, or resume and have it put there"));
        }
        distribute(cluster, &seen.other)?;
        let again = keys::compare(&seen.other, &new)?;
        if again.same.len() < seen.other.len() {
            return Err(Fault::failed(format!("{} still has another key set", list(&again.other))));
        }
        operator::note(&format!("The key set of {} was put on {}.", cluster.first, list(&seen.other)))?;
    }
    // What came up meanwhile has loaded the key set of before.
    services::still_down(cluster, &cluster.present()?, parameters.patience)?;
    let opened = keyring::opens(&cluster.first, KEY, OLD_CANARY)?;
    if opened.to_string() != memory::expect(OLD_VERSION)? {
        return Err(Fault::failed(
            "the new key set opens the canary with another version than it was sealed under",
        ));
    }
    operator::note(&format!(
        "{} have the same new key set, and what was sealed before opens.",
        count(cluster.present()?.len(), "node")
    ))
}

fn start(cluster: &Nodes, parameters: &Parameters) -> Result<(), Fault> {
    memory::mark(START_ASKED)?;
    let present = cluster.present()?;
    services::go(cluster, &present, Way::Up, parameters.patience)?;
    operator::note(&format!(
        "The cluster is started: every service runs on {}.",
        count(present.len(), "node")
    ))
}

fn rewrap(cluster: &Nodes) -> Result<(), Fault> {
    let sealed = keyring::rewrap(&cluster.first, KEY)?;
    operator::note(&format!("{sealed} of the site's own values were sealed anew."))
}
