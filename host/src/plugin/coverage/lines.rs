//! Which lines of a script ran, as its engine tells by an export besides those that the contract asks of one
//! (`plugins/script-python/wit`). What a script does with the means of its language can make it tell otherwise.

use crate::model::audit::Coverage;
use crate::plugin::call::Guest;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance};

const INTERFACE: &str = "windlass:engine/lines@0.1.0";
/// Most lines that are taken of an engine; a script has fewer bytes.
const MOST: usize = 1 << 20;

/// How to ask an engine, and the lines of its script that ran so far.
pub struct Lines {
    exports: LineExports,
    seen: Mutex<Seen>,
}

/// What an engine exports for it.
#[derive(Clone, Copy)]
pub struct LineExports {
    watch: ComponentExportIndex,
    seen: ComponentExportIndex,
}

#[derive(Default)]
struct Seen {
    /// Those that have code.
    all: BTreeSet<u32>,
    ran: BTreeSet<u32>,
}

impl LineExports {
    /// Returns what an engine has of it; not every one does.
    pub fn of(engine: &Component) -> Option<Self> {
        let interface = engine.get_export_index(None, INTERFACE)?;
        let export = |name| engine.get_export_index(Some(&interface), name);
        Some(Self { watch: export("watch")?, seen: export("seen")? })
    }
}

impl Lines {
    pub fn new(exports: LineExports) -> Self {
        Self { exports, seen: Mutex::default() }
    }

    pub(super) async fn watch(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        let watch = instance.get_typed_func::<(), ()>(&mut *store, self.exports.watch)?;
        watch.call_async(store, ()).await
    }

    pub(super) async fn read(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        let read = instance.get_typed_func::<(), ((Vec<u32>, Vec<u32>),)>(&mut *store, self.exports.seen)?;
        let ((all, ran),) = read.call_async(store, ()).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.all.extend(all.into_iter().take(MOST));
        seen.ran.extend(ran.into_iter().take(MOST));
        Ok(())
    }

    pub(super) fn coverage(&self) -> Coverage {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let unreached: Vec<u32> = seen.all.difference(&seen.ran).copied().collect();
        let lines = seen.all.len() as u32;
        Coverage::Lines { lines, reached: lines - unreached.len() as u32, unreached }
    }
}
