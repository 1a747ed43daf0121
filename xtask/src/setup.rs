//! What the tasks need and this machine lacks: listed once, asked once, brought.
//!
//! On a terminal it asks before it installs; without one it says what it does and goes on. What only tests
//! need may stay missing: those tests then say that they were skipped. What a build needs may not.

use crate::error::Error;
use crate::process;
use crate::python;
use crate::tink;
use crate::toolchain::{Choice, DEBIAN_PACKAGES, TARGET, Wasm};
use crate::tree::Tree;
use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The release of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// How long the installation of a rustup target or component may take before it counts as unreachable.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// What the tests of nodes use, and the Debian package that brings it.
const TEST_TOOLS: [(&str, &str, &str); 15] = [
    ("sshd", "openssh-server", "nodes over ssh"),
    ("ssh", "openssh-client", "nodes over ssh"),
    ("sudo", "sudo", "the service user's login"),
    ("openssl", "openssl", "certificates checked by a second program"),
    ("ip", "iproute2", "the lab's network"),
    ("unshare", "util-linux", "the lab's namespaces"),
    ("busybox", "busybox", "the job runner under another sh"),
    ("setfacl", "acl", "access lists kept by a restore"),
    ("setfattr", "attr", "extended attributes kept by a restore"),
    ("strace", "strace", "secrets looked for in argv and environment"),
    ("promtool", "prometheus", "metrics read by Prometheus itself"),
    ("haproxy", "haproxy", "a node drained and taken in again by an example"),
    ("socat", "socat", "the same, through HAProxy's runtime socket"),
    ("chromium", "chromium", "the page of an audit in a browser"),
    ("pdsh", "pdsh", "a peer of the benchmarks"),
];

/// Which tasks are to be prepared for, besides building.
#[derive(Debug, Clone, Copy, Default)]
pub struct For {
    pub tests: bool,
    pub lint: bool,
    pub engines: bool,
}

/// What the tasks go on with.
pub struct Prepared {
    pub wasm: Wasm,
    /// One line for each thing that stays missing and what is skipped for it.
    pub skipped: Vec<String>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lack {
    title: String,
    remedy: Remedy,
    /// Whether the task can go on without it.
    optional: bool,
}

/// How a lack is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Remedy {
    Rustup(Vec<&'static str>),
    Debian(Vec<&'static str>),
    CargoDeny,
    Tink,
    /// Nothing that this program can do: what the reader can.
    Reader(String),
}

/// What this machine lets us do.
#[derive(Debug, Clone, Copy)]
struct Machine {
    rustup: bool,
    debian_root: bool,
}

/// Brings what is missing and returns what to go on with.
pub fn prepare(tree: &Tree, purpose: For) -> Result<Prepared, Error> {
    let choice = Choice::from_environment()?;
    let machine = Machine {
        rustup: process::answers("rustup"),
        debian_root: Path::new("/etc/debian_version").exists()
            && std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0),
    };
    let lacks = lacks_now(tree, purpose, choice, machine);
    let mendable: Vec<&Lack> =
        lacks.iter().filter(|lack| !matches!(lack.remedy, Remedy::Reader(_))).collect();
    if !mendable.is_empty() {
        eprintln!("xtask: missing here:");
        for lack in &mendable {
            eprintln!("  {}: {}", lack.title, lack.remedy.described());
        }
        if asked_and_agreed()? {
            mend(tree, &mendable, choice, machine);
        }
    }
    let left = lacks_now(tree, purpose, choice, machine);
    if let Some(lack) = left.iter().find(|lack| !lack.optional) {
        return Err(Error::Missing { title: lack.title.clone(), remedy: lack.remedy.described() });
    }
    let wasm = Wasm::find(choice).ok_or_else(|| wasm_lack(choice, machine).into_error())?;
    let skipped = left.iter().map(|lack| format!("{}: {}", lack.title, lack.remedy.described())).collect();
    Ok(Prepared { wasm, skipped })
}

/// Returns whether to install: yes where nobody is there to ask, as was printed.
fn asked_and_agreed() -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    eprint!("xtask: install these now? [Y/n] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|source| Error::File {
        action: "read the answer from",
        path: "the terminal".into(),
        source,
    })?;
    Ok(agrees(&answer))
}

