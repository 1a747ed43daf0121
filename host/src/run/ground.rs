//! What a run needs of the cluster besides the effects of its plugin.

use crate::backend::Backend;
use crate::journal::{Journal, Row, StoredRow};
use crate::model::{NodeName, PluginName, Roles, RunId, Stop};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroundErrorKind {
    /// A node does not answer.
    Unreachable,
    /// Another run holds the lease.
    Held,
    /// The lease is no longer this run's.
    Lost,
    /// No pair of one active and one standby is to be seen.
    Health,
    /// The site or the node lacks something.
    Invalid,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GroundError {
    pub kind: GroundErrorKind,
    pub message: String,
    /// What to do next; empty where there is nothing to say.
    pub hint: String,
}

impl GroundError {
    pub fn new(kind: GroundErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: String::new() }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// The cluster under a run.
pub trait Ground: Backend {
    /// The ground as what effects act on.
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend>;

    /// Begins to make a key of the usual kind, for a run that is likely to want one.
    fn begin_key(&self) {}

    /// Takes the lease on every manager, in name order; gives back what it took where one refuses.
    fn take_lease<'a>(
        &'a self,
        run: &'a RunId,
        procedure: &'a PluginName,
    ) -> BoxFuture<'a, Result<Vec<(NodeName, u64)>, GroundError>>;

    /// Whether the operator said to take the lease from whoever has it: then it is taken even where it was held.
    fn takes_over(&self) -> bool {
        false
    }

    /// How the lease was come by, for the journal: from whom, and without which nodes.
    fn lease_story(&self) -> Vec<Row> {
        Vec::new()
    }

    /// Goes on under tokens taken earlier; checks that they still hold.
    fn hold_lease<'a>(&'a self, tokens: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>>;

    /// Compares the journal with what others know of it, before anything of a resumed run acts.
    fn compare_mirror<'a>(&'a self, _journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        futures::future::ready(Ok(())).boxed()
    }

    /// Lets those who know of the run know how it ended; it holds no lease any more.
    fn end_mirror<'a>(&'a self, _journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        futures::future::ready(Ok(())).boxed()
    }

    /// Waits for the commands that a dead controller left running, as the rows of its journal say: what is taken back
    /// under a running script, the script may write again.
    fn wait_for_jobs<'a>(&'a self, _rows: &'a [StoredRow]) -> BoxFuture<'a, Result<(), Stop>> {
        futures::future::ready(Ok(())).boxed()
    }

    /// Gives the lease back on every manager.
    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>>;

    /// Observes which manager is active and which is standby, as each says of itself.
    /// None: the profile has no health command.
    fn observe_roles<'a>(&'a self) -> BoxFuture<'a, Result<Option<Roles>, GroundError>>;

    /// Orders a pair that does not consist of one active and one standby node: the same way each time, with the
    /// reason. `unclear` is what was observed instead, and the answer where nothing can be ordered.
    fn order_pair<'a>(&'a self, unclear: GroundError) -> BoxFuture<'a, Result<(Roles, String), GroundError>> {
        Box::pin(async { Err(unclear) })
    }

    /// Binds the roles for the run: placeholders, grants and the plugin see them.
    fn bind_roles(&self, roles: &Roles);

    /// Compares the clocks of the nodes with the controller's: a message where they are 20 s or more apart.
    fn compare_clocks<'a>(
        &'a self,
        nodes: &'a [NodeName],
    ) -> BoxFuture<'a, Result<Option<String>, GroundError>>;

    /// Asks each node to answer.
    fn reach<'a>(&'a self, nodes: &'a [NodeName]) -> BoxFuture<'a, Result<(), GroundError>>;

    /// Removes what an ended run no longer needs from the nodes: job records, staged files. What was saved
    /// stays until the run is closed.
    fn tidy<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>>;

    /// Whether a named command is declared to move the active role.
    fn may_switch_roles(&self, command: &str) -> bool;
}
