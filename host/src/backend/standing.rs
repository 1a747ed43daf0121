//! What earlier runs of a site have left that a later one must know of.

use crate::model::{Fault, Quarantine, RunId};

/// Looks into the journals of the site's runs. Nothing of it is kept: a run that goes on asks again.
pub trait Standing: Send + Sync {
    /// The nodes that a run has put in quarantine and none has released since.
    fn quarantined(&self) -> Result<Vec<Quarantine>, Fault>;

    /// The runs, but this one, that are not closed and so keep what they saved of the cluster's key set.
    fn keepers(&self, but: &RunId) -> Result<Vec<RunId>, Fault>;
}

/// There were no earlier runs.
#[cfg(test)]
pub(crate) struct NothingStanding;

#[cfg(test)]
impl Standing for NothingStanding {
    fn quarantined(&self) -> Result<Vec<Quarantine>, Fault> {
        Ok(Vec::new())
    }
    fn keepers(&self, _: &RunId) -> Result<Vec<RunId>, Fault> {
        Ok(Vec::new())
    }
}
