//! Google's Tink for Python, in an environment of its own below the target folder: what our key sets are held against.

use crate::error::Error;
use crate::process;
use crate::python;
use crate::tree::Tree;
use std::path::PathBuf;
use std::process::Command;

/// Everything that is installed, so that a later release of any of it changes nothing here.
const PACKAGES: [&str; 4] = ["tink==1.16.1", "absl-py==2.5.1", "bazel_runfiles==2.4.6", "protobuf==7.36.2"];

/// Returns the Python that has it, or would.
pub fn python(tree: &Tree) -> PathBuf {
    python::python_of(&folder(tree))
}

pub fn is_installed(tree: &Tree) -> bool {
    process::works(Command::new(python(tree)).args(["-c", "import tink.aead"]))
}

pub fn install(tree: &Tree) -> Result<(), Error> {
    process::timed("install Tink for Python", || {
        python::environment(&folder(tree))?;
        python::install(&folder(tree), PACKAGES)
    })
}

fn folder(tree: &Tree) -> PathBuf {
    tree.tools().join("tink-1.16.1")
}
