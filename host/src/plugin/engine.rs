//! The engine: made in one function only, so that images made by one process load in another.

use super::PluginError;
use super::call::{Guest, INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use super::{adapters, bindings};
use aws_lc_rs::digest;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{Config, EngineWeak, PoolingAllocationConfig};

/// How guests are bounded. Images of one profile do not load in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// By time: epochs, ticking every 10 ms. For runs.
    Run,
    /// By fuel, whose counts are the same on every machine. For rehearsals.
    Rehearse,
}

/// What one exported call of a guest may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, over all linear memories of the instance.
    pub memory: usize,
    /// Time in the guest's own code ([`Profile::Run`]); to the next tick of 10 ms.
    pub time: Duration,
    /// Units of fuel ([`Profile::Rehearse`]); about one an instruction.
    pub fuel: u64,
    /// Bytes that one call may copy out of the guest, as arguments of an import or as the answer of an
    /// export.
    pub copy: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 256 << 20, time: Duration::from_secs(10), fuel: 20_000_000_000, copy: 8 << 20 }
    }
}

/// A compiler and runtime for components, with the host's functions ready to be linked.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linker: std::sync::Arc<Linker<Guest>>,
    profile: Profile,
    fingerprint: String,
}

impl Engine {
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns what an image must have been made with to load here: 64 hex digits over wasmtime's version
    /// and every setting that changes the code.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The processor that code is made for: the oldest of its kind. Without an explicit target wasmtime uses
/// whatever the processor at hand offers, and an image made on a newer machine is refused on an older one.
const TARGET: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// Stack of a guest; what overflows it is a trap.
const WASM_STACK: usize = 512 << 10;
/// Stack that guest and host functions share; larger by what a host function may need.
const FIBER_STACK: usize = 2 << 20;

/// Makes an engine. Every engine of the host, and of the tool that makes the bundled images, comes from
/// here.
///
/// Equal digests, engines, seeds and limits give equal transcripts: NaNs are canonical, relaxed SIMD is
/// off, and shared memory and threads are not compiled in.
pub fn engine(profile: Profile) -> Result<Engine, PluginError> {
    let failed = |error: wasmtime::Error| PluginError::Engine { why: format!("{error:#}") };
    let mut config = Config::new();
    config
        .target(TARGET)
        .map_err(failed)?
        .wasm_component_model(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK);
    let wasmtime = match profile {
        Profile::Run => wasmtime::Engine::new(config.epoch_interruption(true)),
        Profile::Rehearse => {
            config.consume_fuel(true);
            // Where addresses are bounded a rehearsal is slower, and otherwise the same.
            wasmtime::Engine::new(config.clone().allocation_strategy(pool())).or_else(|error| {
                tracing::debug!("rehearsals go without a pool of instances: {error:#}");
                wasmtime::Engine::new(&config)
            })
        }
    }
    .map_err(failed)?;
    let mut linker = Linker::new(&wasmtime);
    bindings::Imports::add_to_linker::<_, adapters::HasGuest>(&mut linker, |guest| guest).map_err(failed)?;
    super::wasi::link(&mut linker).map_err(failed)?;
    if profile == Profile::Run {
        ticker::watch(wasmtime.weak()).map_err(|error| PluginError::Engine {
            why: format!("the thread that bounds guests' time could not be started: {error}"),
        })?;
    }
    let fingerprint = fingerprint(&wasmtime);
    Ok(Engine { wasmtime, linker: std::sync::Arc::new(linker), profile, fingerprint })
}

/// Where the instances of rehearsals live, of which an audit makes thousands: their memories are not given back to the
/// kernel but set to what they were at first, so that none faults its pages in anew. Runs make few.
///
/// Whatever fits a run fits here. Most of it is only addresses: a TiB on two cores.
fn pool() -> PoolingAllocationConfig {
    /// Bytes of a memory that are set back by copying; what lies behind is given to the kernel. A call of Python's
    /// engine writes some 700 pages all over its memory of 16 MiB: copying that takes less than those faults.
    const COPIED: usize = 24 << 20;
    /// What wasmparser lets a module have. The allocator goes through so many memories for each module that is dropped.
    const MEMORIES_OF_A_MODULE: u32 = 100;
    const ENTRIES_OF_A_TABLE: usize = 10_000_000;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    // An audit has one call a core at a time; tests have several audits.
    let calls = (8 * cores).clamp(16, 512);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls * INSTANCES as u32)
        .total_memories(calls * MEMORIES as u32)
        .total_tables(calls * TABLES as u32)
        .total_stacks(calls)
        // Memories that stay as large as they were when a component of another kind comes.
        .max_unused_warm_slots(4 * cores)
        .linear_memory_keep_resident(COPIED)
        .table_keep_resident(TABLE_ELEMENTS * size_of::<usize>());
    // What one call may take is the limiter's to say, in the words of a run.
    pool.max_core_instances_per_component(u32::MAX)
        .max_memories_per_component(u32::MAX)
        .max_tables_per_component(u32::MAX)
        .max_memories_per_module(MEMORIES_OF_A_MODULE)
        .max_tables_per_module(u32::MAX)
        .table_elements(ENTRIES_OF_A_TABLE)
        .max_memory_size(4 << 30)
        .max_core_instance_size(1 << 30)
        .max_component_instance_size(4 << 30);
    pool
}

fn fingerprint(engine: &wasmtime::Engine) -> String {
    // The standard hashers may change between compilers; a digest does not.
    struct Digest(digest::Context);
    impl Hasher for Digest {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finish();
            digest.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        }
    }
    let mut hasher = Digest(digest::Context::new(&digest::SHA256));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    super::inspect::hex(hasher.0.finish().as_ref())
}

/// One thread for all engines of the process. It ends with the last of them.
mod ticker {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    struct Watched {
        engines: Vec<EngineWeak>,
        running: bool,
    }
    static WATCHED: Mutex<Watched> = Mutex::new(Watched { engines: Vec::new(), running: false });

    pub(super) fn watch(engine: EngineWeak) -> std::io::Result<()> {
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.engines.push(engine);
        if !watched.running {
            std::thread::Builder::new().name("windlass-ticker".into()).spawn(tick)?;
            watched.running = true;
        }
        Ok(())
    }

    fn tick() {
        loop {
            std::thread::sleep(TICK);
            let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
            watched.engines.retain(|engine| match engine.upgrade() {
                Some(engine) => {
                    engine.increment_epoch();
                    true
                }
                None => false,
            });
            if watched.engines.is_empty() {
                watched.running = false;
                return;
            }
        }
    }
}
