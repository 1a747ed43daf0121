//! Python tools, each in an environment of its own below the target folder.

use crate::error::Error;
use crate::process;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether this machine's Python makes environments. Debian has that in a package of its own.
pub fn can_be_installed() -> bool {
    process::works(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

/// Makes an environment, in the place of what was there.
pub fn environment(folder: &Path) -> Result<(), Error> {
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
}

/// Installs what the arguments name into an environment, and nothing that it would bring along.
pub fn install(folder: &Path, what: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<(), Error> {
    let mut pip = Command::new(python_of(folder));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]).args(what);
    process::run(pip.stdin(Stdio::null()).stdout(std::io::stderr()))
}

/// The Python of an environment.
pub fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}
