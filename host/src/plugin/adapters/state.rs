//! `state`: small values kept between steps.

use super::super::bindings::state::Host;
use super::super::call::Guest;
use super::{Imported, answer, key};
use crate::model::{Answer, Effect};

impl Host for Guest {
    async fn get(&mut self, name: String) -> Imported<Option<String>> {
        self.perform(
            || Ok(Effect::StateGet { name: key("value", name)? }),
            answer!(Answer::Text(value) => value),
        )
        .await
    }

    async fn set(&mut self, name: String, value: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::StateSet { name: key("value", name)?, value }),
            answer!(Answer::Done => ()),
        )
        .await
    }
}
