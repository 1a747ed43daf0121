//! A transcript: what a plugin did in a rehearsal and what it was answered, in an operator's words.
//!
//! Nothing in it differs between two rehearsals of one plugin on one scenario, on whichever machine: no size of a
//! signed thing, no time but the simulated one, and names for values (the caller's) in place of hashes.

use super::harmless;
use crate::journal::{CallName, Row, StoredRow};
use crate::model::{
    Answer, Certificate, Check, Content, Effect, EffectClass, Entry, Fault, Health, KeySet, Outcome,
    PlannedStep, code,
};
use std::collections::HashMap;

/// Stands before a change, so that it catches the eye.
const CHANGE: &str = "* ";
const LOOK: &str = "  ";

/// Returns the lines of a rehearsal's journal, without newlines.
pub fn transcript(rows: &[StoredRow]) -> Vec<String> {
    let outcomes: HashMap<i64, &Result<Answer, Fault>> = rows
        .iter()
        .filter_map(|stored| match &stored.row {
            Row::Outcome { of, answer, .. } => Some((*of, answer)),
            _ => None,
        })
        .collect();
    let mut lines = Lines(Vec::new());
    for stored in rows {
        match &stored.row {
            Row::RolesBound { first, second, how } => {
                let how = how.as_ref().map(|how| format!(": {how}")).unwrap_or_default();
                lines.add(0, format!("roles: first is {first}, second is {second}{how}"));
            }
            Row::CallBegan { call } => lines.call(call),
            Row::Intent { effect, class, .. } => {
                let mark = if *class == EffectClass::Change { CHANGE } else { LOOK };
                match effect.each() {
                    None => lines.effect(mark, effect, outcomes.get(&stored.sequence).copied()),
                    Some(_) => {
                        lines.add(1, format!("{mark}{effect}"));
                        written(effect).into_iter().for_each(|line| lines.add(3, line));
                        for child in rows {
                            if let Row::Child { of, node } = &child.row
                                && *of == stored.sequence
                            {
                                let answer = outcomes.get(&child.sequence).copied();
                                let said = answer.map(|answer| said(effect, answer)).unwrap_or_default();
                                lines.answered(2, format!("{LOOK}{node}"), said);
                            }
                        }
                    }
                }
            }
            Row::Denied { effect, fault, .. } => {
                lines.add(1, format!("! {effect}: {}", in_full(fault)));
            }
            Row::HookWarned { text, .. } => lines.add(1, format!("= warns: {text}")),
            Row::CallEnded { call, result } => lines.ended(call, result),
            Row::Planned { steps } => lines.steps(steps),
            Row::Verified { checks } => lines.checks(checks),
            Row::Stands { summary, reason, .. } => {
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                lines.add(0, format!("ended{reason}: {summary}"));
            }
            _ => {}
        }
    }
    lines.0
}

struct Lines(Vec<String>);

impl Lines {
    /// One line, whatever is in the text.
    fn add(&mut self, depth: usize, text: impl AsRef<str>) {
        let text = harmless(text.as_ref());
        self.0.push(format!("{}{}", "  ".repeat(depth), text.trim_end()));
    }

    fn call(&mut self, call: &CallName) {
        self.add(
            0,
            match call {
                CallName::Apply(step) => format!("step {step}"),
                call => call.to_string(),
            },
        );
    }

    fn effect(&mut self, mark: &str, effect: &Effect, answer: Option<&Result<Answer, Fault>>) {
        let told = format!("{mark}{}", told(effect));
        let said = answer.map(|answer| said(effect, answer)).unwrap_or_default();
        self.answered(1, told, said);
        written(effect).into_iter().for_each(|line| self.add(3, line));
    }

    /// The first line of what was said stands behind, the others below.
    fn answered(&mut self, depth: usize, told: String, said: Vec<String>) {
        let mut said = said.into_iter();
        match said.next() {
            Some(first) if !first.is_empty() => self.add(depth, format!("{told}: {first}")),
            _ => self.add(depth, told),
        }
        said.for_each(|line| self.add(depth + 2, line));
    }

    fn ended(&mut self, call: &CallName, result: &Result<(), Fault>) {
        match (call, result) {
            (CallName::Hook { .. }, Ok(())) => self.add(1, "= goes on"),
            (_, Ok(())) => {}
            (_, Err(fault)) if fault.code == code::VETO => {
                self.add(1, format!("= vetoes: {}", fault.message))
            }
            (_, Err(fault)) => self.add(1, format!("= fails: {}", in_full(fault))),
        }
    }

    fn steps(&mut self, steps: &[PlannedStep]) {
        for step in steps {
            let nodes: Vec<_> = step.nodes.iter().map(|node| node.as_str()).collect();
            let on = if nodes.is_empty() { String::new() } else { format!(" on {}", nodes.join(", ")) };
            self.add(1, format!("= plans {}: {}{on}", step.id, step.title));
        }
        if steps.is_empty() {
            self.add(1, "= plans nothing: there is nothing to do");
        }
    }

