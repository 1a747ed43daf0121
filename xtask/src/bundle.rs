//! Components → ahead-of-time images → the binary that holds them.
//!
//! The images are made by the host's own library (`windlass-pack`), in the profile of the binary, so that
//! it is compiled once for both. Only the binary sees the bundle: with `--cfg windlass_bundle` it alone is
//! rebuilt when a guest changes.

use crate::engines::{self, Engines};
use crate::error::{Error, at};
use crate::guests::{self, Guest};
use crate::process;
use crate::toolchain::Wasm;
use crate::tree::{self, Tree};
use std::path::PathBuf;

/// Builds everything and returns the binary's path.
pub fn build(tree: &Tree, wasm: &Wasm, release: bool) -> Result<PathBuf, Error> {
    let guests = guests::build(tree, wasm)?;
    let bundle = process::timed("images", || pack(tree, &guests, release))?;
    process::timed("binary", || link(tree, &bundle, release))
}

fn pack(tree: &Tree, guests: &[Guest], release: bool) -> Result<PathBuf, Error> {
    let bundle = tree.target.join("bundle/windlass.bundle");
    let mut cargo = tree.cargo();
    cargo.args(["run", "--quiet", "--locked", "--package", "windlass-pack"]);
    if release {
        cargo.arg("--release");
    }
    cargo.arg("--").arg(&bundle);
    cargo.args(guests.iter().filter(|guest| guest.bundled).map(|guest| &guest.component));
    process::run(&mut cargo)?;
    Ok(bundle)
}

fn link(tree: &Tree, bundle: &std::path::Path, release: bool) -> Result<PathBuf, Error> {
    let profile = if release { "release" } else { "debug" };
    let mut cargo = tree.cargo();
    cargo.args(["rustc", "--quiet", "--locked", "--package", "windlass", "--bin", "windlass"]);
    if release {
        cargo.arg("--release");
    }
    cargo.args(["--", "--cfg", "windlass_bundle"]).env("WINDLASS_BUNDLE", bundle);
    let engines = engines::built(tree);
    if let Some(engines) = &engines {
        cargo.args(["--cfg", "windlass_engines"]).env("WINDLASS_ENGINES_INDEX", engines.index());
    }
    process::run(&mut cargo)?;
    // A copy of its own: a plain `cargo build` would replace cargo's with one that has no procedures.
    let built = tree.target.join(profile).join("windlass");
    let folder = tree.target.join("windlass").join(profile);
    std::fs::create_dir_all(&folder).map_err(at("create", &folder))?;
    let (fresh, place) = (folder.join(".windlass.new"), folder.join("windlass"));
    std::fs::copy(&built, &fresh).map_err(at("copy", &built))?;
    // Renamed into place, as the old one may be running.
    std::fs::rename(&fresh, &place).map_err(at("replace", &place))?;
    if let Some(engines) = engines {
        lay_beside(&engines, &folder.join("engines"))?;
    }
    Ok(place)
}

/// Puts the engines where the binary looks for them first.
fn lay_beside(engines: &Engines, folder: &std::path::Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(at("create", folder))?;
    let entries = std::fs::read_dir(&engines.folder).map_err(at("read", &engines.folder))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "wasm") {
            let bytes = std::fs::read(&path).map_err(at("read", &path))?;
            tree::write_if_changed(&folder.join(path.file_name().unwrap_or_default()), &bytes)?;
        }
    }
    Ok(())
}