/// An end of input is a no; an empty line takes the offered answer.
fn agrees(answer: &str) -> bool {
    answer.ends_with('\n') && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

fn lacks_now(tree: &Tree, purpose: For, choice: Choice, machine: Machine) -> Vec<Lack> {
    let mut lacks = Vec::new();
    if Wasm::find(choice).is_none() {
        lacks.push(wasm_lack(choice, machine));
    }
    if purpose.tests {
        for (program, package, use_) in TEST_TOOLS {
            if !on_path(program) {
                lacks.push(Lack {
                    title: format!("{program} ({use_})"),
                    remedy: package_remedy(package, machine),
                    optional: true,
                });
            }
        }
    }
    if purpose.tests && !tink::is_installed(tree) {
        let remedy = match python::can_be_installed() || machine.debian_root {
            true => Remedy::Tink,
            false => Remedy::Reader("install Python 3 with its modules venv and ensurepip".into()),
        };
        lacks.push(Lack {
            title: "Tink for Python (key sets checked by Tink itself)".into(),
            remedy,
            optional: true,
        });
    }
    if purpose.engines || purpose.tests {
        for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
            if !on_path(program) {
                lacks.push(Lack {
                    title: format!("{program} (the engine of JavaScript scripts)"),
                    remedy: package_remedy(package, machine),
                    optional: true,
                });
            }
        }
        if !python::can_be_installed() {
            lacks.push(Lack {
                title: "Python's venv (the engine of Python scripts)".into(),
                remedy: package_remedy("python3-venv", machine),
                optional: true,
            });
        }
    }
    if purpose.lint {
        for (program, component, package) in
            [("rustfmt", "rustfmt", "rustfmt-web"), ("clippy-driver", "clippy", "rust-web-clippy")]
        {
            if !process::answers(program) {
                let remedy = if machine.rustup {
                    Remedy::Rustup(vec!["component", "add", component])
                } else {
                    package_remedy(package, machine)
                };
                lacks.push(Lack { title: program.into(), remedy, optional: false });
            }
        }
        if !cargo_deny(tree).exists() {
            lacks.push(Lack {
                title: format!("cargo-deny {CARGO_DENY}"),
                remedy: Remedy::CargoDeny,
                optional: false,
            });
        }
    }
    lacks
}

fn wasm_lack(choice: Choice, machine: Machine) -> Lack {
    let rustup = Remedy::Rustup(vec!["target", "add", TARGET]);
    let debian = Remedy::Debian(DEBIAN_PACKAGES.to_vec());
    let remedy = match choice {
        Choice::Any | Choice::Rustup if machine.rustup => rustup,
        Choice::Any | Choice::Debian if machine.debian_root => debian,
        Choice::Debian => Remedy::Reader(format!(
            "as root on Debian, run `apt-get install --no-install-recommends {}`",
            DEBIAN_PACKAGES.join(" ")
        )),
        _ => Remedy::Reader(format!(
            "run `rustup target add {TARGET}`, or as root on Debian `apt-get install --no-install-recommends {}`",
            DEBIAN_PACKAGES.join(" ")
        )),
    };
    Lack { title: format!("the standard library for {TARGET} (guests)"), remedy, optional: false }
}

fn package_remedy(package: &'static str, machine: Machine) -> Remedy {
    if machine.debian_root {
        Remedy::Debian(vec![package])
    } else {
        Remedy::Reader(format!("install it (Debian: `apt-get install {package}`)"))
    }
}

impl Remedy {
    fn described(&self) -> String {
        match self {
            Remedy::Rustup(words) => format!("`rustup {}`", words.join(" ")),
            Remedy::Debian(packages) => {
                format!("`apt-get install --no-install-recommends {}`", packages.join(" "))
            }
            Remedy::CargoDeny => "`cargo install cargo-deny` into the target folder".into(),
            Remedy::Tink => "`pip install tink` into an environment in the target folder".into(),
            Remedy::Reader(text) => text.clone(),
        }
    }
}

