//! What went wrong before a command could end.

use crate::model::{CommandName, Fault, NodeName, code};
use crate::transport::TransportError;
use crate::transport::jobs::JobError;
use std::time::Duration;

/// No variant carries a secret, nor what a command printed. Causes are part of the messages.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    #[error("${{{variable}}} has no value on {node}: {why}")]
    Variable { node: NodeName, variable: String, why: String },
    #[error("ask for the login environment of {user} on {node}: {cause}")]
    Environment { node: NodeName, user: String, cause: TransportError },
    #[error("{what} of {node} is not a usable path ({path:?}): {why}")]
    Path { node: NodeName, what: String, path: String, why: &'static str },
    #[error("the argument {argument:?} of {command}: {why}")]
    Argument { command: CommandName, argument: String, why: String },
    #[error("{command} on {node}: {why}")]
    Declaration { command: CommandName, node: NodeName, why: String },
    #[error("run {command} on {node}: {cause}")]
    Transport { command: CommandName, node: NodeName, cause: TransportError },
    #[error("run {command} on {node}: {cause}")]
    Job { command: CommandName, node: NodeName, cause: Box<JobError> },
    #[error("run {command} on {node}: {why}")]
    Start { command: CommandName, node: NodeName, why: String },
    #[error("{command} on {node} did not finish within {timeout:?}")]
    TimedOut { command: CommandName, node: NodeName, timeout: Duration },
    #[error("look for the product's folders on {node}: {cause}")]
    Folders { node: NodeName, cause: TransportError },
    #[error("which profile the site has cannot be told: {why}")]
    NoProfile { why: String },
    #[error("{command} asks {url}: {why}")]
    Request { command: CommandName, url: String, why: String },
}

impl NodesError {
    /// Returns what a guest is answered.
    pub fn to_fault(&self) -> Fault {
        use NodesError::*;
        let fault = |code| Fault::new(code, self.to_string());
        match self {
            Variable { variable, .. } => fault(code::INVALID)
                .hint(format!("set it there, or give `{variable}` a value under [vars] in site.toml")),
            Path { .. } => fault(code::INVALID).hint("see it resolved with `windlass site explain`"),
            Argument { .. } => fault(code::INVALID),
            Declaration { .. } => fault(code::REFUSED).hint("correct the command in the profile"),
            Transport { cause: TransportError::TimedOut { .. }, .. } | TimedOut { .. } => {
                fault(code::TIMEOUT)
            }
            // It may have run, so it is not `unreachable`.
            Transport { cause: TransportError::Lost { .. } | TransportError::Unexpected { .. }, .. } => {
                fault(code::FAILED)
            }
            Transport { .. } | Environment { .. } | Folders { .. } | Request { .. } => {
                fault(code::UNREACHABLE)
            }
            NoProfile { .. } => {
                fault(code::INVALID).hint("name it in site.toml, as profile = \"mrs-3\" under [site]")
            }
            Job { cause, .. } => match **cause {
                JobError::Transport(
                    TransportError::Unreachable { .. }
                    | TransportError::HostKey { .. }
                    | TransportError::Become { .. }
                    | TransportError::Setup { .. },
                ) => fault(code::UNREACHABLE),
                JobError::Fenced { .. } => fault(code::REFUSED),
                JobError::Transport(_) | JobError::Vanished { .. } => {
                    fault(code::FAILED).hint("whether it ran is not known; `windlass resume` finds out")
                }
                _ => fault(code::FAILED),
            },
            Start { .. } => fault(code::FAILED),
        }
    }
}
