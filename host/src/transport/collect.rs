//! What is kept of a stream: noise before the marker apart, and never more than a limit.

use super::OnOutput;
use super::wire::{self, MARKER};
use crate::fuse::{self, Place};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes kept of what a login shell printed before the script began; for messages.
const NOISE: usize = 4096;
/// Bytes read at once.
const CHUNK: usize = 32 * 1024;
/// Bytes kept of a script's stderr.
const STDERR: usize = 16 * 1024;

/// Takes a stream in, drops the noise, and keeps or passes on the rest up to a limit.
pub(super) struct Collector<'a> {
    noise: Vec<u8>,
    begun: bool,
    marker: Vec<u8>,
    /// Of a kept shell, whose stream goes on behind the script's end.
    end: Option<End>,
    kept: Vec<u8>,
    taken: usize,
    limit: usize,
    truncated: bool,
    pass: Option<OnOutput<'a>>,
}

/// Looks for the end of a script's output in a stream that goes on.
struct End {
    marker: Vec<u8>,
    /// What may be the beginning of the marker, or is the marker and not yet its line's end.
    held: Zeroizing<Vec<u8>>,
    found: bool,
    status: Option<i32>,
}

impl<'a> Collector<'a> {
    pub fn keeping(limit: usize) -> Self {
        Self {
            noise: Vec::new(),
            begun: false,
            marker: MARKER.to_vec(),
            end: None,
            kept: Vec::new(),
            taken: 0,
            limit,
            truncated: false,
            pass: None,
        }
    }

    pub fn passing(limit: usize, pass: OnOutput<'a>) -> Self {
        Self { pass: Some(pass), ..Self::keeping(limit) }
    }

    pub fn stderr() -> Self {
        Self::keeping(STDERR)
    }

    /// Takes in one script of a kept shell, from its begin to its end.
    pub fn expect(&mut self, token: &str) {
        self.marker = wire::begin(token);
        let held = Zeroizing::new(Vec::with_capacity(CHUNK + 256));
        self.end = Some(End { marker: wire::end(token), held, found: false, status: None });
    }

    /// Takes in the one script of a shell, to the end of the stream.
    pub fn expect_alone(&mut self) {
        self.marker = MARKER.to_vec();
        self.noise.clear();
        self.end = None;
    }

    /// The status behind the end of a kept shell's script, once it was seen.
    pub fn status(&self) -> Option<i32> {
        self.end.as_ref().and_then(|end| end.status)
    }

    /// Whether a shell's own script began, which came before any that it was to run.
    pub fn shell_began(&self) -> bool {
        self.begun || self.noise.windows(MARKER.len()).any(|window| window == MARKER)
    }

    /// Whether the marker was seen: the script has begun.
    pub fn begun(&self) -> bool {
        self.begun
    }

    pub fn take(&mut self) -> (Vec<u8>, bool) {
        (std::mem::take(&mut self.kept), self.truncated)
    }

    pub fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// The end of the noise as one line without control characters.
    pub fn noise_line(&self) -> String {
        one_line(&self.noise)
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.begun {
            return self.accept_until_end(bytes);
        }
        self.noise.extend_from_slice(bytes);
        match position(&self.noise, &self.marker) {
            Some(at) => {
                self.begun = true;
                let rest = Zeroizing::new(self.noise.split_off(at + self.marker.len()));
                self.noise.clear();
                self.accept_until_end(&rest);
            }
            None => {
                let excess = self.noise.len().saturating_sub(NOISE);
                self.noise.drain(..excess);
            }
        }
    }

    /// Accepts what comes before the end of the script, where it has one within the stream.
    fn accept_until_end(&mut self, bytes: &[u8]) {
        let Some(mut end) = self.end.take() else { return self.accept(bytes) };
        if end.status.is_none() {
            append_wiping(&mut end.held, bytes);
            if !end.found {
                let (ready, found) = match position(&end.held, &end.marker) {
                    Some(at) => (at, true),
                    None => (end.held.len().saturating_sub(end.marker.len() - 1), false),
                };
                self.accept(&end.held[..ready]);
                end.held.drain(..ready);
                end.found = found;
            }
            if end.found
                && let Some(words) = end.held.get(end.marker.len()..)
                && let Some(newline) = position(words, b"\n")
            {
                let words = &words[..newline];
                // Not a number: no shell of ours says that; its script did not end well.
                end.status = Some(String::from_utf8_lossy(words).trim().parse().unwrap_or(255));
            }
        }
        self.end = Some(end);
    }

