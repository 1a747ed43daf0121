//! Commands that a controller left running when it died, and nobody has asked about since.

use super::Live;
use super::nodes::job_id;
use crate::journal::{Row, StoredRow};
use crate::model::{CommandName, Effect, Event, NodeName, PauseReason, Stop};
use crate::site::CommandKind;
use crate::transport::jobs::{self, JobName, JobState};
use std::borrow::Cow;
use std::collections::BTreeMap;

impl Live {
    /// Waits until nothing runs that an open intent of these rows began. How it ended is not judged: what follows takes
    /// it back, however far it came.
    pub(crate) async fn wait_for_open_jobs(&self, rows: &[StoredRow]) -> Result<(), Stop> {
        for (sequence, (node, command)) in open(rows) {
            let Ok(declaration) = self.command(&command) else { continue };
            if declaration.kind != CommandKind::Change || self.is_dead(&node, rows) {
                continue;
            }
            let lost = |why: String| {
                Stop::new(
                    PauseReason::Unreachable,
                    format!(
                        "{command} was begun on {node} and may still be running, so nothing is taken back under it: {why}"
                    ),
                )
            };
            let id = job_id(sequence);
            let job = JobName { node: &node, user: &declaration.user, run: &self.run, id: &id };
            let state = jobs::probe(&self.transports, job).await.map_err(|error| lost(error.to_string()))?;
            if !matches!(state, JobState::Running { .. }) {
                continue;
            }
            let text = format!(
                "{command} still runs on {node}: waiting for its end, at most {:?}",
                declaration.timeout
            );
            (self.events)(&Event::Note { text });
            match jobs::follow(&self.transports, job, 0, declaration.timeout, &mut |_| {}).await {
                // Gone without a word is as ended as it gets.
                Ok(_) | Err(jobs::JobError::Vanished { .. }) => {}
                Err(error) => return Err(lost(error.to_string())),
            }
        }
        Ok(())
    }

    /// Whether the operator said that a node is dead, now or in an earlier life of the run.
    pub(super) fn is_dead(&self, node: &NodeName, rows: &[StoredRow]) -> bool {
        let said =
            |stored: &StoredRow| matches!(&stored.row, Row::DeclaredDead { node: dead } if dead == node);
        self.terms.dead.contains(node) || rows.iter().any(said)
    }
}

/// The commands whose intents have no outcome, by the sequence numbers of those.
fn open(rows: &[StoredRow]) -> BTreeMap<i64, (NodeName, CommandName)> {
    let mut effects: BTreeMap<i64, Cow<'_, Effect>> = BTreeMap::new();
    let mut open = BTreeMap::new();
    for stored in rows {
        match &stored.row {
            Row::Intent { effect, .. } => {
                effects.insert(stored.sequence, Cow::Borrowed(effect));
            }
            Row::Child { of, node } => {
                if let Some(effect) = effects.get(of).and_then(|each| each.child(node)) {
                    effects.insert(stored.sequence, Cow::Owned(effect));
                }
            }
            Row::Outcome { of, .. } => {
                open.remove(of);
            }
            _ => {}
        }
        if let Some(Effect::NodesRun { node, command, .. }) = effects.get(&stored.sequence).map(Cow::as_ref) {
            open.insert(stored.sequence, (node.clone(), command.clone()));
        }
    }
    open
}
