//! Why a key set or a sealed value is not what was wanted, in an operator's words.

use crate::model::code;
use camino::Utf8PathBuf;

/// Never carries a byte of a key or of a value.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the key set cannot be read: {why}")]
    Unreadable { why: String },
    #[error("the key set has no version {number}; it has {there}")]
    NoVersion { number: u32, there: String },
    #[error("version {number} is the one that new values are sealed under; it cannot be retired")]
    Primary { number: u32 },
    #[error("the key set has {0} versions, and holds no more: retire what nothing needs")]
    TooMany(usize),
    #[error("the value is {why}")]
    Value { why: &'static str },
    #[error("the sealed value is {length} bytes long, and none is shorter than {least}: it was cut off")]
    Truncated { length: usize, least: usize },
    #[error(
        "the value is sealed under version {number}, which the key set does not have; it has {there}. It was \
         sealed with another key set, or that version was retired"
    )]
    UnknownVersion { number: u32, there: String },
    #[error("the value is sealed under version {number}, which is disabled in the key set")]
    Disabled { number: u32 },
    #[error("the sealed value does not open: it was changed, or it was sealed for another name")]
    Damaged,
    #[error("{name:?} is no name of a secret: {why}")]
    Name { name: String, why: &'static str },
    #[error("there is no secret {name}; `windlass secret list` names those that there are")]
    NoItem { name: String },
    #[error("the store of sealed values {path} could not be {what}")]
    Store { what: &'static str, path: Utf8PathBuf, source: rusqlite::Error },
    #[error("the store of sealed values {path} has format {found}, which this windlass does not know")]
    Format { path: Utf8PathBuf, found: i64 },
    #[error("the folder of the store, {path}, cannot be used")]
    Folder { path: Utf8PathBuf, source: std::io::Error },
    #[error("the cryptography library failed to {what}; nothing was changed")]
    Library { what: &'static str },
}

impl KeyringError {
    /// Returns the code of `fault` in the contract that tells a plugin the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoVersion { .. } | Self::UnknownVersion { .. } | Self::NoItem { .. } => code::UNKNOWN,
            Self::Primary { .. } | Self::TooMany(_) | Self::Disabled { .. } => code::REFUSED,
            Self::Unreadable { .. }
            | Self::Value { .. }
            | Self::Truncated { .. }
            | Self::Damaged
            | Self::Name { .. } => code::INVALID,
            Self::Store { .. } | Self::Format { .. } | Self::Folder { .. } | Self::Library { .. } => {
                code::FAILED
            }
        }
    }
}
