//! Keys and certificates: none is made; each gets a name, and says what is known of it beforehand.

use super::Planning;
use super::imagined::{BornCertificate, Made, Origin, Paper};
use super::symbols::is_request;
use crate::backend::fault;
use crate::backend::file_faults::missing;
use crate::capability::crypto::{self, KeyAlgorithm, KeyFit};
use crate::model::{Answer, Certificate, CertificateSource, Effect, Fault, ObjectName, PluginName, code};

const DAY: i64 = 86_400;
/// As the host's own certificates begin.
const HEAD_START: i64 = 3_600;

impl Planning {
    pub(super) async fn crypto(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::CryptoGenerateKey { name, algorithm } => {
                self.imagined().free(plugin, name)?;
                let _: KeyAlgorithm = algorithm.parse().map_err(fault(code::REFUSED))?;
                let mut imagined = self.imagined();
                let born = imagined.symbols.name(name.as_str());
                imagined.born.push(born.clone());
                imagined.make(plugin, name, Made::Key { born, algorithm: algorithm.clone() })?;
                Ok(Answer::Done)
            }
            Effect::CryptoPrepareKey { algorithm } => {
                let _: KeyAlgorithm = algorithm.parse().map_err(fault(code::REFUSED))?;
                Ok(Answer::Done)
            }
            Effect::CryptoSelfSign { name, key, subject, days } => {
                self.imagined().free(plugin, name)?;
                let (_, algorithm) = self.imagined().key(plugin, key)?;
                crypto::check_request(subject, &[], *days, self.now()).map_err(fault(code::INVALID))?;
                self.born(plugin, name, Asked { algorithm, days: *days, names: &[], ca: None })
            }
            Effect::CryptoIssue { name, ca, ca_key, key, subject, names, days } => {
                self.imagined().free(plugin, name)?;
                self.imagined().key(plugin, ca_key)?;
                let (_, algorithm) = self.imagined().key(plugin, key)?;
                let ca = self.imagined().certificate(plugin, ca)?;
                crypto::check_request(subject, names, *days, self.now()).map_err(fault(code::REFUSED))?;
                match &ca {
                    Paper::Known(der) => {
                        crypto::check_issuer(der, *days, self.now()).map_err(fault(code::REFUSED))?;
                    }
                    Paper::Born(born) => self.outlives(born, *days)?,
                }
                self.born(plugin, name, Asked { algorithm, days: *days, names, ca: Some(ca) })
            }
            Effect::CryptoRequest { key, subject, names } => {
                let (key, _) = self.imagined().key(plugin, key)?;
                crypto::check_signing_request(subject, names).map_err(fault(code::INVALID))?;
                let mut imagined = self.imagined();
                let born = imagined.symbols.name(&format!("{key}.request"));
                imagined.born.push(born.clone());
                Ok(Answer::Bytes(imagined.symbols.request(&born)))
            }
            Effect::CryptoAccept { name, key, certificate } => self.accept(plugin, name, key, certificate),
            Effect::CryptoAcceptCa { name, certificate } => self.accept_ca(plugin, name, certificate),
            Effect::CryptoSuppliedCa { name, key, passphrase } => {
                self.supplied_ca(plugin, name, key, passphrase)
            }
            Effect::CryptoInspect { source } => {
                let says = match self.paper(plugin, source)? {
                    Paper::Known(bytes) => crypto::inspect(&bytes).map_err(fault(code::INVALID))?,
                    Paper::Born(born) => {
                        let now = self.now();
                        self.imagined().says(&born, now).says
                    }
                };
                Ok(Answer::Certificate(Box::new(says)))
            }
            Effect::CryptoVerifyChain { leaf, root } => {
                let (leaf, root) = (self.paper(plugin, leaf)?, self.paper(plugin, root)?);
                self.chains(&leaf, &root)?;
                Ok(Answer::Done)
            }
            // Opening the key takes the secret, so whether it fits is found out only by the run.
            Effect::CryptoCheckKey { node, file, passphrase, certificate } => {
                self.imagined().secret(plugin, passphrase)?;
                self.paper(plugin, certificate)?;
                let file = self.file(node, file).await?;
                if self.stat(node, &file).await?.is_none() {
                    return Err(missing(&file, node));
                }
                self.imagined().assumed.insert(format!(
                    "{passphrase} opens {} on {node}, which is the key of its certificate",
                    file.name
                ));
                Ok(Answer::Text(Some(KeyFit::Fits.as_str().into())))
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of crypto"))),
        }
    }

