//! The two nodes, as bound when the run began.

use std::fmt;
use windlass_sdk::{Fault, Member, Node, host, node};

/// A node's part for the whole run, whatever its role becomes meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Active when the run began.
    First,
    /// Standby then.
    Second,
}

impl Role {
    pub const BOTH: [Role; 2] = [Role::First, Role::Second];

    pub fn name(self) -> &'static str {
        match self {
            Role::First => "first",
            Role::Second => "second",
        }
    }

    pub fn other(self) -> Role {
        match self {
            Role::First => Role::Second,
            Role::Second => Role::First,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The names of the two nodes.
#[derive(Debug, Clone)]
pub struct Pair {
    first: String,
    second: String,
}

impl Pair {
    /// Asks the host which two nodes are bound.
    pub fn bound() -> Result<Pair, Fault> {
        Pair::of(&host::nodes::members()?)
    }

    fn of(members: &[Member]) -> Result<Pair, Fault> {
        let bound = |role: Role| -> Vec<String> {
            members
                .iter()
                .filter(|member| member.role == role.name())
                .map(|member| member.name.clone())
                .collect()
        };
        match (bound(Role::First).as_slice(), bound(Role::Second).as_slice()) {
            ([first], [second]) => Ok(Pair { first: first.clone(), second: second.clone() }),
            (first, second) => Err(Fault::failed(format!(
                    "an active and a standby management node are needed, one each; bound are {} as first and {} as second",
                    list(first),
                    list(second)
                ))
            .hint("see that the site's managers are exactly the two nodes of the pair, that both answer, and that one is active")),
        }
    }

    pub fn name(&self, role: Role) -> &str {
        match role {
            Role::First => &self.first,
            Role::Second => &self.second,
        }
    }

    pub fn node(&self, role: Role) -> Node<'_> {
        node(self.name(role))
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
