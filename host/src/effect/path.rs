//! Gate → journal intent → act → journal outcome → answer.

use super::expected::Expected;
use super::replay::Replay;
use crate::backend::{Acted, Backend, Ready};
use crate::fuse::{self, Place};
use crate::journal::{CallName, Journal, JournalError, Row};
use crate::model::{Answer, Effect, EffectClass, Event, Fault, PauseReason, PluginName, Stop, code};
use crate::policy::Gate;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Where a run's events go.
pub type Events = Arc<dyn Fn(&Event) + Send + Sync>;

/// Set when the operator wants the run to stand still after the effect in flight.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What one call may take of the world, whatever its guest does with its own time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Effects in all.
    pub effects: u32,
    /// From the call's first moment on, effects and waits included; none: as long as its effects take.
    pub time: Option<Duration>,
}

impl Default for Limits {
    /// Far more effects than any procedure needs, and an end to one that loops.
    fn default() -> Self {
        Self { effects: 20_000, time: None }
    }
}

/// What every call of a run's plugin shares.
#[derive(Clone)]
pub struct Surroundings {
    pub plugin: PluginName,
    pub gate: Gate,
    pub journal: Arc<Journal>,
    pub backend: Arc<dyn Backend>,
    pub events: Events,
    pub interrupt: Interrupt,
    /// What the plan allows, where the run follows one.
    pub expected: Option<Arc<Expected>>,
}

/// The path of one exported call of one plugin.
pub struct CallPath {
    pub(super) around: Surroundings,
    call: CallName,
    replay: Replay,
    limits: Limits,
    began: Instant,
    performed: u32,
    /// Effects so far that were more than looks.
    done: usize,
}

impl CallPath {
    pub fn new(around: Surroundings, call: CallName, replay: Replay) -> Self {
        Self { around, call, replay, limits: Limits::default(), began: Instant::now(), performed: 0, done: 0 }
    }

    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What decides the random numbers of this call's guest: the run's id and the call, so that a life after a crash
    /// draws what the one before it drew.
    pub fn seed(&self) -> [u8; 32] {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        digest.update(
            format!("{}\n{}\n{}", self.around.journal.run(), self.around.plugin, self.call).as_bytes(),
        );
        let mut seed = [0; 32];
        seed.copy_from_slice(digest.finish().as_ref());
        seed
    }

    /// Hands on what the plugin printed.
    pub fn printed(&self, text: String) {
        self.around.backend.printed(&self.call, text);
    }

    /// Performs one effect: the only way a plugin reaches anything.
    ///
    /// A fault is an answer, for the plugin to deal with. A [`Stop`] ends the call: the run pauses.
    pub async fn perform(&mut self, effect: Effect) -> Result<Result<Answer, Fault>, Stop> {
        self.performed += 1;
        if self.performed > self.limits.effects {
            return Ok(Err(Fault::new(
                code::REFUSED,
                format!("{} has had its {} effects for one call", self.around.plugin, self.limits.effects),
            )));
        }
        let began = Instant::now();
        let class = self.around.backend.class(&effect);
        fuse::begin(&self.call, &effect, class);
        let permit = match self.around.gate.check(effect.clone(), self.around.backend.as_facts()) {
            Ok(permit) => permit,
            Err(denial) => {
                let fault = denial.to_fault();
                let row = Row::Denied {
                    plugin: self.around.plugin.clone(),
                    effect: effect.clone(),
                    fault: fault.clone(),
                };
                self.around.journal.note(&row).map_err(journal_stop)?;
                self.tell(effect, class, Some(fault.clone()), false, began);
                return Ok(Err(fault));
            }
        };

        self.compare_with_certificate(&effect, class)?;
        if class != EffectClass::Observe {
            self.compare_with_plan(&effect).await?;
        }
        if let Some(past) = self.replay.next() {
            if past.effect != effect {
                return Err(Stop::new(
                    PauseReason::Divergence,
                    format!(
                        "{} in {}: the journal says that it did \"{}\" here, and now it asks to \"{effect}\"",
                        self.around.plugin, self.call, past.effect
                    ),
                ));
            }
            let past = past.clone();
            self.replay.advance();
            if let Some(outcome) = past.outcome {
                self.tell(effect, class, outcome.as_ref().err().cloned(), true, began);
                return Ok(outcome);
            }
            if effect.each().is_some() {
                let acted = self.each(permit, class, past.sequence, past.children).await?;
                return self.record(past.sequence, effect, class, acted, None, began);
            }
            let (acted, settled) =
                self.around.backend.settle(&self.around.plugin, permit, past.sequence).await?;
            return self.record(past.sequence, effect, class, acted, Some(settled), began);
        }

        if let Some(fault) = self.out_of_time(&effect) {
            self.tell(effect, class, Some(fault.clone()), false, began);
            return Ok(Err(fault));
        }
        if self.around.interrupt.is_raised() {
            return Err(Stop::new(PauseReason::Interrupted, "interrupted by the operator"));
        }
        fuse::pass(Place::BeforeIntent);
        let intent = Row::Intent { plugin: self.around.plugin.clone(), effect: effect.clone(), class };
        let each = effect.each().is_some();
        let sequence = match class {
            // The first of its children's intents are committed with it.
            EffectClass::Change if !each => self.around.journal.commit(&intent),
            _ => self.around.journal.note(&intent),
        }
        .map_err(journal_stop)?;
        let ready = match class {
            EffectClass::Change if !each => {
                self.around.backend.ready(&self.around.journal, &effect, sequence).await?
            }
            _ => Ready::default(),
        };
        fuse::pass(Place::BeforeAct);
        if class != EffectClass::Observe {
            (self.around.events)(&Event::EffectBegan { effect: effect.clone() });
        }
        let acted = match each {
            true => self.each(permit, class, sequence, Vec::new()).await?,
            false => self.around.backend.act(&self.around.plugin, permit, sequence, ready).await?,
        };
        self.record(sequence, effect, class, acted, None, began)
    }

