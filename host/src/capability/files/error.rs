//! What went wrong with a file of a node.

use crate::model::{Fault, NodeName, code};
use crate::transport::TransportError;
use std::fmt;

/// What was attempted, on which file of which node, and why it did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}: {problem}")]
pub struct FilesError {
    pub attempt: Box<Attempt>,
    /// Part of the message already, so not a `source` that would be printed once more.
    pub problem: Problem,
}

/// Reads as `write ha-root-cert (/opt/…/root-ca.crt) on master1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub verb: &'static str,
    /// A file's or a set's name; empty where the work is on several.
    pub name: String,
    pub path: String,
    pub node: NodeName,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        write!(f, " on {}", self.node)
    }
}

/// Why. Details come from the node, with control characters made visible.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the token of the node's lease is {theirs}, and this run's is {}", shown(.ours))]
    Fenced { ours: Option<u64>, theirs: String },
    #[error("the disk is full")]
    DiskFull,
    /// A rule of the file's declaration.
    #[error("{0}")]
    Refused(&'static str),
    #[error("it is a symbolic link ({0}), and Windlass does not write through one")]
    Link(String),
    #[error("it is not of the declared kind (a file where a file is declared, a folder where a folder is)")]
    Kind,
    #[error("the folder {0} does not exist")]
    NoParent(String),
    #[error("the owner cannot be set to {0} by the service user")]
    Owner(String),
    #[error("the service user may not read {0}")]
    NotPermitted(String),
    #[error("it is too large: {0}")]
    TooLarge(String),
    #[error("what arrived on the node is not what was sent")]
    Damaged,
    #[error("it changed while it was being copied")]
    Moving,
    #[error("{0} is not staged")]
    NotStaged(String),
    #[error("another swap of that name, with other files, is recorded in {0}")]
    OtherSwap(String),
    #[error("{0} is neither what was staged nor what was swapped in")]
    Disturbed(String),
    #[error("half of the set is in place already ({0})")]
    Half(String),
    #[error("it was not saved by this run")]
    NotSaved,
    #[error("the saved copy in {0} is not what was saved")]
    Tampered(String),
    #[error("{0}")]
    Failed(String),
}

fn shown(token: &Option<u64>) -> String {
    token.map_or_else(|| "none".into(), |token| token.to_string())
}

impl FilesError {
    /// Returns what a guest is answered. The message carries no bytes of any file.
    pub fn to_fault(&self) -> Fault {
        use Problem::*;
        let node = &self.attempt.node;
        let fault = |code| Fault::new(code, self.to_string());
        match &self.problem {
            Transport(TransportError::TimedOut { .. }) => fault(code::TIMEOUT),
            // Neither says how far the script got, so it is not `unreachable`.
            Transport(TransportError::Lost { .. } | TransportError::Unexpected { .. }) => {
                fault(code::FAILED).hint("windlass resume")
            }
            Transport(_) => fault(code::UNREACHABLE),
            Fenced { .. } => fault(code::REFUSED)
                .hint(format!("another run has taken {node} over: see it with `windlass runs list`")),
            DiskFull => fault(code::FAILED).hint(format!(
                "free some room on {node} where {} lies, then `windlass resume`",
                self.attempt.path
            )),
            Refused(_) => fault(code::REFUSED),
            Link(_) => fault(code::REFUSED).hint("name the link's target as the file's path in the profile"),
            Kind => fault(code::REFUSED).hint(format!("look at {} on {node}", self.attempt.path)),
            NoParent(folder) => {
                fault(code::FAILED).hint(format!("check the path in the profile, or make {folder} on {node}"))
            }
            Owner(_) => fault(code::FAILED)
                .hint("declare owner = \"keep\", or correct the file's owner on the node as root"),
            NotPermitted(_) => fault(code::FAILED).hint("check owner and mode on the node"),
            TooLarge(_) => fault(code::REFUSED),
            Damaged | Moving => fault(code::FAILED).hint("windlass resume"),
            NotStaged(_) | NotSaved => fault(code::UNKNOWN),
            OtherSwap(_) | Half(_) => {
                fault(code::REFUSED).hint("swap that set in again, or restore its files and discard it")
            }
            Disturbed(path) => fault(code::FAILED).hint(format!(
                "something else changed {path} on {node}; find out what, then restore the file"
            )),
            Tampered(_) => fault(code::REFUSED)
                .hint(format!("compare the copy with the file on {node}, and put it back by hand")),
            Failed(_) => fault(code::FAILED),
        }
    }
}
