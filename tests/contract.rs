//! Every function that a plugin can import has an allowed case and its denied twin.
//!
//! The contract itself is the list: a function added to `wit/` fails here until
//! `tests/cases/contract/<interface>.<function>.toml` has a table `[allowed]` and a table `[denied]`.

use std::collections::BTreeSet;
use std::path::Path;
use wit_parser::{Resolve, WorldItem};

#[test]
fn every_function_of_the_contract_has_an_allowed_case_and_a_denied_twin() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let functions = imported_functions(&root.join("wit"));
    assert!(functions.len() > 20, "the contract was not read: {functions:?}");
    let problems = problems(&functions, &root.join("tests/cases/contract"));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Returns `<interface>.<function>` for all that the worlds import.
fn imported_functions(wit: &Path) -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).expect("wit/ holds one valid package");
    let mut functions = BTreeSet::new();
    for world in resolve.packages[package].worlds.values() {
        for item in resolve.worlds[*world].imports.values() {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = &resolve.interfaces[*id];
            let name = interface.name.as_deref().expect("interfaces of the contract have names");
            for function in interface.functions.keys() {
                // `[method]node.run` is found as `node.run`.
                let plain = function.rsplit(']').next().unwrap_or(function);
                functions.insert(format!("{name}.{plain}"));
            }
        }
    }
    functions
}

/// Returns what is missing or left over, a line each.
fn problems(functions: &BTreeSet<String>, cases: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for function in functions {
        let file = cases.join(format!("{function}.toml"));
        let shown = format!("tests/cases/contract/{function}.toml");
        let Ok(text) = std::fs::read_to_string(&file) else {
            problems.push(format!(
                "{function}: a plugin can import it, and there is no {shown} with [allowed] and [denied]"
            ));
            continue;
        };
        let case: toml::Table = match toml::from_str(&text) {
            Ok(case) => case,
            Err(error) => {
                problems.push(format!("{shown}: {error}"));
                continue;
            }
        };
        for table in ["allowed", "denied"] {
            if !case.get(table).is_some_and(toml::Value::is_table) {
                problems.push(format!("{shown}: has no table [{table}]"));
            }
        }
    }
    let present = std::fs::read_dir(cases).into_iter().flatten().flatten();
    for name in present.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        // README.md says what a case is.
        if name != "README.md" && !functions.contains(name.strip_suffix(".toml").unwrap_or(&name)) {
            problems.push(format!("tests/cases/contract/{name}: no function of the contract has this name"));
        }
    }
    problems.sort();
    problems
}

#[test]
fn a_case_that_is_missing_half_or_left_over_is_named() {
    let cases = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(cases.path().join(name), text).expect("a case file");
    write("clock.now.toml", "[allowed]\n[denied]\n");
    write("clock.sleep.toml", "[allowed]\n");
    write("clock.gone.toml", "[allowed]\n[denied]\n");
    let functions = ["clock.now", "clock.sleep", "nodes.run"].map(String::from).into();
    assert_eq!(
        problems(&functions, cases.path()),
        [
            "nodes.run: a plugin can import it, and there is no tests/cases/contract/nodes.run.toml with [allowed] and [denied]",
            "tests/cases/contract/clock.gone.toml: no function of the contract has this name",
            "tests/cases/contract/clock.sleep.toml: has no table [denied]",
        ]
    );
}

#[test]
fn only_what_worlds_import_is_listed() {
    let wit = tempfile::tempdir().expect("a temporary folder");
    let text = "package a:b;\ninterface used { resource r { get: func(); } f: func(); }\n\
                interface unused { g: func(); }\ninterface out { h: func(); }\n\
                world w { import used; export out; }\n";
    std::fs::write(wit.path().join("a.wit"), text).expect("a contract");
    assert_eq!(imported_functions(wit.path()), ["used.f", "used.r.get"].map(String::from).into());
}
