//! Watches a run from outside: the linear memories of its guests as they are.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A page, and so much of the next that nothing is cut in two unseen.
const PAGE: u64 = 4096;
const OVERLAP: u64 = 128;

/// A thread that reads `/proc` for as long as the run goes on.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

#[derive(Default)]
pub struct Seen {
    /// Pieces of guests' memories that differ.
    pub memory: Vec<Vec<u8>>,
    pieces: HashSet<u64>,
}

impl Watch {
    /// Watches the guests of a process.
    pub fn begin(host: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                // Gone at the end of the run; a memory may go while it is read.
                let _ = seen.look_into_guests(host);
                // The run needs the processors too.
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            seen
        });
        Self { stop, thread }
    }

    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Seen {
    /// A linear memory is mapped as wasmtime reserves it: what the guest has, and then gigabytes of nothing.
    fn look_into_guests(&mut self, host: u32) -> std::io::Result<()> {
        let maps = std::fs::read_to_string(format!("/proc/{host}/maps"))?;
        let memory = std::fs::File::open(format!("/proc/{host}/mem"))?;
        let lines: Vec<_> = maps.lines().filter_map(mapping).collect();
        // The guest's part is several mappings: its data come from a file in memory, its heap from nowhere.
        let mut guest: Option<(u64, u64)> = None;
        for (from, to, access) in lines {
            let begun = guest.take().filter(|(_, end)| *end == from);
            if access == "rw-p" {
                guest = Some((begun.map_or(from, |(begin, _)| begin), to));
            }
            let Some((from, to)) = begun.filter(|_| access == "---p" && to - from >= 1 << 30) else {
                continue;
            };
            for page in (from..to).step_by(PAGE as usize) {
                let mut piece = vec![0; (PAGE + OVERLAP).min(to - page) as usize];
                memory.read_exact_at(&mut piece, page)?;
                let mut hasher = DefaultHasher::new();
                piece.hash(&mut hasher);
                if self.pieces.insert(hasher.finish()) {
                    self.memory.push(piece);
                }
            }
        }
        Ok(())
    }
}

fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let mut words = line.split(' ');
    let (from, to) = words.next()?.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?, words.next()?))
}
