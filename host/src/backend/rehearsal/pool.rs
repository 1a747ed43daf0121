//! The keys of rehearsals: always the same, and no secret, since everybody has them.
//!
//! Making an RSA key takes a second and comes out differently each time; a rehearsal wants neither.

use super::certificates;
use super::cluster::Held;
use super::once::Once;
use crate::backend::fault;
use crate::capability::crypto::{CryptoError, KeyAlgorithm, PrivateKey, Serial};
use crate::capability::secrets::Secret;
use crate::model::{Fault, code};
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

macro_rules! keys {
    ($($algorithm:literal: $($number:literal)+;)+) => {
        &[$(($algorithm, &[$(include_bytes!(concat!("keys/", $algorithm, "-", $number, ".der"))),+])),+]
    };
}

/// By algorithm, PKCS#8.
const KEYS: &[(&str, &[&[u8]])] = keys! {
    "rsa-2048": 1 2 3;
    "rsa-3072": 1 2 3 4 5 6 7 8 9 10 11 12 13;
    "rsa-4096": 1 2 3;
    "ecdsa-p256": 1 2 3 4 5 6;
    "ecdsa-p384": 1 2 3;
};

/// What was drawn so far.
#[derive(Clone)]
pub(super) struct Pool {
    seed: u32,
    drawn: HashMap<String, usize>,
    serials: u32,
    known: Vec<Arc<PrivateKey>>,
}

impl Pool {
    pub fn new(seed: u32) -> Self {
        Self { seed, drawn: HashMap::new(), serials: 0, known: Vec::new() }
    }

    /// Returns the next key of an algorithm. Where all of it are drawn, one is made, which is another each time.
    pub fn draw(&mut self, algorithm: KeyAlgorithm) -> Result<Arc<PrivateKey>, Fault> {
        let name = algorithm.to_string();
        let keys = KEYS.iter().find(|(known, _)| *known == name).map_or(&[] as &[_], |(_, keys)| keys);
        let at = self.drawn.entry(name).or_default();
        // As a number of keys is never zero where it is divided by.
        let first = usize::try_from(self.seed).unwrap_or_default();
        let key = match keys.get((first + *at) % keys.len().max(1)).filter(|_| *at < keys.len()) {
            Some(der) => opened(der),
            None => PrivateKey::generate(algorithm).map(Arc::new),
        };
        *at += 1;
        let key = key.map_err(fault(code::REFUSED))?;
        self.known.push(key.clone());
        Ok(key)
    }

    /// Returns the key of a certificate, where it was drawn here.
    pub fn key_of(&self, certificate: &[u8]) -> Option<Arc<PrivateKey>> {
        let certificate = certificates::read(certificate).ok()?;
        self.known.iter().find(|key| certificate.is_of(key)).cloned()
    }

    /// Returns the key that a signing request is for, where it was drawn here.
    pub fn key_requesting(&self, request: &[u8]) -> Option<Arc<PrivateKey>> {
        self.known.iter().find(|key| key.requested(request)).cloned()
    }

    pub fn serial(&mut self) -> Serial {
        self.serials += 1;
        let text = format!("windlass rehearsal {} serial {}", self.seed, self.serials);
        let whole = digest(&SHA256, text.as_bytes());
        let mut serial = Serial::default();
        serial.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        serial
    }

    /// The bytes of what a file holds.
    pub fn bytes(&mut self, held: &Held) -> Result<Arc<Vec<u8>>, Fault> {
        match held {
            Held::Bytes(bytes) => Ok(bytes.clone()),
            Held::Key { key, passphrase } => self.sealed(key, passphrase),
        }
    }

    fn sealed(&mut self, key: &PrivateKey, passphrase: &Secret) -> Result<Arc<Vec<u8>>, Fault> {
        static SEALED: Once<Vec<u8>> = Once::new();
        SEALED.of(&[&key.public_key_der(), passphrase.expose()], || {
            let pem = key.to_pem_of_a_rehearsal(passphrase).map_err(fault(code::FAILED))?;
            Ok(pem.as_bytes().to_vec())
        })
    }
}

/// A key of the pool: whether an RSA key is one takes milliseconds to find out.
fn opened(der: &[u8]) -> Result<Arc<PrivateKey>, CryptoError> {
    static OPENED: Once<PrivateKey> = Once::new();
    OPENED.of(&[der], || PrivateKey::from_der(Zeroizing::new(der.to_vec())))
}

/// The key of a version of a simulated key set.
pub(super) fn key_of_version(number: u32) -> [u8; 32] {
    let whole = digest(&SHA256, format!("windlass rehearsal key set {number}").as_bytes());
    let mut key = [0; 32];
    key.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_of_its_algorithm_and_none_is_there_twice() {
        let mut publics = Vec::new();
        for (name, keys) in KEYS {
            for der in *keys {
                let key = PrivateKey::from_der(Zeroizing::new(der.to_vec())).unwrap();
                assert_eq!(key.algorithm().to_string(), *name);
                publics.push(key.public_key_der());
            }
        }
        let all = publics.len();
        publics.sort();
        publics.dedup();
        assert_eq!(publics.len(), all);
    }

    #[test]
    fn a_seed_draws_the_same_keys_each_time_and_more_than_there_are() {
        let drawn = |seed| {
            let mut pool = Pool::new(seed);
            let keys: Vec<_> =
                (0..7).map(|_| pool.draw(KeyAlgorithm::EcdsaP256).unwrap().public_key_der()).collect();
            keys
        };
        let (one, again, other) = (drawn(1), drawn(1), drawn(2));
        assert_eq!(one[..6], again[..6]);
        assert_eq!(one[1..6], other[..5]);
        assert_ne!(one[6], again[6], "one that is made");
    }
}
