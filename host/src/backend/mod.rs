//! What acting on a permitted effect means: on the live cluster, in a plan, in a rehearsal.
//!
//! Neighbours: `effect` hands permits in; a backend calls `capability`, which calls `transport`.

mod declared;
mod detail;
mod file_faults;
mod keyring;
mod label;
pub mod live;
mod look;
pub mod plan;
pub mod rehearsal;
mod staged;
mod standing;
mod supplied;

pub(crate) use keyring::{standing_needs, values_need};
pub(crate) use look::{Look, unfit};
#[cfg(test)]
pub(crate) use standing::NothingStanding;
pub use standing::Standing;

use crate::journal::{CallName, Journal, KeptObject, Settlement, Trace};
use crate::model::{Answer, Detail, Effect, EffectClass, Fault, PluginName, Stop};
use crate::policy::{Facts, Permit};
use crate::site::{CommandKind, Profile};
use futures::FutureExt as _;
use futures::future::BoxFuture;

/// What came of an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    pub answer: Result<Answer, Fault>,
    /// Run objects that it made, as the journal keeps them.
    pub kept: Vec<KeptObject>,
    /// What it left on nodes.
    pub traces: Vec<Trace>,
}

impl From<Result<Answer, Fault>> for Acted {
    fn from(answer: Result<Answer, Fault>) -> Self {
        Self { answer, kept: Vec::new(), traces: Vec::new() }
    }
}

/// What was seen to beside the mirroring of a change's intent, and harms nothing: what it replaces is saved. None:
/// nothing was, and acting sees to it.
#[derive(Debug, Default)]
pub struct Ready(Option<Result<Vec<Trace>, Fault>>);

impl Ready {
    /// What was saved; where nothing was seen to, what comes of seeing to it now.
    async fn or(self, now: impl Future<Output = Result<Vec<Trace>, Fault>>) -> Result<Vec<Trace>, Fault> {
        match self.0 {
            Some(saved) => saved,
            None => now.await,
        }
    }
}

/// The other side of the gate.
pub trait Backend: Facts {
    /// The backend as what the gate asks.
    fn as_facts(&self) -> &dyn Facts;

    /// Returns how the journal treats the effect (a named command observes or changes as declared).
    fn class(&self, effect: &Effect) -> EffectClass;

    /// How many nodes a `run-each` works on at once.
    fn concurrency(&self) -> usize {
        1
    }

    /// Lets others than this controller know the journal's rows; asked for when the intent of a change is on disk
    /// here, and before it acts.
    fn mirror<'a>(&'a self, _journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        futures::future::ready(Ok(())).boxed()
    }

    /// Mirrors, and gets a change ready side by side with that.
    fn ready<'a>(
        &'a self,
        journal: &'a Journal,
        _effect: &'a Effect,
        _sequence: i64,
    ) -> BoxFuture<'a, Result<Ready, Stop>> {
        async { self.mirror(journal).await.map(|()| Ready::default()) }.boxed()
    }

    /// Acts. `sequence` is the intent's number in the journal: unique, and the same on resume. A `run-each`
    /// never comes here: its children do, each as a run on its node.
    fn act<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
        ready: Ready,
    ) -> BoxFuture<'a, Result<Acted, Stop>>;

    /// Settles an intent that was open when a controller died: finds out what came of it, and finishes it
    /// or acts again where that is safe.
    fn settle<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, Result<(Acted, Settlement), Stop>>;

    /// Returns what the names of an effect stand for, without acting and without a secret.
    fn detail<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Detail, Fault>> {
        let _ = effect;
        Box::pin(std::future::ready(Ok(Detail::default())))
    }

    /// Takes what a plugin printed in a call: an audit looks at it, and a run has it in its log alone.
    fn printed(&self, _call: &CallName, _text: String) {}

    /// Takes an effect that is done, from the journal, into what the run remembers.
    fn recall(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        answer: &Answer,
        kept: &[KeptObject],
        traces: &[Trace],
    ) -> Result<(), Stop>;
}

/// How the journal treats an effect: a named command observes or changes as the profile declares.
fn class_of(effect: &Effect, profile: &Profile) -> EffectClass {
    use Effect::*;
    match effect {
        NodesRun { command, .. } | NodesRunEach { command, .. } => {
            match profile.commands.get(command).map(|command| command.kind) {
                Some(CommandKind::Observe) | None => EffectClass::Observe,
                Some(CommandKind::Change | CommandKind::Manual | CommandKind::Http) => EffectClass::Change,
            }
        }
        FilesPut { .. }
        | FilesPutEach { .. }
        | KeyringAdd { .. }
        | KeyringRetire { .. }
        | KeyringRewrap { .. }
        | FilesStage { .. }
        | FilesSwap { .. }
        | FilesDiscard { .. }
        | FilesRemove { .. }
        | FilesRestore { .. } => EffectClass::Change,
        NodesQuarantine { .. }
        | NodesRelease { .. }
        | KeyringCanary { .. }
        | CryptoGenerateKey { .. }
        | CryptoSelfSign { .. }
        | CryptoIssue { .. }
        | CryptoAccept { .. }
        | CryptoAcceptCa { .. }
        | CryptoSuppliedCa { .. }
        | SecretsAsk { .. }
        | SecretsGenerate { .. }
        | OperatorConfirm { .. }
        | OperatorAcknowledge { .. }
        | StateSet { .. } => EffectClass::Keep,
        _ => EffectClass::Observe,
    }
}

/// Characters of a note or of a question's text.
const LONGEST_TEXT: usize = 4096;

/// A guest's text for a terminal: no control characters, at most [`LONGEST_TEXT`] characters.
fn clean(text: &str) -> String {
    text.chars()
        .take(LONGEST_TEXT)
        .map(|c| if c == '\n' || !crate::capability::nodes::is_unprintable(c) { c } else { '\u{fffd}' })
        .collect()
}

/// Makes a fault of an error, with the error's own words and causes.
fn fault<E: std::error::Error>(code: &'static str) -> impl Fn(E) -> Fault {
    move |error| {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Fault::new(code, message)
    }
}
