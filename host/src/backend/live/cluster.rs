//! What the cluster says of itself, and what it really serves.

use super::{Live, fault};
use crate::capability::cluster::{self, ClusterError};
use crate::capability::crypto;
use crate::model::{Answer, Effect, EndpointName, Fault, Health, NodeName, code};
use futures::future::join_all;
use std::time::Duration;

/// For one handshake or one page.
const PATIENCE: Duration = Duration::from_secs(10);

impl Live {
    pub(super) async fn cluster(&self, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::ClusterHealth => Ok(Answer::Health(self.health().await?)),
            Effect::ClusterServed { node, endpoint } => {
                let der = self.served(node, endpoint).await?;
                let says = crypto::inspect(&der).map_err(fault(code::INVALID))?;
                Ok(Answer::Certificate(Box::new(says)))
            }
            Effect::ClusterManager => Ok(Answer::Number(u64::from(self.manager().await?))),
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of cluster"))),
        }
    }

    /// Asks every manager; one that does not answer is a row that says so.
    pub(crate) async fn health(&self) -> Result<Vec<Health>, Fault> {
        let Some(command) = &self.site.profile.health else {
            return Err(Fault::new(
                code::UNKNOWN,
                format!("profile {} has no health command", self.site.profile.name),
            ));
        };
        let declaration = self.command(command)?;
        let asked = self.managers().into_iter().map(|manager| async move {
            let rows = self.health_of(manager, declaration).await;
            rows.unwrap_or_else(|fault| {
                vec![Health {
                    reporter: manager.clone(),
                    node: manager.to_string(),
                    role: "null".into(),
                    state: "unreachable".into(),
                    phase: fault.message,
                }]
            })
        });
        Ok(join_all(asked).await.into_iter().flatten().collect())
    }

    async fn health_of(
        &self,
        manager: &NodeName,
        declaration: &crate::site::CommandDeclaration,
    ) -> Result<Vec<Health>, Fault> {
        let output = self.observe_raw(manager, declaration).await?;
        let table = cluster::oms_status::parse(&output).map_err(fault(code::FAILED))?;
        Ok(table.health(manager, |row| {
            self.node_of(&row.host_name, &row.node_name_ip).map_or_else(String::new, ToString::to_string)
        }))
    }

    /// Which of the site's nodes a product's table means by a host name or an address with dashes.
    fn node_of(&self, host: &str, address: &str) -> Option<&NodeName> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '_'], "-");
        let (host, address) = (plain(host), plain(address));
        self.site.nodes.values().find_map(|node| {
            let mut names: Vec<_> = node.alias.iter().map(|alias| plain(alias)).collect();
            names.push(plain(node.name.as_str()));
            let by_address = node.host.as_deref().map(plain);
            (names.contains(&host) || by_address.is_some_and(|known| known == address)).then_some(&node.name)
        })
    }

    /// Returns the DER of the certificate that an endpoint of a node presents now.
    pub(super) async fn served(&self, node: &NodeName, endpoint: &EndpointName) -> Result<Vec<u8>, Fault> {
        let declared = self.site.profile.endpoints.get(endpoint).ok_or_else(|| {
            Fault::new(
                code::UNKNOWN,
                format!("profile {} has no endpoint {endpoint}", self.site.profile.name),
            )
        })?;
        let known = self
            .site
            .nodes
            .get(node)
            .ok_or_else(|| Fault::new(code::UNKNOWN, format!("the site has no node {node}")))?;
        let host = known.endpoint_host();
        cluster::served(&host, declared.port, PATIENCE)
            .await
            .map(|der| der.to_vec())
            .map_err(|error| cluster_fault(&error, &format!("ask {endpoint} on {node} for its certificate")))
    }

    /// The CA that the site pins for its manager; none where it pins none.
    pub(super) fn manager_ca(&self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(path) = self.site.manager.as_ref().and_then(|manager| manager.ca.as_ref()) else {
            return Ok(None);
        };
        let path = self.site.dir.join(path);
        std::fs::read(&path).map(Some).map_err(|error| {
            Fault::new(code::INVALID, format!("the manager's CA {path} cannot be read: {error}"))
        })
    }

    async fn manager(&self) -> Result<u16, Fault> {
        let Some(manager) = &self.site.manager else {
            return Err(Fault::new(code::UNKNOWN, "the site names no manager page")
                .hint("in site.toml: [manager] url = \"https://…\""));
        };
        let ca = self.manager_ca()?;
        cluster::manager(&manager.url, ca.as_deref(), &manager.expect, PATIENCE)
            .await
            .map_err(|error| cluster_fault(&error, &format!("access {}", manager.url)))
    }
}

fn cluster_fault(error: &ClusterError, attempted: &str) -> Fault {
    let code = if matches!(
        error,
        ClusterError::Unreachable { .. } | ClusterError::TimedOut { .. } | ClusterError::Manager { .. }
    ) {
        code::UNREACHABLE
    } else {
        code::FAILED
    };
    let mut made = fault(code)(error);
    made.message = format!("{attempted}: {}", made.message);
    made
}