    fn checks(&mut self, checks: &[Check]) {
        for Check { title, passed, evidence } in checks {
            self.add(1, format!("= {}: {title}", if *passed { "passed" } else { "FAILED" }));
            for Entry { name, value } in evidence {
                self.add(3, format!("{name}: {value}"));
            }
        }
    }
}

/// An effect with the text that it carries.
pub fn told(effect: &Effect) -> String {
    match effect {
        Effect::OperatorNote { text } => format!("{effect}: {}", text.replace('\n', " / ")),
        Effect::OperatorProgress { text, .. } => format!("{effect}: {text}"),
        Effect::OperatorConfirm { question, impact } | Effect::OperatorAcknowledge { question, impact } => {
            format!("{effect}: {question} ({impact})")
        }
        Effect::StateSet { value, .. } => format!("{effect}: {value}"),
        Effect::CryptoSelfSign { days, .. } | Effect::CryptoIssue { days, .. } => {
            format!("{effect} for {days} days")
        }
        effect => effect.to_string(),
    }
}

fn in_full(fault: &Fault) -> String {
    format!("{}: {}", fault.code, fault.in_full())
}

/// What a plugin writes of its own, where that is text. It has no secret that could be in it.
fn written(effect: &Effect) -> Vec<String> {
    let (Effect::FilesPut { content, .. }
    | Effect::FilesPutEach { content, .. }
    | Effect::FilesStage { content, .. }) = effect
    else {
        return Vec::new();
    };
    let text = match content {
        Content::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let mut within = false;
    let mut lines = Vec::new();
    // What is signed differs each time; that it is there does not.
    for line in text.into_iter().flat_map(str::lines) {
        let ends = line.starts_with("-----END ");
        if line.starts_with("-----BEGIN ") {
            within = true;
            lines.push(format!("| {line} …"));
        } else if !within {
            lines.push(format!("| {line}"));
        }
        within &= !ends;
    }
    lines
}

/// What an effect was answered; nothing where there is nothing to say.
fn said(effect: &Effect, answer: &Result<Answer, Fault>) -> Vec<String> {
    let one = |text: String| vec![text];
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return one(in_full(fault)),
    };
    match answer {
        Answer::Done | Answer::Each(_) => Vec::new(),
        Answer::Members(members) => {
            let member = |member: &crate::model::Member| match member.role.as_str() {
                "" => member.name.to_string(),
                role => format!("{} ({role})", member.name),
            };
            one(members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Answer::Outcome(outcome) => ended(outcome),
        Answer::Milliseconds(number) => match effect {
            Effect::ClockNow => one(moment(number.div_euclid(1_000))),
            _ => one(format!("{number:+} ms")),
        },
        Answer::Stat(None) | Answer::Text(None) | Answer::KeySet(None) => one("none".into()),
        // Not its size: what is signed may be a byte longer the next time.
        Answer::Stat(Some(stat)) => {
            one(format!("{} {}:{}, of {}", stat.mode, stat.owner, stat.group, moment(stat.modified)))
        }
        Answer::Text(Some(text)) => one(text.clone()),
        Answer::Bytes(_) => one("its bytes".into()),
        Answer::Number(number) => one(number.to_string()),
        Answer::Health(rows) => {
            let row = |row: &Health| {
                format!("{} says {} is {} and {}", row.reporter, row.node, row.role, row.state)
            };
            one(String::new()).into_iter().chain(rows.iter().map(row)).collect()
        }
        Answer::Certificate(says) => one(certificate(says)),
        Answer::KeySet(Some(set)) => one(key_set(set)),
        Answer::Quarantined(found) => {
            one(found.iter().map(|q| format!("{} ({})", q.node, q.reason)).collect::<Vec<_>>().join(", "))
        }
        Answer::Words(words) if words.is_empty() => one("nothing".into()),
        Answer::Words(words) => one(words.join("; ")),
        Answer::Yes(yes) => one(if *yes { "yes" } else { "no" }.into()),
    }
}

fn ended(outcome: &Outcome) -> Vec<String> {
    let first = match outcome.succeeded {
        true => format!("succeeded, exit {}", outcome.exit),
        false => format!("FAILED, exit {}: {}", outcome.exit, outcome.reason),
    };
    std::iter::once(first).chain(outcome.output.iter().map(|line| format!("| {line}"))).collect()
}

fn certificate(says: &Certificate) -> String {
    let by = if says.subject == says.issuer { "itself" } else { says.issuer.as_str() };
    format!("{} by {by}, until {}, {}", says.subject, moment(says.not_after), says.fingerprint)
}

fn key_set(set: &KeySet) -> String {
    let version = |version: &crate::model::KeyVersion| {
        let remark = match (version.primary, version.enabled) {
            (true, _) => " (primary)",
            (false, true) => "",
            (false, false) => " (not enabled)",
        };
        format!("{}{remark}", version.number)
    };
    let versions: Vec<_> = set.versions.iter().map(version).collect();
    format!("versions {}, {}", versions.join(", "), set.fingerprint)
}

fn moment(seconds: i64) -> String {
    super::moment(seconds.saturating_mul(1_000))
}
