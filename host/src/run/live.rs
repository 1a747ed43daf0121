//! The live cluster as the ground of a run: its lease, its roles, its clocks.

use super::ground::{Ground, GroundError, GroundErrorKind};
use super::looks::{clocks_apart, may_switch_roles, pair_in_order, places, reached, roles_now};
use crate::backend::Backend;
use crate::backend::live::Live;
use crate::model::{NodeName, PluginName, Roles, RunId};
use crate::transport::lease::{self, Holder, LeaseError, LeaseRecord};
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use std::sync::Arc;

impl Live {
    fn service_user(&self) -> &str {
        &self.site.profile.service_user
    }

    /// `taking`: the lease is asked for; else it is believed to be this run's.
    fn ground_error(error: LeaseError, taking: bool) -> GroundError {
        let kind = match &error {
            LeaseError::Held { .. } if taking => GroundErrorKind::Held,
            LeaseError::Held { .. } | LeaseError::NotHeld { .. } => GroundErrorKind::Lost,
            LeaseError::Transport(_) => GroundErrorKind::Unreachable,
            LeaseError::Living { .. } => GroundErrorKind::Invalid,
        };
        let hint = match &error {
            LeaseError::Held { by: Holder { record: Some(record), .. }, .. } => {
                format!("let it end, or look at it with: windlass runs show {}", record.run)
            }
            _ => String::new(),
        };
        GroundError { kind, message: error.to_string(), hint }
    }
}

impl Ground for Live {
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend> {
        self
    }

    fn take_lease<'a>(
        &'a self,
        run: &'a RunId,
        procedure: &'a PluginName,
    ) -> BoxFuture<'a, Result<Vec<(NodeName, u64)>, GroundError>> {
        async move {
            let record = LeaseRecord {
                run: run.clone(),
                controller: self.controller.clone(),
                procedure: procedure.clone(),
                since: jiff::Timestamp::now().as_second(),
            };
            places(self.look()).await?;
            let mut taken: Vec<(NodeName, u64)> = Vec::new();
            // One after another, in name order: two runs that start together meet at the first manager.
            for manager in self.managers() {
                match lease::acquire(&self.transports, manager, self.service_user(), &record).await {
                    Ok(token) => {
                        self.set_token(manager, Some(token));
                        taken.push((manager.clone(), token));
                    }
                    Err(error) => {
                        for (manager, token) in taken {
                            // The other run's business is told; a lease that cannot be given back now is
                            // found by name at the next start.
                            let _ =
                                lease::release(&self.transports, &manager, self.service_user(), run, token)
                                    .await;
                            self.set_token(&manager, None);
                        }
                        return Err(Self::ground_error(error, true));
                    }
                }
            }
            Ok(taken)
        }
        .boxed()
    }

    fn hold_lease<'a>(&'a self, tokens: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            for (manager, token) in tokens {
                self.set_token(manager, Some(*token));
            }
            try_join_all(tokens.iter().map(|(manager, token)| {
                lease::check(&self.transports, manager, self.service_user(), &self.run, *token)
            }))
            .await
            .map(drop)
            .map_err(|error| Self::ground_error(error, false))
        }
        .boxed()
    }

    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            for manager in self.managers() {
                if let Some(token) = self.token(manager) {
                    lease::release(&self.transports, manager, self.service_user(), &self.run, token)
                        .await
                        .map_err(|error| Self::ground_error(error, false))?;
                    self.set_token(manager, None);
                }
            }
            Ok(())
        }
        .boxed()
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
        async move {
            self.discard_staged()
                .await
                .map_err(|fault| GroundError::new(GroundErrorKind::Unreachable, fault.message))?;
            self.purge_jobs()
                .await
                .map_err(|fault| GroundError::new(GroundErrorKind::Unreachable, fault.message))
        }
        .boxed()
    }

    fn may_switch_roles(&self, command: &str) -> bool {
        may_switch_roles(self.look(), command)
    }
}
