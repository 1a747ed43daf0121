//! Certificates as a hostile node may hold them: for each field of one, that field malformed and the others as they were.

use crate::capability::crypto;
use pkcs8::der::{Reader as _, SliceReader, Tag, TagNumber};
use std::ops::Range;

/// What stands in a certificate in this order, version and extensions apart: RFC 5280, 4.1.
const FIELDS: [(&str, &[usize]); 8] = [
    ("serial number", &[0]),
    ("signature algorithm", &[1]),
    ("issuer", &[2]),
    ("first moment", &[3, 0]),
    ("last moment", &[3, 1]),
    ("subject", &[4]),
    ("key's algorithm", &[5, 0]),
    ("key", &[5, 1]),
];
/// As deep as anything in a certificate stands that is looked at.
const DEEPEST: usize = 12;

/// A value of DER, and where its content stands.
#[derive(Clone)]
struct Item {
    tag: Tag,
    content: Range<usize>,
}

/// Returns a certificate with one field malformed, for each, and what that is called; nothing of what is no certificate.
/// In the form, PEM or DER, that it had.
pub(super) fn each_field(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(der) = crypto::read_certificate(file) else { return Vec::new() };
    let form = |der: Vec<u8>| match file.starts_with(&der[..1]) {
        true => der,
        false => crypto::to_pem(&der.into()).into_bytes(),
    };
    fields(&der).into_iter().map(|(name, field)| (name, form(malformed(&der, &field)))).collect()
}

fn fields(der: &[u8]) -> Vec<(String, Item)> {
    let mut found = Vec::new();
    let mut add = |name: &str, item: Option<Item>| found.extend(item.map(|item| (name.to_owned(), item)));
    let whole = Item { tag: Tag::Sequence, content: 0..der.len() };
    let inside = |item: &Item, path: &[usize]| {
        path.iter().try_fold(item.clone(), |item, step| children(der, &item).into_iter().nth(*step))
    };
    let Some(signed) = inside(&whole, &[0, 0]) else { return found };
    let tag = |number: TagNumber| Tag::ContextSpecific { constructed: true, number };
    let versions = children(der, &signed).iter().take_while(|item| item.tag == tag(TagNumber::N0)).count();
    if versions > 0 {
        add("version", inside(&signed, &[0]));
    }
    for (name, path) in FIELDS {
        let first = path.first().map(|first| first + versions);
        let path: Vec<usize> = first.into_iter().chain(path.iter().skip(1).copied()).collect();
        add(name, inside(&signed, &path));
    }
    let extensions = children(der, &signed).into_iter().find(|item| item.tag == tag(TagNumber::N3));
    let extensions = extensions.and_then(|item| inside(&item, &[0]));
    for (number, extension) in (1..).zip(extensions.iter().flat_map(|extensions| children(der, extensions))) {
        // What it is remains, and what it says does not.
        add(&format!("extension {number}"), children(der, &extension).into_iter().next_back());
    }
    add("outer signature algorithm", inside(&whole, &[0, 1]));
    add("signature", inside(&whole, &[0, 2]));
    found
}

/// Every byte of a field is 0xFF that is no tag and no length: text is no UTF-8 then, a time none, a number negative, an
/// object identifier without an end.
fn malformed(der: &[u8], field: &Item) -> Vec<u8> {
    let mut bytes = der.to_vec();
    let mut open = vec![(field.clone(), 0)];
    while let Some((item, depth)) = open.pop() {
        let is_made_of_others = item.tag.is_constructed() && depth < DEEPEST;
        let inner = if is_made_of_others { children(der, &item) } else { Vec::new() };
        if let ([], Some(content)) = (inner.as_slice(), bytes.get_mut(item.content)) {
            content.fill(0xFF);
        }
        open.extend(inner.into_iter().map(|item| (item, depth + 1)));
    }
    bytes
}

/// The values in a value; none where it is damaged.
fn children(der: &[u8], item: &Item) -> Vec<Item> {
    let all = || {
        let mut reader = SliceReader::new(der.get(item.content.clone())?).ok()?;
        let mut found = Vec::new();
        while !reader.is_finished() {
            let header = reader.peek_header().ok()?;
            reader.tlv_bytes().ok()?;
            let end = item.content.start + usize::try_from(reader.position()).ok()?;
            let begin = end.checked_sub(usize::try_from(header.length).ok()?)?;
            found.push(Item { tag: header.tag, content: begin..end });
        }
        Some(found)
    };
    all().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::crypto::testing::{leaf, root};

    #[test]
    fn each_field_of_a_certificate_is_malformed_once_and_nothing_else() {
        let root = root("root");
        let leaf = leaf(&root, "master1.example").0;
        for file in [leaf.to_vec(), crypto::to_pem(&leaf).into_bytes()] {
            let all = each_field(&file);
            let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
            let fixed = ["version"].into_iter().chain(FIELDS.map(|(name, _)| name));
            assert_eq!(names[..9], fixed.collect::<Vec<_>>());
            assert!(
                names.len() > 12 && names.ends_with(&["outer signature algorithm", "signature"]),
                "{names:?}"
            );
            let mut unreadable = 0;
            for (name, bytes) in &all {
                assert_eq!(bytes.len(), file.len(), "{name}");
                assert_eq!(bytes[0], file[0], "{name}");
                // No reader takes it for what it was.
                let is_refused = crypto::verify_chain(bytes, &root.0, crypto::testing::now()).is_err();
                assert!(is_refused || name.starts_with("extension"), "{name}");
                unreadable += usize::from(crypto::inspect(bytes).is_err());
            }
            // Some can be read, and say what they must not.
            assert!(unreadable > 3 && unreadable < all.len(), "{unreadable} of {}", all.len());
            let mut different: Vec<&Vec<u8>> = all.iter().map(|(_, bytes)| bytes).collect();
            different.sort();
            different.dedup();
            assert_eq!(different.len(), all.len());
        }
    }

    #[test]
    fn of_what_is_no_certificate_nothing_is_made() {
        let nested: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 100_000).flatten().collect();
        for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----\nMIIB", b"0", &nested] {
            assert!(each_field(bytes).is_empty());
        }
    }
}
