//! One exported call: a fresh store under limits, and a guest that stands still while its effects happen.
//!
//! The guest is polled as a coroutine. A host function leaves the effect in a shared [`Desk`] and waits;
//! whoever polls the guest takes it, performs it on the caller's path and leaves the answer. So a path is
//! only borrowed for the call, and a run that must stop simply lets go of the guest where it stands.

use super::engine::{Engine, Limits, Profile};
use super::inspect::shown;
use super::wasi::{Faulted, Wasi};
use super::{CallPath, PluginError, Usage};
use crate::model::{Answer, Effect, Fault, Stop};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

/// How often a guest gives way to others when only fuel bounds it; in units of fuel.
const FUEL_INTERVAL: u64 = 10_000_000;
pub(super) const MEMORIES: usize = 16;
pub(super) const TABLES: usize = 64;
pub(super) const INSTANCES: usize = 64;
/// Most handles that a guest may hold: of its own resources, and of WASI's (streams, pollables and the like).
pub(super) const HANDLES: usize = 1_000;
/// Over all tables; a Python engine has some 10,000.
pub(super) const TABLE_ELEMENTS: usize = 200_000;

/// Where a guest and its host exchange effects and answers. Locked for moments only, never across a wait.
#[derive(Default)]
struct Desk {
    request: Option<Effect>,
    answer: Option<Result<Answer, Fault>>,
    waiting: Option<Waker>,
    clock: Clock,
    host_calls: u64,
}

/// The longest that a guest's code runs without being looked at, generously: epochs tick every 10 ms.
const SLICE: Duration = Duration::from_millis(100);

/// Counts the time in which the guest's own code runs; not that in which the whole process was stopped.
#[derive(Default)]
struct Clock {
    spent: Duration,
    running: Option<Instant>,
}

impl Clock {
    fn pause(&mut self) -> Duration {
        if let Some(since) = self.running.take() {
            self.spent += since.elapsed().min(SLICE);
        }
        self.spent
    }
    fn resume(&mut self) {
        self.running = Some(Instant::now());
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Desk>>);

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A desk holds plain values that are valid after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a store holds for its guest.
pub(super) struct Guest {
    shared: Shared,
    memory: Memory,
    seed: [u8; 32],
    /// Made when the guest first uses it: most have none.
    wasi: Option<Box<Wasi>>,
}

impl Guest {
    pub(super) fn wasi(&mut self) -> &mut Wasi {
        let seed = self.seed;
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(seed)))
    }

    /// Leaves an effect for the host and waits for its answer.
    pub(super) async fn ask(&mut self, effect: Effect) -> Result<Answer, Fault> {
        {
            let mut desk = self.shared.desk();
            desk.clock.pause();
            desk.host_calls += 1;
            desk.request = Some(effect);
        }
        poll_fn(|context| {
            let mut desk = self.shared.desk();
            match desk.answer.take() {
                Some(answer) => {
                    desk.clock.resume();
                    Poll::Ready(answer)
                }
                None => {
                    desk.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Bounds what the guest's instances take, over all of them together.
struct Memory {
    limit: usize,
    bytes: usize,
    largest: usize,
    elements: usize,
    refused: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.bytes.saturating_add(desired.saturating_sub(current));
        if total > self.limit {
            // The guest is told -1, as an allocator expects; should it give up on that, we know why.
            self.refused = true;
            return Ok(false);
        }
        self.bytes = total;
        self.largest = self.largest.max(total);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }
    fn tables(&self) -> usize {
        TABLES
    }
    fn memories(&self) -> usize {
        MEMORIES
    }
}

/// The guest's time is up; travels through wasmtime to [`run`].
#[derive(Debug, thiserror::Error)]
#[error("the guest's time is up")]
struct TimeUp;

/// The call path answered an effect with the answer of another; travels through wasmtime to [`run`].
#[derive(Debug, thiserror::Error)]
#[error("{function} was answered with {answer}")]
pub(super) struct WrongAnswer {
    pub(super) function: &'static str,
    pub(super) answer: String,
}

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One exported call of one plugin.
pub(super) struct Call<'a> {
    pub(super) engine: &'a Engine,
    pub(super) limits: Limits,
    pub(super) plugin: &'a str,
    /// For messages.
    pub(super) call: &'a str,
}

impl Call<'_> {
    /// Runs `enter` on a fresh store, performing the guest's effects on `path`, and adds what it took to
    /// `usage`.
    pub(super) async fn run<T: Send>(
        &self,
        path: &mut dyn CallPath,
        usage: &Mutex<Usage>,
        enter: impl for<'s> FnOnce(&'s mut Store<Guest>) -> Boxed<'s, wasmtime::Result<T>> + Send,
    ) -> Result<T, PluginError> {
        let shared = Shared::default();
        let mut store = self.store(&shared, path.seed())?;
        shared.desk().clock.resume();
        let result = converse(enter(&mut store), &shared, path).await;
        self.account(&mut store, &shared, usage);
        if let Some(wasi) = &store.data().wasi {
            let printed = wasi.printed();
            self.log_printed(&printed);
            path.printed(printed);
        }
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.explain(&store, &error)),
            Err(stop) => Err(PluginError::Stopped(stop)),
        }
    }

    fn store(&self, shared: &Shared, seed: [u8; 32]) -> Result<Store<Guest>, PluginError> {
        let memory = Memory { limit: self.limits.memory, bytes: 0, largest: 0, elements: 0, refused: false };
        let mut store =
            Store::new(&self.engine.wasmtime, Guest { shared: shared.clone(), memory, seed, wasi: None });
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(self.limits.copy);
        // The contract has no resources: a guest that makes handles makes them for itself.
        store.set_max_component_handles(HANDLES);
        match self.engine.profile() {
            Profile::Run => {
                let budget = self.limits.time;
                store.set_epoch_deadline(1);
                store.epoch_deadline_callback(move |context| {
                    let shared = context.data().shared.clone();
                    if shared.desk().clock.pause() > budget {
                        return Err(TimeUp.into());
                    }
                    Ok(UpdateDeadline::YieldCustom(
                        1,
                        Box::pin(async move {
                            tokio::task::yield_now().await;
                            shared.desk().clock.resume();
                        }),
                    ))
                });
            }
            Profile::Rehearse => {
                let failed = |error: wasmtime::Error| PluginError::Engine { why: format!("{error:#}") };
                store.set_fuel(self.limits.fuel).map_err(failed)?;
                store.fuel_async_yield_interval(Some(FUEL_INTERVAL)).map_err(failed)?;
            }
        }
        Ok(store)
    }

    fn account(&self, store: &mut Store<Guest>, shared: &Shared, usage: &Mutex<Usage>) {
        let mut desk = shared.desk();
        let mut usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.calls += 1;
        usage.guest += desk.clock.pause();
        usage.host_calls += desk.host_calls;
        usage.memory = usage.memory.max(store.data().memory.largest);
        if let Ok(left) = store.get_fuel() {
            usage.fuel += self.limits.fuel.saturating_sub(left);
        }
    }

    /// What a guest prints is for its author: it goes to the log, and to nobody else.
    fn log_printed(&self, printed: &str) {
        for line in printed.lines() {
            tracing::info!(target: "windlass::printed", "{} in {}: {line}", self.plugin, self.call);
        }
    }

    fn explain(&self, store: &Store<Guest>, error: &wasmtime::Error) -> PluginError {
        let plugin = self.plugin.to_owned();
        let call = self.call.to_owned();
        if let Some(wrong) = error.downcast_ref::<WrongAnswer>() {
            return PluginError::Answer { plugin, call: wrong.function.into(), answer: wrong.answer.clone() };
        }
        if let Some(Faulted(fault)) = error.downcast_ref::<Faulted>() {
            return PluginError::Faulted(fault.clone());
        }
        if error.is::<TimeUp>() {
            return PluginError::OutOfTime { plugin, call, budget: self.limits.time };
        }
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::OutOfFuel) {
            return PluginError::OutOfFuel { plugin, call, limit: self.limits.fuel };
        }
        let cause = error.root_cause().to_string();
        // wasmtime keeps the type of this one to itself.
        if trap.is_none() && cause.contains("fuel allocated for hostcalls") {
            return PluginError::TooMuch { plugin, call, limit: self.limits.copy };
        }
        // How a guest ends that gets no memory: by giving up, or by using the pointer it did not get. Or it
        // was not even started.
        let starved = matches!(trap, None | Some(Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds));
        if store.data().memory.refused && starved {
            return PluginError::OutOfMemory { plugin, call, limit: self.limits.memory };
        }
        let why = match trap {
            Some(Trap::StackOverflow) => "its calls nest too deeply".into(),
            Some(Trap::UnreachableCodeReached) => "it gave up (an assertion or panic of its own)".into(),
            Some(trap) => trap.to_string(),
            // wasmtime keeps the types of these to itself too.
            None if ["handle limit exceeded", "table has no free keys"]
                .iter()
                .any(|says| cause.contains(says)) =>
            {
                format!("it holds more than {HANDLES} handles")
            }
            None => shown(&format!("{error:#}"), 500),
        };
        PluginError::Trapped { plugin, call, why: why + &last_words(store.data()) }
    }
}

