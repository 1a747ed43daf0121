//! What was there before: saved on its own node before a change, put back exactly.

use super::error::{Attempt, FilesError};
use super::look::hex_digest;
use super::script::{self, ANSWER_LIMIT, garbled};
use super::{LONG, NodeFiles, Remote, ResolvedFile};
use crate::model::ObjectName;

/// The most that one file or folder may hold to be saved, bytes, where nothing else is said.
pub const SAVE_LIMIT: u64 = 64 * 1024 * 1024;

/// Something to save or to put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A file's or a folder's name, for messages.
    pub name: String,
    /// Absolute and normalised.
    pub path: String,
    pub kind: Kind,
}

impl From<&ResolvedFile> for Target {
    fn from(file: &ResolvedFile) -> Self {
        Self { name: file.name.to_string(), path: file.path.clone(), kind: Kind::File }
    }
}

/// What a declaration says a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    /// Whole, with all that lies below; links are kept as links.
    Folder,
}

/// The record of a save that covers a target. Restoring checks the saved copy against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What was saved: the target, or a folder above it.
    pub path: String,
    /// There was something; else restoring removes.
    pub existed: bool,
    /// SHA-256 over the save's record, salted on the node: it binds path, kind, mode, owner and bytes,
    /// and tells nothing of them. Lower-case hex.
    pub digest: String,
}

impl<R: Remote> NodeFiles<'_, R> {
    /// Saves what is there, with mode, owner, ACLs and extended attributes as far as the node's tools
    /// know them. What this run has saved before is not saved again: the first wins, also that of a
    /// folder above. One record for each target, in order. `limit` in bytes, for each.
    ///
    /// Refused: a target that is a link, of another kind, too large, changing, or whose owner the
    /// service user could not give back.
    pub async fn save(
        &self,
        key: &ObjectName,
        targets: &[Target],
        limit: u64,
    ) -> Result<Vec<Saved>, FilesError> {
        let attempt = self.attempt_on("save", targets);
        let (token, limit, count) =
            (self.token(), limit.div_ceil(1024).to_string(), targets.len().to_string());
        let mut lines = vec![token.as_str(), self.run.as_str(), key.as_str(), &limit, &count];
        for target in targets {
            let kind = match target.kind {
                Kind::File => "file",
                Kind::Folder => "folder",
            };
            lines.extend([kind, target.path.as_str()]);
        }
        let input = script::input(&lines, b"");
        let answer = self.call(&attempt, script::SAVE, input, LONG, ANSWER_LIMIT).await?;
        let saved = parse_saved(&answer).filter(|saved| saved.len() == targets.len());
        saved.ok_or_else(|| garbled(&attempt, script::SAVE))
    }

    /// Puts targets back as this run first saved them: bytes, mode, owner; what did not exist is
    /// removed, and so is what was added to a saved folder. Each file by a rename. `records` are those
    /// that saving gave, where the caller has them; a saved copy that differs is refused before
    /// anything is put back.
    pub async fn restore(&self, targets: &[(Target, Option<Saved>)]) -> Result<(), FilesError> {
        let named: Vec<Target> = targets.iter().map(|(target, _)| target.clone()).collect();
        let attempt = self.attempt_on("restore", &named);
        let (token, count) = (self.token(), targets.len().to_string());
        let mut lines = vec![token.as_str(), self.run.as_str(), &count];
        for (target, record) in targets {
            lines.extend([record.as_ref().map_or("-", |saved| &saved.digest), &target.path]);
        }
        let input = script::input(&lines, b"");
        self.call(&attempt, script::RESTORE, input, LONG, ANSWER_LIMIT).await.map(drop)
    }

    /// Removes from the node what this run saved and the notes of its swaps.
    pub async fn purge(&self) -> Result<(), FilesError> {
        let attempt = self.attempt("remove what was saved by", self.run.as_str(), "");
        let input = script::input(&[self.run.as_str()], b"");
        self.call(&attempt, script::PURGE, input, LONG, ANSWER_LIMIT).await.map(drop)
    }

    fn attempt_on(&self, verb: &'static str, targets: &[Target]) -> Attempt {
        match targets {
            [only] => self.attempt(verb, &only.name, &only.path),
            several => {
                let names: Vec<&str> = several.iter().map(|target| target.name.as_str()).collect();
                self.attempt(verb, names.join(", "), "")
            }
        }
    }
}

fn parse_saved(answer: &[u8]) -> Option<Vec<Saved>> {
    let text = std::str::from_utf8(answer).ok()?.strip_suffix("ok\n")?;
    text.lines()
        .map(|line| {
            let (digest, rest) = line.strip_prefix("saved ")?.split_once(' ')?;
            let (kind, path) = rest.split_once(' ')?;
            Some(Saved {
                path: path.into(),
                existed: kind != "absent",
                digest: hex_digest(digest.as_bytes())?,
            })
        })
        .collect()
}
