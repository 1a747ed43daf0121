//! ssh, by the operator's own client: one master connection a node, opened when first needed.
//!
//! `config` writes what the client is given, `control` keeps the sockets and ends masters that a killed
//! Windlass left behind. A call opens one session on the node's master, or goes to a `shell` that is kept
//! there. What a lost connection means is decided here: before a session is open nothing can have run,
//! afterwards nobody knows.

mod config;
pub(super) mod control;
mod shell;

pub use control::reap_orphans;

use super::collect::{Collector, exchange, one_line};
use super::{Request, TransportError, wire};
use crate::model::NodeName;
use crate::site::SshSettings;
use camino::{Utf8Path, Utf8PathBuf};
use control::ControlDir;
use futures::FutureExt as _;
use indexmap::IndexMap;
use openssh::{Child, ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use shell::Shell;
use std::num::NonZeroUsize;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use tokio::sync::{Mutex, OnceCell, OwnedSemaphorePermit, Semaphore};

/// Sessions at once on one master; sshd's own bound (`MaxSessions`) is 10 unless set lower.
const SESSIONS: usize = 8;
/// Shells that are kept idle on a node.
const IDLE_SHELLS: usize = 4;
/// Seconds after which a master without sessions ends by itself, should nothing else end it.
const IDLE: NonZeroUsize = NonZeroUsize::new(600).unwrap();

/// The ssh connections of one run.
#[derive(Debug)]
pub(super) struct Ssh {
    config: Utf8PathBuf,
    settings: SshSettings,
    /// Bounds the key exchanges at once: they cost the controller far more than commands do.
    connecting: Semaphore,
    links: IndexMap<NodeName, Link>,
    /// After `links`: removed when their masters have been told to end.
    control: ControlDir,
}

#[derive(Debug)]
struct Link {
    destination: String,
    master: Mutex<Option<Master>>,
    sessions: Arc<Semaphore>,
    /// Each holds one of the sessions.
    idle: StdMutex<Vec<Shell>>,
    /// A shell of this node cannot be kept: each script has a session of its own.
    keeps_none: AtomicBool,
    login_user: OnceCell<String>,
}

#[derive(Debug, Clone)]
struct Master {
    session: Arc<Session>,
    /// False for one that the operator had open: it is used, and never ended.
    own: bool,
}

impl Ssh {
    pub fn new<'a>(
        settings: &SshSettings,
        run_dir: &Utf8Path,
        nodes: impl Iterator<Item = (&'a NodeName, &'a str)>,
    ) -> Result<Self, TransportError> {
        let links = nodes.map(|(name, destination)| {
            let link = Link {
                destination: destination.to_owned(),
                master: Mutex::new(None),
                sessions: Arc::new(Semaphore::new(SESSIONS)),
                idle: StdMutex::default(),
                keeps_none: AtomicBool::new(false),
                login_user: OnceCell::new(),
            };
            (name.clone(), link)
        });
        Ok(Self {
            config: config::write(settings, run_dir)?,
            settings: settings.clone(),
            connecting: Semaphore::new(settings.concurrency.max(1)),
            links: links.collect(),
            control: ControlDir::make()?,
        })
    }

    /// Runs a script through a remote command line, which must be one of `wire`'s.
    pub async fn exec(
        &self,
        line: &str,
        request: &Request<'_>,
        stdout: &mut Collector<'_>,
    ) -> Result<(i32, Collector<'static>), TransportError> {
        let opened = AtomicBool::new(false);
        let link = self.link(request.node)?;
        let kept = request.input.len() <= shell::LONGEST_INPUT && !link.keeps_none.load(Ordering::Relaxed);
        let talking = async {
            if kept && let Some(talked) = self.converse_kept(link, line, request, stdout, &opened).await? {
                return Ok(talked);
            }
            self.converse(link, line, request, stdout, &opened).await
        }
        // Everything above a call is a future that holds this one; their types are deep enough without it.
        .boxed();
        match tokio::time::timeout(request.timeout, talking).await {
            Ok(result) => result,
            Err(_) if opened.load(Ordering::Relaxed) => Err(TransportError::TimedOut {
                node: request.node.clone(),
                script: request.script.name,
                timeout: request.timeout,
            }),
            Err(_) => Err(unreachable(request.node, format!("no connection within {:?}", request.timeout))),
        }
    }

    /// Runs a script in a session of its own.
    async fn converse(
        &self,
        link: &Link,
        line: &str,
        request: &Request<'_>,
        stdout: &mut Collector<'_>,
        opened: &AtomicBool,
    ) -> Result<(i32, Collector<'static>), TransportError> {
        let _session = link.session().await;
        let (master, mut child) = self.open(request.node, link, line).await?;
        opened.store(true, Ordering::Relaxed);
        let (Some(to), Some(out), Some(err)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(lost(request, "a pipe to ssh is missing".into()));
        };
        let mut stderr = Collector::stderr();
        let header = wire::header(request.script.text);
        exchange(to, [&header, &request.input], (out, stdout), (err, &mut stderr)).await;
        // The end of the output says nothing: it looks the same when the node has died.
        Ok((exit_of(link, &master, request, child.wait().await).await?, stderr))
    }

    /// Runs a script in a shell that is kept; none where none can be, and then nothing has run.
    async fn converse_kept(
        &self,
        link: &Link,
        line: &str,
        request: &Request<'_>,
        stdout: &mut Collector<'_>,
        opened: &AtomicBool,
    ) -> Result<Option<(i32, Collector<'static>)>, TransportError> {
        let mut shell = self.shell(request.node, link, line).await?;
        opened.store(true, Ordering::Relaxed);
        let mut stderr = Collector::stderr();
        if let Some(exit) = shell.call(request.script, &request.input, stdout, &mut stderr).await {
            link.keep(shell);
            return Ok(Some((exit, stderr)));
        }
        let (served, master) = (shell.has_served(), shell.master.clone());
        let exit = exit_of(link, &master, request, shell.ended().await).await?;
        if served || stdout.begun() {
            return Err(lost(request, format!("the shell there ended with {exit}")));
        }
        if !stdout.shell_began() {
            // The way to the user failed: the caller says so.
            return Ok(Some((exit, stderr)));
        }
        if exit == wire::CANNOT_SERVE {
            link.keeps_none.store(true, Ordering::Relaxed);
            stdout.expect_alone();
            return Ok(None);
        }
        Err(lost(request, format!("the shell there ended with {exit} before the script")))
    }

    /// Returns a shell that is there: one that was kept, or a new one.
    async fn shell(&self, node: &NodeName, link: &Link, line: &str) -> Result<Shell, TransportError> {
        while let Some(mut shell) = link.idle_shell(line) {
            if shell.is_there().await {
                return Ok(shell);
            }
            // Its master may have died with it, and would be found out by the next session.
        }
        let session = link.session().await;
        let (master, child) = self.open(node, link, line).await?;
        Shell::start(master, child, line, session)
            .await
            .ok_or_else(|| unreachable(node, "a pipe to ssh is missing"))
    }

    /// Opens a session on a node's master, and on a new one where that has died since it was last used:
    /// without an open session nothing has run (the script is yet to be sent).
    async fn open(
        &self,
        node: &NodeName,
        link: &Link,
        line: &str,
    ) -> Result<(Arc<Session>, Child<Arc<Session>>), TransportError> {
        let master = self.master(node, link).await?;
        if let Ok(child) = open(&master, line).await {
            return Ok((master, child));
        }
        link.forget(&master).await;
        let master = self.master(node, link).await?;
        let child = open(&master, line)
            .await
            .map_err(|error| unreachable(node, one_line(chain(&error).as_bytes())))?;
        Ok((master, child))
    }

    /// Returns whom a node logs us in as, asking it once.
    pub async fn login_user(&self, request: &Request<'_>) -> Result<&str, TransportError> {
        let link = self.link(request.node)?;
        let ask = async {
            let question = Request {
                script: super::Script { name: "id", text: "id -un" },
                input: zeroize::Zeroizing::new(Vec::new()),
                output_limit: 256,
                ..*request
            };
            let mut stdout = Collector::keeping(question.output_limit);
            let (exit, stderr) = self.exec(&wire::boot(), &question, &mut stdout).await?;
            if !stdout.begun() {
                return Err(super::did_not_begin(&question, exit, &stderr));
            }
            Ok(String::from_utf8_lossy(&stdout.take().0).trim().to_owned())
        };
        link.login_user.get_or_try_init(|| ask).await.map(String::as_str)
    }

    /// Ends every master, whatever still runs over it.
    pub async fn close(self) {
        let ending = self.links.values().map(|link| async {
            link.idle().clear();
            if let Some(master) = link.master.lock().await.take()
                && master.own
            {
                control::end_master(master.session.control_socket()).await;
            }
        });
        futures::future::join_all(ending).await;
    }

    fn link(&self, node: &NodeName) -> Result<&Link, TransportError> {
        self.links.get(node).ok_or_else(|| unreachable(node, "the site has no ssh destination for it"))
    }

    /// Returns the node's master, connecting where there is none.
    async fn master(&self, node: &NodeName, link: &Link) -> Result<Arc<Session>, TransportError> {
        let mut slot = link.master.lock().await;
        if let Some(master) = &*slot {
            return Ok(master.session.clone());
        }
        let host = link.destination.strip_prefix("ssh://").unwrap_or(&link.destination);
        if host.rsplit('@').next().is_none_or(|host| host.is_empty() || host.starts_with('-'))
            || host.starts_with('-')
        {
            return Err(unreachable(node, format!("{:?} is not an ssh destination", link.destination)));
        }
        let _permit = self.connecting.acquire().await;
        let builder = self.builder();
        let destination = link.destination.clone();
        // A task of its own, so that a caller who gives up does not leave a client behind that nobody
        // knows: the task sees it through, and drops the connection if nobody waits any more.
        let connecting = tokio::spawn(async move { builder.connect_mux(destination).await });
        let master = match connecting.await {
            Ok(Ok(session)) => Master { session: Arc::new(session), own: true },
            Ok(Err(error)) => match self.operators_master(&link.destination, &error).await {
                Some(session) => Master { session: Arc::new(session), own: false },
                None => return Err(refused(node, &link.destination, &error)),
            },
            Err(error) => return Err(unreachable(node, format!("the attempt to connect ended: {error}"))),
        };
        let session = master.session.clone();
        *slot = Some(master);
        Ok(session)
    }

    /// Finds the master that the operator has open for a destination whose login was refused: nobody is
    /// asked for a password or a code here, so they may have logged in before.
    async fn operators_master(&self, destination: &str, error: &openssh::Error) -> Option<Session> {
        if !chain(error).contains("Permission denied") {
            return None;
        }
        let mut ssh = tokio::process::Command::new("ssh");
        ssh.args(["-F", self.config.as_str(), "-G", destination]).kill_on_drop(true);
        let output = ssh.stdin(std::process::Stdio::null()).output().await.ok()?;
        let socket = std::str::from_utf8(&output.stdout)
            .ok()?
            .lines()
            .find_map(|line| line.strip_prefix("controlpath "))
            .filter(|path| *path != "none")?;
        let session = Session::resume_mux(std::path::Path::new(socket).into(), None);
        session.check().await.ok()?;
        Some(session)
    }

    /// What the crate puts on ssh's command line, which precedes the file: the same as the file says.
    fn builder(&self) -> SessionBuilder {
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .control_directory(self.control.path())
            .control_persist(ControlPersist::IdleFor(IDLE))
            .connect_timeout(self.settings.connect_timeout.max(std::time::Duration::from_secs(1)))
            .config_file(&self.config);
        builder
    }
}