    /// A CA that is born ends before none of its leaves.
    fn outlives(&self, ca: &str, days: u32) -> Result<(), Fault> {
        let now = self.now();
        let until = self.imagined().says(ca, now).says.not_after;
        if now + i64::from(days) * DAY > until {
            return Err(Fault::new(
                code::REFUSED,
                format!("a certificate of {days} days would outlive its CA, {ca}"),
            ));
        }
        Ok(())
    }

    fn born(&self, plugin: &PluginName, name: &ObjectName, asked: Asked<'_>) -> Result<Answer, Fault> {
        let now = self.now();
        let mut imagined = self.imagined();
        let born = imagined.symbols.name(name.as_str());
        // Its issuer's name and key are the CA's own.
        let ca = match &asked.ca {
            None => None,
            Some(Paper::Born(ca)) => Some(imagined.says(ca, now).says),
            Some(Paper::Known(der)) => Some(crypto::inspect(der).map_err(fault(code::INVALID))?),
        };
        let symbols = &mut imagined.symbols;
        let part = |part: &str| format!("{born}.{part}");
        let subject = symbols.text(part("subject"));
        let key_id = symbols.identifier(part("subject-key-id"), 20);
        let says = Certificate {
            issuer: ca.as_ref().map_or_else(|| subject.clone(), |ca| ca.subject.clone()),
            subject,
            serial: symbols.identifier(part("serial"), 16),
            fingerprint: symbols.sha256(part("fingerprint")),
            not_before: symbols.number(part("not-before"), now - HEAD_START),
            not_after: symbols.number(part("not-after"), now + i64::from(asked.days) * DAY),
            key_algorithm: asked.algorithm,
            signature_algorithm: symbols.text(part("signature-algorithm")),
            can_issue: ca.is_none(),
            authority_key_id: ca.map_or_else(|| key_id.clone(), |ca| ca.subject_key_id),
            subject_key_id: key_id,
            names: asked.names.to_vec(),
        };
        imagined.born.push(part("fingerprint"));
        let origin = asked.ca.map_or(Origin::Itself, Origin::Issued);
        imagined.certificates.insert(born.clone(), BornCertificate { says: says.clone(), origin });
        imagined.make(plugin, name, Made::Certificate(Paper::Born(born)))?;
        Ok(Answer::Certificate(Box::new(says)))
    }

    /// A certificate of a key that is born in the run can only be one that a command of the run makes, and is taken to
    /// be what was asked for.
    fn accept(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        key: &ObjectName,
        certificate: &[u8],
    ) -> Result<Answer, Fault> {
        self.imagined().free(plugin, name)?;
        let (key, algorithm) = self.imagined().key(plugin, key)?;
        let now = self.now();
        match self.paper_of(certificate) {
            Paper::Born(born) => {
                let mut imagined = self.imagined();
                let made = imagined.says(&born, now);
                imagined.assumed.insert(format!("{born} will be a certificate of {key}"));
                let says = Certificate { key_algorithm: algorithm, can_issue: false, ..made.says };
                imagined.certificates.insert(born.clone(), BornCertificate { says: says.clone(), ..made });
                imagined.make(plugin, name, Made::Certificate(Paper::Born(born)))?;
                Ok(Answer::Certificate(Box::new(says)))
            }
            Paper::Known(bytes) => {
                let says = crypto::inspect(&bytes).map_err(fault(code::INVALID))?;
                Err(Fault::new(
                    code::REFUSED,
                    format!(
                        "{} is there already, and {key} is born in the run: it is no certificate of it",
                        says.subject
                    ),
                ))
            }
        }
    }

    fn accept_ca(&self, plugin: &PluginName, name: &ObjectName, certificate: &[u8]) -> Result<Answer, Fault> {
        self.imagined().free(plugin, name)?;
        let now = self.now();
        let paper = self.paper_of(certificate);
        let says = match &paper {
            Paper::Born(born) => {
                let mut imagined = self.imagined();
                imagined.assumed.insert(format!("{born} will be a CA that can issue"));
                imagined.says(born, now).says
            }
            Paper::Known(bytes) => {
                let says = crypto::inspect(bytes).map_err(fault(code::INVALID))?;
                crypto::check_ca(bytes, now).map_err(fault(code::REFUSED))?;
                says
            }
        };
        self.imagined().make(plugin, name, Made::Certificate(paper))?;
        Ok(Answer::Certificate(Box::new(says)))
    }

