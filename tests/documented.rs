//! What the docs tell people to write and to type, written and typed on a practice pair.

use camino::{Utf8Path, Utf8PathBuf};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use windlass::lab::{Lab, Plan, Product, Transport};
use windlass::model::PauseReason;

const BINARY: &str = env!("CARGO_BIN_EXE_windlass");
const NODES: [&str; 2] = ["master1", "master2"];

struct Pair {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Drop for Pair {
    fn drop(&mut self) {
        // Its supervisor ends with its folder gone too; this is the orderly way.
        let _ = self.lab.down();
    }
}

impl Pair {
    fn up() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: sudo on a practice pair needs root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap().join("pair");
        let plan = Plan {
            transport: Transport::Ssh,
            product: Product::Mrs2,
            members: 0,
            binary: Some(BINARY.into()),
        };
        Some(Self { lab: Lab::up(&dir, &plan).unwrap(), folder })
    }

    /// Replaces the sudoers of both nodes.
    fn sudoers(&self, line: &str) {
        for node in NODES {
            let path = self.lab.node_root(node).unwrap().join("etc/sudoers");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            std::fs::write(&path, format!("Defaults !lecture, env_reset\n{line}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
        }
    }

    /// Writes how the login becomes the service user into the site.
    fn become_by(&self, argv: &str) {
        let path = self.lab.dir().join("site.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| if line.starts_with("argv = ") { argv } else { line });
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }

    /// Whether `windlass site check --connect` reaches both nodes.
    fn connects(&self) -> bool {
        let state = Utf8PathBuf::from_path_buf(self.folder.path().join("state")).unwrap();
        let checked = Command::new(BINARY)
            .args(["-C", self.lab.dir().as_str(), "site", "check", "--connect"])
            .env("WINDLASS_STATE_DIR", state)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        checked.status.success()
    }

    /// What a command prints for the login user of the first node, if it succeeds.
    fn as_login(&self, line: &str) -> Option<String> {
        let ssh = self.lab.ssh_config();
        let mut command = self.lab.command("ssh").unwrap();
        let ran =
            command.args(["-F", ssh.as_str(), "admin@master1", line]).stdin(Stdio::null()).output().unwrap();
        ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

fn page(name: &str) -> String {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first line of the page that begins so, without what it is indented by.
fn documented(beginning: &str) -> String {
    let page = page("nodes.md");
    let found = page.lines().map(str::trim).find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("docs/nodes.md has no line {beginning}…")).to_string()
}

#[test]
fn the_documented_sudoers_line_is_enough_and_gives_nothing_more() {
    let Some(pair) = Pair::up() else { return };
    pair.become_by(&documented("argv = "));

    pair.sudoers("");
    assert!(!pair.connects(), "without a sudoers line nothing should have been reached");
    pair.sudoers(&documented("admin ALL="));
    assert!(pair.connects());

    assert!(pair.as_login("sudo -n -u omm id -un").is_some_and(|user| user.trim() == "omm"));
    for more in ["sudo -n id", "sudo -n -u omm -g root id", "sudo -n su - omm -c 'id' -G root"] {
        assert_eq!(pair.as_login(more), None, "{more}");
    }
}

#[test]
fn each_reason_for_a_pause_has_its_entry_and_no_other_has() {
    let page = page("it-stopped.md");
    let entries: Vec<&str> = page.split("\n## ").skip(1).collect();
    let words: Vec<&str> = entries.iter().map(|entry| entry.lines().next().unwrap()).collect();
    assert_eq!(words, PauseReason::ALL.map(PauseReason::word));
    for entry in entries {
        let word = entry.lines().next().unwrap();
        // What it means, and what to type. Whoever interrupted it knows what to look at.
        assert!(entry.contains("**Type"), "{word} does not say what to type");
        assert!(
            entry.contains("**Look at**") || word == "interrupted",
            "{word} does not say what to look at"
        );
        assert!(entry.contains("windlass resume RUN"), "{word}");
    }
}

#[test]
fn every_command_that_it_stopped_names_is_one() {
    let page = page("it-stopped.md");
    let mut seen = 0;
    for quoted in page.split(['`', '\n']).filter(|text| text.starts_with("windlass ")) {
        let command = quoted.split('#').next().unwrap().trim();
        let arguments: Vec<&str> =
            command.split(' ').skip(1).take_while(|word| !word.starts_with('-') && *word != "RUN").collect();
        let helped = Command::new(BINARY).args(&arguments).arg("--help").output().unwrap();
        assert!(helped.status.success(), "{command}: {}", String::from_utf8_lossy(&helped.stderr));
        let help = String::from_utf8_lossy(&helped.stdout);
        for option in command.split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: {} has no {option}", arguments.join(" "));
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen} commands");
}

/// A threat whose test is gone is guarded by nobody knows what.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = page("threat-model.md");
    // The last column of those tables that have one of tests.
    let tables =
        text.split("\n### ").skip(1).flat_map(|part| part.lines().filter(|line| line.starts_with("| ")));
    let mut seen = 0;
    for line in tables.filter(|line| !line.ends_with("| tests |")) {
        let tests = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in tests.split('`').skip(1).step_by(2).filter(|name| !name.starts_with("cargo ")) {
            let place = match name.strip_prefix("host/") {
                Some(below) => root.join("host/src").join(below),
                None => root.join("tests").join(name),
            };
            assert!(place.exists(), "{name} is no test, in: {line}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} tests are named");
}

/// The shell lines of a page, in order.
fn typed(page: &str) -> String {
    let blocks = page.split("\n```sh\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap_or_default().to_owned() + "\n").collect()
}

#[test]
fn the_first_hook_is_written_tested_and_run_as_the_page_says() {
    let (Some(windlass), Some(engines)) = (crate::refuse::binary(), std::env::var_os("WINDLASS_ENGINES"))
    else {
        println!("skipped: without WINDLASS_ENGINES no script runs; cargo xtask test builds the engines");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("bin")).unwrap();
    std::os::unix::fs::symlink(&windlass, path("bin/windlass")).unwrap();
    let tools = std::env::var("PATH").unwrap_or_default();
    let run = |script: &str| {
        Command::new("timeout")
            .args(["120", "sh", "-eu", "-c", script])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", format!("{}:{tools}", path("bin").display()))
            .env("HOME", folder.path())
            .env("WINDLASS_STATE_DIR", path("state"))
            .env("WINDLASS_ENGINES", &engines)
            .env("WINDLASS_CACHE_DIR", std::path::Path::new(&engines).join("images"))
            .output()
            .unwrap()
    };
    let ended = run(&typed(include_str!("../docs/first-hook.md")));
    // Down already, where the page was gone through whole.
    let _ = run("windlass lab down practice");
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{said}");
    for told in [
        "gate/scenarios/unwell.toml: as recorded",
        "not as recorded",
        "gate/scenarios/well.toml: as recorded",
        "hook gate, before restart@first",
        "every manager is well before restart@first",
        "done and verified",
        "refused, and nothing was changed",
    ] {
        assert!(said.contains(told), "{told:?} is not in {said}");
    }
}
