//! Nodes that were away: kept apart, and let in again.

use crate::names::{ISOLATE, JOIN, NODE};
use key_sets::nodes::{Nodes, add_away};
use windlass_sdk::{Fault, host::nodes, host::operator, node};

/// Puts nodes that do not answer in quarantine, and has the product keep them from starting where it can.
pub fn isolate(cluster: &Nodes, away: &[String], reason: &str) -> Result<(), Fault> {
    if away.is_empty() {
        return Ok(());
    }
    add_away(away)?;
    for absent in away {
        nodes::quarantine(absent, reason)?;
        operator::note(&format!("{absent} is in quarantine: {reason}."))?;
        change(cluster, ISOLATE, absent)?;
    }
    Ok(())
}

/// Releases a node, and has the product let it start.
pub fn join(cluster: &Nodes, level: &str) -> Result<(), Fault> {
    nodes::release(level)?;
    change(cluster, JOIN, level)?;
    operator::note(&format!("{level} is out of quarantine."))
}

/// Runs one of the two commands. A profile that has none leaves it at the word in the journal.
fn change(cluster: &Nodes, command: &str, member: &str) -> Result<(), Fault> {
    match node(&cluster.first).run(command).text(NODE, member).call() {
        Ok(outcome) if outcome.succeeded => Ok(()),
        Ok(outcome) => Err(Fault::failed(format!("{command} of {member}: {}", outcome.reason))),
        Err(fault) if fault.is("unknown") => Ok(()),
        Err(fault) => Err(fault),
    }
}
