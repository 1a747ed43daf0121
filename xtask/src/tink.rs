//! Google's Tink for Python, in an environment of its own below the target folder: what our key sets are held against.

use crate::error::Error;
use crate::process;
use crate::tree::Tree;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Everything that is installed, so that a later release of any of it changes nothing here.
const PACKAGES: [&str; 4] = ["tink==1.16.1", "absl-py==2.5.1", "bazel_runfiles==2.4.6", "protobuf==7.36.2"];

/// Returns the Python that has it, or would.
pub fn python(tree: &Tree) -> PathBuf {
    tree.tools().join("tink-1.16.1/bin/python")
}

pub fn is_installed(tree: &Tree) -> bool {
    works(Command::new(python(tree)).args(["-c", "import tink.aead"]))
}

/// Whether this machine's Python makes environments. Debian has that in a package of its own.
pub fn can_be_installed() -> bool {
    works(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

pub fn install(tree: &Tree) -> Result<(), Error> {
    let python = python(tree);
    let folder = python.parent().and_then(|bin| bin.parent()).unwrap_or(&python);
    process::timed("install Tink for Python", || {
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(PACKAGES);
        process::run(pip.stdin(Stdio::null()).stdout(std::io::stderr()))
    })
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
