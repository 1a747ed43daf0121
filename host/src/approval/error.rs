//! What is wrong with a plan, a key, a signature, or those who are trusted to sign.

use camino::Utf8PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("{path}, which a plan covers, cannot be read")]
    Covered { path: Utf8PathBuf, source: std::io::Error },
    #[error("the {what} {path} cannot be read")]
    Read { what: &'static str, path: Utf8PathBuf, source: std::io::Error },
    #[error("{path} cannot be written")]
    Write { path: Utf8PathBuf, source: std::io::Error },
    #[error("{path} is no plan: {why}")]
    NotAPlan { path: Utf8PathBuf, why: String },
    #[error(
        "the plan {path} has format {found}, and this windlass knows {known}: use the windlass that made it, or a newer one"
    )]
    NewerPlan { path: Utf8PathBuf, found: u64, known: u32 },
    #[error("the key {path} cannot be used: {why}")]
    Key { path: Utf8PathBuf, why: String },
    #[error("the ssh agent cannot be used: {why}")]
    Agent { why: String },
    #[error("no signature could be made: {why}")]
    Sign { why: String },
    #[error("{path} is not as it must be:\n  {}", .mistakes.join("\n  "))]
    Trusted { path: Utf8PathBuf, mistakes: Vec<String> },
    #[error("{path} cannot say whom to trust: {why}")]
    Unsafe { path: Utf8PathBuf, why: String },
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is no SSH signature")]
    Garbled,
    #[error("it was made for {found:?}, not for {wanted:?}")]
    Namespace { found: String, wanted: &'static str },
    #[error("it is not a signature of this file: the file was edited, or it is another's")]
    Wrong,
    #[error("{0}")]
    Unsupported(String),
}
