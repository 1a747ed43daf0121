//! The cluster's services, as far as they matter to its key: each node has one, `DBService`, which needs a
//! password that is sealed under the cluster's key set, and so cannot start on a node whose set does not open it.
//!
//! What the product's services are called, and how they keep what they seal, is not public: all of this is
//! invented. Neighbours: the double `services.sh` starts, stops and observes it, `operation` does so on all nodes.

mod keyset;

pub(super) use keyset::KeySet;

use super::error::{LabError, Result};
use super::layout::{LAB_STATE, Layout, NodeSpec, Spec, Transport};
use super::process::{Process, close_inherited, replace_file};
use super::supervisor::chain;
use super::tree::{inside, put};
use camino::{Utf8Path, Utf8PathBuf};
use keyset::draw;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, setsid};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Below `BIGDATA_HOME`.
const FOLDER: &str = "service";
/// What the service cannot start without, sealed under the cluster's key set when the cluster was installed.
pub(super) const PASSWORD_FILE: &str = "service/db-password.sealed";
/// What it seals anew at each start.
const SESSION_FILE: &str = "session.sealed";
/// What the values are sealed for.
pub(super) const PASSWORD_NAME: &str = "db-password";
const SESSION_NAME: &str = "session";

// Files of the state folder.
const CONFIG_FILE: &str = "db-service.json";
pub(super) const PID_FILE: &str = "db-service.pid";
/// Where a node that comes up says why its service does not.
pub(super) const LOG_FILE: &str = "db-service.log";
const PULSE: &str = "pulse";

/// The service: it waits for the end of its standard input, and needs no processor for it.
const WAIT: &str = "read -r _";

/// The service of a node, kept as `db-service.json` in its state folder. Paths are as the node sees them.
#[derive(Debug, Serialize, Deserialize)]
struct Config {
    keyset: Utf8PathBuf,
    folder: Utf8PathBuf,
    /// A named pipe that nobody ever writes to: what reads from it ends with the last process that could write.
    pulse: Utf8PathBuf,
    /// The service could itself: in namespaces a lab's end is the end of all its processes.
    own_pulse: bool,
}

/// Writes what the service of a node is told, and on ssh its pipe.
pub(super) fn write_config(layout: &Layout, spec: &Spec, node: &NodeSpec) -> Result<()> {
    let state = layout.state(&node.name);
    let home = spec.product.bigdata_home();
    let (root, pulse) = match spec.transport {
        Transport::Ssh => {
            make_pulse(&state.join(PULSE))?;
            (Utf8PathBuf::from("/"), Utf8Path::new(home).join(LAB_STATE).join(PULSE))
        }
        Transport::Local => (layout.local_root(&node.name), layout.pulse()),
    };
    let home = inside(&root, home);
    let config = Config {
        keyset: home.join(spec.product.keyset()),
        folder: home.join(FOLDER),
        pulse,
        own_pulse: spec.transport == Transport::Ssh,
    };
    let path = state.join(CONFIG_FILE);
    let text = serde_json::to_string_pretty(&config)
        .map_err(|error| LabError::failed(format!("write {path}"), error))?;
    replace_file(&path, text.as_bytes())
}

fn make_pulse(path: &Utf8Path) -> Result<()> {
    mkfifo(path.as_str(), Mode::S_IRUSR | Mode::S_IWUSR).map_err(|errno| LabError::File {
        doing: "make",
        path: path.to_owned(),
        source: errno.into(),
    })
}

/// Makes the pipe of a local lab and holds it: without namespaces, the services end with whoever has this.
pub(super) fn hold_pulse(layout: &Layout) -> Result<File> {
    let path = layout.pulse();
    make_pulse(&path)?;
    OpenOptions::new().read(true).write(true).open(&path).map_err(LabError::file("open", path))
}

