//! Nodes without a container engine: each has its own mounts, pids, network, host name and sshd.
//!
//! Everything lies in the mount and network namespaces of the lab's supervisor, so nothing of it can reach a
//! real network, and its end is the end of all of it. The nodes' filesystems are overlays of this machine's
//! root, their upper layers on a tmpfs of the supervisor.

use super::error::{LabError, Result};
use super::ha;
use super::layout::{
    LAB_STATE, LOGIN_USER, LOGIN_USER_ID, Layout, NODE_BINARY, NodeSpec, SERVICE_USER, SERVICE_USER_ID, Spec,
};
use super::process::spawn_isolated;
use super::tree::{self, folder, inside, login_environment, own, put};
use super::{operation, services};
use camino::{Utf8Path, Utf8PathBuf};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::unistd::{chdir, pivot_root, sethostname};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

pub(super) const HOST_KEY: &str = "/etc/ssh/lab_host_key";
pub(super) const SSHD_PID: &str = "sshd.pid";
pub(super) const SSHD_LOG: &str = "sshd.log";
pub(super) const INIT_LOG: &str = "init.log";
const SSHD_CONFIG: &str = "/etc/ssh/lab_sshd_config";
const SSHD: &str = "/usr/sbin/sshd";
/// What PATH is inside, whoever started the lab.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a node's first process is told on its standard input.
#[derive(Serialize, Deserialize)]
struct Start {
    node: NodeSpec,
    /// The lab's state as the node sees it.
    state_inside: Utf8PathBuf,
    /// Layers: below, above, work; and where they are put together.
    base: Utf8PathBuf,
    upper: Utf8PathBuf,
    work: Utf8PathBuf,
    root: Utf8PathBuf,
    state: Utf8PathBuf,
    binary: Utf8PathBuf,
    /// Its services start with it.
    services: bool,
}

/// Returns the namespaces, besides that of pids, that a supervisor has for itself.
pub(super) fn supervisor_kinds() -> CloneFlags {
    CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC
}

