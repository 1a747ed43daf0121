//! What a practice cluster is made of, and where its parts lie in its folder.

use super::error::{LabError, Result};
use super::product::Product;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Below `BIGDATA_HOME`: the node's state, shared with the lab.
pub(super) const LAB_STATE: &str = ".windlass-lab";
pub(super) const SERVICE_USER: &str = "omm";
pub(super) const LOGIN_USER: &str = "admin";
pub(super) const SERVICE_USER_ID: u32 = 2001;
pub(super) const LOGIN_USER_ID: u32 = 2000;
pub(super) const HA_PORT: u16 = 20012;
pub(super) const MANAGER_PORT: u16 = 28443;

/// Where a node with its own filesystem sees the `windlass` that the lab was started with.
pub(super) const NODE_BINARY: &str = "/usr/local/libexec/windlass-lab";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Nodes with their own sshd, address and filesystem (needs root)
    Ssh,
    /// Nodes as folders of this machine
    Local,
}

/// The plan of a practice cluster, kept as `lab/spec.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub version: u32,
    pub transport: Transport,
    pub product: Product,
    pub nodes: Vec<NodeSpec>,
    /// Where the manager's page is.
    pub manager: SocketAddrV4,
    /// The `windlass` that runs the services.
    pub binary: Utf8PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeSpec {
    pub name: String,
    pub address: Ipv4Addr,
    /// One of the pair; the others are members without an HA service.
    pub manager: bool,
}

impl NodeSpec {
    /// The name that the product's tables print: its address with dashes.
    pub fn table_name(&self) -> String {
        self.address.to_string().replace('.', "-")
    }
}

impl Spec {
    /// 2: it names the product.
    pub(super) const VERSION: u32 = 2;

    /// Plans a pair and `members` further nodes. On ssh the network is the lab's own, so addresses are fixed;
    /// on local, `network` is the third octet of free loopback addresses.
    pub(super) fn new(
        transport: Transport,
        product: Product,
        members: usize,
        binary: Utf8PathBuf,
        network: impl FnOnce() -> Result<u8>,
    ) -> Result<Self> {
        let (address, manager): (Box<dyn Fn(bool, usize) -> Ipv4Addr>, Ipv4Addr) = match transport {
            Transport::Ssh => (
                Box::new(|manager, n| match manager {
                    true => Ipv4Addr::new(10, 77, 1, n as u8),
                    false => Ipv4Addr::new(10, 77, 2 + (n / 250) as u8, (n % 250 + 1) as u8),
                }),
                Ipv4Addr::new(10, 77, 0, 9),
            ),
            Transport::Local => {
                let third = network()?;
                (
                    Box::new(move |manager, n| {
                        Ipv4Addr::new(127, 0, third, if manager { n } else { n + 2 } as u8)
                    }),
                    Ipv4Addr::new(127, 0, third, 200),
                )
            }
        };
        let most = match transport {
            Transport::Ssh => 1000,
            Transport::Local => 100,
        };
        if members > most {
            return Err(LabError::failed(
                format!("plan {members} members"),
                format!("at most {most} fit a practice cluster of this kind"),
            ));
        }
        let node = |name: &str, manager: bool, n: usize| NodeSpec {
            name: format!("{name}{n}"),
            address: address(manager, n),
            manager,
        };
        let nodes = (1..=2)
            .map(|n| node("master", true, n))
            .chain((1..=members).map(|n| node("member", false, n)))
            .collect();
        Ok(Self {
            version: Self::VERSION,
            transport,
            product,
            nodes,
            manager: SocketAddrV4::new(manager, MANAGER_PORT),
            binary,
        })
    }

    pub fn managers(&self) -> impl Iterator<Item = &NodeSpec> {
        self.nodes.iter().filter(|node| node.manager)
    }

    pub fn node(&self, name: &str) -> Result<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| LabError::UnknownNode {
            node: name.to_owned(),
            known: self.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Paths below the folder of a practice cluster.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Absolute.
    pub dir: Utf8PathBuf,
}

impl Layout {
    pub fn new(dir: &Utf8Path) -> Result<Self> {
        let dir = camino::absolute_utf8(dir).map_err(LabError::file("find", dir))?;
        Ok(Self { dir })
    }
    pub fn lab(&self) -> Utf8PathBuf {
        self.dir.join("lab")
    }
    pub fn spec(&self) -> Utf8PathBuf {
        self.dir.join("lab/spec.json")
    }
    pub fn pid(&self) -> Utf8PathBuf {
        self.dir.join("lab/pid")
    }
    pub fn log(&self) -> Utf8PathBuf {
        self.dir.join("lab/supervisor.log")
    }
    /// Where `break` reaches the supervisor.
    pub fn control(&self) -> Utf8PathBuf {
        self.dir.join("lab/control")
    }
    /// On local, what the services wait on; the supervisor holds it.
    pub fn pulse(&self) -> Utf8PathBuf {
        self.dir.join("lab/pulse")
    }
    pub fn ssh_config(&self) -> Utf8PathBuf {
        self.dir.join("lab/ssh_config")
    }
    pub fn ssh_key(&self) -> Utf8PathBuf {
        self.dir.join("lab/id")
    }
    pub fn known_hosts(&self) -> Utf8PathBuf {
        self.dir.join("lab/known_hosts")
    }
    pub fn site(&self) -> Utf8PathBuf {
        self.dir.join("site.toml")
    }
    pub fn grants(&self) -> Utf8PathBuf {
        self.dir.join("grants.toml")
    }
    /// What only a practice cluster has, laid over its product's profile.
    pub fn profile(&self) -> Utf8PathBuf {
        self.dir.join("profiles/practice.toml")
    }
    pub fn manager_ca(&self) -> Utf8PathBuf {
        self.dir.join("manager-ca.pem")
    }
    pub fn secret(&self) -> Utf8PathBuf {
        self.dir.join("ha-key.secret")
    }
    /// The state that a node shares with the lab; the node sees it as `BIGDATA_HOME/.windlass-lab`.
    pub fn state(&self, node: &str) -> Utf8PathBuf {
        self.dir.join("lab/nodes").join(node)
    }
    /// Mount point of the nodes' filesystems, inside the supervisor's mount namespace only.
    pub fn filesystems(&self) -> Utf8PathBuf {
        self.dir.join("lab/fs")
    }
    /// The root folder of a node on the local transport.
    pub fn local_root(&self, node: &str) -> Utf8PathBuf {
        self.dir.join("nodes").join(node)
    }

    pub fn read_spec(&self) -> Result<Spec> {
        let path = self.spec();
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => LabError::NotALab { dir: self.dir.clone() },
            _ => LabError::File { doing: "read", path: path.clone(), source: error },
        })?;
        let spec: Spec =
            serde_json::from_str(&text).map_err(|error| LabError::failed(format!("read {path}"), error))?;
        if spec.version != Spec::VERSION {
            return Err(LabError::failed(
                format!("read {path}"),
                format!(
                    "it has version {}, this windlass writes {}; take it down with the one that made it",
                    spec.version,
                    Spec::VERSION
                ),
            ));
        }
        Ok(spec)
    }
}
