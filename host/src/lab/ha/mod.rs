//! The practice cluster's HA service: one process on each manager that keeps a heartbeat with its peer over
//! mutual TLS, with the certificates of certHA as they were when it started.
//!
//! Two nodes with certificates from different roots therefore really lose their link. A lost link moves no
//! role (so says the product's alarm for it): roles move only by hand-over. Neighbours: the doubles
//! start and stop it, `supervisor` hands roles over, `status-oms.sh` prints the table it writes.

mod link;
mod service;
mod table;
mod tls;

use super::error::{LabError, Result};
use super::layout::{HA_PORT, NodeSpec};
use super::process::{Process, replace_file, start_service, wait_ready};
use super::product::Product;
use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) use service::serve;
pub(super) use table::stopped_table;

/// In certHA: what opens the key. How the product stores it is not public; this way is invented.
pub(super) const PASSWORD_FILE: &str = ".ha_pass";

// Files of the state folder.
pub(super) const ROLE_FILE: &str = "role";
/// Written by an active service that stops with `role-moves`: the supervisor gives the role to the peer.
pub(super) const HANDOVER_FILE: &str = "handover";
pub(super) const STATUS_FILE: &str = "status";
pub(super) const STOPPED_STATUS_FILE: &str = "status.stopped";
pub(super) const LOG_FILE: &str = "ha.log";
pub(super) const PID_FILE: &str = "pid";
const CONFIG_FILE: &str = "ha.json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Active,
    Standby,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }

    /// The role that a node's state says it has, whether or not its service runs.
    pub(super) fn read(state: &Utf8Path) -> Result<Self> {
        let path = state.join(ROLE_FILE);
        let text = std::fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        match text.trim() {
            "active" => Ok(Self::Active),
            "standby" => Ok(Self::Standby),
            other => Err(LabError::failed(format!("read {path}"), format!("{other:?} is no role"))),
        }
    }

    pub(super) fn write(self, state: &Utf8Path) -> Result<()> {
        replace_file(&state.join(ROLE_FILE), format!("{}\n", self.as_str()).as_bytes())
    }
}

/// One end of the pair, kept as `ha.json` in its state folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    pub node: MemberName,
    pub peer: MemberName,
    pub listen: SocketAddrV4,
    pub peer_address: SocketAddrV4,
    /// Whose table is printed.
    pub product: Product,
    /// certHA.
    pub certificates: Utf8PathBuf,
    /// Milliseconds between heartbeats.
    pub heartbeat: u64,
    /// Milliseconds without one after which the link is lost.
    pub lost: u64,
    /// A pid file; the service ends when that process has.
    pub watch: Option<Utf8PathBuf>,
}

/// How the table names a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberName {
    pub node: String,
    pub host: String,
}

impl Config {
    pub(super) fn new(
        node: &NodeSpec,
        peer: &NodeSpec,
        product: Product,
        certificates: Utf8PathBuf,
        watch: Option<Utf8PathBuf>,
    ) -> Self {
        let name = |node: &NodeSpec| MemberName { node: node.table_name(), host: node.name.clone() };
        Self {
            node: name(node),
            peer: name(peer),
            listen: SocketAddrV4::new(node.address, HA_PORT),
            peer_address: SocketAddrV4::new(peer.address, HA_PORT),
            product,
            certificates,
            heartbeat: 200,
            lost: 2000,
            watch,
        }
    }

    pub(super) fn write(&self, state: &Utf8Path) -> Result<()> {
        let path = state.join(CONFIG_FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| LabError::failed(format!("write {path}"), error))?;
        replace_file(&path, text.as_bytes())
    }

    fn read(state: &Utf8Path) -> Result<Self> {
        let path = state.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        serde_json::from_str(&text).map_err(|error| LabError::failed(format!("read {path}"), error))
    }
}

/// Starts the service of a node as a daemon and returns when it listens; nothing to do where it runs.
pub(super) fn start(state: &Utf8Path) -> Result<()> {
    if Process::read(&state.join(PID_FILE)).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(LabError::system("find this program"))?;
    let mut command = Command::new(program);
    command.args(["lab-service", "ha", state.as_str()]).stdin(Stdio::null());
    let log = state.join(LOG_FILE);
    let mut child = start_service(command, "HA", &log, None)?;
    wait_ready(&mut child, "HA", &log)
}

/// Stops the service of a node, by force where it does not stop by itself within five seconds.
pub(super) fn stop(state: &Utf8Path) -> Result<()> {
    let Some(process) = Process::read(&state.join(PID_FILE)) else { return Ok(()) };
    if process.end(Signal::SIGTERM, Duration::from_secs(5))
        || process.end(Signal::SIGKILL, Duration::from_secs(5))
    {
        return Ok(());
    }
    Err(LabError::failed("stop HA", format!("process {} does not end", process.pid)))
}

/// Returns whether the service rewrote its table within the last second, as seen from outside its namespaces.
pub(super) fn is_running(state: &Utf8Path) -> bool {
    std::fs::metadata(state.join(STATUS_FILE))
        .and_then(|status| status.modified())
        .is_ok_and(|time| time.elapsed().is_ok_and(|age| age < Duration::from_secs(1)))
        && state.join(PID_FILE).exists()
}

/// What the service's table says of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub role: Role,
    pub all_normal: bool,
}

/// Returns what the node with this state says of the member with this table name; None for NULL.
pub(super) fn seen(state: &Utf8Path, member: &str) -> Option<Seen> {
    let text = std::fs::read_to_string(state.join(STATUS_FILE)).ok()?;
    let row = text.lines().find(|line| line.split_whitespace().next() == Some(member))?;
    let mut cells = row.split_whitespace().rev();
    let (_phase, all, role) = (cells.next()?, cells.next()?, cells.next()?);
    let role = match role {
        "active" => Role::Active,
        "standby" => Role::Standby,
        _ => return None,
    };
    Some(Seen { role, all_normal: all.eq_ignore_ascii_case("normal") })
}
