//! The engines of scripts: their tools fetched, checked and installed in folders of their own, and the engines built.
//!
//! What is built is not the same to the byte each time, so it is built again only when its sources changed, and the
//! binary is told the digests of what lies beside it.

use crate::component;
use crate::error::{Error, at};
use crate::process;
use crate::python;
use crate::tree::{self, Tree};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PINS: &str = "engines.lock";
/// What each engine is built of, besides [`PINS`].
const SOURCES: [&str; 8] = [
    "wit",
    "plugins/wit",
    "plugins/script-python",
    "plugins/script-js",
    "sdk/python",
    "sdk/js",
    "examples/compiled",
    "tests/compiled",
];
const PYTHON: &str = "script-python";
const JAVASCRIPT: &str = "script-js";
/// What marks JavaScript for an audit.
const MARKER: &str = "script-js-marker";
const ALL: [&str; 3] = [PYTHON, JAVASCRIPT, MARKER];

/// What an engine is made with.
#[derive(Debug, serde::Deserialize)]
struct Pin {
    language: String,
    tool: String,
    version: String,
    #[serde(default)]
    sha256: Vec<String>,
}

/// The built engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engines {
    /// One `<name>.wasm` each, and `index.json`: the digest of each by name.
    pub folder: PathBuf,
}

impl Engines {
    pub fn index(&self) -> PathBuf {
        self.folder.join("index.json")
    }

    /// The folder of the hooks that are compiled from Python and JavaScript.
    pub fn examples(&self) -> PathBuf {
        self.folder.join("examples")
    }
}

/// Returns the engines that were built before, whatever became of their sources since; none where they are not whole.
pub fn built(tree: &Tree) -> Option<Engines> {
    let engines = Engines { folder: tree.target.join("engines") };
    let index: BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(engines.index()).ok()?).ok()?;
    let whole = |(name, digest): (&String, &String)| {
        std::fs::read(engines.folder.join(format!("{name}.wasm")))
            .is_ok_and(|bytes| sha256(&bytes) == *digest)
    };
    (index.len() == ALL.len() && index.iter().all(whole)).then_some(engines)
}

/// Why they cannot be built here, if so.
pub fn lacking() -> Option<&'static str> {
    if !process::answers("node") || !process::answers("npm") {
        return Some("node and npm build the engine of JavaScript; on Debian: apt-get install nodejs npm");
    }
    if !python::can_be_installed() {
        return Some("Python's venv builds the engine of Python; on Debian: apt-get install python3-venv");
    }
    None
}

/// Builds all, where their sources changed since they were built.
pub fn build(tree: &Tree) -> Result<Engines, Error> {
    let engines = Engines { folder: tree.target.join("engines") };
    let stamp = engines.folder.join("sources.sha256");
    let sources = sources(&tree.root)?;
    if built(tree).is_some() && std::fs::read_to_string(&stamp).is_ok_and(|built_of| built_of == sources) {
        return Ok(engines);
    }
    let pins = pins(&tree.root)?;
    let find = |name: &str| {
        pins.get(name).ok_or_else(|| Error::Input {
            path: tree.root.join(PINS),
            reason: format!("there is no [{name}]"),
        })
    };
    std::fs::create_dir_all(&engines.folder).map_err(at("create", &engines.folder))?;
    let out = |name: &str| engines.folder.join(format!("{name}.wasm"));
    let tools = Tools {
        tree,
        python: install_python(tree, find(PYTHON)?)?,
        javascript: install_javascript(tree, find(JAVASCRIPT)?)?,
    };
    let titled = |name: &str| Ok::<_, Error>(format!("engine {name} ({})", find(name)?.language));
    process::timed(&titled(PYTHON)?, || {
        let path = ["plugins/script-python", "sdk/python"];
        tools.python("windlass:engine/marking-script@0.1.0", &path, "engine", &out(PYTHON))
    })?;
    process::timed(&titled(JAVASCRIPT)?, || {
        let folder = tools.gathered()?;
        tools.javascript(folder, "script", "plugins/script-js/engine.js", &out(JAVASCRIPT))?;
        tools.javascript(folder, "marker", "plugins/script-js/marker.js", &out(MARKER))
    })?;
    process::timed("compiled hooks", || compiled(&tools, &engines.examples()))?;
    let mut index = BTreeMap::new();
    for name in ALL {
        let bytes = std::fs::read(out(name)).map_err(at("read", out(name)))?;
        index.insert(name, sha256(&bytes));
    }
    let json = serde_json::to_vec_pretty(&index)
        .map_err(|error| Error::Input { path: engines.index(), reason: error.to_string() })?;
    tree::write_if_changed(&engines.index(), &json)?;
    std::fs::write(&stamp, sources).map_err(at("write", &stamp))?;
    Ok(engines)
}

fn install_python(tree: &Tree, pin: &Pin) -> Result<PathBuf, Error> {
    let folder = tree.tools().join(format!("{}-{}", pin.tool, pin.version));
    let tool = folder.join("bin").join(&pin.tool);
    if process::works(Command::new(&tool).arg("--version")) {
        return Ok(tool);
    }
    process::timed(&format!("install {} {}", pin.tool, pin.version), || {
        python::environment(&folder)?;
        let list = folder.join("requirements.txt");
        let digests: String = pin.sha256.iter().map(|digest| format!(" --hash=sha256:{digest}")).collect();
        std::fs::write(&list, format!("{}=={}{digests}\n", pin.tool, pin.version))
            .map_err(at("write", &list))?;
        let only = ["--only-binary", ":all:", "--require-hashes", "-r"].map(std::ffi::OsStr::new);
        python::install(&folder, only.into_iter().chain([list.as_os_str()]))
    })?;
    Ok(tool)
}

