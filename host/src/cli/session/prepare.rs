//! What a run and a plan begin with: the procedure and its parameters.

use super::ending::plugin_error;
use super::parameters;
use crate::cli::error::{Error, Exit};
use crate::model::{Entry, PluginName};
use crate::plugin::{Description, Plugin};
use crate::site::{ProcedureSettings, Site};
use indexmap::IndexMap;

pub(super) fn procedure_name(text: &str) -> Result<PluginName, Error> {
    PluginName::new(text).map_err(|error| Error::from_error(Exit::Usage, &error))
}

/// Asks the procedure what it is, and settles its parameters; `given` are those of the command line.
pub(super) async fn settle(
    plugin: &Plugin,
    site: &Site,
    settings: &ProcedureSettings,
    given: &[String],
) -> Result<(Description, IndexMap<String, String>), Error> {
    let place = format!("[procedures.{}] in site.toml", plugin.name());
    let described = plugin.procedure_describe().await.map_err(plugin_error)?;
    let parameters = parameters::settle(plugin.name(), &described, site, settings, given, &place)?;
    Ok((described, parameters))
}

pub(super) fn entries(parameters: &IndexMap<String, String>) -> Vec<Entry> {
    let entry = |(name, value): (&String, &String)| Entry { name: name.clone(), value: value.clone() };
    parameters.iter().map(entry).collect()
}
