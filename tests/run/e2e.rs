//! A practice pair with a site to a test's taste, the real `windlass` beside it, and what the two nodes hold,
//! read without any code of the host that rotates.

use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use windlass::lab::{Double, Lab, Plan, Product, Transport};

pub const NODES: [&str; 2] = ["master1", "master2"];
/// The files that the product's own service keeps for itself alone.
pub const KEYS: [&str; 2] = ["root-ca.pem", "server.pem"];

/// What `[procedures.ha-cert]` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taste {
    pub ca: &'static str,
    pub leaf: &'static str,
    pub on_failure: &'static str,
}

/// What `windlass lab up` writes.
pub const PLAIN: Taste = Taste { ca: "host", leaf: "product", on_failure: "pause" };

pub struct Pair {
    pub lab: Lab,
    pub dir: Utf8PathBuf,
    /// State, runtime and home folder of the controller.
    pub controller: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Pair {
    fn drop(&mut self) {
        // What fails here failed the test already.
        let _ = self.lab.down();
    }
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", tail(&self.out), self.err);
        self
    }
}

/// The end of a long text.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(4000);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// The `windlass` with its procedures inside, or None, having said why.
pub fn binary() -> Option<Utf8PathBuf> {
    let found = std::env::var("WINDLASS_BIN").ok().map(Utf8PathBuf::from);
    if found.is_none() {
        println!("skipped: WINDLASS_BIN names no windlass with its procedures; `cargo xtask test` sets it");
    }
    found
}

/// Starts a pair, or says why it cannot be had here.
pub fn up(transport: Transport, taste: Taste) -> Option<Pair> {
    up_as(Product::Mrs2, transport, taste)
}

/// As [`up`], with the product of another profile.
pub fn up_as(product: Product, transport: Transport, taste: Taste) -> Option<Pair> {
    up_by(product, transport, taste, |binary, _| binary)
}

/// As [`up_as`], with the program that becomes the practice cluster made by the caller, given the real one and a
/// folder for it.
pub fn up_by(
    product: Product,
    transport: Transport,
    taste: Taste,
    program: impl FnOnce(Utf8PathBuf, &Utf8Path) -> Utf8PathBuf,
) -> Option<Pair> {
    raise(product, transport, 0, taste, program)
}

/// A pair with so many members besides it.
pub fn up_with_members(transport: Transport, members: usize) -> Option<Pair> {
    raise(Product::Mrs2, transport, members, PLAIN, |binary, _| binary)
}

