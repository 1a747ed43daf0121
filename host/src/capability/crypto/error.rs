//! Why a key or a certificate is not what was wanted, in an operator's words.

use crate::model::code;

/// Never carries a byte of a key or a passphrase. Names out of certificates are escaped already.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    #[error("there is no key algorithm {given:?}; did you mean {nearest}?")]
    UnknownAlgorithm { given: String, nearest: String },
    #[error("{what} is too weak: {why}")]
    Weak { what: String, why: &'static str },
    #[error("{what} cannot be used: {why}")]
    Unusable { what: &'static str, why: String },
    #[error(
        "the private key cannot be read: {why}; `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf \
         hmacWithSHA256 -in OLD -out NEW` writes what is read here"
    )]
    Key { why: String },
    #[error("the private key is encrypted and no passphrase was given; name its secret")]
    PassphraseMissing,
    #[error("the private key does not open: the passphrase is wrong, or the key file is damaged")]
    Passphrase,
    #[error("the certificate cannot be read: {why}")]
    Certificate { why: String },
    #[error("{what}: {why}")]
    Argument { what: String, why: String },
    #[error("{subject} is not a CA that may issue: {why}")]
    NotACa { subject: String, why: &'static str },
    #[error("{leaf} was issued by {issuer}, not by {root}{note}")]
    OtherIssuer { leaf: String, issuer: String, root: String, note: &'static str },
    #[error(
        "{leaf} was issued by another key of {root}: its authority key identifier is {authority}, the root's \
         subject key identifier is {subject}"
    )]
    OtherKey { leaf: String, root: String, authority: String, subject: String },
    #[error("the signature of {subject} was not made with the key of {issuer}")]
    Signature { subject: String, issuer: String },
    #[error("{subject} is not valid before {from} (it is {now}); is the clock right?")]
    NotYetValid { subject: String, from: String, now: String },
    #[error("{subject} expired at {until} (it is {now})")]
    Expired { subject: String, until: String, now: String },
    #[error(
        "the certificate would outlive its CA: it would end at {until}, the CA ends at {ca_until}; ask for \
         {days} days or fewer"
    )]
    OutlivesCa { until: String, ca_until: String, days: i64 },
    #[error("the private key is not the key of {subject}")]
    KeyMismatch { subject: String },
    #[error("{leaf} does not verify against {root}: {why}")]
    Rejected { leaf: String, root: String, why: String },
    #[error("the supplied CA is refused: {source}; {next}")]
    SuppliedCa { source: Box<CryptoError>, next: &'static str },
    #[error("the cryptography library failed to {what}; nothing was changed")]
    Library { what: &'static str },
}

impl CryptoError {
    /// Returns the code of `fault` in the contract that tells a plugin the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownAlgorithm { .. }
            | Self::Unusable { .. }
            | Self::Key { .. }
            | Self::PassphraseMissing
            | Self::Certificate { .. }
            | Self::Argument { .. } => code::INVALID,
            Self::Weak { .. }
            | Self::OutlivesCa { .. }
            | Self::KeyMismatch { .. }
            | Self::SuppliedCa { .. } => code::REFUSED,
            Self::Passphrase
            | Self::NotACa { .. }
            | Self::OtherIssuer { .. }
            | Self::OtherKey { .. }
            | Self::Signature { .. }
            | Self::NotYetValid { .. }
            | Self::Expired { .. }
            | Self::Rejected { .. }
            | Self::Library { .. } => code::FAILED,
        }
    }
}

/// Writes seconds since 1970 as an operator reads them.
pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s since 1970"), |time| time.to_string())
}
