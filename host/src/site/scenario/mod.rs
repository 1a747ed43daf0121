//! A scenario: the simulated cluster of a rehearsal, and what is rehearsed on it. `scenarios/NAME.toml` of a plugin's
//! project; everything in it has a default, so that an empty file is one.
//!
//! `read` reads the file, with every mistake in it at once as a site's files are; the types here are what comes of it.

mod read;

#[cfg(test)]
mod tests;

use super::load::Loading;
use super::mistake::{Mistake, Reading};
use super::types::{GrantBlock, HookAt, Site};
use crate::model::{CommandName, FileName, NodeName, PluginName};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use std::time::Duration;

/// A whole scenario. Its site is one of simulated nodes: there is no way to them.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub site: Site,
    pub cluster: SimulatedCluster,
    /// None: exactly what the plugin's manifest asks for.
    pub grants: Option<GrantBlock>,
    /// Of a procedure; for a hook, those of each of its events.
    pub params: IndexMap<String, String>,
    /// What a hook is told, in order; empty: one event.
    pub events: Vec<ScenarioEvent>,
    /// A procedure may give secrets to commands on their command line.
    pub allow_secret_in_argv: bool,
}

/// The cluster as it is when the rehearsal begins.
#[derive(Debug, Clone, Default)]
pub struct SimulatedCluster {
    /// Milliseconds since 1970 UTC.
    pub start: i64,
    /// Which of the fixed keys are drawn first.
    pub seed: u32,
    pub nodes: IndexMap<NodeName, SimulatedNode>,
    pub files: IndexMap<FileName, SimulatedFile>,
    /// Commands whose consequences are there already.
    pub happened: Vec<CommandName>,
    pub answers: Vec<SimulatedAnswer>,
    pub secrets: IndexMap<String, String>,
    /// What a secret is that `secrets` does not name; none: [`SimulatedCluster::PASSPHRASE`].
    pub passphrase: Option<String>,
    pub operator: SimulatedOperator,
    /// What the manager's page answers with; none: it cannot be reached.
    pub manager: Option<u16>,
    /// Commands that may move the active role do.
    pub roles_move: bool,
}

impl SimulatedCluster {
    /// It meets every policy.
    pub const PASSPHRASE: &str = "Rehearsal-1";

    pub fn passphrase(&self) -> &str {
        self.passphrase.as_deref().unwrap_or(Self::PASSPHRASE)
    }

    /// A secret, by the name that it is asked for.
    pub fn secret(&self, name: &str) -> &str {
        self.secrets.get(name).map_or(self.passphrase(), String::as_str)
    }

    /// Writes secrets into a text that names them, as `${secret:ha-key}`: what a node should not show, and does.
    pub fn with_secrets(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${secret:") {
            out.push_str(before);
            match behind.split_once('}') {
                Some((name, after)) => {
                    out.push_str(self.secret(name));
                    rest = after;
                }
                None => {
                    out.push_str("${secret:");
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedNode {
    /// As the health table has it: `active`, `standby` or `null`.
    pub role: String,
    pub state: String,
    /// After this long the state is `normal`.
    pub settles: Option<Duration>,
    /// Milliseconds that its clock is ahead of the controller's.
    pub clock: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimulatedFile {
    Absent,
    Text(String),
}

/// What a command answers instead of what follows from its declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedAnswer {
    pub command: CommandName,
    /// None: on every node.
    pub node: Option<NodeName>,
    pub exit: i32,
    pub output: Vec<String>,
    /// How often; none: for ever.
    pub times: Option<u32>,
}

/// What the operator says; none: there is nobody to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedOperator {
    pub confirm: Option<bool>,
    pub acknowledge: Option<bool>,
    /// Whether what is done by hand is done.
    pub by_hand: Option<bool>,
}

impl Default for SimulatedOperator {
    fn default() -> Self {
        Self { confirm: Some(true), acknowledge: Some(true), by_hand: Some(true) }
    }
}

/// One event that a hook is handed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioEvent {
    pub procedure: PluginName,
    pub at: HookAt,
    /// Over those that follow from the event itself.
    pub details: IndexMap<String, String>,
    /// Over those of the scenario.
    pub params: IndexMap<String, String>,
}

/// Every mistake of a scenario at once.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{file} has {}:\n{}", super::count(.mistakes.len(), "mistake"), lines(.mistakes))]
pub struct ScenarioErrors {
    pub file: Utf8PathBuf,
    pub mistakes: Vec<Mistake>,
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

impl Scenario {
    /// Reads and checks a scenario. `project` is the folder that it is of: profiles of its own lie in `profiles/`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(project: &Utf8Path, file: &Utf8Path) -> Result<Self, ScenarioErrors> {
        let project = camino::absolute_utf8(project).unwrap_or_else(|_| project.to_owned());
        Self::read(&project, file, |loading| read::scenario(loading, file))
    }

    /// Reads and checks the text of a scenario that is part of windlass: it has the profiles that windlass has.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn built_in(name: &str, text: &str) -> Result<Self, ScenarioErrors> {
        let file = Utf8PathBuf::from(name).with_extension("toml");
        // No project: nothing of the current folder is part of it.
        let nowhere = Utf8Path::new("/dev/null");
        Self::read(nowhere, &file, |loading| read::of_text(loading, file.as_str(), name, text))
    }

    fn read(
        project: &Utf8Path,
        file: &Utf8Path,
        read: impl FnOnce(&mut Loading<'_>) -> Option<Self>,
    ) -> Result<Self, ScenarioErrors> {
        let mut loading = Loading::of_scenario(project);
        let read = read(&mut loading);
        match read {
            Some(scenario) if loading.reading.is_clean() => Ok(scenario),
            _ => {
                let reading: Reading = std::mem::take(&mut loading.reading);
                Err(ScenarioErrors { file: file.to_owned(), mistakes: reading.into_mistakes(&loading.files) })
            }
        }
    }
}
