//! Values that are born in the run, and what stands in for them while a plan is made.
//!
//! A plugin compares and keeps such values as any others, so each has a stand-in of the right form: 64 hex
//! digits for a fingerprint, a day in the future for the end of a validity, a block of PEM for a certificate's
//! file. A plan shows none of them: wherever a stand-in stands in an effect, the symbol is written instead.

use crate::capability::crypto::hex;
use crate::model::{Shape, Symbol};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const REQUEST: &str = "CERTIFICATE REQUEST";

/// Whether a stand-in is that of a signing request.
pub(super) fn is_request(stand_in: &[u8]) -> bool {
    stand_in.starts_with(format!("-----BEGIN {REQUEST}-----").as_bytes())
}

#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// By name, in the order of their first use.
    shapes: IndexMap<String, Shape>,
    /// Stand-ins of texts and what they stand for.
    texts: Vec<(String, String)>,
    numbers: BTreeMap<i64, String>,
    /// Numbers that mean something already, and stand in for nothing.
    real: BTreeSet<i64>,
    /// Files of certificates, and requests: stand-in, and the name of what is born.
    files: Vec<(Vec<u8>, String)>,
    taken: BTreeSet<String>,
}

impl Symbols {
    /// Returns a name for something that is born, unlike those before it.
    pub fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut next = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}#{next}");
            next += 1;
        }
        name
    }

    /// Returns the stand-in of a hash.
    pub fn sha256(&mut self, name: String) -> String {
        let stand_in = hex(digest(&SHA256, format!("windlass stand-in {name}").as_bytes()).as_ref());
        self.add_text(name, Shape::Sha256, stand_in)
    }

    /// Returns the stand-in of an identifier of so many bytes.
    pub fn identifier(&mut self, name: String, bytes: usize) -> String {
        let whole = digest(&SHA256, format!("windlass stand-in {name}").as_bytes());
        let stand_in = hex(whole.as_ref().get(..bytes).unwrap_or(whole.as_ref()));
        self.add_text(name, Shape::Hex, stand_in)
    }

    /// Returns the symbol itself: for words that a plugin shows and does not take apart.
    pub fn text(&mut self, name: String) -> String {
        let shown = format!("<{name}>");
        self.shapes.insert(name, Shape::Text);
        shown
    }

    /// Takes note of numbers that were found, and keeps stand-ins away from them.
    pub fn avoid(&mut self, found: impl IntoIterator<Item = i64>) {
        let known = &self.numbers;
        self.real.extend(found.into_iter().filter(|number| !known.contains_key(number)));
    }

    /// Returns a number near the one wanted, unlike every other.
    pub fn number(&mut self, name: String, near: i64) -> i64 {
        if let Some((number, _)) = self.numbers.iter().find(|(_, known)| **known == name) {
            return *number;
        }
        let mut number = near;
        while self.numbers.contains_key(&number) || self.real.contains(&number) {
            number = number.saturating_add(1);
        }
        self.shapes.insert(name.clone(), Shape::Number);
        self.numbers.insert(number, name);
        number
    }

    /// Returns the stand-in of a certificate's file.
    pub fn file(&mut self, born: &str) -> Vec<u8> {
        self.pem(born, "CERTIFICATE")
    }

    /// Returns the stand-in of a certificate signing request.
    pub fn request(&mut self, born: &str) -> Vec<u8> {
        self.pem(born, REQUEST)
    }

    fn pem(&mut self, born: &str, label: &str) -> Vec<u8> {
        if let Some((stand_in, _)) = self.files.iter().find(|(_, known)| known == born) {
            return stand_in.clone();
        }
        // Base64 of a sentence, so that whoever takes it for a certificate reads why it is none.
        let body = STANDARD.encode(format!("windlass stand-in {born}: known after apply"));
        let stand_in = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes();
        self.shapes.insert(format!("{born}.pem"), Shape::Pem);
        self.files.push((stand_in.clone(), born.to_owned()));
        stand_in
    }

    /// Returns what a certificate's file stands in for.
    pub fn born_of(&self, bytes: &[u8]) -> Option<&str> {
        self.files.iter().find(|(stand_in, _)| stand_in == bytes).map(|(_, born)| born.as_str())
    }

    /// Whether a stand-in is part of some bytes.
    pub fn mentions(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.files.iter().any(|(file, _)| text.contains(String::from_utf8_lossy(file).as_ref()))
            || self.shown(&text) != text
            || self
                .shapes
                .iter()
                .any(|(name, shape)| *shape == Shape::Text && text.contains(&format!("<{name}>")))
    }

    /// Everything that was handed to the plugin.
    pub fn all(&self) -> Vec<Symbol> {
        self.shapes.iter().map(|(name, shape)| Symbol { name: name.clone(), shape: *shape }).collect()
    }

    fn add_text(&mut self, name: String, shape: Shape, stand_in: String) -> String {
        if self.shapes.insert(name.clone(), shape).is_none() {
            self.texts.push((stand_in.clone(), name));
        }
        stand_in
    }

    /// Writes symbols for stand-ins.
    pub fn shown(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (stand_in, name) in &self.texts {
            if shown.contains(stand_in.as_str()) {
                shown = shown.replace(stand_in.as_str(), &format!("<{name}>"));
            }
        }
        self.numbers_shown(&shown)
    }

    fn numbers_shown(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(at);
            let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
            let (digits, after) = from.split_at(end);
            shown.push_str(before);
            match digits.parse().ok().and_then(|number: i64| self.numbers.get(&number)) {
                Some(name) => shown.push_str(&format!("<{name}>")),
                None => shown.push_str(digits),
            }
            rest = after;
        }
        shown.push_str(rest);
        shown
    }

    /// Writes symbols for the stand-ins in an effect, and a digest for bytes that are known.
    pub fn shown_in(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.shown(&text)),
            Value::Number(number) => match number.as_i64().and_then(|number| self.numbers.get(&number)) {
                Some(name) => Value::String(format!("<{name}>")),
                None => Value::Number(number),
            },
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.shown_in(item)).collect()),
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| match (name.as_str(), &value) {
                        ("bytes", Value::String(encoded)) => {
                            let shown = self.bytes_shown(encoded);
                            (name, Value::String(shown))
                        }
                        _ => (name, self.shown_in(value)),
                    })
                    .collect(),
            ),
            other => other,
        }
    }

    /// `text:…` with symbols, or `sha256:…` where nothing in it is born.
    fn bytes_shown(&self, encoded: &str) -> String {
        let Ok(bytes) = STANDARD.decode(encoded) else { return encoded.to_owned() };
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for (stand_in, born) in &self.files {
            let stand_in = String::from_utf8_lossy(stand_in);
            text = text.replace(stand_in.as_ref(), &format!("<{born}.pem>"));
        }
        let shown = self.shown(&text);
        if shown.as_bytes() == bytes {
            return format!("sha256:{}", hex(digest(&SHA256, &bytes).as_ref()));
        }
        format!("text:{shown}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stand_in_is_shown_as_its_symbol_wherever_it_stands() {
        let mut symbols = Symbols::default();
        let fingerprint = symbols.sha256("new-root.fingerprint".into());
        let until = symbols.number("new-root.not-after".into(), 2_000_000_000);
        let file = symbols.file("new-root");
        assert_eq!((fingerprint.len(), until), (64, 2_000_000_000));
        let effect = json!({
            "value": format!("{fingerprint} {until}"),
            "days": until,
            "other": "12000000000 2000000000",
            "content": { "bytes": STANDARD.encode([b"# both\n".as_slice(), &file].concat()) },
            "known": { "bytes": STANDARD.encode("abc") },
        });
        let shown = symbols.shown_in(effect);
        assert_eq!(shown["value"], "<new-root.fingerprint> <new-root.not-after>");
        assert_eq!(shown["days"], "<new-root.not-after>");
        assert_eq!(shown["other"], "12000000000 <new-root.not-after>", "part of a longer number is none");
        assert_eq!(shown["content"]["bytes"], "text:# both\n<new-root.pem>");
        let known = shown["known"]["bytes"].as_str().unwrap();
        assert!(known.starts_with("sha256:ba7816bf"), "{known}");
        assert_eq!(symbols.born_of(&file), Some("new-root"));
    }

    #[test]
    fn two_that_are_born_alike_have_names_and_stand_ins_of_their_own() {
        let mut symbols = Symbols::default();
        let names = [symbols.name("leaf@a"), symbols.name("leaf@a"), symbols.name("leaf@a")];
        assert_eq!(names, ["leaf@a", "leaf@a#2", "leaf@a#3"]);
        let ends = names.map(|name| symbols.number(format!("{name}.not-after"), 9));
        assert_eq!(ends, [9, 10, 11]);
        assert_eq!(symbols.number("leaf@a#2.not-after".into(), 9), 10, "the same each time");
        symbols.avoid([11, 12]);
        assert_eq!(symbols.number("root.not-after".into(), 11), 13, "12 is a real one's");
    }
}
