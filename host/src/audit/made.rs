//! All that a plugin makes in a rehearsal: what anybody could read who sees the run, its journal, its nodes or its log,
//! whether a transcript shows it or not. A secret is looked for in it; and it is what two worlds are compared by.
//!
//! A transcript is for people: it leaves out what is signed, blanks at the end of a line, how long a generated secret
//! is. A plugin that has something to tell would tell it there.

use super::stage::Played;
use crate::journal::{Row, StoredRow};
use crate::model::{Answer, code};
use crate::report::told;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// One thing that a plugin made.
pub(super) struct Made {
    pub call: Option<String>,
    /// The function of the contract that it is given to, or what the plugin does with it by itself.
    pub place: &'static str,
    /// In an operator's words.
    pub words: String,
    /// Every text and every number in it.
    pub parts: Vec<String>,
}

/// The same as a line, to be compared.
#[derive(Clone)]
pub(super) struct Line {
    pub words: String,
    pub full: String,
}

/// What stands in a journal's rows, behind so many that were looked at before.
pub(super) fn in_rows(rows: &[StoredRow], earlier: usize) -> Vec<Made> {
    let mut call = None;
    let one = |(at, stored): (usize, &StoredRow)| {
        if let Row::CallBegan { call: began } = &stored.row {
            call = Some(began.to_string());
        }
        if at < earlier {
            return None;
        }
        let (place, words, value) = of(&stored.row)?;
        Some(Made { call: call.clone(), place, words, parts: parts(&value) })
    };
    rows.iter().enumerate().filter_map(one).collect()
}

/// All of it that is behind so many rows: what stands in the journal, and what goes to the log.
pub(super) fn by(played: &Played, looked_at: usize) -> Vec<Made> {
    let printed = played.life.printed().into_iter().map(|(call, text)| Made {
        call: Some(call.to_string()),
        place: "what it prints",
        words: format!("= prints: {text}"),
        parts: vec![text],
    });
    in_rows(&played.rows, looked_at).into_iter().chain(printed).collect()
}

/// What stands in a journal and is no argument of a function.
const SAYS: &str = "what it says";

/// What a row has of the plugin: where it goes, in words, and all of it.
fn of(row: &Row) -> Option<(&'static str, String, Value)> {
    // What a journal keeps can be written as JSON.
    let value = |made: Result<Value, serde_json::Error>| made.unwrap_or_default();
    Some(match row {
        Row::Intent { effect, .. } => (effect.function(), told(effect), value(serde_json::to_value(effect))),
        Row::Denied { effect, .. } => {
            (effect.function(), format!("! {}", told(effect)), value(serde_json::to_value(effect)))
        }
        Row::CallBegan { call } => (SAYS, call.to_string(), value(serde_json::to_value(call))),
        Row::CallEnded { result: Ok(()), .. } => (SAYS, "= goes on".into(), Value::Null),
        Row::CallEnded { result: Err(fault), .. } => {
            let how = if fault.code == code::VETO { "vetoes" } else { "fails" };
            (SAYS, format!("= {how}: {}", fault.in_full()), value(serde_json::to_value(fault)))
        }
        Row::HookWarned { text, .. } => {
            (SAYS, format!("= warns: {text}"), value(serde_json::to_value(("warns", text))))
        }
        Row::Planned { steps } => {
            let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
            (SAYS, format!("= plans {}", ids.join(", ")), value(serde_json::to_value(steps)))
        }
        Row::Verified { checks } => {
            (SAYS, format!("= makes {} checks", checks.len()), value(serde_json::to_value(checks)))
        }
        _ => return None,
    })
}

