//! What bad input gets, end to end: the real binary on practice clusters. Each case says the exit code and
//! the words that the operator must find, and nothing on any node may differ afterwards.

mod careless;
mod cluster;
mod password;
pub mod plugin;
mod site;
mod supplied;
mod switches;
mod together;

use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Output, Stdio};
use windlass::lab::{Lab, Plan, Product, Switch, Transport};

const MANAGERS: [&str; 2] = ["master1", "master2"];
/// Far longer than any command here takes; one that hangs fails.
const PATIENCE: &str = "90";

/// A practice cluster and a controller with a state folder of its own.
pub struct Practice {
    pub lab: Lab,
    pub dir: Utf8PathBuf,
    pub state: Utf8PathBuf,
    windlass: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Practice {
    fn drop(&mut self) {
        // A test that broke it already failed for its own reason.
        let _ = self.lab.down();
    }
}

/// Returns the binary with its procedures, or None, having said why.
pub fn binary() -> Option<Utf8PathBuf> {
    let found = std::env::var("WINDLASS_BIN").ok().map(Utf8PathBuf::from);
    if found.is_none() {
        println!(
            "skipped: WINDLASS_BIN is not set, so no windlass has its procedures; run `cargo xtask test`"
        );
    }
    found
}

/// Returns a component that `cargo xtask test` has built, or None, having said why.
pub fn built(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("WINDLASS_COMPONENTS") else {
        println!("skipped: WINDLASS_COMPONENTS is not set, so there is no {name}; run `cargo xtask test`");
        return None;
    };
    Some(std::fs::read(std::path::Path::new(&folder).join(format!("{name}.wasm"))).unwrap())
}

pub fn local() -> Option<Practice> {
    up(Transport::Local)
}

/// A site as a real one is: what was not installed does not load. Its own profile was.
pub fn locked() -> Option<Practice> {
    let practice = local()?;
    let site = practice.read("site.toml").replacen("trust = \"dev\"", "trust = \"locked\"", 1);
    practice.write("site.toml", site);
    let profile = practice.dir.join("profiles/practice.toml");
    practice
        .windlass(&["plugin", "install", profile.as_str(), "--yes"])
        .check(0, &["installed profile practice as profiles/practice.toml"]);
    Some(practice)
}

pub fn ssh() -> Option<Practice> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a practice cluster over ssh needs root");
        return None;
    }
    up(Transport::Ssh)
}

fn up(transport: Transport) -> Option<Practice> {
    let windlass = binary()?;
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let (dir, state) = (root.join("site"), root.join("state"));
    let lab = Lab::up(
        &dir,
        &Plan { transport, product: Product::Mrs2, members: 0, binary: Some(windlass.clone()) },
    )
    .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    Some(Practice { lab, dir, state, windlass, _folder: folder })
}

