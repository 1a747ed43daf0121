//! Scripts: hooks that are one file of text, run by the engine of their language.
//!
//! The manifest of a script is TOML in a comment block at its head, as PEP 723 has it:
//!
//! ```text
//! # /// windlass
//! # api = "0.1"
//! # summary = "Takes the node out of the load balancer"
//! #
//! # [[needs]]
//! # reason = "Drain the node"
//! # commands = ["haproxy-drain@lb1"]
//! # ///
//! ```
//!
//! It is read without running anything. The engine is a component as any other, and one for all scripts of its
//! language; the script is its argument.

use super::bindings::{ScriptPre, script_api};
use super::cache::Cache;
use super::call::Guest;
use super::component::cause;
use super::coverage::{LineExports, Marker};
use super::inspect::{check_imports, sha256};
use super::manifest::{Kind, LARGEST, Manifest, ManifestError, Need, check};
use super::{Engine, Plugin, PluginError};
use crate::model::{PluginName, TOO_DEEP, nests_too_deeply};
use serde::Deserialize;
use std::fmt;
use wasmtime::component::{Component, InstancePre};

/// Largest script, in bytes.
pub const LARGEST_SCRIPT: usize = 1 << 20;
/// How the block of a script begins and ends, behind the sign of a comment.
const BEGIN: &str = "/// windlass";
const END: &str = "///";

/// What scripts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Python,
    JavaScript,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// The language of a file, by how its name ends.
    pub fn of(file: &str) -> Option<Self> {
        let (stem, ending) = file.rsplit_once('.')?;
        Self::ALL.into_iter().find(|language| !stem.is_empty() && language.extension() == ending)
    }

    pub fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::JavaScript => "js",
        }
    }

    /// The name of its engine.
    pub fn engine(self) -> &'static str {
        match self {
            Self::Python => "script-python",
            Self::JavaScript => "script-js",
        }
    }

    /// The name of what marks its scripts, where the engine does not.
    pub fn marker(self) -> Option<&'static str> {
        match self {
            Self::Python => None,
            Self::JavaScript => Some("script-js-marker"),
        }
    }

    fn comment(self) -> &'static str {
        match self {
            Self::Python => "#",
            Self::JavaScript => "//",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        })
    }
}

/// A script that can be run, as far as reading it says.
#[derive(Debug, Clone)]
pub struct Script {
    pub language: Language,
    pub manifest: Manifest,
    pub(super) script: script_api::Script,
    /// SHA-256 of the file, in lower-case hex.
    pub(super) digest: String,
}

/// What stands at a script's head. Its name is the file's where it does not say one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: Option<PluginName>,
    #[serde(default = "first_version")]
    version: String,
    api: String,
    summary: String,
    #[serde(default)]
    needs: Vec<Need>,
}

fn first_version() -> String {
    "0.1.0".into()
}

impl Script {
    /// Reads the bytes of a file as a script. `file` is its path, whose last part names it.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, PluginError> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let malformed = |why: String| PluginError::Manifest {
            plugin: file.into(),
            source: ManifestError::Malformed(why),
        };
        let language =
            Language::of(name).ok_or_else(|| malformed("a script's name ends in .py or .js".into()))?;
        if bytes.len() > LARGEST_SCRIPT {
            return Err(malformed(format!(
                "it has {} bytes, and a script at most {LARGEST_SCRIPT}",
                bytes.len()
            )));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            malformed(format!("line {line} is not UTF-8"))
        })?;
        let manifest = manifest(language, name, text)
            .map_err(|source| PluginError::Manifest { plugin: file.into(), source })?;
        let script = script_api::Script { name: name.into(), text: text.into() };
        Ok(Self { language, manifest, script, digest: sha256(bytes) })
    }
}

