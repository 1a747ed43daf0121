//! The steps: their public ids, their order by strategy, and what the plan says of them.

use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters};
use crate::repair::{Plan, Source};
use std::fmt;
use std::str::FromStr;
use windlass_sdk::{Fault, procedure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Only of `repair`.
    Acknowledge,
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

    fn all() -> impl Iterator<Item = Step> {
        [Step::Acknowledge].into_iter().chain(Step::SEQUENTIAL)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Acknowledge => write!(f, "acknowledge"),
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
        Step::all()
            .find(|step| step.to_string() == id)
            .ok_or_else(|| Fault::new("invalid", format!("ha-cert has no step {id:?}")))
    }
}

/// Returns the plan of `sequential`.
pub fn planned(pair: &Pair, parameters: &Parameters) -> Vec<procedure::Step> {
    Step::SEQUENTIAL.into_iter().map(|step| plan(step, pair, parameters, None)).collect()
}

/// Returns the plan of a repair: the same steps in the same order, as far as they are needed.
pub fn repairing(pair: &Pair, parameters: &Parameters, repair: &Plan) -> Vec<procedure::Step> {
    let copies = Role::BOTH.into_iter().any(|role| repair.of(role).copy);
    let needed = |step: &Step| match step {
        Step::Acknowledge => true,
        Step::Root => repair.source == Source::New,
        Step::Stage => copies,
        Step::Copy(role) => repair.of(*role).copy,
        Step::Replace(role) => repair.of(*role).replace,
        Step::Restart(role) => repair.of(*role).restart,
    };
    Step::all().filter(needed).map(|step| plan(step, pair, parameters, Some(repair))).collect()
}

fn plan(step: Step, pair: &Pair, parameters: &Parameters, repair: Option<&Plan>) -> procedure::Step {
    // Where a repair brings one node to the other's root, that is the one that is copied.
    let of = match repair.map(|plan| plan.source) {
        Some(Source::Node(role)) => Some(pair.name(role)),
        Some(Source::New | Source::Supplied) | None => None,
    };
    let (title, nodes, impact) = match step {
        Step::Acknowledge => (
            "Have it acknowledged what was found and what is done about it".into(),
            Vec::new(),
            String::new(),
        ),
        Step::Root => root(pair, parameters.ca),
        Step::Stage => {
            let copies = |role: &Role| repair.is_none_or(|plan| plan.of(*role).copy);
            let nodes: Vec<String> =
                Role::BOTH.into_iter().filter(copies).map(|role| pair.name(role).to_owned()).collect();
            let root = of.map_or_else(|| "the new root".into(), |name| format!("the root of {name}"));
            (format!("Place {root} beside the old one on {}", nodes.join(" and ")), nodes, String::new())
        }
        Step::Copy(role) => (
            match of {
                None => format!("Put the new root certificate and key in place on {}", pair.name(role)),
                Some(name) => {
                    format!("Put the root certificate and key of {name} in place on {}", pair.name(role))
                }
            },
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
            if repair.is_some() { RESTART.into() } else { restart_impact(role, pair) },
        ),
    };
    procedure::Step {
        id: step.to_string(),
        title,
        nodes,
        impact,
        guards: guards(step, repair.is_some()).iter().map(|guard| (*guard).to_owned()).collect(),
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
                "Where the product's script takes the key's password as an argument, as that of 2.x does, users of {first} can see it in the process list while it runs."
            ),
        ),
    }
}

/// What a restart of a repair is noticed by: the link is nothing to count on before it is done.
const RESTART: &str = "MRS Manager may be out of reach until OMS is back; the active role may move.";

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

fn guards(step: Step, repair: bool) -> &'static [&'static str] {
    match step {
        Step::Acknowledge | Step::Root => &[],
        // The nodes of a pair that is not well need not agree on who is active.
        Step::Stage | Step::Copy(_) | Step::Replace(_) if repair => &["reachable"],
        Step::Restart(_) if repair => &["clocks", "reachable"],
        Step::Stage | Step::Copy(_) | Step::Replace(Role::First) => &["roles", "reachable"],
        Step::Restart(Role::First) => &["roles", "clocks", "reachable"],
        // After the first restart the link is down, as expected: the nodes no longer agree on who is active.
        Step::Replace(Role::Second) => &["reachable"],
        Step::Restart(Role::Second) => &["clocks", "reachable"],
    }
}
