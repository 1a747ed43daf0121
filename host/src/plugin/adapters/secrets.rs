//! `secrets`: by name, never by value.

use super::super::bindings::secrets::Host;
use super::super::call::Guest;
use super::{Imported, answer, name, text};
use crate::model::{Answer, Effect};

impl Host for Guest {
    async fn ask(&mut self, object: String, prompt: String, confirm: bool) -> Imported<()> {
        self.perform(
            || Ok(Effect::SecretsAsk { name: name(object)?, prompt: text(&prompt), confirm }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn generate(&mut self, object: String, length: u32) -> Imported<()> {
        self.perform(
            || Ok(Effect::SecretsGenerate { name: name(object)?, length }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn check(&mut self, object: String) -> Imported<Vec<String>> {
        self.perform(
            || Ok(Effect::SecretsCheck { name: name(object)? }),
            answer!(Answer::Words(rules) => rules),
        )
        .await
    }
}
