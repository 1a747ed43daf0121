//! How much of a plugin's code its calls reached.
//!
//! A component of a compiled language is written anew so that its code leaves marks ([`mark`]), and runs in place of
//! the one that is audited; what marks there are is read after each exported call. A call that traps, or is let go of in
//! the midst of an effect, leaves none: what it ran until then counts only where another call ran it as well.
//!
//! Counted are all functions of the component's own modules, those of libraries and of its allocator too: what is in the
//! file can run. Not counted are modules that only connect others.
//!
//! Of a script the lines are counted ([`lines`]), as its engine tells them.
//!
//! [`code`] reads a module, [`blocks`] takes its functions apart, [`graph`] follows their calls to effects.

mod blocks;
mod code;
mod graph;
mod lines;
mod mark;

#[cfg(test)]
mod tests;

use super::anatomy::wiring::{Module, Wiring};
use super::call::Guest;
use crate::model::audit::{Coverage, Unreached};
use code::Code;
pub(super) use lines::{LineExports, Lines, Marker};
use mark::Reader;
use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;
use wasmtime::component::Instance;

/// How it is known what ran.
pub(super) enum Measure {
    Marks(Marks),
    Lines(Lines),
}

impl Measure {
    /// Gets an instance ready, before its export is entered.
    pub(super) async fn begin(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        match self {
            Self::Marks(_) => Ok(()),
            Self::Lines(lines) => lines.watch(store, instance).await,
        }
    }

    /// Reads what of an instance's code ran, after its export answered.
    pub(super) async fn end(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        // What reading takes is not the guest's.
        let left = store.get_fuel().ok();
        if left.is_some() {
            store.set_fuel(FUEL)?;
        }
        match self {
            Self::Marks(marks) => marks.read(store, instance).await?,
            Self::Lines(lines) => lines.read(store, instance).await?,
        }
        left.map_or(Ok(()), |left| store.set_fuel(left))
    }

    /// What was reached so far.
    pub(super) fn coverage(&self) -> Coverage {
        match self {
            Self::Marks(marks) => marks.coverage(),
            Self::Lines(lines) => lines.coverage(),
        }
    }
}

/// Most functions that are listed as not reached.
const MOST_LISTED: usize = 5_000;

/// More than reading all marks can take.
const FUEL: u64 = 1 << 40;

/// What the marks of a component mean, and which there were so far.
pub(super) struct Marks {
    readers: Vec<Reader>,
    functions: Vec<Function>,
    /// By module, 64 in each number.
    seen: Mutex<Vec<Vec<u64>>>,
    /// All that there can be.
    all: Vec<Vec<u64>>,
}

/// A function whose code is marked.
struct Function {
    name: String,
    module: usize,
    /// The mark of its first block; those of the others follow.
    first: u32,
    /// How many instructions each block has.
    blocks: Vec<u32>,
    effects: Vec<String>,
}

/// Returns the component with its code marked, and what its marks mean; or why that cannot be done.
pub(super) fn marked(component: &[u8]) -> Result<(Vec<u8>, Marks), String> {
    let damaged = |error: wasmparser::BinaryReaderError| format!("it cannot be read: {}", error.message());
    let wiring = Wiring::read(component).map_err(damaged)?;
    if wiring.nested_code {
        return Err("it has code in a component inside it".into());
    }
    let mut codes = Vec::new();
    for module in &wiring.modules {
        codes.push(match module {
            Module::Here(range) => {
                let bytes = component.get(range.clone()).unwrap_or_default();
                Some(Code::read(bytes).map_err(damaged)?)
            }
            Module::Elsewhere => None,
        });
    }
    let mark::Marked { component, readers } = mark::mark(component, &wiring, &codes)?;
    let mut all: Vec<Vec<u64>> = vec![Vec::new(); codes.len()];
    for (module, code) in codes.iter().enumerate() {
        let marks: usize = code.iter().flat_map(|code| &code.functions).map(|one| one.blocks.len()).sum();
        all[module] = vec![u64::MAX; marks / 64];
        if !marks.is_multiple_of(64) {
            all[module].push((1 << (marks % 64)) - 1);
        }
    }
    let seen = Mutex::new(all.iter().map(|words| vec![0; words.len()]).collect());
    let functions = functions(&wiring, &codes);
    Ok((component, Marks { readers, functions, seen, all }))
}

fn functions(wiring: &Wiring<'_>, codes: &[Option<Code<'_>>]) -> Vec<Function> {
    let mut effects = graph::effects(wiring, codes);
    let mut functions = Vec::new();
    for (module, code) in codes.iter().enumerate() {
        let Some(code) = code.as_ref().filter(|code| !code.is_glue()) else { continue };
        let mut first = 0;
        for (own, function) in code.functions.iter().enumerate() {
            let number = code.number(own);
            functions.push(Function {
                name: code.name(number),
                module,
                first,
                blocks: function.blocks.iter().map(|block| block.instructions).collect(),
                effects: effects.remove(&(module, number)).unwrap_or_default().into_iter().collect(),
            });
            first += function.blocks.len() as u32;
        }
    }
    functions
}

impl Marks {
    async fn read(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        for reader in &self.readers {
            let read = instance.get_typed_func::<(u32,), (u64,)>(&mut *store, &reader.export)?;
            for word in 0..reader.words {
                let index = (reader.module, word as usize);
                if self.word(index).is_none_or(|(seen, all)| seen == all) {
                    continue;
                }
                let (marks,) = read.call_async(&mut *store, (word,)).await?;
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(seen) = seen.get_mut(index.0).and_then(|words| words.get_mut(index.1)) {
                    *seen |= marks;
                }
            }
        }
        Ok(())
    }

    fn word(&self, (module, word): (usize, usize)) -> Option<(u64, u64)> {
        let all = *self.all.get(module)?.get(word)?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Some((*seen.get(module)?.get(word)?, all))
    }

    fn coverage(&self) -> Coverage {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_seen = |module: usize, mark: u32| {
            let word = seen.get(module).and_then(|words| words.get(mark as usize / 64));
            word.is_some_and(|word| word & (1 << (mark % 64)) != 0)
        };
        let (mut reached, mut run, mut all) = (0, 0u64, 0u64);
        let mut unreached = Vec::new();
        for function in &self.functions {
            let instructions: u64 = function.blocks.iter().map(|block| u64::from(*block)).sum();
            all += instructions;
            for (mark, block) in (function.first..).zip(&function.blocks) {
                if is_seen(function.module, mark) {
                    run += u64::from(*block);
                }
            }
            if is_seen(function.module, function.first) {
                reached += 1;
            } else {
                unreached.push(Unreached {
                    function: function.name.clone(),
                    instructions: u32::try_from(instructions).unwrap_or(u32::MAX),
                    effects: function.effects.clone(),
                });
            }
        }
        unreached.sort_by(|one, other| {
            let key = |function: &Unreached| (function.effects.is_empty(), Reverse(function.instructions));
            key(one).cmp(&key(other)).then_with(|| one.function.cmp(&other.function))
        });
        unreached.truncate(MOST_LISTED);
        Coverage::Functions {
            functions: self.functions.len() as u32,
            reached,
            instructions_permille: u32::try_from(run * 1000 / all.max(1)).unwrap_or(1000),
            unreached,
        }
    }
}