fn raise(
    product: Product,
    transport: Transport,
    members: usize,
    taste: Taste,
    program: impl FnOnce(Utf8PathBuf, &Utf8Path) -> Utf8PathBuf,
) -> Option<Pair> {
    let binary = binary()?;
    if transport == Transport::Ssh && !nix::unistd::geteuid().is_root() {
        println!("skipped: a practice cluster over ssh needs root");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = Utf8Path::from_path(folder.path()).unwrap();
    let (dir, controller) = (home.join("lab"), home.join("c"));
    for sub in ["state", "run", "home"] {
        std::fs::create_dir_all(controller.join(sub)).unwrap();
    }
    std::fs::set_permissions(controller.join("run"), PermissionsExt::from_mode(0o700)).unwrap();
    let binary = Some(program(binary, &controller));
    let lab = Lab::up(&dir, &Plan { transport, product, members, binary })
        .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    let pair = Pair { lab, dir, controller, _folder: folder };
    pair.taste(taste);
    pair.wait_normal();
    Some(pair)
}

/// Polls until something holds.
#[track_caller]
pub fn wait(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn feed(command: &mut Command, input: &[u8]) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// `windlass demo …`, with an environment of its own; None where there is no such program, having said so.
pub fn demo(arguments: &[&str]) -> Option<Ended> {
    let binary = binary()?;
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(home.path()).env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", home.path());
    Some(command.stdin(Stdio::null()).output().unwrap().into())
}

impl Pair {
    /// Changes what the site says of ha-cert.
    pub fn taste(&self, taste: Taste) {
        let path = self.dir.join("site.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            match line.split(" = ").next().unwrap() {
                "ca" if line.starts_with("ca = \"manager") => lines.push(line.into()),
                "ca" => {
                    lines.push(format!("ca = \"{}\"\nleaf = \"{}\"", taste.ca, taste.leaf));
                    let in_argv = taste.ca == "product" && self.lab.product() == Product::Mrs2;
                    lines.push(format!("allow_secret_in_argv = {in_argv}"));
                }
                "leaf" | "allow_secret_in_argv" => {}
                "on_failure" => lines.push(format!("on_failure = \"{}\"", taste.on_failure)),
                "[procedures.ha-cert.supplied]" => break,
                _ => lines.push(line.into()),
            }
        }
        if taste.ca == "supplied" {
            lines.push("[procedures.ha-cert.supplied]".into());
            lines.push("certificate = \"root-ca.crt\"\nkey = \"root-ca.pem\"".into());
        }
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    /// `windlass -C SITE ARGUMENTS`, with an environment of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary().unwrap());
        command.arg("-C").arg(&self.dir).args(arguments).current_dir(&self.dir);
        self.surround(&mut command);
        command
    }

    pub fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", self.controller.join("home"))
            .env("WINDLASS_STATE_DIR", self.controller.join("state"))
            .env("XDG_RUNTIME_DIR", self.controller.join("run"))
            .stdin(Stdio::null());
    }

    /// Has what hangs found out soon.
    pub fn impatient(&self) {
        let path = self.dir.join("site.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let patience = "[ssh]\nkeepalive = \"1s\"\nconnect_timeout = \"3s\"\n";
        std::fs::write(&path, text.replacen("[ssh]\n", patience, 1)).unwrap();
    }

    pub fn windlass(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// A shell command as the service user of a node, with its login environment.
    pub fn by_hand(&self, node: &str, script: &str, input: &[u8]) -> Ended {
        let mut command = match self.lab.transport() {
            Transport::Ssh => {
                assert!(!script.contains('\''));
                let mut command = self.lab.command("ssh").unwrap();
                command.arg("-F").arg(self.lab.ssh_config()).arg(node);
                command.arg(format!("sudo -n su - omm -c '{script}'"));
                command
            }
            Transport::Local => {
                let environment =
                    std::fs::read_to_string(self.lab.node_root(node).unwrap().join("login-env")).unwrap();
                let mut command = Command::new("sh");
                command.args(["-c", script]).env_clear();
                command.envs(environment.lines().map(|line| line.split_once('=').unwrap()));
                command
            }
        };
        feed(&mut command, input)
    }

    pub fn password(&self) -> Vec<u8> {
        std::fs::read(self.dir.join("ha-key.secret")).unwrap()
    }

    /// A root pair for `ca = "supplied"`, made by `windlass gen-cert` into the site's folder.
    pub fn generate_supplied(&self) {
        let arguments = [
            "gen-cert",
            "--root-ca",
            "--country=DE",
            "--state=eur",
            "--city=ber",
            "--company=dt",
            "--organize=IT",
            "--common-name=HADOOP.COM",
            "--email=abc@dt.com",
            "--password-file=ha-key.secret",
        ];
        let made = self.windlass(&arguments).expect(0);
        assert_eq!(made.out.lines().last(), Some("Generate root-ca pair success."), "{made:?}");
    }

    /// The product's folder on a node.
    pub fn product_home(&self, node: &str) -> Utf8PathBuf {
        let home = self.lab.product().bigdata_home();
        self.lab.node_root(node).unwrap().join(home.trim_start_matches('/'))
    }

    pub fn cert_ha(&self, node: &str) -> Utf8PathBuf {
        self.product_home(node).join(self.lab.product().cert_ha())
    }

    pub fn home(&self, node: &str) -> Utf8PathBuf {
        self.lab.node_root(node).unwrap().join("home/omm")
    }

    /// Every file of certHA on both nodes: content, mode, owner.
    pub fn content(&self) -> BTreeMap<String, (Vec<u8>, u32, u32)> {
        let mut all = BTreeMap::new();
        for node in NODES {
            for path in files(&self.cert_ha(node)) {
                let meta = path.metadata().unwrap();
                let name = path.strip_prefix(self.cert_ha(node)).unwrap();
                all.insert(
                    format!("{node} {name}"),
                    (std::fs::read(&path).unwrap(), meta.mode() & 0o7777, meta.uid()),
                );
            }
        }
        all
    }

    /// How often a double ran on a node, since the lab came up.
    pub fn ran(&self, node: &str, double: Double) -> usize {
        let name = format!(" {}", double.as_str());
        // Before the first execution there is no journal.
        self.lab.journal(node).unwrap_or_default().iter().filter(|line| line.ends_with(&name)).count()
    }

    /// All changing scripts, on both nodes.
    pub fn executions(&self) -> [[usize; 3]; 2] {
        NODES.map(|node| {
            [Double::GenCert, Double::ReplaceHaSslCert, Double::RestartOms]
                .map(|double| self.ran(node, double))
        })
    }

    pub fn address(&self, node: &str) -> String {
        let status = self.lab.status().unwrap();
        status.iter().find(|n| n.name == node).unwrap().address.to_string()
    }

    #[track_caller]
    pub fn wait_normal(&self) {
        wait("HAAllResOK normal on both nodes", 20, || {
            self.lab.status().unwrap().iter().all(|node| !node.manager || node.all_normal == Some(true))
        });
    }

    /// The run that was started last.
    pub fn last_run(&self) -> String {
        // By the second in their names: `windlass runs list` reads every journal, of which a matrix leaves hundreds.
        let second = |run: &String| {
            let mut words = run.rsplitn(4, '-').skip(1);
            let time = words.next().map(str::to_owned);
            (words.next().map(str::to_owned), time)
        };
        let runs = self.runs();
        let last = runs.iter().map(second).max().expect("a run");
        let mut newest: Vec<String> = runs.into_iter().filter(|run| second(run) == last).collect();
        if newest.len() == 1 {
            return newest.remove(0);
        }
        let listed = self.windlass(&["--json", "runs", "list"]).expect(0).out;
        let newest: serde_json::Value = serde_json::from_str(listed.lines().next().expect("a run")).unwrap();
        newest["run"].as_str().unwrap().to_owned()
    }

    /// Removes every run that is over, here and on the nodes: those of hundreds of cases would be read again at each.
    pub fn forget_runs(&self) {
        let on_nodes = NODES.map(|node| self.home(node).join(".windlass/runs"));
        for folder in [self.controller.join("state/runs")].iter().chain(&on_nodes) {
            for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    std::fs::remove_dir_all(entry.path()).unwrap();
                }
            }
        }
    }

    /// Every run of the controller.
    pub fn runs(&self) -> Vec<String> {
        let folder = self.controller.join("state/runs");
        let entries = folder.read_dir_utf8().unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_owned()).collect()
    }
}

/// All files below a folder, links not followed.
pub fn files(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = folder.read_dir_utf8() else { return found };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path().to_owned()),
            _ => {}
        }
    }
    found.sort();
    found
}
