//! Keys and certificates: made, read and judged on the controller. Pure but for randomness: no node, no
//! file, no clock (`now` is an argument, in seconds since 1970 UTC).
//!
//! Everything read here may come from a hostile node or a careless hand: input is capped, parsing never
//! panics, and names are escaped before they reach a terminal. Certificates are written by rcgen, signed by
//! aws-lc-rs, read by x509-parser, and chains are judged by rustls-webpki after our own checks have had the
//! chance to say what is wrong in an operator's words. Neighbours: `secrets` holds passphrases, `cluster`
//! fetches the certificates that nodes serve.

mod ahead;
mod algorithm;
mod certificate;
mod encrypted;
mod error;
mod inspect;
mod issue;
mod key;
mod name;
mod pem;
mod verify;

pub use ahead::KeysAhead;
pub use algorithm::KeyAlgorithm;
pub use certificate::{MAX_INPUT, public_key_of, read_certificate, to_pem};
pub use error::CryptoError;
pub use inspect::{inspect, inspect_request};
pub use issue::{
    LeafRequest, Serial, check_issuer, check_request, check_signing_request, issue, issue_numbered, request,
    self_sign, self_sign_numbered,
};
pub use key::{KeyFit, PrivateKey, key_fit};
pub use verify::{check_ca, check_issued, check_supplied_ca, check_supplied_certificate, verify_chain};

pub(crate) use verify::verify_with_key_of;

#[cfg(test)]
mod interop;
#[cfg(test)]
mod proofs;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use crate::model::hex;
