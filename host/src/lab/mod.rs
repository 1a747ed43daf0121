//! The practice cluster: an active/standby pair with doubles of the product's scripts, a real HA service over
//! mutual TLS, the manager's page, and switches that break any of it.
//!
//! On ssh (root) nodes have their own sshd, address and filesystem; on local they are folders of this machine.
//! The folder it is made in is a site, so that `windlass -C DIR run ha-cert` works. Neighbours: `cli` starts it
//! from here and calls [`enter`] on a site that names a lab; nothing else of the host knows of it.

mod delivery;
mod enter;
mod error;
mod ha;
mod layout;
mod manager;
mod namespace;
mod network;
mod operation;
mod pki;
mod process;
mod product;
mod service;
mod services;
mod site_files;
mod supervisor;
mod switch;
mod switching;
mod tree;

pub use enter::enter;
pub use error::LabError;
pub use ha::{Role, Seen};
pub use layout::Transport;
pub use product::Product;
pub use service::Service;
pub use switch::{Double, NULL_SECONDS, Switch};

use camino::{Utf8Path, Utf8PathBuf};
use error::Result;
use layout::{Layout, Spec};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use process::Process;
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use switching::{Order, Outcome};

/// A running practice cluster.
#[derive(Debug)]
pub struct Lab {
    layout: Layout,
    spec: Spec,
}

/// What a practice cluster is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    pub transport: Transport,
    pub product: Product,
    /// Nodes besides the pair.
    pub members: usize,
    /// The `windlass` that runs the cluster's services; this program where absent.
    pub binary: Option<Utf8PathBuf>,
}

/// A node as `windlass lab status` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    pub name: String,
    pub address: Ipv4Addr,
    /// One of the pair.
    pub manager: bool,
    /// Its HA service runs.
    pub running: bool,
    /// What that service says of its own node; None where it does not run, or shows NULL.
    pub role: Option<Role>,
    pub all_normal: Option<bool>,
    pub switches: Vec<Switch>,
}

/// Returns the transport that this user can have: ssh for root, else local.
pub fn best_transport() -> Transport {
    if nix::unistd::geteuid().is_root() { Transport::Ssh } else { Transport::Local }
}

impl Lab {
    /// Makes a practice cluster in a folder, which may be new, empty, or one that held a cluster before; a site
    /// of it that was edited is kept as `site.toml.old`. Returns when every sshd, HA service and the manager's
    /// page answer.
    pub fn up(dir: &Utf8Path, plan: &Plan) -> Result<Self> {
        let layout = Layout::new(dir)?;
        if Process::read(&layout.pid()).is_some() {
            return Err(LabError::AlreadyUp { dir: layout.dir });
        }
        check_machine(plan.transport)?;
        for path in [layout.site(), layout.grants(), layout.profile()] {
            let written = std::fs::read_to_string(&path);
            if written.is_ok_and(|text| !text.starts_with(site_files::MARK)) {
                return Err(LabError::Occupied { path });
            }
        }
        if layout.lab().exists() && !layout.spec().exists() {
            return Err(LabError::Occupied { path: layout.lab() });
        }
        clear(&layout)?;
        let binary = match &plan.binary {
            Some(binary) => binary.clone(),
            None => this_program()?,
        };
        let mut page = None;
        let spec = Spec::new(plan.transport, plan.product, plan.members, binary, || {
            let (network, listener) = reserve_network()?;
            page = Some(listener);
            Ok(network)
        })?;
        write_folder(&layout, &spec)?;
        let lab = Self { layout, spec };
        lab.start(page)?;
        Ok(lab)
    }

    /// Finds the practice cluster of a folder, which may have ended since.
    pub fn open(dir: &Utf8Path) -> Result<Self> {
        let layout = Layout::new(dir)?;
        let spec = layout.read_spec()?;
        Ok(Self { layout, spec })
    }

