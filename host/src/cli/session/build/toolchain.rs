//! Where the standard library for `wasm32-unknown-unknown` comes from: it lies ready beside rustc, or is built with
//! the plugin from the distribution's packaged sources. `xtask` finds it in the same way for the guests of this
//! repository.

use crate::cli::error::{Error, Exit};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TARGET: &str = "wasm32-unknown-unknown";

const PACKAGES: &str = "rustc-web rust-web-src lld-22";
const PACKAGED_RUSTC: &str = "/usr/bin/rustc";
const PACKAGED_SOURCES: &str = "/usr/lib/rustlib/src/rust";
/// The first that knows edition 2024.
const LEAST_MINOR: u32 = 85;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wasm {
    /// The standard library is installed beside the rustc that cargo uses.
    Installed,
    /// The standard library is built with the plugin.
    FromSource { linker: PathBuf },
}

impl Wasm {
    /// Returns what is on this machine; the installed one first, as it costs nothing.
    pub fn find() -> Option<Wasm> {
        installed().then_some(Wasm::Installed).or_else(packaged)
    }

    /// Adds to a `cargo build` what makes it build for wasm.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        if let Wasm::FromSource { linker } = self {
            // Building std is behind a nightly flag; this rustc and these sources are one release, so the
            // flag is all that it takes.
            cargo
                .args(["-Zbuild-std=std,panic_abort", "--config"])
                .arg(format!("target.{TARGET}.linker={:?}", linker.display().to_string()))
                .env("RUSTC", PACKAGED_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1");
        }
    }
}

/// Nothing here compiles for wasm.
pub fn none() -> Error {
    Error::new(Exit::Usage, format!("Rust has no standard library for {TARGET} on this machine"))
        .hint(format!("with rustup: rustup target add {TARGET}"))
        .hint(format!("with Debian's packages: apt-get install {PACKAGES}"))
}

fn installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = asked(Path::new(&rustc), &["--print", "target-libdir", "--target", TARGET]);
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with("libcore-"))
}

fn packaged() -> Option<Wasm> {
    let version = asked(Path::new(PACKAGED_RUSTC), &["--version"])?;
    let minor: u32 = version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()?;
    if minor < LEAST_MINOR || !Path::new(PACKAGED_SOURCES).join("library/std/Cargo.toml").exists() {
        return None;
    }
    let entries = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut linkers: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
        .map(|entry| entry.path().join("bin/wasm-ld"))
        .filter(|linker| linker.exists())
        .collect();
    linkers.sort();
    Some(Wasm::FromSource { linker: linkers.pop()? })
}

/// Asks a program something and returns its answer's text, none where it has none.
fn asked(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}
