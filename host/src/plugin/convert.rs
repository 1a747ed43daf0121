//! What a guest answers, checked: names that parse, counts and lengths within limits, text safe to print.
//!
//! An answer that breaks a limit is refused whole rather than cut, because a step list with its end
//! missing would be run as if it were complete. Only control characters are replaced.

use super::bindings::{events, hook_api, procedure_api, types};
use super::inspect::{plain, shown};
use super::{Description, HookAnswer, HookDescription, HookEvent, Parameter};
use crate::model::{Check, Entry, Fault, NodeName, PlannedStep, StepId, code};
use std::collections::HashSet;

const STEPS: usize = 200;
const NODES: usize = 10_000;
const GUARDS: usize = 16;
const PARAMETERS: usize = 100;
const CHOICES: usize = 100;
const CHECKS: usize = 1_000;
const EVIDENCE: usize = 100;
/// Characters of a title, a name, a summary.
const LINE: usize = 500;
/// Characters of an impact, a message, a reason.
const TEXT: usize = 4_096;

/// An answer, or in one sentence what is wrong with it.
type Checked<T> = Result<T, String>;

pub(super) fn description(answer: procedure_api::Description) -> Checked<Description> {
    at_most("parameters", answer.parameters.len(), PARAMETERS)?;
    Ok(Description {
        title: line("title", &answer.title)?,
        impact: text("impact", &answer.impact)?,
        parameters: answer.parameters.into_iter().map(parameter).collect::<Checked<_>>()?,
    })
}

fn parameter(answer: procedure_api::Parameter) -> Checked<Parameter> {
    if !plain(&answer.name, 100) {
        return Err(format!("a parameter has the name {:?}", shown(&answer.name, 60)));
    }
    at_most("choices of a parameter", answer.choices.len(), CHOICES)?;
    Ok(Parameter {
        name: answer.name,
        summary: line("summary", &answer.summary)?,
        default: answer.default.map(|value| line("default", &value)).transpose()?,
        choices: answer.choices.iter().map(|value| line("choice", value)).collect::<Checked<_>>()?,
    })
}

pub(super) fn steps(answer: Vec<procedure_api::Step>) -> Checked<Vec<PlannedStep>> {
    at_most("steps", answer.len(), STEPS)?;
    let mut seen = HashSet::new();
    answer
        .into_iter()
        .map(|answer| {
            let step = step(answer)?;
            if seen.insert(step.id.clone()) {
                Ok(step)
            } else {
                Err(format!("the step {} is there twice", step.id))
            }
        })
        .collect()
}

fn step(answer: procedure_api::Step) -> Checked<PlannedStep> {
    at_most("nodes of a step", answer.nodes.len(), NODES)?;
    at_most("guards of a step", answer.guards.len(), GUARDS)?;
    Ok(PlannedStep {
        id: StepId::new(answer.id).map_err(|error| error.to_string())?,
        title: line("title", &answer.title)?,
        nodes: answer
            .nodes
            .into_iter()
            .map(|node| NodeName::new(node).map_err(|error| error.to_string()))
            .collect::<Checked<_>>()?,
        impact: text("impact", &answer.impact)?,
        guards: answer.guards.iter().map(|guard| line("guard", guard)).collect::<Checked<_>>()?,
        undoable: answer.undoable,
    })
}

pub(super) fn checks(answer: Vec<procedure_api::Check>) -> Checked<Vec<Check>> {
    at_most("checks", answer.len(), CHECKS)?;
    answer
        .into_iter()
        .map(|check| {
            at_most("pieces of evidence", check.evidence.len(), EVIDENCE)?;
            Ok(Check {
                title: line("title", &check.title)?,
                passed: check.passed,
                evidence: check.evidence.iter().map(entry).collect::<Checked<_>>()?,
            })
        })
        .collect()
}

fn entry(answer: &types::Entry) -> Checked<Entry> {
    Ok(Entry { name: line("name of evidence", &answer.name)?, value: text("evidence", &answer.value)? })
}

pub(super) fn fault(answer: types::Fault) -> Checked<Fault> {
    let well_formed = !answer.code.is_empty()
        && answer.code.len() <= 64
        && answer.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    Ok(Fault {
        // The set is open, so what is not even a code is read as the one for everything else.
        code: if well_formed { answer.code } else { code::FAILED.into() },
        message: text("message of a fault", &answer.message)?,
        hint: text("hint of a fault", &answer.hint)?,
    })
}

pub(super) fn hook_description(answer: hook_api::Description) -> Checked<HookDescription> {
    Ok(HookDescription { title: line("title", &answer.title)? })
}

pub(super) fn hook_answer(answer: events::Answer) -> Checked<HookAnswer> {
    Ok(match answer {
        events::Answer::GoOn => HookAnswer::GoOn,
        events::Answer::Veto(reason) => HookAnswer::Veto(text("reason of a veto", &reason)?),
        events::Answer::Warn(warning) => HookAnswer::Warn(text("warning", &warning)?),
    })
}

pub(super) fn event(event: &HookEvent) -> events::Event {
    let entries = |entries: &[Entry]| {
        entries
            .iter()
            .map(|entry| types::Entry { name: entry.name.clone(), value: entry.value.clone() })
            .collect()
    };
    events::Event {
        code: event.code.clone(),
        details: entries(&event.details),
        parameters: entries(&event.parameters),
    }
}

fn at_most(what: &str, count: usize, most: usize) -> Checked<()> {
    if count <= most { Ok(()) } else { Err(format!("{count} {what}, and at most {most} are taken")) }
}

fn line(what: &str, value: &str) -> Checked<String> {
    at_most(&format!("characters in a {what}"), value.chars().count(), LINE)?;
    Ok(shown(value, LINE))
}

fn text(what: &str, value: &str) -> Checked<String> {
    at_most(&format!("characters in a {what}"), value.chars().count(), TEXT)?;
    Ok(shown(value, TEXT))
}
