//! `clock`: the controller's time, and waiting.

use super::super::bindings::clock::Host;
use super::super::call::Guest;
use super::{Imported, answer};
use crate::model::{Answer, Effect};

impl Host for Guest {
    async fn now(&mut self) -> Imported<i64> {
        self.perform(|| Ok(Effect::ClockNow), answer!(Answer::Milliseconds(now) => now)).await
    }

    async fn sleep(&mut self, milliseconds: u32) -> Imported<()> {
        self.perform(|| Ok(Effect::ClockSleep { milliseconds }), answer!(Answer::Done => ())).await
    }
}
