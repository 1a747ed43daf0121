//! Rehearsals: a plugin on the simulated cluster of a scenario, and the transcript of what it did there.

use super::ending::{fault_error, journal_error, plugin_error};
use super::parameters;
use super::plan::{GoesOn, scratch};
use super::plugins::{needs, policy_for, rules};
use crate::backend::rehearsal::Rehearsal;
use crate::cli::error::{Error, Exit, Result};
use crate::effect::{CallPath, Interrupt, Limits, Replay, Surroundings};
use crate::journal::{CallName, Journal, Row};
use crate::model::{Entry, Fault, Moment, NodeName, Roles, RunId, code};
use crate::plugin::{HookAnswer, HookEvent, Kind, Plugin};
use crate::policy::Gate;
use crate::report;
use crate::run::{
    CallError, Ground, HookCalls as _, MOST_EFFECTS, Machine, PluginHook, PluginProcedure, Settings, Tracked,
};
use crate::site::{HookAt, ProcedureSettings, Scenario, ScenarioEvent, Steps};
use indexmap::IndexMap;
use std::sync::Arc;

/// What a run is called in a rehearsal.
const RUN: &str = "rehearsal";

/// Rehearses a plugin on a scenario, and returns the lines of the transcript.
pub fn rehearse(plugin: &Arc<Plugin>, scenario: &Scenario) -> Result<Vec<String>> {
    let runtime = super::network::one_thread()?;
    runtime.block_on(rehearsed(plugin, scenario))
}

async fn rehearsed(plugin: &Arc<Plugin>, scenario: &Scenario) -> Result<Vec<String>> {
    let name = plugin.name();
    let grants = match &scenario.grants {
        Some(block) => rules(block, "[grants] of the scenario")?,
        None => needs(plugin)?,
    };
    let gate = Gate::new(name.clone(), needs(plugin)?, grants, scenario.allow_secret_in_argv);
    let parameters = match plugin.manifest().kind {
        Kind::Procedure => procedure_parameters(plugin, scenario).await?,
        Kind::Hook => IndexMap::new(),
    };
    let policy = policy_for(&scenario.site, name)?;
    let rehearsal = Rehearsal::new(scenario, parameters, policy).map_err(|fault| {
        fault_error(Exit::Usage, &fault).hint("what files hold, the scenario's profile says")
    })?;
    let scratch = scratch()?;
    let run = RunId::new(RUN).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let journal = Arc::new(Journal::create(&scratch.path, &run).map_err(journal_error)?);
    match plugin.manifest().kind {
        Kind::Procedure => procedure(plugin, gate, &rehearsal, &journal).await,
        Kind::Hook => hook(plugin, gate, &rehearsal, &journal, scenario).await?,
    }
    journal.flush().map_err(journal_error)?;
    let rows = Journal::read(&scratch.path, journal.run()).map_err(journal_error)?;
    Ok(report::transcript(&rows).iter().map(|line| rehearsal.shown(line)).collect())
}

/// Settled as a run settles them; what the scenario gives stands where the site's do.
async fn procedure_parameters(plugin: &Plugin, scenario: &Scenario) -> Result<IndexMap<String, String>> {
    let described = plugin.procedure_describe().await.map_err(plugin_error)?;
    let settings = ProcedureSettings { params: scenario.params.clone(), ..ProcedureSettings::default() };
    parameters::settle(plugin.name(), &described, &scenario.site, &settings, &[], "[params] of the scenario")
}

async fn procedure(plugin: &Arc<Plugin>, gate: Gate, rehearsal: &Arc<Rehearsal>, journal: &Arc<Journal>) {
    let machine = Machine {
        settings: Settings {
            run: journal.run().clone(),
            plugin: plugin.name().clone(),
            site: rehearsal.site().name.clone(),
            told_run: RUN.into(),
            planning: false,
            roll_back_on_failure: false,
            preflight_code: super::drive::PREFLIGHT,
        },
        gate,
        procedure: Arc::new(PluginProcedure::new(plugin.clone())),
        hooks: Vec::new(),
        ground: rehearsal.clone(),
        journal: journal.clone(),
        events: Arc::new(|_| {}),
        interrupt: Interrupt::default(),
        asker: Arc::new(GoesOn),
        expected: None,
        rows: Vec::new(),
        position: Tracked::of(journal, &[]),
    };
    // How it ended is in the journal.
    machine.drive().await;
}

