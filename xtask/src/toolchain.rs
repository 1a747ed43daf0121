//! Where the standard library for `wasm32-unknown-unknown` comes from.
//!
//! Either it lies ready beside rustc (rustup's target), or it is built from Debian's packaged sources with
//! Debian's rustc and lld. Guests import nothing but the contract either way; their bytes differ, as they do
//! between any two compilers.

use crate::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// The Debian packages that together can build the standard library for wasm.
pub const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-22"];

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust";

/// What `WINDLASS_WASM_TOOLCHAIN` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Any,
    Rustup,
    Debian,
}

impl Choice {
    pub fn from_environment() -> Result<Choice, Error> {
        match std::env::var("WINDLASS_WASM_TOOLCHAIN").as_deref() {
            Err(_) | Ok("") => Ok(Choice::Any),
            Ok("rustup") => Ok(Choice::Rustup),
            Ok("debian") => Ok(Choice::Debian),
            Ok(other) => Err(Error::Usage(format!(
                "WINDLASS_WASM_TOOLCHAIN is {other:?}; it can be \"rustup\" or \"debian\", or unset"
            ))),
        }
    }
}

/// A toolchain that can build guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wasm {
    /// The standard library is installed beside the rustc that cargo uses.
    Installed,
    /// The standard library is built with the guests, from sources.
    BuiltFromSource { linker: PathBuf },
}

impl Wasm {
    /// Returns what is on this machine and allowed; the installed one first, as it costs nothing.
    pub fn find(choice: Choice) -> Option<Wasm> {
        let installed = || installed(&rustc()).then_some(Wasm::Installed);
        match choice {
            Choice::Any => installed().or_else(debian),
            Choice::Rustup => installed(),
            Choice::Debian => debian(),
        }
    }

    /// Adds to a `cargo build` what makes it build for wasm with this toolchain.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        if let Wasm::BuiltFromSource { linker } = self {
            // Building std is behind a nightly flag; this rustc and these sources are one release, so the
            // flag is all that it takes.
            cargo
                .args(["-Zbuild-std=std,panic_abort", "--config"])
                .arg(format!("target.{TARGET}.linker={:?}", linker.display().to_string()))
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1");
        }
    }

    /// Returns every path under which rustc may know the standard library's sources.
    pub fn std_sources(&self) -> Vec<PathBuf> {
        let sources = match self {
            Wasm::Installed => asked(&rustc(), &["--print", "sysroot"])
                .map(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust")),
            Wasm::BuiltFromSource { .. } => Some(DEBIAN_SOURCES.into()),
        };
        let real = sources.as_ref().and_then(|path| path.canonicalize().ok());
        let mut all: Vec<PathBuf> = sources.into_iter().chain(real).collect();
        all.dedup();
        all
    }
}

fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// Whether rustc has a core library for wasm in its own folders.
fn installed(rustc: &Path) -> bool {
    let Some(folder) = asked(rustc, &["--print", "target-libdir", "--target", TARGET]) else {
        return false;
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn debian() -> Option<Wasm> {
    let version = asked(Path::new(DEBIAN_RUSTC), &["--version"])?;
    if minor_version(&version)? < 85 || !Path::new(DEBIAN_SOURCES).join("library/std/Cargo.toml").exists() {
        // Guests are edition 2024, which the release that Debian calls plain `rustc` may be too old for.
        return None;
    }
    let mut linkers: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
        .map(|entry| entry.path().join("bin/wasm-ld"))
        .filter(|linker| linker.exists())
        .collect();
    linkers.sort();
    Some(Wasm::BuiltFromSource { linker: linkers.pop()? })
}

/// Returns 96 for `rustc 1.96.0 (…)`.
fn minor_version(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

/// Asks a program something and returns its answer's text, `None` where it has none.
fn asked(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_rustcs_own_words() {
        assert_eq!(minor_version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a tarball)"), Some(96));
        assert_eq!(minor_version("rustc 1.63.0"), Some(63));
        assert_eq!(minor_version("gcc 12"), None);
    }

    #[test]
    fn building_from_source_names_the_linker_as_a_toml_string() {
        let mut cargo = Command::new("cargo");
        Wasm::BuiltFromSource { linker: "/usr/lib/llvm-22/bin/wasm-ld".into() }.apply(&mut cargo);
        let words: Vec<_> = cargo.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let config = words.last().unwrap();
        let value: toml::Value = toml::from_str(config).unwrap();
        assert_eq!(
            value["target"][TARGET]["linker"].as_str(),
            Some("/usr/lib/llvm-22/bin/wasm-ld"),
            "{config}"
        );
    }
}