/// Starts the service of a node and returns when it has what it needs; None where it runs already. `user` is whose
/// it becomes, where that is another than this process's.
///
/// It opens its password with the key set of its node, and seals a new secret under that set's primary.
pub(super) fn start(state: &Utf8Path, user: Option<u32>) -> Result<Option<Child>> {
    let pid_file = state.join(PID_FILE);
    if Process::read(&pid_file).is_some() {
        return Ok(None);
    }
    let config = Config::read(state)?;
    let set = KeySet::read(&config.keyset)?;
    let sealed = config.folder.join(format!("{PASSWORD_NAME}.sealed"));
    let bytes = std::fs::read(&sealed).map_err(LabError::file("read", &sealed))?;
    set.open(&bytes, PASSWORD_NAME)
        .map_err(|why| LabError::failed(format!("open {sealed} with {}", config.keyset), why))?;
    let session = config.folder.join(SESSION_FILE);
    let secret = draw::<32>().map_err(LabError::file("read", "/dev/urandom"))?;
    let secret = set
        .seal(&secret[..], SESSION_NAME)
        .map_err(|why| LabError::failed(format!("seal {session} with {}", config.keyset), why))?;
    let new = config.folder.join(format!("{SESSION_FILE}.new"));
    put(&new, 0o600, secret)?;
    give(&new, user)?;
    std::fs::rename(&new, &session).map_err(LabError::file("write", &session))?;

    let mut command = Command::new("/bin/sh");
    // Its arguments say whose it is, to whoever looks at the process list.
    command.args(["-c", WAIT, "DBService", state.as_str()]).env_clear().current_dir("/");
    command.stdin(config.open_pulse()?).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    // SAFETY: setsid and close_range are async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            close_inherited()
        });
    }
    let child = command.spawn().map_err(LabError::system("start DBService"))?;
    let process = Process::of(child.id() as i32)
        .ok_or_else(|| LabError::failed("start DBService", "it ended at once"))?;
    process.write(&pid_file)?;
    give(&pid_file, user)?;
    Ok(Some(child))
}

/// Seals the password of a node's service anew, under the primary of its key set.
pub(super) fn renew(state: &Utf8Path) -> Result<()> {
    let config = Config::read(state)?;
    let set = KeySet::read(&config.keyset)?;
    let path = config.folder.join(format!("{PASSWORD_NAME}.sealed"));
    let sealed = std::fs::read(&path).map_err(LabError::file("read", &path))?;
    let failed = |why| LabError::failed(format!("seal {path} anew with {}", config.keyset), why);
    let password = set.open(&sealed, PASSWORD_NAME).map_err(failed)?;
    let new = config.folder.join(format!("{PASSWORD_NAME}.sealed.new"));
    put(&new, 0o600, set.seal(&password, PASSWORD_NAME).map_err(failed)?)?;
    std::fs::rename(&new, &path).map_err(LabError::file("write", &path))
}

fn give(path: &Utf8Path, user: Option<u32>) -> Result<()> {
    lchown(path, user, user).map_err(LabError::file("change the owner of", path))
}

/// Starts the service of a node that comes up, which comes up without it too.
pub(super) fn start_with_node(state: &Utf8Path, user: u32) -> Result<()> {
    match start(state, Some(user)) {
        Ok(_) => Ok(()),
        Err(error) => put(&state.join(LOG_FILE), 0o644, format!("{}\n", chain(&error))),
    }
}

impl Config {
    fn read(state: &Utf8Path) -> Result<Self> {
        let path = state.join(CONFIG_FILE);
        let text = std::fs::read(&path).map_err(LabError::file("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| LabError::failed(format!("read {path}"), error))
    }

    /// What the service waits on. Where the lab has ended it is at its end, whoever opens it.
    fn open_pulse(&self) -> Result<File> {
        let opened =
            |source: std::io::Error| LabError::File { doing: "open", path: self.pulse.clone(), source };
        let mut options = OpenOptions::new();
        // Opened plainly, a pipe without a writer would be waited for.
        options.read(true).write(self.own_pulse).custom_flags(OFlag::O_NONBLOCK.bits());
        let file = options.open(&self.pulse).map_err(opened)?;
        fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).map_err(|errno| opened(errno.into()))?;
        Ok(file)
    }
}

/// Stops the service of a node, by force where it does not stop by itself within five seconds.
pub(super) fn stop(state: &Utf8Path) -> Result<()> {
    let pid_file = state.join(PID_FILE);
    let patience = Duration::from_secs(5);
    if let Some(process) = Process::read(&pid_file)
        && !process.end(Signal::SIGTERM, patience)
        && !process.end(Signal::SIGKILL, patience)
    {
        return Err(LabError::failed("stop DBService", format!("process {} does not end", process.pid)));
    }
    match std::fs::remove_file(&pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::File { doing: "remove", path: pid_file, source: error })
        }
        _ => Ok(()),
    }
}

/// Whether a node's service was started and not stopped since, as seen from outside the node's namespaces: a pid
/// means nothing there.
pub(super) fn was_started(state: &Utf8Path) -> bool {
    state.join(PID_FILE).exists()
}
