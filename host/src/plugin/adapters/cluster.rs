//! `cluster`: health, served certificates, the manager's page.

use super::super::bindings::cluster::{HealthRecord, Host};
use super::super::bindings::crypto::Certificate;
use super::super::call::Guest;
use super::{Imported, answer, name};
use crate::model::{self, Answer, Effect};

impl Host for Guest {
    async fn health(&mut self) -> Imported<Vec<HealthRecord>> {
        self.perform(
            || Ok(Effect::ClusterHealth),
            answer!(Answer::Health(rows) => rows.into_iter().map(Into::into).collect()),
        )
        .await
    }

    async fn served(&mut self, node: String, endpoint: String) -> Imported<Certificate> {
        self.perform(
            || Ok(Effect::ClusterServed { node: name(node)?, endpoint: name(endpoint)? }),
            answer!(Answer::Certificate(certificate) => (*certificate).into()),
        )
        .await
    }

    async fn manager(&mut self) -> Imported<u16> {
        self.perform(
            || Ok(Effect::ClusterManager),
            // A status that is no u16 is an answer of the wrong shape, like any other.
            |answer| match answer {
                Answer::Number(status) => u16::try_from(status).map_err(|_| Answer::Number(status)),
                other => Err(other),
            },
        )
        .await
    }
}

impl From<model::Health> for HealthRecord {
    fn from(row: model::Health) -> Self {
        Self {
            reporter: row.reporter.into(),
            node: row.node,
            role: row.role,
            state: row.state,
            phase: row.phase,
        }
    }
}