impl Lack {
    fn into_error(self) -> Error {
        Error::Missing { remedy: self.remedy.described(), title: self.title }
    }
}

/// Tries every remedy. What fails says so and is judged afterwards, by what is still missing.
fn mend(tree: &Tree, lacks: &[&Lack], choice: Choice, machine: Machine) {
    let tell = |error: Error| eprintln!("xtask: {error}");
    let mut packages = BTreeSet::new();
    for lack in lacks {
        match &lack.remedy {
            Remedy::Rustup(words) => {
                if let Err(error) = process::run_within(Command::new("rustup").args(words), RUSTUP_LIMIT) {
                    tell(error);
                    if words.contains(&TARGET) && choice == Choice::Any && machine.debian_root {
                        eprintln!("xtask: so the standard library is built from Debian's packages");
                        packages.extend(DEBIAN_PACKAGES);
                    }
                }
            }
            Remedy::Debian(names) => packages.extend(names.iter().copied()),
            Remedy::CargoDeny => install_cargo_deny(tree).unwrap_or_else(tell),
            Remedy::Tink if !python::can_be_installed() => {
                packages.insert("python3-venv");
            }
            Remedy::Tink => {}
            Remedy::Reader(_) => {}
        }
    }
    if !packages.is_empty() {
        install_packages(&packages).unwrap_or_else(tell);
    }
    if lacks.iter().any(|lack| lack.remedy == Remedy::Tink) {
        tink::install(tree).unwrap_or_else(tell);
    }
}

fn install_packages(packages: &BTreeSet<&str>) -> Result<(), Error> {
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        // Output to stderr: stdout is for what a task prints as its answer.
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
        process::run(command.stdin(Stdio::null()))
    };
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend(packages);
    // A machine that never asked for the lists has none; one that did may have old ones.
    apt(&install).or_else(|_| apt(&["update", "--quiet"]).and_then(|()| apt(&install)))
}

/// Builds cargo-deny without optimisation: it runs for a second, and optimising it would take minutes.
fn install_cargo_deny(tree: &Tree) -> Result<(), Error> {
    let mut command = tree.cargo();
    command
        .args(["install", "--quiet", "--locked", "--version", CARGO_DENY, "cargo-deny", "--root"])
        .arg(tree.tools())
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
        ]);
    process::timed("install cargo-deny", || process::run(&mut command))
}

/// Returns where cargo-deny is, or would be installed.
pub fn cargo_deny(tree: &Tree) -> std::path::PathBuf {
    tree.tools().join("bin/cargo-deny")
}

/// Whether a program is in one of the folders of `PATH`, or in those that only root's `PATH` has.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Machine = Machine { rustup: false, debian_root: false };

    #[test]
    fn a_forced_toolchain_is_never_mended_by_the_other() {
        let both = Machine { rustup: true, debian_root: true };
        assert!(matches!(wasm_lack(Choice::Rustup, both).remedy, Remedy::Rustup(_)));
        assert!(matches!(wasm_lack(Choice::Debian, both).remedy, Remedy::Debian(_)));
        assert!(matches!(wasm_lack(Choice::Any, both).remedy, Remedy::Rustup(_)));
    }

    #[test]
    fn without_rustup_and_root_the_reader_is_given_the_command() {
        let error = wasm_lack(Choice::Any, NOTHING).into_error().to_string();
        assert!(error.contains("rustup target add wasm32-unknown-unknown"), "{error}");
        assert!(error.contains("apt-get install --no-install-recommends rustc-web"), "{error}");
    }

    #[test]
    fn only_a_clear_yes_or_an_empty_line_agrees() {
        for (answer, agreed) in
            [("\n", true), ("y\n", true), ("YES\n", true), ("n\n", false), ("q\n", false), ("", false)]
        {
            assert_eq!(agrees(answer), agreed, "{answer:?}");
        }
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }
}
