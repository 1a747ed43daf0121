//! The rooms of `host/src` know exactly the rooms that ARCHITECTURE.md says they know.
//!
//! The page draws the arrows in a block fenced as ```` ```arrows ````, one `a -> b` a line: code in `a` names
//! something of `b`. An arrow in the code that is not drawn fails, and so does a drawn one that no code needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Arrow = (String, String);

#[test]
fn rooms_know_only_the_rooms_that_the_map_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md"))
        .expect("ARCHITECTURE.md at the top of the repository draws the arrows between rooms");
    let mut sources = Vec::new();
    read_sources(&root.join("host/src"), Path::new(""), &mut sources);
    assert!(!sources.is_empty(), "no source in host/src was found");
    let problems = compare(&drawn(&page), &used(&sources));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Returns what is wrong, a line each.
fn compare(
    drawn: &Result<BTreeMap<Arrow, usize>, String>,
    used: &BTreeMap<Arrow, Vec<String>>,
) -> Vec<String> {
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(problem) => return vec![problem.clone()],
    };
    let mut problems = Vec::new();
    for ((from, to), places) in used {
        if !drawn.contains_key(&(from.clone(), to.clone())) {
            problems.push(format!(
                "{}: `{from}` uses `{to}`, and ARCHITECTURE.md draws no arrow `{from} -> {to}`",
                places.join(", ")
            ));
        }
    }
    for ((from, to), line) in drawn {
        if !used.contains_key(&(from.clone(), to.clone())) {
            problems.push(format!(
                "ARCHITECTURE.md:{line}: draws `{from} -> {to}`, and nothing in `{from}` uses `{to}`"
            ));
        }
    }
    problems
}

/// Returns the arrows of the page's block, each with its line.
fn drawn(page: &str) -> Result<BTreeMap<Arrow, usize>, String> {
    let mut arrows = BTreeMap::new();
    let mut within = false;
    let mut blocks = 0;
    for (index, line) in page.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        match (within, line) {
            (false, "```arrows") => (within, blocks) = (true, blocks + 1),
            (true, "```") => within = false,
            (true, "") | (false, _) => {}
            (true, line) => match line.split_once(" -> ") {
                Some((from, to)) => {
                    arrows.insert((from.trim().into(), to.trim().into()), index);
                }
                None => return Err(format!("ARCHITECTURE.md:{index}: {line:?} is not `a -> b`")),
            },
        }
    }
    if blocks != 1 || within {
        return Err("ARCHITECTURE.md: needs exactly one closed block fenced as ```arrows".into());
    }
    Ok(arrows)
}

/// A source file by its path below `host/src`.
type Source = (PathBuf, String);

/// Collects the sources of all rooms; tests may know more than the code they test, and are left out.
fn read_sources(folder: &Path, below: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a folder of host/src is read") {
        let entry = entry.expect("an entry of host/src is read");
        let below = below.join(entry.file_name());
        let kind = entry.file_type().expect("an entry of host/src has a type");
        if below.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if kind.is_dir() {
            read_sources(&entry.path(), &below, sources);
        } else if below.extension().is_some_and(|extension| extension == "rs") {
            sources.push((below, std::fs::read_to_string(entry.path()).expect("a source is UTF-8")));
        }
    }
    sources.sort();
}

/// Returns every arrow that the sources need, with the places that need it.
fn used(sources: &[Source]) -> BTreeMap<Arrow, Vec<String>> {
    let rooms: BTreeSet<String> = sources.iter().filter_map(|(path, _)| room(path)).collect();
    let mut arrows: BTreeMap<Arrow, Vec<String>> = BTreeMap::new();
    for (path, text) in sources {
        let Some(from) = room(path) else { continue };
        for (line, to) in references(&code(text), depth(path)) {
            if to != from && rooms.contains(&to) {
                let places = arrows.entry((from.clone(), to)).or_default();
                places.push(format!("host/src/{}:{line}", path.display()));
            }
        }
    }
    arrows
}

/// Returns the room of a file below `host/src`; `lib.rs` and `main.rs` are in none.
fn room(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    match first.strip_suffix(".rs") {
        Some("lib" | "main") => None,
        Some(name) => Some(name.into()),
        None => Some(first.into()),
    }
}

