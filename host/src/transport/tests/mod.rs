//! The room's claims, on real shells: every node here is a folder, or an sshd of this test.

mod facts;
mod jobs;
mod kept;
mod lease;
mod local;
mod mirror;
mod ssh;
mod sshd;

use crate::model::NodeName;
use crate::site::{Address, Become, Node, OutsideEnvelope, Profile, Site, SshSettings, Trust};
use crate::transport::{Reply, Request, Script, TransportError, Transports};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// A site of one node `n1`, in a folder that goes with it.
struct Fixture {
    dir: tempfile::TempDir,
    site: Site,
}

impl Fixture {
    /// A local node whose `sh` is dash or whatever `/bin/sh` is.
    fn local() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let node = root.join("node");
        std::fs::create_dir_all(node.join("home/omm")).unwrap();
        let fixture = Self { dir, site: site(&root, Address::Local(node)) };
        fixture.login_env("/usr/bin:/bin", "");
        fixture
    }

    /// A local node whose `sh` is busybox's, and nearly every tool with it.
    fn busybox() -> Option<Self> {
        let busybox = Utf8Path::new("/usr/bin/busybox");
        if !busybox.exists() {
            println!("skipped: no busybox");
            return None;
        }
        let fixture = Self::local();
        let bin = fixture.node().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let status = std::process::Command::new(busybox).args(["--install", "-s", bin.as_str()]).status();
        assert!(status.unwrap().success());
        fixture.login_env(bin.as_str(), "");
        Some(fixture)
    }

    fn login_env(&self, path: &str, more: &str) {
        let home = self.home();
        std::fs::write(
            self.node().join("login-env"),
            format!("HOME={home}\nPATH={path}\nUSER=omm\nBIGDATA_HOME=/opt/Big data\n{more}"),
        )
        .unwrap();
    }

    fn root(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.path().to_owned()).unwrap()
    }
    fn node(&self) -> Utf8PathBuf {
        self.root().join("node")
    }
    fn home(&self) -> Utf8PathBuf {
        self.node().join("home/omm")
    }
    fn transports(&self) -> Transports {
        Transports::new(&self.site, &self.root()).unwrap()
    }
}

async fn until(what: &str, mut met: impl FnMut() -> bool) {
    for _ in 0..500 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: not within 10 s");
}

fn n1() -> NodeName {
    NodeName::new("n1").unwrap()
}

fn site(dir: &Utf8Path, address: Address) -> Site {
    let node = Node { name: n1(), address, groups: vec!["managers".into()], host: None, alias: Vec::new() };
    Site {
        dir: dir.to_owned(),
        name: "test".into(),
        trust: Trust::Dev,
        outside_envelope: OutsideEnvelope::Pause,
        operators: Vec::new(),
        nodes: IndexMap::from([(n1(), node)]),
        become_users: IndexMap::from([(
            "omm".to_owned(),
            Become { argv: ["sudo", "-n", "su", "-", "omm"].map(String::from).to_vec() },
        )]),
        manager: None,
        secrets: IndexMap::new(),
        procedures: IndexMap::new(),
        hooks: Vec::new(),
        grants: IndexMap::new(),
        profile: Profile {
            name: "test".into(),
            title: String::new(),
            service_user: "omm".into(),
            vars: IndexMap::new(),
            paths: IndexMap::new(),
            files: IndexMap::new(),
            commands: IndexMap::new(),
            endpoints: IndexMap::new(),
            health: None,
            keyring: None,
            known_by: Vec::new(),
            defaults: IndexMap::new(),
            managers: "managers".into(),
        },
        vars: IndexMap::new(),
        ssh: SshSettings::default(),
        attention: Default::default(),
        digest: String::new(),
        digests: Default::default(),
        lab: None,
    }
}

async fn exec(
    transports: &Transports,
    text: &'static str,
    input: &[u8],
    seconds: u64,
) -> Result<Reply, TransportError> {
    let node = n1();
    let request = Request {
        node: &node,
        user: "omm",
        script: Script { name: "a test", text },
        input: Zeroizing::new(input.to_vec()),
        timeout: Duration::from_secs(seconds),
        output_limit: 1 << 20,
    };
    transports.exec(request).await
}
