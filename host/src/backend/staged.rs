//! What waits in named sets, for the backends that have no real files.

use crate::capability::files::ResolvedFile;
use crate::model::{NodeName, ObjectName};
use std::collections::HashMap;

/// What waits in the sets of nodes: files, each with what it will hold.
#[derive(Debug, Clone)]
pub(super) struct Sets<H>(HashMap<(ObjectName, NodeName), Vec<(ResolvedFile, H)>>);

impl<H> Default for Sets<H> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<H> Sets<H> {
    pub fn staged(&self, set: &ObjectName, node: &NodeName) -> &[(ResolvedFile, H)] {
        self.0.get(&(set.clone(), node.clone())).map_or(&[], Vec::as_slice)
    }

    pub fn stage(&mut self, set: &ObjectName, node: &NodeName, file: ResolvedFile, held: H) {
        let files = self.0.entry((set.clone(), node.clone())).or_default();
        files.retain(|(other, _)| other.name != file.name);
        files.push((file, held));
    }

    pub fn take(&mut self, set: &ObjectName, node: &NodeName) -> Vec<(ResolvedFile, H)> {
        self.0.remove(&(set.clone(), node.clone())).unwrap_or_default()
    }
}
