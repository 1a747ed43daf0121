//! A real sshd of a test's own, on a port of 127.0.0.1.

use super::*;
use std::process::{Child, Command, Stdio};

pub(super) struct Sshd {
    pub fixture: Fixture,
    sshd: Child,
    port: u16,
}

impl Sshd {
    /// A node reached by ssh, `omm` a login shell with the node's home; None (and why) where that cannot be.
    pub fn start() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || !Utf8Path::new("/usr/sbin/sshd").exists() {
            println!("skipped: sshd needs root and /usr/sbin/sshd");
            return None;
        }
        // sshd refuses to start without its folder; a package that was never started has not made it.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let mut fixture = Fixture::local();
        let root = fixture.root();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for key in ["hostkey", "id"] {
            keygen(&root.join(key));
        }
        std::fs::copy(root.join("id.pub"), root.join("authorized_keys")).unwrap();
        std::fs::write(
            root.join("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {root}/hostkey\nPidFile none\nStrictModes no\nUsePAM no\n\
                 AuthorizedKeysFile {root}/authorized_keys\nPasswordAuthentication no\nUseDNS no\n\
                 KbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\n"
            ),
        )
        .unwrap();
        std::fs::write(
            root.join("client"),
            format!(
                "Host test-node\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {root}/id\n  \
                 IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {root}/known_hosts\n"
            ),
        )
        .unwrap();
        let sshd = spawn(&root);
        fixture.site.nodes[0].address = Address::Ssh("test-node".into());
        fixture.site.ssh.config = Some(root.join("client"));
        fixture.site.ssh.kex = Some("curve25519-sha256".into());
        fixture.site.become_users["omm"].argv = ["env", "-i", "PATH=/usr/bin:/bin"]
            .into_iter()
            .map(String::from)
            .chain([format!("HOME={}", fixture.home()), "bash".into(), "-l".into()])
            .collect();
        let made = Self { fixture, sshd, port };
        made.know_host_key();
        Some(made)
    }

    pub fn know_host_key(&self) {
        let root = self.fixture.root();
        let key = std::fs::read_to_string(root.join("hostkey.pub")).unwrap();
        std::fs::write(root.join("known_hosts"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
    }

    pub fn change_host_key(&mut self) {
        self.kill();
        let root = self.fixture.root();
        std::fs::remove_file(root.join("hostkey")).unwrap();
        keygen(&root.join("hostkey"));
        self.sshd = spawn(&root);
    }

    /// Kills the server's end of every connection, as a cut cable would (the commands run on).
    pub fn cut(&self) {
        let listener = self.sshd.id();
        for pid in children(listener) {
            kill(pid);
        }
    }

    pub fn kill(&mut self) {
        self.cut();
        self.sshd.kill().unwrap();
        self.sshd.wait().unwrap();
    }

    /// The masters that this test's connections use, by their generated ssh_config.
    pub fn masters(&self) -> Vec<i32> {
        let mark = self.fixture.root().join("ssh_config");
        processes(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(mark.as_str())
        })
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for pid in self.masters() {
            kill(pid);
        }
        self.cut();
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

fn keygen(file: &Utf8Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", file.as_str()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn spawn(root: &Utf8Path) -> Child {
    let log = std::fs::File::create(root.join("sshd.log")).unwrap();
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", root.join("sshd_config").as_str()])
        .stderr(log)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(root.join("sshd.log")).unwrap();
    for _ in 0..250 {
        if said().contains("listening") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if !said().contains("listening") {
        let _ = child.kill();
        panic!("sshd does not listen: {} {:?}", said(), child.wait());
    }
    child
}

fn processes(wanted: impl Fn(i32) -> bool) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| wanted(*pid))
        .collect()
}

fn children(parent: u32) -> Vec<i32> {
    processes(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').nth(1).map(str::to_owned));
        after.flatten().is_some_and(|ppid| ppid == parent.to_string())
    })
}

pub(super) fn kill(pid: i32) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}
