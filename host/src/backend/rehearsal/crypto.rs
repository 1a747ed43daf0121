//! Keys and certificates: real ones, of the fixed pool and with serial numbers that are the same each time.

use super::content::{issued, self_signed};
use super::once::Once;
use super::{Rehearsal, certificates};
use crate::backend::fault;
use crate::backend::file_faults::missing;
use crate::capability::crypto::{self, KeyAlgorithm, KeyFit, LeafRequest, key_fit};
use crate::capability::objects::Object;
use crate::model::{Answer, CertificateSource, Effect, Entry, Fault, ObjectName, PluginName, code};
use std::sync::Arc;

/// Days that the CA is valid that a rehearsal supplies.
const SUPPLIED_DAYS: u32 = 3_650;

impl Rehearsal {
    pub(super) fn crypto(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        let objects = &self.objects;
        match effect {
            Effect::CryptoGenerateKey { name, algorithm } => {
                self.free(plugin, name)?;
                let algorithm: KeyAlgorithm = algorithm.parse().map_err(fault(code::REFUSED))?;
                let key = self.cluster().pool.draw(algorithm)?;
                objects.add(plugin, name, Object::Key(key))?;
                Ok(Answer::Done)
            }
            Effect::CryptoPrepareKey { algorithm } => {
                let _: KeyAlgorithm = algorithm.parse().map_err(fault(code::REFUSED))?;
                Ok(Answer::Done)
            }
            Effect::CryptoSelfSign { name, key, subject, days } => {
                self.free(plugin, name)?;
                let key = objects.key(plugin, key)?;
                let (serial, now) = self.serial_now();
                let der = self_signed(&key, subject, *days, now, serial).map_err(fault(code::INVALID))?;
                self.keep(plugin, name, der.to_vec())
            }
            Effect::CryptoIssue { name, ca, ca_key, key, subject, names, days } => {
                self.free(plugin, name)?;
                let (ca, ca_key) = (objects.certificate(plugin, ca)?, objects.key(plugin, ca_key)?);
                let key = objects.key(plugin, key)?;
                let request = LeafRequest { key: &key, subject, names, days: *days };
                let (serial, now) = self.serial_now();
                let der = issued(&ca, &ca_key, request, now, serial).map_err(fault(code::REFUSED))?;
                self.keep(plugin, name, der.to_vec())
            }
            Effect::CryptoRequest { key, subject, names } => {
                let key = objects.key(plugin, key)?;
                let made = crypto::request(&key, subject, names).map_err(fault(code::INVALID))?;
                Ok(Answer::Bytes(made.into_bytes()))
            }
            Effect::CryptoAccept { name, key, certificate } => {
                self.free(plugin, name)?;
                let key = objects.key(plugin, key)?;
                let der = crypto::read_certificate(certificate).map_err(fault(code::INVALID))?;
                let now = self.cluster().seconds();
                crypto::check_issued(&der, &key, now).map_err(fault(code::REFUSED))?;
                self.keep(plugin, name, der.to_vec())
            }
            Effect::CryptoAcceptCa { name, certificate } => {
                self.free(plugin, name)?;
                let der = crypto::read_certificate(certificate).map_err(fault(code::INVALID))?;
                let now = self.cluster().seconds();
                crypto::check_ca(&der, now).map_err(fault(code::REFUSED))?;
                self.keep(plugin, name, der.to_vec())
            }
            Effect::CryptoSuppliedCa { name, key, passphrase } => {
                self.supplied_ca(plugin, name, key, passphrase)
            }
            Effect::CryptoInspect { source } => {
                let bytes = self.certificate(plugin, source)?;
                let says = certificates::inspect(&bytes).map_err(fault(code::INVALID))?;
                self.cluster().names.add_certificate(&says, "certificate");
                Ok(Answer::Certificate(Box::new(says)))
            }
            Effect::CryptoVerifyChain { leaf, root } => {
                let (leaf, root) = (self.certificate(plugin, leaf)?, self.certificate(plugin, root)?);
                let now = self.cluster().seconds();
                certificates::verify_chain(&leaf, &root, now).map_err(fault(code::FAILED))?;
                Ok(Answer::Done)
            }
            Effect::CryptoCheckKey { node, file, passphrase, certificate } => {
                let passphrase = objects.secret(plugin, passphrase)?;
                let certificate = self.certificate(plugin, certificate)?;
                let file = self.file(node, file)?;
                let bytes = self.bytes(node, &file)?.ok_or_else(|| missing(&file, node))?;
                // To open a key file takes long on purpose.
                static FITS: Once<KeyFit> = Once::new();
                let fit = FITS.of(&[&bytes, passphrase.expose(), &certificate], || {
                    key_fit(&bytes, &passphrase, &certificate)
                });
                let fit = fit.map_err(fault(code::INVALID))?;
                Ok(Answer::Text(Some(fit.as_str().into())))
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of crypto"))),
        }
    }

    /// A CA of the rehearsal's own, as a site would supply one.
    fn supplied_ca(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        key_name: &ObjectName,
        passphrase: &ObjectName,
    ) -> Result<Answer, Fault> {
        self.free(plugin, name)?;
        self.free(plugin, key_name)?;
        self.objects.secret(plugin, passphrase)?;
        let key = self.cluster().pool.draw(KeyAlgorithm::default())?;
        let subject = [Entry { name: "common-name".into(), value: "supplied-ca".into() }];
        let (serial, now) = self.serial_now();
        let der = self_signed(&key, &subject, SUPPLIED_DAYS, now, serial).map_err(fault(code::FAILED))?;
        self.objects.add(plugin, key_name, Object::Key(key))?;
        self.keep(plugin, name, der.to_vec())
    }

    fn serial_now(&self) -> (crypto::Serial, i64) {
        let mut cluster = self.cluster();
        (cluster.pool.serial(), cluster.seconds())
    }

    fn certificate(&self, plugin: &PluginName, source: &CertificateSource) -> Result<Vec<u8>, Fault> {
        match source {
            CertificateSource::Object(name) => Ok(self.objects.certificate(plugin, name)?.to_vec()),
            CertificateSource::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    pub(super) fn free(&self, plugin: &PluginName, name: &ObjectName) -> Result<(), Fault> {
        match self.objects.has(plugin, name) {
            true => {
                Err(Fault::new(code::INVALID, format!("{plugin} already has an object {name} in this run")))
            }
            false => Ok(()),
        }
    }

    fn keep(&self, plugin: &PluginName, name: &ObjectName, der: Vec<u8>) -> Result<Answer, Fault> {
        let says = certificates::inspect(&der).map_err(fault(code::FAILED))?;
        self.cluster().names.add_certificate(&says, name.as_str());
        self.objects.add(plugin, name, Object::Certificate(Arc::new(der)))?;
        Ok(Answer::Certificate(Box::new(says)))
    }
}
