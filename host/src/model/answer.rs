//! What an effect is answered with, and the records answers are made of.

use super::effect::base64_bytes;
use super::{Fault, NodeName};
use serde::{Deserialize, Serialize};

/// The answer to an effect, by shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Done,
    Members(Vec<Member>),
    Outcome(Outcome),
    /// What came of an effect that is done on each of its nodes.
    #[serde(rename = "outcomes")]
    Each(Vec<MemberAnswer>),
    /// Milliseconds: an offset or a time since 1970 UTC.
    Milliseconds(i64),
    Stat(Option<FileStat>),
    Text(Option<String>),
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
    Number(u64),
    Health(Vec<Health>),
    Certificate(Box<Certificate>),
    KeySet(Option<KeySet>),
    Quarantined(Vec<Quarantine>),
    Words(Vec<String>),
    Yes(bool),
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: NodeName,
    /// `first`, `second` or empty.
    pub role: String,
    pub groups: Vec<String>,
}

/// How a named command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub succeeded: bool,
    pub exit: i32,
    pub reason: String,
    pub output: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAnswer {
    pub node: NodeName,
    pub answer: Result<Answer, Fault>,
}

/// What a key set is, without its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// SHA-256 over all that decides what it seals and opens, lower-case hex.
    pub fingerprint: String,
    /// In the order in which they were added.
    pub versions: Vec<KeyVersion>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    pub number: u32,
    /// New values are sealed under it.
    pub primary: bool,
    /// It opens what was sealed under it.
    pub enabled: bool,
}

/// A node that is out of step with the others, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub node: NodeName,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    pub size: u64,
    /// Octal, four digits.
    pub mode: String,
    pub owner: String,
    pub group: String,
    /// Seconds since 1970 UTC.
    pub modified: i64,
}

/// One row of a product's health table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub reporter: NodeName,
    /// Empty where the row's host is none of the site's nodes.
    pub node: String,
    pub role: String,
    pub state: String,
    pub phase: String,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// Seconds since 1970 UTC.
    pub not_before: i64,
    pub not_after: i64,
    pub key_algorithm: String,
    pub signature_algorithm: String,
    pub can_issue: bool,
    pub subject_key_id: String,
    pub authority_key_id: String,
    pub names: Vec<String>,
}

/// One thing a procedure verified, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub title: String,
    pub passed: bool,
    pub evidence: Vec<Entry>,
}
