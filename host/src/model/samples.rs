//! A plan with nothing in it, for the tests that fill in what they are about.

pub(crate) mod audit;

use super::{Covers, Digested, PLAN_FORMAT, Plan, PlannedStep, PluginName, StepId};

pub(crate) fn covers() -> Covers {
    Covers {
        site: Digested { name: String::new(), sha256: String::new() },
        profile: Vec::new(),
        grants: None,
        lock: None,
        files: Vec::new(),
        plugins: Vec::new(),
        hooks: Vec::new(),
        supplied: None,
        roles: None,
        parameters: Vec::new(),
    }
}

pub(crate) fn plan(procedure: &str) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        windlass: String::new(),
        procedure: PluginName::new(procedure).unwrap(),
        title: String::new(),
        impact: String::new(),
        ack: String::new(),
        requester: String::new(),
        made: 0,
        expires: 0,
        nonce: String::new(),
        covers: covers(),
        preflight: Vec::new(),
        steps: Vec::new(),
        verification: Vec::new(),
        hooks: Vec::new(),
        checks: Vec::new(),
        symbols: Vec::new(),
        assumed: Vec::new(),
    }
}

pub(crate) fn step(id: &str) -> PlannedStep {
    PlannedStep {
        id: StepId::new(id).unwrap(),
        title: String::new(),
        nodes: Vec::new(),
        impact: String::new(),
        guards: Vec::new(),
        undoable: true,
    }
}