/// Returns how many modules deep a file is below the crate's root.
fn depth(path: &Path) -> usize {
    let parts = path.components().count();
    if path.file_name().is_some_and(|name| name == "mod.rs") { parts - 1 } else { parts }
}

/// Returns a source without comments and without its tests, line by line as it was.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // Tests stand at the end of a file; another item for tests is one line, as `mod tests;`.
            if lines.next().is_some_and(|item| item.starts_with("mod ") && item.ends_with('{')) {
                break;
            }
            kept.push_str("\n\n");
            continue;
        }
        kept.push_str(line.split("//").next().unwrap_or(""));
        kept.push('\n');
    }
    kept
}

/// Returns the first name after every path from the crate's root, with its line.
fn references(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if starts_a_word(code, at) {
            found.extend(heads(code, at + "crate::".len()));
        }
    }
    for (at, _) in code.match_indices("super::") {
        if !starts_a_word(code, at) || code[..at].ends_with("super::") {
            continue;
        }
        let mut after = at;
        let mut steps = 0;
        while code[after..].starts_with("super::") {
            (after, steps) = (after + "super::".len(), steps + 1);
        }
        if steps >= depth {
            found.extend(heads(code, after));
        }
    }
    found.into_iter().map(|(at, name)| (code[..at].matches('\n').count() + 1, name)).collect()
}

fn starts_a_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
}

/// Returns the names that a path goes on with at `at`: one, or those of a `{…}` group.
fn heads(code: &str, at: usize) -> Vec<(usize, String)> {
    let name = |at: usize| -> Option<(usize, String)> {
        let at = at + code[at..].find(|c: char| !c.is_whitespace())?;
        let name: String = code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (!name.is_empty()).then_some((at, name))
    };
    if !code[at..].starts_with('{') {
        return name(at).into_iter().collect();
    }
    let mut found: Vec<_> = name(at + 1).into_iter().collect();
    let mut nesting = 0;
    for (offset, character) in code[at..].char_indices() {
        match character {
            '{' => nesting += 1,
            '}' if nesting == 1 => break,
            '}' => nesting -= 1,
            ',' if nesting == 1 => found.extend(name(at + offset + 1)),
            _ => {}
        }
    }
    found
}

fn check(files: &[(&str, &str)], arrows: &str) -> Vec<String> {
    let mut sources: Vec<Source> = files.iter().map(|(path, text)| (path.into(), (*text).into())).collect();
    sources.push(("model/mod.rs".into(), String::new()));
    sources.push(("site.rs".into(), String::new()));
    compare(&drawn(&format!("# Map\n```arrows\n{arrows}\n```\n")), &used(&sources))
}

#[test]
fn an_arrow_that_is_not_drawn_is_named_with_its_place() {
    let problems = check(&[("run/step.rs", "use std::fmt;\nuse crate::model::Step;\n")], "");
    assert_eq!(
        problems,
        ["host/src/run/step.rs:2: `run` uses `model`, and ARCHITECTURE.md draws no arrow `run -> model`"]
    );
}

#[test]
fn a_drawn_arrow_that_nothing_needs_is_named_with_its_line() {
    let problems = check(&[("run/mod.rs", "// use crate::model;\n")], "run -> model");
    assert_eq!(problems, ["ARCHITECTURE.md:3: draws `run -> model`, and nothing in `run` uses `model`"]);
}

#[test]
fn groups_inline_paths_and_climbing_paths_are_seen() {
    for text in [
        "use crate::{\n    model::{a, b},\n    site,\n};",
        "fn f() -> crate::model::A { $crate::site::b() }",
        "use super::super::{model, site};",
    ] {
        let problems = check(&[("run/step.rs", text)], "run -> model\nrun -> site");
        assert!(problems.is_empty(), "{text}: {problems:?}");
    }
}

#[test]
fn neighbours_in_the_same_room_and_tests_need_no_arrow() {
    let text = "use super::model;\nuse crate::run::x;\n#[cfg(test)]\nuse crate::site;\n#[cfg(test)]\nmod tests {\n    use crate::model;\n}\n";
    assert!(check(&[("run/step.rs", text)], "").is_empty());
}

#[test]
fn a_page_without_the_block_is_a_problem_of_its_own() {
    let problems = compare(&drawn("# Map\n"), &BTreeMap::new());
    assert_eq!(problems, ["ARCHITECTURE.md: needs exactly one closed block fenced as ```arrows"]);
}