/// The texts and numbers of a value, in its order; of bytes the text that they are, else how they are written too.
pub(super) fn parts(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![(false, value)];
    while let Some((is_bytes, value)) = left.pop() {
        match value {
            Value::Null => {}
            Value::Array(items) => left.extend(items.iter().rev().map(|item| (false, item))),
            Value::Object(fields) => {
                left.extend(fields.iter().rev().map(|(name, value)| (name == "bytes", value)));
            }
            Value::String(text) if is_bytes => {
                let bytes = STANDARD.decode(text).unwrap_or_default();
                let is_text = std::str::from_utf8(&bytes).is_ok();
                found.push(String::from_utf8_lossy(&bytes).into_owned());
                found.extend((!is_text).then(|| text.clone()));
            }
            Value::String(text) => found.push(text.clone()),
            other => found.push(other.to_string()),
        }
    }
    found
}

/// All that was made, as lines. What a host or a node made and the plugin passes on as it was given has the number of
/// that in its place: what is signed is another each time.
pub(super) fn lines(played: &Played) -> Vec<Line> {
    let given: Vec<&[u8]> = played
        .rows
        .iter()
        .filter_map(|stored| match &stored.row {
            Row::Outcome { answer: Ok(Answer::Bytes(bytes)), .. } => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    let texts: Vec<&str> = given.iter().map(|bytes| std::str::from_utf8(bytes).unwrap_or_default()).collect();
    let written: Vec<String> = given.iter().map(|bytes| STANDARD.encode(bytes)).collect();
    let one = |made: Made| {
        let part = |part: &String| match written.iter().position(|given| given == part) {
            Some(number) => format!("<given #{number}>"),
            None => passed_on(part, &texts),
        };
        let parts: Vec<String> = made.parts.iter().map(part).collect();
        let full = format!("{parts:?}");
        Line { words: played.life.shown(&made.words), full: played.life.shown_in_part(&full) }
    };
    by(played, played.earlier).into_iter().map(one).collect()
}

/// Writes in place of what is signed the number of the text that has it word for word.
fn passed_on(part: &str, given: &[&str]) -> String {
    const BEGINS: &str = "-----BEGIN ";
    const ENDS: &str = "-----END ";
    let mut out = String::new();
    let mut rest = part;
    while let Some(at) = rest.find(BEGINS) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end =
            rest.find(ENDS).and_then(|at| Some(at + ENDS.len() + rest[at + ENDS.len()..].find("-----")? + 5));
        let Some(end) = end else { break };
        let block = &rest[..end];
        let found = given.iter().enumerate().find_map(|(number, given)| Some((number, given.find(block)?)));
        match found {
            Some((number, at)) => {
                let before = given.get(number).map_or(0, |given| given[..at].matches(BEGINS).count());
                out.push_str(&format!("<given #{number}.{before}>"));
            }
            None => out.push_str(block),
        }
        rest = &rest[end..];
    }
    out + rest
}

impl Line {
    /// One that stands for itself.
    pub fn told(text: &str) -> Self {
        Self { words: text.into(), full: text.into() }
    }

    pub fn map(&self, with: impl Fn(&str) -> String) -> Self {
        Self { words: with(&self.words), full: with(&self.full) }
    }
}

/// Where two differ first, with what stands around that; none: they are the same.
pub(super) fn first_difference(one: &[Line], two: &[Line]) -> Option<Vec<String>> {
    let at = one.iter().zip(two).position(|(one, two)| one.full != two.full);
    let at = match at {
        Some(at) => at,
        None if one.len() == two.len() => return None,
        None => one.len().min(two.len()),
    };
    let mut lines: Vec<String> =
        one[at.saturating_sub(2)..at].iter().map(|line| format!("  {}", line.words)).collect();
    // What has the same words is shown in full.
    let alike = one.get(at).map(|line| &line.words) == two.get(at).map(|line| &line.words);
    for (sign, all) in [("-", one), ("+", two)] {
        let shown = all[at..].iter().take(3).enumerate().map(|(number, line)| match alike && number == 0 {
            true => format!("{sign} {}: {}", line.words, line.full),
            false => format!("{sign} {}", line.words),
        });
        lines.extend(shown);
    }
    Some(lines)
}
