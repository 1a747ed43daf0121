//! One signature beside a file, `FILE.sig`, as `ssh-keygen -Y sign` writes it: who made it, and whether it counts.

use super::error::ApprovalError;
use super::file::{LONGEST_SIGNATURE, read, write};
use super::signature::{Namespace, verify};
use super::trust::Trust;
use crate::model::Signer;
use camino::{Utf8Path, Utf8PathBuf};

/// Where the signature of a file stands.
pub fn beside(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.sig"))
}

/// Reads the signature beside a file; none where there is none.
pub fn signature_of(file: &Utf8Path) -> Result<Option<Vec<u8>>, ApprovalError> {
    let path = beside(file);
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // What is too long is no signature, and is judged as an empty one is.
        _ => Ok(Some(read(&path, LONGEST_SIGNATURE, "signature")?.unwrap_or_default())),
    }
}

/// Writes a signature beside the file that it is of, in the place of an earlier one.
pub fn write_signature(file: &Utf8Path, signature: &str) -> Result<Utf8PathBuf, ApprovalError> {
    let path = beside(file);
    write(&path, signature.as_bytes())?;
    Ok(path)
}

/// Why a signature of a file does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// It is none of these bytes, whoever made it.
    #[error(transparent)]
    Bad(#[from] super::SignatureError),
    /// It is one, by somebody who is not trusted with it now.
    #[error("{0}")]
    Nobody(String),
}

/// Returns who signed these bytes, if that one is trusted to at this time.
pub fn signer_of(
    bytes: &[u8],
    signature: &[u8],
    namespace: Namespace,
    trust: &Trust,
    now: i64,
) -> Result<Signer, Uncounted> {
    let by = verify(bytes, signature, namespace)?;
    match trust.signers.who(&by, namespace, now) {
        Ok(person) => Ok(Signer { principal: person.name, key: by.fingerprint() }),
        Err(why) => Err(Uncounted::Nobody(why)),
    }
}
