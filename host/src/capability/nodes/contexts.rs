//! The contexts of a run's nodes, each made when it is first needed: one round trip a user.

use super::error::NodesError;
use super::resolve::NodeContext;
use crate::model::NodeName;
use crate::site::{Site, vars_needed};
use crate::transport::Transports;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// What the nodes' login environments say, asked once a node and kept for the run, so that a path
/// cannot change its meaning between two steps.
#[derive(Debug, Default)]
pub struct NodeContexts {
    known: Mutex<HashMap<NodeName, Arc<OnceCell<Arc<NodeContext>>>>>,
}

impl NodeContexts {
    /// Returns a node's context where it was asked before.
    pub fn known(&self, node: &NodeName) -> Option<Arc<NodeContext>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(node).and_then(|cell| cell.get().cloned())
    }

    /// Returns a node's context. An error is not kept: the next call asks again.
    pub async fn of(
        &self,
        transports: &Transports,
        site: &Site,
        node: &NodeName,
    ) -> Result<Arc<NodeContext>, NodesError> {
        let cell = {
            // Nothing in here can panic halfway, so a poisoned map is a whole one.
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(node.clone()).or_default().clone()
        };
        cell.get_or_try_init(async || {
            let environments = login_environments(transports, site, node).await?;
            Ok(Arc::new(NodeContext::new(site, node, &environments)))
        })
        .await
        .cloned()
    }
}

/// By user, what a node's login environments have of the variables that the site needs.
async fn login_environments(
    transports: &Transports,
    site: &Site,
    node: &NodeName,
) -> Result<IndexMap<String, IndexMap<String, String>>, NodesError> {
    let mut environments = IndexMap::new();
    for (user, names) in vars_needed(&site.vars) {
        let environment = transports
            .login_env(node, user, &names)
            .await
            .map_err(|cause| NodesError::Environment { node: node.clone(), user: user.to_owned(), cause })?;
        environments.insert(user.to_owned(), environment);
    }
    Ok(environments)
}
