//! What is audited: found by its path or its name, loaded for rehearsals, with its scenarios.

use super::audit::Auditing;
use super::ending::plugin_error;
use super::engines::{engine_file, load_engine};
use super::known::known;
use super::plan::scratch;
use super::project::{component_of, scenario_at, scenarios_of};
use super::rehearse::setting;
use crate::audit::Setting;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::model::audit::Producer;
use crate::plugin::bundle::Bundle;
use crate::plugin::cache::Cache;
use crate::plugin::{Kind, Language, Limits, Plugin, Profile, Script, sha256};
use crate::site::{Outline, PROFILE, Scenario, Trust};
use camino::{Utf8Path, Utf8PathBuf};
use std::sync::Arc;

/// Scenarios that are part of the binary, by the procedure that they are of.
const BUNDLED: [(&str, &str, &str); 6] = [
    ("ha-cert", "sequential", include_str!("../../../../plugins/ha-cert/scenarios/sequential.toml")),
    ("ha-cert", "leaf-by-host", include_str!("../../../../plugins/ha-cert/scenarios/leaf-by-host.toml")),
    ("ha-cert", "no-password", include_str!("../../../../plugins/ha-cert/scenarios/no-password.toml")),
    ("root-key", "product", include_str!("../../../../plugins/root-key/scenarios/product.toml")),
    (
        "retire-key",
        "only-version",
        include_str!("../../../../plugins/retire-key/scenarios/only-version.toml"),
    ),
    ("root-key", "declined", include_str!("../../../../plugins/root-key/scenarios/declined.toml")),
];
/// What a hook is audited on that has no scenario of its own: every kind of moment of an ha-cert run.
const HOOK: &str = include_str!("../templates/audit-hook.toml");
/// A rehearsal's guest comes to its end in far less; one that loops is not waited for as long as in a run.
const FUEL: u64 = 4_000_000_000;

/// A plugin by its bytes.
pub(super) struct Audited {
    /// What it is called in messages; its ending tells a script.
    pub file: String,
    /// None: it is part of this windlass.
    pub path: Option<Utf8PathBuf>,
    pub bytes: Vec<u8>,
}

/// Finds a plugin: a file or a folder, else one of the site's by name, else one that is part of windlass.
pub(super) fn find(context: &Context, named: &str) -> Result<Audited> {
    let path = Utf8Path::new(named);
    if path.exists() {
        return from_file(component_of(path)?);
    }
    if let Ok(site) = Outline::load(&context.site_dir) {
        let own = known(context, &site)?.into_iter().find(|one| {
            one.name.as_str() == named && one.kind != PROFILE && !one.shadowed && one.file.is_some()
        });
        if let Some(file) = own.and_then(|one| one.file) {
            return from_file(site.dir.join(file));
        }
    }
    bundled(context, named)
}

fn from_file(path: Utf8PathBuf) -> Result<Audited> {
    let bytes = super::incoming::read(&path)
        .map_err(|why| Error::new(Exit::Usage, format!("{path} cannot be audited: {why}")))?;
    Ok(Audited { file: path.to_string(), path: Some(path), bytes })
}

pub(super) fn bundled(context: &Context, name: &str) -> Result<Audited> {
    let none = || {
        Error::new(Exit::Usage, format!("there is no file {name}, and no plugin of that name")).hint(
            "name a component, a script, a plugin's folder, a plugin of the site, or a procedure of windlass",
        )
    };
    let embedded = context.bundle.ok_or_else(none)?;
    let bundle = Bundle::open(embedded).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let component = bundle.component(name).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    Ok(Audited { file: format!("{name}.wasm"), path: None, bytes: component.ok_or_else(none)?.to_vec() })
}

impl Audited {
    /// Loads it for rehearsals. `measured`: so that it is told what of its code ran.
    pub fn load(&self, context: &Context, measured: bool) -> Result<Arc<Plugin>> {
        let engine = crate::plugin::engine(Profile::Rehearse).map_err(plugin_error)?;
        let plugin = match (Language::of(&self.file), measured) {
            (None, true) => Plugin::compile_measured(&engine, &self.file, &self.bytes),
            (None, false) => Plugin::compile(&engine, &self.file, &self.bytes),
            (Some(language), _) => {
                let script = Script::read(&self.file, &self.bytes).map_err(plugin_error)?;
                let cache = Cache::open(context.cache_dir()?.as_std_path())
                    .map_err(|error| Error::from_error(Exit::Usage, &error))?;
                // Nothing of a rehearsal reaches a node: whichever engine is there may run.
                let engine = load_engine(context, Trust::Dev, &engine, &cache, language)?;
                Ok(match measured {
                    true => Plugin::script_measured(&engine, script),
                    false => Plugin::script(&engine, script),
                })
            }
        };
        let limits = Limits { fuel: FUEL, ..Limits::default() };
        plugin.map(|plugin| Arc::new(plugin.with_limits(limits))).map_err(plugin_error)
    }

    /// What a script is run by, with its digest.
    pub fn engine(&self) -> Result<Option<Producer>> {
        let Some(language) = Language::of(&self.file) else { return Ok(None) };
        let (_, bytes) = engine_file(language)?;
        let name = language.engine().to_owned();
        Ok(Some(Producer { role: "engine".into(), name, version: sha256(&bytes) }))
    }

    /// The scenarios to rehearse on, with the plugin in each: those that are given, those of the procedure that it
    /// replaces, those beside it, else those that windlass brings.
    pub fn settings(&self, context: &Context, auditing: &Auditing) -> Result<Vec<(String, Setting)>> {
        let plugin = self.load(context, false)?;
        let kind = plugin.manifest().kind;
        let scenarios = match (auditing.scenarios.as_slice(), &auditing.like, &self.path) {
            ([], None, Some(path)) => match scenarios_of(path) {
                Ok(own) => read(&own)?,
                // It has none of its own.
                Err(_) => built_in(plugin.name(), kind)?,
            },
            ([], None, None) => built_in(plugin.name(), kind)?,
            ([], Some(like), _) => built_in(like, kind)?,
            (given, ..) => read(given)?,
        };
        super::network::one_thread()?.block_on(async {
            let mut settings = Vec::new();
            for (name, scenario) in scenarios {
                settings.push((name, setting(&plugin, &scenario).await?));
            }
            Ok(settings)
        })
    }
}

fn read(files: &[Utf8PathBuf]) -> Result<Vec<(String, Scenario)>> {
    let named = |file: &Utf8PathBuf| file.file_stem().unwrap_or_default().to_owned();
    files.iter().map(|file| Ok((named(file), scenario_at(file)?))).collect()
}

/// The scenarios that windlass brings for a plugin of a name; for others, one in which nothing is said.
fn built_in(name: &PluginName, kind: Kind) -> Result<Vec<(String, Scenario)>> {
    let mut texts: Vec<(&str, &str)> = BUNDLED
        .iter()
        .filter(|(of, ..)| *of == name.as_str() && kind == Kind::Procedure)
        .map(|(_, name, text)| (*name, *text))
        .collect();
    if texts.is_empty() {
        texts.push(match kind {
            Kind::Hook => ("every-moment", HOOK),
            Kind::Procedure => ("plain", ""),
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
