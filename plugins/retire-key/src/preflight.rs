//! Looks for everything that still needs the version, and says all of it at once.

use crate::{ACKNOWLEDGE, PRIMARY, RETIRE};
use key_sets::memory::{self, BEFORE, IMPACT};
use key_sets::nodes::Nodes;
use key_sets::words::{are, list};
use key_sets::{BACKUP, keys};
use windlass_sdk::procedure::Step;
use windlass_sdk::{Argument, Fault, Problems, Value, host::keyring, host::nodes};

/// The site's observation of whether the product has something that is sealed under a version. There may be none.
const UNUSED: &str = "key-version-unused";

pub fn steps(version: u32) -> Result<Vec<Step>, Fault> {
    let cluster = Nodes::bound()?;
    let set = keys::key_set(&cluster.first)?;
    let known: Vec<String> = set.versions.iter().map(|version| version.number.to_string()).collect();
    let primary = keys::primary(&set)?;
    let mut problems = Problems::default();
    if primary == version {
        problems.add(
            format!("version {version} is the one that new values are sealed under"),
            "windlass run root-key makes a new one first",
        );
    } else if !known.contains(&version.to_string()) {
        problems.add(
            format!("the key set has no version {version}: there is {}", list(&known)),
            "windlass keyring info shows them",
        );
    }
    one_key_set(&cluster, &mut problems)?;
    for need in problems.take(keyring::needs(version))?.unwrap_or_default() {
        problems.add(need, "");
    }
    backups(&cluster, version, &mut problems)?;
    let asked = product(&cluster, version, &mut problems)?;
    problems.into_result("preflight")?;

    memory::keep(PRIMARY, &primary.to_string())?;
    memory::keep(IMPACT, &impact(version, asked))?;
    Ok(vec![
        step(ACKNOWLEDGE, "Acknowledge the impact", &[], &[]),
        step(
            RETIRE,
            &format!("Take version {version} out of the key set of every node"),
            &cluster.all,
            &["roles"],
        ),
    ])
}

fn step(id: &str, title: &str, nodes: &[String], guards: &[&str]) -> Step {
    nodes.iter().fold(Step::new(id, title), Step::on).guards(guards).undoable()
}

/// A node that is away would come back with the version.
fn one_key_set(cluster: &Nodes, problems: &mut Problems) -> Result<(), Fault> {
    let Some(before) = problems.take(keys::digest(&cluster.first))? else { return Ok(()) };
    memory::keep(BEFORE, &before)?;
    let compared = keys::compare(&cluster.all, &before)?;
    if !compared.away.is_empty() {
        problems.add(format!("{} away", are(&compared.away)), "every node must answer: bring it up first");
    }
    if !compared.other.is_empty() {
        problems.add(
            format!("another key set than {} has is on {}", cluster.first, list(&compared.other)),
            "windlass run root-key -p mode=catch-up brings nodes that were away up to it",
        );
    }
    Ok(())
}

/// A backup whose primary it is was made for what is sealed under it.
fn backups(cluster: &Nodes, version: u32, problems: &mut Problems) -> Result<(), Fault> {
    for manager in [&cluster.first, &cluster.second] {
        let backup = problems.take(keyring::versions(manager, BACKUP))?.flatten();
        if backup.is_some_and(|set| keys::primary(&set).is_ok_and(|primary| primary == version)) {
            problems.add(
                format!("the backup on {manager} was taken when version {version} sealed what was new"),
                format!("once nothing is to be restored with it, remove it: windlass site explain {BACKUP} says where it lies"),
            );
        }
    }
    Ok(())
}

/// Asks every node's product. False: the site says no way to ask.
fn product(cluster: &Nodes, version: u32, problems: &mut Problems) -> Result<bool, Fault> {
    let argument = Argument { name: "version".into(), value: Value::Text(version.to_string()) };
    let asked = nodes::run_each(&cluster.all, UNUSED, &[argument])?;
    let mut known = false;
    for member in asked {
        match member.outcome {
            Ok(outcome) if outcome.succeeded => known = true,
            Ok(outcome) => {
                known = true;
                let said = outcome.output.join(", ");
                let what = if said.trim().is_empty() { outcome.reason } else { said };
                problems.add(format!("on {}: {what}", member.node), "");
            }
            Err(fault) if fault.is("unknown") => {}
            Err(fault) => problems.take::<()>(Err(fault)).map(drop)?,
        }
    }
    Ok(known)
}

fn impact(version: u32, asked: bool) -> String {
    let mut text = format!(
        "What is sealed under version {version} of the root key cannot be opened any more once this run is closed. \
         Nothing that Windlass keeps needs it."
    );
    if !asked {
        text += " Whether the product has something of its own that is sealed under it cannot be told here (the site \
                 has no key-version-unused): you say that it has not by going on.";
    }
    text
}
