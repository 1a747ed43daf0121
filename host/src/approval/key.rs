//! A person's own key, to sign with: from a file of OpenSSH's, or held by an ssh agent.

use super::agent::Agent;
use super::error::ApprovalError;
use super::signature::{Namespace, SignedBy, unsupported, verify};
use crate::capability::secrets::Secret;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA512, RsaPublicKeyComponents,
};
use camino::Utf8Path;
use num_bigint::BigUint;
use ssh_key::private::{EcdsaKeypair, KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, Mpint, PrivateKey, PublicKey, Signature, SshSig};
use std::os::unix::fs::PermissionsExt as _;
use zeroize::Zeroizing;

/// Key files are small; what is larger is none.
const LONGEST: u64 = 64 * 1024;

/// A key to sign with.
pub struct SigningKey {
    public: KeyData,
    holder: Holder,
}

enum Holder {
    Here(Box<PrivateKey>),
    Agent(Agent),
}

/// Asks for the passphrase of a key file; the text is what a prompt shows.
pub type AskPassphrase<'a> = &'a mut dyn FnMut(&str) -> std::io::Result<Secret>;

impl SigningKey {
    /// Opens a key file. Where it holds only the public key, or its private one is in the agent anyway, the
    /// agent signs: then no passphrase is asked for.
    pub fn open(path: &Utf8Path, ask: AskPassphrase<'_>) -> Result<Self, ApprovalError> {
        let wrong = |why: String| ApprovalError::Key { path: path.to_owned(), why };
        let text = read(path)?;
        if let Ok(public) = PublicKey::from_openssh(text.trim()) {
            let public = public.key_data().clone();
            return match Agent::holding(&public)? {
                Some(agent) => Ok(Self { public, holder: Holder::Agent(agent) }),
                None => {
                    Err(wrong("it is a public key, and the ssh agent does not hold its private one".into()))
                }
            };
        }
        let mode = std::fs::metadata(path).map_err(|source| unreadable(path, source))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong(format!("others can read it (mode {:04o}): chmod 600 {path}", mode & 0o7777)));
        }
        let mut private = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| {
            wrong(format!(
                "it is no private key in OpenSSH's own format (`ssh-keygen -p -f {path}` rewrites older ones)"
            ))
        })?;
        let public = private.public_key().key_data().clone();
        if private.is_encrypted() {
            if let Ok(Some(agent)) = Agent::holding(&public) {
                return Ok(Self { public, holder: Holder::Agent(agent) });
            }
            let passphrase =
                ask(&format!("Passphrase of {path}: ")).map_err(|error| wrong(error.to_string()))?;
            private = private
                .decrypt(passphrase.expose())
                .map_err(|_| wrong("the passphrase does not open it".into()))?;
        }
        Ok(Self { public, holder: Holder::Here(Box::new(private)) })
    }

    /// Returns the keys that the ssh agent holds; none where there is no agent.
    pub fn of_agent() -> Result<Vec<Self>, ApprovalError> {
        let Some(agent) = Agent::connect()? else { return Ok(Vec::new()) };
        let keys = agent.keys()?;
        let holder = |public: KeyData| Self { public, holder: Holder::Agent(agent.clone()) };
        Ok(keys.into_iter().map(holder).collect())
    }

    pub fn signed_by(&self) -> SignedBy {
        SignedBy::of(self.public.clone())
    }

    /// Signs a file's bytes; the signature is what `ssh-keygen -Y verify` takes.
    pub fn sign(&self, message: &[u8], namespace: Namespace) -> Result<String, ApprovalError> {
        let failed = |why: String| ApprovalError::Sign { why };
        let signed = SshSig::signed_data(namespace.as_str(), HashAlg::Sha512, message)
            .map_err(|error| failed(error.to_string()))?;
        let signature = match &self.holder {
            Holder::Agent(agent) => agent.sign(&self.public, &signed)?,
            Holder::Here(private) => sign_with(private.key_data(), &signed).map_err(failed)?,
        };
        let pem = SshSig::new(self.public.clone(), namespace.as_str(), HashAlg::Sha512, signature)
            .and_then(|made| made.to_pem(LineEnding::LF))
            .map_err(|error| failed(error.to_string()))?;
        // An agent may hold a key that nobody here can check; better now than at night.
        verify(message, pem.as_bytes(), namespace).map_err(|error| failed(error.to_string()))?;
        Ok(pem)
    }
}

