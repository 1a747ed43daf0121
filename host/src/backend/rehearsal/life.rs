//! Lives of a rehearsal: what is done to one on purpose, what is seen of it, and how the next one goes on.
//!
//! A life begins on a copy of the cluster as the one before it left it. So a cluster is furnished once, and every
//! rehearsal of an audit begins on a copy; and so a controller dies: its life is dropped, and the next one has the
//! nodes as they are and of the run's objects those that the journal knew.

use super::watch::Breach;
use super::{Objects, Rehearsal};
use crate::backend::Acted;
use crate::journal::{CallName, Settlement};
use crate::model::{Answer, Effect, EffectClass, Fault, PluginName, Stop};
use crate::policy::{Claim, Permit};
use futures::channel::oneshot;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

/// What is done to one effect of a life.
#[derive(Debug, Clone, PartialEq)]
pub struct Interference {
    /// Which one: how many acted before it.
    pub at: u32,
    pub what: Meddling,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Meddling {
    /// It does not happen, and is answered so: with a fault, with what a node claims.
    Answers(Result<Answer, Fault>),
    /// It happens, and is answered with a fault.
    HappensAndAnswers(Fault),
    /// It happens, and whether it did cannot be told.
    HappensAndStops(Stop),
    /// The controller dies, its intent on disk.
    DiesBefore,
    /// The controller dies behind it, its outcome not on disk.
    DiesAfter,
}

/// One effect that acted.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its intent's number in the journal.
    pub sequence: i64,
    pub plugin: PluginName,
    pub effect: Effect,
    pub class: EffectClass,
    /// What it took of the grants.
    pub took: Vec<Claim>,
    /// Milliseconds of the simulated clock when it began.
    pub at: i64,
    pub answer: Result<Answer, Fault>,
    /// What must never be, and is since.
    pub breaches: Vec<Breach>,
}

/// The end of a controller's life, for whoever drives it.
pub(super) struct Death {
    pub sign: Option<oneshot::Sender<()>>,
    pub seen: Option<oneshot::Receiver<()>>,
}

impl Default for Death {
    fn default() -> Self {
        let (sign, seen) = oneshot::channel();
        Self { sign: Some(sign), seen: Some(seen) }
    }
}

impl Rehearsal {
    /// The next life, on a copy of the cluster as it is now.
    pub fn next_life(&self, interference: Option<Interference>) -> std::sync::Arc<Self> {
        let objects = lock(&self.left).as_ref().unwrap_or(&self.objects).copy();
        std::sync::Arc::new(self.copy(objects, interference))
    }

    /// The same life from here on, on a copy of the cluster: it has what the run made, and counts on. What it saw is not
    /// seen again.
    pub fn forked(&self, interference: Option<Interference>) -> std::sync::Arc<Self> {
        let acted = self.acted().into();
        let printed = self.printed().into();
        std::sync::Arc::new(Self { acted, printed, ..self.copy(self.objects.copy(), interference) })
    }

    fn copy(&self, objects: Objects, interference: Option<Interference>) -> Self {
        Self {
            site: self.site.clone(),
            scenario: self.scenario.clone(),
            allow_secret_in_argv: self.allow_secret_in_argv,
            parameters: self.parameters.clone(),
            policy: self.policy,
            contexts: self.contexts.clone(),
            roles: Default::default(),
            objects,
            left: Default::default(),
            cluster: self.cluster().clone().into(),
            interference,
            acted: Default::default(),
            seen: Default::default(),
            printed: Default::default(),
            death: Default::default(),
        }
    }

    /// Ends when the controller dies; never in a life that it survives. To be asked for once.
    pub async fn death(&self) {
        let seen = lock(&self.death).seen.take();
        if let Some(seen) = seen
            && seen.await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Every effect that acted in this life, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Shows every effect that acted in this life, in order.
    pub fn each_seen(&self, look: impl FnMut(&Seen)) {
        lock(&self.seen).iter().for_each(look);
    }

    /// What the plugin printed in this life, by call.
    pub fn printed(&self) -> Vec<(CallName, String)> {
        lock(&self.printed).clone()
    }

    /// How many effects acted in this life.
    pub fn acted(&self) -> u32 {
        self.acted.load(Ordering::SeqCst)
    }

    /// Acts, with what is to be done to it on purpose.
    pub(super) async fn live_through(
        &self,
        plugin: &PluginName,
        permit: Permit,
        sequence: i64,
    ) -> Result<Acted, Stop> {
        let number = self.acted.fetch_add(1, Ordering::SeqCst);
        let meddling = self.interference.as_ref().filter(|it| it.at == number).map(|it| &it.what);
        let effect = permit.effect();
        let at = self.now();
        let took = crate::policy::claims(effect, self);
        if matches!(meddling, Some(Meddling::DiesBefore | Meddling::DiesAfter)) {
            // Of what this effect makes, the journal never knew.
            *lock(&self.left) = Some(self.objects.copy());
        }
        let answer = match meddling {
            Some(Meddling::DiesBefore) => self.die().await,
            Some(Meddling::Answers(answer)) => answer.clone(),
            _ => self.happens(plugin, effect, sequence),
        };
        let answer = match meddling {
            Some(Meddling::DiesAfter) => self.die().await,
            Some(Meddling::HappensAndStops(stop)) => return Err(stop.clone()),
            Some(Meddling::HappensAndAnswers(fault)) => Err(fault.clone()),
            _ => answer,
        };
        let class = crate::backend::Backend::class(self, effect);
        let breaches = self.watch(effect, class, &answer);
        let seen = Seen {
            sequence,
            plugin: plugin.clone(),
            effect: effect.clone(),
            class,
            took,
            at,
            answer: answer.clone(),
            breaches,
        };
        lock(&self.seen).push(seen);
        Ok(answer.into())
    }

    /// What an intent came to that a controller left open: the nodes know of changes, and of nothing else.
    pub(super) async fn live_on(
        &self,
        plugin: &PluginName,
        permit: Permit,
        sequence: i64,
    ) -> Result<(Acted, Settlement), Stop> {
        let done = self.cluster().done.get(&sequence).cloned();
        match done {
            Some(answer) => Ok((Ok(answer).into(), Settlement::FoundDone)),
            None => {
                let acted = self.live_through(plugin, permit, sequence).await?;
                Ok((acted, Settlement::ActsAgain))
            }
        }
    }

    fn happens(&self, plugin: &PluginName, effect: &Effect, sequence: i64) -> Result<Answer, Fault> {
        let answer = self.act_on(plugin, effect);
        if let (Ok(answer), EffectClass::Change) = (&answer, crate::backend::Backend::class(self, effect)) {
            self.cluster().done.insert(sequence, answer.clone());
        }
        answer
    }

    /// The controller is no more: whoever drives it lets go of it here.
    async fn die<T>(&self) -> T {
        if let Some(sign) = lock(&self.death).sign.take() {
            // Nobody waits for it where nobody drives the life.
            let _ = sign.send(());
        }
        std::future::pending().await
    }
}

pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one assignment or one insertion: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
