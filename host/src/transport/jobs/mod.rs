//! Jobs: commands that outlive the connection, and the controller, that started them.
//!
//! A `change` is given to a small POSIX `sh` runner on its node (`scripts/job-run.sh`), which runs in a
//! session of its own, answers the command's prompts, keeps its time and records how it ended. The record
//! is a folder in the user's home, `~/.windlass/runs/RUN/jobs/ID`; making that folder is what starts a job,
//! so one id never runs twice, however often it is sent. `encoding` is what goes to the runner and comes
//! back; `lease` is who the runner asks whether this run may still change the node.
//!
//! A command's output is a plain file: a service that it leaves running may hold it open, and the job's end
//! is the command's own. A command that opens `/dev/stdout` to write cuts that file back; what was printed
//! before is then lost, and `output_truncated` says so.

mod encoding;

use super::{OnOutput, Request, Script, TransportError, Transports};
use crate::model::{NodeName, RunId};
use encoding::{Frame, Frames};
use std::sync::LazyLock;
use std::time::Duration;
use zeroize::Zeroizing;

/// Bytes of a command's output kept in a [`JobEnd`]: the last ones.
pub const OUTPUT_KEPT: usize = 1 << 20;
/// How long a probe and other small questions may take.
const QUESTION: Duration = Duration::from_secs(30);
/// What a follower waits beyond the command's own time: for the kill, the status and the line.
const GRACE: Duration = Duration::from_secs(60);
/// Pauses before a lost connection is tried again; with the last one used up the caller is told.
const RETRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// A command to run as a job.
pub struct JobSpec {
    /// `[a-z0-9-]+`, at most 100 bytes, unique for each effect of the run.
    pub id: String,
    pub run: RunId,
    /// The lease's token on this node, where the run holds it.
    pub token: Option<u64>,
    pub user: String,
    /// The user's home where absent.
    pub cwd: Option<String>,
    pub env: Vec<(String, String)>,
    pub argv: Vec<Zeroizing<String>>,
    /// What the command prints when it waits, and the reply, without its newline; in this order.
    pub prompts: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Whole seconds, at least one. Then the command and all of its session are killed.
    pub timeout: Duration,
    /// On a terminal of its own (util-linux `script`), without echo.
    pub terminal: bool,
}

/// Arguments and replies may be secret: only what names the job is shown.
impl std::fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobSpec").field("run", &self.run).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which job of which run, where.
#[derive(Debug, Clone, Copy)]
pub struct JobName<'a> {
    pub node: &'a NodeName,
    pub user: &'a str,
    pub run: &'a RunId,
    pub id: &'a str,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// As a shell sees it: 128 and the signal's number where one ended it, 126 or 127 where it did not start.
    pub exit: i32,
    /// Stdout and stderr as they came: the last [`OUTPUT_KEPT`] bytes.
    pub output: Vec<u8>,
    pub output_truncated: bool,
    /// Replies given. Fewer than the prompts: the command ended without asking for the others.
    pub prompts_answered: usize,
    pub timed_out: bool,
}

/// What the node says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It has not run, and what was sent of it earlier no longer will.
    NeverStarted,
    /// `since` in seconds of the node's clock since 1970 UTC. The pid is the runner's, or the command's where
    /// the runner was killed.
    Running {
        pid: u32,
        since: i64,
    },
    Ended(JobEnd),
    /// It was started, and is gone without a status: the node rebooted, or the runner was killed.
    Vanished,
}

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nothing ran.
    #[error(
        "{node} refused job {id}: {}, and this run has {}; see who holds it with `windlass runs list`",
        held(*.theirs), token(*.ours)
    )]
    Fenced { node: NodeName, id: String, ours: Option<u64>, theirs: Option<u64> },
    /// Nothing was sent.
    #[error("job {id} for {node} cannot be run: {why}")]
    Invalid { node: NodeName, id: String, why: String },
    /// Nothing ran.
    #[error("job {id} did not run: {why} on {node}")]
    Unable { node: NodeName, id: String, why: &'static str },
    #[error("job {id} was never started on {node}")]
    NeverStarted { node: NodeName, id: String },
    /// Whether and how far the command ran is not known.
    #[error("job {id} is gone from {node} without a status: the node rebooted, or its runner was killed")]
    Vanished { node: NodeName, id: String },
    /// Nothing was removed.
    #[error("jobs of {run} still run on {node}: {jobs}; wait for them")]
    Living { node: NodeName, run: RunId, jobs: String },
}

fn held(theirs: Option<u64>) -> String {
    theirs.map_or("nobody holds its lease now".into(), |token| format!("its lease has the token {token}"))
}

