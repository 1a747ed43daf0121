//! WASI's clocks. A call's time is the controller's when it first asks, and moves on by what the call waits: an hour
//! that a run stood still between the two lives of a call passes in neither.

use super::super::call::Guest;
use super::{Faulted, interface};
use crate::model::{Answer, Effect, Fault, code};
use std::time::Duration;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

/// Longest wait of one effect, in milliseconds: what `clock.sleep` takes.
const LONGEST: u64 = 600_000;
/// How far a look at the clock moves it: two in a row are not the same, as programs expect.
const LOOK: Duration = Duration::from_micros(1);

#[derive(Default)]
pub(super) struct Clock {
    /// The controller's time at zero of this clock, since 1970; none: not asked yet.
    began: Option<Duration>,
    passed: Duration,
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl From<Duration> for Datetime {
    fn from(time: Duration) -> Self {
        Self { seconds: time.as_secs(), nanoseconds: time.subsec_nanos() }
    }
}

/// A wait that is over.
struct Past;

#[wasmtime_wasi::async_trait]
impl Pollable for Past {
    async fn ready(&mut self) {}
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut wall = linker.instance(&interface("clocks/wall-clock"))?;
    wall.func_wrap_async("now", |mut store, ()| {
        Box::new(async move { Ok((Datetime::from(now(store.data_mut()).await?),)) })
    })?;
    wall.func_wrap("resolution", |_, ()| Ok((Datetime::from(LOOK),)))?;
    let mut monotonic = linker.instance(&interface("clocks/monotonic-clock"))?;
    monotonic.func_wrap("now", |mut store, ()| Ok((nanoseconds(store.data_mut().look()),)))?;
    monotonic.func_wrap("resolution", |_, ()| Ok((nanoseconds(LOOK),)))?;
    monotonic.func_wrap_async("subscribe-duration", |store, (wait,): (u64,)| {
        Box::new(async move { Ok((waited(store, Duration::from_nanos(wait)).await?,)) })
    })?;
    monotonic.func_wrap_async("subscribe-instant", |mut store, (until,): (u64,)| {
        let passed = store.data_mut().wasi().clock.passed;
        Box::new(
            async move { Ok((waited(store, Duration::from_nanos(until).saturating_sub(passed)).await?,)) },
        )
    })?;
    Ok(())
}

impl Guest {
    fn look(&mut self) -> Duration {
        let clock = &mut self.wasi().clock;
        clock.passed += LOOK;
        clock.passed
    }
}

async fn now(guest: &mut Guest) -> wasmtime::Result<Duration> {
    let began = match guest.wasi().clock.began {
        Some(began) => began,
        None => {
            let answer = guest.ask(Effect::ClockNow).await.map_err(Faulted)?;
            let Answer::Milliseconds(now) = answer else { return Err(other("clock.now")) };
            // Before 1970 no run began.
            let began = Duration::from_millis(u64::try_from(now).unwrap_or(0));
            let passed = guest.wasi().clock.passed;
            *guest.wasi().clock.began.insert(began.saturating_sub(passed))
        }
    };
    Ok(began + guest.look())
}

/// Waits at once, where WASI would begin to: a guest has nothing else to wait for meanwhile.
async fn waited(
    mut store: StoreContextMut<'_, Guest>,
    wait: Duration,
) -> wasmtime::Result<Resource<DynPollable>> {
    let mut left = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    while left > 0 {
        let part = left.min(LONGEST);
        let milliseconds = u32::try_from(part).unwrap_or(u32::MAX);
        let guest = store.data_mut();
        match guest.ask(Effect::ClockSleep { milliseconds }).await.map_err(Faulted)? {
            Answer::Done => guest.wasi().clock.passed += Duration::from_millis(part),
            _ => return Err(other("clock.sleep")),
        }
        left -= part;
    }
    let table = &mut store.data_mut().wasi().table;
    let past = table.push(Past)?;
    subscribe(table, past)
}

fn other(function: &str) -> wasmtime::Error {
    Faulted(Fault::new(code::FAILED, format!("{function} was answered with something else"))).into()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