impl Link {
    /// Lets go of a master that failed, unless another call has replaced it.
    async fn forget(&self, failed: &Arc<Session>) {
        let mut slot = self.master.lock().await;
        if slot.as_ref().is_some_and(|master| Arc::ptr_eq(&master.session, failed)) {
            *slot = None;
        }
    }

    /// Waits for one of the master's sessions; an idle shell gives up its own.
    async fn session(&self) -> OwnedSemaphorePermit {
        if self.sessions.available_permits() == 0 {
            drop(self.idle().pop());
        }
        // Closed it would be an error, and nobody closes it.
        match self.sessions.clone().acquire_owned().await {
            Ok(session) => session,
            Err(_) => std::future::pending().await,
        }
    }

    fn idle_shell(&self, line: &str) -> Option<Shell> {
        let mut idle = self.idle();
        let at = idle.iter().rposition(|shell| shell.is_for(line))?;
        Some(idle.remove(at))
    }

    fn keep(&self, shell: Shell) {
        let mut idle = self.idle();
        if idle.len() == IDLE_SHELLS {
            idle.remove(0);
        }
        idle.push(shell);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Shell>> {
        // Nothing in here can panic halfway.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the exit status of a session; a master that does not know it is let go of.
async fn exit_of(
    link: &Link,
    master: &Arc<Session>,
    request: &Request<'_>,
    ended: Result<ExitStatus, openssh::Error>,
) -> Result<i32, TransportError> {
    match ended {
        Ok(status) => status.code().ok_or_else(|| lost(request, format!("its shell was killed: {status}"))),
        // What the client makes of status 127, which a script may well end with.
        Err(openssh::Error::Remote(_)) => Ok(127),
        Err(error) => {
            link.forget(master).await;
            Err(lost(request, one_line(chain(&error).as_bytes())))
        }
    }
}

fn lost(request: &Request<'_>, why: String) -> TransportError {
    TransportError::Lost { node: request.node.clone(), script: request.script.name, why }
}

/// Opens a session on a master.
async fn open(master: &Arc<Session>, line: &str) -> Result<Child<Arc<Session>>, openssh::Error> {
    let mut command = master.clone().arc_raw_command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().await
}

fn unreachable(node: &NodeName, why: impl Into<String>) -> TransportError {
    TransportError::Unreachable { node: node.clone(), why: why.into() }
}

/// Says why there is no connection, from the words of ssh's log.
fn refused(node: &NodeName, destination: &str, error: &openssh::Error) -> TransportError {
    let said = chain(error);
    let node = node.clone();
    if said.contains("IDENTIFICATION HAS CHANGED") {
        let line = said
            .split_once("Offending ")
            .and_then(|(_, rest)| rest.split_once(" key in "))
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or("known_hosts");
        let why = format!(
            "{destination} shows another key than {line} has; if the node was reinstalled, compare the new \
             key's fingerprint on its console, then replace that line"
        );
        return TransportError::HostKey { node, why };
    }
    if said.contains("Host key verification failed") || said.contains("host key is known") {
        let why = format!(
            "none is known for {destination}; connect once with ssh, comparing the fingerprint with the one on \
             the node's console"
        );
        return TransportError::HostKey { node, why };
    }
    let next = if said.contains("Permission denied") {
        " (nobody is asked here: give ssh an agent, or open a ControlMaster connection first)"
    } else {
        ""
    };
    TransportError::Unreachable { node, why: format!("{}{next}", one_line(said.as_bytes())) }
}

/// Returns an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
