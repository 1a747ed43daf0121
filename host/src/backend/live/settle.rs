//! What came of an intent that was open when a controller died: the probe wins over the journal.

use super::Live;
use super::nodes::{found_done, job_id};
use super::open_jobs::intents;
use crate::backend::{Acted, Ready};
use crate::capability::files::SwapState;
use crate::capability::nodes::{self, Ended};
use crate::journal::{Row, Settlement, StoredRow};
use crate::model::{Answer, Effect, Fault, NodeName, PauseReason, PluginName, Stop};
use crate::site::{CommandKind, Rerun};
use crate::transport::jobs::{self, JobName, JobState};
use std::collections::BTreeSet;
use std::sync::PoisonError;

impl Live {
    pub(super) async fn settle_effect(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        sequence: i64,
    ) -> Result<(Acted, Settlement), Stop> {
        match effect {
            Effect::NodesRun { node, command, arguments } => {
                let Ok(declaration) = self.command(command) else {
                    return self.again(plugin, effect, sequence).await;
                };
                if declaration.kind != CommandKind::Change {
                    return self.again(plugin, effect, sequence).await;
                }
                let unreachable =
                    |why: String| Stop::new(PauseReason::Unreachable, format!("{command} on {node}: {why}"));
                let id = job_id(sequence);
                let job = JobName { node, user: &declaration.user, run: &self.run, id: &id };
                let state = jobs::probe(&self.transports, job)
                    .await
                    .map_err(|error| unreachable(error.to_string()))?;
                let end = match state {
                    JobState::NeverStarted => return self.again(plugin, effect, sequence).await,
                    JobState::Ended(end) => end,
                    JobState::Running { .. } => {
                        match jobs::follow(&self.transports, job, 0, declaration.timeout, &mut |_| {}).await {
                            Ok(end) => end,
                            Err(error) => {
                                let ran = self.job_failed(node, declaration, error).await?;
                                return Ok((ran.map(Answer::Outcome).into(), Settlement::FoundDone));
                            }
                        }
                    }
                    JobState::Vanished => {
                        let happened = self.settled_by_declaration(node, declaration).await?;
                        return match (happened, declaration.consequences.rerun) {
                            (Some(true), _) => {
                                Ok((Ok(Answer::Outcome(found_done())).into(), Settlement::FoundDone))
                            }
                            (_, Rerun::Always) | (Some(false), Rerun::IfSettleSaysNo) => {
                                self.again(plugin, effect, sequence).await
                            }
                            (Some(false) | None, _) => Err(Stop::new(
                                PauseReason::Unsettled,
                                format!(
                                    "{command} was started on {node} and left no record of its end (the node rebooted, or it was killed); whether it happened cannot be told, and the profile does not allow to run it again"
                                ),
                            )),
                        };
                    }
                };
                let resolved = self
                    .resolved(plugin, node, declaration, arguments)
                    .await
                    .map_err(|fault| unreachable(fault.message))?;
                let outcome = nodes::outcome(&resolved, &Ended::from(end));
                let traces = self.strayed(node, declaration, &id).await;
                let acted = Acted { traces, ..Ok(Answer::Outcome(outcome)).into() };
                Ok((acted, Settlement::FoundDone))
            }
            Effect::FilesSwap { set, node } => {
                let staged = self.objects.staged(set, node);
                let files = self.node_files(node).await.map_err(|fault| lost(node, fault))?;
                let state =
                    files.swap_state(set, &staged).await.map_err(|error| lost(node, error.to_fault()))?;
                match state {
                    SwapState::Disturbed(files) => {
                        let files: Vec<_> = files.iter().map(|file| file.as_str()).collect();
                        Err(Stop::new(
                            PauseReason::Disagreement,
                            format!(
                                "{set} was being swapped in on {node}; {} is neither what was there nor what was to be there: somebody else wrote it",
                                files.join(", ")
                            ),
                        ))
                    }
                    SwapState::NotStaged => Err(Stop::new(
                        PauseReason::Disagreement,
                        format!("the journal says that {set} is staged on {node}, and it is not there"),
                    )),
                    SwapState::Swapped => {
                        let (acted, _) = self.again(plugin, effect, sequence).await?;
                        Ok((acted, Settlement::FoundDone))
                    }
                    SwapState::Staged | SwapState::Half => self.again(plugin, effect, sequence).await,
                }
            }
            // Every other change is whole or not at all, and the same when it is done twice.
            _ => self.again(plugin, effect, sequence).await,
        }
    }

    async fn again(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        sequence: i64,
    ) -> Result<(Acted, Settlement), Stop> {
        Ok((self.dispatch(plugin, effect, sequence, Ready::default()).await?, Settlement::ActsAgain))
    }

    /// Takes what a run has made and left so far from its journal.
    pub async fn recall_run(&self, rows: &[StoredRow]) -> Result<(), Stop> {
        use crate::backend::Backend as _;
        // Whatever came of it, an intent to stage may have left a file there: what is staged is resolved for
        // its node, so that it can be swapped in or discarded.
        let staged_on: BTreeSet<&NodeName> = rows
            .iter()
            .filter_map(|stored| match &stored.row {
                Row::Intent { effect, .. } => effect.stages().map(|(_, node, _)| node),
                _ => None,
            })
            .collect();
        for node in staged_on.into_iter().filter(|node| !self.is_dead(node, rows)) {
            self.context(node).await.map_err(|fault| lost(node, fault))?;
        }
        let intents = intents(rows);
        for stored in rows {
            match &stored.row {
                Row::Intent { effect, .. } => {
                    if let Some((set, node, file)) = effect.stages() {
                        self.staged_before(set, node, file, None);
                    }
                }
                Row::Outcome { of, answer: Ok(answer), kept, traces, .. } => {
                    if let Some((plugin, effect)) = intents.get(of) {
                        self.recall(plugin, effect, answer, kept, traces)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes what was staged and never swapped in.
    pub(crate) async fn discard_staged(&self) -> Result<(), Fault> {
        for (set, node, staged) in self.objects.sets() {
            self.node_files(&node).await?.discard(&set, &staged).await.map_err(|error| error.to_fault())?;
            self.objects.forget_set(&set, &node);
        }
        Ok(())
    }

    /// The nodes whose variables were asked: no other holds anything of this run.
    pub(super) fn touched(&self) -> Vec<NodeName> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let asked = |node: &&NodeName| tokens.contains_key(*node) || self.contexts.known(node).is_some();
        self.site.nodes.keys().filter(asked).cloned().collect()
    }
}

fn lost(node: &NodeName, fault: Fault) -> Stop {
    Stop::new(PauseReason::Unreachable, format!("{node}: {}", fault.message))
}
