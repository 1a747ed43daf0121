//! The person at the controller, as capabilities see them. The command line stands behind it.

use crate::capability::secrets::Secret;
use crate::model::PluginName;
use aws_lc_rs::digest::{Context, SHA256};

/// How an impact was acknowledged, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    Yes,
    No,
    /// There is nobody to ask, and no token was given.
    Nobody,
    /// A token was given, and it is of something else.
    OtherToken,
}

/// Questions to the operator. None: there is nobody to ask.
pub trait Operator: Send + Sync {
    /// Asks a yes-or-no question with its impact in view; answered without asking where the operator said so
    /// on the command line.
    fn confirm(&self, question: &str, impact: &str) -> Option<bool>;

    /// Asks for the acknowledgement of an impact, which no general yes answers; only this token does, where
    /// the operator gave one on the command line.
    fn acknowledge(&self, question: &str, impact: &str, token: &str) -> Acknowledged;

    /// Asks for a line that is not shown.
    fn secret(&self, prompt: &str) -> Option<std::io::Result<Secret>>;

    /// Shows an instruction, waits, and returns whether the operator says it is done.
    fn instruct(&self, instruction: &str) -> Option<bool>;
}

/// What a token of an acknowledgement begins with, so that it is not taken for a plan's.
pub const ACKNOWLEDGEMENT: &str = "ack-";

/// Returns the token that acknowledges exactly this: `ack-` and twelve hexadecimal digits, not meant to be guessed
/// at but to be copied, so that it cannot be given before the impact was seen.
pub fn acknowledgement_token(site: &str, plugin: &PluginName, question: &str, impact: &str) -> String {
    let mut digest = Context::new(&SHA256);
    digest.update(b"windlass: acknowledgement\0");
    for part in [site, plugin.as_str(), question, impact] {
        // With its length, so that no part can lend a word to the next.
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = crate::capability::crypto::hex(digest.finish().as_ref());
    format!("{ACKNOWLEDGEMENT}{digest:.12}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_acknowledgement_alone() {
        let plugin = |name: &str| PluginName::new(name).unwrap();
        let token = |site: &str, name: &str, question: &str, impact: &str| {
            acknowledgement_token(site, &plugin(name), question, impact)
        };
        let one = token("prod", "ha-cert", "Go on?", "it hurts");
        assert_eq!((one.len(), &one), (16, &token("prod", "ha-cert", "Go on?", "it hurts")));
        let others = [
            token("test", "ha-cert", "Go on?", "it hurts"),
            token("prod", "ha-certs", "Go on?", "it hurts"),
            token("prod", "ha-cert", "Go on", "?it hurts"),
            token("prod", "ha-cert", "Go on?", "it hurts more"),
        ];
        assert!(!others.contains(&one), "{others:?}");
    }
}
