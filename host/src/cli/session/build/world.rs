//! The world of one plugin: what of the contract its manifest asks for, as WIT; and whether its component keeps to it.

use crate::cli::error::{Error, Exit, Result};
use crate::plugin::{API_VERSION, Kind, Manifest, Need};
use crate::report::harmless;
use camino::Utf8Path;
use std::collections::BTreeSet;

const PACKAGE: &str = "windlass:plugin";
/// Where a project keeps its world.
const FILE: &str = "world.wit";

/// The interfaces whose functions a need can be for.
fn interfaces(need: &Need) -> BTreeSet<&'static str> {
    let mut wanted = BTreeSet::new();
    let mut add = |applies: bool, interface: &'static str| {
        if applies {
            wanted.insert(interface);
        }
    };
    let general = |words: &[&str]| need.general.iter().any(|word| words.contains(&word.as_str()));
    add(!need.commands.is_empty() || general(&["nodes", "quarantine"]), "nodes");
    // What a command writes can be restored by the command's name.
    add(!need.files.is_empty() || !need.commands.is_empty(), "files");
    add(!need.endpoints.is_empty() || general(&["health", "manager"]), "cluster");
    add(!need.crypto.is_empty(), "crypto");
    add(!need.keyring.is_empty(), "keyring");
    add(!need.secrets.is_empty(), "secrets");
    add(general(&["parameters", "confirm", "note"]), "operator");
    add(general(&["state"]), "state");
    add(general(&["clock"]), "clock");
    wanted
}

fn wanted(manifest: &Manifest) -> BTreeSet<&'static str> {
    manifest.needs.iter().flat_map(interfaces).collect()
}

/// The world as WIT.
fn text(manifest: &Manifest) -> String {
    let mut lines = vec![
        "// Written by `windlass plugin build` from the needs of manifest.toml: all that this plugin can import."
            .to_owned(),
        format!("package site:{};", kebab(manifest.name.as_str())),
        String::new(),
        format!("world {} {{", kebab(manifest.name.as_str())),
    ];
    lines.extend(wanted(manifest).iter().map(|name| format!("    import {PACKAGE}/{name}@{API_VERSION};")));
    let api = match manifest.kind {
        Kind::Procedure => "procedure-api",
        Kind::Hook => "hook-api",
    };
    lines.push(format!("    export {PACKAGE}/{api}@{API_VERSION};"));
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// WIT's names have no other characters.
fn kebab(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<_> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let words = words.join("-");
    if words.starts_with(|c: char| c.is_ascii_digit()) { format!("p{words}") } else { words }
}

/// Writes the world beside the manifest, where it is not there already.
pub(super) fn write(folder: &Utf8Path, manifest: &Manifest) -> Result<()> {
    let (file, text) = (folder.join(FILE), text(manifest));
    if std::fs::read_to_string(&file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    std::fs::write(&file, text)
        .map_err(|error| Error::new(Exit::Usage, format!("{file} cannot be written: {error}")))
}

/// The kinds of plugin that a component is by what it exports.
pub(super) fn exported(component: &[u8]) -> Vec<Kind> {
    let Some(world) = World::of(component) else { return Vec::new() };
    let exports = |api: &str| world.exports.iter().any(|name| name == api);
    [(Kind::Procedure, "procedure-api"), (Kind::Hook, "hook-api")]
        .into_iter()
        .filter_map(|(kind, api)| exports(api).then_some(kind))
        .collect()
}

/// An import that no need is for would be denied at every call: better said now.
pub(super) fn check(component: &[u8], manifest: &Manifest) -> Result<()> {
    let wanted = wanted(manifest);
    let Some(world) = World::of(component) else { return Ok(()) };
    let Some((interface, function)) = world.imports.iter().find(|(name, _)| !wanted.contains(name.as_str()))
    else {
        return Ok(());
    };
    Err(Error::new(
        Exit::Usage,
        format!(
            "{} calls {}.{}, and no need of manifest.toml is for it",
            manifest.name,
            harmless(interface),
            harmless(function)
        ),
    )
    .hint(format!("add to manifest.toml: [[needs]] reason = \"…\" {}", example(interface)))
    .hint("or take the call out"))
}

fn example(interface: &str) -> &'static str {
    match interface {
        "nodes" => "commands = [\"COMMAND@NODE\"], or general = [\"nodes\"]",
        "files" => "files = [\"read FILE@NODE\"]",
        "cluster" => "endpoints = [\"ENDPOINT@NODE\"], or general = [\"health\"]",
        "crypto" => "crypto = [\"inspect\"]",
        "keyring" => "keyring = [\"versions\"]",
        "secrets" => "secrets = [\"NAME -> COMMAND.ARGUMENT\"]",
        "operator" => "general = [\"note\"]",
        "state" => "general = [\"state\"]",
        _ => "general = [\"clock\"]",
    }
}

/// What a component imports and exports of the contract.
struct World {
    /// Interface and one function of it.
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

impl World {
    fn of(component: &[u8]) -> Option<Self> {
        let decoded = wit_component::decode(component).ok()?;
        let resolve = decoded.resolve();
        let wit_component::DecodedWasm::Component(_, world) = &decoded else { return None };
        let world = resolve.worlds.get(*world)?;
        let interface = |item: &wit_parser::WorldItem| match item {
            wit_parser::WorldItem::Interface { id, .. } => resolve.interfaces.get(*id),
            _ => None,
        };
        // One that is imported for its types alone is no call.
        let imports = world.imports.values().filter_map(|item| {
            let interface = interface(item)?;
            Some((interface.name.clone()?, interface.functions.keys().next()?.clone()))
        });
        let exports = world.exports.values().filter_map(|item| interface(item)?.name.clone());
        Some(Self { imports: imports.collect(), exports: exports.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, needs: Vec<Need>) -> Manifest {
        Manifest {
            name: name.parse().unwrap(),
            version: "0.1.0".into(),
            kind: Kind::Hook,
            api: "0.1".into(),
            summary: "x".into(),
            approvals: 0,
            needs,
        }
    }

    #[test]
    fn the_world_is_what_the_needs_are_for_and_no_more() {
        let general = |words: &[&str]| Need {
            general: words.iter().map(|w| (*w).to_owned()).collect(),
            ..Need::default()
        };
        let made = text(&manifest("9_lives", vec![general(&["clock", "note"]), general(&["unclear-roles"])]));
        assert!(made.contains("package site:p9-lives;"), "{made}");
        let imports: Vec<_> = made.lines().filter(|line| line.trim().starts_with("import")).collect();
        assert_eq!(
            imports,
            ["    import windlass:plugin/clock@0.1.1;", "    import windlass:plugin/operator@0.1.1;"]
        );
        // It is WIT, beside the contract.
        let mut resolve = wit_parser::Resolve::default();
        resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
        resolve.push_str("world.wit", &made).unwrap();
    }

    #[test]
    fn each_general_word_is_for_an_interface_or_is_about_roles() {
        for word in crate::site::GENERAL {
            let need = Need { general: vec![word.to_owned()], ..Need::default() };
            assert_eq!(interfaces(&need).len(), usize::from(word != "unclear-roles"), "{word}");
        }
    }
}
