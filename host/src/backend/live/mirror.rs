//! The run's journal on the managers: brought up to its last row before each change acts, under the lease.
//!
//! So the nodes never saw a change that the mirror has no intent of, and a controller that was superseded while it
//! slept finds that out before it sends a change, on every manager. One round trip, to all of them side by side.

use super::Live;
use crate::journal::Journal;
use crate::journal::mirror::{Head, Piece, pack};
use crate::model::{NodeName, PauseReason, Stop};
use crate::transport::TransportError;
use crate::transport::mirror::{self, Added, Addition, MirrorError};
use futures::future::{join_all, try_join_all};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// How often a node may say that it holds something else than was thought.
const TRIES: usize = 3;

impl Live {
    /// Brings every mirror up to the journal's last row. `over`: the lease was given back with the run's end.
    pub(crate) async fn mirror_all(&self, journal: &Journal, over: bool) -> Result<(), Stop> {
        let mut mirrored = self.mirrored.lock().await;
        let to: Vec<(NodeName, Option<u64>)> = match over {
            true => {
                let knows = mirrored.iter().filter(|(_, held)| **held > 0);
                knows.map(|(node, _)| (node.clone(), None)).collect()
            }
            false => self.lease_tokens().into_iter().map(|(node, token)| (node, Some(token))).collect(),
        };
        // Sealed once, for they mostly hold the same.
        let mut pieces: HashMap<i64, Arc<Vec<Piece>>> = HashMap::new();
        for (node, _) in &to {
            let held = mirrored.get(node).copied().unwrap_or(0);
            if let Entry::Vacant(unsealed) = pieces.entry(held) {
                unsealed.insert(Arc::new(self.pieces(journal, held)?));
            }
        }
        let sending = to.iter().map(|(node, token)| {
            let held = mirrored.get(node).copied().unwrap_or(0);
            let first = pieces.get(&held).cloned().unwrap_or_default();
            async move { (node, self.send(journal, node, *token, held, first).await) }
        });
        let mut failed = None;
        for (node, sent) in join_all(sending).await {
            match sent {
                Ok(held) => drop(mirrored.insert(node.clone(), held)),
                Err(stop) => drop(failed.get_or_insert(stop)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Compares the journal with what the managers hold of it, before anything of a resumed run acts.
    pub(crate) async fn compare_mirrors(&self, journal: &Journal) -> Result<(), Stop> {
        let user = &self.site.profile.service_user;
        let asked = self.lease_tokens().into_iter().map(|(node, _)| async move {
            let head = mirror::head(&self.transports, &node, user, &self.run).await;
            head.map(|head| (node.clone(), head)).map_err(|error| stop_of(&node, error))
        });
        let heads = try_join_all(asked).await?;
        let mut mirrored = self.mirrored.lock().await;
        for (node, head) in heads {
            let held = match head {
                None => 0,
                Some(text) => self.place_of(journal, &node, &text)?.sequence,
            };
            mirrored.insert(node, held);
        }
        Ok(())
    }

    /// Sends what a node lacks; returns the number of the last row that it holds then.
    async fn send(
        &self,
        journal: &Journal,
        node: &NodeName,
        token: Option<u64>,
        mut held: i64,
        mut pieces: Arc<Vec<Piece>>,
    ) -> Result<i64, Stop> {
        let user = &self.site.profile.service_user;
        for _ in 0..TRIES {
            let mut elsewhere = None;
            for piece in pieces.iter() {
                let head = piece.head.to_string();
                let (to, hash) = head.split_once(' ').unwrap_or((&head, ""));
                let (from, line) = (piece.from, piece.to_string());
                let addition = Addition { from, to: to.parse().unwrap_or(0), hash, line: &line };
                let added = mirror::append(&self.transports, node, user, &self.run, token, addition).await;
                match added.map_err(|error| stop_of(node, error))? {
                    Added::Ok => held = piece.head.sequence,
                    Added::Elsewhere(head) => {
                        elsewhere = Some(head);
                        break;
                    }
                }
            }
            // The answer to an earlier piece was lost, or somebody removed what was there.
            held = match elsewhere {
                None => return Ok(held),
                Some(None) => 0,
                Some(Some(text)) => self.place_of(journal, node, &text)?.sequence,
            };
            pieces = Arc::new(self.pieces(journal, held)?);
        }
        Err(Stop::new(
            PauseReason::Disagreement,
            format!("the mirror of the journal on {node} changes by itself: somebody else writes it"),
        ))
    }

    fn pieces(&self, journal: &Journal, held: i64) -> Result<Vec<Piece>, Stop> {
        let rows = journal.since(held).map_err(|error| Stop::new(PauseReason::Journal, error.to_string()))?;
        pack(&rows, &self.recipients).map_err(|error| {
            Stop::new(PauseReason::Journal, format!("the journal cannot be sealed to the operators: {error}"))
        })
    }

    /// Finds in the journal the last row that a node holds; it must be the same row.
    fn place_of(&self, journal: &Journal, node: &NodeName, text: &str) -> Result<Head, Stop> {
        let disagree = |message: String| Stop::new(PauseReason::Disagreement, message);
        let head: Head =
            text.parse().map_err(|()| disagree(format!("the head of the mirror on {node} is damaged")))?;
        match journal.hash_at(head.sequence) {
            Ok(Some(hash)) if hash == head.hash => Ok(head),
            Ok(_) => Err(disagree(format!(
                "the journal here is not the one that {node} holds {} rows of: rows of it were lost or edited here, \
                 or another controller went on with the run (windlass runs adopt {} fetches what the managers hold)",
                head.sequence, self.run
            ))),
            Err(error) => Err(Stop::new(PauseReason::Journal, error.to_string())),
        }
    }

    fn lease_tokens(&self) -> Vec<(NodeName, u64)> {
        let held = |node: &NodeName| Some((node.clone(), self.token(node)?));
        self.managers().into_iter().filter_map(held).collect()
    }
}

fn stop_of(node: &NodeName, error: MirrorError) -> Stop {
    let reason = match &error {
        MirrorError::Fenced { .. } => PauseReason::LeaseLost,
        MirrorError::NotKept { .. } => PauseReason::Journal,
        MirrorError::Transport(TransportError::Unexpected { .. }) => PauseReason::Disagreement,
        MirrorError::Transport(_) => PauseReason::Unreachable,
    };
    let message = match error {
        MirrorError::Transport(error) => format!("the journal could not be mirrored on {node}: {error}"),
        error => error.to_string(),
    };
    Stop::new(reason, message)
}
