//! Looks at everything that the update needs, says all that is in its way at once, and plans the steps.

use crate::memory::{self, BEFORE, IMPACT, OLD_VERSION, UNSEEN};
use crate::names::{APPLICATIONS, KEY};
use crate::parameters::{Parameters, Update};
use crate::services::{self, Way};
use crate::steps::Step;
use crate::unseen;
use crate::words;
use key_sets::keys::{self, Compared};
use key_sets::nodes::{Nodes, keep_away};
use key_sets::words::{are, count, list};
use windlass_sdk::{Fault, Problems, host::nodes as host_nodes, host::operator, node, procedure};

/// Bytes that must be free where the key set lies: the new one, the backup, and what the run saves.
const ROOM: u64 = 4 * 1024 * 1024;

pub fn steps(parameters: &Parameters) -> Result<Vec<procedure::Step>, Fault> {
    let cluster = Nodes::bound()?;
    let mut problems = Problems::default();
    if parameters.update == Update::Native && !parameters.product_reads {
        problems.add(
            "update = native is refused: the profile does not say that the product reads a key set made by Windlass",
            "use update = product, or, where it is known to, set product_reads_keyset = \"yes\" in [defaults.root-key] of the site's profile",
        );
    }
    let unseen = match parameters.update {
        Update::Product => unseen::look(&cluster)?,
        Update::Native => None,
    };
    let seen = unseen.is_none();
    let compared = match unseen {
        Some(compared) => {
            memory::mark(UNSEEN)?;
            compared
        }
        None => look_at_keys(&cluster, &mut problems)?,
    };
    look_at_services(&cluster, &compared.away, &mut problems)?;
    let proved = look_at_applications(&cluster, &mut problems)?;
    look_at_away(&cluster, parameters, &compared, &mut problems)?;
    problems.into_result("preflight")?;

    keep_away(&compared.away)?;
    memory::keep(IMPACT, &impact(&compared.away, proved, seen))?;
    if seen {
        operator::note(&format!("{} have the same key set.", count(compared.same.len(), "node")))?;
    }
    let mut steps = planned(&cluster, parameters, &compared.same);
    if !seen {
        steps.retain(|step| step.id != Step::Backup.id());
    }
    Ok(steps)
}

/// Every node that answers has the one key set; its digest and its primary are kept.
fn look_at_keys(cluster: &Nodes, problems: &mut Problems) -> Result<Compared, Fault> {
    let Some(before) = problems.take(keys::digest(&cluster.first))? else { return Ok(Compared::default()) };
    if let Some(set) = problems.take(keys::key_set(&cluster.first))? {
        memory::keep(OLD_VERSION, &keys::primary(&set)?.to_string())?;
    }
    memory::keep(BEFORE, &before)?;
    let compared = keys::compare(&cluster.all, &before)?;
    if !compared.other.is_empty() {
        problems.add(
            format!("another key set than {} has, or none, is on {}", cluster.first, list(&compared.other)),
            "windlass keyring info shows them; windlass run root-key -p mode=catch-up brings nodes that were away up to it",
        );
    }
    if let Some(room) = problems.take(node(&cluster.first).space(KEY))?
        && room < ROOM
    {
        problems.add(
            format!("{room} bytes are free where {KEY} lies on {}, and {ROOM} are wanted", cluster.first),
            "make room there",
        );
    }
    Ok(compared)
}

fn look_at_services(cluster: &Nodes, away: &[String], problems: &mut Problems) -> Result<(), Fault> {
    let present: Vec<String> = cluster.all.iter().filter(|node| !away.contains(node)).cloned().collect();
    let (Some(down), Some(up)) = (
        problems.take(services::look(&present, Way::Down))?,
        problems.take(services::look(&present, Way::Up))?,
    ) else {
        return Ok(());
    };
    // One that is neither is no state to begin in: who could say afterwards what the update has done to it?
    let between: Vec<String> = up
        .not_so
        .iter()
        .filter(|line| down.not_so.iter().any(|other| name_of(other) == name_of(line)))
        .cloned()
        .collect();
    if !between.is_empty() {
        problems.add(
            format!("services are neither all running nor all stopped on {}", list(&between)),
            "start or stop them; where the look itself fails, the site's profile says in services-stopped and services-started how it is done",
        );
    }
    Ok(())
}

