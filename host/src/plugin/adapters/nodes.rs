//! `nodes`: members, named commands, clocks.

use super::super::bindings::nodes::{Argument, Host, Member, MemberOutcome, Outcome, Value};
use super::super::bindings::types::Fault as WitFault;
use super::super::call::Guest;
use super::{Imported, answer, key, name};
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
            answer!(Answer::Outcomes(outcomes) => outcomes.into_iter().map(Into::into).collect()),
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

impl From<model::MemberOutcome> for MemberOutcome {
    fn from(member: model::MemberOutcome) -> Self {
        Self { node: member.node.into(), outcome: member.outcome.map(Into::into).map_err(WitFault::from) }
    }
}