/// Called by the supervisor, in its new namespaces: makes them private, and the bridge.
pub(super) fn prepare(layout: &Layout, spec: &Spec) -> Result<()> {
    attach(None, "/".into(), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    attach(Some("proc"), "/proc".into(), Some("proc"), MsFlags::empty(), None)?;
    folder(&layout.filesystems(), 0o755)?;
    attach(Some("windlass-lab"), &layout.filesystems(), Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    quiet_ipv6();
    ip(&format!(
        "link set lo up\nlink add br0 type bridge\naddr add 10.77.0.1/16 dev br0\n\
         addr add {}/16 dev br0\nlink set br0 up\n{}",
        spec.manager.ip(),
        acknowledge_at_once("br0", "10.77.0.1")
    ))
}

fn state_inside(spec: &Spec) -> Utf8PathBuf {
    Utf8Path::new(spec.product.bigdata_home()).join(LAB_STATE)
}

/// Writes the layer that all nodes share: users, login, sudo, sshd.
pub(super) fn write_base(layout: &Layout, spec: &Spec) -> Result<()> {
    let state = state_inside(spec);
    let base = layout.filesystems().join("base");
    let at = |path: &str| inside(&base, path);
    // Nothing of this machine's homes and products, and nothing of the lab's own folder, is seen inside.
    for (hidden, mode) in [
        ("/root", 0o700),
        ("/home", 0o755),
        ("/opt", 0o755),
        ("/etc/profile.d", 0o755),
        (layout.dir.as_str(), 0o700),
    ] {
        folder(&at(hidden), mode)?;
        make_opaque(&at(hidden))?;
    }
    let users = [(LOGIN_USER, LOGIN_USER_ID, "/bin/sh"), (SERVICE_USER, SERVICE_USER_ID, "/bin/sh")].map(
        |(name, id, fallback)| {
            (name, id, if Utf8Path::new("/bin/bash").exists() { "/bin/bash" } else { fallback })
        },
    );
    accounts(&at("/etc"), &users)?;
    put(
        &at("/etc/sudoers"),
        0o440,
        format!(
            "Defaults !lecture, env_reset\nroot ALL=(ALL:ALL) ALL\n{LOGIN_USER} ALL=(ALL) NOPASSWD: ALL\n"
        ),
    )?;
    put(&at("/etc/profile"), 0o644, "umask 022\n")?;
    let mut hosts = format!("127.0.0.1 localhost\n{} manager\n", spec.manager.ip());
    for node in &spec.nodes {
        // Writing to a String cannot fail.
        let _ = writeln!(hosts, "{} {}", node.address, node.name);
    }
    put(&at("/etc/hosts"), 0o644, hosts)?;
    put(
        &at(SSHD_CONFIG),
        0o644,
        format!(
            "Port 22\nHostKey {HOST_KEY}\nPidFile {state}/{SSHD_PID}\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nPrintMotd no\n\
             UseDNS no\nMaxStartups 200\nMaxSessions 64\nAuthorizedKeysFile .ssh/authorized_keys\n\
             Subsystem sftp internal-sftp\n"
        ),
    )?;
    let public_key = layout.ssh_key().with_extension("pub");
    let key = std::fs::read(&public_key).map_err(LabError::file("read", &public_key))?;
    for (name, id, _) in users {
        folder(&at("/home").join(name), 0o700)?;
        folder(&at("/home").join(name).join(".ssh"), 0o700)?;
        if name == LOGIN_USER {
            put(&at("/home").join(name).join(".ssh/authorized_keys"), 0o600, &key)?;
        } else {
            let mut profile = String::from("umask 0077\n");
            for (variable, value) in login_environment(spec.product, spec.product.bigdata_home().into()) {
                let _ = writeln!(profile, "export {variable}={value}");
            }
            let _ = writeln!(profile, "PATH={state}/bin:$PATH");
            put(&at("/home").join(name).join(".profile"), 0o600, profile)?;
        }
        own(&at("/home").join(name), id)?;
    }
    put(&at(NODE_BINARY), 0o755, "")
}

/// Writes this machine's account files, with the lab's users in place of any of the same name or id.
fn accounts(etc: &Utf8Path, users: &[(&str, u32, &str)]) -> Result<()> {
    let others = |file: &str| -> Result<String> {
        let path = Utf8Path::new("/etc").join(file);
        let text = std::fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        let taken = |line: &str| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
            // The third field of `shadow` is a date, not an id.
            users.iter().any(|(user, n, _)| *user == name || (file != "shadow" && n.to_string() == id))
        };
        Ok(text.lines().filter(|line| !taken(line)).map(|line| format!("{line}\n")).collect())
    };
    let (mut passwd, mut group, mut shadow) = (others("passwd")?, others("group")?, others("shadow")?);
    for (name, id, shell) in users {
        let _ = writeln!(passwd, "{name}:x:{id}:{id}::/home/{name}:{shell}");
        let _ = writeln!(group, "{name}:x:{id}:");
        let _ = writeln!(shadow, "{name}:*:19000:0:99999:7:::");
    }
    put(&etc.join("passwd"), 0o644, passwd)?;
    put(&etc.join("group"), 0o644, group)?;
    put(&etc.join("shadow"), 0o600, shadow)
}

/// Starts the first process of every node and connects them to the bridge. `install` writes a node's files
/// into its upper layer. Returns the children in the order of the nodes; their pids are pid 1 inside.
pub(super) fn start_nodes(
    layout: &Layout,
    spec: &Spec,
    install: impl Fn(&NodeSpec, &Utf8Path) -> Result<()>,
) -> Result<Vec<Child>> {
    let mut known_hosts = String::new();
    let mut children = Vec::new();
    let mut starts = Vec::new();
    let mut links = String::new();
    for (index, node) in spec.nodes.iter().enumerate() {
        let start = start_of(layout, spec, node, true);
        for part in [&start.upper, &start.work, &start.root] {
            folder(part, 0o755)?;
        }
        install(node, &start.upper)?;
        own(&inside(&start.upper, spec.product.bigdata_home()), SERVICE_USER_ID)?;
        folder(&inside(&start.upper, start.state_inside.as_str()), 0o755)?;
        tree::state(layout, spec, node, NODE_BINARY.into())?;
        own(&start.state, SERVICE_USER_ID)?;
        put(&inside(&start.upper, "/etc/hostname"), 0o644, format!("{}\n", node.name))?;
        let key = inside(&start.upper, HOST_KEY);
        folder(&inside(&start.upper, "/etc/ssh"), 0o755)?;
        let public = generate_host_key(&key, &node.name)?;
        let _ = writeln!(known_hosts, "{},{} {public}", node.address, node.name);

        let child = first_process(&start)?;
        links.push_str(&link(index, &child));
        children.push(child);
        starts.push(start);
    }
    put(&layout.known_hosts(), 0o644, known_hosts)?;
    ip(&links)?;
    for (child, start) in children.iter_mut().zip(&starts) {
        tell(child, start)?;
    }
    Ok(children)
}

/// Starts a node that has lost its power, with what is on its disk. Returns its first process.
pub(super) fn start_again(layout: &Layout, spec: &Spec, index: usize) -> Result<i32> {
    let node = spec.nodes.get(index).ok_or_else(|| LabError::failed("start a node", "there is none"))?;
    // Those that ran when it lost its power: what was stopped stays so.
    let state = layout.state(&node.name);
    // A node asks the manager whether it is part of the cluster before it starts anything.
    let services = services::was_started(&state) && !operation::is_isolated(&state);
    let start = start_of(layout, spec, node, services);
    // An overlay that is not synced says that it may have been cut short. Its layer is in memory, and whole.
    let unsynced = start.work.join("work/incompat");
    std::fs::remove_dir_all(&unsynced).map_err(LabError::file("remove", &unsynced))?;
    for left in [SSHD_PID, ha::PID_FILE, services::PID_FILE, services::LOG_FILE] {
        let path = start.state.join(left);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::File { doing: "remove", path, source: error });
            }
            _ => {}
        }
    }
    let mut child = first_process(&start)?;
    ip(&link(index, &child))?;
    tell(&mut child, &start)?;
    Ok(child.id() as i32)
}

