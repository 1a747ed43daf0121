//! A private key: made, read, used to sign, wiped.

use super::algorithm::RSA_FLOOR;
use super::{CryptoError, KeyAlgorithm, MAX_INPUT, certificate, encrypted, pem};
use crate::capability::secrets::Secret;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, Tagged as _};
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use rcgen::PublicKeyData as _;
use std::fmt;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A private key of at least the floor's strength. Wiped when dropped; shows its algorithm and nothing else.
#[derive(Clone)]
pub struct PrivateKey {
    algorithm: KeyAlgorithm,
    /// PKCS#8, plain.
    pkcs8: Zeroizing<Vec<u8>>,
    /// The content of the public key's bit string.
    public: Vec<u8>,
}

impl PrivateKey {
    /// Makes a key. RSA in 2048, 3072 or 4096 bits.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        const FAILED: CryptoError = CryptoError::Library { what: "generate a key" };
        let made = match algorithm {
            KeyAlgorithm::Rsa(bits) => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => {
                        return Err(CryptoError::Unusable {
                            what: "this key algorithm",
                            why: format!("{algorithm} is not made here; use rsa-3072 or rsa-4096"),
                        });
                    }
                };
                let pair = RsaKeyPair::generate(size).map_err(|_| FAILED)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| FAILED)?.as_ref().to_vec()
            }
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => EcdsaKeyPair::generate(curve(algorithm))
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| FAILED)?
                .as_ref()
                .to_vec(),
        };
        Self::from_der(Zeroizing::new(made))
    }

    /// Reads a key from PEM: PKCS#8, plain or encrypted by PBES2 (PBKDF2, AES-CBC) under `passphrase`; or
    /// PKCS#1 or SEC1, plain. At most 1 MiB. A passphrase that a plain key does not need is not used.
    pub fn from_pem(text: &[u8], passphrase: Option<&Secret>) -> Result<Self, CryptoError> {
        if text.len() > MAX_INPUT {
            return Err(unreadable("it is larger than 1 MiB"));
        }
        let block = pem::first(text, |label| label.ends_with("PRIVATE KEY"))
            .map_err(|why| CryptoError::Key { why })?
            .ok_or_else(|| unreadable("there is no PEM block of a private key in it"))?;
        match block.label.as_str() {
            "PRIVATE KEY" => Self::from_der(block.der),
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(CryptoError::PassphraseMissing)?;
                let opened = encrypted::open(&block.der, passphrase)?;
                // A wrong passphrase can, once in some hundred times, decrypt to something: not to a key.
                if PrivateKeyInfo::try_from(&opened[..]).is_err() {
                    return Err(CryptoError::Passphrase);
                }
                Self::from_der(opened)
            }
            "RSA PRIVATE KEY" => Self::from_pkcs1(&block.der),
            "EC PRIVATE KEY" => Self::from_sec1(&block.der),
            label => Err(unreadable(&format!("{label} is none of the kinds that are read here"))),
        }
    }

    /// Reads a key from plain PKCS#8 DER, as [`Self::to_der`] gives it.
    pub fn from_der(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, CryptoError> {
        let info = PrivateKeyInfo::try_from(&pkcs8[..]).map_err(|_| unreadable("it is not PKCS#8"))?;
        let parameter = info.algorithm.parameters_oid().ok();
        let (algorithm, public) = match (info.algorithm.oid, parameter) {
            (RSA, _) => {
                let algorithm = KeyAlgorithm::Rsa(above_floor(rsa_bits(info.private_key)?)?);
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|e| unreadable(&e.to_string()))?;
                (algorithm, pair.public_key().as_ref().to_vec())
            }
            (EC, Some(oid @ (P256 | P384))) => {
                let algorithm = if oid == P256 { KeyAlgorithm::EcdsaP256 } else { KeyAlgorithm::EcdsaP384 };
                let pair = EcdsaKeyPair::from_pkcs8(curve(algorithm), &pkcs8)
                    .map_err(|e| unreadable(&e.to_string()))?;
                (algorithm, pair.public_key().as_ref().to_vec())
            }
            (oid, _) => {
                return Err(CryptoError::Unusable {
                    what: "the private key",
                    why: format!("its algorithm ({oid}) is none of RSA, ECDSA P-256 and ECDSA P-384"),
                });
            }
        };
        Ok(Self { algorithm, pkcs8, public })
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, CryptoError> {
        above_floor(rsa_bits(der)?)?;
        let pair = RsaKeyPair::from_der(der).map_err(|error| unreadable(&error.to_string()))?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)
            .map_err(|_| CryptoError::Library { what: "convert a key" })?;
        Self::from_der(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    fn from_sec1(der: &[u8]) -> Result<Self, CryptoError> {
        let pair = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384]
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_private_key_der(curve(algorithm), der).ok())
            .ok_or_else(|| unreadable("its curve is neither P-256 nor P-384, or it is damaged"))?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| CryptoError::Library { what: "convert a key" })?;
        Self::from_der(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    /// Returns the key as PEM, encrypted under `passphrase`: PKCS#8, PBES2, PBKDF2-SHA256, AES-256-CBC.
    pub fn to_encrypted_pem(&self, passphrase: &Secret) -> Result<Zeroizing<String>, CryptoError> {
        encrypted::seal(&self.pkcs8, passphrase, encrypted::ITERATIONS)
    }

    /// As [`Self::to_encrypted_pem`], but a guess at the passphrase costs nothing: only for rehearsals, whose keys and
    /// passphrases everybody has, and which write so many of them.
    pub fn to_pem_of_a_rehearsal(&self, passphrase: &Secret) -> Result<Zeroizing<String>, CryptoError> {
        encrypted::seal(&self.pkcs8, passphrase, 1)
    }

    /// Returns the key as plain PKCS#8 DER, for the journal to seal.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Returns the public key as DER (SubjectPublicKeyInfo).
    pub fn public_key_der(&self) -> Vec<u8> {
        self.subject_public_key_info()
    }

    /// Returns whether this is the key of a certificate, PEM or DER.
    pub fn matches(&self, certificate: &[u8]) -> Result<bool, CryptoError> {
        Ok(self.is(&certificate::public_key_of(certificate)?))
    }

    /// Returns whether this is the key of a public key, as [`public_key_of`](super::public_key_of) gives it.
    pub fn is(&self, public_key: &[u8]) -> bool {
        self.public == public_key
    }

    /// Returns whether a certificate signing request, PEM, is for this key.
    pub fn requested(&self, request: &[u8]) -> bool {
        let Ok(Some(block)) = pem::first(request, |label| label == certificate::REQUEST) else {
            return false;
        };
        X509CertificationRequest::from_der(&block.der).is_ok_and(|(_, request)| {
            *request.certification_request_info.subject_pki.subject_public_key.data == self.public[..]
        })
    }

    /// Signs with SHA-256 (RSA PKCS#1, P-256) or SHA-384 (P-384).
    pub(super) fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        const FAILED: CryptoError = CryptoError::Library { what: "sign a certificate" };
        let random = SystemRandom::new();
        if let KeyAlgorithm::Rsa(_) = self.algorithm {
            let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).map_err(|_| FAILED)?;
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| FAILED)?;
            Ok(signature)
        } else {
            let pair = EcdsaKeyPair::from_pkcs8(curve(self.algorithm), &self.pkcs8).map_err(|_| FAILED)?;
            Ok(pair.sign(&random, message).map_err(|_| FAILED)?.as_ref().to_vec())
        }
    }
}

