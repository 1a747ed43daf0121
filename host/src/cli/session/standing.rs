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

type Read<T> = std::result::Result<T, JournalError>;

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

    /// What the site's runs have left, newest first. One that cannot be read says of no site that it is its.
    fn left(&self) -> Read<Vec<(RunId, Read<Left>)>> {
        let left = |run: RunId| {
            let left = Journal::left(&self.dir, &run, &self.site, &self.keyring).transpose()?;
            Some((run, left))
        };
        Ok(Journal::names(&self.dir)?.into_iter().filter_map(left).collect())
    }
}

impl Standing for Journals {
    /// A journal that cannot be read puts nobody in quarantine: a node that is out of step is seen by its key set too.
    fn quarantined(&self) -> std::result::Result<Vec<Quarantine>, Fault> {
        let (mut told, mut found) = (HashSet::new(), Vec::new());
        for left in self.left().map_err(unreadable)?.into_iter().filter_map(|(_, left)| left.ok()) {
            for (node, reason) in left.quarantines.into_iter().rev() {
                // The newest word on a node holds.
                if told.insert(node.clone()) {
                    found.extend(reason.map(|reason| Quarantine { node, reason }));
                }
            }
        }
        Ok(found)
    }

    /// A journal that cannot be read may be that of a run that keeps something: then it cannot be told.
    fn keepers(&self, but: &RunId) -> std::result::Result<Vec<RunId>, Fault> {
        let mut keepers = Vec::new();
        for (run, left) in self.left().map_err(unreadable)? {
            let left = left.map_err(unreadable)?;
            if left.keeps && !left.closed && run != *but {
                keepers.push(run);
            }
        }
        Ok(keepers)
    }
}

fn unreadable(error: JournalError) -> Fault {
    Fault::new(code::FAILED, format!("what earlier runs have left cannot be told: {error}"))
        .hint("windlass runs list says which journal it is")
}
