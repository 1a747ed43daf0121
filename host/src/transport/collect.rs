//! What is kept of a stream: noise before the marker apart, and never more than a limit.

use super::OnOutput;
use super::wire::MARKER;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes kept of what a login shell printed before the script began; for messages.
const NOISE: usize = 4096;
/// Bytes kept of a script's stderr.
const STDERR: usize = 16 * 1024;

/// Takes a stream in, drops the noise, and keeps or passes on the rest up to a limit.
pub(super) struct Collector<'a> {
    noise: Vec<u8>,
    begun: bool,
    kept: Vec<u8>,
    taken: usize,
    limit: usize,
    truncated: bool,
    pass: Option<OnOutput<'a>>,
}

impl<'a> Collector<'a> {
    pub fn keeping(limit: usize) -> Self {
        Self {
            noise: Vec::new(),
            begun: false,
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
            return self.accept(bytes);
        }
        self.noise.extend_from_slice(bytes);
        match self.noise.windows(MARKER.len()).position(|window| window == MARKER) {
            Some(at) => {
                self.begun = true;
                let rest = Zeroizing::new(self.noise.split_off(at + MARKER.len()));
                self.noise.clear();
                self.accept(&rest);
            }
            None => {
                let excess = self.noise.len().saturating_sub(NOISE);
                self.noise.drain(..excess);
            }
        }
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

async fn drain(mut stream: impl AsyncRead + Unpin, into: &mut Collector<'_>) {
    let mut buffer = Zeroizing::new(vec![0; 32 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
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
