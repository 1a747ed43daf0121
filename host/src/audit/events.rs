//! What a hook is told in a rehearsal.

use crate::journal::{CallName, Row, StoredRow};
use crate::model::{Entry, Fault, Moment, NodeName, PluginName, Roles, RunId, code};
use crate::plugin::HookEvent;
use crate::site::{HookAt, Scenario, ScenarioEvent, Steps};
use indexmap::IndexMap;

/// What a hook answered at a moment in an earlier life; none: it has not answered yet.
pub(super) fn answered(rows: &[StoredRow], call: &CallName) -> Option<Result<(), Fault>> {
    rows.iter().find_map(|stored| match &stored.row {
        Row::CallEnded { call: ended, result } if ended == call => Some(result.clone()),
        _ => None,
    })
}

/// A scenario that names none has one: the beginning of a run.
pub(super) fn events_of(scenario: &Scenario) -> Result<Vec<ScenarioEvent>, Fault> {
    if !scenario.events.is_empty() {
        return Ok(scenario.events.clone());
    }
    Ok(vec![ScenarioEvent {
        procedure: PluginName::new("ha-cert").map_err(|error| Fault::new(code::FAILED, error.to_string()))?,
        at: HookAt::BeforeRun,
        details: IndexMap::new(),
        params: IndexMap::new(),
    }])
}

pub(super) fn moment(at: &HookAt) -> Result<Moment, Fault> {
    Ok(match at {
        HookAt::BeforeRun => Moment::BeforeRun,
        HookAt::BeforeStep(Steps::One(step)) => Moment::BeforeStep(step.clone()),
        HookAt::AfterStep(Steps::One(step)) => Moment::AfterStep(step.clone()),
        HookAt::AfterRun => Moment::AfterRun,
        HookAt::OnFailure => Moment::OnFailure,
        HookAt::OnRollback => Moment::OnRollback,
        HookAt::BeforeStep(Steps::Each) | HookAt::AfterStep(Steps::Each) => {
            return Err(Fault::new(code::INVALID, "an event of a scenario is of one step"));
        }
    })
}

/// The event as a run would tell it; what the scenario says of it goes before.
pub(super) fn told(
    event: &ScenarioEvent,
    at: &Moment,
    roles: Option<&Roles>,
    scenario: &Scenario,
    run: &RunId,
) -> HookEvent {
    let mut details: IndexMap<String, String> = IndexMap::new();
    let mut add = |name: &str, value: &str| drop(details.insert(name.into(), value.into()));
    add("procedure", event.procedure.as_str());
    add("run", run.as_str());
    add("site", &scenario.site.name);
    if let Some(Roles { first, second }) = roles {
        add("first", first.as_str());
        add("second", second.as_str());
    }
    if let Some(step) = at.step() {
        add("step", step.as_str());
        add("title", step.as_str());
        let node = step.as_str().split_once('@').map(|(_, place)| match (place, roles) {
            ("first", Some(roles)) => roles.first.as_str(),
            ("second", Some(roles)) => roles.second.as_str(),
            (node, _) => node,
        });
        if let Some(node) = node.filter(|node| NodeName::new(*node).is_ok()) {
            add("node", node);
        }
        add("nodes", node.unwrap_or_default());
    }
    if *at == Moment::OnFailure {
        add("reason", "step-failed");
        add("message", "a step failed");
    }
    details.extend(event.details.clone());
    let mut params = scenario.params.clone();
    params.extend(event.params.clone());
    HookEvent { code: at.code().into(), details: entries(details), parameters: entries(params) }
}

fn entries(of: IndexMap<String, String>) -> Vec<Entry> {
    of.into_iter().map(|(name, value)| Entry { name, value }).collect()
}
