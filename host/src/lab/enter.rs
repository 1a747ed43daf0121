//! Entering a practice cluster's network, so that its addresses can be reached from any shell.

use super::error::{LabError, Result};
use super::process::Process;
use camino::Utf8Path;
use nix::sched::{CloneFlags, setns};
use std::fs::File;

/// Moves this thread, and every thread it starts afterwards, into the network namespace of the practice
/// cluster whose supervisor the pid file names. Call it before any thread is started.
///
/// # Errors
/// [`LabError::Gone`] where that supervisor no longer runs (also where its pid is another process's by now);
/// [`LabError::NeedsRoot`] without the right to enter.
pub fn enter(pid_file: &Utf8Path) -> Result<()> {
    let network = network_of(pid_file)?;
    setns(&network, CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        nix::errno::Errno::EPERM => {
            LabError::NeedsRoot { what: "entering the network of a practice cluster that root started" }
        }
        other => LabError::System {
            doing: format!("enter the network of the practice cluster of {pid_file}"),
            source: other.into(),
        },
    })
}

pub(super) fn network_of(pid_file: &Utf8Path) -> Result<File> {
    let gone = || LabError::Gone { pid_file: pid_file.to_owned() };
    let process = Process::read(pid_file).ok_or_else(gone)?;
    let network = File::open(format!("/proc/{}/ns/net", process.pid)).map_err(|source| {
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            LabError::NeedsRoot { what: "entering the network of a practice cluster that root started" }
        } else {
            gone()
        }
    })?;
    // The pid may have changed hands between the look and the opening.
    if !process.is_alive() {
        return Err(gone());
    }
    Ok(network)
}
