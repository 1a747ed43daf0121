//! A folder of this machine that stands for a node: the practice cluster without root, and tests.
//!
//! `FOLDER/login-env` holds the login environment, `KEY=VALUE` lines with at least an absolute `HOME`.
//! Every user of such a node is the user who runs Windlass.

use super::collect::{Collector, exchange};
use super::{Request, TransportError, wire};
use camino::Utf8Path;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;

/// How long output is awaited after the shell has ended: something it left behind may hold the pipe.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn exec(
    folder: &Utf8Path,
    request: &Request<'_>,
    stdout: &mut Collector<'_>,
) -> Result<(i32, Collector<'static>), TransportError> {
    let unreachable = |why| TransportError::Unreachable { node: request.node.clone(), why };
    let environment = login_environment(folder).map_err(unreachable)?;
    let home = environment.iter().find(|(key, _)| key == "HOME").map_or("/", |(_, home)| home);
    let mut child = tokio::process::Command::new("/bin/sh")
        .args(["-c", &wire::boot()])
        .env_clear()
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| unreachable(format!("cannot start /bin/sh in {home}: {error}")))?;
    let mut group = Group(child.id());
    let (Some(to), Some(out), Some(err)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unreachable("a pipe to /bin/sh is missing".into()));
    };

    let mut stderr = Collector::stderr();
    let header = wire::header(request.script.text);
    let finished = tokio::time::timeout(request.timeout, async {
        let talking = exchange(to, [&header, &request.input], (out, stdout), (err, &mut stderr));
        tokio::pin!(talking);
        tokio::select! {
            () = &mut talking => child.wait().await,
            status = child.wait() => {
                let _ = tokio::time::timeout(GRACE, &mut talking).await;
                status
            }
        }
    })
    .await;
    let lost = |why| TransportError::Lost { node: request.node.clone(), script: request.script.name, why };
    match finished {
        Err(_) => Err(TransportError::TimedOut {
            node: request.node.clone(),
            script: request.script.name,
            timeout: request.timeout,
        }),
        Ok(Err(error)) => Err(lost(format!("waiting for /bin/sh: {error}"))),
        Ok(Ok(status)) => {
            group.0 = None;
            let exit = status.code().ok_or_else(|| lost(format!("its shell was killed: {status}")))?;
            Ok((exit, stderr))
        }
    }
}

/// A shell and what it started, killed unless it has ended: after a time-out, or where nobody waits.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // It may be gone already; then there is nothing to kill.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Reads the login environment; the error says file and line.
fn login_environment(folder: &Utf8Path) -> Result<Vec<(String, String)>, String> {
    let file = folder.join("login-env");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("read {file}: {error}"))?;
    let mut environment = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let (key, value) = line
            .split_once('=')
            .filter(|(key, _)| super::is_variable(key))
            .ok_or_else(|| format!("{file}:{}: not a line KEY=VALUE", at + 1))?;
        environment.push((key.to_owned(), value.to_owned()));
    }
    if !environment.iter().any(|(key, value)| key == "HOME" && value.starts_with('/')) {
        return Err(format!("{file} has no line HOME=/…"));
    }
    Ok(environment)
}