/// Whether the key in a file is a certificate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFit {
    Fits,
    /// It is another certificate's.
    Other,
    /// The passphrase does not open it, or it is of a kind that is not read here.
    Shut,
    /// There is no private key in the file.
    NoKey,
}

impl KeyFit {
    /// Returns the code of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Other => "other",
            Self::Shut => "shut",
            Self::NoKey => "none",
        }
    }
}

/// Opens the key of a PEM file and compares it with a certificate, PEM or DER. Only a certificate that cannot be
/// read is an error: what is in the file is the answer.
pub fn key_fit(file: &[u8], passphrase: &Secret, certificate: &[u8]) -> Result<KeyFit, CryptoError> {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    certificate::read_certificate(certificate)?;
    // A block that is marked as a key and cannot be read may still be one, of a kind that is old or damaged.
    // What is over the cap is none.
    if file.len() > MAX_INPUT || !file.windows(MARK.len()).any(|window| window == MARK) {
        return Ok(KeyFit::NoKey);
    }
    match PrivateKey::from_pem(file, Some(passphrase)) {
        Ok(key) => Ok(if key.matches(certificate)? { KeyFit::Fits } else { KeyFit::Other }),
        Err(_) => Ok(KeyFit::Shut),
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} key>", self.algorithm)
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }
    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.algorithm {
            KeyAlgorithm::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
            KeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        }
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.sign_message(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn curve(algorithm: KeyAlgorithm) -> &'static EcdsaSigningAlgorithm {
    match algorithm {
        KeyAlgorithm::EcdsaP384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        // RSA is never asked for: its callers have matched it before.
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa(_) => &ECDSA_P256_SHA256_ASN1_SIGNING,
    }
}

fn unreadable(why: &str) -> CryptoError {
    CryptoError::Key { why: why.to_owned() }
}

/// Returns the bits of the modulus of a PKCS#1 private key: asked before the library is, so that a short
/// key gets a message of its own.
fn rsa_bits(pkcs1: &[u8]) -> Result<u32, CryptoError> {
    let fields = Vec::<AnyRef<'_>>::from_der(pkcs1).map_err(|_| unreadable("it is not PKCS#1"))?;
    let modulus = fields
        .get(1)
        .filter(|field| field.tag() == pkcs8::der::Tag::Integer)
        .ok_or_else(|| unreadable("it has no modulus"))?;
    Ok(certificate::bits(modulus.value()))
}

fn above_floor(bits: u32) -> Result<u32, CryptoError> {
    if bits < RSA_FLOOR {
        return Err(CryptoError::Weak {
            what: format!("the private key (rsa-{bits})"),
            why: "RSA begins at 2048 bits; make a new key",
        });
    }
    Ok(bits)
}