    /// Starts the supervisor; on local it takes over the page's listener, which reserves the lab's addresses.
    fn start(&self, page: Option<TcpListener>) -> Result<()> {
        let mut command = Command::new(&self.spec.binary);
        command.args(["lab-service", "supervisor", self.layout.dir.as_str()]);
        command.stdin(page.map_or_else(Stdio::null, |listener| OwnedFd::from(listener).into()));
        let isolation: Option<CloneFlags> =
            (self.spec.transport == Transport::Ssh).then(namespace::supervisor_kinds);
        let log = self.layout.log();
        let mut child = process::start_service(command, "the practice cluster", &log, isolation)?;
        let process = Process::of(child.id() as i32);
        if let Some(process) = process {
            process.write(&self.layout.pid())?;
        }
        process::wait_ready(&mut child, "the practice cluster", &log).inspect_err(|_| {
            // Its folder stays, for the log.
            let _ = self.end();
        })
    }

    /// The absolute folder of the site.
    pub fn dir(&self) -> &Utf8Path {
        &self.layout.dir
    }

    pub fn transport(&self) -> Transport {
        self.spec.transport
    }

    pub fn product(&self) -> Product {
        self.spec.product
    }

    /// The manager's page.
    pub fn manager_url(&self) -> String {
        format!("https://{}/web", self.spec.manager)
    }

    pub fn is_up(&self) -> bool {
        Process::read(&self.layout.pid()).is_some()
    }

    pub fn status(&self) -> Result<Vec<NodeStatus>> {
        self.demand_up()?;
        let status = self.spec.nodes.iter().map(|node| {
            let state = self.layout.state(&node.name);
            let seen = self.seen_by(&node.name, &node.name);
            NodeStatus {
                name: node.name.clone(),
                address: node.address,
                manager: node.manager,
                running: node.manager && ha::is_running(&state),
                role: seen.map(|seen| seen.role),
                all_normal: seen.map(|seen| seen.all_normal),
                switches: Switch::all_on(&state),
            }
        });
        Ok(status.collect())
    }

    /// Returns what the HA service of `node` says of `member`; None where it does not run or prints NULL.
    pub fn seen_by(&self, node: &str, member: &str) -> Option<Seen> {
        let state = self.layout.state(node);
        let member = self.spec.node(member).ok()?.table_name();
        ha::is_running(&state).then(|| ha::seen(&state, &member)).flatten()
    }

    /// Sets a switch, or heals what it broke, and returns the names of the nodes that it was set on. Without a
    /// node: those that make sense (each manager, or the standby). Without scripts: all that look at it.
    pub fn break_with(
        &self,
        switch: Switch,
        node: Option<&str>,
        off: bool,
        scripts: &[Double],
    ) -> Result<Vec<String>> {
        self.break_for(switch, node, off, scripts, NULL_SECONDS)
    }

    /// As [`break_with`](Self::break_with); `seconds` for the switch that lasts so long.
    pub fn break_for(
        &self,
        switch: Switch,
        node: Option<&str>,
        off: bool,
        scripts: &[Double],
        seconds: u32,
    ) -> Result<Vec<String>> {
        self.demand_up()?;
        let (node_name, doubles) = (node.map(str::to_owned), scripts.to_vec());
        let order = Order { switch, node: node_name, off, doubles, seconds };
        // What can be refused here is, so that it has its own kind of error.
        if let Some(name) = node {
            self.spec.node(name)?;
        }
        if let Some(why) = switch.unsupported(self.spec.transport) {
            let node = node.unwrap_or("any node").to_owned();
            return Err(LabError::Switch { switch: switch.as_str(), node, why: why.to_owned() });
        }
        let doing = format!("break {}", self.layout.dir);
        let outcome = self.order(&order).map_err(LabError::system(&doing))?;
        match outcome.error {
            Some(why) => Err(LabError::Failed { doing, why }),
            None => Ok(outcome.nodes),
        }
    }