fn start_of(layout: &Layout, spec: &Spec, node: &NodeSpec, services: bool) -> Start {
    let place = layout.filesystems().join("nodes").join(&node.name);
    Start {
        node: node.clone(),
        state_inside: state_inside(spec),
        base: layout.filesystems().join("base"),
        upper: place.join("upper"),
        work: place.join("work"),
        root: place.join("root"),
        state: layout.state(&node.name),
        binary: spec.binary.clone(),
        services,
    }
}

fn first_process(start: &Start) -> Result<Child> {
    let log = start.state.join(INIT_LOG);
    let log_file = std::fs::File::create(&log).map_err(LabError::file("make", &log))?;
    let mut command = Command::new(&start.binary);
    command.args(["lab-service", "node"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log_file);
    let kinds = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    spawn_isolated(&mut command, kinds).map_err(LabError::system(format!("start node {}", start.node.name)))
}

/// What ip(8) is told of a node's link. Its address on the link stays what it is, whoever remembers it.
fn link(index: usize, child: &Child) -> String {
    let interface = interface(index);
    let [.., high, low] = (index + 1).to_be_bytes();
    format!(
        "link add {interface} type veth peer name eth0 address 02:00:0a:4d:{high:02x}:{low:02x} netns {}\n\
         link set {interface} master br0 up\n",
        child.id()
    )
}

fn tell(child: &mut Child, start: &Start) -> Result<()> {
    let told = format!("tell node {} what it is", start.node.name);
    let text = serde_json::to_vec(start).map_err(|error| LabError::failed(&told, error))?;
    match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(&text).map_err(LabError::system(told)),
        None => Ok(()),
    }
}

/// A login waits twice for an acknowledgement that the other end holds back for 40 ms, in the hope of data to send
/// it with: ssh turns Nagle's algorithm off only when its session begins.
fn acknowledge_at_once(interface: &str, address: &str) -> String {
    format!("route replace 10.77.0.0/16 dev {interface} proto kernel scope link src {address} quickack 1\n")
}

/// The lab's end of a node's link.
pub(super) fn interface(index: usize) -> String {
    format!("v{}", index + 1)
}

/// Makes a host key and returns its public half as `TYPE KEY`.
pub(super) fn generate_host_key(path: &Utf8Path, node: &str) -> Result<String> {
    ssh_keygen(path, node)?;
    let public = Utf8PathBuf::from(format!("{path}.pub"));
    let text = std::fs::read_to_string(&public).map_err(LabError::file("read", &public))?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

pub(super) fn ssh_keygen(path: &Utf8Path, comment: &str) -> Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path.as_str()]);
    run(command.stdin(Stdio::null()), "make an ssh key")
}

