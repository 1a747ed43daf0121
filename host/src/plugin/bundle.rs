//! The bundle: the plugins that the binary ships, compiled ahead of time.
//!
//! `pack` is called by the tool that builds the release, [`Bundle::open`] by the binary that embeds what
//! it made. Both get their engine from the same function. Opening reads the index only; an image is loaded
//! when its plugin is asked for.
//!
//! Beside each image lies the component that it was made of: an audit compiles it anew, for an engine of its own.
//!
//! Format, version 2, little-endian: 16 bytes of magic, the version (u32), the length of the index (u32),
//! the index (JSON), then the images, each starting at a multiple of 4,096 bytes from the bundle's start
//! so that a bundle in a file of its own can be mapped.

use super::component::cause;
use super::inspect::sha256;
use super::{Engine, Manifest, Plugin, PluginError, Profile, engine};
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

const MAGIC: &[u8; 16] = b"windlass-bundle\0";
const VERSION: u32 = 2;
const HEADER: usize = MAGIC.len() + 8;
const PAGE: usize = 4096;

/// Why a bundle cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot pack {name}")]
    Pack { name: String, source: Box<PluginError> },
    #[error("cannot pack {name}: {why}")]
    Compile { name: String, why: String },
    #[error("cannot pack two plugins named {name}")]
    Twice { name: String },
    #[error("cannot pack more than 4 GiB")]
    TooLarge,
    #[error("the plugins inside this binary are damaged: {why}; run `cargo xtask`")]
    Damaged { why: String },
    #[error(
        "the plugins inside this binary are in format {found}, and it reads format {VERSION}; run `cargo xtask`"
    )]
    Format { found: u32 },
    #[error(
        "the plugins inside this binary were compiled for another build of windlass \
         (engine {found}, this is {expected}); run `cargo xtask`"
    )]
    Engine { found: String, expected: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// What made the images; for people.
    windlass: String,
    /// [`Engine::fingerprint`] of the engine that made the images.
    engine: String,
    plugins: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// SHA-256 of the component, manifest included.
    digest: String,
    manifest: Manifest,
    /// From the end of the index, rounded up to a page.
    offset: usize,
    length: usize,
    /// SHA-256 of the image.
    image: String,
    /// Where the component lies, counted as `offset` is.
    component: (usize, usize),
}

/// Compiles components, given with the names of their files, into one bundle.
pub fn pack(components: &[(String, Vec<u8>)]) -> Result<Vec<u8>, BundleError> {
    let named = |name: &str, source| BundleError::Pack { name: name.into(), source: Box::new(source) };
    let engine = engine(Profile::Run).map_err(|error| named("the plugins", error))?;
    let mut images = Vec::new();
    let mut plugins: Vec<Entry> = Vec::new();
    for (name, component) in components {
        // All that loading would find wrong is found now, by whoever builds the release.
        let plugin = Plugin::compile(&engine, name, component).map_err(|error| named(name, error))?;
        if plugins.iter().any(|entry| entry.manifest.name == *plugin.name()) {
            return Err(BundleError::Twice { name: plugin.name().to_string() });
        }
        let image = engine
            .wasmtime
            .precompile_component(component)
            .map_err(|error| BundleError::Compile { name: name.clone(), why: cause(&error) })?;
        let offset = images.len();
        images.extend_from_slice(&image);
        images.resize(images.len().next_multiple_of(PAGE), 0);
        plugins.push(Entry {
            digest: plugin.digest().into(),
            manifest: plugin.manifest().clone(),
            offset,
            length: image.len(),
            image: sha256(&image),
            component: (images.len(), component.len()),
        });
        images.extend_from_slice(component);
        images.resize(images.len().next_multiple_of(PAGE), 0);
    }
    let index =
        Index { windlass: env!("CARGO_PKG_VERSION").into(), engine: engine.fingerprint().into(), plugins };
    let index = serde_json::to_vec(&index)
        .map_err(|error| BundleError::Compile { name: "the index".into(), why: error.to_string() })?;
    let mut bundle = MAGIC.to_vec();
    bundle.extend_from_slice(&VERSION.to_le_bytes());
    bundle.extend_from_slice(&u32::try_from(index.len()).map_err(|_| BundleError::TooLarge)?.to_le_bytes());
    bundle.extend_from_slice(&index);
    bundle.resize(bundle.len().next_multiple_of(PAGE), 0);
    bundle.extend_from_slice(&images);
    Ok(bundle)
}

