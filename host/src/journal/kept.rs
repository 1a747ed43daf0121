//! Sealed values lie apart from their rows, which name them by digest: so they can be removed when a run is
//! closed, and are in no export, while the chain still holds.

use super::chain::{hex, sha256};
use super::row::{ObjectKind, Row};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const DIGEST: &str = "sha256:";

/// Takes the sealed values out of a row; in their place stand their digests.
pub fn part(row: &mut Row) -> Vec<Vec<u8>> {
    let Row::Outcome { kept, .. } = row else { return Vec::new() };
    let mut apart = Vec::new();
    for object in kept.iter_mut().filter(|object| is_sealed(object.kind)) {
        // What is not base64 was never sealed by us, and stays as it is.
        let Ok(bytes) = STANDARD.decode(&object.bytes) else { continue };
        object.bytes = digest_of(&bytes);
        apart.push(bytes);
    }
    apart
}

/// Puts sealed values back where their digests stand. Err: what is wrong. Ok: how many are not there.
pub fn join(row: &mut Row, apart: Vec<Vec<u8>>) -> Result<usize, String> {
    let mut apart = apart.into_iter();
    let mut missing = 0;
    if let Row::Outcome { kept, .. } = row {
        for object in kept.iter_mut().filter(|object| is_sealed(object.kind)) {
            if !object.bytes.starts_with(DIGEST) {
                continue;
            }
            match apart.next() {
                Some(bytes) if digest_of(&bytes) == object.bytes => object.bytes = STANDARD.encode(bytes),
                Some(_) => {
                    return Err(format!("the sealed value of {} is not the one it names", object.name));
                }
                None => missing += 1,
            }
        }
    }
    match apart.next() {
        Some(_) => Err("it has a sealed value that it does not name".into()),
        None => Ok(missing),
    }
}

fn is_sealed(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::SealedKey | ObjectKind::SealedSecret)
}

fn digest_of(bytes: &[u8]) -> String {
    format!("{DIGEST}{}", hex(&sha256(bytes)))
}
