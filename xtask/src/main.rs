//! `cargo xtask`: everything the repository does to itself, with nothing needed but cargo.
//!
//! `setup` brings what is missing; `guests` makes the components (`component`, `stable`); `bundle` makes
//! the images and the binary that holds them; `suite`, `lint` and `reproducible` prove things. The host is
//! never linked here: what needs it is the package `windlass-pack`.

mod bundle;
mod component;
mod engines;
mod error;
mod forgotten;
mod guests;
mod lint;
mod process;
mod python;
mod reproducible;
mod setup;
mod stable;
mod suite;
mod tink;
mod toolchain;
mod tree;

use error::Error;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use tree::Tree;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [ARG]…              build, then run `windlass demo`
  test [--matrix] [FILTER] build, then run every test; --matrix: the long fault matrices too
  build [--release]        the binary with its bundled procedures: target/windlass/<debug|release>/windlass
  guests                   only the components: target/guests/components
  engines                  the engines of Python and JavaScript scripts; later builds take them in
  bench                    build a release, then measure it
  fuzz [CASES]             audit files that nobody wrote: 10000 of them
  lint                     formatting, clippy, licences and sources of dependencies
  advisories               dependencies against published advisories; needs a network
  reproducible             build the guests in two folders and compare their bytes
  setup                    bring what the above need; each of them does it too

WINDLASS_WASM_TOOLCHAIN=rustup|debian chooses where the guests' standard library comes from.";

fn main() -> ExitCode {
    if let Some(code) = stable::run_as_wrapper() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Error> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((command, rest)) = words.split_first() else {
        return Err(Error::Usage(USAGE.into()));
    };
    if ["help", "--help", "-h"].contains(command) {
        println!("{USAGE}");
        return Ok(());
    }
    let tree = Tree::find()?;
    match (*command, rest) {
        ("setup", []) => {
            setup::prepare(&tree, setup::For { tests: true, lint: true, engines: true }).map(|_| ())
        }
        ("guests", []) => {
            let prepared = setup::prepare(&tree, setup::For::default())?;
            for guest in guests::build(&tree, &prepared.wasm)? {
                println!("{}", guest.component.display());
            }
            Ok(())
        }
        ("engines", []) => engines(&tree),
        ("build", []) => build(&tree, false),
        ("build", ["--release"]) => build(&tree, true),
        ("demo", arguments) => replace_with(&tree, "demo", arguments),
        ("bench", []) => bench(&tree),
        ("fuzz", []) => fuzz(&tree, "10000"),
        ("fuzz", [cases]) => fuzz(&tree, cases),
        ("test", arguments) => suite::run(&tree, &suite::Options::parse(arguments)?),
        ("lint", []) => lint::run(&tree),
        ("advisories", []) => lint::advisories(&tree),
        ("reproducible", []) => {
            let prepared = setup::prepare(&tree, setup::For::default())?;
            reproducible::check(&tree, &prepared.wasm)
        }
        (command, _) => {
            Err(Error::Usage(format!("{command:?} with these arguments is not known\n\n{USAGE}")))
        }
    }
}

/// Builds the engines, for the binary that is built next.
fn engines(tree: &Tree) -> Result<(), Error> {
    setup::prepare(tree, setup::For { engines: true, ..setup::For::default() })?;
    if let Some(lack) = engines::lacking() {
        return Err(Error::Missing {
            title: "what builds the engines of scripts".into(),
            remedy: lack.into(),
        });
    }
    println!("{}", engines::build(tree)?.folder.display());
    eprintln!("xtask: `cargo xtask build` makes the binary that runs them");
    Ok(())
}

fn build(tree: &Tree, release: bool) -> Result<(), Error> {
    let prepared = setup::prepare(tree, setup::For::default())?;
    println!("{}", bundle::build(tree, &prepared.wasm, release)?.display());
    Ok(())
}

/// Measures a release; the program that does it is a package of its own, as the one that packs images is.
fn bench(tree: &Tree) -> Result<(), Error> {
    let prepared = setup::prepare(tree, setup::For::default())?;
    let binary = bundle::build(tree, &prepared.wasm, true)?;
    let mut cargo = tree.cargo();
    cargo.args(["run", "--quiet", "--locked", "--release", "--package", "windlass-bench", "--"]);
    cargo.arg(binary).arg(tree.components());
    // Built by `cargo xtask engines`; without them scripts are not measured, which is said.
    cargo.args(engines::built(tree).map(|engines| engines.folder));
    process::run(&mut cargo)
}

/// An ordinary run of the tests does a share of the cases; they follow from their numbers alone.
fn fuzz(tree: &Tree, cases: &str) -> Result<(), Error> {
    setup::prepare(tree, setup::For::default())?;
    let mut cargo = tree.cargo();
    cargo.args(["test", "--quiet", "--locked", "--workspace", "--lib", "--", "--show-output"]);
    cargo.arg("audit::tests::fuzz::whatever").env("WINDLASS_FUZZ", cases);
    process::run(&mut cargo)
}

/// Builds, then becomes `windlass SUBCOMMAND`: signals, terminal and exit code are the binary's own.
fn replace_with(tree: &Tree, subcommand: &str, arguments: &[&str]) -> Result<(), Error> {
    let prepared = setup::prepare(tree, setup::For::default())?;
    let binary = bundle::build(tree, &prepared.wasm, false)?;
    let mut command = Command::new(&binary);
    command.arg(subcommand).args(arguments);
    let source = command.exec();
    Err(Error::Start { what: format!("{} {subcommand}", binary.display()), source })
}
