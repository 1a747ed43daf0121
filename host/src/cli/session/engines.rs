//! The engines of scripts: found beside the binary, and held against the digests that it was built with.

use super::ending::plugin_error;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::plugin::cache::Cache;
use crate::plugin::{Engine, Language, ScriptEngine, sha256};
use crate::site::Trust;
use camino::Utf8PathBuf;
use std::collections::BTreeMap;

/// The folder of the engines, one `NAME.wasm` each.
const FOLDER: &str = "WINDLASS_ENGINES";
const MAKE: &str = "in windlass's sources, `cargo xtask engines` and then `cargo xtask build` make it";

/// Loads the engine of a language; `trust` is what is asked of the site's own files. Compiling one takes seconds, and
/// happens once a machine.
pub(super) fn load_engine(
    context: &Context,
    trust: Trust,
    engine: &Engine,
    cache: &Cache,
    language: Language,
) -> Result<ScriptEngine> {
    let (file, bytes) = file_of(language, language.engine())?;
    let digest = sha256(&bytes);
    let own = own(context)?.remove(language.engine());
    if own.as_ref() != Some(&digest) && trust != Trust::Dev {
        let why = match &own {
            Some(own) => format!("{own:.12} belongs to this windlass, and {file} is {digest:.12}"),
            None => format!("this windlass was built without engines, and {file} is {digest:.12}"),
        };
        return Err(Error::new(
            Exit::Refused,
            format!("the engine of {language} scripts is not this windlass's: {why}"),
        )
        .hint(MAKE)
        .hint("with trust = \"dev\" in site.toml any engine is run"));
    }
    ScriptEngine::load(engine, cache, language, file.as_str(), &bytes, digest).map_err(plugin_error)
}

/// What marks the scripts of a language, where its engine does not.
pub(super) struct MarkerFile {
    name: &'static str,
    /// Its digest, where this binary was built with engines.
    own: Option<String>,
}

pub(super) fn marker_file(context: &Context, language: Language) -> Result<Option<MarkerFile>> {
    let Some(name) = language.marker() else { return Ok(None) };
    Ok(Some(MarkerFile { name, own: own(context)?.remove(name) }))
}

/// Lets an engine have its scripts marked. A report names the engine and not what marks for it, so that has to be this
/// windlass's.
pub(super) fn with_marker(engine: ScriptEngine, cache: &Cache, marker: &MarkerFile) -> Result<ScriptEngine> {
    let language = engine.language();
    let (file, bytes) = file_of(language, marker.name)?;
    let digest = sha256(&bytes);
    if let Some(own) = marker.own.as_ref().filter(|own| **own != digest) {
        return Err(Error::new(
            Exit::Refused,
            format!(
                "what marks {language} scripts for an audit is not this windlass's: {own:.12} belongs to it, and {file} is {digest:.12}"
            ),
        )
        .hint(MAKE));
    }
    engine.marked_by(cache, file.as_str(), &bytes, &digest).map_err(plugin_error)
}

/// A component of a language's engine, whichever is there, and its bytes.
fn file_of(language: Language, component: &str) -> Result<(Utf8PathBuf, Vec<u8>)> {
    let file = folder()?.join(format!("{component}.wasm"));
    let bytes = std::fs::read(&file).map_err(|error| {
        Error::new(Exit::Usage, format!("there is no engine for {language} scripts: {file}: {error}"))
            .hint(MAKE)
    })?;
    Ok((file, bytes))
}

fn folder() -> Result<Utf8PathBuf> {
    if let Some(folder) = std::env::var(FOLDER).ok().filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let beside = std::env::current_exe().ok().and_then(|binary| Utf8PathBuf::from_path_buf(binary).ok());
    match beside.as_ref().and_then(|binary| binary.parent()) {
        Some(folder) => Ok(folder.join("engines")),
        None => Err(Error::new(Exit::Fault, "the folder of this windlass cannot be told")
            .hint(format!("name that of its script engines in {FOLDER}"))),
    }
}

/// The digests that this binary was built with, by the names of the engines.
pub(super) fn own(context: &Context) -> Result<BTreeMap<String, String>> {
    let index = context.engines.unwrap_or("{}");
    serde_json::from_str(index).map_err(|error| {
        Error::new(Exit::Fault, format!("the index of this binary's engines is damaged: {error}"))
    })
}
