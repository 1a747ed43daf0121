//! Running a command that changes: as a job on its node, which a lost connection does not end.

use super::error::NodesError;
use super::evaluate::{Ended, LONGEST_LINE, printable};
use super::resolve::ResolvedCommand;
use crate::model::RunId;
use crate::transport::Transports;
use crate::transport::jobs::{self, JobEnd, JobSpec};
use zeroize::Zeroizing;

/// Which job of which run it is.
#[derive(Debug, Clone, Copy)]
pub struct JobKey<'a> {
    /// `[a-z0-9-]+`, one for each effect: a job of that id that was started is followed, not started.
    pub id: &'a str,
    pub run: &'a RunId,
    /// The run's token of the node's lease.
    pub token: Option<u64>,
}

/// Runs a changing command and follows it to its end; whatever was started under that key before is
/// followed instead. `on_line` gets its output line by line as it comes, fit for a terminal, except
/// where the command is given a secret: raw output of such a command goes nowhere.
pub async fn run_change(
    transports: &Transports,
    command: &ResolvedCommand,
    key: JobKey<'_>,
    on_line: &mut (dyn FnMut(String) + Send),
) -> Result<Ended, NodesError> {
    let spec = JobSpec {
        id: key.id.to_owned(),
        run: key.run.clone(),
        token: key.token,
        user: command.user.clone(),
        cwd: command.cwd.clone(),
        env: command.env.clone(),
        argv: command.argv.clone(),
        prompts: command.prompts.iter().map(|prompt| (prompt.expect.clone(), prompt.reply.clone())).collect(),
        timeout: command.timeout,
        terminal: command.terminal,
    };
    let mut lines = Lines { begun: Vec::new(), cut: false, on_line };
    let mut feed = |bytes: &[u8]| {
        if command.secrets.is_empty() {
            lines.push(bytes);
        }
    };
    let end = jobs::start_and_follow(transports, &command.node, &spec, &mut feed).await;
    lines.finish();
    end.map(Ended::from).map_err(|cause| NodesError::Job {
        command: command.name.clone(),
        node: command.node.clone(),
        cause: Box::new(cause),
    })
}

impl From<JobEnd> for Ended {
    fn from(end: JobEnd) -> Self {
        Self {
            exit: end.exit,
            output: Zeroizing::new(end.output),
            truncated: end.output_truncated,
            answered: end.prompts_answered,
            timed_out: end.timed_out,
        }
    }
}

/// Makes lines of what comes in pieces.
struct Lines<'a> {
    begun: Vec<u8>,
    /// The rest of a line that was too long is left out.
    cut: bool,
    on_line: &'a mut (dyn FnMut(String) + Send),
}

impl Lines<'_> {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.emit();
                self.cut = false;
            } else if !self.cut {
                self.begun.push(byte);
                if self.begun.len() == LONGEST_LINE {
                    self.emit();
                    self.cut = true;
                }
            }
        }
    }

    fn emit(&mut self) {
        if self.cut {
            return;
        }
        let line = std::mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        (self.on_line)(printable(&String::from_utf8_lossy(line)));
    }

    fn finish(mut self) {
        if !self.begun.is_empty() {
            self.emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_tame_and_of_bounded_length_however_the_bytes_come() {
        let long = "x".repeat(LONGEST_LINE + 100);
        let output = format!("one\r\n\ntwo\u{1b}[31m\n{long}\nprompt: ");
        let expected = ["one", "", "two\u{fffd}[31m", &long[..LONGEST_LINE], "prompt: "];
        for size in [1, 7, output.len()] {
            let mut seen = Vec::new();
            let mut on_line = |line| seen.push(line);
            let mut lines = Lines { begun: Vec::new(), cut: false, on_line: &mut on_line };
            output.as_bytes().chunks(size).for_each(|piece| lines.push(piece));
            lines.finish();
            assert_eq!(seen, expected);
        }
    }
}