/// Reads the block at the head of a script.
fn manifest(language: Language, file: &str, text: &str) -> Result<Manifest, ManifestError> {
    let malformed = |why: String| Err(ManifestError::Malformed(why));
    let (comment, extension) = (language.comment(), language.extension());
    let mut toml = String::new();
    let mut lines = text.lines().enumerate();
    let begins = |line: &str| line.trim_end().strip_prefix(comment).is_some_and(|rest| rest.trim() == BEGIN);
    // Before it may stand only comments and empty lines, so that its head is what a reader sees first.
    let Some((first, _)) = lines
        .by_ref()
        .take_while(|(_, line)| line.trim().is_empty() || line.starts_with(comment))
        .find(|(_, line)| begins(line))
    else {
        return Err(ManifestError::NoBlock { comment });
    };
    // What stands before counts for the line numbers of errors.
    toml.extend(std::iter::repeat_n('\n', first + 1));
    loop {
        let Some((number, line)) = lines.next() else {
            return malformed(format!(
                "the block that begins in line {} has no end: `{comment} {END}`",
                first + 1
            ));
        };
        let Some(content) = line.trim_end().strip_prefix(comment) else {
            return malformed(format!("line {} of the block does not begin with {comment}", number + 1));
        };
        if content.trim() == END {
            break;
        }
        toml.push_str(content.strip_prefix(' ').unwrap_or(content));
        toml.push('\n');
        if toml.len() > LARGEST {
            return Err(ManifestError::SectionTooLarge(toml.len()));
        }
    }
    if let Some((number, _)) = lines.find(|(_, line)| begins(line)) {
        return malformed(format!(
            "line {} begins a second block: what it asks for is not clear",
            number + 1
        ));
    }
    if nests_too_deeply(&toml) {
        return malformed(TOO_DEEP.into());
    }
    let head: Head = toml::from_str(&toml).map_err(|error| {
        let line = error.span().map_or(0, |span| toml[..span.start].matches('\n').count() + 1);
        ManifestError::Malformed(format!("line {line}: {}", error.message().trim().replace('\n', " ")))
    })?;
    let stem = file.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.')).unwrap_or(file);
    let named = PluginName::new(stem).map_err(|error| {
        ManifestError::Malformed(format!("a script is called by its file, and {stem:?} is no name: {error}"))
    })?;
    if let Some(other) = head.name.as_ref().filter(|name| **name != named) {
        return malformed(format!("its block says name = {:?}, and its file is {file}", other.as_str()));
    }
    let manifest = Manifest {
        name: named,
        version: head.version,
        kind: Kind::Hook,
        api: head.api,
        summary: head.summary,
        approvals: 0,
        needs: head.needs,
    };
    check(&manifest)?;
    Ok(manifest)
}

/// Reads who a plugin is and what it asks for, of a script or a component. Runs and compiles nothing; `file` is its
/// path, and names it in errors.
pub fn manifest_of(file: &str, bytes: &[u8]) -> Result<Manifest, PluginError> {
    match Language::of(file) {
        Some(_) => Script::read(file, bytes).map(|script| script.manifest),
        None => Plugin::inspect(file, bytes),
    }
}

/// The engine of a language, ready to run its scripts.
#[derive(Clone)]
pub struct ScriptEngine {
    language: Language,
    digest: String,
    pub(super) engine: Engine,
    pub(super) exports: ScriptPre<Guest>,
    pub(super) lines: Option<LineExports>,
    pub(super) marker: Option<Marker>,
}

impl ScriptEngine {
    /// Loads an engine: from its image where this host made one, else by compiling it, which takes seconds. `file`
    /// names it in errors; `digest` is the component's, by which its caller let it through.
    pub fn load(
        engine: &Engine,
        cache: &Cache,
        language: Language,
        file: &str,
        component: &[u8],
        digest: String,
    ) -> Result<Self, PluginError> {
        let (compiled, linked) = part(engine, cache, file, component, &digest)?;
        let marker = Marker::of(&compiled, &linked);
        let exports = ScriptPre::new(linked).map_err(|error| PluginError::Export {
            plugin: file.into(),
            kind: "script engine",
            why: cause(&error),
        })?;
        let lines = LineExports::of(&compiled);
        Ok(Self { language, digest, engine: engine.clone(), exports, lines, marker })
    }

