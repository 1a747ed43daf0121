//! What a runner is sent, and what a follower prints: lines, and what they could not hold in base64.

use super::{JobSpec, OUTPUT_KEPT};
use crate::fuse::{self, Place};
use crate::transport::OnOutput;
use crate::transport::collect::one_line;
use crate::transport::word::{push_word, room_for};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::{Zeroize as _, Zeroizing};

/// Longest reply, bytes: a terminal takes no longer line.
const LONGEST_REPLY: usize = 4000;
/// All arguments and variables of a command on a terminal, bytes: they wait in a pipe, which holds 64 KiB.
const LONGEST_ON_TERMINAL: usize = 32 * 1024;
/// All arguments and variables of any command, bytes.
const LONGEST: usize = 96 * 1024;
/// Longest line of a follower: a piece of 48 KiB in base64 and its letter.
const LONGEST_LINE: usize = 80 * 1024;

/// Says what of a spec cannot be run. Never with a value in it.
pub(super) fn check(spec: &JobSpec) -> Result<(), String> {
    check_id(&spec.id)?;
    let program = spec.argv.first().ok_or("it has no program")?;
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        return Err("its program's name is empty, starts with '-' or has a '='".into());
    }
    if spec.argv.iter().any(|word| word.contains('\0')) {
        return Err("an argument has a NUL character".into());
    }
    for (name, value) in &spec.env {
        if !crate::transport::is_variable(name) || value.contains('\0') {
            return Err(format!("the variable {name:?} has a name or a value that variables cannot have"));
        }
    }
    if spec.cwd.as_ref().is_some_and(|cwd| cwd.is_empty() || cwd.contains('\0')) {
        return Err("its working folder is empty or has a NUL character".into());
    }
    for (at, (expect, reply)) in spec.prompts.iter().enumerate() {
        if expect.is_empty() || expect.len() > 1024 || expect.contains('\0') {
            return Err(format!("the text of prompt {} is empty, too long or has a NUL character", at + 1));
        }
        if reply.len() > LONGEST_REPLY || reply.iter().any(|byte| matches!(byte, 0 | b'\n')) {
            return Err(format!(
                "the reply to prompt {} is longer than {LONGEST_REPLY} bytes, or has a newline or a NUL character",
                at + 1
            ));
        }
    }
    let length = spec.argv.iter().map(|word| word.len()).sum::<usize>()
        + spec.env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if length > if spec.terminal { LONGEST_ON_TERMINAL } else { LONGEST } {
        return Err(format!("its arguments and variables are too long ({length} bytes)"));
    }
    if spec.timeout.as_secs() == 0 {
        return Err("its time-out is under a second".into());
    }
    Ok(())
}

/// An id becomes the name of a folder.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=100).contains(&id.len()) && id.chars().all(fits) {
        Ok(())
    } else {
        Err("its id is not 1 to 100 of a-z, 0-9 and '-'".into())
    }
}

/// Returns the input of the starting script: its own lines, then the runner's.
pub(super) fn start(spec: &JobSpec, offset: u64) -> Zeroizing<Vec<u8>> {
    let mut lines = Lines::sized_for(spec);
    lines.text(&spec.run);
    lines.text(&spec.id);
    match spec.token {
        Some(token) => lines.text(token),
        None => lines.text("-"),
    }
    lines.text(offset);
    lines.text(spec.timeout.as_secs());
    lines.text(u8::from(spec.terminal));
    match &spec.cwd {
        Some(cwd) => lines.value(cwd.as_bytes()),
        None => lines.text("="),
    }
    lines.text(spec.env.len());
    for (name, value) in &spec.env {
        lines.value(format!("{name}={value}").as_bytes());
    }
    lines.text(spec.prompts.len());
    for (expect, reply) in &spec.prompts {
        lines.value(expect.as_bytes());
        lines.value(reply);
    }
    lines.text(spec.argv.len());
    for word in &spec.argv {
        lines.value(word.as_bytes());
    }
    lines.text("end");
    lines.0
}

/// A buffer large enough from the start: one that grows leaves copies of secrets behind.
struct Lines(Zeroizing<Vec<u8>>);

impl Lines {
    fn sized_for(spec: &JobSpec) -> Self {
        let values = spec.argv.iter().map(|word| word.len());
        let values = values.chain(spec.env.iter().map(|(name, value)| name.len() + value.len() + 1));
        let values =
            values.chain(spec.prompts.iter().flat_map(|(expect, reply)| [expect.len(), reply.len()]));
        let values = values.chain([spec.cwd.as_ref().map_or(0, String::len)]);
        // The lines of plain text are ten, none longer than a name.
        Self(Zeroizing::new(Vec::with_capacity(values.map(room_for).sum::<usize>() + 2048)))
    }

    fn text(&mut self, text: impl std::fmt::Display) {
        self.0.extend_from_slice(text.to_string().as_bytes());
        self.0.push(b'\n');
    }

    fn value(&mut self, value: &[u8]) {
        push_word(&mut self.0, value);
    }
}

/// The last thing a follower says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Never,
    Running {
        pid: u32,
        since: i64,
    },
    /// The line of the status file.
    Ended(String),
    Vanished,
}

