//! What went wrong, as an operator reads it, and the exit code that says its kind.

use std::error::Error as StdError;
use std::fmt::Write as _;

/// The exit codes of the whole tree of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed or declined; the cluster is as it was.
    Failed = 1,
    /// Usage or site error.
    Usage = 2,
    /// Grant, veto, signature, approval, certification.
    Refused = 3,
    /// Preflight: node, health, lease held.
    Preflight = 4,
    /// Paused: action needed, and it was printed.
    Paused = 5,
    /// Done, but an after-hook failed.
    HookFailed = 6,
    /// Findings (`audit`, `status`).
    Findings = 10,
    /// A fault of windlass itself.
    Fault = 70,
    /// Interrupted twice.
    Interrupted = 130,
}

/// An error at the edge: what was attempted, why not, and what to type next.
#[derive(Debug)]
pub struct Error {
    pub exit: Exit,
    pub message: String,
    pub causes: Vec<String>,
    pub hints: Vec<String>,
}

impl Error {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Makes an error of any other, its chain of sources as causes.
    pub fn from_error(exit: Exit, error: &(dyn StdError + 'static)) -> Self {
        let mut made = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            made.causes.push(cause.to_string());
            source = cause.source();
        }
        made
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the error as it is printed to stderr, without a trailing newline.
    pub fn render(&self) -> String {
        let mut text = format!("error: {}", self.message);
        for cause in &self.causes {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  because: {cause}");
        }
        for hint in &self.hints {
            let _ = write!(text, "\n  next: {hint}");
        }
        text
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl StdError for Error {}

pub type Result<T = Exit> = std::result::Result<T, Error>;
