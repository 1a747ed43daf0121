//! The same sources in another folder give the same bytes.

use crate::error::{Error, at};
use crate::guests::{self, Guest};
use crate::process;
use crate::toolchain::Wasm;
use crate::tree::{self, Tree};
use std::path::Path;

/// What a guest is made from, below the root. The root's manifest is where the SDK inherits its version.
const SOURCES: [&str; 4] = ["Cargo.toml", "plugins", "sdk", "wit"];

/// Builds the plugins here and in a copy at another depth, and compares the components byte by byte.
pub fn check(tree: &Tree, wasm: &Wasm) -> Result<(), Error> {
    let here = guests::build(tree, wasm)?;
    process::timed("guests in another folder", || {
        let temporary = tempfile::Builder::new()
            .prefix("windlass-reproducible-")
            .tempdir()
            .map_err(at("create a folder in", std::env::temp_dir()))?;
        let root = temporary.path().join("another/and deeper/folder");
        for source in SOURCES {
            copy(&tree.root.join(source), &root.join(source))?;
        }
        let there = guests::build_in(&root, &[root.join("plugins")], &root.join("built"), wasm)?;
        compare(&here, &there)
    })
}

fn compare(here: &[Guest], there: &[Guest]) -> Result<(), Error> {
    let mut different = Vec::new();
    for guest in here.iter().filter(|guest| guest.bundled) {
        let Some(twin) = there.iter().find(|twin| twin.name == guest.name) else {
            different.push(format!("{}: not built there", guest.name));
            continue;
        };
        let read = |path: &Path| std::fs::read(path).map_err(at("read", path));
        let (one, two) = (read(&guest.component)?, read(&twin.component)?);
        match first_difference(&one, &two) {
            None => eprintln!("xtask: {}: the same {} bytes in both folders", guest.name, one.len()),
            Some(offset) => different.push(format!(
                "{}: {} and {} bytes, first different at {offset}",
                guest.name,
                one.len(),
                two.len()
            )),
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(Error::Check {
        title: "guests differ by the folder they are built in".into(),
        details: different.join("\n"),
    })
}

fn first_difference(one: &[u8], two: &[u8]) -> Option<usize> {
    let common = one.iter().zip(two).take_while(|(a, b)| a == b).count();
    (common < one.len() || common < two.len()).then_some(common)
}

/// Copies a file or a folder, without the outputs of builds.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let files = if from.is_dir() { tree::files(from)? } else { vec![from.to_path_buf()] };
    for file in files {
        let below = file.strip_prefix(from).unwrap_or(Path::new(""));
        if below.components().any(|part| part.as_os_str() == "target") {
            continue;
        }
        let copy = if below.as_os_str().is_empty() { to.to_path_buf() } else { to.join(below) };
        if let Some(folder) = copy.parent() {
            std::fs::create_dir_all(folder).map_err(at("create", folder))?;
        }
        std::fs::copy(&file, &copy).map_err(at("copy", &file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_in_bytes_or_in_length_is_found() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"abd"), Some(2));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
        assert_eq!(first_difference(b"", b"a"), Some(0));
    }

    #[test]
    fn a_component_that_differs_or_is_absent_fails_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let guest = |file: &str, bytes: &[u8]| {
            let component = folder.path().join(file);
            std::fs::write(&component, bytes).unwrap();
            Guest { name: "a".into(), component, bundled: true }
        };
        let (one, same, other) = (guest("1", b"xy"), guest("2", b"xy"), guest("3", b"xz"));
        let here = [one];
        compare(&here, &[same]).unwrap();
        let error = compare(&here, &[other]).unwrap_err().to_string();
        assert!(error.ends_with("a: 2 and 2 bytes, first different at 1"), "{error}");
        let error = compare(&here, &[]).unwrap_err().to_string();
        assert!(error.ends_with("a: not built there"), "{error}");
    }
}
