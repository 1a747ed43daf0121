//! A plan's ground: the live cluster to look at, and no lease.

use super::ground::{Ground, GroundError};
use super::looks::{clocks_apart, may_switch_roles, pair_in_order, places, reached, roles_now};
use crate::backend::Backend;
use crate::backend::plan::Planning;
use crate::model::{NodeName, PluginName, Roles, RunId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::future::ready;
use std::sync::Arc;

impl Ground for Planning {
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend> {
        self
    }

    /// Takes none: a plan may be made while a run is under way.
    fn take_lease<'a>(
        &'a self,
        _: &'a RunId,
        _: &'a PluginName,
    ) -> BoxFuture<'a, Result<Vec<(NodeName, u64)>, GroundError>> {
        async { places(self.look(), &[]).await.map(|()| Vec::new()) }.boxed()
    }

    fn hold_lease<'a>(&'a self, _: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn observe_roles<'a>(&'a self) -> BoxFuture<'a, Result<Option<Roles>, GroundError>> {
        roles_now(self.look()).boxed()
    }

    fn order_pair<'a>(&'a self, unclear: GroundError) -> BoxFuture<'a, Result<(Roles, String), GroundError>> {
        pair_in_order(self.look(), unclear).boxed()
    }

    fn bind_roles(&self, roles: &Roles) {
        self.set_roles(roles);
    }

    fn compare_clocks<'a>(
        &'a self,
        nodes: &'a [NodeName],
    ) -> BoxFuture<'a, Result<Option<String>, GroundError>> {
        clocks_apart(self.look(), nodes).boxed()
    }

    fn reach<'a>(&'a self, nodes: &'a [NodeName]) -> BoxFuture<'a, Result<(), GroundError>> {
        reached(self.look(), nodes).boxed()
    }

    fn tidy<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn may_switch_roles(&self, command: &str) -> bool {
        may_switch_roles(self.look(), command)
    }
}
