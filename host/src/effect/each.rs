//! An effect on each of many nodes (`run-each`, `put-each`, `fingerprint-each`): one effect to the plugin and to the
//! gate; in the journal a row, and a child for each node.
//!
//! Intents are committed a wave at a time, outcomes are noted as they arrive and are on disk with the next wave
//! or the next change. So each node's child is answered, settled or begun by itself on resume, and a crash costs
//! none of them a second run.

use super::path::{CallPath, journal_stop};
use super::replay::PastChild;
use crate::backend::Acted;
use crate::journal::{Row, Settlement};
use crate::model::{Answer, EffectClass, Event, Fault, MemberAnswer, NodeName, PauseReason, Stop, code};
use crate::policy::Permit;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::{HashMap, VecDeque};

/// The most commits that the intents of one such effect cost, however many nodes it has.
const WAVES: usize = 8;

/// A child that may begin: its intent is on disk.
struct Intended {
    node: NodeName,
    permit: Permit,
    sequence: i64,
    /// It was begun in an earlier life.
    open: bool,
}

impl CallPath {
    /// Does what is left of an effect on each of its nodes; `parent` is the number of its row, `past` what became of its children.
    pub(super) async fn each(
        &self,
        permit: Permit,
        class: EffectClass,
        parent: i64,
        past: Vec<PastChild>,
    ) -> Result<Acted, Stop> {
        let nodes: Vec<NodeName> = permit.effect().each().unwrap_or_default().to_vec();
        let what = permit.effect().to_string();
        let limit = self.around.backend.concurrency().max(1);
        let mut outcomes: HashMap<NodeName, Result<Answer, Fault>> = HashMap::new();
        let mut open: HashMap<NodeName, i64> = HashMap::new();
        for PastChild { node, sequence, outcome } in past {
            match outcome {
                Some(outcome) => drop(outcomes.insert(node, outcome)),
                None => drop(open.insert(node, sequence)),
            }
        }
        let (mut ready, mut waiting) = (VecDeque::new(), VecDeque::new());
        for permit in permit.each() {
            // A child is about its own node first, wherever what it writes is taken from.
            let Some(node) = permit.effect().nodes().first().map(|node| (*node).clone()) else { continue };
            if outcomes.contains_key(&node) {
                continue;
            }
            match open.get(&node) {
                Some(&sequence) => ready.push_back(Intended { node, permit, sequence, open: true }),
                None => waiting.push_back((node, permit)),
            }
        }
        let wave = limit.max(waiting.len().div_ceil(WAVES));

        let mut running = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while stopped.is_none() && running.len() < limit {
                if ready.is_empty() && waiting.is_empty() {
                    break;
                }
                if self.around.interrupt.is_raised() {
                    stopped = Some(Stop::new(PauseReason::Interrupted, "interrupted by the operator"));
                    break;
                }
                if ready.is_empty() {
                    match self.intend(parent, class, &mut waiting, wave).await {
                        Ok(begun) => ready = begun,
                        Err(stop) => stopped = Some(stop),
                    }
                }
                running.extend(ready.pop_front().map(|ready| self.child(ready)));
            }
            let Some((node, sequence, came)) = running.next().await else { break };
            // What is under way is seen to its end, whatever became of another.
            let noted = came.and_then(|(acted, settled)| self.note_child(sequence, acted, settled));
            match noted {
                Ok(answer) => {
                    outcomes.insert(node, answer);
                    if let Some(event) =
                        Event::advanced(&what, outcomes.len() - 1, outcomes.len(), nodes.len())
                    {
                        (self.around.events)(&event);
                    }
                }
                Err(stop) => drop(stopped.get_or_insert(stop)),
            }
        }
        if let Some(stop) = stopped {
            return Err(stop);
        }
        let member = |node: NodeName| {
            let unanswered = || Err(Fault::new(code::FAILED, "it was not answered"));
            let answer = outcomes.get(&node).cloned().unwrap_or_else(unanswered);
            MemberAnswer { node, answer }
        };
        Ok(Ok(Answer::Each(nodes.into_iter().map(member).collect())).into())
    }

    /// Journals the intents of the next wave, with the parent's own before the first.
    async fn intend(
        &self,
        parent: i64,
        class: EffectClass,
        waiting: &mut VecDeque<(NodeName, Permit)>,
        wave: usize,
    ) -> Result<VecDeque<Intended>, Stop> {
        let mut ready = VecDeque::new();
        for (node, permit) in waiting.drain(..wave.min(waiting.len())) {
            let row = Row::Child { of: parent, node: node.clone() };
            let sequence = self.around.journal.note(&row).map_err(journal_stop)?;
            ready.push_back(Intended { node, permit, sequence, open: false });
        }
        if class == EffectClass::Change {
            self.around.journal.flush().map_err(journal_stop)?;
            self.around.backend.mirror(&self.around.journal).await?;
        }
        Ok(ready)
    }

    async fn child(&self, ready: Intended) -> (NodeName, i64, Result<(Acted, Option<Settlement>), Stop>) {
        let Intended { node, permit, sequence, open } = ready;
        let (backend, plugin) = (&self.around.backend, &self.around.plugin);
        let came = match open {
            true => {
                backend.settle(plugin, permit, sequence).await.map(|(acted, settled)| (acted, Some(settled)))
            }
            false => {
                backend.act(plugin, permit, sequence, Default::default()).await.map(|acted| (acted, None))
            }
        };
        (node, sequence, came)
    }

    fn note_child(
        &self,
        of: i64,
        acted: Acted,
        settled: Option<Settlement>,
    ) -> Result<Result<Answer, Fault>, Stop> {
        let Acted { answer, kept, traces } = acted;
        let row = Row::Outcome { of, answer: answer.clone(), kept, traces, settled };
        self.around.journal.note(&row).map_err(journal_stop)?;
        Ok(answer)
    }
}