    /// What has acted before is answered whatever the time; nothing new begins behind it, and no wait that would end
    /// there.
    fn out_of_time(&self, effect: &Effect) -> Option<Fault> {
        let time = self.limits.time?;
        let wait = match effect {
            Effect::ClockSleep { milliseconds } => Duration::from_millis(u64::from(*milliseconds)),
            _ => Duration::ZERO,
        };
        (self.began.elapsed() + wait > time).then(|| {
            Fault::new(
                code::TIMEOUT,
                format!(
                    "{} has {time:?} for one call, which would not be enough to {effect}",
                    self.around.plugin
                ),
            )
        })
    }

    /// Before anything acts: is this what rehearsals of the certified plugin produced in this call? A look that is not is
    /// told, and so is the way back, which must not be stopped by anything.
    fn compare_with_certificate(&self, effect: &Effect, class: EffectClass) -> Result<(), Stop> {
        if self.replay.next().is_some_and(|past| past.outcome.is_some()) {
            return Ok(());
        }
        let Surroundings { plugin, gate, backend, journal, events, .. } = &self.around;
        let call = self.call.in_envelope();
        let Some(outside) = gate.outside(&call, effect, backend.as_facts()) else { return Ok(()) };
        let text = format!(
            "{plugin} in {}: no rehearsal of what was certified did this: {}",
            self.call, outside.entry
        );
        let goes_back = matches!(self.call, CallName::Undo(_));
        if outside.pauses && !goes_back && (class != EffectClass::Observe || outside.uses_secret) {
            return Err(Stop::new(PauseReason::OutsideEnvelope, text));
        }
        let row =
            Row::OutsideEnvelope { plugin: plugin.clone(), effect: effect.clone(), entry: outside.entry };
        journal.note(&row).map_err(journal_stop)?;
        events(&Event::Note { text });
        Ok(())
    }

    /// Before anything acts: is this what the plan has here?
    async fn compare_with_plan(&mut self, effect: &Effect) -> Result<(), Stop> {
        let at = self.done;
        self.done += 1;
        let Some(expected) = &self.around.expected else { return Ok(()) };
        // What has acted was compared then, with what its names stood for then.
        let detail = match self.replay.next().is_some_and(|past| past.outcome.is_some()) {
            true => None,
            false => Some(self.around.backend.detail(effect).await.map_err(|fault| {
                Stop::new(
                    PauseReason::Unreachable,
                    format!("whether \"{effect}\" is as it was approved cannot be told: {}", fault.message),
                )
            })?),
        };
        expected.admit(&self.around.plugin, &self.call, at, effect, detail.as_ref())
    }

    fn record(
        &self,
        of: i64,
        effect: Effect,
        class: EffectClass,
        acted: Acted,
        settled: Option<crate::journal::Settlement>,
        began: Instant,
    ) -> Result<Result<Answer, Fault>, Stop> {
        fuse::pass(Place::BeforeOutcome);
        let Acted { answer, kept, traces } = acted;
        let written = match &answer {
            // Each child has its own.
            Ok(Answer::Each(_)) => Ok(Answer::Each(Vec::new())),
            answer => answer.clone(),
        };
        let row = Row::Outcome { of, answer: written, kept, traces, settled };
        match class {
            // An answer of the operator or a new secret must not be asked for twice.
            EffectClass::Keep => self.around.journal.commit(&row),
            EffectClass::Change | EffectClass::Observe => self.around.journal.note(&row),
        }
        .map_err(journal_stop)?;
        fuse::pass(Place::BeforeAnswer);
        self.tell(effect, class, answer.as_ref().err().cloned(), false, began);
        Ok(answer)
    }

    fn tell(&self, effect: Effect, class: EffectClass, fault: Option<Fault>, replayed: bool, began: Instant) {
        (self.around.events)(&Event::Effect {
            step: self.call.step().cloned(),
            plugin: self.around.plugin.clone(),
            effect,
            class,
            fault,
            replayed,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// A journal that cannot be written stops the run: nothing may act unrecorded.
pub(crate) fn journal_stop(error: JournalError) -> Stop {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        message.push_str(&format!(": {source}"));
    }
    Stop::new(PauseReason::Journal, message)
}
