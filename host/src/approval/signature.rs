//! SSH signatures, as `ssh-keygen -Y sign` makes and `-Y verify` checks them.
//!
//! The format is ssh-key's, the mathematics aws-lc-rs'. A namespace says what was meant: a signature of one is
//! worth nothing in another.

use super::error::SignatureError;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, Mpint, SshSig};
use std::fmt;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// A plan that may run.
    Plan,
    /// A plugin that may be loaded.
    Plugin,
    /// An audit's verdict.
    Audit,
    /// A run's report.
    Report,
}

impl Namespace {
    pub const ALL: [Self; 4] = [Self::Plan, Self::Plugin, Self::Audit, Self::Report];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "windlass-plan",
            Self::Plugin => "windlass-plugin",
            Self::Audit => "windlass-audit",
            Self::Report => "windlass-report",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key that signed, as far as a signature alone can tell: whose it is, [`Signers`](super::Signers) say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy(KeyData);

impl SignedBy {
    pub(super) fn of(key: KeyData) -> Self {
        Self(key)
    }

    pub(super) fn key(&self) -> &KeyData {
        &self.0
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }
}

/// Checks a signature over a file's bytes, and returns the key that made it.
pub fn verify(message: &[u8], signature: &[u8], namespace: Namespace) -> Result<SignedBy, SignatureError> {
    let parsed = SshSig::from_pem(signature).map_err(|_| SignatureError::Garbled)?;
    if parsed.namespace() != namespace.as_str() {
        // What stands there is a stranger's text, for a terminal.
        let found = parsed.namespace().chars().take(60).collect();
        return Err(SignatureError::Namespace { found, wanted: namespace.as_str() });
    }
    if !is_whole(&parsed, signature) {
        return Err(SignatureError::Garbled);
    }
    let signed = SshSig::signed_data(namespace.as_str(), parsed.hash_alg(), message)
        .map_err(|_| SignatureError::Garbled)?;
    check(parsed.public_key(), &parsed.algorithm(), &signed, parsed.signature_bytes())?;
    Ok(SignedBy(parsed.public_key().clone()))
}

/// Whether a signature's text is that of its parts and of nothing else. Lengths that lie, an older version and the
/// reserved field are read over by its parser, and under no signature.
fn is_whole(parsed: &SshSig, text: &[u8]) -> bool {
    let namespace = parsed.namespace().to_owned();
    let made =
        SshSig::new(parsed.public_key().clone(), namespace, parsed.hash_alg(), parsed.signature().clone());
    let Ok(made) = made.and_then(|made| made.to_pem(LineEnding::LF)) else { return false };
    // Lines may be broken elsewhere.
    let joined = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
    };
    joined(text) == joined(made.as_bytes())
}

fn check(
    key: &KeyData,
    algorithm: &Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let plain = |algorithm: &'static dyn VerificationAlgorithm, public: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(algorithm, public)
            .verify(message, signature)
            .map_err(|_| SignatureError::Wrong)
    };
    match (key, algorithm) {
        (KeyData::Ed25519(public), Algorithm::Ed25519) => plain(&ED25519, public.as_ref(), signature),
        (KeyData::Ecdsa(public), Algorithm::Ecdsa { curve }) if public.curve() == *curve => {
            let (verification, size): (&'static dyn VerificationAlgorithm, usize) = match curve {
                EcdsaCurve::NistP256 => (&ECDSA_P256_SHA256_FIXED, 32),
                EcdsaCurve::NistP384 => (&ECDSA_P384_SHA384_FIXED, 48),
                EcdsaCurve::NistP521 => return Err(unsupported(key)),
            };
            let fixed = two_numbers(signature, size).ok_or(SignatureError::Garbled)?;
            plain(verification, public.as_sec1_bytes(), &fixed)
        }
        (KeyData::Rsa(public), Algorithm::Rsa { hash: Some(hash) }) => {
            let (Some(n), Some(e)) = (public.n.as_positive_bytes(), public.e.as_positive_bytes()) else {
                return Err(SignatureError::Garbled);
            };
            let parameters = match hash {
                HashAlg::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                HashAlg::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
                _ => return Err(unsupported(key)),
            };
            if n.len() * 8 < 2048 {
                return Err(SignatureError::Unsupported("RSA keys begin at 2048 bits".into()));
            }
            RsaPublicKeyComponents { n, e }
                .verify(parameters, message, signature)
                .map_err(|_| SignatureError::Wrong)
        }
        _ => Err(unsupported(key)),
    }
}

pub(super) fn unsupported(key: &KeyData) -> SignatureError {
    SignatureError::Unsupported(format!(
        "keys of the type {} are not supported: use ed25519, ECDSA (nistp256, nistp384) or RSA",
        key.algorithm()
    ))
}

/// The two numbers of an ECDSA signature at their full length.
fn two_numbers(signature: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut fixed = Vec::with_capacity(2 * size);
    let mut rest = signature;
    for _ in 0..2 {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (number, after) = after.split_at_checked(length)?;
        let number = Mpint::from_bytes(number).ok()?;
        let number = number.as_positive_bytes()?;
        fixed.resize(fixed.len() + size.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
        rest = after;
    }
    rest.is_empty().then_some(fixed)
}