/// A practice pair, with a folder for people's keys and the controller's own configuration; none where there is no
/// ssh-keygen to make keys with.
pub fn with_people() -> Option<(Practice, Utf8PathBuf, Utf8PathBuf)> {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        println!("skipped: there is no ssh-keygen to make keys with");
        return None;
    }
    let practice = local()?;
    let home = practice.state.parent().unwrap().to_owned();
    let (folder, config) = (home.join("desk"), home.join(".config/windlass"));
    for made in [&folder, &config] {
        std::fs::create_dir_all(made).unwrap();
        std::fs::set_permissions(made, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    Some((practice, folder, config))
}

/// Makes a key without a passphrase at a path, as ssh-keygen makes it.
#[track_caller]
pub fn make_key(path: &Utf8Path, kind: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "", "-f", path.as_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Said {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            exit: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The exit code, every word, and never a panic.
    #[track_caller]
    pub fn check(&self, exit: i32, says: &[&str]) {
        assert!(!self.err.contains("panicked"), "{self:#?}");
        assert_eq!(self.exit, exit, "{self:#?}");
        let all = format!("{}{}", self.out, self.err).to_lowercase();
        for word in says {
            assert!(all.contains(&word.to_lowercase()), "{word:?} is not in {self:#?}");
        }
    }
}

/// Returns a `windlass` that meets nothing of this machine's but its `PATH`, and is ended where it hangs.
pub fn command(windlass: &Utf8Path, state: &Utf8Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args([PATIENCE, windlass.as_str()]).args(arguments).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", state.parent().unwrap_or(state)).env("WINDLASS_STATE_DIR", state);
    command
}

/// Runs `windlass` outside any site.
pub fn windlass(windlass: &Utf8Path, state: &Utf8Path, arguments: &[&str]) -> Said {
    Said::of(&command(windlass, state, arguments).output().unwrap())
}

impl Practice {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut all = vec!["-C", self.dir.as_str()];
        all.extend(arguments);
        command(&self.windlass, &self.state, &all)
    }

    pub fn windlass(&self, arguments: &[&str]) -> Said {
        Said::of(&self.command(arguments).output().unwrap())
    }

    /// `run ha-cert --yes`, and what else is given.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut all = vec!["run", "ha-cert", "--yes"];
        all.extend(arguments);
        self.windlass(&all)
    }

    /// The run is refused in these words, with a next step, and no node is any different.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], exit: i32, says: &[&str]) -> Said {
        let before = self.nodes();
        let said = self.run(arguments);
        said.check(exit, says);
        assert!(said.err.contains("next:"), "no next step: {said:#?}");
        before.check(&self.nodes());
        said
    }

    /// The lease is free and the site whole: a run comes as far as its question, and ends there.
    #[track_caller]
    pub fn is_free(&self) {
        let said = self.windlass(&["run", "ha-cert", "--no-input"]);
        said.check(4, &["nobody to ask", "--yes"]);
    }

    #[track_caller]
    pub fn runs_well(&self) {
        self.run(&[]).check(0, &["done and verified"]);
    }

    pub fn set(&self, switch: Switch) {
        self.lab.break_with(switch, None, false, &[]).unwrap();
    }

    pub fn heal(&self, switch: Switch) {
        self.lab.break_with(switch, None, true, &[]).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Does something with one text of a file replaced, and puts the file back.
    #[track_caller]
    pub fn with(&self, file: &str, from: &str, to: &str, then: impl FnOnce()) {
        let text = self.read(file);
        assert!(text.contains(from), "{from:?} is not in {file}: {text}");
        self.write(file, text.replace(from, to));
        then();
        self.write(file, text);
    }

    pub fn node(&self, node: &str) -> Utf8PathBuf {
        self.lab.node_root(node).unwrap()
    }

    pub fn cert_ha(&self, node: &str) -> Utf8PathBuf {
        self.node(node).join("opt/Bigdata/om-0.0.1/security/certHA")
    }

    /// Everything of the product's and of windlass' on both nodes.
    pub fn nodes(&self) -> Nodes {
        let mut nodes = Nodes::default();
        for node in MANAGERS {
            let root = self.node(node);
            for folder in ["opt/Bigdata", "home/omm/.windlass"] {
                look(&root.join(folder), &mut nodes.entries);
            }
            nodes.ran.push(self.lab.journal(node).unwrap());
        }
        nodes
    }
}

/// What both nodes hold, and which of the product's scripts ran on them.
#[derive(Debug, Default)]
pub struct Nodes {
    /// Kind, mode, owner, group and content, by path.
    entries: BTreeMap<Utf8PathBuf, (u32, u32, u32, Vec<u8>)>,
    ran: Vec<Vec<String>>,
}

impl Nodes {
    /// Returns what a file held.
    pub fn content(&self, path: &Utf8Path) -> Vec<u8> {
        self.entries[path].3.clone()
    }

    /// Nothing differs, and no script of the product ran but the one that looks.
    #[track_caller]
    pub fn check(&self, after: &Nodes) {
        let differs = |path: &&Utf8PathBuf| self.entries.get(*path) != after.entries.get(*path);
        let changed: Vec<_> = self.entries.keys().chain(after.entries.keys()).filter(differs).collect();
        assert!(changed.is_empty(), "changed on a node: {changed:#?}");
        for (before, after) in self.ran.iter().zip(&after.ran) {
            let new = &after[before.len()..];
            assert!(new.iter().all(|line| line.ends_with(" status-oms")), "ran on a node: {new:?}");
        }
    }
}

/// Adds a file or folder and all below it. The lab's own state, and the number of the last lease, which
/// always rises, are no part of what must stay.
fn look(path: &Utf8Path, into: &mut BTreeMap<Utf8PathBuf, (u32, u32, u32, Vec<u8>)>) {
    let Ok(metadata) = path.symlink_metadata() else { return };
    if path.file_name() == Some(".windlass-lab") || path.as_str().ends_with(".windlass/token") {
        return;
    }
    // A run that was refused may have made the empty folder that its successors use.
    let is_room = ["/.windlass", "/.windlass/runs"].iter().any(|end| path.as_str().ends_with(end));
    if !is_room {
        let content = match (metadata.is_symlink(), metadata.is_file()) {
            (true, _) => path.read_link_utf8().unwrap().into_string().into_bytes(),
            (false, true) => std::fs::read(path).unwrap_or_default(),
            (false, false) => Vec::new(),
        };
        into.insert(path.to_owned(), (metadata.mode(), metadata.uid(), metadata.gid(), content));
    }
    if metadata.is_dir() {
        for entry in path.read_dir_utf8().unwrap().flatten() {
            look(entry.path(), into);
        }
    }
}

/// Runs OpenSSL with something on its standard input.
pub fn openssl(folder: &Utf8Path, arguments: &[&str], input: &str) -> Said {
    use std::io::Write as _;
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Said::of(&child.wait_with_output().unwrap())
}
