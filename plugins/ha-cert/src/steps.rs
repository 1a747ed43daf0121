//! The steps of `sequential`: their public ids, their order, and what the plan says of them.

use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters};
use std::fmt;
use std::str::FromStr;
use windlass_sdk::{Fault, procedure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Root,
    Stage,
    Copy(Role),
    Replace(Role),
    Restart(Role),
}

impl Step {
    /// In the documented order; staging is the one addition.
    const SEQUENTIAL: [Step; 8] = [
        Step::Root,
        Step::Stage,
        Step::Copy(Role::First),
        Step::Copy(Role::Second),
        Step::Replace(Role::First),
        Step::Restart(Role::First),
        Step::Replace(Role::Second),
        Step::Restart(Role::Second),
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Root => write!(f, "root@first"),
            Step::Stage => write!(f, "stage"),
            Step::Copy(role) => write!(f, "copy@{role}"),
            Step::Replace(role) => write!(f, "replace@{role}"),
            Step::Restart(role) => write!(f, "restart@{role}"),
        }
    }
}

impl FromStr for Step {
    type Err = Fault;

    fn from_str(id: &str) -> Result<Step, Fault> {
        Step::SEQUENTIAL
            .into_iter()
            .find(|step| step.to_string() == id)
            .ok_or_else(|| Fault::new("invalid", format!("ha-cert has no step {id:?}")))
    }
}

/// Returns the plan.
pub fn planned(pair: &Pair, parameters: &Parameters) -> Vec<procedure::Step> {
    Step::SEQUENTIAL.into_iter().map(|step| plan(step, pair, parameters)).collect()
}

fn plan(step: Step, pair: &Pair, parameters: &Parameters) -> procedure::Step {
    let (title, nodes, impact) = match step {
        Step::Root => root(pair, parameters.ca),
        Step::Stage => (
            format!(
                "Place the new root beside the old one on {} and {}",
                pair.name(Role::First),
                pair.name(Role::Second)
            ),
            pair.names(),
            String::new(),
        ),
        Step::Copy(role) => (
            format!("Put the new root certificate and key in place on {}", pair.name(role)),
            vec![pair.name(role).to_owned()],
            // The services read their certificates when they start.
            String::new(),
        ),
        Step::Replace(role) => (
            match parameters.leaf {
                Leaf::Product => {
                    format!("Replace the HA certificate on {} by the product's script", pair.name(role))
                }
                Leaf::Host => {
                    format!("Replace the HA certificate on {} by one that Windlass issues", pair.name(role))
                }
            },
            vec![pair.name(role).to_owned()],
            String::new(),
        ),
        Step::Restart(role) => (
            format!("Restart OMS on {}", pair.name(role)),
            vec![pair.name(role).to_owned()],
            restart_impact(role, pair),
        ),
    };
    procedure::Step {
        id: step.to_string(),
        title,
        nodes,
        impact,
        guards: guards(step).iter().map(|guard| (*guard).to_owned()).collect(),
        undoable: true,
    }
}

fn root(pair: &Pair, ca: Ca) -> (String, Vec<String>, String) {
    let first = pair.name(Role::First);
    match ca {
        Ca::Host => {
            ("Generate the new root certificate and key in Windlass".into(), Vec::new(), String::new())
        }
        Ca::Supplied => {
            ("Take the root certificate and key that the site supplies".into(), Vec::new(), String::new())
        }
        Ca::Product => (
            format!("Generate the new root certificate and key on {first} by the product's script"),
            vec![first.to_owned()],
            format!(
                "The product takes the key's password as an argument: while its script runs, users of {first} can see it in the process list."
            ),
        ),
    }
}

fn restart_impact(role: Role, pair: &Pair) -> String {
    match role {
        Role::First => format!(
            "MRS Manager cannot be accessed until OMS is back; the active role may move. From here until {} is restarted too, the nodes trust different roots: their link is down.",
            pair.name(Role::Second)
        ),
        Role::Second => {
            "MRS Manager may be out of reach until OMS is back; then both nodes trust the new root and the link returns."
                .into()
        }
    }
}

fn guards(step: Step) -> &'static [&'static str] {
    match step {
        Step::Root => &[],
        Step::Stage | Step::Copy(_) | Step::Replace(Role::First) => &["roles", "reachable"],
        Step::Restart(Role::First) => &["roles", "clocks", "reachable"],
        // After the first restart the link is down, as expected: the nodes no longer agree on who is active.
        Step::Replace(Role::Second) => &["reachable"],
        Step::Restart(Role::Second) => &["clocks", "reachable"],
    }
}
