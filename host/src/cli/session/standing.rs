//! What the journals of a site's runs say that outlives them.

use super::runs_dir;
use crate::backend::Standing;
use crate::cli::Context;
use crate::cli::error::Result;
use crate::journal::{Journal, JournalError, Left};
use crate::model::{Fault, Quarantine, RunId, code};
use crate::site::Site;
use camino::Utf8PathBuf;
use std::collections::HashSet;

/// The journals of one site's runs on this controller.
pub struct Journals {
    dir: Utf8PathBuf,
    site: String,
    /// The file that holds the cluster's key set; empty where the profile names none.
    keyring: String,
}

impl Journals {
    pub fn of(context: &Context, site: &Site) -> Result<Self> {
        let keyring = site.profile.keyring.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(Self { dir: runs_dir(context)?, site: site.name.clone(), keyring })
    }

    /// What the site's runs have left, newest first.
    fn left(&self) -> std::result::Result<Vec<(RunId, Left)>, JournalError> {
        let mut all = Vec::new();
        for run in Journal::names(&self.dir)? {
            let left = Journal::left(&self.dir, &run, &self.keyring)?;
            if left.site == self.site {
                all.push((run, left));
            }
        }
        Ok(all)
    }
}

impl Standing for Journals {
    fn quarantined(&self) -> std::result::Result<Vec<Quarantine>, Fault> {
        let (mut told, mut found) = (HashSet::new(), Vec::new());
        for (_, left) in self.left().map_err(unreadable)? {
            for (node, reason) in left.quarantines.into_iter().rev() {
                // The newest word on a node holds.
                if told.insert(node.clone()) {
                    found.extend(reason.map(|reason| Quarantine { node, reason }));
                }
            }
        }
        Ok(found)
    }

    fn keepers(&self, but: &RunId) -> std::result::Result<Vec<RunId>, Fault> {
        let left = self.left().map_err(unreadable)?;
        let keeps = |(run, left): (RunId, Left)| (left.keeps && !left.closed && run != *but).then_some(run);
        Ok(left.into_iter().filter_map(keeps).collect())
    }
}

fn unreadable(error: JournalError) -> Fault {
    Fault::new(code::FAILED, format!("what earlier runs have left cannot be told: {error}"))
        .hint("windlass runs list says which journal it is")
}
