//! Carries a root key that `updateRootKey.sh` made to the other nodes: how the product sends it is not public, so
//! the double leaves a note, and the practice cluster itself does the rest.
//!
//! Neighbours: `doubles/updateRootKey.sh` writes the note and reads the answer.

use super::error::{LabError, Result};
use super::layout::{NodeSpec, SERVICE_USER_ID, Transport};
use super::network::on_each;
use super::process::replace_file;
use super::supervisor::chain;
use super::switch::Switch;
use super::switching::Cluster;
use super::tree::{inside, put};
use camino::Utf8PathBuf;
use std::os::unix::fs::lchown;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// In a node's state: its set is to be sent. Holds the pid of the script, by which it knows its answer.
const NOTE: &str = "send-key";
/// The answer: the names of the nodes that it could not be sent to.
const ANSWER: &str = "key-sent";
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// Looks for notes for ever.
pub(super) async fn deliver(cluster: Arc<Cluster>) {
    loop {
        for (index, node) in cluster.spec.nodes.iter().enumerate().filter(|(_, node)| node.manager) {
            let note = cluster.state(node).join(NOTE);
            let Ok(script) = std::fs::read_to_string(&note) else { continue };
            // The note goes first: it is one order, also where it takes longer than until the next look.
            if let Err(error) = std::fs::remove_file(&note) {
                eprintln!("take the note of {}: {error}", node.name);
                continue;
            }
            let cluster = cluster.clone();
            tokio::task::spawn_blocking(move || {
                if let Some(node) = cluster.spec.nodes.get(index)
                    && let Err(error) = send(&cluster, node, script.trim())
                {
                    eprintln!("send the root key of {}: {}", node.name, chain(&error));
                }
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Sends the key set of a node to all others, and answers the script on it.
fn send(cluster: &Cluster, from: &NodeSpec, script: &str) -> Result<()> {
    let path = keyset(cluster, from)?;
    let set = std::fs::read(&path).map(Zeroizing::new).map_err(LabError::file("read", &path))?;
    let others: Vec<&NodeSpec> = cluster.spec.nodes.iter().filter(|node| node.name != from.name).collect();
    let missed = on_each(&others, |node| {
        if Switch::MissesKey.is_on(&cluster.state(node)) {
            return None;
        }
        if !cluster.reaches(Some(from), node) {
            return Some(node.name.as_str());
        }
        let written = write(cluster, node, &set);
        written.err().map(|error| {
            eprintln!("send the root key of {} to {}: {}", from.name, node.name, chain(&error));
            node.name.as_str()
        })
    })?;
    let answer: String = missed.into_iter().flatten().map(|name| format!("{name}\n")).collect();
    // A pid, or nothing that could name a file elsewhere.
    let script = script.parse::<u32>().map_err(|error| LabError::failed("answer the script", error))?;
    replace_file(&cluster.state(from).join(format!("{ANSWER}.{script}")), answer.as_bytes())
}

fn write(cluster: &Cluster, node: &NodeSpec, set: &[u8]) -> Result<()> {
    let path = keyset(cluster, node)?;
    let new = Utf8PathBuf::from(format!("{path}.sent"));
    put(&new, 0o600, set)?;
    if cluster.spec.transport == Transport::Ssh {
        lchown(&new, Some(SERVICE_USER_ID), Some(SERVICE_USER_ID))
            .map_err(LabError::file("change the owner of", &new))?;
    }
    std::fs::rename(&new, &path).map_err(LabError::file("write", path))
}

/// The key set of a node, as it is seen from here.
fn keyset(cluster: &Cluster, node: &NodeSpec) -> Result<Utf8PathBuf> {
    let root = match cluster.spec.transport {
        Transport::Ssh => Utf8PathBuf::from(format!("/proc/{}/root", cluster.pid(node)?)),
        Transport::Local => cluster.layout.local_root(&node.name),
    };
    let product = cluster.spec.product;
    Ok(inside(&root, product.bigdata_home()).join(product.keyset()))
}
