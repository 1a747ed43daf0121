//! The process itself: loads, listens, beats, writes the table, and hands its role over when told.

use super::link::{Heartbeat, Link};
use super::table::{Known, Row, render, stopped_table};
use super::{Config, HANDOVER_FILE, PID_FILE, Role, STATUS_FILE, tls};
use crate::lab::error::{LabError, Result};
use crate::lab::process::{Process, replace_file};
use crate::lab::switch::Switch;
use camino::Utf8Path;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the HA service of the node with this state folder until SIGTERM, the switch `standby-down`, or the
/// end of the process it watches. Prints `ready` when it listens.
pub(in crate::lab) async fn serve(state: &Utf8Path) -> Result<()> {
    if Switch::StandbyDown.is_on(state) {
        return Err(LabError::failed("start HA", "the switch standby-down is on"));
    }
    let config = Config::read(state)?;
    let identity = tls::load(&config.certificates)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(LabError::system(format!("listen on {}", config.listen)))?;
    let mut terminated = signal(SignalKind::terminate()).map_err(LabError::system("handle SIGTERM"))?;
    let own = Process::of(std::process::id() as i32)
        .ok_or_else(|| LabError::failed("find this process", "/proc does not show it"))?;

    let mut role = Role::read(state)?;
    let start_time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    let link = Link::new(config.clone(), Heartbeat { start_time: start_time.clone(), role });
    tokio::spawn(link.clone().listen(listener, identity.clone()));
    tokio::spawn(link.clone().dial(identity));

    let until = Switch::null_after_restart(state).map(|time| Instant::now() + time);
    let write_table = |role: Role| {
        if until.is_some_and(|until| Instant::now() < until) {
            return replace_file(&state.join(STATUS_FILE), stopped_table(&config).as_bytes());
        }
        let peer = link.peer();
        let all_normal = peer.is_some();
        let own = Known { start_time: &start_time, role, all_normal };
        let peer =
            peer.as_ref().map(|peer| Known { start_time: &peer.start_time, role: peer.role, all_normal });
        let table = render(
            config.product,
            &Row { name: &config.node, known: Some(own) },
            &Row { name: &config.peer, known: peer },
        );
        replace_file(&state.join(STATUS_FILE), table.as_bytes())
    };
    write_table(role)?;
    own.write(&state.join(PID_FILE))?;
    println!("ready");

    // Half a beat: the table is never much older than the heartbeat it tells of.
    let mut tick = tokio::time::interval(Duration::from_millis((config.heartbeat / 2).max(1)));
    loop {
        tokio::select! {
            _ = terminated.recv() => {
                hand_over(state)?;
                break;
            }
            _ = tick.tick() => {
                let unwatched = config.watch.as_ref().is_some_and(|file| Process::read(file).is_none());
                if unwatched || Switch::StandbyDown.is_on(state) {
                    break;
                }
                // The file decides: it outlives a restart, and the supervisor moves roles through it.
                role = Role::read(state)?;
                link.set_role(role);
                write_table(role)?;
            }
        }
    }
    // The folder may be gone with the lab.
    let _ = std::fs::remove_file(state.join(PID_FILE));
    Ok(())
}

/// With `role-moves`, an active service gives its role away before it stops: first it is standby, then it says
/// so, so that there never are two.
fn hand_over(state: &Utf8Path) -> Result<()> {
    if Switch::RoleMoves.is_on(state) && Role::read(state)? == Role::Active {
        Role::Standby.write(state)?;
        replace_file(&state.join(HANDOVER_FILE), b"")?;
    }
    Ok(())
}
