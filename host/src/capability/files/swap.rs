//! Swapping a staged set in: all of its files on a node, as one generation.

use super::error::FilesError;
use super::script::{self, ANSWER_LIMIT, garbled};
use super::write::refuse_read_only;
use super::{LONG, NodeFiles, Remote, ResolvedFile};
use crate::model::{FileName, ObjectName};
use crate::transport::Script;
use zeroize::Zeroizing;

/// A file whose new content waits beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    pub file: ResolvedFile,
    /// Of the new content, lower-case hex; none for a guessable file.
    pub sha256: Option<String>,
}

/// How a set stands on a node, as the node itself shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwapState {
    /// At least one file is neither staged nor in place, and no swap was begun.
    NotStaged,
    /// Every file waits beside its place.
    Staged,
    /// Some are in place and some wait: swap again to finish.
    Half,
    /// Every file is in place.
    Swapped,
    /// A swap was begun, and these files are not what it put there, nor do they wait.
    Disturbed(Vec<FileName>),
}

impl<R: Remote> NodeFiles<'_, R> {
    /// Renames every file of a set into its place. Called again after an interruption, finishes it.
    pub async fn swap(&self, set: &ObjectName, files: &[Staged]) -> Result<(), FilesError> {
        self.work_on_set("swap in", script::SWAP, set, files).await.map(drop)
    }

    /// Removes what was staged of a set and not swapped in. Refused where half of it is in place.
    pub async fn discard(&self, set: &ObjectName, files: &[Staged]) -> Result<(), FilesError> {
        self.work_on_set("discard", script::DISCARD, set, files).await.map(drop)
    }

    /// Returns how a set stands; changes nothing.
    pub async fn swap_state(&self, set: &ObjectName, files: &[Staged]) -> Result<SwapState, FilesError> {
        let attempt = self.attempt("look at the set", set.as_str(), "");
        let input = self.set_input(&[], set, files);
        let answer = self.call(&attempt, script::SWAP_STATE, input, LONG, ANSWER_LIMIT).await?;
        parse_state(&answer, files).ok_or_else(|| garbled(&attempt, script::SWAP_STATE))
    }

    async fn work_on_set(
        &self,
        verb: &'static str,
        script: Script,
        set: &ObjectName,
        files: &[Staged],
    ) -> Result<(), FilesError> {
        let attempt = self.attempt(verb, set.as_str(), "");
        for staged in files {
            refuse_read_only(&attempt, &staged.file)?;
        }
        let token = self.token();
        self.call(&attempt, script, self.set_input(&[&token], set, files), LONG, ANSWER_LIMIT).await.map(drop)
    }

    fn set_input(&self, first: &[&str], set: &ObjectName, files: &[Staged]) -> Zeroizing<Vec<u8>> {
        let suffix = self.suffix(set.as_str());
        let count = files.len().to_string();
        let mut lines = first.to_vec();
        lines.extend([self.run.as_str(), set.as_str(), &suffix, &count]);
        for staged in files {
            lines.extend([staged.sha256.as_deref().unwrap_or("-"), &staged.file.path]);
        }
        script::input(&lines, b"")
    }
}

fn parse_state(answer: &[u8], files: &[Staged]) -> Option<SwapState> {
    let mut lines = std::str::from_utf8(answer).ok()?.lines();
    let begun = lines.next()?.strip_prefix("ok ")? != "none";
    let seen: Vec<(bool, bool)> = lines
        .map(|line| match line {
            "0 0" => Some((false, false)),
            "0 1" => Some((false, true)),
            "1 0" => Some((true, false)),
            "1 1" => Some((true, true)),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (seen.len() == files.len()).then(|| decide(begun, &seen, files))
}

/// For each file: does it wait, and is what was staged in place?
fn decide(begun: bool, seen: &[(bool, bool)], files: &[Staged]) -> SwapState {
    let neither: Vec<FileName> = files
        .iter()
        .zip(seen)
        .filter(|(_, (waits, placed))| !waits && !placed)
        .map(|(staged, _)| staged.file.name.clone())
        .collect();
    if seen.iter().all(|(waits, _)| *waits) {
        SwapState::Staged
    } else if neither.is_empty() {
        if seen.iter().any(|(waits, _)| *waits) { SwapState::Half } else { SwapState::Swapped }
    } else if begun {
        SwapState::Disturbed(neither)
    } else {
        SwapState::NotStaged
    }
}
