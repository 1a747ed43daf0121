//! Conveniences on the contract's records.

use crate::{CertificateSource, Content, EncryptedKey, Entry, Fault, SourceFile};

impl Fault {
    /// Returns a fault with one of the contract's codes, or a code of the plugin's own: the set is open.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: String::new() }
    }

    /// Returns a fault that says: it ran, and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new("failed", message)
    }

    /// Adds what the operator should do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says whether the fault has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

impl Entry {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Content {
    /// A certificate of this run, as PEM.
    pub fn certificate(name: &str) -> Self {
        Self::Certificate(name.into())
    }

    /// A private key of this run, encrypted under a secret of this run.
    pub fn key(name: &str, passphrase: &str) -> Self {
        Self::Key(EncryptedKey { key: name.into(), passphrase: passphrase.into() })
    }

    /// The bytes of a secret of this run.
    pub fn secret(name: &str) -> Self {
        Self::Secret(name.into())
    }

    /// The bytes of a file of a node.
    pub fn file(node: &str, file: &str) -> Self {
        Self::File(SourceFile { node: node.into(), file: file.into() })
    }
}

impl CertificateSource {
    /// A certificate of this run.
    pub fn object(name: &str) -> Self {
        Self::Object(name.into())
    }
}
