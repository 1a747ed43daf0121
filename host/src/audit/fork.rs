//! Where rehearsals begin that are like the plain one up to an effect: with the call that the effect is of.
//!
//! A run goes on from its journal, and a guest has nothing but its call: so what comes before a call is, where nothing was
//! done to it, what it was in the plain rehearsal, and half of all that rehearsals do would be that.

use super::stage::Played;
use crate::backend::rehearsal::Rehearsal;
use crate::journal::{CallName, Journal, Row, StoredRow};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The beginning of a call.
pub(super) struct Fork {
    /// How many rows stood before it.
    rows: usize,
    /// The number of the last row that was on disk.
    pub durable: i64,
    /// The cluster as it was.
    pub life: Arc<Rehearsal>,
}

/// The number of the last row that is on disk, and the cluster.
type Stands = (i64, Arc<Rehearsal>);

/// Notes how it stands where a call of the plain rehearsal begins.
#[derive(Clone, Default)]
pub(super) struct Forking(Arc<Mutex<Vec<Stands>>>);

impl Forking {
    pub fn call_begins(&self, life: &Rehearsal, journal: &Journal) {
        let stands = (journal.durable(), life.forked(None));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(stands);
    }
}

/// The beginnings of the plain rehearsal's calls, as far as others can begin there.
#[derive(Default)]
pub(super) struct Forks {
    rows: Vec<StoredRow>,
    all: Vec<Fork>,
}

impl Forks {
    pub fn of(plain: &Played, forking: Forking) -> Self {
        let rows = plain.rows.clone();
        let stood = std::mem::take(&mut *forking.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut names = HashSet::new();
        let calls = rows.iter().enumerate().filter_map(|(at, stored)| match &stored.row {
            Row::CallBegan { call } => Some((at, call)),
            _ => None,
        });
        let fork = |((rows, call), (durable, life)): ((usize, &CallName), Stands)| {
            names.insert(call.to_string());
            Fork { rows, durable, life }
        };
        let mut all: Vec<Fork> = calls.zip(stood).map(fork).collect();
        // A hook that is told of a moment twice would, begun between them, take its first answer for both.
        let all_once = names.len() == all.len();
        // A run that stands or goes back would, begun from there, first try the call again that failed.
        let turns = |stored: &StoredRow| {
            matches!(
                &stored.row,
                Row::CallBegan { call: CallName::Undo(_) } | Row::CallEnded { result: Err(_), .. }
            )
        };
        let straight = rows.iter().position(turns).unwrap_or(rows.len());
        all.retain(|fork| all_once && fork.rows <= straight && fork.life.acted() > 0);
        Self { rows, all }
    }

    /// The last beginning before an effect, with the rows before that.
    pub fn before(&self, effect: u32) -> Option<(&Fork, &[StoredRow])> {
        let behind = self.all.partition_point(|fork| fork.life.acted() <= effect);
        let fork = self.all.get(behind.checked_sub(1)?)?;
        Some((fork, self.rows.get(..fork.rows)?))
    }
}
