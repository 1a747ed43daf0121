//! Whether one node of the practice cluster really reaches another: asked of the network, not of the switches.

use super::error::{LabError, Result};
use super::layout::{NodeSpec, Transport};
use super::process::in_network_of;
use super::switching::Cluster;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Nothing listens there, so that a node says so at once and starts nothing for it.
const UNUSED_PORT: u16 = 9;
/// A first packet that is lost costs a second.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Nodes that are worked on at once.
const AT_ONCE: usize = 16;

impl Cluster {
    /// Whether a node answers the manager, or another node. On local there is no network between them.
    pub fn reaches(&self, from: Option<&NodeSpec>, to: &NodeSpec) -> bool {
        if self.spec.transport == Transport::Local {
            return true;
        }
        // A node without power has not even a link.
        if self.pid(to).is_err() {
            return false;
        }
        let address = SocketAddr::from((to.address, UNUSED_PORT));
        let knock = || match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        };
        match from.map(|node| self.pid(node)) {
            None => knock().is_ok(),
            Some(Ok(pid)) => in_network_of(pid, knock).is_ok(),
            Some(Err(_)) => false,
        }
    }
}

/// Does something with each node, several at once, and returns what it gave in the order of the nodes.
pub(super) fn on_each<'a, T: Send>(
    nodes: &[&'a NodeSpec],
    work: impl Fn(&'a NodeSpec) -> T + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(nodes.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(nodes.len()) {
            scope.spawn(|| {
                while let Some((index, node)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    nodes.get(index).map(|node| (index, *node))
                } {
                    let given = work(node);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, given));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if done.len() != nodes.len() {
        return Err(LabError::failed("work on each node", "a thread panicked"));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, given)| given).collect())
}
