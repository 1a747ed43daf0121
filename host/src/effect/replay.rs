//! What a call did before, to be answered again without acting.

use crate::journal::{CallName, Row, StoredRow};
use crate::model::{Answer, Effect, EffectClass, Fault, MemberAnswer, NodeName};
use std::collections::{HashMap, VecDeque};

/// One effect of an earlier life of this call.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub sequence: i64,
    pub effect: Effect,
    pub class: EffectClass,
    /// None: its intent is open.
    pub outcome: Option<Result<Answer, Fault>>,
    /// Of an effect on each of its nodes, by node; the last try of each.
    pub children: Vec<PastChild>,
}

/// What such an effect was on one of its nodes in an earlier life.
#[derive(Debug, Clone, PartialEq)]
pub struct PastChild {
    pub node: NodeName,
    pub sequence: i64,
    /// None: its intent is open.
    pub outcome: Option<Result<Answer, Fault>>,
}

impl PastChild {
    fn succeeded(&self) -> bool {
        match &self.outcome {
            Some(Ok(Answer::Outcome(outcome))) => outcome.succeeded,
            Some(Ok(_)) => true,
            Some(Err(_)) | None => false,
        }
    }
}

impl Past {
    /// Where the outcome of an intent belongs, if it is this one's or a child's of it.
    fn outcome_of(&mut self, of: i64) -> Option<&mut Option<Result<Answer, Fault>>> {
        if self.sequence == of {
            return Some(&mut self.outcome);
        }
        // A child's number is higher than its parent's.
        let mut children = self.children.iter_mut().rev().filter(|_| of > self.sequence);
        children.find(|child| child.sequence == of).map(|child| &mut child.outcome)
    }

    /// Makes the answer of an effect on each of its nodes of those of its children.
    fn gather(&mut self) {
        let Some(Ok(Answer::Each(members))) = &mut self.outcome else { return };
        if !members.is_empty() {
            return;
        }
        let mut gathered = Vec::new();
        let children: HashMap<&NodeName, &PastChild> =
            self.children.iter().map(|child| (&child.node, child)).collect();
        for node in self.effect.each().unwrap_or_default() {
            let Some(answer) = children.get(node).and_then(|child| child.outcome.clone()) else {
                // Without it the whole has none.
                self.outcome = None;
                return;
            };
            gathered.push(MemberAnswer { node: node.clone(), answer });
        }
        *members = gathered;
    }

    /// Leaves of an effect on each of its nodes what succeeded, so that only the rest of it acts anew.
    fn reopen(&mut self) {
        self.outcome = None;
        self.children.retain(PastChild::succeeded);
    }
}

/// The effects that are still to be answered from the journal, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay(VecDeque<Past>);