/// Hands a hook the events of the scenario, one after another.
async fn hook(
    plugin: &Arc<Plugin>,
    gate: Gate,
    rehearsal: &Arc<Rehearsal>,
    journal: &Arc<Journal>,
    scenario: &Scenario,
) -> Result<()> {
    // A pair that is not one active and one standby node has no roles, and a hook is not told of any.
    let roles = rehearsal.observe_roles().await.ok().flatten();
    if let Some(roles) = &roles {
        rehearsal.bind_roles(roles);
        let Roles { first, second } = roles.clone();
        journal.note(&Row::RolesBound { first, second, how: None }).map_err(journal_error)?;
    }
    let around = Surroundings {
        plugin: plugin.name().clone(),
        gate,
        journal: journal.clone(),
        backend: rehearsal.clone(),
        events: Arc::new(|_| {}),
        interrupt: Interrupt::default(),
        expected: None,
    };
    let calls = PluginHook::new(plugin.clone());
    for event in events_of(scenario)? {
        let at = moment(&event.at)?;
        let call = CallName::Hook { hook: plugin.name().clone(), at: at.clone() };
        journal.note(&Row::CallBegan { call: call.clone() }).map_err(journal_error)?;
        let path = CallPath::new(around.clone(), call.clone(), Replay::of(&call, &[]))
            .limited(Limits { effects: MOST_EFFECTS, time: None });
        let told = told(&event, &at, roles.as_ref(), scenario);
        let result = match calls.handle(&told, path).await {
            Ok(HookAnswer::GoOn) => Ok(()),
            Ok(HookAnswer::Warn(text)) => {
                let row = Row::HookWarned { hook: plugin.name().clone(), at: at.clone(), text };
                journal.note(&row).map_err(journal_error)?;
                Ok(())
            }
            Ok(HookAnswer::Veto(reason)) if at.may_veto() => Err(Fault::new(code::VETO, reason)),
            Ok(HookAnswer::Veto(reason)) => Err(Fault::new(
                code::INVALID,
                format!("it vetoed, which it can only before something happens: {reason}"),
            )),
            Err(CallError::Fault(fault)) => Err(fault),
            Err(CallError::Broken(why)) => Err(Fault::new(code::FAILED, why)),
            Err(CallError::Stop(stop)) => Err(Fault::new(code::FAILED, stop.message)),
        };
        journal.note(&Row::CallEnded { call, result }).map_err(journal_error)?;
    }
    Ok(())
}

/// A scenario that names none has one: the beginning of a run.
fn events_of(scenario: &Scenario) -> Result<Vec<ScenarioEvent>> {
    if !scenario.events.is_empty() {
        return Ok(scenario.events.clone());
    }
    Ok(vec![ScenarioEvent {
        procedure: super::prepare::procedure_name("ha-cert")?,
        at: HookAt::BeforeRun,
        details: IndexMap::new(),
        params: IndexMap::new(),
    }])
}

fn moment(at: &HookAt) -> Result<Moment> {
    Ok(match at {
        HookAt::BeforeRun => Moment::BeforeRun,
        HookAt::BeforeStep(Steps::One(step)) => Moment::BeforeStep(step.clone()),
        HookAt::AfterStep(Steps::One(step)) => Moment::AfterStep(step.clone()),
        HookAt::AfterRun => Moment::AfterRun,
        HookAt::OnFailure => Moment::OnFailure,
        HookAt::OnRollback => Moment::OnRollback,
        HookAt::BeforeStep(Steps::Each) | HookAt::AfterStep(Steps::Each) => {
            return Err(Error::new(Exit::Usage, "an event of a scenario is of one step"));
        }
    })
}

/// The event as a run would tell it; what the scenario says of it goes before.
fn told(event: &ScenarioEvent, at: &Moment, roles: Option<&Roles>, scenario: &Scenario) -> HookEvent {
    let mut details: IndexMap<String, String> = IndexMap::new();
    let mut add = |name: &str, value: &str| drop(details.insert(name.into(), value.into()));
    add("procedure", event.procedure.as_str());
    add("run", RUN);
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

#[cfg(test)]
mod tests;
