//! What needs no node: secrets that are none, the operator's word as the scenario has it, values, a simulated clock.

use super::Rehearsal;
use crate::capability::objects::Object;
use crate::capability::secrets::Secret;
use crate::model::{Answer, Effect, Fault, ObjectName, PluginName, code};
use std::sync::Arc;

/// Longest wait of one `clock.sleep`, in milliseconds, as of a run.
const LONGEST_SLEEP: u32 = 600_000;
/// Longest generated secret, in characters, as of a run.
const LONGEST_SECRET: usize = 128;

impl Rehearsal {
    pub(super) fn local(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::SecretsAsk { name, .. } => {
                if !self.objects.has(plugin, name) {
                    let text = self.scenario.secret(name.as_str()).to_owned();
                    self.objects.add(plugin, name, Object::Secret(Arc::new(Secret::from_text(text))))?;
                }
                Ok(Answer::Done)
            }
            Effect::SecretsGenerate { name, length } => self.generate(plugin, name, *length),
            Effect::SecretsCheck { name } => {
                let secret = self.objects.secret(plugin, name)?;
                Ok(Answer::Words(self.policy.broken_rules(&secret)))
            }
            Effect::OperatorParameter { name } => Ok(Answer::Text(self.parameters.get(name).cloned())),
            Effect::OperatorConfirm { .. } => said(self.scenario.operator.confirm, "confirm this"),
            Effect::OperatorAcknowledge { .. } => {
                said(self.scenario.operator.acknowledge, "acknowledge the impact")
            }
            Effect::OperatorNote { .. } | Effect::OperatorProgress { .. } => Ok(Answer::Done),
            Effect::StateGet { name } => Ok(Answer::Text(self.objects.value(plugin, name))),
            Effect::StateSet { name, value } => {
                self.objects.set_value(plugin, name, value)?;
                Ok(Answer::Done)
            }
            Effect::ClockNow => Ok(Answer::Milliseconds(self.cluster().now)),
            Effect::ClockSleep { milliseconds } => {
                if *milliseconds > LONGEST_SLEEP {
                    return Err(Fault::new(
                        code::INVALID,
                        format!("a wait of {milliseconds} ms is too long: at most {LONGEST_SLEEP} ms a call"),
                    ));
                }
                self.cluster().now += i64::from(*milliseconds);
                Ok(Answer::Done)
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of the controller"))),
        }
    }

    /// A secret of the length, the same each time, which meets the policy.
    fn generate(&self, plugin: &PluginName, name: &ObjectName, length: u32) -> Result<Answer, Fault> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let least = self.policy.shortest();
        if !(least..=LONGEST_SECRET).contains(&length) {
            return Err(Fault::new(
                code::INVALID,
                format!("a secret of {length} characters: it has {least} to {LONGEST_SECRET}"),
            ));
        }
        let passphrase = self.scenario.passphrase();
        let text: String = passphrase.chars().cycle().take(length).collect();
        // Too short for the digit that ends the words of it.
        let text = if length < passphrase.len() { format!("{}1-", &text[..length - 2]) } else { text };
        self.objects.add(plugin, name, Object::Secret(Arc::new(Secret::from_text(text))))?;
        Ok(Answer::Done)
    }
}

fn said(answer: Option<bool>, what: &str) -> Result<Answer, Fault> {
    match answer {
        Some(yes) => Ok(Answer::Yes(yes)),
        None => Err(Fault::new(code::UNKNOWN, format!("there is nobody to ask to {what}"))),
    }
}
