//! The manifest: who a plugin is and what it asks for, in its file and readable without running it.
//!
//! It is JSON in exactly one top-level custom section named `windlass:manifest`, appended after the
//! component is made. Reading compiles nothing and trusts nothing: sizes are capped, unknown keys are
//! errors, a section inside a nested module or component does not count and is refused.

use super::inspect::{api_series, compare, plain};
use crate::model::PluginName;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use wasmparser::{Encoding, Parser, Payload};

/// The custom section's name.
pub const SECTION: &str = "windlass:manifest";
/// Largest manifest, in bytes.
pub const LARGEST: usize = 64 << 10;
/// Largest component, in bytes.
pub const LARGEST_COMPONENT: usize = 64 << 20;

/// Who a plugin is and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub name: PluginName,
    /// The plugin's own version.
    pub version: String,
    pub kind: Kind,
    /// The version of the contract it is built for, as `0.1`.
    pub api: String,
    /// One line, in an operator's words.
    pub summary: String,
    /// How many others must approve a plan of a procedure before it runs, where the site says nothing of it.
    #[serde(default, skip_serializing_if = "is_none_needed")]
    pub approvals: u32,
    #[serde(default)]
    pub needs: Vec<Need>,
}

fn is_none_needed(approvals: &u32) -> bool {
    *approvals == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Procedure,
    Hook,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Procedure => "procedure",
            Self::Hook => "hook",
        }
    }
}

/// What a plugin asks for, in the patterns of a site's grants, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    pub reason: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crypto: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyring: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub general: Vec<String>,
}

impl Need {
    /// Returns every pattern with the key it stands under.
    pub fn patterns(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("commands", &self.commands),
            ("files", &self.files),
            ("endpoints", &self.endpoints),
            ("crypto", &self.crypto),
            ("keyring", &self.keyring),
            ("secrets", &self.secrets),
            ("general", &self.general),
        ]
        .into_iter()
        .flat_map(|(key, patterns)| patterns.iter().map(move |pattern| (key, pattern)))
    }
}

/// Why a file has no usable manifest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestError {
    #[error("the file is not WebAssembly, or is cut short: {0}")]
    Damaged(String),
    #[error(
        "the file is a core WebAssembly module, not a component: make it one, as `wasm-tools component new` does, \
         and append its manifest"
    )]
    CoreModule,
    #[error("the file has {0} bytes, and a component may have at most {LARGEST_COMPONENT}")]
    TooLarge(usize),
    #[error("it has no section `{SECTION}`, which says who it is and what it asks for: append its manifest")]
    Missing,
    #[error(
        "it has more than one section `{SECTION}`, so what it asks for is not clear: rebuild it with one"
    )]
    Twice,
    #[error("a section `{SECTION}` stands inside a nested module or component: only one at the top counts")]
    Nested,
    #[error(
        "it does not say at its head what it asks for: a block of comments from `{comment} /// windlass` to `{comment} \
         ///`, before the first line of code"
    )]
    NoBlock { comment: &'static str },
    #[error("its manifest has {0} bytes, and may have at most {LARGEST}")]
    SectionTooLarge(usize),
    #[error("its manifest is not valid: {0}")]
    Malformed(String),
    #[error(
        "it is built for version {wanted} of the plugin API, and this host has {have}: Windlass {wanted} or newer has \
         it; update Windlass, or build the plugin for {have}"
    )]
    Api { wanted: String, have: &'static str },
}

/// Returns the manifest of a component. Runs and compiles nothing.
pub fn read(component: &[u8]) -> Result<Manifest, ManifestError> {
    let section = section(component)?.ok_or(ManifestError::Missing)?;
    if section.len() > LARGEST {
        return Err(ManifestError::SectionTooLarge(section.len()));
    }
    let manifest: Manifest =
        serde_json::from_slice(section).map_err(|error| ManifestError::Malformed(error.to_string()))?;
    check(&manifest)?;
    Ok(manifest)
}

/// Returns the component with the manifest as its last section. Refuses a component that has one.
pub fn append(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, ManifestError> {
    check(manifest)?;
    if section(component)?.is_some() {
        return Err(ManifestError::Twice);
    }
    let json = serde_json::to_vec(manifest).map_err(|error| ManifestError::Malformed(error.to_string()))?;
    if json.len() > LARGEST {
        return Err(ManifestError::SectionTooLarge(json.len()));
    }
    let mut content = leb128(SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(&json);
    let mut made = component.to_vec();
    made.push(0); // the id of a custom section
    made.extend(leb128(content.len()));
    made.extend(content);
    Ok(made)
}

/// Returns the bytes of the one top-level section, or none.
fn section(component: &[u8]) -> Result<Option<&[u8]>, ManifestError> {
    if component.len() > LARGEST_COMPONENT {
        return Err(ManifestError::TooLarge(component.len()));
    }
    let mut found = None;
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| ManifestError::Damaged(error.to_string()))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(ManifestError::CoreModule);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if custom.name() == SECTION => {
                if depth > 1 {
                    return Err(ManifestError::Nested);
                }
                if found.replace(custom.data()).is_some() {
                    return Err(ManifestError::Twice);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Checks what the types of [`Manifest`] do not say.
pub fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    let malformed = |why: String| Err(ManifestError::Malformed(why));
    let api = api_series();
    match compare(&manifest.api, api) {
        Some(Ordering::Equal) => {}
        Some(Ordering::Greater) => {
            return Err(ManifestError::Api { wanted: manifest.api.clone(), have: api });
        }
        Some(Ordering::Less) => {
            return malformed(format!("its `api` is older than any this host has: rebuild it for {api}"));
        }
        None => return malformed("`api` is not a version such as `0.1`".into()),
    }
    let version = &manifest.version;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.len() <= 64
        && version.chars().all(|c| c.is_ascii_alphanumeric() || "-+.".contains(c));
    if !is_version {
        return malformed("`version` is not a version such as `1.2.0`".into());
    }
    if !plain(&manifest.summary, 200) {
        return malformed("`summary` must be one line of 1 to 200 characters".into());
    }
    if manifest.needs.len() > 100 {
        return malformed("more than 100 `needs`".into());
    }
    for (index, need) in manifest.needs.iter().enumerate() {
        let number = index + 1;
        if !plain(&need.reason, 500) {
            return malformed(format!("`reason` of need {number} must be one line of 1 to 500 characters"));
        }
        if need.patterns().next().is_none() {
            return malformed(format!("need {number} asks for nothing"));
        }
        if let Some((key, _)) = need.patterns().find(|(_, pattern)| !plain(pattern, 250)) {
            return malformed(format!("`{key}` of need {number} holds what is not a pattern"));
        }
    }
    Ok(())
}

/// Returns an unsigned number as WebAssembly writes it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
