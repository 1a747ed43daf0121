//! `nodes`: members, named commands, clocks.

use super::super::bindings::nodes::{Argument, Host, Member, MemberOutcome, Outcome, QuarantinedNode, Value};
use super::super::call::Guest;
use super::{Imported, answer, each, key, name, text};
use crate::model::{self, Answer, Effect, Fault};

impl Host for Guest {
    async fn members(&mut self) -> Imported<Vec<Member>> {
        self.perform(
            || Ok(Effect::NodesMembers),
            answer!(Answer::Members(members) => members.into_iter().map(Into::into).collect()),
        )
        .await
    }

    async fn run(&mut self, node: String, command: String, arguments: Vec<Argument>) -> Imported<Outcome> {
        self.perform(
            || {
                Ok(Effect::NodesRun {
                    node: name(node)?,
                    command: name(command)?,
                    arguments: self::arguments(arguments)?,
                })
            },
            answer!(Answer::Outcome(outcome) => outcome.into()),
        )
        .await
    }

    async fn run_each(
        &mut self,
        nodes: Vec<String>,
        command: String,
        arguments: Vec<Argument>,
    ) -> Imported<Vec<MemberOutcome>> {
        self.perform(
            || {
                Ok(Effect::NodesRunEach {
                    nodes: nodes.into_iter().map(name).collect::<Result<_, _>>()?,
                    command: name(command)?,
                    arguments: self::arguments(arguments)?,
                })
            },
            |answer| {
                each(answer, |node, outcome| match outcome {
                    Ok(Answer::Outcome(outcome)) => Ok(MemberOutcome { node, outcome: Ok(outcome.into()) }),
                    Err(fault) => Ok(MemberOutcome { node, outcome: Err(fault.into()) }),
                    Ok(other) => Err(other),
                })
            },
        )
        .await
    }

    async fn quarantine(&mut self, node: String, reason: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::NodesQuarantine { node: name(node)?, reason: text(&reason) }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn release(&mut self, node: String) -> Imported<()> {
        self.perform(|| Ok(Effect::NodesRelease { node: name(node)? }), answer!(Answer::Done => ())).await
    }

    async fn quarantined(&mut self) -> Imported<Vec<QuarantinedNode>> {
        self.perform(
            || Ok(Effect::NodesQuarantined),
            answer!(Answer::Quarantined(nodes) => nodes
                .into_iter()
                .map(|model::Quarantine { node, reason }| QuarantinedNode { node: node.into(), reason })
                .collect()),
        )
        .await
    }

    async fn clock_offset(&mut self, node: String) -> Imported<i64> {
        self.perform(
            || Ok(Effect::NodesClockOffset { node: name(node)? }),
            answer!(Answer::Milliseconds(offset) => offset),
        )
        .await
    }
}

fn arguments(arguments: Vec<Argument>) -> Result<Vec<model::Argument>, Fault> {
    arguments
        .into_iter()
        .map(|argument| {
            Ok(model::Argument {
                name: key("argument", argument.name)?,
                value: match argument.value {
                    Value::Text(text) => model::Value::Text(text),
                    Value::Secret(secret) => model::Value::Secret(name(secret)?),
                },
            })
        })
        .collect()
}

impl From<model::Member> for Member {
    fn from(member: model::Member) -> Self {
        Self { name: member.name.into(), role: member.role, groups: member.groups }
    }
}

impl From<model::Outcome> for Outcome {
    fn from(outcome: model::Outcome) -> Self {
        Self {
            succeeded: outcome.succeeded,
            exit: outcome.exit,
            reason: outcome.reason,
            output: outcome.output,
        }
    }
}
