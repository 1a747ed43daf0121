//! A shell that is kept on a node, as one user: it runs scripts one after another over one session.
//!
//! Opening a session, `sudo`, `su` and a login shell cost some 30 ms, most scripts a few. A shell that was
//! idle for a while is asked whether it is still there before a script is given to it; so a loss is noticed
//! while nothing has run yet. A shell whose call failed or was abandoned is not used again.

use crate::fuse::{self, Place};
use crate::transport::Script;
use crate::transport::collect::{Collector, drain};
use crate::transport::wire;
use nix::errno::Errno;
use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedSemaphorePermit;

/// The longest input that a kept shell is given: it reads a line byte by byte.
pub(super) const LONGEST_INPUT: usize = 32 * 1024;
/// A shell that was used this recently is believed to be there.
const FRESH: Duration = Duration::from_secs(1);
/// How long the answer to the question whether it is there may take, before another is opened.
const PATIENCE: Duration = Duration::from_secs(5);

/// One kept shell. Dropping it ends it: its standard input ends.
#[derive(Debug)]
pub(super) struct Shell {
    /// The remote line that opened it, which says as whom it runs.
    line: String,
    pub master: Arc<Session>,
    child: Child<Arc<Session>>,
    to: ChildStdin,
    out: ChildStdout,
    err: ChildStderr,
    /// The scripts it has had, by their text.
    numbers: HashMap<&'static str, usize>,
    used: Instant,
    /// One of the sessions that a master has.
    _session: OwnedSemaphorePermit,
}

impl Shell {
    /// Has a session run the script that runs others. Whether that came about shows at the first call; none
    /// where the session has no pipes.
    pub async fn start(
        master: Arc<Session>,
        mut child: Child<Arc<Session>>,
        line: &str,
        session: OwnedSemaphorePermit,
    ) -> Option<Self> {
        let (mut to, out, err) = (child.stdin().take()?, child.stdout().take()?, child.stderr().take()?);
        // Where it fails the shell has ended, which its output will tell.
        let _ = to.write_all(&wire::header(&wire::SERVE)).await;
        Some(Self {
            line: line.to_owned(),
            master,
            child,
            to,
            out,
            err,
            numbers: HashMap::new(),
            used: Instant::now(),
            _session: session,
        })
    }

    pub fn is_for(&self, line: &str) -> bool {
        self.line == line
    }

    /// Whether it ran a script before.
    pub fn has_served(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Returns whether it is still there; asks it, unless it was used just now.
    pub async fn is_there(&mut self) -> bool {
        if has_ended(&self.out) || has_ended(&self.err) {
            return false;
        }
        if self.used.elapsed() < FRESH {
            return true;
        }
        let (mut out, mut err) = (Collector::keeping(0), Collector::keeping(0));
        let asking = self.call(Script { name: "asking a shell", text: ":" }, b"", &mut out, &mut err);
        matches!(tokio::time::timeout(PATIENCE, asking).await, Ok(Some(_)))
    }

    /// Runs a script and returns its status; none where the shell ended instead, or cannot be reached.
    pub async fn call(
        &mut self,
        script: Script,
        input: &[u8],
        stdout: &mut Collector<'_>,
        stderr: &mut Collector<'_>,
    ) -> Option<i32> {
        let token = format!("{:032x}", random());
        stdout.expect(&token);
        stderr.expect(&token);
        let next = self.numbers.len();
        let number = self.numbers.get(script.text).copied();
        let new = number.is_none().then_some(script.text);
        let request = wire::call(&token, number.unwrap_or(next), new, input);
        // Where it fails the shell has ended, which its output will tell, with what it had said before.
        let sending = async {
            let _ = self.to.write_all(&request).await;
            fuse::pass(Place::Sent);
        };
        tokio::join!(sending, drain(&mut self.out, stdout), drain(&mut self.err, stderr));
        let status = stdout.status().filter(|_| stderr.status().is_some())?;
        self.numbers.entry(script.text).or_insert(next);
        self.used = Instant::now();
        Some(status)
    }

    /// Waits for how it ended, after a call that it did not answer.
    pub async fn ended(self) -> Result<std::process::ExitStatus, openssh::Error> {
        drop((self.to, self.out, self.err));
        self.child.wait().await
    }
}

/// Whether a stream has ended, as it does where the master or the server's side of the session has: seen
/// without asking. Anything in it was left over by what an earlier script started, and is dropped.
fn has_ended(stream: &impl AsFd) -> bool {
    let mut left_over = [0; 1024];
    loop {
        match nix::unistd::read(stream, &mut left_over) {
            Ok(1..) | Err(Errno::EINTR) => {}
            // Nothing to read, and nobody has closed it: the stream does not block.
            Err(Errno::EAGAIN) => return false,
            Ok(0) | Err(_) => return true,
        }
    }
}

/// What a script cannot know, and so cannot print by chance or on purpose.
fn random() -> u128 {
    let mut bytes = [0; 16];
    // Without randomness there is no ssh either; and then only a script that wants to be cut short could.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u128::from_ne_bytes(bytes)
}
