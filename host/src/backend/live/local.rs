//! What needs no node: secrets, the operator, values, the clock.

use super::crypto::kept;
use super::{Live, fault};
use crate::backend::Acted;
use crate::capability::objects::Object;
use crate::capability::operator::{Acknowledged, acknowledgement_token};
use crate::capability::secrets::{self, Secret, source};
use crate::journal::ObjectKind;
use crate::model::{Answer, Effect, Event, Fault, ObjectName, PluginName, code};
use crate::site::SecretSource;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of one `clock.sleep`, in milliseconds: 10 minutes.
const LONGEST_SLEEP: u32 = 600_000;
/// Characters of a note or of a question's text.
const LONGEST_TEXT: usize = 4096;

impl Live {
    pub(super) async fn local(&self, plugin: &PluginName, effect: &Effect) -> Acted {
        match effect {
            Effect::SecretsAsk { name, prompt, confirm } => {
                self.ask_secret(plugin, name, prompt, *confirm).unwrap_or_else(|fault| Err(fault).into())
            }
            Effect::SecretsGenerate { name, length } => {
                self.generate_secret(plugin, name, *length).unwrap_or_else(|fault| Err(fault).into())
            }
            _ => self.local_effect(plugin, effect).await.into(),
        }
    }

    async fn local_effect(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::SecretsCheck { name } => {
                let secret = self.objects.secret(plugin, name)?;
                Ok(Answer::Words(self.policy.broken_rules(&secret)))
            }
            Effect::OperatorParameter { name } => Ok(Answer::Text(self.parameters.get(name).cloned())),
            Effect::OperatorConfirm { question, impact } => {
                match self.operator.confirm(&clean(question), &clean(impact)) {
                    Some(answer) => Ok(Answer::Yes(answer)),
                    None => Err(Fault::new(code::UNKNOWN, "there is nobody to ask")
                        .hint("say --yes to answer yes unasked")),
                }
            }
            Effect::OperatorAcknowledge { question, impact } => {
                let (question, impact) = (clean(question), clean(impact));
                let token = acknowledgement_token(&self.site.name, plugin, &question, &impact);
                let to_give = format!("what is said here is acknowledged unasked by: --ack {token}");
                match self.operator.acknowledge(&question, &impact, &token) {
                    Acknowledged::Yes => Ok(Answer::Yes(true)),
                    Acknowledged::No => Ok(Answer::Yes(false)),
                    Acknowledged::Nobody => Err(Fault::new(
                        code::UNKNOWN,
                        format!("there is nobody to ask for the acknowledgement, and --yes does not give it: {impact}"),
                    )
                    .hint(to_give)),
                    Acknowledged::OtherToken => Err(Fault::new(
                        code::REFUSED,
                        format!("the token of --ack acknowledges something else than this: {impact}"),
                    )
                    .hint(to_give)),
                }
            }
            Effect::OperatorNote { text } => {
                (self.events)(&Event::Note { text: clean(text) });
                Ok(Answer::Done)
            }
            Effect::OperatorProgress { done, total, text } => {
                (self.events)(&Event::Progress { done: *done, total: *total, text: clean(text) });
                Ok(Answer::Done)
            }
            Effect::StateGet { name } => Ok(Answer::Text(self.objects.value(plugin, name))),
            Effect::StateSet { name, value } => {
                self.objects.set_value(plugin, name, value)?;
                Ok(Answer::Done)
            }
            Effect::ClockNow => Ok(Answer::Milliseconds(jiff::Timestamp::now().as_millisecond())),
            Effect::ClockSleep { milliseconds } => {
                if *milliseconds > LONGEST_SLEEP {
                    return Err(Fault::new(
                        code::INVALID,
                        format!("a wait of {milliseconds} ms is too long: at most {LONGEST_SLEEP} ms a call"),
                    ));
                }
                tokio::time::sleep(Duration::from_millis(u64::from(*milliseconds))).await;
                Ok(Answer::Done)
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of the controller"))),
        }
    }

    fn ask_secret(
        &self,
        plugin: &PluginName,
        name: &ObjectName,
        prompt: &str,
        confirm: bool,
    ) -> Result<Acted, Fault> {
        if self.objects.has(plugin, name) {
            return Ok(Ok(Answer::Done).into());
        }
        let source = self
            .secret_sources
            .get(name.as_str())
            .or_else(|| self.site.secrets.get(name.as_str()))
            .cloned()
            .unwrap_or(SecretSource::Prompt);
        let prompt = clean(prompt);
        let wanted = source::Wanted { name: name.as_str(), prompt: &prompt, confirm, dir: &self.site.dir };
        let operator = self.operator.clone();
        let nobody = std::cell::Cell::new(false);
        let mut ask = |prompt: &str| {
            operator.secret(prompt).unwrap_or_else(|| {
                nobody.set(true);
                Err(std::io::Error::other("there is nobody to ask"))
            })
        };
        let reading = source::read(&source, wanted, Some(&mut ask)).map_err(|error| {
            if nobody.get() {
                Fault::new(code::UNKNOWN, format!("the secret {name} is needed and there is nobody to ask"))
                    .hint(format!(
                        "give it with --secret {name}=file:PATH, or set [secrets.{name}] in site.toml"
                    ))
            } else {
                fault(code::UNKNOWN)(error)
            }
        })?;
        for text in reading.warnings {
            (self.events)(&Event::Note { text });
        }
        self.keep_secret(plugin, name, reading.secret)
    }

    fn generate_secret(&self, plugin: &PluginName, name: &ObjectName, length: u32) -> Result<Acted, Fault> {
        // A length that does not fit is too long in any case.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let secret = secrets::generate(&self.policy, length).map_err(fault(code::INVALID))?;
        self.keep_secret(plugin, name, secret)
    }

    fn keep_secret(&self, plugin: &PluginName, name: &ObjectName, secret: Secret) -> Result<Acted, Fault> {
        let sealed = self.seal(secret.expose())?;
        self.objects.add(plugin, name, Object::Secret(Arc::new(secret)))?;
        Ok(kept(plugin, name, ObjectKind::SealedSecret, sealed, Answer::Done))
    }
}

/// A guest's text for a terminal: no control characters, at most [`LONGEST_TEXT`] characters.
fn clean(text: &str) -> String {
    text.chars()
        .take(LONGEST_TEXT)
        .map(|c| if c == '\n' || !crate::capability::nodes::is_unprintable(c) { c } else { '\u{fffd}' })
        .collect()
}