fn token(ours: Option<u64>) -> String {
    ours.map_or("none".into(), |token| format!("the token {token}"))
}

macro_rules! scripts {
    ($($name:ident = $($file:literal),+;)+) => {$(
        static $name: LazyLock<String> = LazyLock::new(|| super::wire::lean(concat!($(include_str!(concat!("../scripts/", $file))),+)));
    )+};
}
scripts! {
    FOLLOW = "job-common.sh", "job-follow-common.sh", "job-follow.sh";
    PURGE = "job-common.sh", "job-purge.sh";
}

/// Holds the runner in a variable, which the runner's shell gets in its environment.
static START: LazyLock<String> = LazyLock::new(|| {
    const RUNNER: &str = concat!(
        include_str!("../scripts/job-common.sh"),
        include_str!("../scripts/word.sh"),
        include_str!("../scripts/job-run.sh")
    );
    const STARTER: &str = concat!(
        include_str!("../scripts/job-common.sh"),
        include_str!("../scripts/job-follow-common.sh"),
        include_str!("../scripts/job-start.sh")
    );
    format!(
        "windlass_runner={}\n{}",
        super::wire::quote(&super::wire::lean(RUNNER)),
        super::wire::lean(STARTER)
    )
});

/// Starts a job unless its id was started before, and follows it to its end.
///
/// `on_output` gets every byte that the command prints, as it comes. A connection that is lost is tried
/// again, a few times; the job knows nothing of it. After an error, unless it says that nothing ran,
/// [`probe`] tells what became of the job.
pub async fn start_and_follow(
    transports: &Transports,
    node: &NodeName,
    spec: &JobSpec,
    on_output: OnOutput<'_>,
) -> Result<JobEnd, JobError> {
    let invalid = |why| JobError::Invalid { node: node.clone(), id: spec.id.clone(), why };
    encoding::check(spec).map_err(invalid)?;
    let name = JobName { node, user: &spec.user, run: &spec.run, id: &spec.id };
    let job = Job { transports, name, token: spec.token };
    let script = Script { name: "starting a job", text: START.as_str() };
    let input = |offset| encoding::start(spec, offset);
    job.follow_through(script, input, spec.timeout + GRACE, 0, on_output).await
}

/// Follows a job that was started before, from a byte of its output on, for at most `timeout`.
pub async fn follow(
    transports: &Transports,
    name: JobName<'_>,
    from_offset: u64,
    timeout: Duration,
    on_output: OnOutput<'_>,
) -> Result<JobEnd, JobError> {
    let job = Job::known(transports, name)?;
    let JobName { run, id, .. } = name;
    let script = Script { name: "following a job", text: FOLLOW.as_str() };
    let input = |offset| Zeroizing::new(format!("{run}\n{id}\n{offset}\nwait\n").into_bytes());
    job.follow_through(script, input, timeout, from_offset, on_output).await
}

/// Asks what became of a job.
///
/// Of one that was sent and has not begun it makes sure that it never will: `NeverStarted` is final.
pub async fn probe(transports: &Transports, name: JobName<'_>) -> Result<JobState, JobError> {
    let job = Job::known(transports, name)?;
    let JobName { run, id, .. } = name;
    let script = Script { name: "asking for a job", text: FOLLOW.as_str() };
    let input = Zeroizing::new(format!("{run}\n{id}\n0\nlook\n").into_bytes());
    let mut frames = Frames::new(0);
    match job.converse(script, input, QUESTION, &mut frames, &mut |_| {}).await? {
        Frame::Never => Ok(JobState::NeverStarted),
        Frame::Running { pid, since } => Ok(JobState::Running { pid, since }),
        Frame::Vanished => Ok(JobState::Vanished),
        Frame::Ended(status) => match job.end(&status, frames) {
            Ok(end) => Ok(JobState::Ended(end)),
            Err(JobError::Fenced { .. } | JobError::Unable { .. }) => Ok(JobState::NeverStarted),
            Err(error) => Err(error),
        },
    }
}

/// Removes the records of all of a run's jobs from a node; refused while one of them lives. Nothing is removed
/// where the node's lease has another token than this.
pub async fn purge(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
    token: Option<u64>,
) -> Result<(), JobError> {
    const NAME: &str = "purging jobs";
    let request = Request {
        node,
        user,
        script: Script { name: NAME, text: PURGE.as_str() },
        input: Zeroizing::new(
            format!("{run}\n{}\n", token.map_or("-".into(), |token| token.to_string())).into_bytes(),
        ),
        timeout: QUESTION,
        output_limit: 16 * 1024,
    };
    let reply = transports.exec(request).await?;
    if reply.exit != 0 {
        return Err(super::unexpected(node, NAME, &reply).into());
    }
    match super::collect::one_line(&reply.stdout) {
        jobs if jobs.is_empty() => Ok(()),
        jobs => Err(JobError::Living { node: node.clone(), run: run.clone(), jobs }),
    }
}

