//! An audit put together: the plugin, its scenarios, what its rehearsals show.

use super::plan::scratch;
use super::rehearse::setting;
use super::{load_tested, scenario_at, scenarios_of};
use crate::audit::{self, Progress, Setting};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::plugin::bundle::Bundle;
use crate::plugin::{Kind, Plugin, Profile};
use camino::{Utf8Path, Utf8PathBuf};
use std::sync::Arc;

/// Scenarios that are part of the binary, by the procedure that they are of.
const BUNDLED: [(&str, &str, &str); 5] = [
    ("ha-cert", "leaf-by-host", include_str!("../../../../plugins/ha-cert/scenarios/leaf-by-host.toml")),
    ("ha-cert", "no-password", include_str!("../../../../plugins/ha-cert/scenarios/no-password.toml")),
    ("ha-cert", "sequential", include_str!("../../../../plugins/ha-cert/scenarios/sequential.toml")),
    ("root-key", "declined", include_str!("../../../../plugins/root-key/scenarios/declined.toml")),
    ("root-key", "product", include_str!("../../../../plugins/root-key/scenarios/product.toml")),
];
/// What a hook is audited on that has no scenario of its own: every kind of moment of an ha-cert run.
const HOOK: &str = include_str!("../templates/audit-hook.toml");
const PLAIN: &str = "";

/// What is audited.
pub struct Audited {
    pub plugin: Arc<Plugin>,
    /// None: it is part of this windlass.
    pub file: Option<Utf8PathBuf>,
    pub scenarios: Vec<(String, Setting)>,
}

/// Finds a plugin by its path or its name, with its scenarios. `like`: whose scenarios to take.
pub fn audited(
    context: &Context,
    named: &str,
    given: &[Utf8PathBuf],
    like: Option<&PluginName>,
) -> Result<Audited> {
    let path = Utf8Path::new(named);
    let (plugin, file) = match path.exists() {
        true => (load_tested(context, path)?, Some(path.to_owned())),
        false => (bundled(context, named)?, None),
    };
    let plugin = Arc::new(plugin);
    let scenarios = match (given, like, &file) {
        ([], None, Some(path)) => match scenarios_of(path) {
            Ok(own) => own.iter().map(|file| Ok((stem(file), scenario_at(file)?))).collect::<Result<_>>()?,
            // It has none of its own.
            Err(_) => built_in(plugin.name(), plugin.manifest().kind)?,
        },
        ([], None, None) => built_in(plugin.name(), plugin.manifest().kind)?,
        ([], Some(like), _) => built_in(like, plugin.manifest().kind)?,
        (given, ..) => {
            given.iter().map(|file| Ok((stem(file), scenario_at(file)?))).collect::<Result<_>>()?
        }
    };
    let runtime = super::network::one_thread()?;
    let scenarios = runtime.block_on(async {
        let mut settings = Vec::new();
        for (name, scenario) in scenarios {
            settings.push((name, setting(&plugin, &scenario).await?));
        }
        Ok::<_, Error>(settings)
    })?;
    Ok(Audited { plugin, file, scenarios })
}

/// Rehearses what is audited.
pub fn rehearse_all(audited: &Audited, progress: Progress<'_>) -> Result<audit::Shown> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    audit::rehearse(&audited.scenarios, threads, progress)
        .map_err(|fault| super::ending::fault_error(Exit::Usage, &fault))
}

fn bundled(context: &Context, name: &str) -> Result<Plugin> {
    let none = || {
        Error::new(Exit::Usage, format!("there is no file {name}, and no procedure of that name"))
            .hint("name a component, a script, a plugin's folder, or a procedure that is part of windlass")
    };
    let embedded = context.bundle.ok_or_else(none)?;
    let bundle = Bundle::open(embedded).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let component = bundle.component(name).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let engine = crate::plugin::engine(Profile::Rehearse).map_err(super::ending::plugin_error)?;
    Plugin::compile(&engine, name, component.ok_or_else(none)?).map_err(super::ending::plugin_error)
}

/// The scenarios that windlass brings for a plugin of a name; for others, one in which nothing is said.
fn built_in(name: &PluginName, kind: Kind) -> Result<Vec<(String, crate::site::Scenario)>> {
    let mut texts: Vec<(&str, &str)> = BUNDLED
        .iter()
        .filter(|(of, ..)| *of == name.as_str() && kind == Kind::Procedure)
        .map(|(_, name, text)| (*name, *text))
        .collect();
    if texts.is_empty() {
        texts.push(match kind {
            Kind::Hook => ("every-moment", HOOK),
            Kind::Procedure => ("plain", PLAIN),
        });
    }
    let folder = scratch()?;
    let read = |(name, text): (&str, &str)| {
        let file = folder.path.join(name).with_extension("toml");
        std::fs::write(&file, text).map_err(|error| {
            Error::new(Exit::Fault, format!("the scenario {name} cannot be laid out: {error}"))
        })?;
        Ok((name.to_owned(), scenario_at(&file)?))
    };
    texts.into_iter().map(read).collect()
}

fn stem(file: &Utf8Path) -> String {
    file.file_stem().unwrap_or_default().to_owned()
}
