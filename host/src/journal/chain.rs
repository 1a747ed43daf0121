//! The chain: each row's hash covers the one before it, its number, its time and its text.

pub(super) use crate::model::hex;
use aws_lc_rs::digest::{SHA256, digest};

/// The hash of a row, or of nothing where there is none yet.
pub type Hash = [u8; 32];

/// Returns the hash of a row that follows one with the hash `head`.
pub fn link(head: &Hash, sequence: i64, at: i64, body: &str) -> Hash {
    let mut text = Vec::with_capacity(48 + body.len());
    text.extend_from_slice(head);
    text.extend_from_slice(&sequence.to_be_bytes());
    text.extend_from_slice(&at.to_be_bytes());
    text.extend_from_slice(body.as_bytes());
    sha256(&text)
}

pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Reads a hash from lower-case hex.
pub fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 2 * hash.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_and_nothing_else_is() {
        let hash = link(&[7; 32], 3, -1, "{}");
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        for text in ["", "zz", &"g".repeat(64), &"a".repeat(63), &format!("+{}", "a".repeat(63))] {
            assert_eq!(unhex(text), None, "{text}");
        }
        assert_eq!(unhex(&"ä".repeat(32)), None);
    }
}
