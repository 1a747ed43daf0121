//! Names for values that no two rehearsals need have in common: hashes, serial numbers, identifiers of keys.
//!
//! A plugin sees the values themselves. A transcript has names in their place, in the order in which they came up.

use crate::model::Certificate;
use std::collections::HashSet;

/// What is shorter is no hash, and might stand in a text by chance.
const SHORTEST: usize = 16;
/// Of the beginning of one, where two transcripts are compared.
const FEWEST: usize = 8;

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Values and what they are called.
    known: Vec<(String, String)>,
    taken: HashSet<String>,
}

impl Names {
    /// Gives a value a name; one that has one keeps it.
    pub fn add(&mut self, value: &str, wanted: &str) {
        if value.len() < SHORTEST || self.known.iter().any(|(known, _)| known == value) {
            return;
        }
        let mut name = wanted.to_owned();
        let mut next = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}#{next}");
            next += 1;
        }
        self.known.push((value.to_owned(), name));
    }

    /// Names what a certificate says of itself alone.
    pub fn add_certificate(&mut self, says: &Certificate, wanted: &str) {
        self.add(&says.fingerprint, wanted);
        self.add(&says.serial, &format!("{wanted}.serial"));
        self.add(&says.subject_key_id, &format!("{wanted}.subject-key-id"));
        self.add(&says.authority_key_id, &format!("{wanted}.authority-key-id"));
    }

    /// Writes names for values.
    pub fn shown(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (value, name) in &self.known {
            if shown.contains(value.as_str()) {
                shown = shown.replace(value.as_str(), &format!("<{name}>"));
            }
        }
        shown
    }

    /// Writes names for the beginnings of values too: plugins show people the first digits of a hash.
    pub fn shown_in_part(&self, text: &str) -> String {
        let whole = self.shown(text);
        let mut out = String::with_capacity(whole.len());
        for word in whole.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
            let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let begins = |value: &String| value.len() > digits.len() && value.starts_with(digits);
            let named = self.known.iter().find(|(value, _)| digits.len() >= FEWEST && begins(value));
            match named {
                Some((_, name)) => {
                    // How many digits are shown is the plugin's choice.
                    out.push_str(&format!("<{name}>…{}{}", digits.len(), &word[digits.len()..]));
                }
                None => out.push_str(word),
            }
        }
        out
    }
}
