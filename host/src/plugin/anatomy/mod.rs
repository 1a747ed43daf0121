//! What a component is made of, read from its bytes. Nothing is compiled or run.
//!
//! Sections are counted at every depth: what a nested module or component holds is part of the file as well. How the
//! modules at the top are wired is read by `wiring`.

pub(super) mod wiring;

use super::PluginError;
use super::inspect::shown;
use crate::model::audit::{CustomSection, Dependency, Extent, Producer};
use serde::Deserialize;
use std::collections::BTreeMap;
use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};
use wiring::Wiring;

/// Longest name that is shown of a component, in characters.
const LONGEST_NAME: usize = 200;
/// Most of anything that is listed: producers, names of sections, memories, imports.
const MOST: usize = 2_000;
/// What `cargo auditable` leaves in a binary: JSON, compressed by zlib.
const DEPENDENCIES: &str = ".dep-v0";
/// Largest list of dependencies, in bytes of JSON.
const LARGEST_DEPENDENCIES: usize = 8 << 20;

/// What a component is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anatomy {
    /// As its producers say; empty where they do not.
    pub language: String,
    pub producers: Vec<Producer>,
    /// None: it does not say what it was built from, or not so that it can be read.
    pub dependencies: Option<Vec<Dependency>>,
    pub custom_sections: Vec<CustomSection>,
    pub memories: Vec<Extent>,
    pub tables: Vec<Extent>,
    pub imports: Vec<Imported>,
    pub exports: Vec<String>,
    /// Core modules, at every depth.
    pub modules: u32,
}

/// An interface that a component imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// As `windlass:plugin/nodes@0.1.0`.
    pub interface: String,
    /// The functions that it takes of it, by name.
    pub functions: Vec<String>,
    /// It hands the interface on as a whole, so that any function of it may be called.
    pub whole: bool,
}

impl Anatomy {
    /// Whether its code is a program of its own and not that of a language's engine, which runs it as data.
    pub fn is_native(&self) -> bool {
        !matches!(self.language.as_str(), "JavaScript" | "Python")
    }
}

/// Reads what a component is made of. `file` names it in errors.
pub fn anatomy(file: &str, component: &[u8]) -> Result<Anatomy, PluginError> {
    read(component)
        .map_err(|error| PluginError::Compile { plugin: file.into(), why: shown(&error.to_string(), 300) })
}

fn read(component: &[u8]) -> wasmparser::Result<Anatomy> {
    let mut found = Anatomy::default();
    let mut sections: BTreeMap<String, CustomSection> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { encoding: wasmparser::Encoding::Module, .. } => found.modules += 1,
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    push(&mut found.memories, Extent { minimum: memory.initial, maximum: memory.maximum });
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let ty = table?.ty;
                    push(&mut found.tables, Extent { minimum: ty.initial, maximum: ty.maximum });
                }
            }
            Payload::CustomSection(custom) => {
                let name = shown(custom.name(), LONGEST_NAME);
                if sections.len() < MOST || sections.contains_key(&name) {
                    let one =
                        sections.entry(name.clone()).or_insert(CustomSection { name, bytes: 0, count: 0 });
                    one.bytes += custom.data().len() as u64;
                    one.count += 1;
                }
                // What only describes a component may be damaged without harm; then it says nothing.
                if let KnownCustom::Producers(reader) = custom.as_known() {
                    let _ = producers(reader, &mut found.producers);
                }
                if custom.name() == DEPENDENCIES && found.dependencies.is_none() {
                    found.dependencies = dependencies(custom.data());
                }
            }
            _ => {}
        }
    }
    found.custom_sections = sections.into_values().collect();
    let wiring = Wiring::read(component)?;
    found.imports = wiring.imported();
    found.exports = wiring.exports.iter().take(MOST).map(|name| shown(name, LONGEST_NAME)).collect();
    found.language = language(&found.producers, &wiring);
    Ok(found)
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST {
        list.push(item);
    }
}

fn producers(section: ProducersSectionReader<'_>, into: &mut Vec<Producer>) -> wasmparser::Result<()> {
    for field in section {
        let field = field?;
        for value in field.values {
            let value = value?;
            let producer = Producer {
                role: shown(field.name, LONGEST_NAME),
                name: shown(value.name, LONGEST_NAME),
                version: shown(value.version, LONGEST_NAME),
            };
            // Every module of a component says the same again.
            if !into.contains(&producer) {
                push(into, producer);
            }
        }
    }
    Ok(())
}

/// The tools of JavaScript and Python put an engine of theirs into the component, and leave no word of the language:
/// their engines are known by what they link.
fn language(producers: &[Producer], wiring: &Wiring<'_>) -> String {
    let links = |start: &str| wiring.links.iter().any(|name| name.starts_with(start));
    let by = |role: &str, start: &str| {
        producers.iter().any(|producer| producer.role == role && producer.name.starts_with(start))
    };
    if links("libpython") || by("processed-by", "componentize-py") {
        return "Python".into();
    }
    if links("local:init/module-loader") || by("processed-by", "ComponentizeJS") {
        return "JavaScript".into();
    }
    if let Some(named) = producers.iter().find(|producer| producer.role == "language") {
        return named.name.clone();
    }
    match by("processed-by", "wit-bindgen-rust") || by("processed-by", "rustc") {
        true => "Rust".into(),
        false => String::new(),
    }
}

/// Reads the list that `cargo auditable` left: what was linked, not what only built it.
fn dependencies(compressed: &[u8]) -> Option<Vec<Dependency>> {
    #[derive(Deserialize)]
    struct List {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        #[serde(default)]
        source: String,
        #[serde(default)]
        kind: String,
    }
    let json =
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(compressed, LARGEST_DEPENDENCIES).ok()?;
    let list: List = serde_json::from_slice(&json).ok()?;
    let linked = list.packages.into_iter().filter(|package| package.kind != "build");
    let shown = linked.map(|package| Dependency {
        name: shown(&package.name, LONGEST_NAME),
        version: shown(&package.version, LONGEST_NAME),
        source: shown(&package.source, LONGEST_NAME),
    });
    Some(shown.take(MOST).collect())
}
