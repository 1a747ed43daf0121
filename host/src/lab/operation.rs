//! What the manager does to the cluster as a whole: stopping and starting its services, on all nodes at once, and
//! leaving nodes out of it.
//!
//! How the product's own manager does this behind its page is not public; all of it is invented. Neighbours:
//! `manager` offers it over HTTPS, `doubles/services.sh` does it on a node.

use super::error::{LabError, Result};
use super::layout::NodeSpec;
use super::network::on_each;
use super::process::replace_file;
use super::supervisor::chain;
use super::switching::Cluster;
use camino::{Utf8Path, Utf8PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// In the state of a node that is left out.
const ISOLATED: &str = "isolated";
/// The service of a node that cannot be asked which it has.
const SERVICE: &str = "DBService";
const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    StopCluster,
    StartCluster,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StopCluster => "stop-cluster",
            Self::StartCluster => "start-cluster",
        }
    }

    /// The verb of `services.sh`, and the state that it leads to.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::StopCluster => ("stop", "stopped"),
            Self::StartCluster => ("start", "running"),
        }
    }
}

/// The operation that was begun last.
#[derive(Debug, Clone)]
pub(super) enum Current {
    None,
    Running(Kind),
    /// How it ended, as it is shown.
    Finished(String),
}

/// A service of a node, as a line `NODE SERVICE STATE`.
struct ServiceState {
    node: String,
    service: String,
    state: String,
}

impl ServiceState {
    fn unknown(node: &NodeSpec) -> Self {
        Self { node: node.name.clone(), service: SERVICE.to_owned(), state: UNKNOWN.to_owned() }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.node, self.service, self.state)
    }
}

/// The operations of a running cluster, one at a time.
pub(super) struct Operations {
    pub cluster: Arc<Cluster>,
    current: watch::Sender<Current>,
}

impl Operations {
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, current: watch::Sender::new(Current::None) }
    }

    /// Begins an operation, or joins it where it is under way; `Err` is the other one that is.
    pub fn begin(self: &Arc<Self>, kind: Kind) -> std::result::Result<(), Kind> {
        let mut begun = Ok(true);
        self.current.send_if_modified(|current| match current {
            Current::Running(other) if *other == kind => {
                begun = Ok(false);
                false
            }
            Current::Running(other) => {
                begun = Err(*other);
                false
            }
            _ => {
                *current = Current::Running(kind);
                true
            }
        });
        if begun? {
            let operations = self.clone();
            tokio::spawn(async move {
                let cluster = operations.cluster.clone();
                let done = tokio::task::spawn_blocking(move || cluster.work(kind)).await;
                let text = match done.map_err(|error| LabError::failed(kind.as_str(), error)) {
                    Ok(Ok(left)) if left.is_empty() => "finished: Operation succeeded\n".to_owned(),
                    Ok(Ok(left)) => format!("finished: Operation failed\n{left}"),
                    Ok(Err(error)) | Err(error) => format!("finished: Operation failed\n{}\n", chain(&error)),
                };
                operations.current.send_replace(Current::Finished(text));
            });
        }
        Ok(())
    }

    /// Returns how the last operation stands, at once where it has ended, else after at most `patience`.
    pub async fn current(&self, patience: Duration) -> Current {
        let mut seen = self.current.subscribe();
        let ended = seen.wait_for(|current| !matches!(current, Current::Running(_)));
        // Where it did not end in time, it is shown as it is.
        let _ = tokio::time::timeout(patience, ended).await;
        self.current.borrow().clone()
    }

    /// Returns the state of every service, a line each.
    pub async fn services(&self) -> Result<String> {
        let cluster = self.cluster.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let nodes: Vec<&NodeSpec> = cluster.spec.nodes.iter().collect();
            on_each(&nodes, |node| match cluster.reaches(None, node) {
                true => cluster.observe(node),
                false => vec![ServiceState::unknown(node)],
            })
        });
        let states = asked.await.map_err(|error| LabError::failed("ask for the services", error))??;
        Ok(states.iter().flatten().map(ServiceState::line).collect())
    }

    /// Marks a node as left out, or not.
    pub fn isolate(&self, node: &str, on: bool) -> Result<()> {
        let path = self.cluster.isolation(self.cluster.spec.node(node)?);
        if on {
            return replace_file(&path, b"");
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LabError::File { doing: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a node is left out, by its state folder.
pub(super) fn is_isolated(state: &Utf8Path) -> bool {
    state.join(ISOLATED).exists()
}

impl Cluster {
    fn isolation(&self, node: &NodeSpec) -> Utf8PathBuf {
        self.state(node).join(ISOLATED)
    }

    /// Does it on every node that is not isolated; returns the services that are not as they should be, a line
    /// each.
    fn work(&self, kind: Kind) -> Result<String> {
        let (verb, wanted) = kind.words();
        let nodes: Vec<&NodeSpec> =
            self.spec.nodes.iter().filter(|node| !self.isolation(node).exists()).collect();
        let left = on_each(&nodes, |node| {
            if !self.reaches(None, node) {
                return vec![ServiceState::unknown(node)];
            }
            // What a script says of itself is believed, as a manager would; where it says that it failed, it is
            // looked at once more.
            let (succeeded, said) = self.script(node, verb);
            if succeeded && said.iter().all(|service| service.state == wanted) {
                return Vec::new();
            }
            let mut left = self.observe(node);
            left.retain(|service| service.state != wanted);
            left
        })?;
        Ok(left.iter().flatten().map(ServiceState::line).collect())
    }

    /// The services of a node, as they are.
    fn observe(&self, node: &NodeSpec) -> Vec<ServiceState> {
        let (_, states) = self.script(node, "started");
        if states.is_empty() { vec![ServiceState::unknown(node)] } else { states }
    }

    /// Runs a verb of a node's `services.sh`: whether it succeeded, and what it printed.
    fn script(&self, node: &NodeSpec, verb: &str) -> (bool, Vec<ServiceState>) {
        let script = format!("exec sh \"$BIGDATA_HOME/{}/sbin/services.sh\" {verb}", self.spec.product.om());
        match self.as_service_user(node, &script) {
            Ok(output) => {
                let complaint = String::from_utf8_lossy(&output.stderr);
                if !complaint.trim().is_empty() {
                    eprintln!("{verb} on {}: {}", node.name, complaint.trim());
                }
                let said = String::from_utf8_lossy(&output.stdout);
                let states = said.lines().filter_map(|line| {
                    let (service, state) = line.split_once(' ')?;
                    let (node, service, state) = (node.name.clone(), service.to_owned(), state.to_owned());
                    Some(ServiceState { node, service, state })
                });
                (output.status.success(), states.collect())
            }
            Err(error) => {
                eprintln!("{verb} on {}: {}", node.name, chain(&error));
                (false, Vec::new())
            }
        }
    }
}
