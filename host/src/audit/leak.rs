//! Secrets in what a plugin makes: whole, or in an encoding that anybody can undo.
//!
//! A guest is never given a secret's bytes, so what is found here it has from a node that shows them, or the host has
//! failed. What is encoded in a way that is not looked for shows where the secrets are other ones: see `vary`.

use super::made::{self, Made};
use crate::journal::{Row, StoredRow};
use crate::model::audit::{Finding, Rule};
use crate::model::{Fault, code, hex};
use crate::site::SimulatedCluster;
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What a secret may look like in a text, and what that is called.
pub(super) struct Leaks {
    all: Vec<(String, &'static str)>,
    /// Finds the same, by number.
    texts: AhoCorasick,
}

/// A piece of a secret that nobody writes by chance, in characters.
const PIECE: usize = 8;

impl Leaks {
    /// Looks for the secrets of a scenario.
    ///
    /// # Errors
    /// They are longer, all together, than what can be looked for: gigabytes.
    pub fn of(cluster: &SimulatedCluster) -> Result<Self, Fault> {
        let (mut all, mut texts) = (Vec::new(), Vec::new());
        let named = cluster.secrets.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, secret) in named.chain([("of the rehearsal", cluster.passphrase())]) {
            if secret.len() < PIECE {
                continue;
            }
            let mut add = |text: String, how| {
                all.push((format!("secret {name}"), how));
                texts.push(text);
            };
            add(secret.to_owned(), "whole");
            add(secret.chars().rev().collect(), "reversed");
            add(hex(secret.as_bytes()), "in hexadecimal");
            add(hex(secret.as_bytes()).to_uppercase(), "in hexadecimal");
            // Wherever it stands in what was encoded, one of the three has its middle.
            for skipped in 0..3 {
                let whole = &secret.as_bytes()[skipped..];
                let whole = &whole[..whole.len() / 3 * 3];
                add(STANDARD_NO_PAD.encode(whole), "in base64");
                add(URL_SAFE_NO_PAD.encode(whole), "in base64");
            }
            add(secret.chars().map(rotated).collect(), "rotated by thirteen");
            for piece in pieces(secret) {
                add(piece, "in part");
            }
        }
        let failed = |error| Fault::new(code::INVALID, format!("the scenario's secrets: {error}"));
        Ok(Self { all, texts: AhoCorasick::new(texts).map_err(failed)? })
    }

    /// What a text has of a secret: the first in the order of looking, as whole is said before in part.
    fn first_in(&self, text: &str) -> Option<&(String, &'static str)> {
        let found = self.texts.find_overlapping_iter(text).map(|found| found.pattern().as_usize()).min()?;
        self.all.get(found)
    }

    /// Looks at all that a plugin made.
    pub fn in_all(&self, made: &[Made]) -> Vec<Finding> {
        let leaks = |one: &Made| {
            let (secret, how) = one.parts.iter().find_map(|part| self.first_in(part))?;
            // Not the text: it has the secret in it.
            let message = format!("{secret} stands {how} in {}", one.place);
            let about = format!("{secret} in {}", one.place);
            Some(Finding::new(Rule::Leak, &about, message).at(one.call.clone(), Some(one.place.into())))
        };
        made.iter().filter_map(leaks).collect()
    }

    /// The first of the rows, behind so many, in which a node showed a secret to the plugin.
    pub fn first_shown(&self, rows: &[StoredRow], behind: usize) -> Option<usize> {
        let shows = |stored: &StoredRow| match &stored.row {
            Row::Outcome { answer: Ok(answer), .. } => {
                let shown = made::parts(&serde_json::to_value(answer).unwrap_or_default());
                shown.iter().any(|part| self.texts.is_match(part))
            }
            _ => false,
        };
        rows.iter().skip(behind).position(shows).map(|at| at + behind)
    }
}

fn rotated(c: char) -> char {
    let turn = |first: u8| char::from(first + (c as u8 - first + 13) % 26);
    match c {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        other => other,
    }
}

/// Every stretch of a secret of a length that nobody writes by chance.
fn pieces(secret: &str) -> Vec<String> {
    let characters: Vec<char> = secret.chars().collect();
    let all = characters.windows(PIECE).map(|piece| piece.iter().collect::<String>());
    // The run and the site of every rehearsal are called so, and so is its secret: who says a piece of it shows where it
    // is another.
    all.filter(|piece| !"rehearsal-1".contains(&piece.to_lowercase())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let cluster = SimulatedCluster {
            secrets: [("key".to_owned(), "Correct-Horse-7!".to_owned())].into_iter().collect(),
            ..SimulatedCluster::default()
        };
        let leaks = Leaks::of(&cluster).unwrap();
        let says = |text: String| {
            let row = Row::Intent {
                plugin: crate::model::PluginName::new("p").unwrap(),
                effect: crate::model::Effect::OperatorNote { text },
                class: crate::model::EffectClass::Observe,
            };
            leaks
                .in_all(&made::in_rows(&[StoredRow { sequence: 1, at: 0, row }], 0))
                .first()
                .map(|found| found.message.clone())
        };
        let wrapped = |text: &str| format!("all is well {text} and good");
        let encoded = |prefix: &str| {
            wrapped(
                &base64::engine::general_purpose::STANDARD
                    .encode(format!("{prefix}Correct-Horse-7!{prefix}")),
            )
        };
        for (text, how) in [
            (wrapped("Correct-Horse-7!"), "whole"),
            (wrapped("!7-esroH-tcerroC"), "reversed"),
            (wrapped(&hex(b"Correct-Horse-7!")), "hexadecimal"),
            (encoded(""), "base64"),
            (encoded("a"), "base64"),
            (encoded("ab"), "base64"),
            (wrapped("Pbeerpg-Ubefr-7!"), "thirteen"),
            (wrapped("ct-Horse"), "in part"),
        ] {
            let message = says(text.clone()).unwrap_or_else(|| panic!("not found: {text}"));
            assert!(message.contains(how) && message.contains("secret key"), "{message}");
        }
        assert_eq!(says(wrapped("Correct horse")), None);
    }
}
