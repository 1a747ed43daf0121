//! The nodes of the cluster, as bound when the run began, and those that do not answer.

use crate::memory;
use windlass_sdk::{Fault, Member, host};

/// Where the nodes that did not answer are kept, one a line.
const AWAY: &str = "away";

/// The nodes by name, in inventory order.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// The active management node.
    pub first: String,
    /// The standby.
    pub second: String,
    pub all: Vec<String>,
}

impl Nodes {
    /// Asks the host which nodes there are.
    pub fn bound() -> Result<Nodes, Fault> {
        Nodes::of(&host::nodes::members()?)
    }

    fn of(members: &[Member]) -> Result<Nodes, Fault> {
        let bound =
            |role: &str| members.iter().find(|member| member.role == role).map(|member| member.name.clone());
        let (Some(first), Some(second)) = (bound("first"), bound("second")) else {
            return Err(Fault::failed("an active and a standby management node are needed, one each").hint(
                "see that the site's managers are the two nodes of the pair, that both answer, and that one is active",
            ));
        };
        Ok(Nodes { first, second, all: members.iter().map(|member| member.name.clone()).collect() })
    }

    pub fn is_manager(&self, node: &str) -> bool {
        node == self.first || node == self.second
    }

    /// Those that this run counts on: all but the ones that it has found away.
    pub fn present(&self) -> Result<Vec<String>, Fault> {
        let away = away()?;
        Ok(self.all.iter().filter(|node| !away.contains(node)).cloned().collect())
    }

    /// Those, but the first.
    pub fn others(&self) -> Result<Vec<String>, Fault> {
        let mut present = self.present()?;
        present.retain(|node| *node != self.first);
        Ok(present)
    }
}

/// The nodes that this run has found away.
pub fn away() -> Result<Vec<String>, Fault> {
    let kept = memory::recall(AWAY)?.unwrap_or_default();
    Ok(kept.lines().map(str::to_owned).collect())
}

/// Keeps which nodes are away.
pub fn keep_away(nodes: &[String]) -> Result<(), Fault> {
    memory::keep(AWAY, &nodes.join("\n"))
}

/// Notes nodes as away, besides those that are noted.
pub fn add_away(nodes: &[String]) -> Result<(), Fault> {
    let mut all = away()?;
    for node in nodes {
        if !all.contains(node) {
            all.push(node.clone());
        }
    }
    keep_away(&all)
}
