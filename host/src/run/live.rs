//! The live cluster as the ground of a run: its lease, its roles, its clocks.

use super::ground::{Ground, GroundError, GroundErrorKind};
use super::lease::{self, ground_error};
use super::looks::{clocks_apart, may_switch_roles, pair_in_order, places, reached, roles_now};
use crate::backend::Backend;
use crate::backend::live::Live;
use crate::journal::{Journal, Row, StoredRow};
use crate::model::{Event, NodeName, PluginName, Roles, RunId, Stop};
use crate::transport::lease::{self as node_lease, LeaseRecord};
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use std::sync::{Arc, PoisonError};

impl Live {
    fn service_user(&self) -> &str {
        &self.site.profile.service_user
    }
}

impl Ground for Live {
    fn as_backend(self: Arc<Self>) -> Arc<dyn Backend> {
        self
    }

    fn begin_key(&self) {
        self.begin_usual_key();
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
            places(self.look(), &self.terms.dead).await?;
            let agree = |question: &str| self.operator.confirm(question, "").unwrap_or(true);
            let taken = lease::take(&self.transports, &self.site, &record, &self.terms, &agree).await?;
            for (manager, token) in &taken.tokens {
                self.set_token(manager, Some(*token));
            }
            for row in &taken.story {
                if let Row::LeaseTakenOver { manager, holder, .. } = row {
                    let text = format!("the lease of {manager} is taken over from {holder}");
                    (self.events)(&Event::Note { text });
                }
            }
            *self.story.lock().unwrap_or_else(PoisonError::into_inner) = taken.story;
            Ok(taken.tokens)
        }
        .boxed()
    }

    fn takes_over(&self) -> bool {
        self.terms.take_over
    }

    fn lease_story(&self) -> Vec<Row> {
        std::mem::take(&mut self.story.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold_lease<'a>(&'a self, tokens: &'a [(NodeName, u64)]) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            for (manager, token) in tokens {
                self.set_token(manager, Some(*token));
            }
            try_join_all(tokens.iter().map(|(manager, token)| {
                node_lease::check(&self.transports, manager, self.service_user(), &self.run, *token)
            }))
            .await
            .map(drop)
            .map_err(|error| ground_error(error, false))
        }
        .boxed()
    }

    fn compare_mirror<'a>(&'a self, journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        self.compare_mirrors(journal).boxed()
    }

    fn end_mirror<'a>(&'a self, journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        self.mirror_all(journal, true).boxed()
    }

    fn wait_for_jobs<'a>(&'a self, rows: &'a [StoredRow]) -> BoxFuture<'a, Result<(), Stop>> {
        self.wait_for_open_jobs(rows).boxed()
    }

    fn release_lease<'a>(&'a self) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            for manager in self.managers() {
                if let Some(token) = self.token(manager) {
                    node_lease::release(&self.transports, manager, self.service_user(), &self.run, token)
                        .await
                        .map_err(|error| ground_error(error, false))?;
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