impl Replay {
    /// Returns what an interrupted call is to be answered with: everything since it last began.
    ///
    /// Where the call *ended* with a fault, what succeeded is kept and what led to the fault acts anew:
    /// the effects up to the last change or kept object that succeeded. A command that reported success and
    /// was followed by nothing but looking was not believed by the plugin: it acts anew too.
    pub fn of(call: &CallName, rows: &[StoredRow]) -> Self {
        let mut pasts: VecDeque<Past> = VecDeque::new();
        let mut inside = false;
        for stored in rows {
            match &stored.row {
                // A call that is begun again goes on where the earlier life was: its replayed effects wrote
                // no new rows, so the older ones stay in front.
                Row::CallBegan { call: began } => inside = began == call,
                Row::Intent { effect, class, .. } if inside => pasts.push_back(Past {
                    sequence: stored.sequence,
                    effect: effect.clone(),
                    class: *class,
                    outcome: None,
                    children: Vec::new(),
                }),
                Row::Child { of, node } if inside => {
                    if let Some(past) = pasts.iter_mut().rev().find(|past| past.sequence == *of) {
                        past.children.retain(|child| child.node != *node);
                        let (node, sequence) = (node.clone(), stored.sequence);
                        past.children.push(PastChild { node, sequence, outcome: None });
                    }
                }
                Row::Outcome { of, answer, .. } if inside => {
                    if let Some(outcome) = pasts.iter_mut().rev().find_map(|past| past.outcome_of(*of)) {
                        *outcome = Some(answer.clone());
                    }
                }
                Row::CallEnded { call: ended, result } if inside && ended == call => {
                    inside = false;
                    pasts.iter_mut().for_each(Past::gather);
                    match result {
                        Ok(()) => pasts.clear(),
                        Err(_) => keep_what_succeeded(&mut pasts),
                    }
                }
                _ => {}
            }
        }
        pasts.iter_mut().for_each(Past::gather);
        Self(pasts)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn next(&self) -> Option<&Past> {
        self.0.front()
    }

    pub fn advance(&mut self) -> Option<Past> {
        self.0.pop_front()
    }
}

fn keep_what_succeeded(pasts: &mut VecDeque<Past>) {
    let succeeded = |past: &Past| {
        past.class != EffectClass::Observe
            && match &past.outcome {
                Some(Ok(Answer::Outcome(outcome))) => outcome.succeeded,
                Some(Ok(Answer::Each(_))) => past.children.iter().any(PastChild::succeeded),
                Some(Ok(Answer::Yes(yes))) => *yes,
                Some(Ok(_)) => true,
                Some(Err(_)) | None => false,
            }
    };
    // An open intent is never dropped: it must be settled.
    let stays = |past: &Past| succeeded(past) || past.outcome.is_none();
    let mut last = pasts.iter().rposition(stays);
    if let Some(at) = last
        && matches!(pasts[at], Past { effect: Effect::NodesRun { .. }, outcome: Some(_), .. })
    {
        last = pasts.iter().take(at).rposition(stays);
    }
    pasts.truncate(last.map_or(0, |last| last + 1));
    // What some nodes of the last one did stays done; the others try again.
    if let Some(each) = pasts.back_mut()
        && each.outcome.is_some()
        && !each.children.iter().all(PastChild::succeeded)
    {
        each.reopen();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, PluginName, StepId};

    fn rows(rows: Vec<Row>) -> Vec<StoredRow> {
        rows.into_iter()
            .enumerate()
            .map(|(index, row)| StoredRow { sequence: index as i64 + 1, at: 0, row })
            .collect()
    }
    fn call() -> CallName {
        CallName::Apply(StepId::new("copy@first").unwrap())
    }
    fn intent(effect: Effect, class: EffectClass) -> Row {
        Row::Intent { plugin: PluginName::new("p").unwrap(), effect, class }
    }
    fn done(of: i64, answer: Result<Answer, Fault>) -> Row {
        Row::Outcome { of, answer, kept: Vec::new(), traces: Vec::new(), settled: None }
    }
    fn change() -> Effect {
        Effect::StateSet { name: "a".into(), value: "b".into() }
    }

    #[test]
    fn an_interrupted_call_is_answered_in_order_with_its_open_intent_last() {
        let replay = Replay::of(
            &call(),
            &rows(vec![
                Row::CallBegan { call: call() },
                intent(Effect::ClockNow, EffectClass::Observe),
                done(2, Ok(Answer::Milliseconds(7))),
                intent(change(), EffectClass::Change),
            ]),
        );
        assert_eq!(replay.len(), 2);
        assert_eq!(replay.0[0].outcome, Some(Ok(Answer::Milliseconds(7))));
        assert_eq!(replay.0[1].outcome, None);
    }

    #[test]
    fn a_finished_call_leaves_nothing_and_other_calls_are_not_mixed_in() {
        let other = CallName::Verify;
        let mut all = vec![
            Row::CallBegan { call: call() },
            intent(change(), EffectClass::Change),
            done(2, Ok(Answer::Done)),
            Row::CallEnded { call: call(), result: Ok(()) },
            Row::CallBegan { call: other.clone() },
            intent(Effect::ClusterHealth, EffectClass::Observe),
        ];
        assert!(Replay::of(&call(), &rows(all.clone())).is_empty());
        assert_eq!(Replay::of(&other, &rows(all.clone())).len(), 1);
        all.push(Row::Closed);
        assert_eq!(Replay::of(&other, &rows(all)).len(), 1);
    }

    #[test]
    fn after_a_failure_what_succeeded_is_kept_and_the_rest_acts_anew() {
        let failed = Outcome { succeeded: false, exit: 1, reason: "no".into(), output: Vec::new() };
        let replay = Replay::of(
            &call(),
            &rows(vec![
                Row::CallBegan { call: call() },
                intent(Effect::ClockNow, EffectClass::Observe),
                done(2, Ok(Answer::Milliseconds(7))),
                intent(change(), EffectClass::Change),
                done(4, Ok(Answer::Done)),
                intent(Effect::ClusterHealth, EffectClass::Observe),
                done(6, Ok(Answer::Health(Vec::new()))),
                intent(change(), EffectClass::Change),
                done(8, Ok(Answer::Outcome(failed))),
                Row::CallEnded { call: call(), result: Err(Fault::new("failed", "no")) },
            ]),
        );
        assert_eq!(replay.len(), 2, "the clock and the change that succeeded");
    }

    #[test]
    fn after_a_failure_a_command_that_was_not_believed_acts_anew() {
        let succeeded = Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() };
        let run = Effect::NodesRun {
            node: "master1".parse().unwrap(),
            command: "restart-ha".parse().unwrap(),
            arguments: Vec::new(),
        };
        let mut all = vec![
            Row::CallBegan { call: call() },
            intent(change(), EffectClass::Change),
            done(2, Ok(Answer::Done)),
            intent(run, EffectClass::Change),
            done(4, Ok(Answer::Outcome(succeeded))),
            intent(Effect::ClusterHealth, EffectClass::Observe),
            done(6, Ok(Answer::Health(Vec::new()))),
        ];
        let failed = Row::CallEnded { call: call(), result: Err(Fault::new("failed", "no")) };
        let doubted = Replay::of(&call(), &rows([all.clone(), vec![failed.clone()]].concat()));
        assert_eq!(doubted.len(), 1, "what was done before it");
        // Something was kept after it: it was believed.
        all.push(intent(change(), EffectClass::Keep));
        all.push(done(8, Ok(Answer::Done)));
        assert_eq!(Replay::of(&call(), &rows([all, vec![failed]].concat())).len(), 4);
    }

    #[test]
    fn a_second_interruption_goes_on_behind_the_first() {
        let replay = Replay::of(
            &call(),
            &rows(vec![
                Row::CallBegan { call: call() },
                intent(change(), EffectClass::Change),
                done(2, Ok(Answer::Done)),
                Row::Resumed { controller: String::new(), accepted: Vec::new() },
                Row::CallBegan { call: call() },
                intent(Effect::ClockNow, EffectClass::Observe),
            ]),
        );
        assert_eq!(replay.len(), 2);
    }
}
