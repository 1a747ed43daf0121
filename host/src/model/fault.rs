//! Why an effect did not happen, as a guest sees it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The codes of `fault` in `wit/types.wit`. The set is open; these are the ones the host makes.
pub mod code {
    pub const DENIED: &str = "denied";
    pub const NOT_ASKED: &str = "not-asked";
    pub const UNKNOWN: &str = "unknown";
    pub const INVALID: &str = "invalid";
    pub const UNREACHABLE: &str = "unreachable";
    pub const TIMEOUT: &str = "timeout";
    pub const FAILED: &str = "failed";
    pub const REFUSED: &str = "refused";
    pub const DECLINED: &str = "declined";
    /// A procedure's own, from `steps`.
    pub const PREFLIGHT: &str = "preflight";
    /// A procedure's own, from `undo`.
    pub const NO_WAY_BACK: &str = "no-way-back";
    /// A procedure's own, from `apply`.
    pub const GO_BACK: &str = "go-back";
    /// A hook's veto, in the journal.
    pub const VETO: &str = "veto";
}

/// What a guest is answered where something did not happen. Never carries secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Fault {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: String::new() }
    }
    /// What happened, and what to do next in parentheses.
    pub fn in_full(&self) -> String {
        match self.hint.as_str() {
            "" => self.message.clone(),
            hint => format!("{} ({hint})", self.message),
        }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Fault {}
