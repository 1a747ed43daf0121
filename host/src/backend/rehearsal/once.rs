//! What is made once in a process, however many rehearsals make it: opening a key takes long on purpose, signing long
//! enough, and an audit's rehearsals do the same a thousand times.

use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// By the SHA-256 of all that decides it.
type Made<T> = HashMap<[u8; 32], Arc<T>>;
/// As many as are kept.
const MOST: usize = 10_000;

pub(super) struct Once<T>(LazyLock<Mutex<Made<T>>>);

impl<T> Once<T> {
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// Returns what was made of the same parts before, or makes it. What fails is tried again each time.
    pub fn of<E>(&self, parts: &[&[u8]], make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut whole = Context::new(&SHA256);
        for part in parts {
            whole.update(&part.len().to_le_bytes());
            whole.update(part);
        }
        let mut name = [0; 32];
        name.copy_from_slice(whole.finish().as_ref());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known().get(&name) {
            return Ok(made.clone());
        }
        let made = Arc::new(make()?);
        let mut known = known();
        if known.len() < MOST {
            known.insert(name, made.clone());
        }
        Ok(made)
    }
}