struct Job<'a> {
    transports: &'a Transports,
    name: JobName<'a>,
    token: Option<u64>,
}

impl<'a> Job<'a> {
    fn known(transports: &'a Transports, name: JobName<'a>) -> Result<Self, JobError> {
        let invalid = |why| JobError::Invalid { node: name.node.clone(), id: name.id.into(), why };
        encoding::check_id(name.id).map_err(invalid)?;
        Ok(Self { transports, name, token: None })
    }

    /// Follows to the end, over as many connections as it takes.
    async fn follow_through(
        &self,
        script: Script,
        input: impl Fn(u64) -> Zeroizing<Vec<u8>>,
        timeout: Duration,
        from_offset: u64,
        on_output: OnOutput<'_>,
    ) -> Result<JobEnd, JobError> {
        let until = tokio::time::Instant::now() + timeout;
        let mut frames = Frames::new(from_offset);
        let mut sent = false;
        let mut retries = RETRIES.iter();
        loop {
            let offset = frames.offset();
            let left = until.saturating_duration_since(tokio::time::Instant::now()).max(QUESTION);
            let error = match self.converse(script, input(offset), left, &mut frames, on_output).await {
                Ok(Frame::Ended(status)) => return self.end(&status, frames),
                Ok(Frame::Never) => {
                    return Err(JobError::NeverStarted {
                        node: self.name.node.clone(),
                        id: self.name.id.into(),
                    });
                }
                Ok(Frame::Vanished | Frame::Running { .. }) => {
                    return Err(JobError::Vanished { node: self.name.node.clone(), id: self.name.id.into() });
                }
                Err(error) => error,
            };
            if frames.offset() != offset {
                retries = RETRIES.iter();
            }
            let again = match &error {
                TransportError::Lost { .. } => true,
                // Only where an earlier connection was lost: the first word goes to the caller, at once.
                TransportError::Unreachable { .. } => sent,
                _ => false,
            };
            sent = true;
            match retries.next().filter(|_| again) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error.into()),
            }
        }
    }

    /// Runs one following script; returns the last thing it said.
    async fn converse(
        &self,
        script: Script,
        input: Zeroizing<Vec<u8>>,
        timeout: Duration,
        frames: &mut Frames,
        on_output: OnOutput<'_>,
    ) -> Result<Frame, TransportError> {
        frames.begin();
        let request = Request {
            node: self.name.node,
            user: self.name.user,
            script,
            input,
            timeout,
            // The frames keep little themselves.
            output_limit: usize::MAX,
        };
        let reply =
            self.transports.exec_streaming(request, &mut |bytes| frames.push(bytes, on_output)).await?;
        match frames.last() {
            Some(Ok(frame)) => Ok(frame),
            Some(Err(why)) => {
                Err(TransportError::Unexpected { node: self.name.node.clone(), script: script.name, why })
            }
            None => Err(super::unexpected(self.name.node, script.name, &reply)),
        }
    }

    /// Reads the words of a status file.
    fn end(&self, status: &str, frames: Frames) -> Result<JobEnd, JobError> {
        let words: Vec<&str> = status.split(' ').collect();
        let node = || self.name.node.clone();
        let id = || self.name.id.to_owned();
        match words.as_slice() {
            ["exit", exit, answered, timed_out] => {
                if let (Ok(exit), Ok(prompts_answered)) = (exit.parse(), answered.parse()) {
                    let (output, output_truncated) = frames.into_output();
                    let timed_out = *timed_out == "1";
                    return Ok(JobEnd { exit, output, output_truncated, prompts_answered, timed_out });
                }
            }
            ["fenced", theirs] => {
                let theirs = theirs.parse().ok();
                return Err(JobError::Fenced { node: node(), id: id(), ours: self.token, theirs });
            }
            ["void", "no-script"] => {
                let why = "it needs a terminal, and there is no util-linux `script`";
                return Err(JobError::Unable { node: node(), id: id(), why });
            }
            ["void", "no-printf"] => {
                let why = "the user's `sh` has no builtin printf, by which secrets stay out of arguments,";
                return Err(JobError::Unable { node: node(), id: id(), why });
            }
            ["void", "no-fifo"] => {
                let why = "a named pipe could not be made in ~/.windlass";
                return Err(JobError::Unable { node: node(), id: id(), why });
            }
            _ => {}
        }
        let why = format!("a status {status:?} of job {}", self.name.id);
        Err(TransportError::Unexpected { node: node(), script: "following a job", why }.into())
    }
}