    /// Has its scripts marked by a component that belongs to it; arguments as of [`Self::load`].
    pub fn marked_by(
        self,
        cache: &Cache,
        file: &str,
        component: &[u8],
        digest: &str,
    ) -> Result<Self, PluginError> {
        let (compiled, linked) = part(&self.engine, cache, file, component, digest)?;
        let Some(marker) = Marker::of(&compiled, &linked) else {
            let why = "it has no windlass:engine/marks".into();
            return Err(PluginError::Export { plugin: file.into(), kind: "marker", why });
        };
        Ok(Self { marker: Some(marker), ..self })
    }

    pub fn language(&self) -> Language {
        self.language
    }

    /// SHA-256 of the component, in lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Compiles a component that belongs to windlass, or finds its image, and links it.
fn part(
    engine: &Engine,
    cache: &Cache,
    file: &str,
    component: &[u8],
    digest: &str,
) -> Result<(Component, InstancePre<Guest>), PluginError> {
    check_imports(file, component)?;
    let compiled = cache.component(engine, file, digest, component)?;
    let linked = engine
        .linker
        .instantiate_pre(&compiled)
        .map_err(|error| PluginError::Link { plugin: file.into(), why: cause(&error) })?;
    Ok((compiled, linked))
}

impl fmt::Debug for ScriptEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptEngine")
            .field("language", &self.language)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# /// windlass\n# api = \"0.1\"\n# summary = \"x\"\n#\n# [[needs]]\n# reason = \"r\"\n\
                        # general = [\"clock\"]\n# ///\nimport json\n";

    #[test]
    fn a_scripts_head_is_its_manifest_in_either_language() {
        let python = Script::read("hooks/drain.py", GOOD.as_bytes()).unwrap();
        let js = Script::read("drain.js", GOOD.replace('#', "//").as_bytes()).unwrap();
        assert_eq!(python.manifest, js.manifest);
        assert_eq!((python.language, js.language), (Language::Python, Language::JavaScript));
        assert_eq!(python.manifest.name.as_str(), "drain");
        assert_eq!(python.manifest.needs[0].general, ["clock"]);
        // A line for the shell and a word of the author's may stand before it.
        let more = format!("#!/usr/bin/env python3\n# by us\n\n{GOOD}");
        assert_eq!(Script::read("drain.py", more.as_bytes()).unwrap().manifest, python.manifest);
    }

    #[test]
    fn a_head_that_is_wrong_is_refused_with_its_line() {
        let long = format!("{GOOD}{}", "x".repeat(LARGEST_SCRIPT));
        for (file, text, says) in [
            ("drain.py", "print(1)\n".to_owned(), "# /// windlass"),
            ("drain.js", "1\n".to_owned(), "// /// windlass"),
            ("drain.py", format!("import os\n{GOOD}"), "# /// windlass"),
            ("drain.py", GOOD.replace("# ///\n", ""), "line 8 of the block does not begin with #"),
            ("drain.py", "# /// windlass\n# api = \"0.1\"\n".into(), "line 1 has no end"),
            ("drain.py", format!("{GOOD}{GOOD}"), "line 10 begins a second block"),
            ("drain.py", GOOD.replace("summary", "sumary"), "line 3: unknown field `sumary`"),
            ("drain.py", GOOD.replace("# reason = \"r\"\n", ""), "missing field `reason`"),
            ("drain.py", GOOD.replace("\"r\"", "\"\""), "`reason` of need 1"),
            ("drain.py", GOOD.replace("# general = [\"clock\"]\n", ""), "asks for nothing"),
            ("drain.py", GOOD.replace("\"0.1\"", "\"0.2\""), "0.2"),
            (
                "drain.py",
                GOOD.replace("\"x\"", "\"x\"\n# name = \"drian\""),
                "says name = \"drian\", and its file is drain.py",
            ),
            ("drain.py", GOOD.replace("\"x\"", &"[".repeat(65)), "more than 64 deep"),
            ("Drain me.py", GOOD.into(), "is no name"),
            ("drain.rb", GOOD.into(), ".py or .js"),
            ("drain.py", long, "at most"),
        ] {
            let error = Script::read(file, text.as_bytes()).unwrap_err();
            let error = format!("{error}: {}", std::error::Error::source(&error).unwrap());
            assert!(error.contains(says) && error.contains(file), "{says}: {error}");
        }
        let error = Script::read("drain.py", b"# \xff\n").unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("line 1 is not UTF-8"));
    }
}
