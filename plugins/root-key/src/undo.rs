//! Takes one step back, as far as it got. Once the cluster was told to start with the new key there is no way back:
//! what it has stored since is sealed under that key, and the old set does not open it.

use crate::level;
use crate::memory::{self, BEFORE, START_ASKED, STOP_ASKED, UNSEEN};
use crate::names::{BACKUP, KEY};
use crate::parameters::Parameters;
use crate::quarantine;
use crate::services::{self, Way};
use crate::steps::Step;
use crate::unseen;
use key_sets::keys;
use key_sets::nodes::{Nodes, away};
use key_sets::words::list;
use windlass_sdk::{Content, Fault, host::files, host::operator, node};

pub fn undo(step: Step) -> Result<(), Fault> {
    let cluster = Nodes::bound()?;
    match step {
        Step::Update if memory::is_marked(UNSEEN)? => unseen::undo(),
        Step::Rewrap | Step::Start => started(),
        Step::Compare | Step::Acknowledge | Step::Applications => Ok(()),
        Step::Update => update(&cluster),
        Step::Stop => stop(&cluster),
        Step::Backup => backup(&cluster),
        Step::Level => level::unlevel(&cluster),
        Step::Join => level::part(&cluster),
    }
}

fn started() -> Result<(), Fault> {
    match memory::is_marked(START_ASKED)? {
        false => Ok(()),
        true => Err(Fault::new(
            "no-way-back",
            "the cluster was started with the new key: what was stored since is sealed under it, and the key set of \
             before does not open that",
        )
        .hint("resume the run: it goes on with the new key; the old one is in the key set and opens what is older")),
    }
}

/// The key set of before, on every node that has another one.
fn update(cluster: &Nodes) -> Result<(), Fault> {
    let before = memory::expect(BEFORE)?;
    // The first one last: as long as it has the new key set, a run that is cut short here goes on here.
    let mut present = cluster.others()?;
    present.push(cluster.first.clone());
    for changed in keys::compare(&present, &before)?.other {
        node(&changed).restore(KEY)?;
    }
    // What the product has written elsewhere the run has not saved; the backup has it.
    let left = keys::compare(&present, &before)?;
    if !left.other.is_empty() {
        let put = files::put_each(&left.other, KEY, &Content::file(&cluster.first, BACKUP))?;
        if let Some(fault) = put.into_iter().find_map(|member| member.done.err()) {
            return Err(fault);
        }
    }
    let left = keys::compare(&present, &before)?;
    if !left.other.is_empty() || !left.away.is_empty() {
        let mut wrong = left.other;
        wrong.extend(left.away);
        return Err(Fault::failed(format!(
            "{} has not the key set of before, or does not answer",
            list(&wrong)
        ))
        .hint("bring it up, and go on with the way back"));
    }
    release(cluster, &before)
}

/// Lets go of the nodes that this run has put in quarantine, as far as they have the key set of before.
fn release(cluster: &Nodes, before: &str) -> Result<(), Fault> {
    let mine = away()?;
    if mine.is_empty() {
        return Ok(());
    }
    keys::compare(&mine, before)?.same.iter().try_for_each(|level| quarantine::join(cluster, level))
}

fn stop(cluster: &Nodes) -> Result<(), Fault> {
    if !memory::is_marked(STOP_ASKED)? {
        return Ok(());
    }
    let present = cluster.present()?;
    services::go(cluster, &present, Way::Up, Parameters::read()?.patience)?;
    operator::note("The cluster is started again, with the key that it had.")
}

fn backup(cluster: &Nodes) -> Result<(), Fault> {
    for manager in [&cluster.first, &cluster.second] {
        node(manager).restore(BACKUP)?;
    }
    Ok(())
}
