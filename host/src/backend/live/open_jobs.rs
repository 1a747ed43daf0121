//! Commands that a controller left running when it died, and nobody has asked about since.

use super::Live;
use super::nodes::job_id;
use crate::journal::{Row, StoredRow};
use crate::model::{CommandName, Effect, Event, NodeName, PauseReason, PluginName, Stop};
use crate::site::CommandKind;
use crate::transport::jobs::{self, JobName, JobState};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

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
    let ended: HashSet<i64> = rows
        .iter()
        .filter_map(|stored| match &stored.row {
            Row::Outcome { of, .. } => Some(*of),
            _ => None,
        })
        .collect();
    let command = |(sequence, (_, effect)): (i64, (_, Cow<'_, Effect>))| match effect.as_ref() {
        Effect::NodesRun { node, command, .. } => Some((sequence, (node.clone(), command.clone()))),
        _ => None,
    };
    intents(rows).into_iter().filter(|(sequence, _)| !ended.contains(sequence)).filter_map(command).collect()
}

/// What every intent was to do, by its sequence number; what is done on each of its nodes has one for each too.
pub(super) fn intents(rows: &[StoredRow]) -> BTreeMap<i64, (&PluginName, Cow<'_, Effect>)> {
    let mut intents: BTreeMap<i64, (&PluginName, Cow<'_, Effect>)> = BTreeMap::new();
    for stored in rows {
        match &stored.row {
            Row::Intent { plugin, effect, .. } => {
                intents.insert(stored.sequence, (plugin, Cow::Borrowed(effect)));
            }
            Row::Child { of, node } => {
                let child = intents.get(of).and_then(|(plugin, each)| Some((*plugin, each.child(node)?)));
                if let Some((plugin, effect)) = child {
                    intents.insert(stored.sequence, (plugin, Cow::Owned(effect)));
                }
            }
            _ => {}
        }
    }
    intents
}
