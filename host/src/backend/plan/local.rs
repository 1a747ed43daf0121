//! What needs no node: secrets by name, the operator who says yes, values, a clock that waits for nothing.

use super::Planning;
use super::imagined::Made;
use crate::model::{Answer, Effect, Fault, ObjectName, PluginName, code};

impl Planning {
    pub(super) fn local(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::SecretsAsk { name, .. } => {
                if !self.imagined().has(plugin, name) {
                    self.imagined().make(plugin, name, Made::Secret)?;
                }
                Ok(Answer::Done)
            }
            Effect::SecretsGenerate { name, .. } => {
                self.imagined().make(plugin, name, Made::Secret)?;
                Ok(Answer::Done)
            }
            Effect::SecretsCheck { name } => self.check(plugin, name),
            Effect::OperatorParameter { name } => Ok(Answer::Text(self.parameters.get(name).cloned())),
            Effect::OperatorConfirm { question, .. } => {
                self.imagined().assumed.insert(format!("the operator says yes to: {question}"));
                Ok(Answer::Yes(true))
            }
            Effect::OperatorNote { .. } | Effect::OperatorProgress { .. } => Ok(Answer::Done),
            Effect::StateGet { name } => Ok(Answer::Text(self.values.value(plugin, name))),
            Effect::StateSet { name, value } => {
                self.values.set_value(plugin, name, value)?;
                Ok(Answer::Done)
            }
            Effect::ClockNow => {
                let mut imagined = self.imagined();
                let now = jiff::Timestamp::now().as_millisecond() + imagined.waited;
                let name = imagined.symbols.name("now");
                Ok(Answer::Milliseconds(imagined.symbols.number(name, now)))
            }
            Effect::ClockSleep { milliseconds } => {
                self.imagined().waited += i64::from(*milliseconds);
                Ok(Answer::Done)
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of the controller"))),
        }
    }

    /// Seconds since 1970 UTC, after what was waited for.
    pub(super) fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.imagined().waited / 1_000
    }

    fn check(&self, plugin: &PluginName, name: &ObjectName) -> Result<Answer, Fault> {
        let mut imagined = self.imagined();
        imagined.secret(plugin, name)?;
        imagined.assumed.insert(format!("the secret {name} meets the password policy"));
        Ok(Answer::Words(Vec::new()))
    }
}
