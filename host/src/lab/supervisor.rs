//! The process that is a practice cluster: brings the nodes up, shows the manager's page, hands roles over, and
//! sets switches. On ssh it is pid 1 of its own namespaces, and its end ends everything.
//!
//! Neighbours: `Lab::up` starts it and waits for `ready`; `Lab::break_with` talks to its control socket.

use super::error::{LabError, Result};
use super::ha::{self, Role};
use super::layout::{Layout, Spec, Transport};
use super::namespace;
use super::switching::{Cluster, Order, Outcome};
use super::{delivery, manager, pki, services, tree};
use camino::Utf8Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// Bring-up of a node must be done after this; a machine may be busy, and there may be hundreds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest order on the control socket, bytes.
const LONGEST: u64 = 4096;

/// Runs a practice cluster until it is killed. Prints `ready` when every part of it answers.
pub(super) async fn supervise(dir: &Utf8Path) -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let layout = Arc::new(Layout::new(dir)?);
    let spec = Arc::new(layout.read_spec()?);
    let cluster = Arc::new(bring_up(layout.clone(), spec.clone())?);
    manager::start(cluster.clone()).await?;

    // The name of a socket may have 108 bytes at most, and the folder's may be longer: it is made from here.
    std::env::set_current_dir(layout.lab()).map_err(LabError::file("enter", layout.lab()))?;
    let control = UnixListener::bind("control").map_err(LabError::file("listen on", layout.control()))?;
    let waiting = cluster.clone();
    tokio::task::spawn_blocking(move || wait_until_up(&waiting))
        .await
        .map_err(|error| LabError::failed("wait for the nodes", error))??;
    tokio::spawn(arbitrate(layout, spec));
    tokio::spawn(delivery::deliver(cluster.clone()));
    println!("ready");

    // One order at a time: two could move the same role.
    let turn = Arc::new(Mutex::new(()));
    loop {
        let (stream, _) = control.accept().await.map_err(LabError::system("accept an order"))?;
        let (cluster, turn) = (cluster.clone(), turn.clone());
        tokio::spawn(async move {
            if let Err(error) = obey(stream, cluster, turn).await {
                eprintln!("an order failed: {error}");
            }
        });
    }
}

fn bring_up(layout: Arc<Layout>, spec: Arc<Spec>) -> Result<Cluster> {
    let managers: Vec<&str> = spec.managers().map(|node| node.name.as_str()).collect();
    let initial = match spec.transport {
        Transport::Local => pki::initial(&managers)?,
        // Keys and the common layer do not wait for one another.
        Transport::Ssh => std::thread::scope(|scope| {
            let keys = scope.spawn(|| pki::initial(&managers));
            namespace::prepare(&layout, &spec)?;
            namespace::write_base(&layout, &spec)?;
            keys.join().map_err(|_| LabError::failed("make the first certificates", "a thread panicked"))?
        })?,
    };
    let pair =
        |name: &str| managers.iter().position(|manager| *manager == name).and_then(|n| initial.leaves.get(n));
    let mut pulse = None;
    let nodes = match spec.transport {
        Transport::Ssh => namespace::start_nodes(&layout, &spec, |node, root| {
            tree::install(root, spec.product, &initial, pair(&node.name))
        })?,
        Transport::Local => {
            pulse = Some(services::hold_pulse(&layout)?);
            for node in &spec.nodes {
                tree::local(&layout, spec.product, node, &initial, pair(&node.name))?;
                tree::state(&layout, &spec, node, &spec.binary)?;
            }
            Vec::new()
        }
    };
    let pids = nodes.iter().map(|child| child.id() as i32).collect();
    let cluster = Cluster::new(layout, spec.clone(), pids, pulse);
    if spec.transport == Transport::Local {
        std::thread::scope(|scope| {
            let services = scope.spawn(|| start_services(&cluster));
            spec.managers().try_for_each(|node| cluster.start_ha(node))?;
            services.join().map_err(|_| LabError::failed("start the services", "a thread panicked"))?
        })?;
    }
    Ok(cluster)
}

/// Starts the services of a local lab. They are this process's children, so it takes note of their end.
fn start_services(cluster: &Cluster) -> Result<()> {
    for node in &cluster.spec.nodes {
        if let Some(mut child) = services::start(&cluster.state(node), None)? {
            std::thread::spawn(move || child.wait());
        }
    }
    Ok(())
}

fn wait_until_up(cluster: &Cluster) -> Result<()> {
    let (layout, spec) = (&cluster.layout, &cluster.spec);
    let deadline = Instant::now() + PATIENCE;
    let wait = |what: String, log, ready: &dyn Fn() -> bool, alive: &dyn Fn() -> bool| -> Result<()> {
        while !ready() {
            let late = Instant::now() > deadline;
            if late || !alive() {
                let why = if late { "it did not answer in time" } else { "it or its node ended" };
                return Err(LabError::Start { what, why: why.to_owned(), log });
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        Ok(())
    };
    for (index, node) in spec.nodes.iter().enumerate() {
        let state = layout.state(&node.name);
        if spec.transport == Transport::Ssh {
            wait(
                format!("sshd on {}", node.name),
                state.join(namespace::INIT_LOG),
                &|| state.join(namespace::SSHD_PID).exists(),
                &|| cluster.is_node_alive(index),
            )?;
            wait(
                format!("DBService on {}", node.name),
                state.join(services::LOG_FILE),
                &|| services::was_started(&state),
                // A node starts them before its sshd.
                &|| false,
            )?;
        }
    }
    let names: Vec<String> = spec.managers().map(super::layout::NodeSpec::table_name).collect();
    for node in spec.managers() {
        let state = layout.state(&node.name);
        let normal = || names.iter().all(|name| ha::seen(&state, name).is_some_and(|seen| seen.all_normal));
        wait(format!("HA on {}", node.name), namespace::ha_log(layout, &node.name), &normal, &|| true)?;
    }
    Ok(())
}

/// Gives the role that a stopping service left to its peer, if that one runs; else it stays where it was.
///
/// It stands for the arbitration that a product does outside the link: that one may be down between two restarts.
async fn arbitrate(layout: Arc<Layout>, spec: Arc<Spec>) {
    loop {
        for node in spec.managers() {
            let state = layout.state(&node.name);
            let note = state.join(ha::HANDOVER_FILE);
            if !note.exists() {
                continue;
            }
            let peer = spec.managers().find(|other| other.name != node.name);
            let heir = peer
                .map(|peer| layout.state(&peer.name))
                .filter(|state| ha::is_running(state))
                .unwrap_or(state);
            // The note goes first: seen twice, it would make the role move back.
            let moved = std::fs::remove_file(&note)
                .map_err(LabError::file("remove", &note))
                .and_then(|()| Role::Active.write(&heir));
            if let Err(error) = moved {
                eprintln!("hand the role of {} over: {error}", node.name);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn obey(stream: UnixStream, cluster: Arc<Cluster>, turn: Arc<Mutex<()>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(reader.take(LONGEST)).read_until(b'\n', &mut line).await?;
    let order: Order = serde_json::from_slice(&line)?;
    let done = tokio::task::spawn_blocking(move || {
        // The lock guards no data, so that a panic while it was held has broken none.
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.obey(&order)
    })
    .await?;
    let outcome = match done {
        Ok(nodes) => Outcome { nodes, error: None },
        Err(error) => Outcome { nodes: Vec::new(), error: Some(chain(&error)) },
    };
    let mut text = serde_json::to_vec(&outcome)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

/// The whole of an error in one line, for the other end of a socket or a log.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
