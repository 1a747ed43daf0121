//! The record of a plugin's audit beside its file, `FILE.audit`, with a signature beside that, `FILE.audit.sig`, in a
//! namespace of its own: who signs plugins says where they come from, who signs records says what they were seen to do.
//!
//! A record is judged by writing it again: what is read must be byte for byte what windlass writes of it, so that
//! nobody signs what they did not see.

use super::detached::{Uncounted, signature_of, signer_of};
use super::error::ApprovalError;
use super::file::read;
use super::signature::Namespace;
use super::trust::Trust;
use crate::model::{CERTIFICATION_FORMAT, Certification, Digested, PluginName, Signer};
use camino::{Utf8Path, Utf8PathBuf};

/// Far more than any envelope.
const LONGEST: u64 = 16 << 20;

/// Where the record of a plugin's file stands.
pub fn record_beside(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.audit"))
}

/// A record as it was found, and the signature beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    pub bytes: Vec<u8>,
    pub signature: Option<Vec<u8>>,
}

/// Reads the record of a plugin's file; none where there is none.
pub fn record_of(file: &Utf8Path) -> Result<Option<RecordFile>, ApprovalError> {
    let path = record_beside(file);
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => {
            // What is too long is no record, and is judged as an empty one is.
            let bytes = read(&path, LONGEST, "record")?.unwrap_or_default();
            Ok(Some(RecordFile { bytes, signature: signature_of(&path)? }))
        }
    }
}

/// The plugin that a record is to be of.
#[derive(Debug, Clone, Copy)]
pub struct OfPlugin<'a> {
    pub kind: &'a str,
    pub name: &'a PluginName,
    /// Of the very bytes that are to be loaded, lower-case hex.
    pub sha256: &'a str,
    /// What would run it, where it is a script: the engine's name and, if there is one, its digest.
    pub engine: Option<(&'a str, Option<&'a str>)>,
}

/// A record that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    pub record: Certification,
    pub signer: Signer,
}

/// Why a record does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncertified {
    #[error("it is no record as `windlass certify` writes it: {0}")]
    Damaged(String),
    #[error("it has format {0}, and this windlass reads format {CERTIFICATION_FORMAT}: use a newer one")]
    Newer(u64),
    #[error("it is of {of}, {digest:.12}, and this is {wanted:.12}: a record does not carry over")]
    Other { of: String, digest: String, wanted: String },
    #[error("it has no signature beside it")]
    Unsigned,
    #[error("its signature: {0}")]
    Signature(Uncounted),
    #[error("the script was audited with {audited}, and {here}: another engine may make another thing of it")]
    Engine { audited: String, here: String },
}

impl Uncertified {
    /// Whether it would count nowhere, whomever a machine trusts and whatever engine it has.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::Signature(Uncounted::Nobody(_)) | Self::Engine { .. })
    }
}

impl RecordFile {
    /// Says who certified a plugin, if this record is of it and its signature counts now.
    pub fn judge(&self, of: &OfPlugin<'_>, trust: &Trust, now: i64) -> Result<Certified, Uncertified> {
        let record = self.parse()?;
        if record.sha256 != of.sha256 || record.kind != of.kind || record.name != *of.name {
            return Err(Uncertified::Other {
                of: format!("the {} {}", record.kind.escape_debug(), record.name),
                digest: record.sha256.escape_debug().to_string(),
                wanted: of.sha256.to_owned(),
            });
        }
        let signature = self.signature.as_deref().ok_or(Uncertified::Unsigned)?;
        let signer = signer_of(&self.bytes, signature, Namespace::Audit, trust, now)
            .map_err(Uncertified::Signature)?;
        engine(record.engine.as_ref(), of.engine)?;
        Ok(Certified { record, signer })
    }

    fn parse(&self) -> Result<Certification, Uncertified> {
        let damaged = |error: serde_json::Error| Uncertified::Damaged(error.to_string());
        // The format first: a newer one may have fields that this windlass does not know.
        let value: serde_json::Value = serde_json::from_slice(&self.bytes).map_err(damaged)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(CERTIFICATION_FORMAT) => return Err(Uncertified::Newer(found)),
            Some(found) if found == u64::from(CERTIFICATION_FORMAT) => {}
            _ => return Err(Uncertified::Damaged("it does not say its format".into())),
        }
        let record: Certification = serde_json::from_slice(&self.bytes).map_err(damaged)?;
        match record.encode().map_err(damaged)? == self.bytes {
            true => Ok(record),
            false => Err(Uncertified::Damaged("it is not written as windlass writes it".into())),
        }
    }
}

fn engine(audited: Option<&Digested>, here: Option<(&str, Option<&str>)>) -> Result<(), Uncertified> {
    let shown = |name: &str, digest: &str| {
        format!("{} {:.12}", name.escape_debug(), digest.escape_debug().to_string())
    };
    let with = audited.map_or("no engine".to_owned(), |one| shown(&one.name, &one.sha256));
    match (audited, here) {
        (None, None) => Ok(()),
        (Some(audited), Some((name, Some(digest)))) if audited.name == name && audited.sha256 == digest => {
            Ok(())
        }
        (_, here) => Err(Uncertified::Engine {
            audited: with,
            here: match here {
                None => "this runs on none".into(),
                Some((name, None)) => format!("this windlass was built without {name}"),
                Some((name, Some(digest))) => format!("this windlass has {}", shown(name, digest)),
            },
        }),
    }
}