/// The first process of a node: reads what it is, builds the node around itself, and becomes its sshd.
/// Returns only where that failed.
pub(super) fn become_node() -> Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(LabError::system("read what this node is"))?;
    let start: Start =
        serde_json::from_str(&text).map_err(|error| LabError::failed("read what this node is", error))?;
    let node = &start.node;
    sethostname(&node.name).map_err(LabError::system("set the host name"))?;
    mount_root(&start)?;
    quiet_ipv6();
    let address = node.address.to_string();
    let route = acknowledge_at_once("eth0", &address);
    ip(&format!("link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\n{route}"))?;

    let state = &start.state_inside;
    if node.manager {
        let mut command = Command::new(NODE_BINARY);
        command
            .args(["lab-service", "ha-start", state.as_str()])
            .env_clear()
            .env("PATH", PATH)
            .uid(SERVICE_USER_ID)
            .gid(SERVICE_USER_ID)
            .stdin(Stdio::null());
        // It is not waited for: sshd, which this process becomes, reaps it, and the supervisor sees whether
        // the service came up.
        command.spawn().map_err(LabError::system("start HA"))?;
    }
    if start.services {
        services::start_with_node(state, SERVICE_USER_ID)?;
    }
    let error = Command::new(SSHD)
        .args(["-D", "-f", SSHD_CONFIG, "-E", &format!("{state}/{SSHD_LOG}")])
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .exec();
    Err(LabError::System { doing: format!("become {SSHD}"), source: error })
}

fn mount_root(start: &Start) -> Result<()> {
    let root = &start.root;
    let none = MsFlags::empty();
    let layers =
        format!("lowerdir={}:/,upperdir={},workdir={},volatile", start.base, start.upper, start.work);
    attach(Some("overlay"), root, Some("overlay"), none, Some(&layers))?;
    let at = |path: &str| inside(root, path);
    attach(Some("proc"), &at("/proc"), Some("proc"), none, None)?;
    attach(Some("/dev"), &at("/dev"), None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    let terminals = "newinstance,ptmxmode=0666,mode=620,gid=5";
    attach(Some("devpts"), &at("/dev/pts"), Some("devpts"), none, Some(terminals))?;
    for (place, options) in
        [("/run", "mode=755,size=64m"), ("/tmp", "mode=1777,size=256m"), ("/dev/shm", "mode=1777,size=64m")]
    {
        attach(Some("tmpfs"), &at(place), Some("tmpfs"), none, Some(options))?;
    }
    folder(&at("/run/sshd"), 0o755)?;
    attach(Some(start.state.as_str()), &at(start.state_inside.as_str()), None, MsFlags::MS_BIND, None)?;
    attach(Some(start.binary.as_str()), &at(NODE_BINARY), None, MsFlags::MS_BIND, None)?;

    // The old root is stacked below the new one and let go of, which needs no folder to put it in.
    chdir(root.as_str()).map_err(LabError::system(format!("enter {root}")))?;
    pivot_root(".", ".").map_err(LabError::system(format!("make {root} the root")))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(LabError::system("let go of the old root"))?;
    chdir("/").map_err(LabError::system("enter the new root"))
}

fn attach(
    source: Option<&str>,
    target: &Utf8Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<()> {
    mount(source, target.as_str(), kind, flags, data).map_err(|errno| LabError::System {
        doing: format!("mount {} on {target}", source.unwrap_or("(propagation)")),
        source: errno.into(),
    })
}

/// Hides what lower layers have in this folder. Needs a filesystem with trusted attributes, as tmpfs is.
fn make_opaque(path: &Utf8Path) -> Result<()> {
    let failed = |source| LabError::File { doing: "make opaque", path: path.to_owned(), source };
    let target = std::ffi::CString::new(path.as_str()).map_err(|error| failed(error.into()))?;
    // SAFETY: both strings end in NUL, and the value is one byte long.
    let result = unsafe {
        nix::libc::setxattr(target.as_ptr(), c"trusted.overlay.opaque".as_ptr(), c"y".as_ptr().cast(), 1, 0)
    };
    if result == 0 { Ok(()) } else { Err(failed(std::io::Error::last_os_error())) }
}

/// Only saves start-up traffic, so a kernel without IPv6 is fine.
fn quiet_ipv6() {
    for which in ["all", "default"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    }
}

/// Runs commands of ip(8).
pub(super) fn ip(batch: &str) -> Result<()> {
    let doing = "set up the lab's network with ip(8)";
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LabError::system(doing))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(batch.as_bytes()).map_err(LabError::system(doing))?;
    }
    succeeded(child.wait_with_output().map_err(LabError::system(doing))?, doing)
}

fn run(command: &mut Command, doing: &str) -> Result<()> {
    succeeded(command.output().map_err(LabError::system(doing))?, doing)
}

/// Turns the output of a program that failed into an error with its own words.
pub(super) fn succeeded(output: std::process::Output, doing: &str) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(LabError::failed(
        doing,
        last.map_or_else(|| output.status.to_string(), |line| line.trim_start_matches("error: ").to_owned()),
    ))
}

/// Where the log of a node's HA service is, for messages.
pub(super) fn ha_log(layout: &Layout, node: &str) -> Utf8PathBuf {
    layout.state(node).join(ha::LOG_FILE)
}
