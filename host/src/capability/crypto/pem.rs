//! PEM blocks, found in text that may hold anything else, and decoded into buffers that are wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// One block between its `BEGIN` and `END` lines.
pub(super) struct Block {
    pub label: String,
    pub der: Zeroizing<Vec<u8>>,
}

/// Returns the first block whose label `wanted` accepts; text around blocks is passed over. Errors say what
/// is damaged: the label is given back, the content never is.
pub(super) fn first(text: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Option<Block>, String> {
    let mut rest = text;
    while let Some(start) = find(rest, b"-----BEGIN ") {
        rest = &rest[start + b"-----BEGIN ".len()..];
        let Some(end) = find(rest, b"-----") else { return Err("a BEGIN line does not end".into()) };
        let Some(label) = std::str::from_utf8(&rest[..end]).ok().filter(|label| is_label(label)) else {
            return Err("a BEGIN line has no proper label".into());
        };
        rest = &rest[end + b"-----".len()..];
        let closing = format!("-----END {label}-----");
        let Some(length) = find(rest, closing.as_bytes()) else {
            return Err(format!("the block {label} has no END line"));
        };
        if wanted(label) {
            let der = decode(&rest[..length]).map_err(|why| format!("the block {label} {why}"))?;
            return Ok(Some(Block { label: label.to_owned(), der }));
        }
        rest = &rest[length + closing.len()..];
    }
    Ok(None)
}

fn decode(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if find(body, b"Proc-Type:").is_some() {
        return Err("is encrypted in OpenSSL's traditional way (one round of MD5)");
    }
    let mut packed = Zeroizing::new(Vec::with_capacity(body.len()));
    packed.extend(body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; packed.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(&packed[..], &mut der).map_err(|_| "is not base64")?;
    // Shrinking in place: what is cut off is zeroes.
    der.truncate(length);
    Ok(der)
}

fn is_label(label: &str) -> bool {
    (1..=60).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Option<Vec<u8>>, String> {
        first(text.as_bytes(), |label| label == "THING").map(|block| block.map(|block| block.der.to_vec()))
    }

    #[test]
    fn the_first_wanted_block_is_found_among_other_text() {
        let text = "Bag Attributes\r\n-----BEGIN OTHER-----\r\nAAAA\r\n-----END OTHER-----\r\n\
                    -----BEGIN THING-----\r\nAQ\r\nID\r\n-----END THING-----\r\n";
        assert_eq!(check(text), Ok(Some(vec![1, 2, 3])));
        assert_eq!(check("no block at all"), Ok(None));
        assert_eq!(check(""), Ok(None));
    }

    #[test]
    fn damage_is_named_without_the_content() {
        for (text, why) in [
            ("-----BEGIN THING", "does not end"),
            ("-----BEGIN TH\u{1b}ING-----\n", "no proper label"),
            ("-----BEGIN THING-----\nAQID\n", "no END line"),
            ("-----BEGIN THING-----\nsecret!\n-----END THING-----", "is not base64"),
            ("-----BEGIN THING-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END THING-----", "traditional way"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret!"), "{text:?}: {error}");
        }
    }
}
