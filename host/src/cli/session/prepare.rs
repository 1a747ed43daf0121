//! What a run and a plan begin with: the site, the procedure and its parameters.

use super::ending::plugin_error;
use super::parameters;
use super::plugins::load_plugin;
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::model::{Entry, PluginName};
use crate::plugin::{Description, Plugin};
use crate::site::{ProcedureSettings, Site};
use indexmap::IndexMap;

pub(super) struct Prepared {
    pub name: PluginName,
    pub settings: ProcedureSettings,
    pub plugin: Plugin,
    pub described: Description,
    pub parameters: IndexMap<String, String>,
}

impl Prepared {
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |(name, value): (&String, &String)| Entry { name: name.clone(), value: value.clone() };
        self.parameters.iter().map(entry).collect()
    }
}

/// Loads a procedure and settles its parameters; `given` are those of the command line.
pub(super) async fn prepare(
    context: &Context,
    site: &Site,
    name: PluginName,
    given: &[String],
) -> Result<Prepared, Error> {
    let settings = site.procedures.get(&name).cloned().unwrap_or_default();
    let plugin = load_plugin(context, site, &name, &settings)?;
    let described = plugin.procedure_describe().await.map_err(plugin_error)?;
    let parameters = parameters::settle(&name, &described, site, &settings, given)?;
    Ok(Prepared { name, settings, plugin, described, parameters })
}

pub(super) fn procedure_name(text: &str) -> Result<PluginName, Error> {
    PluginName::new(text).map_err(|error| Error::from_error(Exit::Usage, &error))
}
