mod fuzz;
mod hostile;

use super::*;
use crate::model::audit::{Form, Granted as Has, LeastGrants, Level, Producer, Subject};
use crate::model::{Argument, CommandName, Content, Effect, FileName, NodeName, ObjectName, Value};
use crate::plugin::tests::guest;
use crate::plugin::{Kind, Manifest, Need, manifest};
use crate::policy::{Claim, Facts, Gate, Rules, claims};
use crate::site::GrantBlock;
use std::path::Path;

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A guest's manifest with these needs.
fn asking(needs: Vec<Need>) -> Manifest {
    Manifest { needs, ..guest::a_manifest(Kind::Procedure) }
}

fn need(of: Need) -> Need {
    Need { reason: "For the test".into(), ..of }
}

/// A component that imports what waits and what keeps a value.
fn component(needs: Vec<Need>) -> Vec<u8> {
    let bare = guest::bare_procedure(
        r#"(import "windlass:plugin/clock@0.1.1" "sleep" (func $sleep (param i32 i32)))
           (import "windlass:plugin/state@0.1.1" "get" (func $get (param i32 i32 i32)))
           (memory (export "memory") 3 5)"#,
    );
    manifest::append(&bare, &asking(needs)).unwrap()
}

fn ids(inspected: &Inspected) -> Vec<&str> {
    inspected.findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn a_component_tells_what_it_is_and_what_it_can_do() {
    let needs = vec![need(Need { general: strings(&["clock"]), ..Need::default() })];
    let bytes = component(needs);
    let inspected = inspect("hooks/guest.wasm", &bytes, None, None).unwrap();
    let Subject { name, api, loads_on, digest, bytes: size, form, .. } = &inspected.subject;
    assert_eq!((name.as_str(), api.as_str(), loads_on.as_str()), ("guest", "0.1", "windlass 0.1 and later"));
    assert_eq!((digest, *size), (&crate::plugin::sha256(&bytes), bytes.len() as u64));
    let Form::Component { imports, exports, memories, custom_sections, modules, dependencies, .. } = form
    else {
        panic!("{form:?}")
    };
    assert_eq!(*imports, ["clock/sleep", "state/get", "types"]);
    assert_eq!(*exports, ["windlass:plugin/procedure-api@0.1.1"]);
    assert_eq!((memories[0].minimum, memories[0].maximum), (3, Some(5)));
    assert!(custom_sections.iter().any(|section| section.name == manifest::SECTION && section.count == 1));
    assert!(*modules >= 1 && dependencies.is_none());
    // `state.get` is imported, and nothing that it asks for covers it.
    assert_eq!(ids(&inspected), ["import-not-asked:state.get"]);
    assert_eq!(inspected.findings[0].level, Level::Warning);
    let clock = &inspected.capabilities[0];
    assert_eq!(
        (clock.words.as_str(), clock.imported, clock.granted),
        ("read the clock, and wait", Some(true), None)
    );
}

#[test]
fn what_is_asked_for_and_not_imported_is_found_and_what_stands_for_no_function_is_not() {
    let bytes = component(vec![
        need(Need { general: strings(&["clock", "state", "unclear-roles"]), ..Need::default() }),
        need(Need { commands: strings(&["restart-ha@second"]), ..Need::default() }),
    ]);
    let inspected = inspect("guest.wasm", &bytes, None, None).unwrap();
    assert_eq!(ids(&inspected), ["need-not-imported:commands restart-ha@second"]);
    assert_eq!(
        inspected.findings[0].message,
        "it asks to run restart-ha on second, and imports no function that could"
    );
    let imported: Vec<_> = inspected.capabilities.iter().map(|one| one.imported).collect();
    assert_eq!(imported, [Some(true), Some(true), None, Some(false)]);
}

#[test]
fn grants_are_held_against_what_is_asked_for() {
    let bytes = component(vec![need(Need { general: strings(&["clock", "state"]), ..Need::default() })]);
    let granted = |block: &GrantBlock| {
        let inspected = inspect("guest.wasm", &bytes, None, Some(Granted::Block(block))).unwrap();
        let has: Vec<_> = inspected.capabilities.iter().map(|one| one.granted.unwrap()).collect();
        (has, ids(&inspected).iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let block = |general: &[&str], commands: &[&str]| GrantBlock {
        general: strings(general),
        commands: strings(commands),
        ..GrantBlock::default()
    };
    assert_eq!(granted(&block(&["clock"], &[])), (vec![Has::Yes, Has::No], vec![]));
    assert_eq!(
        granted(&block(&["state", "note"], &["stop@*"])),
        (
            vec![Has::No, Has::Yes],
            strings(&["grant-not-needed:commands stop@*", "grant-not-needed:general note"])
        )
    );
    let other = GrantBlock { digest: Some("0".repeat(64)), ..block(&["clock", "state"], &[]) };
    assert_eq!(granted(&other), (vec![Has::No, Has::No], strings(&["grant-not-needed:digest"])));
    let own = GrantBlock { digest: Some(crate::plugin::sha256(&bytes)), ..block(&["clock", "state"], &[]) };
    assert_eq!(granted(&own), (vec![Has::Yes, Has::Yes], vec![]));
    let as_asked = inspect("guest.wasm", &bytes, None, Some(Granted::AsAsked)).unwrap();
    assert!(as_asked.capabilities.iter().all(|one| one.granted == Some(Has::Yes)));
    let bad = inspect("guest.wasm", &bytes, None, Some(Granted::Block(&block(&["clcok"], &[]))));
    assert!(matches!(bad, Err(InspectError::Grants { .. })));
}

#[test]
fn what_it_exports_and_its_kind_has_not_is_found() {
    let both = guest::bare_hook(
        ";;: package test:guest;\n\
        ;;: world guest { include windlass:plugin/WORLD@0.1.1; export windlass:plugin/script-api@0.1.1; }\n\
        (func (export \"windlass:plugin/script-api@0.1.1#handle\")\n\
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 1024))",
    );
    let bytes = manifest::append(&both, &guest::a_manifest(Kind::Hook)).unwrap();
    let inspected = inspect("hooks/guest.wasm", &bytes, None, None).unwrap();
    assert_eq!(ids(&inspected), ["disagrees:script-api"]);
}

#[test]
fn a_script_tells_its_lines() {
    let text = "#!/usr/bin/env python3\n# /// windlass\n# api = \"0.1\"\n# summary = \"x\"\n#\n# [[needs]]\n\
                # reason = \"r\"\n# commands = [\"drain@lb1\"]\n#\n# [[needs]]\n# reason = \"s\"\n# commands = [\n\
                #   \"undrain@lb1\",\n# ]\n# ///\nprint(1)\n";
    let engine = Producer { role: "engine".into(), name: "script-python".into(), version: "abc".into() };
    let inspected = inspect("hooks/drain.py", text.as_bytes(), Some(engine.clone()), None).unwrap();
    let lines: Vec<_> = inspected.capabilities.iter().map(|one| one.place.as_ref().unwrap().line).collect();
    assert_eq!(lines, [8, 13]);
    assert!(inspected.capabilities.iter().all(|one| one.imported.is_none()));
    let Form::Script { language, engine: by, source } = &inspected.subject.form else { panic!() };
    assert_eq!((language.as_str(), by.as_ref(), source.len()), ("python", Some(&engine), 16));
    assert!(inspected.findings.is_empty());
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_so() {
    let bare = guest::bare_procedure("");
    for (bytes, says) in [
        (b"MZ".to_vec(), "not WebAssembly"),
        (bare, "which says who it is"),
        (wat::parse_str("(module)").unwrap(), "core WebAssembly module"),
    ] {
        let error = inspect("guest.wasm", &bytes, None, None).unwrap_err();
        let text = crate::plugin::tests::guest::chain(&error);
        assert!(text.contains(says), "{says}: {text}");
    }
    let bytes = component(vec![need(Need { commands: strings(&["dr ain"]), ..Need::default() })]);
    let error = inspect("guest.wasm", &bytes, None, None).unwrap_err();
    assert!(matches!(error, InspectError::Needs { .. }), "{error:?}");
}

/// The folder of the built guests, or none and a word about it.
fn built() -> Option<Vec<(String, Vec<u8>)>> {
    let Some(folder) = std::env::var_os("WINDLASS_COMPONENTS") else {
        println!("skipped: WINDLASS_COMPONENTS is not set; run `cargo xtask test`");
        return None;
    };
    let engines = std::env::var_os("WINDLASS_ENGINES").map(|folder| Path::new(&folder).join("examples"));
    let folders = [Some(Path::new(&folder).to_owned()), engines];
    let entries =
        folders.into_iter().flatten().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    Some(entries.map(|entry| read(entry.unwrap())).collect())
}

#[test]
fn what_we_ship_imports_what_it_asks_for() {
    let Some(built) = built() else { return };
    assert!(built.len() > 4);
    for (file, bytes) in built {
        let inspected = inspect(&file, &bytes, None, None).unwrap();
        let Form::Component { language, .. } = &inspected.subject.form else { panic!() };
        let expected = match file.rsplit_once('-') {
            Some((_, "py.wasm")) => "Python",
            Some((_, "js.wasm")) => "JavaScript",
            _ => "Rust",
        };
        assert_eq!(language, expected, "{file}");
        let above: Vec<_> = inspected.findings.iter().filter(|one| one.level > Level::Note).collect();
        // The guests of our own tests do on purpose what no plugin should.
        if !["probe.wasm", "hostile.wasm"].contains(&file.as_str()) {
            assert!(above.is_empty(), "{file}: {above:#?}");
        }
        println!("{file}: {language}, {} capabilities, {:?}", inspected.capabilities.len(), ids(&inspected));
    }
}

/// Two nodes of a pair, and one of a group.
struct Pair;

impl Facts for Pair {
    fn places(&self, node: &NodeName) -> Vec<String> {
        match node.as_str() {
            "a" => strings(&["managers", "first"]),
            "b" => strings(&["managers", "second"]),
            _ => strings(&["balancers"]),
        }
    }
    fn set_members(&self, _: &ObjectName, _: &NodeName) -> Vec<FileName> {
        Vec::new()
    }
    fn is_command(&self, _: &str) -> bool {
        false
    }
    fn secret_in_argv(&self, _: &CommandName) -> bool {
        false
    }
}

fn run(command: &str, node: &str, arguments: &[(&str, &str)]) -> Effect {
    let argument = |(name, value): &(&str, &str)| Argument {
        name: (*name).into(),
        value: match value.strip_prefix("secret ") {
            Some(secret) => Value::Secret(ObjectName::new(secret).unwrap()),
            None => Value::Text((*value).into()),
        },
    };
    Effect::NodesRun {
        node: NodeName::new(node).unwrap(),
        command: CommandName::new(command).unwrap(),
        arguments: arguments.iter().map(argument).collect(),
    }
}

fn seen() -> (Manifest, Vec<Effect>) {
    let manifest = asking(vec![
        need(Need {
            commands: strings(&["restart@*", "look@*", "set(state=drain|ready|maint)@*", "stop@first"]),
            files: strings(&["write root@managers", "stat root"]),
            ..Need::default()
        }),
        need(Need {
            secrets: strings(&["word", "word -> replace.password"]),
            commands: strings(&["replace@first"]),
            general: strings(&["clock", "note"]),
            ..Need::default()
        }),
    ]);
    let node = |name: &str| NodeName::new(name).unwrap();
    let file = FileName::new("root").unwrap();
    let effects = vec![
        run("restart", "a", &[]),
        run("restart", "b", &[]),
        run("look", "a", &[]),
        run("look", "lb1", &[]),
        run("set", "lb1", &[("state", "ready")]),
        run("set", "lb1", &[("state", "drain")]),
        Effect::SecretsCheck { name: ObjectName::new("word").unwrap() },
        run("replace", "a", &[("password", "secret word")]),
        Effect::FilesPut { node: node("a"), file: file.clone(), content: Content::Bytes(vec![1]) },
        Effect::FilesPut { node: node("b"), file, content: Content::Bytes(vec![1]) },
        Effect::ClockNow,
    ];
    (manifest, effects)
}

fn gate(manifest: &Manifest, lines: &[String]) -> Gate {
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Lists {
        commands: Vec<String>,
        files: Vec<String>,
        secrets: Vec<String>,
        general: Vec<String>,
    }
    let text = lines.join("\n");
    let tables: std::collections::BTreeMap<String, std::collections::BTreeMap<String, Lists>> =
        toml::from_str(&text).unwrap();
    let Lists { commands, files, secrets, general } =
        tables.into_values().next().unwrap().into_values().next().unwrap_or_default();
    let block = GrantBlock { commands, files, secrets, general, ..GrantBlock::default() };
    let needs = |need: &Need| GrantBlock {
        commands: need.commands.clone(),
        files: need.files.clone(),
        secrets: need.secrets.clone(),
        general: need.general.clone(),
        ..GrantBlock::default()
    };
    let mut asked = Rules::default();
    for need in &manifest.needs {
        asked.extend(Rules::parse(&needs(need)).unwrap());
    }
    Gate::new(manifest.name.clone(), asked, Rules::parse(&block).unwrap(), false)
}

#[test]
fn the_least_grants_allow_all_that_was_seen_and_no_line_of_them_can_go() {
    let (manifest, effects) = seen();
    let claims: Vec<Claim> = effects.iter().flat_map(|effect| claims(effect, &Pair)).collect();
    let LeastGrants { block, exceeded_by } = least(&manifest, &claims, None);
    assert!(exceeded_by.is_none());
    let text = block.join("\n");
    assert_eq!(
        text,
        r#"[grants.guest]
commands = [
  "look@*",
  "replace@first",
  "restart@first",
  "restart@second",
  "set(state=drain|ready)@*",
]
files = [
  "write root@managers",
]
secrets = [
  "word -> replace.password",
]
general = [
  "clock",
]"#
    );
    let denied = |lines: &[String]| {
        let gate = gate(&manifest, lines);
        effects.iter().filter(|effect| gate.check((*effect).clone(), &Pair).is_err()).count()
    };
    assert_eq!(denied(&block), 0, "{text}");
    for (index, line) in block.iter().enumerate().filter(|(_, line)| line.starts_with("  ")) {
        let mut rest = block.clone();
        rest.remove(index);
        assert!(denied(&rest) > 0, "{line} can go");
    }
}

#[test]
fn what_the_site_grants_besides_is_named() {
    let (manifest, effects) = seen();
    let claims: Vec<Claim> = effects.iter().flat_map(|effect| claims(effect, &Pair)).collect();
    let present = GrantBlock {
        commands: strings(&["restart@*", "stop@first", "set(state=maint)@*"]),
        files: strings(&["stat root", "write root@managers"]),
        general: strings(&["clock", "note"]),
        ..GrantBlock::default()
    };
    assert_eq!(
        least(&manifest, &claims, Some(&present)).exceeded_by.unwrap(),
        [
            r#"commands = "stop@first""#,
            r#"commands = "set(state=maint)@*""#,
            r#"files = "stat root""#,
            r#"general = "note""#
        ]
    );
    // A plugin of which nothing was seen needs nothing.
    assert_eq!(least(&manifest, &[], None).block, ["[grants.guest]"]);
}
