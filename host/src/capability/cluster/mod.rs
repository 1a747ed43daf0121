//! What a cluster says of itself, and what it really serves.
//!
//! Three probes, none of which changes anything: the product's health table ([`oms_status`]), the
//! certificate that an endpoint presents in a handshake ([`served`]), the manager's page ([`manager`]).
//! Everything a node says is hostile until parsed: capped, and escaped before it is shown. Neighbours:
//! `transport` brings the table from a node, `crypto` reads the certificates.

mod error;
mod manager;
pub mod oms_status;
mod served;
#[cfg(test)]
mod tests;

pub use error::ClusterError;
pub use manager::manager;
pub use served::served;

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The one provider of cryptography, handed over wherever TLS is spoken: none is installed for the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A node's own words, fit for a message: one line, harmless, at most 100 characters.
fn shown(words: &str) -> String {
    words.chars().take(100).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
