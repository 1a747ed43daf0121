//! What is audited: found by its path or its name, loaded for rehearsals, with its scenarios.

use super::audit::Auditing;
use super::known::known;
use super::project::{Rehearsable, component_of, scenario_at, scenarios_of};
use super::rehearse::setting;
use crate::audit::Setting;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::model::audit::Producer;
use crate::plugin::bundle::Bundle;
use crate::plugin::{Kind, Limits, Plugin};
use crate::site::{Outline, PROFILE, Scenario};
use camino::{Utf8Path, Utf8PathBuf};
use std::sync::Arc;

macro_rules! bundled {
    ($($procedure:literal: $($scenario:literal)+;)+) => {
        &[$($((
            $procedure,
            $scenario,
            include_str!(concat!("../../../../plugins/", $procedure, "/scenarios/", $scenario, ".toml")),
        )),+),+]
    };
}
/// Scenarios that are part of the binary, by the procedure that they are of.
const BUNDLED: &[(&str, &str, &str)] = bundled! {
    "ha-cert": "sequential" "leaf-by-host" "product-root" "no-password" "supplied-root" "repair";
    "root-key": "product" "native" "catch-up" "declined";
    "retire-key": "only-version";
};
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
    /// Makes it ready for rehearsals.
    pub fn open(&self, context: &Context) -> Result<Opened<'_>> {
        let of = Rehearsable::open(context, &self.file, &self.bytes)?;
        let plugin = Arc::new(of.plugin(false)?.with_limits(limits()));
        Ok(Opened { of, path: self.path.as_deref(), plugin })
    }
}

/// A plugin that is ready for rehearsals.
pub(super) struct Opened<'a> {
    of: Rehearsable<'a>,
    path: Option<&'a Utf8Path>,
    pub plugin: Arc<Plugin>,
}

impl Opened<'_> {
    /// The same, so that it is told what of its code ran.
    pub fn measured(&self) -> Result<Arc<Plugin>> {
        Ok(Arc::new(self.of.plugin(true)?.with_limits(limits())))
    }

    /// What a script is run by, with its digest.
    pub fn engine(&self) -> Option<Producer> {
        let Rehearsable::Script { engine, .. } = &self.of else { return None };
        let (name, version) = (engine.language().engine().to_owned(), engine.digest().to_owned());
        Some(Producer { role: "engine".into(), name, version })
    }

    /// The scenarios to rehearse on, with the plugin in each: those that are given, those of the procedure that it
    /// replaces, those beside it, else those that windlass brings.
    pub fn settings(&self, auditing: &Auditing) -> Result<Vec<(String, Setting)>> {
        let kind = self.plugin.manifest().kind;
        let scenarios = match (auditing.scenarios.as_slice(), &auditing.like, self.path) {
            ([], None, Some(path)) => match scenarios_of(path) {
                Ok(own) => read(&own)?,
                // It has none of its own.
                Err(_) => built_in(self.plugin.name(), kind)?,
            },
            ([], None, None) => built_in(self.plugin.name(), kind)?,
            ([], Some(like), _) => built_in(like, kind)?,
            (given, ..) => read(given)?,
        };
        super::network::one_thread()?.block_on(async {
            let mut settings = Vec::new();
            for (name, scenario) in scenarios {
                settings.push((name, setting(&self.plugin, &scenario).await?));
            }
            Ok(settings)
        })
    }
}

fn limits() -> Limits {
    Limits { fuel: FUEL, ..Limits::default() }
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
    let read = |(name, text): (&str, &str)| {
        Scenario::built_in(name, text)
            .map(|scenario| (name.to_owned(), scenario))
            .map_err(|errors| Error::from_error(Exit::Fault, &errors))
    };
    texts.into_iter().map(read).collect()
}
