//! Rehearsals: a plugin on the simulated cluster of a scenario, and the transcript of what it did there.

use super::ending::{fault_error, plugin_error};
use super::parameters;
use super::plugins::{needs, policy_for, rules};
use crate::audit::{Setting, Stage};
use crate::cli::error::{Error, Exit, Result};
use crate::model::RunId;
use crate::plugin::{Kind, Plugin};
use crate::site::{ProcedureSettings, Scenario};
use indexmap::IndexMap;
use std::sync::Arc;

/// What a run is called in a rehearsal.
const RUN: &str = "rehearsal";

/// Rehearses a plugin on a scenario, and returns the lines of the transcript.
pub fn rehearse(plugin: &Arc<Plugin>, scenario: &Scenario) -> Result<Vec<String>> {
    let runtime = super::network::one_thread()?;
    runtime.block_on(async {
        let stage = Stage::set(setting(plugin, scenario).await?).map_err(|fault| {
            fault_error(Exit::Usage, &fault).hint("what files hold, the scenario's profile says")
        })?;
        let played = stage.play(None).await.map_err(|fault| fault_error(Exit::Fault, &fault))?;
        Ok(Stage::transcript(&played))
    })
}

/// A plugin in a scenario, with the grants that it gives or, without, those that the manifest asks for.
pub(super) async fn setting(plugin: &Arc<Plugin>, scenario: &Scenario) -> Result<Setting> {
    let name = plugin.name();
    let grants = match &scenario.grants {
        Some(block) => rules(block, "[grants] of the scenario")?,
        None => needs(plugin)?,
    };
    let parameters = match plugin.manifest().kind {
        Kind::Procedure => procedure_parameters(plugin, scenario).await?,
        Kind::Hook => IndexMap::new(),
    };
    let policy = policy_for(&scenario.site, name)?;
    let run = RunId::new(RUN).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let (needs, plugin, scenario) = (needs(plugin)?, plugin.clone(), scenario.clone());
    Ok(Setting { plugin, needs, grants, scenario, parameters, policy, run })
}

/// Settled as a run settles them; what the scenario gives stands where the site's do.
async fn procedure_parameters(plugin: &Plugin, scenario: &Scenario) -> Result<IndexMap<String, String>> {
    let described = plugin.procedure_describe().await.map_err(plugin_error)?;
    let settings = ProcedureSettings { params: scenario.params.clone(), ..ProcedureSettings::default() };
    parameters::settle(plugin.name(), &described, &scenario.site, &settings, &[], "[params] of the scenario")
}

#[cfg(test)]
mod tests;
