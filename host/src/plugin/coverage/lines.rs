//! Which lines of a script ran, as its engine tells by exports besides those that the contract asks of one
//! (`plugins/wit`): the script is marked once, by the engine or a component that belongs to it, and what is run then is
//! the marked text. What a script does with the means of its language can make it tell otherwise.

use crate::model::audit::Coverage;
use crate::plugin::call::Guest;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre};

const MARKS: &str = "windlass:engine/marks@0.1.0";
const LINES: &str = "windlass:engine/lines@0.1.0";
/// Most lines that are taken of an engine; a script has fewer bytes.
const MOST: usize = 1 << 20;

/// How to ask an engine, and the lines of its script that ran so far.
pub struct Lines {
    exports: LineExports,
    /// Those that have code.
    all: BTreeSet<u32>,
    ran: Mutex<BTreeSet<u32>>,
}

/// What an engine exports to tell which lines ran.
#[derive(Clone, Copy)]
pub struct LineExports {
    watch: ComponentExportIndex,
    seen: ComponentExportIndex,
}

impl LineExports {
    /// Returns what an engine has of it; not every one does.
    pub fn of(engine: &Component) -> Option<Self> {
        let interface = engine.get_export_index(None, LINES)?;
        let export = |name| engine.get_export_index(Some(&interface), name);
        Some(Self { watch: export("watch")?, seen: export("seen")? })
    }
}

/// What marks scripts.
#[derive(Clone)]
pub struct Marker {
    marker: InstancePre<Guest>,
    mark: ComponentExportIndex,
}

impl Marker {
    /// Returns it where a component marks scripts.
    pub fn of(component: &Component, linked: &InstancePre<Guest>) -> Option<Self> {
        let interface = component.get_export_index(None, MARKS)?;
        let mark = component.get_export_index(Some(&interface), "mark")?;
        Some(Self { marker: linked.clone(), mark })
    }

    /// Has a script's text marked: that to run in its place, and the lines that have code; or why it cannot be.
    pub async fn mark(
        &self,
        store: &mut Store<Guest>,
        text: &str,
    ) -> wasmtime::Result<Result<(String, Vec<u32>), String>> {
        let instance = self.marker.instantiate_async(&mut *store).await?;
        let mark = instance
            .get_typed_func::<(&str,), (Result<(String, Vec<u32>), String>,)>(&mut *store, self.mark)?;
        Ok(mark.call_async(store, (text,)).await?.0)
    }
}

impl Lines {
    pub fn new(exports: LineExports, all: Vec<u32>) -> Self {
        Self { exports, all: all.into_iter().take(MOST).collect(), ran: Mutex::default() }
    }

    pub(super) async fn watch(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        let watch = instance.get_typed_func::<(), ()>(&mut *store, self.exports.watch)?;
        watch.call_async(store, ()).await
    }

    pub(super) async fn read(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        let read = instance.get_typed_func::<(), (Vec<u32>,)>(&mut *store, self.exports.seen)?;
        let (ran,) = read.call_async(store, ()).await?;
        let mut seen = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(ran.into_iter().filter(|line| self.all.contains(line)));
        Ok(())
    }

    pub(super) fn coverage(&self) -> Coverage {
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        let unreached = self.all.difference(&ran).copied().collect();
        Coverage::Lines { lines: self.all.len() as u32, reached: ran.len() as u32, unreached }
    }
}
