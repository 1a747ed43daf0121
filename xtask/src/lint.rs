//! `cargo xtask lint`: formatting, clippy, and the licences and sources of every dependency.

use crate::error::Error;
use crate::forgotten;
use crate::guests;
use crate::process::{self, timed};
use crate::setup::{self, For};
use crate::toolchain::{TARGET, Wasm};
use crate::tree::Tree;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long the advisories may take to arrive from outside.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);

/// Runs every check; the first that fails ends it.
pub fn run(tree: &Tree) -> Result<(), Error> {
    let prepared = setup::prepare(tree, For { lint: true, ..For::default() })?;
    let guests = guests::workspaces(&tree.root);
    timed("formatting", || {
        process::run(tree.cargo().args(["fmt", "--all", "--check"]))?;
        guests.iter().try_for_each(|workspace| {
            let manifest = workspace.join("Cargo.toml");
            process::run(tree.cargo().args(["fmt", "--all", "--check", "--manifest-path"]).arg(manifest))
        })
    })?;
    timed("no test file forgotten", || forgotten::check(&tree.root))?;
    timed("clippy", || {
        let mut cargo = tree.cargo();
        cargo.args(["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        process::run(&mut cargo)
    })?;
    timed("clippy, guests", || {
        guests.iter().try_for_each(|workspace| clippy_guests(tree, &prepared.wasm, workspace))
    })?;
    timed("licences, bans, sources", || {
        deny(tree, &tree.root.join("Cargo.toml"), &[])?;
        // The guests' trees are smaller: that they lack a licence which the host's has is no mistake.
        let fewer = ["--allow", "license-not-encountered"];
        guests.iter().try_for_each(|workspace| deny(tree, &workspace.join("Cargo.toml"), &fewer))
    })?;
    println!(
        "skipped: advisories, as their database is outside: cargo xtask advisories, where there is a network"
    );
    Ok(())
}

/// Checks guests as they are shipped, for wasm, and as they are tested, natively.
fn clippy_guests(tree: &Tree, wasm: &Wasm, workspace: &Path) -> Result<(), Error> {
    let run = |target: &[&str]| {
        let mut cargo = tree.cargo();
        cargo.args(["clippy", "--quiet", "--locked", "--workspace", "--manifest-path"]);
        cargo.arg(workspace.join("Cargo.toml")).arg("--target-dir").arg(tree.target.join("guests"));
        process::run(cargo.args(target).args(["--", "-D", "warnings"]))
    };
    run(&["--all-targets"])?;
    match wasm {
        Wasm::Installed => run(&["--lib", "--target", TARGET]),
        // Clippy reads the standard library of its own compiler, and that one has none for wasm here.
        Wasm::BuiltFromSource { .. } => {
            println!("skipped: clippy of {} for {TARGET}: needs rustup's target", workspace.display());
            Ok(())
        }
    }
}

fn cargo_deny(tree: &Tree, manifest: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(setup::cargo_deny(tree));
    command.current_dir(&tree.root).arg("--locked").arg("--config").arg(tree.root.join("deny.toml"));
    command.arg("--manifest-path").arg(manifest).args(arguments);
    command
}

fn deny(tree: &Tree, manifest: &Path, arguments: &[&str]) -> Result<(), Error> {
    // Brings what only other platforms use too: cargo-deny looks at the whole lock file, offline.
    process::run(tree.cargo().args(["fetch", "--quiet", "--locked", "--manifest-path"]).arg(manifest))?;
    let mut command = cargo_deny(tree, manifest, &["--offline", "check"]);
    process::run(command.args(arguments).args(["licenses", "bans", "sources"]))
}

/// Checks dependencies against the published advisories, whose database is fetched from outside.
pub fn advisories(tree: &Tree) -> Result<(), Error> {
    setup::prepare(tree, For { lint: true, ..For::default() })?;
    let manifest = tree.root.join("Cargo.toml");
    process::run_within(&mut cargo_deny(tree, &manifest, &["fetch", "db"]), ADVISORIES_LIMIT)?;
    process::run(&mut cargo_deny(tree, &manifest, &["--offline", "check", "advisories"]))
}
