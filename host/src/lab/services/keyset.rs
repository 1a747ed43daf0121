//! Values sealed under the cluster's key set, as Google Tink has them: AES-256-GCM, with the number of the key
//! before the value.
//!
//! It is a second, small reader beside Windlass's own: the cluster's services prove what Windlass did to their
//! keys, and share no code with it.

use crate::lab::error::{LabError, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8Path;
use serde::Deserialize;
use std::fs::File;
use std::io::Read as _;
use zeroize::Zeroizing;

/// Tink writes this, and the number of the key, before what it seals.
const TINK: u8 = 1;
const PREFIX: usize = 5;
/// The field `key_value` of the protocol buffer of an AES-256 key, which is all of it.
const KEY: [u8; 2] = [0x1a, 32];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::lab) struct KeySet {
    primary_key_id: u32,
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    key_id: u32,
    status: String,
    output_prefix_type: String,
    /// None of a destroyed one.
    #[serde(default)]
    key_data: Option<KeyData>,
}

#[derive(Deserialize)]
struct KeyData {
    value: Zeroizing<String>,
}

impl KeySet {
    pub(in crate::lab) fn read(path: &Utf8Path) -> Result<Self> {
        let text = std::fs::read(path).map(Zeroizing::new).map_err(LabError::file("read", path))?;
        Self::parse(&text).map_err(|why| LabError::failed(format!("read {path}"), why))
    }

    /// `Err` says why not, without a byte of a key.
    pub(in crate::lab) fn parse(text: &[u8]) -> std::result::Result<Self, String> {
        serde_json::from_slice(text)
            .map_err(|error| format!("it is no key set (line {}, column {})", error.line(), error.column()))
    }

    /// Opens what a key of the set sealed for `name`.
    pub(in crate::lab) fn open(
        &self,
        sealed: &[u8],
        name: &str,
    ) -> std::result::Result<Zeroizing<Vec<u8>>, String> {
        let (prefix, rest) = sealed.split_at_checked(PREFIX).ok_or("it is cut off")?;
        let (nonce, value) = rest.split_at_checked(NONCE_LEN).ok_or("it is cut off")?;
        let [TINK, number @ ..] = prefix else { return Err("it was not sealed by Tink's rules".into()) };
        let number = number.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let key = self
            .key(number)
            .ok_or_else(|| format!("no key of the set opens it: it was sealed under {number}"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "it is cut off")?;
        let mut value = Zeroizing::new(value.to_vec());
        let length = key
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut value)
            .map_err(|_| format!("no key of the set opens it: {number} is another key in it"))?
            .len();
        value.truncate(length);
        Ok(value)
    }

    /// Seals a value under the primary.
    pub(in crate::lab) fn seal(&self, value: &[u8], name: &str) -> std::result::Result<Vec<u8>, String> {
        let number = self.primary_key_id;
        let key = self.key(number).ok_or_else(|| format!("its primary, {number}, is not usable"))?;
        let mut value = value.to_vec();
        let nonce = draw::<NONCE_LEN>().map_err(|error| format!("no randomness: {error}"))?;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(name.as_bytes()),
            &mut value,
        )
        .map_err(|_| "the library failed")?;
        let mut sealed = vec![TINK];
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend_from_slice(&nonce[..]);
        sealed.extend_from_slice(&value);
        Ok(sealed)
    }

    /// The key of this number, where it is enabled and of the kind that is used here.
    fn key(&self, number: u32) -> Option<LessSafeKey> {
        let entry = self.key.iter().find(|entry| {
            entry.key_id == number && entry.status == "ENABLED" && entry.output_prefix_type == "TINK"
        })?;
        let value = Zeroizing::new(STANDARD.decode(entry.key_data.as_ref()?.value.as_bytes()).ok()?);
        let key = value.strip_prefix(&KEY)?;
        UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
    }
}

/// Random bytes, of the system itself: the generator of the library takes longer to begin than a node has to start.
pub(in crate::lab) fn draw<const N: usize>() -> std::io::Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    File::open("/dev/urandom")?.read_exact(&mut bytes[..])?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, byte: u8, status: &str) -> String {
        let value = STANDARD.encode([&KEY[..], &[byte; 32]].concat());
        format!(
            r#"{{"keyData":{{"typeUrl":"t","value":"{value}","keyMaterialType":"SYMMETRIC"}},"status":"{status}","keyId":{number},"outputPrefixType":"TINK"}}"#
        )
    }

    fn set(primary: u32, entries: &[String]) -> KeySet {
        let text = format!(r#"{{"primaryKeyId":{primary},"key":[{}]}}"#, entries.join(","));
        KeySet::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_primary_sealed_opens_for_its_name_with_every_set_that_has_the_key() {
        let (one, two) = (entry(1, 7, "ENABLED"), entry(4_000_000_000, 8, "ENABLED"));
        let sealed = set(4_000_000_000, &[one.clone(), two.clone()]).seal(b"value", "name").unwrap();
        assert_eq!(sealed[..5], [1, 0xee, 0x6b, 0x28, 0x00]);
        let newer = set(1, &[one.clone(), two]);
        assert_eq!(*newer.open(&sealed, "name").unwrap(), b"value");
        assert!(newer.open(&sealed, "other").unwrap_err().contains("no key of the set opens it"));

        for without in [
            set(1, std::slice::from_ref(&one)),
            set(1, &[one.clone(), entry(4_000_000_000, 9, "ENABLED")]),
            set(1, &[one, entry(4_000_000_000, 8, "DISABLED")]),
        ] {
            let why = without.open(&sealed, "name").unwrap_err();
            assert!(why.contains("no key of the set opens it") && why.contains("4000000000"), "{why}");
        }
        for broken in [&[][..], &sealed[..4], &sealed[..9], b"\x00aaaaaaaaaaaaaaaaaaaaaaaaa"] {
            newer.open(broken, "name").unwrap_err();
        }
    }
}
