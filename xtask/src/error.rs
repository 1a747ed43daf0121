//! What can go wrong in a task, in the words of the one who typed it.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Usage(String),

    #[error("start `{what}`")]
    Start { what: String, source: std::io::Error },

    #[error("`{what}` failed ({status})")]
    Failed { what: String, status: std::process::ExitStatus },

    #[error("`{what}` did not end within {seconds} s and was ended")]
    TimedOut { what: String, seconds: u64 },

    #[error("{action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("`{what}` answered something unexpected: {reason}")]
    Answer { what: String, reason: String },

    #[error("{}: {reason}", path.display())]
    Input { path: PathBuf, reason: String },

    #[error("{title} is missing: {remedy}")]
    Missing { title: String, remedy: String },

    #[error("{title}:\n{details}")]
    Check { title: String, details: String },
}

/// Gives an I/O error the action and the path it belongs to.
pub fn at(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::File { action, path, source }
}