/// The bytes of the bundle that a binary embeds.
#[derive(Debug, Clone, Copy)]
pub struct Embedded(&'static [u8]);

impl Embedded {
    /// Vouches for a bundle's bytes.
    ///
    /// # Safety
    ///
    /// The bytes must have been made by [`pack`] and never pass through anything that others can write:
    /// what is in them runs as native code. The bytes that the build put inside the binary are that.
    pub const unsafe fn new(bytes: &'static [u8]) -> Self {
        Self(bytes)
    }
}

/// The bundle inside a binary.
#[derive(Debug)]
pub struct Bundle {
    index: Index,
    images: &'static [u8],
}

impl Bundle {
    /// Reads the index of the bundle that this binary embeds.
    pub fn open(embedded: Embedded) -> Result<Self, BundleError> {
        let bytes = embedded.0;
        let damaged = |why: &str| BundleError::Damaged { why: why.into() };
        let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or_else(|| damaged("it is too short"))?;
        if magic != MAGIC {
            return Err(damaged("it does not begin as a bundle does"));
        }
        let (version, rest) = number(rest).ok_or_else(|| damaged("it is too short"))?;
        if version != VERSION {
            return Err(BundleError::Format { found: version });
        }
        let (length, rest) = number(rest).ok_or_else(|| damaged("it is too short"))?;
        let length = length as usize;
        let index = rest.get(..length).ok_or_else(|| damaged("its index is cut short"))?;
        let index: Index =
            serde_json::from_slice(index).map_err(|error| damaged(&format!("its index: {error}")))?;
        let images = bytes.get((HEADER + length).next_multiple_of(PAGE)..).unwrap_or_default();
        Ok(Self { index, images })
    }

    /// Returns the manifests of what is inside, with the digests of the components.
    pub fn list(&self) -> impl Iterator<Item = (&Manifest, &str)> {
        self.index.plugins.iter().map(|entry| (&entry.manifest, entry.digest.as_str()))
    }

    /// Returns the component of a plugin by its name, or none where the bundle lacks it.
    pub fn component(&self, name: &str) -> Result<Option<&'static [u8]>, BundleError> {
        let Some(entry) = self.index.plugins.iter().find(|entry| entry.manifest.name.as_str() == name) else {
            return Ok(None);
        };
        let (offset, length) = entry.component;
        let bytes = offset.checked_add(length).and_then(|end| self.images.get(offset..end));
        match bytes.filter(|bytes| sha256(bytes) == entry.digest) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(BundleError::Damaged { why: format!("the component of {name} is not whole") }),
        }
    }

    /// Loads a plugin by its name, or returns none where the bundle lacks it. Compiles nothing.
    pub fn get(&self, engine: &Engine, name: &str) -> Result<Option<Plugin>, PluginError> {
        let Some(entry) = self.index.plugins.iter().find(|entry| entry.manifest.name.as_str() == name) else {
            return Ok(None);
        };
        if self.index.engine != engine.fingerprint() {
            return Err(BundleError::Engine {
                found: self.index.engine.chars().take(12).collect(),
                expected: engine.fingerprint().chars().take(12).collect(),
            }
            .into());
        }
        let image = entry
            .offset
            .checked_add(entry.length)
            .and_then(|end| self.images.get(entry.offset..end))
            .filter(|image| sha256(image) == entry.image)
            .ok_or_else(|| BundleError::Damaged { why: format!("the image of {name} is not whole") })?;
        // SAFETY: `open` was promised bytes that `pack` made, this image is the one `pack` listed, and it
        // was made by an engine of the same fingerprint.
        let component = unsafe { Component::deserialize(&engine.wasmtime, image) }
            .map_err(|error| BundleError::Damaged { why: cause(&error) })?;
        Plugin::link(engine, entry.manifest.clone(), entry.digest.clone(), &component).map(Some)
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
}
