//! A rehearsal's ground: a simulated cluster, which is always in reach and nobody else's.

use super::ground::{Ground, GroundError, GroundErrorKind};
use super::looks::{CLOCKS_APART, apart, ordered, roles_of};
use crate::backend::Backend;
use crate::backend::rehearsal::Rehearsal;
use crate::model::{NodeName, PluginName, Roles, RunId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::future::ready;
use std::sync::Arc;

impl Ground for Rehearsal {
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend> {
        self
    }

    fn take_lease<'a>(
        &'a self,
        _: &'a RunId,
        _: &'a PluginName,
    ) -> BoxFuture<'a, Result<Vec<(NodeName, u64)>, GroundError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn hold_lease<'a>(&'a self, _: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn observe_roles<'a>(&'a self) -> BoxFuture<'a, Result<Option<Roles>, GroundError>> {
        let roles = match self.site().profile.health {
            Some(_) => roles_of(&self.health()).map(Some),
            None => Ok(None),
        };
        ready(roles).boxed()
    }

    fn order_pair<'a>(&'a self, unclear: GroundError) -> BoxFuture<'a, Result<(Roles, String), GroundError>> {
        ready(ordered(&self.site().managers(), &self.health()).ok_or(unclear)).boxed()
    }

    fn bind_roles(&self, roles: &Roles) {
        self.set_roles(roles);
    }

    fn compare_clocks<'a>(
        &'a self,
        nodes: &'a [NodeName],
    ) -> BoxFuture<'a, Result<Option<String>, GroundError>> {
        let far = nodes.iter().find_map(|node| match self.clock_offset(node) {
            Ok(offset) => (offset.abs() >= CLOCKS_APART).then(|| Ok(apart(node, offset))),
            Err(fault) => Some(Err(GroundError::new(GroundErrorKind::Invalid, fault.message))),
        });
        ready(far.transpose()).boxed()
    }

    fn reach<'a>(&'a self, _: &'a [NodeName]) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn tidy<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        ready(Ok(())).boxed()
    }

    fn may_switch_roles(&self, command: &str) -> bool {
        self.moves_roles(command)
    }
}
