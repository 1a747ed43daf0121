//! A word of a script's input, on a line of its own: as it is, or in base64 where a line could not hold it.
//!
//! A shell needs two processes to read base64 and none to read a line, and most words are plain.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// Appends a word; `scripts/word.sh` reads it.
pub(crate) fn push_word(lines: &mut Zeroizing<Vec<u8>>, word: &[u8]) {
    if word.iter().any(|byte| matches!(byte, b'\n' | 0)) {
        lines.push(b':');
        push_base64(lines, word);
    } else {
        lines.push(b'=');
        lines.extend_from_slice(word);
    }
    lines.push(b'\n');
}

/// Appends bytes in base64, without a copy that stays behind.
pub(super) fn push_base64(lines: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let start = lines.len();
    lines.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The slice is as long as the encoding is, so it always fits.
    let written = BASE64.encode_slice(bytes, &mut lines[start..]).unwrap_or(0);
    lines.truncate(start + written);
}

/// The most bytes that a word takes: a buffer that grows leaves copies of secrets behind.
pub(crate) fn room_for(length: usize) -> usize {
    length.div_ceil(3) * 4 + 2
}
