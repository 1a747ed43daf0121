//! Which keys there are, by the names that sites and reports use.

use super::CryptoError;
use std::fmt;
use std::str::FromStr;

/// Fewest bits of an RSA modulus that are made or accepted.
pub(super) const RSA_FLOOR: u32 = 2048;

/// The kind and size of a key. RSA in other sizes than 2048, 3072 and 4096 bits is read, not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// Bits of the modulus, at least 2048.
    Rsa(u32),
    EcdsaP256,
    EcdsaP384,
}

impl Default for KeyAlgorithm {
    fn default() -> Self {
        Self::Rsa(3072)
    }
}

const MADE: [(&str, KeyAlgorithm); 5] = [
    ("rsa-2048", KeyAlgorithm::Rsa(2048)),
    ("rsa-3072", KeyAlgorithm::Rsa(3072)),
    ("rsa-4096", KeyAlgorithm::Rsa(4096)),
    ("ecdsa-p256", KeyAlgorithm::EcdsaP256),
    ("ecdsa-p384", KeyAlgorithm::EcdsaP384),
];

impl FromStr for KeyAlgorithm {
    type Err = CryptoError;

    /// Errors name the nearest algorithms that there are; RSA below the floor is [`CryptoError::Weak`].
    fn from_str(given: &str) -> Result<Self, CryptoError> {
        if let Some((_, algorithm)) = MADE.iter().find(|(name, _)| *name == given) {
            return Ok(*algorithm);
        }
        let bits = given.strip_prefix("rsa-").and_then(|bits| bits.parse::<u32>().ok());
        if bits.is_some_and(|bits| bits < RSA_FLOOR) {
            return Err(CryptoError::Weak {
                what: format!("the key algorithm {given}"),
                why: "RSA begins at 2048 bits; use rsa-3072",
            });
        }
        let shown: String = given.chars().take(60).collect();
        let mut near: Vec<_> = MADE.iter().map(|(name, _)| (strsim::jaro(&shown, name), *name)).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let nearest = near.iter().take(2).map(|(_, name)| *name).collect::<Vec<_>>().join(" or ");
        Err(CryptoError::UnknownAlgorithm { given: shown, nearest })
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_parses_to_what_it_prints_as() {
        for (name, algorithm) in MADE {
            assert_eq!(name.parse::<KeyAlgorithm>().unwrap(), algorithm);
            assert_eq!(algorithm.to_string(), name);
        }
    }

    #[test]
    fn unknown_words_get_the_nearest_ones_and_weak_rsa_its_own_message() {
        let error = |given: &str| given.parse::<KeyAlgorithm>().unwrap_err().to_string();
        assert!(error("rsa3072").contains("did you mean rsa-3072 or"), "{}", error("rsa3072"));
        assert!(error("ecdsa-p265").contains("ecdsa-p256"), "{}", error("ecdsa-p265"));
        assert!(error("rsa-1024").contains("RSA begins at 2048 bits"), "{}", error("rsa-1024"));
    }
}
