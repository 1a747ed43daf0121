//! A key that is made while something else is waited for.

use super::{CryptoError, KeyAlgorithm, PrivateKey};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// At most one key that nobody has taken yet: who asks again and again has one processor busy, not all.
#[derive(Default)]
pub struct KeysAhead(Mutex<Option<(KeyAlgorithm, Made)>>);

type Made = oneshot::Receiver<Result<PrivateKey, CryptoError>>;

impl KeysAhead {
    /// Begins to make a key, unless one is being made or waits.
    pub fn begin(&self, algorithm: KeyAlgorithm) {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.get_or_insert_with(|| (algorithm, start(algorithm)));
    }

    /// Returns the key that was begun where it is of this algorithm, and a new one otherwise.
    pub async fn take(&self, algorithm: KeyAlgorithm) -> Result<PrivateKey, CryptoError> {
        let begun = {
            let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            ahead.take_if(|(begun, _)| *begun == algorithm)
        };
        let made = begun.map_or_else(|| start(algorithm), |(_, made)| made);
        // No answer: there was no thread to be had.
        made.await.unwrap_or(Err(CryptoError::Library { what: "start to generate a key" }))
    }
}

/// On a thread of its own: an RSA key takes a second of processor time, and a process that ends waits for no key.
fn start(algorithm: KeyAlgorithm) -> Made {
    let (send, made) = oneshot::channel();
    let make = move || drop(send.send(PrivateKey::generate(algorithm)));
    // Where it fails, the sender is gone with it.
    let _ = std::thread::Builder::new().name("key".into()).spawn(make);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(ahead: &KeysAhead) -> Option<KeyAlgorithm> {
        ahead.0.lock().unwrap().as_ref().map(|(algorithm, _)| *algorithm)
    }

    #[tokio::test]
    async fn a_key_made_ahead_is_given_once_and_to_its_own_algorithm() {
        let (p256, p384) = (KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384);
        let ahead = KeysAhead::default();
        ahead.begin(p256);
        // One at most.
        ahead.begin(p384);
        assert_eq!(waiting(&ahead), Some(p256));
        assert_eq!(ahead.take(p384).await.unwrap().algorithm(), p384);
        assert_eq!(waiting(&ahead), Some(p256));
        let first = ahead.take(p256).await.unwrap();
        assert_eq!((first.algorithm(), waiting(&ahead)), (p256, None));
        let second = ahead.take(p256).await.unwrap();
        assert_ne!(*first.to_der(), *second.to_der());
    }

    #[tokio::test]
    async fn what_cannot_be_made_is_said_when_it_is_taken() {
        let ahead = KeysAhead::default();
        ahead.begin(KeyAlgorithm::Rsa(2049));
        assert!(matches!(ahead.take(KeyAlgorithm::Rsa(2049)).await, Err(CryptoError::Unusable { .. })));
    }
}