fn install_javascript(tree: &Tree, pin: &Pin) -> Result<PathBuf, Error> {
    let folder = tree.tools().join(format!("{}-{}", pin.tool, pin.version));
    let tool = folder.join("node_modules").join(&pin.tool).join("cli.mjs");
    let lists = ["package.json", "package-lock.json"];
    let list = |name: &str| tree.root.join("plugins/script-js").join(name);
    let is_listed = lists.iter().all(|name| {
        let installed = std::fs::read(folder.join(name));
        installed.is_ok_and(|installed| std::fs::read(list(name)).is_ok_and(|wanted| wanted == installed))
    });
    if is_listed && process::works(Command::new("node").arg(&tool).arg("--help")) {
        return Ok(tool);
    }
    process::timed(&format!("install {} {}", pin.tool, pin.version), || {
        std::fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        for name in lists {
            std::fs::copy(list(name), folder.join(name)).map_err(at("copy", list(name)))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
        process::run(npm.stdin(Stdio::null()).stdout(std::io::stderr()))
    })?;
    Ok(tool)
}

/// The hooks that are compiled by the same tools: those among the examples, and hostile ones for the tests.
fn compiled(tools: &Tools<'_>, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(at("create", folder))?;
    for (sources, python, javascript) in
        [("examples/compiled", "trail_py", "trail"), ("tests/compiled", "hostile_py", "hostile")]
    {
        let made = |ending: &str| folder.join(format!("{javascript}-{ending}.wasm"));
        tools.python(
            "windlass:plugin/hook@0.1.1",
            &[&format!("{sources}/python"), "sdk/python"],
            python,
            &made("py"),
        )?;
        let source = format!("{sources}/js/{javascript}.js");
        tools.javascript(&tools.tree.root, "hook", &source, &made("js"))?;
        for (language, path) in [("python", made("py")), ("js", made("js"))] {
            let manifest = tools.tree.root.join(sources).join(language).join("manifest.toml");
            let text = std::fs::read_to_string(&manifest).map_err(at("read", &manifest))?;
            let mut bytes = std::fs::read(&path).map_err(at("read", &path))?;
            component::append(&mut bytes, &component::manifest(&manifest, &text)?);
            std::fs::write(&path, bytes).map_err(at("write", &path))?;
        }
    }
    Ok(())
}

/// The installed tools.
struct Tools<'a> {
    tree: &'a Tree,
    python: PathBuf,
    javascript: PathBuf,
}

impl Tools<'_> {
    /// Makes a component of a Python module, found on a path of folders.
    fn python(&self, world: &str, path: &[&str], module: &str, out: &Path) -> Result<(), Error> {
        let mut command = Command::new(&self.python);
        command.current_dir(&self.tree.root).env("PYTHONDONTWRITEBYTECODE", "1");
        command.args(["-d", "wit", "-d", "plugins/wit", "-w", world, "componentize"]);
        command.args(path.iter().flat_map(|folder| ["-p", *folder])).args([module, "-o"]).arg(out);
        process::run(command.stdin(Stdio::null()).stdout(Stdio::null()))
    }

    /// Lays the sources of the JavaScript engine beside the packages that it imports: its tool takes all that is
    /// imported, and all WIT, from below one folder each. Returns that folder.
    fn gathered(&self) -> Result<&Path, Error> {
        // …/node_modules/TOOL/cli.mjs
        let folder = self.javascript.ancestors().nth(3).unwrap_or(&self.javascript);
        for copy in
            ["wit", "plugins", "sdk"].map(|copy| folder.join(copy)).iter().filter(|copy| copy.exists())
        {
            std::fs::remove_dir_all(copy).map_err(at("remove", copy))?;
        }
        for (from, to) in [
            ("wit", "wit/deps/plugin"),
            ("plugins/wit", "wit"),
            ("plugins/script-js", "plugins/script-js"),
            ("sdk/js", "sdk/js"),
        ] {
            let from = self.tree.root.join(from);
            for file in tree::files(&from)? {
                let inside = file.strip_prefix(&from).unwrap_or(&file);
                let bytes = std::fs::read(&file).map_err(at("read", &file))?;
                tree::write_if_changed(&folder.join(to).join(inside), &bytes)?;
            }
        }
        Ok(folder)
    }

    /// Makes a component of a JavaScript module; `folder`: all that it imports lies below it.
    fn javascript(&self, folder: &Path, world: &str, source: &str, out: &Path) -> Result<(), Error> {
        let mut command = Command::new("node");
        command.current_dir(folder).arg(&self.javascript);
        command.args(["--wit", "wit", "--world", world, "--sync", "--minify", "--module-root", "."]);
        command.args(["--js", source, "--output"]).arg(out);
        process::run(command.stdin(Stdio::null()).stdout(Stdio::null()))
    }
}

fn pins(root: &Path) -> Result<BTreeMap<String, Pin>, Error> {
    let path = root.join(PINS);
    let text = std::fs::read_to_string(&path).map_err(at("read", &path))?;
    toml::from_str(&text).map_err(|error| Error::Input { path, reason: error.to_string() })
}

/// A digest over all that the engines are built of.
fn sources(root: &Path) -> Result<String, Error> {
    let mut all = vec![root.join(PINS)];
    for folder in SOURCES {
        all.extend(tree::files(&root.join(folder))?);
    }
    let mut digest = Sha256::new();
    for path in all.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "__pycache__")) {
        let bytes = std::fs::read(path).map_err(at("read", path))?;
        let name = path.strip_prefix(root).unwrap_or(path);
        digest.update(format!("{} {}\n", name.display(), bytes.len()));
        digest.update(bytes);
    }
    Ok(hex(&digest.finalize()))
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
