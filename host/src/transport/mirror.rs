//! The mirror of a run's journal on a node: what it holds, and what is added to it.
//!
//! Primitives, each one round trip; what is sealed into it, where it goes and what its chain must be are the
//! business of rooms to the left. A piece is added only behind the one before it, and only under the lease.

use super::wire::lean;
use super::{Reply, Request, Script, TransportError, Transports};
use crate::model::{NodeName, RunId};
use std::sync::LazyLock;
use std::time::Duration;
use zeroize::Zeroizing;

/// The most bytes of a mirror that are fetched: some ten thousand changes.
const LONGEST: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nothing was added.
    #[error(
        "{node} did not take the mirror of the journal: {}; it is not this run's any more",
        theirs.map_or("nobody holds its lease now".into(), |token| format!("its lease has the token {token}"))
    )]
    Fenced { node: NodeName, theirs: Option<u64> },
    #[error("{node} could not keep the mirror of the journal: {why}")]
    NotKept { node: NodeName, why: String },
}

/// The number and the hash of the last row that a node holds, as it says: `TO HASH`.
pub type HeadText = String;

/// What came of adding a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    Ok,
    /// Nothing was added, for what the node holds does not end where the piece begins.
    Elsewhere(Option<HeadText>),
}

/// A piece, as it goes to a node.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    pub from: i64,
    pub to: i64,
    pub hash: &'a str,
    /// The whole line.
    pub line: &'a str,
}

/// Adds a piece. `token`: of the lease that must hold; none where the run is over and gave it back.
pub async fn append(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
    token: Option<u64>,
    piece: Addition<'_>,
) -> Result<Added, MirrorError> {
    let token = token.map_or("-".into(), |token| token.to_string());
    let Addition { from, to, hash, line } = piece;
    // What an earlier piece left without its end stays apart.
    let input = format!("append\n{run}\n{token}\n{from}\n{to}\n{hash}\n\n{line}\n");
    let reply = ask(transports, node, user, "mirroring the journal", input, 4096).await?;
    let text = answer(node, &reply)?;
    match text.trim_end().split_once(' ') {
        Some(("ok", _)) => Ok(Added::Ok),
        Some(("held", "0 -")) => Ok(Added::Elsewhere(None)),
        Some(("held", head)) => Ok(Added::Elsewhere(Some(head.to_owned()))),
        Some(("fenced", theirs)) => {
            Err(MirrorError::Fenced { node: node.clone(), theirs: theirs.parse().ok() })
        }
        _ => Err(super::unexpected(node, "mirroring the journal", &reply).into()),
    }
}

/// Returns the head that a node holds of a run's mirror; none where it has no mirror.
pub async fn head(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
) -> Result<Option<HeadText>, MirrorError> {
    let reply =
        ask(transports, node, user, "reading the mirror's head", format!("heads\n{run}\n"), 4096).await?;
    let text = answer(node, &reply)?;
    match text.trim_end().split_once(' ') {
        Some(("ok", head)) => Ok(Some(head.to_owned())),
        None if text.trim_end() == "none" => Ok(None),
        _ => Err(super::unexpected(node, "reading the mirror's head", &reply).into()),
    }
}

/// Returns a whole mirror with its head; none where the node has none.
pub async fn fetch(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
) -> Result<Option<(HeadText, Vec<u8>)>, MirrorError> {
    let reply =
        ask(transports, node, user, "fetching the mirror", format!("fetch\n{run}\n"), LONGEST).await?;
    if reply.exit != 0 {
        return Err(not_kept(node, &reply));
    }
    let end = reply.stdout.iter().position(|byte| *byte == b'\n').unwrap_or(reply.stdout.len());
    let (first, rest) = reply.stdout.split_at(end);
    match String::from_utf8_lossy(first).split_once(' ') {
        Some(("ok", head)) => Ok(Some((head.to_owned(), rest.to_vec()))),
        None if first == b"none" => Ok(None),
        _ => Err(super::unexpected(node, "fetching the mirror", &reply).into()),
    }
}

/// What a node says of one job of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    pub id: String,
    /// `lives`, `vanished`, or the line of its status.
    pub state: String,
}

impl JobSeen {
    pub fn lives(&self) -> bool {
        self.state == "lives"
    }
}

/// Returns the jobs of a run on a node, with what became of each.
pub async fn jobs(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
) -> Result<Vec<JobSeen>, MirrorError> {
    let reply = ask(transports, node, user, "listing jobs", format!("jobs\n{run}\n"), 1 << 20).await?;
    let text = answer(node, &reply)?;
    let mut jobs = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some((id, state)) => jobs.push(JobSeen {
                id: super::collect::one_line(id.as_bytes()),
                state: super::collect::one_line(state.as_bytes()),
            }),
            None if line == "end" => return Ok(jobs),
            None => break,
        }
    }
    Err(super::unexpected(node, "listing jobs", &reply).into())
}

async fn ask(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    name: &'static str,
    input: String,
    output_limit: usize,
) -> Result<Reply, TransportError> {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        lean(concat!(include_str!("scripts/job-common.sh"), include_str!("scripts/mirror.sh")))
    });
    let request = Request {
        node,
        user,
        script: Script { name, text: SCRIPT.as_str() },
        input: Zeroizing::new(input.into_bytes()),
        timeout: Duration::from_secs(30),
        output_limit,
    };
    transports.exec(request).await
}

fn answer(node: &NodeName, reply: &Reply) -> Result<String, MirrorError> {
    if reply.exit != 0 {
        return Err(not_kept(node, reply));
    }
    Ok(String::from_utf8_lossy(&reply.stdout).into_owned())
}

/// The script could not do it: the disk is full, or the folder another's.
fn not_kept(node: &NodeName, reply: &Reply) -> MirrorError {
    let said = super::collect::one_line(&reply.stderr);
    let why = if said.is_empty() { format!("its script ended with {}", reply.exit) } else { said };
    MirrorError::NotKept { node: node.clone(), why }
}
