//! No test file forgotten: every `.rs` below `tests` is reached from `tests/main.rs` by `mod` lines.
//!
//! A file that nothing names is not compiled, so its tests would neither run nor fail.

use crate::error::{Error, at};
use crate::tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Fails with the files that no `mod` line reaches.
pub fn check(root: &Path) -> Result<(), Error> {
    let tests = root.join("tests");
    let forgotten = forgotten(&tests)?;
    if forgotten.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = forgotten
        .iter()
        .map(|file| format!("  {}", file.strip_prefix(root).unwrap_or(file).display()))
        .collect();
    Err(Error::Check {
        title: "test files that no `mod` line reaches from tests/main.rs, so they never run".into(),
        details: lines.join("\n"),
    })
}

/// Returns the names of the suite's groups: the modules of `tests/main.rs`, in its order.
pub fn groups(root: &Path) -> Result<Vec<String>, Error> {
    let path = root.join("tests/main.rs");
    let text = std::fs::read_to_string(&path).map_err(at("read", &path))?;
    Ok(modules(&text).into_iter().map(|module| module.name).collect())
}

fn forgotten(tests: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![(tests.join("main.rs"), tests.to_path_buf())];
    while let Some((file, folder)) = waiting.pop() {
        let text = std::fs::read_to_string(&file).map_err(at("read", &file))?;
        for module in modules(&text) {
            let beside = file.parent().unwrap_or(tests);
            let candidates = match &module.path {
                Some(path) => vec![beside.join(path)],
                None => {
                    vec![folder.join(format!("{}.rs", module.name)), folder.join(&module.name).join("mod.rs")]
                }
            };
            // A `mod` line without a file does not compile; that is rustc's to say.
            waiting.extend(candidates.into_iter().filter(|file| file.exists()).map(|file| {
                let below = below(&file, &module.name);
                (file, below)
            }));
        }
        reached.insert(file);
    }
    let mut all = tree::files(tests)?;
    all.retain(|file| {
        // Guests are packages of their own, built for wasm.
        file.extension().is_some_and(|e| e == "rs") && !file.starts_with(tests.join("guests"))
    });
    all.retain(|file| !reached.contains(file));
    Ok(all)
}

/// Returns the folder where a module's own modules are looked for.
fn below(file: &Path, name: &str) -> PathBuf {
    let beside = file.parent().unwrap_or(Path::new(""));
    if file.file_name().is_some_and(|file| file == "mod.rs") { beside.into() } else { beside.join(name) }
}

/// A `mod name;` line, with the `#[path]` before it.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    name: String,
    path: Option<String>,
}

fn modules(text: &str) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            path = rest.split('"').next().map(String::from);
            continue;
        }
        let declared = line
            .strip_prefix("pub ")
            .or_else(|| line.strip_prefix("pub(crate) "))
            .unwrap_or(line)
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'));
        if let Some((name, _)) = declared {
            modules.push(Module { name: name.trim().into(), path: path.take() });
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join("tests").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn files_reached_in_every_way_are_not_forgotten() {
        let folder = suite(&[
            ("main.rs", "mod lab;\npub(crate) mod cases; // why\n#[path = \"odd/name.rs\"]\nmod other;\n"),
            ("lab/mod.rs", "mod deep;"),
            ("lab/deep.rs", "mod deeper;"),
            ("lab/deep/deeper.rs", ""),
            ("cases.rs", ""),
            ("odd/name.rs", ""),
            ("guests/probe/src/lib.rs", ""),
        ]);
        check(folder.path()).unwrap();
        assert_eq!(groups(folder.path()).unwrap(), ["lab", "cases", "other"]);
    }

    #[test]
    fn a_file_without_a_mod_line_is_named() {
        let folder = suite(&[
            ("main.rs", "mod lab;\n// mod cases;\n"),
            ("lab/mod.rs", ""),
            ("lab/lost.rs", ""),
            ("cases.rs", ""),
        ]);
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(":\n  tests/cases.rs\n  tests/lab/lost.rs"), "{error}");
    }
}
