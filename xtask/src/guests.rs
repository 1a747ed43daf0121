//! Guests: the workspaces of plugins, built for wasm, made components with their manifests.

use crate::component;
use crate::error::{Error, at};
use crate::process;
use crate::stable;
use crate::toolchain::{TARGET, Wasm};
use crate::tree::{self, Tree};
use std::path::{Path, PathBuf};

/// The guests that ship; the examples and those of the tests lie beside them in the output, and never in a bundle.
const PLUGINS: &str = "plugins";
const EXAMPLES: &str = "examples";
const TEST_GUESTS: &str = "tests/guests";

/// One finished component.
#[derive(Debug)]
pub struct Guest {
    pub name: String,
    pub component: PathBuf,
    /// Whether it ships in the binary.
    pub bundled: bool,
}

/// Builds every guest of the repository into `target/guests/components`.
pub fn build(tree: &Tree, wasm: &Wasm) -> Result<Vec<Guest>, Error> {
    let workspaces = workspaces(&tree.root);
    if !workspaces.iter().any(|workspace| workspace.ends_with(PLUGINS)) {
        return Err(Error::Input {
            path: tree.root.join(PLUGINS),
            reason: "there is no Cargo.toml of a workspace of plugins".into(),
        });
    }
    process::timed("guests", || build_in(&tree.root, &workspaces, &tree.target.join("guests"), wasm))
}

/// Builds the guests of some workspaces below `root` into `output`.
pub fn build_in(
    root: &Path,
    workspaces: &[PathBuf],
    output: &Path,
    wasm: &Wasm,
) -> Result<Vec<Guest>, Error> {
    let remaps = remaps(root, output, wasm);
    let machine = machine_paths(root, output, wasm);
    let mut guests = Vec::new();
    for workspace in workspaces {
        compile(root, workspace, output, wasm, &remaps)?;
        let bundled = workspace.ends_with(PLUGINS);
        for source in sources(workspace)? {
            let module_path = output.join(TARGET).join("release").join(format!("{}.wasm", source.library));
            let module = std::fs::read(&module_path).map_err(at("read", &module_path))?;
            let bytes =
                component::make(&module_path, &module, manifest_of(&source.folder, bundled)?.as_deref())?;
            let found = component::paths_within(&bytes, &machine);
            let path = output.join("components").join(format!("{}.wasm", source.name));
            if !found.is_empty() {
                let reason = format!("holds paths of this machine, so it is not reproducible: {found:?}");
                return Err(Error::Input { path, reason });
            }
            tree::write_if_changed(&path, &bytes)?;
            guests.push(Guest { name: source.name, component: path, bundled });
        }
    }
    Ok(guests)
}

/// Returns the folders of guests' workspaces: the plugins, the examples, and each of the tests'.
pub fn workspaces(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.join(PLUGINS), root.join(EXAMPLES), root.join(TEST_GUESTS)];
    if let Ok(entries) = std::fs::read_dir(root.join(TEST_GUESTS)) {
        found.extend(entries.flatten().map(|entry| entry.path()));
    }
    found.retain(|folder| is_workspace(folder));
    found.sort();
    found
}

/// A member's own `Cargo.toml` has no `[workspace]`; it is built with the one above it.
fn is_workspace(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}

fn compile(
    root: &Path,
    workspace: &Path,
    output: &Path,
    wasm: &Wasm,
    remaps: &[String],
) -> Result<(), Error> {
    let mut cargo = Tree { root: root.into(), target: output.into() }.cargo();
    cargo
        .args(["build", "--release", "--locked", "--quiet", "--lib", "--workspace", "--manifest-path"])
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(output)
        .env("CARGO_ENCODED_RUSTFLAGS", remaps.join("\x1f"));
    wasm.apply(&mut cargo);
    stable::wrap(&mut cargo, root)
        .map_err(|source| Error::Start { what: "rustc's wrapper, this program".into(), source })?;
    process::run(&mut cargo)
}

/// One package that becomes a component.
struct Source {
    name: String,
    library: String,
    folder: PathBuf,
}

/// Returns the packages of a workspace that have a `cdylib`.
fn sources(workspace: &Path) -> Result<Vec<Source>, Error> {
    let metadata = tree::metadata(&workspace.join("Cargo.toml"))?;
    let list = |value: &serde_json::Value, key: &str| -> Vec<serde_json::Value> {
        value.get(key).and_then(serde_json::Value::as_array).cloned().unwrap_or_default()
    };
    let mut sources = Vec::new();
    for package in list(&metadata, "packages") {
        let is_guest = |target: &serde_json::Value| list(target, "crate_types").iter().any(|t| t == "cdylib");
        for target in list(&package, "targets").iter().filter(|target| is_guest(target)) {
            let manifest = Path::new(tree::text(&package, "manifest_path")?);
            sources.push(Source {
                name: tree::text(&package, "name")?.into(),
                library: tree::text(target, "name")?.replace('-', "_"),
                folder: manifest.parent().unwrap_or(manifest).into(),
            });
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// Returns a guest's manifest as JSON. One that ships must have it; a test's may be meant to have none.
fn manifest_of(folder: &Path, required: bool) -> Result<Option<Vec<u8>>, Error> {
    let path = folder.join("manifest.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => component::manifest(&path, &text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(None),
        Err(error) => Err(at("read the plugin's manifest", path)(error)),
    }
}

/// Returns the flags that replace paths of this machine by names. Of several that match, rustc takes the last.
fn remaps(root: &Path, output: &Path, wasm: &Wasm) -> Vec<String> {
    let mut names = vec![(root.to_path_buf(), "/windlass".to_string())];
    names.push((output.into(), "/target".into()));
    // Each registry's folder carries a hash of its address; the crates below it are the same.
    if let Ok(registries) = std::fs::read_dir(cargo_home().join("registry/src")) {
        names.extend(registries.flatten().map(|registry| (registry.path(), "/cargo".into())));
    }
    for sources in wasm.std_sources() {
        names.push((sources, "/rust".into()));
    }
    names.iter().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display())).collect()
}

/// Returns the paths that must not occur in a component, each with its final slash.
fn machine_paths(root: &Path, output: &Path, wasm: &Wasm) -> Vec<String> {
    let mut paths = vec![root.to_path_buf(), output.into(), cargo_home()];
    paths.extend(std::env::var_os("HOME").map(PathBuf::from));
    paths.extend(wasm.std_sources());
    paths.retain(|path| path.parent().is_some() && path.is_absolute());
    paths.iter().map(|path| format!("{}/", path.display())).collect()
}

fn cargo_home() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).unwrap_or_default()
}
