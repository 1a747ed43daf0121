//! Certificates, read and judged once in a process: the rehearsals of an audit read the same ones ten thousand times.

use super::pool::made_once;
use crate::capability::crypto::{self, CryptoError, PrivateKey};
use crate::model::Certificate;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A certificate that was read.
pub(super) struct Known {
    pub der: Vec<u8>,
    public_key: Vec<u8>,
    /// None: it cannot be told.
    says: Option<Certificate>,
}

/// By the SHA-256 of what it was read of.
static KNOWN: LazyLock<Mutex<HashMap<Vec<u8>, Arc<Known>>>> = LazyLock::new(Mutex::default);
/// As many as are kept.
const MOST_KNOWN: usize = 10_000;

/// As [`crypto::read_certificate`].
pub(super) fn read(bytes: &[u8]) -> Result<Arc<Known>, CryptoError> {
    let name = digest(&SHA256, bytes).as_ref().to_vec();
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(one) = known().get(&name) {
        return Ok(one.clone());
    }
    let der = crypto::read_certificate(bytes)?.to_vec();
    let public_key = crypto::public_key_of(&der)?;
    let one = Arc::new(Known { public_key, says: crypto::inspect(&der).ok(), der });
    let mut known = known();
    if known.len() < MOST_KNOWN {
        known.insert(name, one.clone());
    }
    Ok(one)
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
    let verified = || crypto::verify_chain(leaf, root, now).map(|()| Vec::new());
    made_once(&[b"chain", leaf, root, &now.to_le_bytes()], verified).map(drop)
}

impl Known {
    /// Whether this is the certificate of a key.
    pub fn is_of(&self, key: &PrivateKey) -> bool {
        key.is(&self.public_key)
    }
}
