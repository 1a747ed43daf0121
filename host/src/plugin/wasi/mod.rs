//! WASI for guests that stock JavaScript and Python tools made: they do not load without it.
//!
//! It is linked with nothing granted: no files, no environment, no network, no input. What it has of the world is
//! not the world's: the clock is an effect the first time a call reads it and then only moves with the call's own
//! waits, which are effects too; the random source is a stream of the call's seed. So a call that is made again
//! with the same answers does the same. What the guest prints is kept, bounded, for the log and for its own errors.

mod clock;
mod output;
mod random;

use super::call::{Guest, HANDLES};
use crate::model::Fault;
use output::Output;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What one call of such a guest has.
pub(in crate::plugin) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    output: Output,
    clock: clock::Clock,
    random: random::Stream,
}

/// The host answered what has no way to say no in WASI with a fault; travels through wasmtime to the call's end.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub(in crate::plugin) struct Faulted(pub Fault);

impl Wasi {
    /// `seed` decides what its random source gives.
    pub(in crate::plugin) fn new(seed: [u8; 32]) -> Self {
        let output = Output::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let context = WasiCtx::builder()
            .stdout(output.clone())
            .stderr(output.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let clock = clock::Clock::default();
        Self { context, table, output, clock, random: random::Stream::new(seed) }
    }

    /// What the guest printed, safe to show; its beginning, where that was more than is kept.
    pub(in crate::plugin) fn printed(&self) -> String {
        self.output.text()
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Links all of WASI 0.2, its clocks and random sources replaced.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    clock::link(linker)?;
    random::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The version under which `wasmtime-wasi` links its interfaces, and these are found in their place.
fn interface(name: &str) -> String {
    format!("wasi:{name}@0.2.12")
}