fn unreadable(path: &Utf8Path, source: std::io::Error) -> ApprovalError {
    ApprovalError::Read { what: "key", path: path.to_owned(), source }
}

fn read(path: &Utf8Path) -> Result<Zeroizing<String>, ApprovalError> {
    let wrong = |why: &str| ApprovalError::Key { path: path.to_owned(), why: why.into() };
    let metadata = std::fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(wrong("it is no key file"));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|source| unreadable(path, source))?);
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(wrong("it is no key file")),
    }
}

fn sign_with(key: &KeypairData, message: &[u8]) -> Result<Signature, String> {
    let refused = |error: &dyn std::fmt::Display| format!("the key is not a good one: {error}");
    match key {
        KeypairData::Ed25519(pair) => {
            let seed = Zeroizing::new(pair.private.to_bytes());
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed[..], pair.public.as_ref())
                .map_err(|error| refused(&error))?;
            finished(Algorithm::Ed25519, pair.sign(message).as_ref().to_vec())
        }
        KeypairData::Ecdsa(pair) => {
            let algorithm = match pair {
                EcdsaKeypair::NistP256 { .. } => &ECDSA_P256_SHA256_FIXED_SIGNING,
                EcdsaKeypair::NistP384 { .. } => &ECDSA_P384_SHA384_FIXED_SIGNING,
                EcdsaKeypair::NistP521 { .. } => {
                    return Err(unsupported(&KeyData::Ecdsa(pair.into())).to_string());
                }
            };
            let made = EcdsaKeyPair::from_private_key_and_public_key(
                algorithm,
                pair.private_key_bytes(),
                pair.public_key_bytes(),
            )
            .map_err(|error| refused(&error))?;
            let fixed = made.sign(&SystemRandom::new(), message).map_err(|error| refused(&error))?;
            let (r, s) = fixed.as_ref().split_at(fixed.as_ref().len() / 2);
            let mut numbers = Vec::new();
            for number in [r, s] {
                let number = Mpint::from_positive_bytes(number).map_err(|error| refused(&error))?;
                let length = u32::try_from(number.as_bytes().len()).map_err(|error| refused(&error))?;
                numbers.extend(length.to_be_bytes());
                numbers.extend(number.as_bytes());
            }
            finished(Algorithm::Ecdsa { curve: pair.curve() }, numbers)
        }
        KeypairData::Rsa(pair) => {
            let pair = rsa_pair(pair).ok_or("the RSA key is not a good one, or below 2048 bits")?;
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), message, &mut signature)
                .map_err(|error| refused(&error))?;
            finished(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signature)
        }
        _ => {
            Err("keys of this type are not supported: use ed25519, ECDSA (nistp256, nistp384) or RSA".into())
        }
    }
}

fn finished(algorithm: Algorithm, bytes: Vec<u8>) -> Result<Signature, String> {
    Signature::new(algorithm, bytes).map_err(|error| error.to_string())
}

/// OpenSSH keeps neither `d mod (p - 1)` nor `d mod (q - 1)`.
fn rsa_pair(pair: &RsaKeypair) -> Option<rsa::KeyPair> {
    let number = |mpint: &Mpint| mpint.as_positive_bytes().map(BigUint::from_bytes_be);
    let exponent = |prime: &Mpint| {
        let less = less_one(number(prime)?)?;
        let d = number(&pair.private.d)?;
        Some(Zeroizing::new((d % less).to_bytes_be()))
    };
    let (dp, dq) = (exponent(&pair.private.p)?, exponent(&pair.private.q)?);
    rsa::KeyPair::from_components(&rsa::KeyPairComponents {
        public_key: RsaPublicKeyComponents {
            n: pair.public.n.as_positive_bytes()?,
            e: pair.public.e.as_positive_bytes()?,
        },
        d: pair.private.d.as_positive_bytes()?,
        p: pair.private.p.as_positive_bytes()?,
        q: pair.private.q.as_positive_bytes()?,
        dP: &dp[..],
        dQ: &dq[..],
        qInv: pair.private.iqmp.as_positive_bytes()?,
    })
    .ok()
}

/// Below 3 there is no prime of an RSA key, and nothing to take a remainder by.
fn less_one(prime: BigUint) -> Option<BigUint> {
    (prime > BigUint::from(2u8)).then(|| prime - BigUint::from(1u8))
}
