//! How a script gets to a node and its output back: ssh, or a local folder that stands for a node.
//!
//! There is one operation: run a constant POSIX `sh` script as a user of a node, arguments and data on
//! its standard input. Nothing is ever quoted into a command line.

use crate::model::NodeName;
use std::time::Duration;
use zeroize::Zeroizing;

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

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing is known to have run.
    #[error("{node} cannot be reached: {why}")]
    Unreachable { node: NodeName, why: String },
    /// It was sent; whether and how far it ran is not known.
    #[error("the connection to {node} was lost during {script}: {why}")]
    Lost { node: NodeName, script: &'static str, why: String },
    #[error("{script} on {node} did not finish within {timeout:?}")]
    TimedOut { node: NodeName, script: &'static str, timeout: Duration },
    #[error("the host key of {node} is not the one that is known: {why}")]
    HostKey { node: NodeName, why: String },
    #[error("{user} cannot be reached on {node}: {why}")]
    Become { node: NodeName, user: String, why: String },
}
