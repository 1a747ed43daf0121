//! The 32 bytes of one AES-256 key, as Tink keeps them: a protocol buffer of two fields
//! (`google.crypto.tink.AesGcmKey`: `version` = 1, `key_value` = 3).

use zeroize::Zeroizing;

/// Bytes of a key.
pub const LENGTH: usize = 32;

pub type Material = Zeroizing<[u8; LENGTH]>;

const KEY_VALUE: u64 = 3;
const VERSION: u64 = 1;

/// Reads one. `Err` says why not, without a byte of it.
pub fn decode(mut bytes: &[u8]) -> Result<Material, String> {
    let mut found = None;
    while !bytes.is_empty() {
        let tag = varint(&mut bytes).ok_or("its key is cut off")?;
        match (tag >> 3, tag & 7) {
            (VERSION, 0) => match varint(&mut bytes) {
                Some(0) => {}
                _ => return Err("its key is of a later version of the format".into()),
            },
            (KEY_VALUE, 2) => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok());
                let value = length.and_then(|length| bytes.split_at_checked(length));
                let (value, rest) = value.ok_or("its key is cut off")?;
                let value: [u8; LENGTH] = value.try_into().map_err(|_| {
                    format!("a key has {} bits, and the root keys here are AES-256", value.len() * 8)
                })?;
                found = Some(Zeroizing::new(value));
                bytes = rest;
            }
            _ => return Err("its key has a field that an AES-GCM key does not have".into()),
        }
    }
    found.ok_or_else(|| "a key has no bytes".into())
}

/// Writes one, as Tink does: a version of 0 is left out.
pub fn encode(material: &Material) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + 2));
    bytes.extend_from_slice(&[(KEY_VALUE as u8) << 3 | 2, LENGTH as u8]);
    bytes.extend_from_slice(&material[..]);
    bytes
}

/// A number of up to 64 bits, seven to a byte, the least first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for at in 0..10 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(at * 7)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
