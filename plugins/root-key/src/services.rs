//! Stopping and starting the cluster, and seeing on every node that it is so.
//!
//! The manager's word is not taken for it: each node's own services are asked.

use crate::names::{START, STARTED, STOP, STOPPED};
use key_sets::nodes::Nodes;
use key_sets::words::list;
use windlass_sdk::{Fault, Outcome, host::clock, host::nodes, host::operator, node};

/// Between two looks at the services, in milliseconds.
const EVERY: u32 = 2_000;

/// Which way the services go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Down,
    Up,
}

impl Way {
    fn command(self) -> &'static str {
        match self {
            Way::Down => STOP,
            Way::Up => START,
        }
    }

    fn observed_by(self) -> &'static str {
        match self {
            Way::Down => STOPPED,
            Way::Up => STARTED,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Way::Down => "stopped",
            Way::Up => "started",
        }
    }
}

/// How the services of some nodes stand, against what is wanted.
#[derive(Debug, Default)]
pub struct Seen {
    /// As wanted.
    pub so: Vec<String>,
    /// Not so, with what each service is: `member1: DBService running`.
    pub not_so: Vec<String>,
    /// Nodes that do not answer.
    pub away: Vec<String>,
}

/// Looks at the services of nodes. A fault that is not about one node is passed on.
pub fn look(on: &[String], way: Way) -> Result<Seen, Fault> {
    let mut seen = Seen::default();
    for member in nodes::run_each(on, way.observed_by(), &[])? {
        match member.outcome {
            Ok(outcome) if outcome.succeeded => seen.so.push(member.node),
            Ok(outcome) => seen.not_so.push(format!("{}: {}", member.node, said(&outcome))),
            Err(fault) if fault.is("unreachable") => seen.away.push(member.node),
            Err(fault) => seen.not_so.push(format!("{}: {}", member.node, fault.message)),
        }
    }
    Ok(seen)
}

/// What an observation printed of the services, or why it says nothing.
fn said(outcome: &Outcome) -> String {
    let lines: Vec<&str> =
        outcome.output.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { outcome.reason.clone() } else { lines.join(", ") }
}

/// Tells the cluster to go a way and waits until every node's services have gone it. The message of a fault names
/// what has not, by service and node.
pub fn go(cluster: &Nodes, present: &[String], way: Way, patience: u32) -> Result<(), Fault> {
    let outcome = node(&cluster.first).run(way.command()).call()?;
    let mut waited = 0;
    loop {
        let seen = look(present, way)?;
        let left = seen.not_so.len() + seen.away.len();
        operator::progress(seen.so.len() as u32, present.len() as u32, &format!("nodes {}", way.word()))?;
        if left == 0 {
            return Ok(());
        }
        // Where the command itself has failed, nothing more is to come.
        if !outcome.succeeded || waited >= patience {
            return Err(failed(&outcome, &seen, way, patience));
        }
        clock::sleep(EVERY)?;
        waited += EVERY;
    }
}

/// Sees that nothing has come up again since the cluster was stopped, as a node that was started again may, and has
/// it stopped where it has.
pub fn still_down(cluster: &Nodes, present: &[String], patience: u32) -> Result<(), Fault> {
    let seen = look(present, Way::Down)?;
    if seen.not_so.is_empty() {
        return Ok(());
    }
    operator::note(&format!("Came up again, and is stopped: {}.", list(&seen.not_so)))?;
    go(cluster, present, Way::Down, patience)
}

fn failed(outcome: &Outcome, seen: &Seen, way: Way, patience: u32) -> Fault {
    let mut left = seen.not_so.clone();
    left.extend(seen.away.iter().map(|node| format!("{node}: does not answer")));
    let why = match outcome.succeeded {
        false => format!("{} failed ({})", way.command(), said(outcome)),
        true => format!("{} is done, and after {} s", way.command(), patience / 1_000),
    };
    Fault::failed(format!("{why}; not {}: {}", way.word(), list(&left)))
}