    /// The certificate is at hand; its key stays closed, since opening it takes the secret.
    fn supplied_ca(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        key: &ObjectName,
        passphrase: &ObjectName,
    ) -> Result<Answer, Fault> {
        self.imagined().free(plugin, name)?;
        self.imagined().free(plugin, key)?;
        let files = crate::backend::supplied::files(&self.site, &self.settings, plugin)?;
        self.imagined().secret(plugin, passphrase)?;
        crypto::check_supplied_certificate(&files.certificate, self.now()).map_err(fault(code::REFUSED))?;
        let der = crypto::read_certificate(&files.certificate).map_err(fault(code::INVALID))?;
        let says = crypto::inspect(&der).map_err(fault(code::INVALID))?;
        let mut imagined = self.imagined();
        imagined.assumed.insert(format!(
            "{passphrase} opens the supplied key, which is the key of the supplied certificate"
        ));
        let born = imagined.symbols.name(key.as_str());
        imagined.make(plugin, key, Made::Key { born, algorithm: says.key_algorithm.clone() })?;
        imagined.make(plugin, name, Made::Certificate(Paper::Known(der.to_vec())))?;
        Ok(Answer::Certificate(Box::new(says)))
    }

    fn paper(&self, plugin: &PluginName, source: &CertificateSource) -> Result<Paper, Fault> {
        match source {
            CertificateSource::Object(name) => self.imagined().certificate(plugin, name),
            CertificateSource::Bytes(bytes) => Ok(self.paper_of(bytes)),
        }
    }

    /// A request that is born is no certificate, so it is known to be none.
    fn paper_of(&self, bytes: &[u8]) -> Paper {
        match self.imagined().symbols.born_of(bytes) {
            Some(born) if !is_request(bytes) => Paper::Born(born.to_owned()),
            _ => Paper::Known(bytes.to_vec()),
        }
    }

    fn chains(&self, leaf: &Paper, root: &Paper) -> Result<(), Fault> {
        let now = self.now();
        let mut imagined = self.imagined();
        match (leaf, root) {
            (Paper::Known(leaf), Paper::Known(root)) => {
                crypto::verify_chain(leaf, root, now).map_err(fault(code::FAILED))
            }
            (Paper::Known(_), Paper::Born(root)) => Err(Fault::new(
                code::FAILED,
                format!("the certificate is older than {root}, which is born in the run"),
            )),
            (Paper::Born(leaf), root) => match imagined.says(leaf, now).origin {
                // A command is declared to succeed, and what it makes is taken to be as it should.
                Origin::Command => {
                    let root = match root {
                        Paper::Born(root) if root == leaf => "itself".to_owned(),
                        Paper::Born(root) => root.clone(),
                        Paper::Known(_) => "the root in place".to_owned(),
                    };
                    imagined.assumed.insert(format!("{leaf} will chain to {root}"));
                    Ok(())
                }
                Origin::Itself if *root == Paper::Born(leaf.clone()) => Ok(()),
                Origin::Issued(ca) if same(&ca, root) => Ok(()),
                Origin::Itself | Origin::Issued(_) => {
                    Err(Fault::new(code::FAILED, format!("{leaf} will be issued by another certificate")))
                }
            },
        }
    }
}

/// What a certificate that is born was asked to be.
struct Asked<'a> {
    algorithm: String,
    days: u32,
    names: &'a [String],
    /// None: it signs itself.
    ca: Option<Paper>,
}

/// The same certificate, whether as PEM or DER.
fn same(one: &Paper, other: &Paper) -> bool {
    match (one, other) {
        (Paper::Born(one), Paper::Born(other)) => one == other,
        (Paper::Known(one), Paper::Known(other)) => {
            matches!((crypto::read_certificate(one), crypto::read_certificate(other)), (Ok(one), Ok(other)) if one == other)
        }
        _ => false,
    }
}
