//! The lease of one node: which run may change it, shown by a token that only rises.
//!
//! Primitives, each one round trip; which nodes carry a lease, in what order it is taken and who may take
//! one over is the run's policy. A lease has no time-out: a controller that slept finds its jobs refused
//! once another has a higher token (`jobs` checks it on the node), however late it wakes.

use super::wire::lean;
use super::{Request, Script, TransportError, Transports};
use crate::model::{NodeName, PluginName, RunId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a lease says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    pub run: RunId,
    /// Who and where, in an operator's words: `alice@laptop`. Any text.
    pub controller: String,
    pub procedure: PluginName,
    /// Seconds since 1970 UTC, of the controller's clock.
    pub since: i64,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// None where whoever took it died before saying who they are.
    pub record: Option<LeaseRecord>,
    /// 0 where the taker died before having one.
    pub token: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record {
            Some(record) => {
                // The node's word: no escape of it may reach a terminal.
                let controller = super::collect::one_line(record.controller.as_bytes());
                write!(f, "{} ({}, from {controller})", record.run, record.procedure)
            }
            None => f.write_str("a run that died before it said its name"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the lease of {node} is held by {by}, with the token {}", by.token)]
    Held { node: NodeName, by: Holder },
    #[error("the lease of {node} is not held: it was released, or taken over and released")]
    NotHeld { node: NodeName },
    /// Nothing was changed.
    #[error("the lease of {node} stays as it is: of its run, {jobs} still runs there; wait for it")]
    Living { node: NodeName, jobs: String },
}

/// Takes a node's lease; returns its token, higher than any before it on this node.
///
/// Asking again, after an answer that was lost, gives the same token.
pub async fn acquire(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    record: &LeaseRecord,
) -> Result<u64, LeaseError> {
    let answer = ask(transports, node, user, "acquire", record.run.as_str(), None, Some(record)).await?;
    answer.token(node)
}

/// Takes a lease from the holder of the token `from`, whose jobs are refused from then on.
///
/// Refused while a job of the holder lives, and where `from` is no longer the token: it is not taken from
/// anybody but whom the operator was shown. A lease that has become free is taken.
pub async fn take_over(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    record: &LeaseRecord,
    from: u64,
) -> Result<u64, LeaseError> {
    let answer =
        ask(transports, node, user, "take-over", record.run.as_str(), Some(from), Some(record)).await?;
    answer.token(node)
}

/// Checks that a run still holds a node's lease.
pub async fn check(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
    token: u64,
) -> Result<(), LeaseError> {
    ask(transports, node, user, "check", run.as_str(), Some(token), None).await?.token(node).map(drop)
}

/// Gives a node's lease back. Nothing to do where it is free; refused while a job of the run lives.
pub async fn release(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    run: &RunId,
    token: u64,
) -> Result<(), LeaseError> {
    match ask(transports, node, user, "release", run.as_str(), Some(token), None).await? {
        Answer::Free => Ok(()),
        answer => answer.token(node).map(drop),
    }
}

/// Returns who holds a node's lease, or none where it is free.
pub async fn holder(
    transports: &Transports,
    node: &NodeName,
    user: &str,
) -> Result<Option<Holder>, LeaseError> {
    match ask(transports, node, user, "read", "-", None, None).await? {
        Answer::Free => Ok(None),
        Answer::Held(by) => Ok(Some(by)),
        answer => answer.token(node).map(|_| None),
    }
}

enum Answer {
    Ok(u64),
    Free,
    Held(Holder),
    Living(String),
}

impl Answer {
    fn token(self, node: &NodeName) -> Result<u64, LeaseError> {
        let node = node.clone();
        match self {
            Self::Ok(token) => Ok(token),
            Self::Free => Err(LeaseError::NotHeld { node }),
            Self::Held(by) => Err(LeaseError::Held { node, by }),
            Self::Living(jobs) => Err(LeaseError::Living { node, jobs }),
        }
    }
}

async fn ask(
    transports: &Transports,
    node: &NodeName,
    user: &str,
    verb: &str,
    run: &str,
    token: Option<u64>,
    record: Option<&LeaseRecord>,
) -> Result<Answer, LeaseError> {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        lean(concat!(include_str!("scripts/job-common.sh"), include_str!("scripts/lease.sh")))
    });
    let name = match verb {
        "acquire" => "taking the lease",
        "take-over" => "taking over the lease",
        "release" => "releasing the lease",
        _ => "reading the lease",
    };
    let token = token.map_or("-".into(), |token| token.to_string());
    let mut input = format!("{verb}\n{run}\n{token}\n");
    if let Some(record) = record {
        let controller = BASE64.encode(&record.controller);
        input += &format!("{controller}\n{}\n{}\n", record.procedure, record.since);
    }
    let request = Request {
        node,
        user,
        script: Script { name, text: SCRIPT.as_str() },
        input: Zeroizing::new(input.into_bytes()),
        timeout: Duration::from_secs(30),
        output_limit: 16 * 1024,
    };
    let reply = transports.exec(request).await?;
    let strange = || super::unexpected(node, name, &reply);
    if reply.exit != 0 {
        return Err(strange().into());
    }
    let text = String::from_utf8_lossy(&reply.stdout);
    Ok(parse(&text).ok_or_else(strange)?)
}

fn parse(text: &str) -> Option<Answer> {
    let (first, rest) = text.split_once('\n')?;
    match first.split_once(' ') {
        None if first == "free" => Some(Answer::Free),
        Some(("ok", token)) => Some(Answer::Ok(token.parse().ok()?)),
        Some(("living", jobs)) => Some(Answer::Living(super::collect::one_line(jobs.as_bytes()))),
        Some(("held", token)) => {
            Some(Answer::Held(Holder { record: parse_record(rest), token: token.parse().ok()? }))
        }
        _ => None,
    }
}

/// None also for a record that is no one's: then nobody is known, and the token still is.
fn parse_record(text: &str) -> Option<LeaseRecord> {
    let mut lines = text.lines();
    let run = RunId::new(lines.next()?).ok()?;
    let controller = String::from_utf8(BASE64.decode(lines.next()?).ok()?).ok()?;
    let procedure = PluginName::new(lines.next()?).ok()?;
    let since = lines.next()?.parse().ok()?;
    Some(LeaseRecord { run, controller, procedure, since })
}