/// What a guest printed before it gave up, as far as a message has room for it: its end, where the reason is.
fn last_words(guest: &Guest) -> String {
    let printed = guest.wasi.as_ref().map(|wasi| wasi.printed()).unwrap_or_default();
    if printed.trim().is_empty() {
        return String::new();
    }
    let characters = printed.chars().count();
    let end: String = printed.chars().skip(characters.saturating_sub(1_500)).collect();
    format!(". It printed: {}", shown(end.trim(), 1_500))
}

/// Polls the guest to its end, performing on `path` what it asks for.
async fn converse<T>(
    guest: Boxed<'_, wasmtime::Result<T>>,
    shared: &Shared,
    path: &mut dyn CallPath,
) -> Result<wasmtime::Result<T>, Stop> {
    enum Turn<T> {
        Ended(T),
        Asks(Effect),
    }
    let mut guest = pin!(guest);
    loop {
        let turn = poll_fn(|context| match guest.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Turn::Ended(result)),
            Poll::Pending => match shared.desk().request.take() {
                Some(effect) => Poll::Ready(Turn::Asks(effect)),
                // It gave way to others and wakes us by itself.
                None => Poll::Pending,
            },
        })
        .await;
        match turn {
            Turn::Ended(result) => return Ok(result),
            Turn::Asks(effect) => {
                let answer = path.perform(effect).await?;
                let mut desk = shared.desk();
                desk.answer = Some(answer);
                if let Some(waker) = desk.waiting.take() {
                    waker.wake();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_stopped_for_an_hour_costs_its_guest_a_moment() {
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(3600)) else {
            println!("skipped: this machine has been up for less than an hour");
            return;
        };
        let mut clock = Clock { spent: Duration::from_secs(1), running: Some(long_ago) };
        assert_eq!(clock.pause(), Duration::from_secs(1) + SLICE);
        assert_eq!(clock.pause(), Duration::from_secs(1) + SLICE);
    }
}