    fn order(&self, order: &Order) -> std::io::Result<Outcome> {
        // Through the folder's descriptor: the name of a socket may have 108 bytes at most.
        let folder = std::fs::File::open(self.layout.lab())?;
        let mut stream = UnixStream::connect(format!("/proc/self/fd/{}/control", folder.as_raw_fd()))?;
        let mut text = serde_json::to_vec(order)?;
        text.push(b'\n');
        stream.write_all(&text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Ends every process of the cluster and removes what `up` wrote, but a site that was edited.
    pub fn down(&self) -> Result<()> {
        self.end()?;
        for (path, text) in generated(&self.layout, &self.spec) {
            if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
                std::fs::remove_file(&path).map_err(LabError::file("remove", path))?;
            }
        }
        clear(&self.layout)?;
        // These stay where something else is in them.
        for folder in [self.layout.profile().parent(), Some(&*self.layout.dir)].into_iter().flatten() {
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    fn end(&self) -> Result<()> {
        let patience = Duration::from_secs(20);
        let supervisor = Process::read(&self.layout.pid());
        if let Some(process) = supervisor {
            let ended = process.end(Signal::SIGKILL, patience);
            // It is this process's child where this process started it.
            let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
            if !ended {
                let what = format!("end process {} of {}", process.pid, self.layout.dir);
                return Err(LabError::failed(what, "it goes on; it may be another user's"));
            }
        }
        if self.spec.transport == Transport::Local {
            // Without namespaces these have lives of their own.
            for node in &self.spec.nodes {
                let state = self.layout.state(&node.name);
                Switch::Hang.mark(&state, false, &[], 0)?;
                services::stop(&state)?;
                if node.manager {
                    ha::stop(&state)?;
                }
            }
        }
        Ok(())
    }

    fn demand_up(&self) -> Result<()> {
        if self.is_up() { Ok(()) } else { Err(LabError::Gone { pid_file: self.layout.pid() }) }
    }

    /// Returns a command that will run in the cluster's network: in its namespace on ssh, plainly on local.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.demand_up()?;
        let mut command = Command::new(program);
        if self.spec.transport == Transport::Ssh {
            let network = enter::network_of(&self.layout.pid())?;
            // SAFETY: setns is a system call; nothing is allocated.
            unsafe { command.pre_exec(move || Ok(setns(&network, CloneFlags::CLONE_NEWNET)?)) };
        }
        Ok(command)
    }

    /// Returns the ssh_config with which `ssh -F FILE master1` logs in, from inside the cluster's network.
    pub fn ssh_config(&self) -> Utf8PathBuf {
        self.layout.ssh_config()
    }

    /// Returns how often each double ran on a node: the lines of its journal, `EPOCH NAME`.
    pub fn journal(&self, node: &str) -> Result<Vec<String>> {
        let path = self.layout.state(&self.spec.node(node)?.name).join("journal");
        let text = std::fs::read_to_string(&path).map_err(LabError::file("read", path))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Returns how long each double that changes something took on a node, in nanoseconds: lines `NAME TIME`.
    pub fn times(&self, node: &str) -> Result<Vec<String>> {
        let path = self.layout.state(&self.spec.node(node)?.name).join("times");
        let text = std::fs::read_to_string(&path).map_err(LabError::file("read", path))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Returns the folder that is the root of a node's filesystem, as it is seen from here.
    pub fn node_root(&self, node: &str) -> Result<Utf8PathBuf> {
        let node = self.spec.node(node)?;
        if self.spec.transport == Transport::Local {
            return Ok(self.layout.local_root(&node.name));
        }
        let gone = || LabError::Gone { pid_file: self.layout.pid() };
        let supervisor = Process::read(&self.layout.pid()).ok_or_else(gone)?;
        // The supervisor's children are the nodes' first processes; each knows its own host name.
        for entry in
            Utf8Path::new("/proc").read_dir_utf8().map_err(LabError::file("read", "/proc"))?.flatten()
        {
            let Ok(pid) = entry.file_name().parse::<i32>() else { continue };
            let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if field("PPid:") != Some(supervisor.pid.to_string().as_str()) {
                continue;
            }
            let root = Utf8PathBuf::from(format!("/proc/{pid}/root"));
            let name = std::fs::read_to_string(root.join("etc/hostname")).unwrap_or_default();
            if name.trim() == node.name {
                return Ok(root);
            }
        }
        Err(LabError::failed(format!("reach {}", node.name), "its first process has ended"))
    }
}

fn this_program() -> Result<Utf8PathBuf> {
    let path = std::env::current_exe().map_err(LabError::system("find this program"))?;
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| LabError::failed(format!("use {}", path.display()), "its path is not UTF-8"))
}

/// The files of the site, which belong to whoever edits them.
fn generated(layout: &Layout, spec: &Spec) -> [(Utf8PathBuf, String); 3] {
    [
        (layout.site(), site_files::site(spec)),
        (layout.grants(), site_files::grants()),
        (layout.profile(), site_files::profile(spec)),
    ]
}

/// Writes everything of the folder that does not depend on a running cluster.
fn write_folder(layout: &Layout, spec: &Spec) -> Result<()> {
    tree::folder(&layout.lab(), 0o700)?;
    let text = serde_json::to_string_pretty(spec)
        .map_err(|error| LabError::failed(format!("write {}", layout.spec()), error))?;
    tree::put(&layout.spec(), 0o644, text)?;
    tree::put(&layout.secret(), 0o600, pki::password()?.as_bytes())?;
    if spec.transport == Transport::Ssh {
        namespace::ssh_keygen(&layout.ssh_key(), "windlass practice cluster")?;
        tree::put(&layout.ssh_config(), 0o644, site_files::ssh_config(spec, layout))?;
    }
    for (path, text) in generated(layout, spec) {
        if std::fs::read_to_string(&path).is_ok_and(|found| found != text) {
            let old = Utf8PathBuf::from(format!("{path}.old"));
            std::fs::rename(&path, &old).map_err(LabError::file("move", &path))?;
        }
        tree::put(&path, 0o644, text)?;
    }
    Ok(())
}

/// Removes what a cluster that has ended left in its folder.
fn clear(layout: &Layout) -> Result<()> {
    let known = layout.spec().exists();
    let nodes = layout.dir.join("nodes");
    for folder in [layout.lab(), nodes] {
        if known && folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(LabError::file("remove", folder))?;
        }
    }
    for file in [layout.secret(), layout.manager_ca()] {
        if known && file.exists() {
            std::fs::remove_file(&file).map_err(LabError::file("remove", file))?;
        }
    }
    Ok(())
}

/// Reserves a loopback network that no other practice cluster of this machine uses: it belongs to whoever
/// listens at its manager's address.
fn reserve_network() -> Result<(u8, TcpListener)> {
    let bind = |third: u8, last: u8, port: u16| {
        TcpListener::bind(SocketAddrV4::new(Ipv4Addr::new(127, 0, third, last), port)).ok()
    };
    (1..=254)
        .find_map(|third| {
            let page = bind(third, 200, layout::MANAGER_PORT)?;
            // A stranger may sit at the pair's addresses.
            let free = (1..=2).all(|last| bind(third, last, layout::HA_PORT).is_some());
            free.then_some((third, page))
        })
        .ok_or_else(|| {
            LabError::failed("find free loopback addresses", "127.0.1.1 to 127.0.254.1 are all taken")
        })
}

/// Says now what would otherwise fail half-way.
fn check_machine(transport: Transport) -> Result<()> {
    let mut needed = vec![("openssl", "the product's scripts use it")];
    if transport == Transport::Ssh {
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::NeedsRoot { what: "a practice cluster over ssh" });
        }
        needed.extend([
            ("sshd", "install openssh-server"),
            ("ssh-keygen", "install openssh-client"),
            ("sudo", "the login user becomes the service user with it; install sudo"),
            ("su", "the login user becomes the service user with it"),
            ("ip", "the nodes' network is made with it; install iproute2"),
        ]);
    }
    let path = format!("{}:{}", std::env::var("PATH").unwrap_or_default(), namespace::PATH);
    for (tool, why) in needed {
        if !path.split(':').any(|folder| Utf8Path::new(folder).join(tool).is_file()) {
            return Err(LabError::Missing { tool, why });
        }
    }
    Ok(())
}
