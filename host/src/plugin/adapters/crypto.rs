//! `crypto`: keys and certificates of the run, by name.

use super::super::bindings::crypto::{Certificate, CertificateSource, Host};
use super::super::bindings::types::Entry;
use super::super::call::Guest;
use super::{Imported, answer, entries, key, name};
use crate::model::{self, Answer, Effect, Fault};

impl Host for Guest {
    async fn generate_key(&mut self, object: String, algorithm: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::CryptoGenerateKey { name: name(object)?, algorithm: key("algorithm", algorithm)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn prepare_key(&mut self, algorithm: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::CryptoPrepareKey { algorithm: key("algorithm", algorithm)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn self_sign(
        &mut self,
        object: String,
        key: String,
        subject: Vec<Entry>,
        days: u32,
    ) -> Imported<Certificate> {
        self.perform(
            || {
                Ok(Effect::CryptoSelfSign {
                    name: name(object)?,
                    key: name(key)?,
                    subject: entries(subject),
                    days,
                })
            },
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn issue(
        &mut self,
        object: String,
        ca: String,
        ca_key: String,
        key: String,
        subject: Vec<Entry>,
        names: Vec<String>,
        days: u32,
    ) -> Imported<Certificate> {
        self.perform(
            || {
                Ok(Effect::CryptoIssue {
                    name: name(object)?,
                    ca: name(ca)?,
                    ca_key: name(ca_key)?,
                    key: name(key)?,
                    subject: entries(subject),
                    names,
                    days,
                })
            },
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn request(&mut self, key: String, subject: Vec<Entry>, names: Vec<String>) -> Imported<Vec<u8>> {
        self.perform(
            || Ok(Effect::CryptoRequest { key: name(key)?, subject: entries(subject), names }),
            answer!(Answer::Bytes(bytes) => bytes),
        )
        .await
    }

    async fn accept(&mut self, object: String, key: String, certificate: Vec<u8>) -> Imported<Certificate> {
        self.perform(
            || Ok(Effect::CryptoAccept { name: name(object)?, key: name(key)?, certificate }),
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn accept_ca(&mut self, object: String, certificate: Vec<u8>) -> Imported<Certificate> {
        self.perform(
            || Ok(Effect::CryptoAcceptCa { name: name(object)?, certificate }),
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn supplied_ca(
        &mut self,
        object: String,
        key: String,
        passphrase: String,
    ) -> Imported<Certificate> {
        self.perform(
            || {
                Ok(Effect::CryptoSuppliedCa {
                    name: name(object)?,
                    key: name(key)?,
                    passphrase: name(passphrase)?,
                })
            },
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn inspect(&mut self, source: CertificateSource) -> Imported<Certificate> {
        self.perform(
            || Ok(Effect::CryptoInspect { source: self::source(source)? }),
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn check_key(
        &mut self,
        node: String,
        file: String,
        passphrase: String,
        certificate: CertificateSource,
    ) -> Imported<String> {
        self.perform(
            || {
                Ok(Effect::CryptoCheckKey {
                    node: name(node)?,
                    file: name(file)?,
                    passphrase: name(passphrase)?,
                    certificate: source(certificate)?,
                })
            },
            answer!(Answer::Text(Some(code)) => code),
        )
        .await
    }

    async fn verify_chain(&mut self, leaf: CertificateSource, root: CertificateSource) -> Imported<()> {
        self.perform(
            || Ok(Effect::CryptoVerifyChain { leaf: source(leaf)?, root: source(root)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }
}

fn source(source: CertificateSource) -> Result<model::CertificateSource, Fault> {
    Ok(match source {
        CertificateSource::Object(object) => model::CertificateSource::Object(name(object)?),
        CertificateSource::Bytes(bytes) => model::CertificateSource::Bytes(bytes),
    })
}

impl From<model::Certificate> for Certificate {
    fn from(certificate: model::Certificate) -> Self {
        Self {
            subject: certificate.subject,
            issuer: certificate.issuer,
            serial: certificate.serial,
            fingerprint: certificate.fingerprint,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            key_algorithm: certificate.key_algorithm,
            signature_algorithm: certificate.signature_algorithm,
            can_issue: certificate.can_issue,
            subject_key_id: certificate.subject_key_id,
            authority_key_id: certificate.authority_key_id,
            names: certificate.names,
        }
    }
}
