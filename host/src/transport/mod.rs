//! How a script gets to a node and its output back: ssh, or a local folder that stands for a node.
//!
//! There is one operation: run a constant POSIX `sh` script as a user of a node, arguments and data on
//! its standard input. Nothing is ever quoted into a command line: `wire` holds the one constant line
//! that every node is sent. `jobs` runs commands that outlive a connection, `lease` says which run may
//! change a node, `mirror` keeps the run's journal there, `facts` asks small questions; all of them are
//! scripts over this one operation.
//!
//! Over ssh a shell is kept for a user of a node and runs one script after another, since a session, `sudo`
//! and a login cost far more than most scripts. What a script leaves running must not hold its output.
//!
//! A script starts in the user's home, where that exists, and sees `umask 077`, `LC_ALL=C`, `TMOUT=0`, the
//! rest of the user's login environment, and the variable `login_umask` (what the umask was). It may use
//! POSIX `sh`, coreutils or busybox; no more.

mod collect;
mod facts;
pub mod jobs;
pub mod lease;
mod local;
pub mod mirror;
mod ssh;
mod wire;
pub(crate) mod word;

#[cfg(test)]
mod tests;

use crate::model::NodeName;
use crate::site::{Address, Become, Node, Site};
use camino::Utf8Path;
use collect::Collector;
use indexmap::IndexMap;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use ssh::reap_orphans;

/// A constant script; `name` is for messages.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    pub name: &'static str,
    pub text: &'static str,
}

/// One call of a script on a node.
#[derive(Debug)]
pub struct Request<'a> {
    pub node: &'a NodeName,
    pub user: &'a str,
    pub script: Script,
    /// Everything the script reads: wiped when dropped.
    pub input: Zeroizing<Vec<u8>>,
    pub timeout: Duration,
    /// Bytes of stdout kept; the rest is read and dropped, and `truncated` says so.
    pub output_limit: usize,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub exit: i32,
    pub stdout: Vec<u8>,
    /// At most 16 KiB, for messages.
    pub stderr: Vec<u8>,
    pub truncated: bool,
}

