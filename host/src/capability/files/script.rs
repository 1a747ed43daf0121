//! One call of a script of this room: input built, reply read, faults given their names.

use super::error::{Attempt, FilesError, Problem};
use super::{NodeFiles, Remote};
use crate::transport::{Reply, Request, Script};
use std::time::Duration;
use zeroize::Zeroizing;

macro_rules! script {
    ($name:literal, $($part:literal),+) => {
        Script { name: $name, text: concat!($(include_str!(concat!("scripts/", $part, ".sh")), "\n"),+) }
    };
}

pub(super) const LOOK: Script = script!("look", "common", "look");
pub(super) const MARKS: Script = script!("marks", "common", "marks");
pub(super) const STAGE: Script = script!("stage", "common", "place", "stage");
pub(super) const PUT: Script = script!("put", "common", "place", "put");
pub(super) const REMOVE: Script = script!("remove", "common", "remove");
pub(super) const SWAP: Script = script!("swap", "common", "swap_common", "swap");
pub(super) const SWAP_STATE: Script = script!("swap-state", "common", "swap_common", "swap_state");
pub(super) const DISCARD: Script = script!("discard", "common", "swap_common", "discard");
pub(super) const SAVE: Script = script!("save", "common", "save_common", "save");
pub(super) const RESTORE: Script = script!("restore", "common", "save_common", "restore");
pub(super) const PURGE: Script = script!("purge", "common", "save_common", "purge");

/// Enough for any list of names and digests.
pub(super) const ANSWER_LIMIT: usize = 256 * 1024;

/// Lines, then raw bytes. Room is made once, so that no copy of a secret is left behind by growing.
pub(super) fn input(lines: &[&str], raw: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = lines.iter().map(|line| line.len() + 1).sum::<usize>() + raw.len();
    let mut input = Zeroizing::new(Vec::with_capacity(length));
    for line in lines {
        input.extend_from_slice(line.as_bytes());
        input.push(b'\n');
    }
    input.extend_from_slice(raw);
    input
}

impl<R: Remote> NodeFiles<'_, R> {
    pub(super) fn attempt(
        &self,
        verb: &'static str,
        name: impl Into<String>,
        path: impl Into<String>,
    ) -> Attempt {
        Attempt { verb, name: name.into(), path: path.into(), node: self.node.clone() }
    }

    /// Runs a script and returns its standard output, which began with `ok` or `none` or a fault.
    pub(super) async fn call(
        &self,
        attempt: &Attempt,
        script: Script,
        input: Zeroizing<Vec<u8>>,
        timeout: Duration,
        output_limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, FilesError> {
        let request = Request { node: self.node, user: self.user, script, input, timeout, output_limit };
        let reply = self.remote.exec(request).await.map_err(|error| fail(attempt, error.into()))?;
        let Reply { exit, stdout, stderr, truncated } = reply;
        let stdout = Zeroizing::new(stdout);
        if exit == 0 && !truncated {
            return Ok(stdout);
        }
        Err(fail(attempt, self.problem(script, exit, &stdout, &stderr)))
    }

    fn problem(&self, script: Script, exit: i32, stdout: &[u8], stderr: &[u8]) -> Problem {
        let said = visible(stderr.trim_ascii());
        // The tools' words, in the C locale; a quota reads the same to whoever has to make room.
        if said.contains("No space left") || said.contains("Disk quota exceeded") {
            return Problem::DiskFull;
        }
        // A script that was refused prints its fault last: nothing follows an exit.
        let last = stdout
            .strip_suffix(b"\n")
            .unwrap_or(stdout)
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let Some(fault) = last.strip_prefix(b"fault ") else {
            return Problem::Failed(format!("the script {} ended with status {exit}: {said}", script.name));
        };
        let fault = visible(fault);
        let (code, detail) = fault.split_once(' ').unwrap_or((&fault, ""));
        let detail = detail.to_owned();
        match code {
            "fenced" => Problem::Fenced { ours: self.token, theirs: detail },
            "link" => Problem::Link(detail),
            "kind" => Problem::Kind,
            "parent" => Problem::NoParent(detail),
            "owner" => Problem::Owner(detail),
            "denied" => Problem::NotPermitted(detail),
            "short" | "digest" => Problem::Damaged,
            "size" => Problem::TooLarge(detail),
            "moving" => Problem::Moving,
            "unstaged" => Problem::NotStaged(detail),
            "otherset" => Problem::OtherSwap(detail),
            "disturbed" => Problem::Disturbed(detail),
            "half" => Problem::Half(detail),
            "unsaved" => Problem::NotSaved,
            "tampered" | "format" => Problem::Tampered(detail),
            "home" => Problem::Failed("the service user has no home folder there".into()),
            _ if said.is_empty() => Problem::Failed(format!("{code} {detail}")),
            _ => Problem::Failed(said),
        }
    }
}

pub(super) fn fail(attempt: &Attempt, problem: Problem) -> FilesError {
    FilesError { attempt: Box::new(attempt.clone()), problem }
}

/// An answer that is not of the script's form: a shell that prints on its own, or a node that lies.
pub(super) fn garbled(attempt: &Attempt, script: Script) -> FilesError {
    fail(attempt, Problem::Failed(format!("the answer of the script {} cannot be read", script.name)))
}

/// Text of a node as it may be shown: one line, no control characters, not endless.
fn visible(bytes: &[u8]) -> String {
    const LONGEST: usize = 400;
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .take(LONGEST)
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if crate::capability::nodes::is_unprintable(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}
