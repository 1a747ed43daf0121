//! What files hold, as the profile says: certificates and the keys they belong to, key sets, bytes.

use super::certificates;
use super::cluster::{Cluster, Held};
use super::once::Once;
use super::pool::key_of_version;
use crate::backend::fault;
use crate::capability::crypto::{self, KeyAlgorithm, LeafRequest, PrivateKey};
use crate::capability::keyring::Keyset;
use crate::capability::nodes::NodeContext;
use crate::capability::secrets::Secret;
use crate::model::{CommandName, Entry, Fault, FileName, NodeName, code};
use crate::site::{FileDeclaration, Holds, Site};
use std::sync::Arc;

const DAY: i64 = 86_400;
/// Days that a simulated root and a simulated leaf are valid.
const ROOT_DAYS: u32 = 3_650;
const LEAF_DAYS: i64 = 365;

/// What is made before what hangs on it.
pub(super) fn rank(holds: &Holds) -> u8 {
    match holds {
        Holds::Certificate { issuer: None, .. } => 0,
        Holds::Certificate { issuer: Some(_), .. } => 1,
        Holds::Key { .. } => 2,
        Holds::KeySet => 3,
        Holds::Bytes => 4,
    }
}

/// In what something is made.
pub(super) struct Making<'a> {
    pub site: &'a Site,
    pub context: &'a NodeContext,
    /// What it is called in transcripts.
    pub name: String,
    /// Under which a key is encrypted.
    pub passphrase: Arc<Secret>,
    /// None: the cluster is being set up.
    pub command: Option<&'a CommandName>,
    /// The files that are made in the same go.
    pub beside: &'a [FileName],
    /// Seconds since 1970 UTC.
    pub at: i64,
}

impl Making<'_> {
    fn node(&self) -> &NodeName {
        self.context.node()
    }

    /// Whether a certificate gets a key of its own: not where its key's file stays as it is.
    fn has_new_key(&self, certificate: &FileName) -> bool {
        let is_its_key =
            |file: &&FileDeclaration| matches!(&file.holds, Holds::Key { of } if of == certificate);
        let keys: Vec<_> = self.site.profile.files.values().filter(is_its_key).collect();
        keys.is_empty() || keys.iter().any(|key| self.beside.contains(&key.name))
    }
}

impl Cluster {
    /// Makes what a file is declared to hold.
    pub fn make(&mut self, making: &Making<'_>, file: &FileDeclaration) -> Result<Held, Fault> {
        match &file.holds {
            Holds::Certificate { issuer, request } => {
                let there = self.bytes_of(making, &file.name)?;
                let kept = there.and_then(|bytes| self.pool.key_of(&bytes));
                let asked = request.as_ref().map(|request| self.asked_for(making, request)).transpose()?;
                let kept = kept.filter(|_| !making.has_new_key(&file.name));
                let key = match asked.flatten().or(kept) {
                    Some(key) => key,
                    None => self.pool.draw(KeyAlgorithm::default())?,
                };
                let der = match issuer {
                    None => self.sign(&key, file.name.as_str(), None, making.at)?,
                    Some(issuer) => {
                        let ca = self.bytes_of(making, issuer)?.unwrap_or_default();
                        let issued = self.sign(&key, making.node().as_str(), Some(&ca), making.at);
                        match (issued, making.command) {
                            // A scenario may begin with an issuer that is none.
                            (Err(_), None) => self.sign(&key, making.node().as_str(), None, making.at)?,
                            (issued, _) => issued?,
                        }
                    }
                };
                let says = certificates::inspect(&der).map_err(fault(code::FAILED))?;
                self.names.add_certificate(&says, &making.name);
                let der = crypto::read_certificate(&der).map_err(fault(code::FAILED))?;
                Ok(Held::text(crypto::to_pem(&der)))
            }
            Holds::Key { of } => {
                let certificate = self.bytes_of(making, of)?;
                let key = match certificate.and_then(|bytes| self.pool.key_of(&bytes)) {
                    Some(key) => key,
                    None => self.pool.draw(KeyAlgorithm::default())?,
                };
                Ok(Held::Key { key, passphrase: making.passphrase.clone() })
            }
            Holds::KeySet => {
                let there = self.bytes_of(making, &file.name)?;
                let set = match there.map(|bytes| Keyset::parse(&bytes)).transpose() {
                    Ok(Some(set)) => one_more(&set)?,
                    Ok(None) => first_set()?,
                    Err(error) => return Err(fault(code::FAILED)(error)),
                };
                self.names.add(&set.fingerprint(), &format!("{}.fingerprint", making.name));
                Ok(Held::Bytes(Arc::new(set.to_json().expose().to_vec())))
            }
            Holds::Bytes => {
                let written = match making.command {
                    None => "as it was at first".to_owned(),
                    Some(command) => {
                        let ran = self.ran.get(&(making.node().clone(), command.clone())).unwrap_or(&0);
                        format!("as {command} left it, run {ran}")
                    }
                };
                Ok(Held::text(format!("{} of {}, {written}\n", file.name, making.node())))
            }
        }
    }