/// What is called with output as it arrives, in pieces of any size.
pub type OnOutput<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing is known to have run.
    #[error("{node} cannot be reached: {why}")]
    Unreachable { node: NodeName, why: String },
    /// It was sent; whether and how far it ran is not known.
    #[error("the connection to {node} was lost during {script}: {why}")]
    Lost { node: NodeName, script: &'static str, why: String },
    /// As `Lost`: it may have run, or may still.
    #[error("{script} on {node} did not finish within {timeout:?}")]
    TimedOut { node: NodeName, script: &'static str, timeout: Duration },
    /// Nothing ran.
    #[error("the host key of {node} is not the one that is known: {why}")]
    HostKey { node: NodeName, why: String },
    /// Nothing ran.
    #[error("{user} cannot be reached on {node}: {why}")]
    Become { node: NodeName, user: String, why: String },
    /// The script ran and did not answer as it was written to.
    #[error("{script} on {node} answered something else than expected: {why}")]
    Unexpected { node: NodeName, script: &'static str, why: String },
    /// A fault of the controller's own: nothing was sent.
    #[error("cannot prepare connections: {what}")]
    Setup {
        what: String,
        #[source]
        source: std::io::Error,
    },
}

/// The ways to the nodes of a site, for one run.
#[derive(Debug)]
pub struct Transports {
    nodes: IndexMap<NodeName, Node>,
    become_users: IndexMap<String, Become>,
    /// None where no node is reached by ssh.
    ssh: Option<ssh::Ssh>,
    /// Bounds the nodes worked on at once (`ssh.concurrency`).
    permits: Semaphore,
}

impl Transports {
    /// Connects to nothing yet. `run_dir` is private to the run; the generated ssh_config is put there.
    pub fn new(site: &Site, run_dir: &Utf8Path) -> Result<Self, TransportError> {
        let by_ssh: Vec<(&NodeName, &str)> = site
            .nodes
            .iter()
            .filter_map(|(name, node)| match &node.address {
                Address::Ssh(destination) => Some((name, destination.as_str())),
                Address::Local(_) => None,
            })
            .collect();
        let ssh = match by_ssh.is_empty() {
            true => None,
            false => Some(ssh::Ssh::new(&site.ssh, run_dir, by_ssh.into_iter())?),
        };
        Ok(Self {
            nodes: site.nodes.clone(),
            become_users: site.become_users.clone(),
            ssh,
            permits: Semaphore::new(site.ssh.concurrency.max(1)),
        })
    }

    /// Runs a script on a node and waits for its end, at most `timeout`.
    ///
    /// Any exit status is a reply. Dropping the future abandons the call: a local script is killed, a
    /// remote one is left to notice that nobody reads it.
    pub async fn exec(&self, request: Request<'_>) -> Result<Reply, TransportError> {
        let _permit = self.permits.acquire().await;
        let mut stdout = Collector::keeping(request.output_limit);
        self.call(&request, &mut stdout).await
    }

    /// As [`exec`](Self::exec), handing stdout over as it arrives; the reply's own stdout stays empty.
    ///
    /// Takes none of the site's `ssh.concurrency`: it may last as long as a job does.
    pub async fn exec_streaming(
        &self,
        request: Request<'_>,
        on_stdout: OnOutput<'_>,
    ) -> Result<Reply, TransportError> {
        let mut stdout = Collector::passing(request.output_limit, on_stdout);
        self.call(&request, &mut stdout).await
    }

    /// Ends every connection that was opened, whatever still runs over it.
    ///
    /// Without it they end when this is dropped and the last command over them has ended.
    pub async fn close(self) {
        if let Some(ssh) = self.ssh {
            ssh.close().await;
        }
    }

    async fn call(&self, request: &Request<'_>, stdout: &mut Collector<'_>) -> Result<Reply, TransportError> {
        let began = Instant::now();
        let node = self.node(request.node)?;
        let (exit, stderr) = match (&node.address, &self.ssh) {
            (Address::Local(folder), _) => local::exec(folder, request, stdout).await?,
            (Address::Ssh(destination), Some(ssh)) => {
                let line = self.remote_line(ssh, destination, request).await?;
                ssh.exec(&line, request, stdout).await?
            }
            // `new` makes it wherever a node has an ssh address.
            (Address::Ssh(_), None) => {
                return Err(TransportError::Unreachable {
                    node: node.name.clone(),
                    why: "ssh was not prepared".into(),
                });
            }
        };
        tracing::debug!(
            node = %request.node,
            user = request.user,
            script = request.script.name,
            input = request.input.len(),
            exit,
            ms = began.elapsed().as_secs_f64() * 1000.0,
            "ran"
        );
        if !stdout.begun() {
            return Err(did_not_begin(request, exit, &stderr));
        }
        let (kept, truncated) = stdout.take();
        Ok(Reply { exit, stdout: kept, stderr: stderr.into_kept(), truncated })
    }

    /// Returns the constant line that runs a script as the user of a request.
    async fn remote_line(
        &self,
        ssh: &ssh::Ssh,
        destination: &str,
        request: &Request<'_>,
    ) -> Result<String, TransportError> {
        let named = destination.trim_start_matches("ssh://").rsplit_once('@').map(|(user, _)| user);
        if named == Some(request.user) {
            return Ok(wire::boot());
        }
        if let Some(way) = self.become_users.get(request.user) {
            return Ok(wire::boot_through(&way.argv));
        }
        let login = ssh.login_user(request).await?;
        if login == request.user {
            return Ok(wire::boot());
        }
        Err(TransportError::Become {
            node: request.node.clone(),
            user: request.user.to_owned(),
            why: format!("ssh logs in as {login}, and the site has no [become.{}]", request.user),
        })
    }

    fn node(&self, name: &NodeName) -> Result<&Node, TransportError> {
        self.nodes.get(name).ok_or_else(|| TransportError::Unreachable {
            node: name.clone(),
            why: "the site has no node of this name".into(),
        })
    }
}

/// The shell ended before the script's first line: the way to the user failed, and nothing ran.
fn did_not_begin(request: &Request<'_>, exit: i32, stderr: &Collector<'_>) -> TransportError {
    let said = stderr.noise_line();
    let said = if said.is_empty() { "and said nothing".into() } else { format!("saying: {said}") };
    let next = if said.contains("password is required") || said.contains("terminal is required") {
        format!(
            " (sudoers must let the login user do this without a password; see [become.{}])",
            request.user
        )
    } else {
        String::new()
    };
    let why = format!("the shell ended with {exit} before the script, {said}{next}");
    TransportError::Become { node: request.node.clone(), user: request.user.to_owned(), why }
}

/// Whether a name is a shell variable's, so that it may stand in an `eval`.
fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The error of a script that did not end well: its exit status and the end of its stderr.
fn unexpected(node: &NodeName, script: &'static str, reply: &Reply) -> TransportError {
    let said = collect::one_line(&reply.stderr);
    let why = match (reply.exit, said.is_empty()) {
        (exit, true) => format!("it ended with {exit} and said nothing"),
        (exit, false) => format!("it ended with {exit}, saying: {said}"),
    };
    TransportError::Unexpected { node: node.clone(), script, why }
}
