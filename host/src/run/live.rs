//! The live cluster as the ground of a run: its lease, its roles, its clocks.

use super::ground::{Ground, GroundError, GroundErrorKind};
use super::lease::{self, ground_error};
use crate::backend::Backend;
use crate::backend::live::{Live, unfit};
use crate::journal::{Journal, Row};
use crate::model::{Event, Fault, Health, NodeName, PluginName, Roles, RunId, Stop, code};
use crate::transport::TransportError;
use crate::transport::lease::{self as node_lease, LeaseRecord};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all, try_join_all};
use std::sync::{Arc, PoisonError};

/// Clocks this far apart, in milliseconds, are what the product itself raises an alarm for.
const CLOCKS_APART: i64 = 20_000;

impl Live {
    fn service_user(&self) -> &str {
        &self.site.profile.service_user
    }

    fn unreachable(error: TransportError) -> GroundError {
        GroundError::new(GroundErrorKind::Unreachable, error.to_string())
            .hint("windlass site check --connect tries each node on its own")
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
            // Connected side by side. Every file of the profile must have its place on every manager, before
            // anything is asked of one: a variable that is not set would be found halfway.
            let living = self.managers().into_iter().filter(|manager| !self.terms.dead.contains(manager));
            let asking = living.map(|manager| async move {
                let fault = match self.context(manager).await {
                    Err(fault) => Some(fault),
                    Ok(context) => unfit(&self.transports, &self.site, manager, &context).await,
                };
                fault.map(|fault| (manager, fault))
            });
            if let Some((manager, fault)) = join_all(asking).await.into_iter().flatten().next() {
                let hint = match fault.hint.as_str() {
                    "" => lease::out_of_reach(manager),
                    hint => hint.to_string(),
                };
                return Err(GroundError::new(ground_kind(&fault), fault.message).hint(hint));
            }
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
        async move {
            if self.site.profile.health.is_none() {
                return Ok(None);
            }
            let rows = self.health().await.map_err(health_error)?;
            roles_of(&rows).map(Some)
        }
        .boxed()
    }

    fn bind_roles(&self, roles: &Roles) {
        self.set_roles(roles);
    }

    fn compare_clocks<'a>(
        &'a self,
        nodes: &'a [NodeName],
    ) -> BoxFuture<'a, Result<Option<String>, GroundError>> {
        async move {
            let asked = nodes.iter().map(|node| self.transports.clock_offset(node, self.service_user()));
            let offsets = try_join_all(asked).await.map_err(Self::unreachable)?;
            for (node, offset) in nodes.iter().zip(offsets) {
                if offset.abs() >= CLOCKS_APART {
                    let seconds = offset as f64 / 1000.0;
                    return Ok(Some(format!(
                        "the clock of {node} is {seconds:+.1} s off the controller's; the product wants less than 20 s"
                    )));
                }
            }
            Ok(None)
        }
        .boxed()
    }

    fn reach<'a>(&'a self, nodes: &'a [NodeName]) -> BoxFuture<'a, Result<(), GroundError>> {
        async move {
            try_join_all(nodes.iter().map(|node| self.transports.clock_offset(node, self.service_user())))
                .await
                .map(drop)
                .map_err(Self::unreachable)
        }
        .boxed()
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
        self.site
            .profile
            .commands
            .iter()
            .any(|(name, declared)| name.as_str() == command && declared.consequences.may_switch_roles)
    }
}

fn ground_kind(fault: &Fault) -> GroundErrorKind {
    match fault.code.as_str() {
        code::UNREACHABLE => GroundErrorKind::Unreachable,
        code::INVALID => GroundErrorKind::Invalid,
        _ => GroundErrorKind::Health,
    }
}

fn health_error(fault: Fault) -> GroundError {
    GroundError { kind: ground_kind(&fault), message: fault.message, hint: fault.hint }
}

/// The pair as each manager describes itself: exactly one active and one standby.
fn roles_of(rows: &[Health]) -> Result<Roles, GroundError> {
    if let Some(away) = rows.iter().find(|row| row.state == "unreachable") {
        return Err(GroundError::new(
            GroundErrorKind::Unreachable,
            format!("{} does not say how it is: {}", away.reporter, away.phase),
        )
        .hint("windlass site check --connect tries each node on its own"));
    }
    let of_itself = |role: &str| -> Vec<&NodeName> {
        rows.iter()
            .filter(|row| row.node == row.reporter.as_str() && row.role == role)
            .map(|row| &row.reporter)
            .collect()
    };
    match (of_itself("active").as_slice(), of_itself("standby").as_slice()) {
        ([first], [second]) => Ok(Roles { first: (*first).clone(), second: (*second).clone() }),
        (active, standby) => {
            let said: Vec<_> = rows
                .iter()
                .filter(|row| row.node == row.reporter.as_str())
                .map(|row| format!("{} says it is {}", row.reporter, row.role))
                .collect();
            let said = if said.is_empty() {
                "no manager's table has a row for itself (is `alias` right under its node in site.toml?)"
                    .to_string()
            } else {
                said.join(", ")
            };
            Err(GroundError::new(
                GroundErrorKind::Health,
                format!("a pair of one active and one standby is needed; there are {} active and {} standby: {said}", active.len(), standby.len()),
            )
            .hint("bring the pair to one active and one standby, then run this again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reporter: &str, about: &str, role: &str) -> Health {
        Health {
            reporter: NodeName::new(reporter).unwrap(),
            node: about.into(),
            role: role.into(),
            state: "normal".into(),
            phase: String::new(),
        }
    }

    #[test]
    fn roles_are_what_each_manager_says_of_itself() {
        // Each side's view of the other is not asked: a split pair is full of opinions.
        let rows = [
            row("a", "a", "standby"),
            row("a", "b", "null"),
            row("b", "b", "active"),
            row("b", "a", "active"),
        ];
        let roles = roles_of(&rows).unwrap();
        assert_eq!((roles.first.as_str(), roles.second.as_str()), ("b", "a"));
    }

    #[test]
    fn two_actives_none_and_strangers_are_refused_with_what_was_said() {
        for (rows, words) in [
            (vec![row("a", "a", "active"), row("b", "b", "active")], "2 active"),
            (vec![row("a", "a", "standby"), row("b", "b", "standby")], "0 active"),
            (vec![row("a", "", "active")], "alias"),
        ] {
            let error = roles_of(&rows).unwrap_err();
            assert!(error.message.contains(words), "{}", error.message);
            assert_eq!(error.kind, GroundErrorKind::Health);
        }
    }
}
