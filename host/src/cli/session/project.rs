//! A plugin's project: its folder, its scenarios, and the plugin that is tested on them.

use super::ending::plugin_error;
use super::engines::{MarkerFile, load_engine, marker_file, with_marker};
use super::network::one_thread;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::plugin::cache::Cache;
use crate::plugin::{Engine, Language, Plugin, Profile, Script, ScriptEngine};
use crate::site::{Scenario, Trust};
use camino::{Utf8Path, Utf8PathBuf};

/// Where a project keeps its scenarios.
pub const SCENARIOS: &str = "scenarios";

/// Loads what is tested: a folder with a project, the file of a component, or a script.
pub fn load_tested(context: &Context, path: &Utf8Path) -> Result<Plugin> {
    let file = component_of(path)?;
    let bytes = std::fs::read(&file)
        .map_err(|error| Error::new(Exit::Usage, format!("the plugin {file} cannot be read: {error}")))?;
    Rehearsable::open(context, file.as_str(), &bytes)?.plugin(false)
}

/// The bytes of a plugin with what runs them in a rehearsal.
pub(super) enum Rehearsable<'a> {
    Component { engine: Engine, file: &'a str, bytes: &'a [u8] },
    Script { engine: Box<ScriptEngine>, marker: Option<MarkerFile>, cache: Box<Cache>, script: Script },
}

impl<'a> Rehearsable<'a> {
    /// `file` names it in errors, and tells a script by its ending.
    pub fn open(context: &Context, file: &'a str, bytes: &'a [u8]) -> Result<Self> {
        let engine = crate::plugin::engine(Profile::Rehearse).map_err(plugin_error)?;
        let Some(language) = Language::of(file) else { return Ok(Self::Component { engine, file, bytes }) };
        let script = Script::read(file, bytes).map_err(plugin_error)?;
        let cache = Cache::open(context.cache_dir()?.as_std_path())
            .map_err(|error| Error::from_error(Exit::Usage, &error))?;
        // Nothing of a rehearsal reaches a node: whichever engine is there may run.
        let engine = Box::new(load_engine(context, Trust::Dev, &engine, &cache, language)?);
        let marker = marker_file(context, language)?;
        Ok(Self::Script { engine, marker, cache: Box::new(cache), script })
    }

    /// `measured`: so that it is told what of its code ran.
    pub fn plugin(&self, measured: bool) -> Result<Plugin> {
        match (self, measured) {
            (Self::Component { engine, file, bytes }, true) => Plugin::compile_measured(engine, file, bytes),
            (Self::Component { engine, file, bytes }, false) => Plugin::compile(engine, file, bytes),
            (Self::Script { engine, marker, cache, script }, true) => {
                let engine = (**engine).clone();
                let engine = match marker {
                    Some(marker) => with_marker(engine, cache, marker)?,
                    None => engine,
                };
                Ok(one_thread()?.block_on(Plugin::script_measured(&engine, script.clone())))
            }
            (Self::Script { engine, script, .. }, false) => Ok(Plugin::script(engine, script.clone())),
        }
        .map_err(plugin_error)
    }
}

/// The component of a project lies in its folder, under the plugin's own name.
pub fn component_of(path: &Utf8Path) -> Result<Utf8PathBuf> {
    if !path.is_dir() {
        return match path.exists() {
            true => Ok(path.to_owned()),
            false => Err(Error::new(Exit::Usage, format!("there is no {path}"))
                .hint("name the folder of a plugin, the file of a component, or a script: windlass plugin test PATH")),
        };
    }
    if let Some(script) = script_of(path) {
        return Ok(script);
    }
    let name = super::build::manifest_of(path)?.name;
    let file = path.join(format!("{name}.wasm"));
    if file.exists() {
        return Ok(file);
    }
    Err(Error::new(Exit::Usage, format!("there is no {file}: the plugin is not built"))
        .hint(format!("windlass plugin build {path}")))
}

/// The one script of a folder that has no manifest: it stands at the script's head.
fn script_of(folder: &Utf8Path) -> Option<Utf8PathBuf> {
    if folder.join("manifest.toml").exists() {
        return None;
    }
    let entries = folder.read_dir_utf8().into_iter().flatten().flatten();
    let mut scripts =
        entries.map(|entry| entry.into_path()).filter(|path| Language::of(path.as_str()).is_some());
    scripts.next().filter(|_| scripts.next().is_none())
}

/// Whether a project in Rust has a source that is newer than its component, or has none yet.
pub fn is_stale(path: &Utf8Path) -> bool {
    if !path.join("Cargo.toml").exists() {
        return false;
    }
    let modified = |file: &Utf8Path| file.metadata().and_then(|metadata| metadata.modified()).ok();
    let built = component_of(path).ok().and_then(|component| modified(&component));
    sources_of(path).iter().any(|source| modified(source) > built)
}

/// What a project in Rust is built from.
pub fn sources_of(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut sources = vec![path.join("manifest.toml"), path.join("Cargo.toml")];
    let mut folders = vec![path.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.into_path()),
                false => sources.push(entry.into_path()),
            }
        }
    }
    sources
}

/// The scenarios of a project, by name.
pub fn scenarios_of(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let folder = folder.join(SCENARIOS);
    let mut found: Vec<Utf8PathBuf> = folder
        .read_dir_utf8()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().to_owned()))
        .filter(|path| path.extension() == Some("toml"))
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(Error::new(Exit::Usage, format!("there is no scenario in {folder}")).hint(format!(
            "an empty file is one: touch {folder}/default.toml, or name one with --scenario FILE"
        )));
    }
    Ok(found)
}

/// Reads a scenario: profiles of its own lie beside the folder that it is in.
pub fn scenario_at(file: &Utf8Path) -> Result<Scenario> {
    let file = camino::absolute_utf8(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().unwrap_or(&file);
    let project = match folder.file_name() {
        Some(SCENARIOS) => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    Scenario::load(project, &file).map_err(|errors| {
        let mut error = Error::new(Exit::Usage, format!("the scenario {file} cannot be read"));
        error.causes = errors.mistakes.iter().map(ToString::to_string).collect();
        error
    })
}
