//! `operator`: parameters, questions, notes. What a guest says is made safe for a terminal here.

use super::super::bindings::operator::Host;
use super::super::call::Guest;
use super::{Imported, answer, key, text};
use crate::model::{Answer, Effect};

impl Host for Guest {
    async fn parameter(&mut self, name: String) -> Imported<Option<String>> {
        self.perform(
            || Ok(Effect::OperatorParameter { name: key("parameter", name)? }),
            answer!(Answer::Text(value) => value),
        )
        .await
    }

    async fn confirm(&mut self, question: String, impact: String) -> Imported<bool> {
        self.perform(
            || Ok(Effect::OperatorConfirm { question: text(&question), impact: text(&impact) }),
            answer!(Answer::Yes(yes) => yes),
        )
        .await
    }

    async fn acknowledge(&mut self, question: String, impact: String) -> Imported<bool> {
        self.perform(
            || Ok(Effect::OperatorAcknowledge { question: text(&question), impact: text(&impact) }),
            answer!(Answer::Yes(yes) => yes),
        )
        .await
    }

    async fn note(&mut self, note: String) -> Imported<()> {
        self.perform(|| Ok(Effect::OperatorNote { text: text(&note) }), answer!(Answer::Done => ())).await
    }

    async fn progress(&mut self, done: u32, total: u32, shown: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::OperatorProgress { done, total, text: text(&shown) }),
            answer!(Answer::Done => ()),
        )
        .await
    }
}
