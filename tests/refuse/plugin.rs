//! A site's own procedure that is hostile, broken or asks for more than it is granted.

use super::*;
use windlass::model::PluginName;
use windlass::plugin::{Kind, Manifest, manifest};
use wit_component::{ComponentEncoder, StringEncoding};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

pub fn a_manifest(name: &str, kind: Kind) -> Manifest {
    Manifest {
        name: PluginName::new(name).unwrap(),
        version: "1.0.0".into(),
        kind,
        api: "0.1".into(),
        summary: "A guest of the tests".into(),
        approvals: 0,
        needs: vec![],
    }
}

pub fn signed(component: &[u8], name: &str, kind: Kind) -> Vec<u8> {
    // What is no component at all stays what it is.
    manifest::append(component, &a_manifest(name, kind)).unwrap_or_else(|_| component.to_vec())
}

/// Returns a component made from text: a whole one, or the fields of a plugin's core module, whose
/// missing exports answer with zeros.
pub fn component(text: &str, kind: Kind) -> Vec<u8> {
    if text.contains("(component") || text.contains("(module") {
        return wat::parse_str(text).unwrap();
    }
    let exports: &[(&str, &str)] = match kind {
        Kind::Procedure => &[
            ("describe", "(result i32)"),
            ("steps", "(result i32)"),
            ("apply", "(param i32 i32) (result i32)"),
            ("undo", "(param i32 i32) (result i32)"),
            ("verify", "(result i32)"),
        ],
        Kind::Hook => {
            &[("describe", "(result i32)"), ("handle", "(param i32 i32 i32 i32 i32 i32) (result i32)")]
        }
    };
    let kind = kind.as_str();
    let mut module = format!("(module {text}\n");
    for (name, signature) in exports {
        if !text.contains(&format!("(func ${name} ")) {
            module += &format!("(func ${name} {signature} (i32.const 1024))\n");
        }
        module += &format!("(export \"windlass:plugin/{kind}-api@0.1.1#{name}\" (func ${name}))\n");
    }
    if !text.contains("(memory ") {
        module += "(memory (export \"memory\") 1)\n";
    }
    module += "(global $free (mut i32) (i32.const 32768))
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
          (global.get $free)
          (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7))
                                     (i32.const -8)))))";
    let mut module = wat::parse_str(&module).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (mut package, _) = resolve.push_dir(format!("{ROOT}/wit")).unwrap();
    let mut world = kind;
    // What a guest has besides: a text in WIT with a world of its own, line by line behind `;;:`.
    let more: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(";;: ")).collect();
    if !more.is_empty() {
        package = resolve.push_str("more.wit", &more.join("\n").replace("WORLD", kind)).unwrap();
        world = "guest";
    }
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Every text of `tests/hostile`, by name; what breaks in `apply` breaks in `steps` here, before any change.
fn hostile() -> Vec<(String, String)> {
    let mut all: Vec<_> = Utf8Path::new(ROOT)
        .join("tests/hostile")
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        // Beside them lies what is only audited.
        .filter(|path| path.extension() == Some("wat"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace("(func $apply (param i32 i32)", "(func $steps");
            (path.file_stem().unwrap().to_owned(), text)
        })
        .collect();
    all.sort();
    all
}

/// Lets the site's own component take over ha-cert.
fn take_over(practice: &Practice, bytes: &[u8]) {
    practice.write("plugins/own.wasm", bytes);
    if !practice.read("site.toml").contains("own.wasm") {
        let site = practice.read("site.toml");
        let site =
            site.replace("[procedures.ha-cert]\n", "[procedures.ha-cert]\nplugin = \"plugins/own.wasm\"\n");
        practice.write("site.toml", &site[..site.find("[procedures.ha-cert.params]").unwrap()]);
        let site = practice.read("site.toml");
        let kept: Vec<_> = site
            .lines()
            .filter(|line| !["strategy", "ca ="].iter().any(|key| line.starts_with(key)))
            .collect();
        practice.write("site.toml", kept.join("\n") + "\n");
    }
}

