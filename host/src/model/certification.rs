//! What stands in the record of an audit: what a reviewer signs when they let a plugin in.

use super::audit::{Envelope, Level, Verdict};
use super::{Digested, PluginName};
use serde::{Deserialize, Serialize};

pub const CERTIFICATION_FORMAT: u32 = 1;

/// A plugin that was audited, and what was found tolerable about it. It holds for these bytes and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certification {
    pub format: u32,
    /// `procedure` or `hook`.
    pub kind: String,
    pub name: PluginName,
    /// The plugin's own.
    pub version: String,
    /// Of the file, lower-case hex.
    pub sha256: String,
    /// What runs it, where it is a script: that decides what it does as its own text does.
    pub engine: Option<Digested>,
    pub verdict: Verdict,
    /// Every finding above a note, and such notes as somebody had something to say of; by id.
    pub accepted: Vec<Accepted>,
    /// In how many rehearsals the envelope was seen.
    pub rehearsals: u32,
    pub envelope: Envelope,
    /// The version of windlass that audited.
    pub windlass: String,
    /// Who made the record, to be read: whose signature counts is judged of the signature.
    pub by: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

impl Certification {
    /// The record as it is written, and signed; of equal ones the same bytes.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// A finding that somebody took the responsibility for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    pub id: String,
    pub level: Level,
    /// What was found.
    pub message: String,
    /// Why it is tolerable.
    pub reason: String,
}
