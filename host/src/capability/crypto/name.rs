//! Distinguished names as text (RFC 4514), harmless on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use x509_parser::asn1_rs::{Any, Tag, ToDer as _};
use x509_parser::x509::X509Name;

/// Attribute types that have a short name. RFC 4514 gives the first nine; the others are written as OpenSSL
/// does, since nobody could read an address as `1.2.840.113549.1.9.1=#1609…`.
const SHORT: [(&str, &str); 11] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "street"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.5", "serialNumber"),
];

/// Writes a name as RFC 4514 does: the last part first, special characters escaped. Control characters and
/// those that turn the direction of text are escaped too, byte by byte.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            let oid = attribute.attr_type().to_id_string();
            let short = SHORT.iter().find(|(known, _)| *known == oid).map(|(_, short)| *short);
            match (short, decode(attribute.attr_value())) {
                (Some(short), Some(value)) => {
                    text.push_str(short);
                    text.push('=');
                    escape(&value, &mut text);
                }
                // As RFC 4514 asks: a type without a short name shows its value as the hex of its DER.
                _ => {
                    let der = attribute.attr_value().to_der_vec().unwrap_or_default();
                    let _ = write!(text, "{}=#{}", short.unwrap_or(&oid), super::hex(&der));
                }
            }
        }
    }
    text
}

fn decode<'a>(value: &Any<'a>) -> Option<Cow<'a, str>> {
    match value.header.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(value.data).ok().map(Cow::Borrowed)
        }
        Tag::T61String => Some(value.data.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString if value.data.len().is_multiple_of(2) => {
            let units = value.data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Cow::Owned)
        }
        _ => None,
    }
}

fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            _ => push_harmless(character, text),
        }
    }
}

/// Returns text with its control characters escaped.
pub(super) fn harmless(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    value.chars().for_each(|character| push_harmless(character, &mut text));
    text
}

fn push_harmless(character: char, text: &mut String) {
    let turns = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if character.is_control() || turns {
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\{byte:02X}");
        }
    } else {
        text.push(character);
    }
}
