//! What one step leaves for the next: fingerprints and dates, modes and owners, kept by the host.

use crate::pair::Role;
use windlass_sdk::{Certificate, Fault, FileStat, host::state};

/// A certificate, as far as it must be known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub fingerprint: String,
    /// Seconds since 1970 UTC.
    pub not_after: i64,
}

impl From<&Certificate> for Known {
    fn from(certificate: &Certificate) -> Known {
        Known { fingerprint: certificate.fingerprint.clone(), not_after: certificate.not_after }
    }
}

/// The certificates that are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// In place and loaded when the run began.
    OldRoot(Role),
    OldLeaf(Role),
    /// What a node presented when a repair began, where a restart with its old files brings that back.
    Served(Role),
    NewRoot,
    NewLeaf(Role),
}

impl Remembered {
    fn key(self) -> String {
        match self {
            Remembered::OldRoot(role) => format!("old-root.{role}"),
            Remembered::OldLeaf(role) => format!("old-leaf.{role}"),
            Remembered::Served(role) => format!("served.{role}"),
            Remembered::NewRoot => "new-root".into(),
            Remembered::NewLeaf(role) => format!("new-leaf.{role}"),
        }
    }

    pub fn keep(self, known: &Known) -> Result<(), Fault> {
        state::set(&self.key(), &format!("{} {}", known.fingerprint, known.not_after))
    }

    /// Keeps it where something holds.
    pub fn keep_if(self, holds: bool, known: &Known) -> Result<(), Fault> {
        if holds { self.keep(known) } else { Ok(()) }
    }

    /// Returns what was kept, or none where no step has come that far.
    pub fn recall(self) -> Result<Option<Known>, Fault> {
        let Some(text) = state::get(&self.key())? else { return Ok(None) };
        let known = text.split_once(' ').and_then(|(fingerprint, not_after)| {
            Some(Known { fingerprint: fingerprint.into(), not_after: not_after.parse().ok()? })
        });
        match known {
            Some(known) => Ok(Some(known)),
            None => Err(Fault::failed(format!(
                "what the run keeps as {} is not what this procedure keeps: {text:?}",
                self.key()
            ))
            .hint("the run's journal may have been changed; see `windlass runs verify`")),
        }
    }

    /// Returns what was kept. A fault: the step that keeps it has not been done.
    pub fn expect(self) -> Result<Known, Fault> {
        self.recall()?.ok_or_else(|| {
            Fault::failed(format!("the run has not kept {}: an earlier step is missing", self.key()))
                .hint("steps run in the order of the plan; resume the run from its last finished step")
        })
    }
}

/// Keeps whether what a node had was in date when the run began.
pub fn keep_in_date(role: Role, in_date: bool) -> Result<(), Fault> {
    state::set(&format!("in-date.{role}"), if in_date { "yes" } else { "no" })
}

pub fn was_in_date(role: Role) -> Result<bool, Fault> {
    Ok(state::get(&format!("in-date.{role}"))?.is_some_and(|kept| kept == "yes"))
}

/// Keeps that the way back was begun, which is judged once.
pub fn keep_going_back() -> Result<(), Fault> {
    state::set(GOING_BACK, "yes")
}

pub fn is_going_back() -> Result<bool, Fault> {
    Ok(state::get(GOING_BACK)?.is_some())
}

const GOING_BACK: &str = "going-back";

/// Keeps what a file was before the run, by its digest; none: it did not exist.
pub fn keep_before(file: &str, role: Role, digest: Option<&str>) -> Result<(), Fault> {
    state::set(&format!("before.{file}.{role}"), digest.unwrap_or(ABSENT))
}

/// Says whether a file is what it was before the run; none: that was not kept.
pub fn is_as_before(file: &str, role: Role, digest: Option<&str>) -> Result<Option<bool>, Fault> {
    let before = state::get(&format!("before.{file}.{role}"))?;
    Ok(before.map(|before| before == digest.unwrap_or(ABSENT)))
}

/// Stands for the digest of a file that does not exist.
const ABSENT: &str = "absent";

/// Keeps a key file's mode and owner, as they were before the run.
pub fn keep_ownership(file: &str, role: Role, stat: &FileStat) -> Result<(), Fault> {
    state::set(&format!("{file}.{role}"), &ownership(stat))
}

/// Returns a key file's mode and owner as they were before the run.
pub fn recall_ownership(file: &str, role: Role) -> Result<Option<String>, Fault> {
    state::get(&format!("{file}.{role}"))
}

/// Mode and owner in one line, as `0600 omm:wheel`.
pub fn ownership(stat: &FileStat) -> String {
    format!("{} {}:{}", stat.mode, stat.owner, stat.group)
}