#[test]
fn every_hostile_guest_is_contained_named_and_changes_nothing() {
    let Some(practice) = local() else { return };
    for (name, text) in hostile() {
        // What never was a plugin, or cannot be loaded, is a mistake of the site; what breaks in its call failed.
        let (exit, says): (i32, &[&str]) = match name.as_str() {
            "argument-name" => (1, &["-oProxyCommand=x"]),
            "text-escapes" => (1, &["gone", "all is well"]),
            "describes-with-effects" => (0, &["nothing to do"]),
            "born-too-large" | "loops-at-start" => (2, &["describe()"]),
            "core-module" => (2, &["own.wasm", "component"]),
            _ if text.contains("(component") => (2, &["own.wasm"]),
            _ => (1, &["ha-cert", "steps()"]),
        };
        let component = component(&text, Kind::Procedure);
        take_over(&practice, &signed(&component, "ha-cert", Kind::Procedure));
        let before = practice.nodes();
        let said = practice.run(&[]);
        assert_eq!(said.exit, exit, "{name}: {said:#?}");
        said.check(exit, says);
        assert!(!said.err.contains('\u{1b}'), "{name}: an escape reached the terminal: {said:#?}");
        before.check(&practice.nodes());
    }
}

#[test]
fn a_file_that_is_no_plugin_of_that_name_is_refused_before_a_node_is_asked() {
    let Some(practice) = local() else { return };
    let good = component("", Kind::Procedure);
    let whole = signed(&good, "ha-cert", Kind::Procedure);
    let nodes = practice.nodes();
    for (bytes, says) in [
        (whole[..whole.len() / 2].to_vec(), &["own.wasm"][..]),
        (whole[..whole.len() - 1].to_vec(), &["own.wasm"]),
        (whole[..3].to_vec(), &["own.wasm"]),
        (Vec::new(), &["own.wasm"]),
        (b"#!/bin/sh\nexit 0\n".to_vec(), &["own.wasm"]),
        (good.clone(), &["own.wasm", "manifest"]),
        ([&whole[..], &whole[good.len()..]].concat(), &["own.wasm", "manifest"]),
        (signed(&good, "ha-crt", Kind::Procedure), &["own.wasm", "ha-crt", "ha-cert"]),
    ] {
        take_over(&practice, &bytes);
        let said = practice.run(&[]);
        said.check(2, says);
        nodes.check(&practice.nodes());
    }
    std::fs::remove_file(practice.dir.join("plugins/own.wasm")).unwrap();
    practice.run(&[]).check(2, &["plugins/own.wasm", "[procedures.ha-cert]"]);
    practice.write("plugins/own.wasm/folder", "");
    practice.run(&[]).check(2, &["plugins/own.wasm", "[procedures.ha-cert]"]);
    assert_eq!(nodes.ran, practice.nodes().ran, "a node was asked");
}

#[test]
fn a_denial_prints_the_grant_that_ends_it() {
    let Some(practice) = local() else { return };
    let Some(probe) = built("probe") else { return };
    let site = practice.read("site.toml") + "\n[procedures.probe]\nplugin = \"plugins/probe.wasm\"\n";
    practice.write("site.toml", site);
    practice.write("plugins/probe.wasm", probe);
    let run = ["run", "probe", "--yes", "-p", "calls=state.set,clock.now"];
    let before = practice.nodes();
    // One line more each time, until nothing is denied; each line is taken as it was printed.
    let mut lines: Vec<String> = Vec::new();
    for _ in 0..10 {
        let said = practice.windlass(&run);
        before.check(&practice.nodes());
        if said.exit == 0 {
            assert!(lines.len() >= 2, "too little was denied: {lines:?}");
            return said.check(0, &["done"]);
        }
        said.check(3, &["probe", "grants.toml", "next:"]);
        let line = said.err.lines().find_map(|line| line.split_once("general = ")).unwrap_or_else(|| {
            panic!("no line to paste: {said:#?}");
        });
        let end = line.1.find(']').unwrap();
        lines.push(line.1[..end].trim_start_matches('[').to_owned());
        practice.write("grants.toml", format!("[grants.probe]\ngeneral = [{}]\n", lines.join(", ")));
    }
    panic!("still denied with {lines:?}");
}
