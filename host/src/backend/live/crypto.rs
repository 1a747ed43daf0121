//! Keys and certificates, made here and kept as objects of the run.

use super::files::to_fault;
use super::{Live, der_of, fault};
use crate::backend::Acted;
use crate::backend::file_faults::missing;
use crate::backend::supplied::{self, SuppliedFiles};
use crate::capability::crypto::{self, LeafRequest, PrivateKey, key_fit};
use crate::capability::objects::Object;
use crate::journal::{KeptObject, ObjectKind};
use crate::model::{Answer, CertificateSource, Effect, Fault, ObjectName, PluginName, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

impl Live {
    pub(super) async fn crypto(&self, plugin: &PluginName, effect: &Effect) -> Acted {
        match self.crypto_effect(plugin, effect).await {
            Ok(acted) => acted,
            Err(fault) => Err(fault).into(),
        }
    }

    async fn crypto_effect(&self, plugin: &PluginName, effect: &Effect) -> Result<Acted, Fault> {
        let objects = &self.objects;
        match effect {
            Effect::CryptoGenerateKey { name, algorithm } => {
                self.free(plugin, name)?;
                let algorithm = algorithm.parse().map_err(fault(code::REFUSED))?;
                let key = self.keys_ahead.take(algorithm).await.map_err(fault(code::FAILED))?;
                self.keep_key(plugin, name, key, Answer::Done)
            }
            Effect::CryptoPrepareKey { algorithm } => {
                self.keys_ahead.begin(algorithm.parse().map_err(fault(code::REFUSED))?);
                Ok(Ok(Answer::Done).into())
            }
            Effect::CryptoSelfSign { name, key, subject, days } => {
                self.free(plugin, name)?;
                let key = objects.key(plugin, key)?;
                let der =
                    crypto::self_sign(&key, subject, *days, self.now()).map_err(fault(code::INVALID))?;
                self.keep_certificate(plugin, name, der.to_vec())
            }
            Effect::CryptoIssue { name, ca, ca_key, key, subject, names, days } => {
                self.free(plugin, name)?;
                let (ca, ca_key) = (objects.certificate(plugin, ca)?, objects.key(plugin, ca_key)?);
                let key = objects.key(plugin, key)?;
                let request = LeafRequest { key: &key, subject, names, days: *days };
                let der = crypto::issue(&ca, &ca_key, request, self.now()).map_err(fault(code::REFUSED))?;
                self.keep_certificate(plugin, name, der.to_vec())
            }
            Effect::CryptoRequest { key, subject, names } => {
                let key = objects.key(plugin, key)?;
                let made = crypto::request(&key, subject, names).map_err(fault(code::INVALID))?;
                Ok(Ok(Answer::Bytes(made.into_bytes())).into())
            }
            Effect::CryptoAccept { name, key, certificate } => {
                self.free(plugin, name)?;
                let key = objects.key(plugin, key)?;
                let der = der_of(certificate)?;
                crypto::check_issued(&der, &key, self.now()).map_err(fault(code::REFUSED))?;
                self.keep_certificate(plugin, name, der)
            }
            Effect::CryptoAcceptCa { name, certificate } => {
                self.free(plugin, name)?;
                let der = der_of(certificate)?;
                crypto::check_ca(&der, self.now()).map_err(fault(code::REFUSED))?;
                self.keep_certificate(plugin, name, der)
            }
            Effect::CryptoSuppliedCa { name, key, passphrase } => {
                self.free(plugin, name)?;
                self.free(plugin, key)?;
                self.supplied_ca(plugin, name, key, passphrase)
            }
            Effect::CryptoInspect { source } => {
                let bytes = self.certificate_bytes(plugin, source)?;
                let certificate = crypto::inspect(&bytes).map_err(fault(code::INVALID))?;
                Ok(Ok(Answer::Certificate(Box::new(certificate))).into())
            }
            Effect::CryptoVerifyChain { leaf, root } => {
                let (leaf, root) =
                    (self.certificate_bytes(plugin, leaf)?, self.certificate_bytes(plugin, root)?);
                crypto::verify_chain(&leaf, &root, self.now()).map_err(fault(code::FAILED))?;
                Ok(Ok(Answer::Done).into())
            }
            Effect::CryptoCheckKey { node, file, passphrase, certificate } => {
                let passphrase = self.objects.secret(plugin, passphrase)?;
                let certificate = self.certificate_bytes(plugin, certificate)?;
                let (files, file) = self.file(node, file).await?;
                let bytes = files.read_secret(&file).await.map_err(to_fault)?;
                let bytes = bytes.ok_or_else(|| missing(&file, node))?;
                // A passphrase is stretched for a tenth of a second, or as long as the file wants.
                let fit = tokio::task::spawn_blocking(move || key_fit(&bytes, &passphrase, &certificate))
                    .await
                    .map_err(fault(code::FAILED))?
                    .map_err(fault(code::INVALID))?;
                Ok(Ok(Answer::Text(Some(fit.as_str().into()))).into())
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of crypto"))),
        }
    }

    /// Of the kind that the run's parameter `algorithm` names, where it has one.
    pub(crate) fn begin_usual_key(&self) {
        let named = self.parameters.get("algorithm").and_then(|named| named.parse().ok());
        self.keys_ahead.begin(named.unwrap_or_default());
    }

    fn supplied_ca(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        key_name: &ObjectName,
        passphrase: &ObjectName,
    ) -> Result<Acted, Fault> {
        let SuppliedFiles { certificate, key: key_file } =
            supplied::files(&self.site, &self.settings, plugin)?;
        let passphrase = self.objects.secret(plugin, passphrase)?;
        let key = PrivateKey::from_pem(&key_file, Some(&passphrase)).map_err(fault(code::REFUSED))?;
        crypto::check_supplied_ca(&certificate, &key, self.now()).map_err(fault(code::REFUSED))?;
        let der = der_of(&certificate)?;
        let mut acted = self.keep_key(plugin, key_name, key, Answer::Done)?;
        let made = self.keep_certificate(plugin, name, der)?;
        acted.answer = made.answer;
        acted.kept.extend(made.kept);
        Ok(acted)
    }

    pub(super) fn certificate_bytes(
        &self,
        plugin: &PluginName,
        source: &CertificateSource,
    ) -> Result<Vec<u8>, Fault> {
        match source {
            CertificateSource::Object(name) => Ok(self.objects.certificate(plugin, name)?.to_vec()),
            CertificateSource::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    pub(super) fn free(&self, plugin: &PluginName, name: &ObjectName) -> Result<(), Fault> {
        if self.objects.has(plugin, name) {
            return Err(Fault::new(
                code::INVALID,
                format!("{plugin} already has an object {name} in this run"),
            ));
        }
        Ok(())
    }

    fn keep_key(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        key: PrivateKey,
        answer: Answer,
    ) -> Result<Acted, Fault> {
        let sealed = self.seal(&key.to_der())?;
        self.objects.add(plugin, name, Object::Key(Arc::new(key)))?;
        Ok(kept(plugin, name, ObjectKind::SealedKey, sealed, answer))
    }

    fn keep_certificate(&self, plugin: &PluginName, name: &ObjectName, der: Vec<u8>) -> Result<Acted, Fault> {
        let says = crypto::inspect(&der).map_err(fault(code::FAILED))?;
        let text = STANDARD.encode(&der);
        self.objects.add(plugin, name, Object::Certificate(Arc::new(der)))?;
        Ok(kept(plugin, name, ObjectKind::Certificate, text, Answer::Certificate(Box::new(says))))
    }
}

pub(super) fn kept(
    plugin: &PluginName,
    name: &ObjectName,
    kind: ObjectKind,
    bytes: String,
    answer: Answer,
) -> Acted {
    let kept = vec![KeptObject { plugin: plugin.clone(), name: name.clone(), kind, bytes }];
    Acted { answer: Ok(answer), kept, traces: Vec::new() }
}
