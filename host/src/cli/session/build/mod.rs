//! `windlass plugin build`: a Rust project → a component with its manifest, checked as installing would.
//!
//! `manifest` reads manifest.toml, `world` says what of the contract it asks for and whether the component keeps to
//! that, `toolchain` finds what compiles for wasm. Errors are read by those who write their first plugin: each says
//! what to type.

mod manifest;
mod toolchain;
mod world;

pub use manifest::manifest_of;

use super::ending::plugin_error;
use super::plugins::needs;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::plugin::manifest::append;
use crate::plugin::{Kind, Manifest, Plugin, PluginError, Profile};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Command, Stdio};
use toolchain::{TARGET, Wasm};

/// Builds the project in a folder, and returns the component's file.
pub fn build(context: &Context, folder: &Utf8Path) -> Result<Utf8PathBuf> {
    let manifest = manifest_of(folder)?;
    if !folder.join("Cargo.toml").exists() {
        return Err(Error::new(Exit::Usage, format!("there is no Cargo.toml in {folder}"))
            .hint("a script needs no building: windlass plugin test FILE")
            .hint(format!(
                "a project in Rust is begun by: windlass plugin new {} --lang rust",
                manifest.name
            )));
    }
    world::write(folder, &manifest)?;
    let wasm = Wasm::find().ok_or_else(toolchain::none)?;
    let library = library_of(folder)?;
    let mut cargo = Command::new(cargo());
    cargo.args(["build", "--release", "--lib", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    wasm.apply(&mut cargo);
    // What cargo says goes where it always goes: to the author.
    let status = cargo.status().map_err(|error| no_cargo(&error))?;
    if !status.success() {
        return Err(Error::new(Exit::Failed, format!("{folder} does not compile"))
            .hint("what cargo says above is the reason; correct it and type the same again"));
    }
    let module = library.target.join(TARGET).join("release").join(format!("{}.wasm", library.name));
    let component = component_of(&module, &manifest)?;
    check(&component, &manifest, folder)?;
    let file = folder.join(format!("{}.wasm", manifest.name));
    std::fs::write(&file, component)
        .map_err(|error| Error::new(Exit::Usage, format!("{file} cannot be written: {error}")))?;
    let size = file.metadata().map_or(0, |metadata| metadata.len().div_ceil(1024));
    context.ui.say(format!("{} {} {}: {size} KiB", manifest.kind.as_str(), manifest.name, manifest.version));
    Ok(file)
}

/// A core module as a component, with the manifest at its end.
fn component_of(module: &Utf8Path, manifest: &Manifest) -> Result<Vec<u8>> {
    let bytes = std::fs::read(module)
        .map_err(|error| Error::new(Exit::Fault, format!("what cargo made is not at {module}: {error}")))?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| {
            Error::new(Exit::Usage, format!("what was built cannot be made a component: {error:#}")).hint(
                "a plugin reaches nothing but windlass_sdk: take crates out that want a system under them",
            )
        })?;
    append(&component, manifest)
        .map_err(|source| plugin_error(PluginError::Manifest { plugin: manifest.name.to_string(), source }))
}

/// All that installing and loading would find wrong.
fn check(component: &[u8], manifest: &Manifest, folder: &Utf8Path) -> Result<()> {
    let kind = manifest.kind;
    let exported = world::exported(component);
    if !exported.contains(&kind) {
        let mut error = Error::new(
            Exit::Usage,
            match exported.first() {
                Some(other) => format!(
                    "{} is a {} by manifest.toml, and the code is a {}",
                    manifest.name,
                    kind.as_str(),
                    other.as_str()
                ),
                None => format!("{} exports nothing: a {} must", manifest.name, kind.as_str()),
            },
        )
        .hint(format!("end {folder}/src/lib.rs with: {}", export_of(kind)));
        if let Some(other) = exported.first() {
            error = error.hint(format!("or say in manifest.toml: kind = {:?}", other.as_str()));
        }
        return Err(error);
    }
    world::check(component, manifest)?;
    let engine = crate::plugin::engine(Profile::Run).map_err(plugin_error)?;
    let plugin = Plugin::compile(&engine, manifest.name.as_str(), component).map_err(plugin_error)?;
    needs(&plugin).map(drop)
}

fn export_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Procedure => "windlass_sdk::export_procedure!(YourType);",
        Kind::Hook => "windlass_sdk::export_hook!(YourType);",
    }
}

struct Library {
    /// As the module's file is called.
    name: String,
    /// Cargo's target folder.
    target: Utf8PathBuf,
}

/// Asks cargo what the project's library is called, and where it will be.
fn library_of(folder: &Utf8Path) -> Result<Library> {
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| no_cargo(&error))?;
    let unusable = |why: &str| Error::new(Exit::Usage, format!("{folder}/Cargo.toml cannot be built: {why}"));
    if !output.status.success() {
        return Err(unusable("cargo does not read it").hint("what cargo says above is the reason"));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|_| unusable("cargo says nothing of it"))?;
    let here = folder.join("Cargo.toml").canonicalize_utf8().unwrap_or_else(|_| folder.join("Cargo.toml"));
    let list = |value: &serde_json::Value, key: &str| value.get(key).and_then(|v| v.as_array()).cloned();
    let packages = list(&metadata, "packages").unwrap_or_default();
    let package = packages
        .iter()
        .find(|package| {
            package
                .get("manifest_path")
                .and_then(|path| path.as_str())
                .is_some_and(|path| Utf8Path::new(path).canonicalize_utf8().is_ok_and(|path| path == here))
        })
        .ok_or_else(|| unusable("it is no package"))?;
    let targets = list(package, "targets").unwrap_or_default();
    let is_guest = |target: &&serde_json::Value| {
        list(target, "crate_types").unwrap_or_default().iter().any(|kind| kind == "cdylib")
    };
    let name =
        targets.iter().find(is_guest).and_then(|target| target.get("name")?.as_str()).ok_or_else(|| {
            unusable("it has no library of the type cdylib, which becomes the component")
                .hint("in Cargo.toml: [lib] crate-type = [\"cdylib\", \"rlib\"]")
        })?;
    let target = metadata.get("target_directory").and_then(|path| path.as_str()).unwrap_or("target");
    Ok(Library { name: name.replace('-', "_"), target: target.into() })
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn no_cargo(error: &std::io::Error) -> Error {
    Error::new(Exit::Usage, format!("cargo cannot be started: {error}"))
        .hint("install Rust 1.85 or newer, with the target wasm32-unknown-unknown")
}
