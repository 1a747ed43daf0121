//! Certificates, read and judged once in a process: the rehearsals of an audit read the same ones ten thousand times.

use super::once::Once;
use crate::capability::crypto::{self, CryptoError, PrivateKey};
use crate::model::Certificate;
use std::sync::Arc;

/// A certificate that was read.
pub(super) struct Known {
    pub der: Vec<u8>,
    public_key: Vec<u8>,
    /// None: it cannot be told.
    says: Option<Certificate>,
}

/// As [`crypto::read_certificate`].
pub(super) fn read(bytes: &[u8]) -> Result<Arc<Known>, CryptoError> {
    static READ: Once<Known> = Once::new();
    READ.of(&[bytes], || {
        let der = crypto::read_certificate(bytes)?.to_vec();
        let public_key = crypto::public_key_of(&der)?;
        Ok(Known { public_key, says: crypto::inspect(&der).ok(), der })
    })
}

/// As [`crypto::inspect`].
pub(super) fn inspect(bytes: &[u8]) -> Result<Certificate, CryptoError> {
    match &read(bytes)?.says {
        Some(says) => Ok(says.clone()),
        None => crypto::inspect(bytes),
    }
}

/// As [`crypto::verify_chain`].
pub(super) fn verify_chain(leaf: &[u8], root: &[u8], now: i64) -> Result<(), CryptoError> {
    static VERIFIED: Once<()> = Once::new();
    let verified = || crypto::verify_chain(leaf, root, now);
    VERIFIED.of(&[leaf, root, &now.to_le_bytes()], verified).map(drop)
}

impl Known {
    /// Whether this is the certificate of a key.
    pub fn is_of(&self, key: &PrivateKey) -> bool {
        key.is(&self.public_key)
    }
}
