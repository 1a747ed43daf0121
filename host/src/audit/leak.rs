//! Secrets in what a plugin makes: whole, or in an encoding that anybody can undo.
//!
//! A guest is never given a secret's bytes, so what is found here it has from a node that shows them, or the host has
//! failed. What is encoded in a way that is not looked for shows where the secrets are other ones: see `vary`.

use super::judge::call_of;
use crate::journal::{Row, StoredRow};
use crate::model::audit::{Finding, Rule};
use crate::model::{Content, Effect, Value, hex};
use crate::site::SimulatedCluster;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What a secret may look like in a text, and what that is called.
pub(super) struct Leaks(Vec<(String, String, &'static str)>);

/// A piece of a secret that nobody writes by chance, in characters.
const PIECE: usize = 8;

impl Leaks {
    /// Looks for the secrets of a scenario.
    pub fn of(cluster: &SimulatedCluster) -> Self {
        let mut all = Vec::new();
        let named = cluster.secrets.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, secret) in named.chain([("of the rehearsal", cluster.passphrase())]) {
            if secret.len() < PIECE {
                continue;
            }
            let mut add = |text: String, how| all.push((format!("secret {name}"), text, how));
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
        Self(all)
    }

    /// Looks at everything that a plugin made, behind so many rows that were looked at before.
    pub fn in_rows(&self, rows: &[StoredRow], earlier: usize) -> Vec<Finding> {
        let mut found = Vec::new();
        for stored in rows.iter().skip(earlier) {
            let call = || call_of(rows, stored.sequence).map(ToString::to_string);
            let (texts, effect) = match &stored.row {
                Row::Intent { effect, .. } | Row::Denied { effect, .. } => (made(effect), Some(effect)),
                Row::CallEnded { result: Err(fault), .. } => {
                    (vec![fault.message.clone(), fault.hint.clone()], None)
                }
                Row::HookWarned { text, .. } => (vec![text.clone()], None),
                Row::Planned { steps } => {
                    (steps.iter().flat_map(|step| [step.title.clone(), step.impact.clone()]).collect(), None)
                }
                Row::Verified { checks } => {
                    let evidence = checks.iter().flat_map(|check| &check.evidence);
                    (evidence.flat_map(|entry| [entry.name.clone(), entry.value.clone()]).collect(), None)
                }
                _ => continue,
            };
            let hit =
                texts.iter().find_map(|text| self.0.iter().find(|(_, secret, _)| text.contains(secret)));
            if let Some((secret, _, how)) = hit {
                // Not the text: it has the secret in it.
                let where_to =
                    effect.map_or_else(|| "what it says".into(), |effect| effect.function().to_owned());
                let message = format!("{secret} stands {how} in {where_to}");
                let about = format!("{secret} in {where_to}");
                found.push(Finding::new(Rule::Leak, &about, message).at(call(), Some(where_to)));
            }
        }
        found
    }
}

/// The texts of an effect that a plugin makes itself.
fn made(effect: &Effect) -> Vec<String> {
    let mut texts = vec![effect.to_string()];
    match effect {
        Effect::NodesRun { arguments, .. } | Effect::NodesRunEach { arguments, .. } => {
            texts.extend(arguments.iter().filter_map(|argument| match &argument.value {
                Value::Text(text) => Some(text.clone()),
                Value::Secret(_) => None,
            }));
        }
        Effect::FilesPut { content: Content::Bytes(bytes), .. }
        | Effect::FilesPutEach { content: Content::Bytes(bytes), .. }
        | Effect::FilesStage { content: Content::Bytes(bytes), .. } => {
            texts.push(String::from_utf8_lossy(bytes).into_owned());
        }
        Effect::OperatorNote { text } | Effect::OperatorProgress { text, .. } => texts.push(text.clone()),
        Effect::OperatorConfirm { question, impact } | Effect::OperatorAcknowledge { question, impact } => {
            texts.extend([question.clone(), impact.clone()]);
        }
        Effect::StateSet { name, value } => texts.extend([name.clone(), value.clone()]),
        Effect::NodesQuarantine { reason, .. } => texts.push(reason.clone()),
        _ => {}
    }
    texts
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
    // The run and the site of every rehearsal are called so, and so is its secret.
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
        let leaks = Leaks::of(&cluster);
        let says = |text: String| {
            let row = Row::Intent {
                plugin: crate::model::PluginName::new("p").unwrap(),
                effect: Effect::OperatorNote { text },
                class: crate::model::EffectClass::Observe,
            };
            leaks
                .in_rows(&[StoredRow { sequence: 1, at: 0, row }], 0)
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
