//! What came back: was it the declared success, and what of it may a guest see. Pure.

use super::resolve::{Encoding, ResolvedCommand, encode};
use crate::model::Outcome;
use crate::site::{Parser, Success};
use zeroize::Zeroizing;

/// Output kept of a command, bytes.
pub const OUTPUT_LIMIT: usize = 256 * 1024;
/// Lines a guest is given at most.
const MOST_LINES: usize = 1000;
/// Characters of a line at most.
pub(super) const LONGEST_LINE: usize = 4096;
/// Stands for a secret that the command printed.
const MASK: &[u8] = b"<secret>";

/// How a command ended.
pub struct Ended {
    /// As the shell gives it: 128 and the number where a signal ended it.
    pub exit: i32,
    /// Standard output and error together.
    pub output: Zeroizing<Vec<u8>>,
    /// More was printed than was kept.
    pub truncated: bool,
    /// Prompts that were seen and answered, in their order.
    pub answered: usize,
    pub timed_out: bool,
}

/// Returns what a guest is told of a command that ran. The reason holds declared words only, never what
/// the command printed.
pub fn outcome(command: &ResolvedCommand, ended: &Ended) -> Outcome {
    let masked = mask(&ended.output, &command.secrets);
    let expects = command.prompts.iter().map(|prompt| prompt.expect.as_str());
    let unmet = unmet(command, &command.success, expects, ended);
    let (output, unreadable) = match parse(command.output, &masked, ended.truncated) {
        Ok(lines) => (lines, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    // What went wrong first is what helps.
    let reason = unmet.or(unreadable).unwrap_or_default();
    let exit = if signal(ended.exit).is_some() { -1 } else { ended.exit };
    Outcome { succeeded: reason.is_empty(), exit, reason, output }
}

/// The first condition of success that was not met.
fn unmet<'a>(
    command: &ResolvedCommand,
    success: &Success,
    mut expects: impl Iterator<Item = &'a str>,
    ended: &Ended,
) -> Option<String> {
    if ended.timed_out {
        let late = format!("it did not finish within {:?} and was ended", command.timeout);
        // A command that waits for an answer nobody knew it wanted: the likeliest reason, where it is one.
        return Some(match expects.nth(ended.answered) {
            Some(prompt) => format!("{late}; the prompt {:?} never came", printable(prompt)),
            None => late,
        });
    }
    if let Some(prompt) = expects.nth(ended.answered) {
        let prompt = printable(prompt);
        return Some(format!("it ended without the prompt {prompt:?}, so it was not given the answer"));
    }
    let exits: &[i32] = if success.exit.is_empty() { &[0] } else { &success.exit };
    if !exits.contains(&ended.exit) {
        let exits: Vec<String> = exits.iter().map(i32::to_string).collect();
        let ended = match signal(ended.exit) {
            Some(signal) => format!("it was ended by signal {signal}"),
            None => format!("it ended with status {}", ended.exit),
        };
        return Some(format!("{ended}, and success is {}", exits.join(" or ")));
    }
    let mut rest: &[u8] = &ended.output;
    for expected in &success.contains {
        match find(rest, expected.as_bytes()) {
            Some(at) => rest = &rest[at + expected.len()..],
            None => {
                let cut = if ended.truncated { " in the part of its output that was kept" } else { "" };
                return Some(format!("it did not print {:?}{cut}", printable(expected)));
            }
        }
    }
    None
}

/// A shell's way to say that a signal ended it.
fn signal(exit: i32) -> Option<i32> {
    (129..=192).contains(&exit).then(|| exit - 128)
}

/// What the declared parser gives of an output, or why it cannot.
fn parse(parser: Parser, output: &[u8], truncated: bool) -> Result<Vec<String>, String> {
    match parser {
        Parser::None => Ok(Vec::new()),
        Parser::Lines | Parser::OmsStatus => Ok(lines(output)),
        Parser::Json if truncated => Err("it printed more than is kept, so its JSON is not whole".into()),
        Parser::Json => json(output).map(|text| vec![text]),
    }
}

fn lines(output: &[u8]) -> Vec<String> {
    let mut lines: Vec<&[u8]> = output.split(|byte| *byte == b'\n').take(MOST_LINES + 1).collect();
    // What follows the last newline is a line only if there is something.
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.truncate(MOST_LINES);
    let line = |bytes: &[u8]| {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        String::from_utf8_lossy(bytes).chars().map(shown).take(LONGEST_LINE).collect()
    };
    lines.into_iter().map(line).collect()
}

fn json(output: &[u8]) -> Result<String, String> {
    let value: serde_json::Value =
        serde_json::from_slice(output).map_err(|error| match error.classify() {
            // Position only: the message could quote the output.
            serde_json::error::Category::Eof => "its JSON ends early".to_owned(),
            _ => format!("its output is not JSON (line {}, column {})", error.line(), error.column()),
        })?;
    // Outside of strings JSON has none of these characters, so escaping them keeps it valid.
    let mut text = String::new();
    for c in value.to_string().chars() {
        match is_unprintable(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    Ok(text)
}

/// Replaces every appearance of a secret. Terminals echo, and scripts print what they were told.
fn mask(output: &[u8], secrets: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    // As it is and as JSON writes it; the longest first, for one may hold another.
    let encodings = [Encoding::Json, Encoding::Plain];
    let mut secrets: Vec<_> = secrets
        .iter()
        .flat_map(|secret| encodings.map(|encoding| encode(secret, encoding)))
        .filter(|secret| !secret.is_empty())
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut masked = Zeroizing::new(output.to_vec());
    for secret in &secrets {
        let mut next = Zeroizing::new(Vec::with_capacity(masked.len()));
        let mut rest: &[u8] = &masked;
        while let Some(at) = find(rest, secret) {
            next.extend_from_slice(&rest[..at]);
            next.extend_from_slice(MASK);
            rest = &rest[at + secret.len()..];
        }
        next.extend_from_slice(rest);
        masked = next;
    }
    masked
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns text as it may be shown on a terminal: nothing in it moves the cursor, hides or reorders.
pub fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_unprintable(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Says whether a character must not reach a terminal or a guest as it is: controls, and what hides or
/// reorders text. All of them lie in the basic plane.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