fn name_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

/// Whether the site has a check for it.
fn look_at_applications(cluster: &Nodes, problems: &mut Problems) -> Result<bool, Fault> {
    match applications_stopped(&cluster.first) {
        Ok(known) => Ok(known),
        Err(fault) if fault.is("preflight") => {
            problems.add(fault.message, fault.hint);
            Ok(true)
        }
        Err(fault) => problems.take::<bool>(Err(fault)).map(|_| true),
    }
}

/// Asks the site's check. False: the site has none. A fault of the code `preflight` where they are not stopped.
pub fn applications_stopped(first: &str) -> Result<bool, Fault> {
    match node(first).run(APPLICATIONS).call() {
        Ok(outcome) if outcome.succeeded => Ok(true),
        Ok(outcome) => {
            let said = outcome.output.join(", ");
            let why = if said.trim().is_empty() { outcome.reason } else { said };
            Err(Fault::new("preflight", format!("the upper-layer applications are not stopped: {why}"))
                .hint("stop them; then begin again"))
        }
        Err(fault) if fault.is("unknown") => Ok(false),
        Err(fault) => Err(fault),
    }
}

fn look_at_away(
    cluster: &Nodes,
    parameters: &Parameters,
    compared: &Compared,
    problems: &mut Problems,
) -> Result<(), Fault> {
    let managers: Vec<String> =
        compared.away.iter().filter(|node| cluster.is_manager(node)).cloned().collect();
    if !managers.is_empty() {
        problems.add(
            format!("{} does not answer, and is a management node", list(&managers)),
            "bring it up first",
        );
    }
    if parameters.update == Update::Product && compared.away.len() > managers.len() {
        problems.add(
            format!(
                "{} away, and what the product's script makes of a node that it cannot reach is not known",
                are(&compared.away)
            ),
            "bring it up first, or take it out of the cluster and of the site",
        );
    }
    for quarantined in host_nodes::quarantined()? {
        if !compared.away.contains(&quarantined.node) {
            problems.add(
                format!("{} is in quarantine: {}", quarantined.node, quarantined.reason),
                "windlass run root-key -p mode=catch-up brings it up to the cluster's key set",
            );
        }
    }
    Ok(())
}

/// What is acknowledged: the documentation's words, and what is particular to this run.
fn impact(away: &[String], proved: bool, seen: bool) -> String {
    let mut text = words::IMPACT.to_owned();
    if !proved {
        text += " Nothing here can tell whether the upper-layer applications that depend on the cluster are stopped \
                 (the site has no applications-stopped): you say so by going on.";
    }
    if !seen {
        text += unseen::IMPACT;
    }
    if !away.is_empty() {
        text += &format!(
            " {} away: without the new key, and kept in quarantine until catch-up has brought the new key there.",
            are(away)
        );
    }
    text
}

fn planned(cluster: &Nodes, parameters: &Parameters, present: &[String]) -> Vec<procedure::Step> {
    let first = std::slice::from_ref(&cluster.first);
    let managers = [cluster.first.clone(), cluster.second.clone()];
    let mut steps = vec![
        Step::Acknowledge.planned("Acknowledge the impact", &[]),
        Step::Applications.planned("See that the upper-layer applications are stopped", &[]),
        Step::Backup
            .planned("Back up the key set, seal a canary under it, and open that with the backup", &managers),
        Step::Stop.planned("Stop the cluster, and see that every service of every node is down", present),
        match parameters.update {
            Update::Product => Step::Update.planned("Update the root key by the product's script", present),
            Update::Native => {
                Step::Update.planned("Make a new version of the key set, and put it on every node", present)
            }
        },
        Step::Compare.planned("See that every node has the same key set", &[]),
        Step::Start.planned("Start the cluster, and see that every service of every node runs", present),
    ];
    if parameters.rewrap {
        steps.push(Step::Rewrap.planned("Seal the site's own values anew", first));
    }
    steps
}