    fn accept(&mut self, bytes: &[u8]) {
        let room = self.limit - self.taken;
        let accepted = &bytes[..bytes.len().min(room)];
        self.truncated |= accepted.len() < bytes.len();
        self.taken += accepted.len();
        if accepted.is_empty() {
            return;
        }
        match &mut self.pass {
            Some(pass) => pass(accepted),
            None => append_wiping(&mut self.kept, accepted),
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Appends without leaving a copy behind where the buffer must move: output may be a secret file's bytes.
fn append_wiping(kept: &mut Vec<u8>, bytes: &[u8]) {
    if kept.capacity() - kept.len() < bytes.len() {
        let mut larger = Vec::with_capacity((kept.len() + bytes.len()).max(kept.capacity() * 2));
        larger.extend_from_slice(kept);
        kept.zeroize();
        *kept = larger;
    }
    kept.extend_from_slice(bytes);
}

/// Returns text of a node as one line that is safe to print: at most 400 characters of its end.
pub(super) fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().rev().nth(399) {
        Some((at, _)) if at > 0 => format!("…{}", &line[at..]),
        _ => line,
    }
}

/// Writes what a script reads and takes in what it prints, until both its streams end.
///
/// Writing is given up when they do: a script may end without reading all, and that is no error.
pub(super) async fn exchange(
    stdin: impl AsyncWrite + Unpin,
    input: [&[u8]; 2],
    stdout: (impl AsyncRead + Unpin, &mut Collector<'_>),
    stderr: (impl AsyncRead + Unpin, &mut Collector<'_>),
) {
    let mut stdin = stdin;
    let writing = async move {
        for part in input {
            if stdin.write_all(part).await.is_err() {
                return;
            }
        }
        let _ = stdin.shutdown().await;
        fuse::pass(Place::Sent);
    };
    let reading = async {
        tokio::join!(drain(stdout.0, stdout.1), drain(stderr.0, stderr.1));
    };
    tokio::pin!(writing, reading);
    tokio::select! {
        () = &mut writing => reading.await,
        () = &mut reading => {}
    }
}

/// Takes in a stream until it ends, or until the script does whose end was expected.
pub(super) async fn drain(mut stream: impl AsyncRead + Unpin, into: &mut Collector<'_>) {
    let mut buffer = Zeroizing::new(vec![0; CHUNK]);
    while into.status().is_none()
        && let Ok(read @ 1..) = stream.read(&mut buffer).await
    {
        into.push(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_dropped_wherever_the_marker_is_cut() {
        let stream = b"motd\nwindlass-begi\nn\nwindlass-begin\nout\nwindlass-begin\nput";
        for cut in 0..stream.len() {
            let mut collector = Collector::keeping(100);
            collector.push(&stream[..cut]);
            collector.push(&stream[cut..]);
            assert!(collector.begun());
            assert_eq!(collector.take(), (b"out\nwindlass-begin\nput".to_vec(), false), "cut at {cut}");
        }
    }

    #[test]
    fn a_marker_after_a_megabyte_of_noise_is_found() {
        let mut collector = Collector::keeping(100);
        for _ in 0..64 {
            collector.push(&[b'x'; 16 * 1024]);
        }
        assert!(collector.noise.len() <= NOISE);
        collector.push(b"\nwindlass-begin\nok");
        assert_eq!(collector.take().0, b"ok");
    }

    #[test]
    fn a_script_of_a_kept_shell_ends_at_its_own_mark_wherever_the_stream_is_cut() {
        let stream = b"left over\nwindlass-begin t1\na\nwindlass-end t2 0\nb\nwindlass-end t1 41\nnext";
        for cut in 0..stream.len() {
            let mut collector = Collector::keeping(100);
            collector.expect("t1");
            collector.push(&stream[..cut]);
            if collector.status().is_none() {
                // What follows is another call's, so it is not handed on.
                collector.push(&stream[cut..stream.len() - 4]);
            }
            assert_eq!(collector.status(), Some(41), "cut at {cut}");
            assert_eq!(collector.take(), (b"a\nwindlass-end t2 0\nb".to_vec(), false), "cut at {cut}");
        }
    }

    #[test]
    fn output_past_the_limit_is_dropped_and_said() {
        let mut collector = Collector::keeping(4);
        collector.push(b"\nwindlass-begin\nabc");
        collector.push(b"def");
        assert_eq!(collector.take(), (b"abcd".to_vec(), true));
    }

    #[test]
    fn a_nodes_text_cannot_move_the_cursor() {
        assert_eq!(one_line(b"a\x1b[2Jb\r\n  c\n"), "a [2Jb c");
        assert_eq!(one_line("ä".repeat(500).as_bytes()).chars().count(), 401);
    }
}