    /// The key that a signing request is for. Before anything was asked for there is none.
    fn asked_for(
        &mut self,
        making: &Making<'_>,
        request: &FileName,
    ) -> Result<Option<Arc<PrivateKey>>, Fault> {
        let bytes = self.bytes_of(making, request)?.unwrap_or_default();
        match (self.pool.key_requesting(&bytes), making.command) {
            (None, Some(_)) => Err(Fault::new(
                code::FAILED,
                format!("{request} on {} holds no signing request of this rehearsal", making.node()),
            )),
            (key, _) => Ok(key),
        }
    }

    /// The bytes of a file of the same node.
    fn bytes_of(&mut self, making: &Making<'_>, file: &FileName) -> Result<Option<Arc<Vec<u8>>>, Fault> {
        let Some(declaration) = making.site.profile.files.get(file) else { return Ok(None) };
        let path = making.context.resolve_file(declaration).map_err(|error| error.to_fault())?.path;
        let Some(there) = self.at(making.node(), &path).cloned() else { return Ok(None) };
        self.pool.bytes(&there.held).map(Some)
    }

    /// A certificate that nothing but an endpoint has.
    pub fn self_signed(&mut self, name: &str) -> Result<Vec<u8>, Fault> {
        let key = self.pool.draw(KeyAlgorithm::default())?;
        let at = self.seconds();
        let der = self.sign(&key, name, None, at)?;
        let says = certificates::inspect(&der).map_err(fault(code::FAILED))?;
        self.names.add_certificate(&says, name);
        Ok(der)
    }

    fn sign(
        &mut self,
        key: &PrivateKey,
        common_name: &str,
        issuer: Option<&[u8]>,
        at: i64,
    ) -> Result<Vec<u8>, Fault> {
        let subject = [Entry { name: "common-name".into(), value: common_name.into() }];
        let serial = self.pool.serial();
        let Some(ca) = issuer else {
            return self_signed(key, &subject, ROOT_DAYS, at, serial).map_err(fault(code::FAILED));
        };
        let says = certificates::inspect(ca).map_err(fault(code::FAILED))?;
        let ca_key = self.pool.key_of(ca).ok_or_else(|| {
            Fault::new(code::FAILED, format!("nobody in this rehearsal has the key of {}", says.subject))
        })?;
        let days = ((says.not_after - at) / DAY).clamp(1, LEAF_DAYS);
        let days = u32::try_from(days).unwrap_or(1);
        let request = LeafRequest { key, subject: &subject, names: &[], days };
        issued(ca, &ca_key, request, at, serial).map_err(fault(code::FAILED))
    }
}

/// Certificates by all that decides them.
static SIGNED: Once<Vec<u8>> = Once::new();

/// As [`crypto::self_sign_numbered`], once for the same.
pub(super) fn self_signed(
    key: &PrivateKey,
    subject: &[Entry],
    days: u32,
    at: i64,
    serial: crypto::Serial,
) -> Result<Vec<u8>, crypto::CryptoError> {
    let asked = format!("{subject:?} {days} {at}");
    let made = SIGNED.of(&[b"self-sign", &key.public_key_der(), asked.as_bytes(), &serial], || {
        crypto::self_sign_numbered(key, subject, days, at, serial).map(|der| der.to_vec())
    });
    made.map(|der| der.to_vec())
}

/// As [`crypto::issue_numbered`], once for the same.
pub(super) fn issued(
    ca: &[u8],
    ca_key: &PrivateKey,
    request: LeafRequest<'_>,
    at: i64,
    serial: crypto::Serial,
) -> Result<Vec<u8>, crypto::CryptoError> {
    let asked = format!("{:?} {:?} {} {at}", request.subject, request.names, request.days);
    let keys = [ca_key.public_key_der(), request.key.public_key_der()];
    let parts: [&[u8]; 6] = [b"issue", ca, &keys[0], &keys[1], asked.as_bytes(), &serial];
    let made =
        SIGNED.of(&parts, || crypto::issue_numbered(ca, ca_key, request, at, serial).map(|der| der.to_vec()));
    made.map(|der| der.to_vec())
}

fn first_set() -> Result<Keyset, Fault> {
    Keyset::given(1, key_of_version(1)).map_err(fault(code::FAILED))
}

/// A key set with the version more that a rehearsal always adds.
pub(super) fn one_more(set: &Keyset) -> Result<Keyset, Fault> {
    let number = set.versions().iter().map(|version| version.number).max().unwrap_or_default() + 1;
    set.with_given_primary(number, key_of_version(number)).map_err(fault(code::FAILED))
}