/// Takes in what followers print, over one connection after another.
#[derive(Debug)]
pub(super) struct Frames {
    line: Vec<u8>,
    last: Option<Result<Frame, String>>,
    offset: u64,
    output: Vec<u8>,
    truncated: bool,
}

impl Frames {
    pub fn new(offset: u64) -> Self {
        Self { line: Vec::new(), last: None, offset, output: Vec::new(), truncated: offset > 0 }
    }

    /// A new follower speaks, from `offset` on.
    pub fn begin(&mut self) {
        self.line.clear();
        self.last = None;
    }

    /// Bytes of the command's output seen.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn last(&mut self) -> Option<Result<Frame, String>> {
        self.last.take()
    }

    pub fn into_output(mut self) -> (Vec<u8>, bool) {
        self.shorten(OUTPUT_KEPT);
        (std::mem::take(&mut self.output), self.truncated)
    }

    pub fn push(&mut self, mut bytes: &[u8], on_output: OnOutput<'_>) {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at + 1..];
            let mut line = std::mem::take(&mut self.line);
            if let Err(why) = self.take_line(&line, on_output) {
                self.last = Some(Err(why));
            }
            line.zeroize();
        }
        if self.line.len() + bytes.len() <= LONGEST_LINE {
            self.line.extend_from_slice(bytes);
        } else {
            self.last = Some(Err("a line without an end".into()));
        }
    }

    fn take_line(&mut self, line: &[u8], on_output: OnOutput<'_>) -> Result<(), String> {
        let strange = || format!("the line {:?}", one_line(line));
        let (kind, rest) = match line {
            [kind, b' ', rest @ ..] => (*kind, rest),
            [kind] => (*kind, [].as_slice()),
            _ => return Err(strange()),
        };
        let text = || std::str::from_utf8(rest).map_err(|_| strange());
        self.last = Some(Ok(match kind {
            b'k' => {
                fuse::pass(Place::Running);
                return Ok(());
            }
            b't' => {
                self.offset = 0;
                self.truncated = true;
                return Ok(());
            }
            b'o' => {
                let piece = Zeroizing::new(BASE64.decode(rest).map_err(|_| strange())?);
                self.offset += piece.len() as u64;
                self.output.extend_from_slice(&piece);
                // Seldom, so that each byte moves about once.
                if self.output.len() > 2 * OUTPUT_KEPT {
                    self.shorten(OUTPUT_KEPT);
                }
                on_output(&piece);
                return Ok(());
            }
            b'n' => Frame::Never,
            b'v' => Frame::Vanished,
            b'e' => Frame::Ended(text()?.to_owned()),
            b'r' => {
                let (pid, since) = text()?.split_once(' ').ok_or_else(strange)?;
                Frame::Running {
                    pid: pid.parse().map_err(|_| strange())?,
                    since: since.parse().map_err(|_| strange())?,
                }
            }
            _ => return Err(strange()),
        }));
        Ok(())
    }

    fn shorten(&mut self, length: usize) {
        let excess = self.output.len().saturating_sub(length);
        self.truncated |= excess > 0;
        self.output.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_they_arrive() {
        let stream = b"o aGVs\nk\no bG8=\ne exit 0 0 0\n";
        for cut in 0..=stream.len() {
            let mut frames = Frames::new(0);
            let mut seen = Vec::new();
            let mut see = |bytes: &[u8]| seen.extend_from_slice(bytes);
            frames.push(&stream[..cut], &mut see);
            frames.push(&stream[cut..], &mut see);
            assert_eq!(frames.last(), Some(Ok(Frame::Ended("exit 0 0 0".into()))));
            assert_eq!((frames.offset(), seen.as_slice()), (5, b"hello".as_slice()));
            assert_eq!(frames.into_output(), (b"hello".to_vec(), false));
        }
    }

    #[test]
    fn strange_lines_are_errors_and_never_a_panic() {
        for line in ["", "x", "oo", "o %", "r", "r 1", "r a b", "e \u{fffd}\u{1b}", "r 99999999999 1", "?"] {
            let mut frames = Frames::new(0);
            let mut bytes = line.as_bytes().to_vec();
            if line.starts_with('e') {
                bytes.push(0xff);
            }
            bytes.push(b'\n');
            frames.push(&bytes, &mut |_| {});
            assert!(matches!(frames.last(), Some(Err(_))), "{line:?}");
        }
        let mut frames = Frames::new(0);
        for _ in 0..100 {
            frames.push(&[b'o'; 4096], &mut |_| {});
        }
        assert!(matches!(frames.last(), Some(Err(_))));
        assert!(frames.line.len() <= LONGEST_LINE);
    }

    #[test]
    fn the_last_of_a_long_output_is_kept() {
        let mut frames = Frames::new(0);
        for piece in 0..100u8 {
            let line = format!("o {}\n", BASE64.encode(vec![piece; 48 * 1024]));
            frames.push(line.as_bytes(), &mut |_| {});
        }
        let (output, truncated) = frames.into_output();
        assert!(truncated);
        assert_eq!((output.len(), output.last()), (OUTPUT_KEPT, Some(&99)));
    }
}
