//! Looking at the cluster: what names stand for on a node, and what the cluster says of itself.
//!
//! Every backend that looks at real nodes has a [`Look`]; nothing in it changes one.

use crate::capability::cluster::{self, ClusterError};
use crate::capability::files::ResolvedFile;
use crate::capability::nodes::{self, NodeContext, NodeContexts};
use crate::model::{
    Answer, CommandName, Effect, EndpointName, Fault, FileName, Health, Member, NodeName, Outcome,
    Quarantine, Roles, code,
};
use crate::site::{CommandDeclaration, FileDeclaration, Site};
use crate::transport::Transports;
use futures::future::join_all;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// For one handshake or one page.
const PATIENCE: Duration = Duration::from_secs(10);

/// The site, the ways to its nodes, and what has been asked of them so far.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub site: &'a Site,
    pub transports: &'a Transports,
    pub contexts: &'a NodeContexts,
    pub roles: &'a RwLock<Option<Roles>>,
}

impl<'a> Look<'a> {
    pub fn role(self, node: &NodeName) -> &'static str {
        match &*self.roles.read().unwrap_or_else(PoisonError::into_inner) {
            Some(roles) if roles.first == *node => "first",
            Some(roles) if roles.second == *node => "second",
            _ => "",
        }
    }

    /// What a node is called in patterns besides its name: its groups, its role.
    pub fn places(self, node: &NodeName) -> Vec<String> {
        let mut places = self.site.nodes.get(node).map_or_else(Vec::new, |node| node.groups.clone());
        let role = self.role(node);
        if !role.is_empty() {
            places.push(role.to_string());
        }
        places
    }

    /// The managers, in name order: who carries the lease and answers for health.
    pub fn managers(self) -> Vec<&'a NodeName> {
        self.site.managers()
    }

    pub fn members(self) -> Vec<Member> {
        let member = |node: &crate::site::Node| Member {
            name: node.name.clone(),
            role: self.role(&node.name).to_string(),
            groups: node.groups.clone(),
        };
        self.site.nodes.values().map(member).collect()
    }

    /// Returns what a node's variables are; asked once a run.
    pub async fn context(self, node: &NodeName) -> Result<Arc<NodeContext>, Fault> {
        if !self.site.nodes.contains_key(node) {
            let known: Vec<_> = self.site.nodes.keys().map(NodeName::as_str).collect();
            return Err(Fault::new(code::UNKNOWN, format!("the site has no node {node}"))
                .hint(format!("there are {}", known.join(", "))));
        }
        self.contexts.of(self.transports, self.site, node).await.map_err(|error| error.to_fault())
    }

    pub fn command(self, name: &CommandName) -> Result<&'a CommandDeclaration, Fault> {
        super::declared::command(&self.site.profile, name)
    }

    pub fn is_command(self, name: &str) -> bool {
        self.site.profile.commands.keys().any(|command| command.as_str() == name)
    }

    pub fn declaration(self, file: &FileName) -> Result<&'a FileDeclaration, Fault> {
        super::declared::declaration(&self.site.profile, file)
    }

    /// A fault where the site has no such node.
    pub fn known(self, node: &NodeName) -> Result<(), Fault> {
        match self.site.nodes.contains_key(node) {
            true => Ok(()),
            false => Err(Fault::new(code::UNKNOWN, format!("the site has no node {node}"))),
        }
    }

    /// Nodes in quarantine in the order of the inventory; one that the site has no more is no part of it.
    pub fn in_order(self, found: Vec<Quarantine>) -> Vec<Quarantine> {
        let mut found: Vec<_> = found
            .into_iter()
            .filter_map(|quarantine| Some((self.site.nodes.get_index_of(&quarantine.node)?, quarantine)))
            .collect();
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, quarantine)| quarantine).collect()
    }

    pub fn resolve(self, context: &NodeContext, file: &FileName) -> Result<ResolvedFile, Fault> {
        context.resolve_file(self.declaration(file)?).map_err(|error| error.to_fault())
    }

    /// Answers an effect of `cluster`, which only ever looks.
    pub async fn cluster(self, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::ClusterHealth => Ok(Answer::Health(self.health().await?)),
            Effect::ClusterServed { node, endpoint } => {
                let der = self.served(node, endpoint).await?;
                let says = crate::capability::crypto::inspect(&der).map_err(super::fault(code::INVALID))?;
                Ok(Answer::Certificate(Box::new(says)))
            }
            Effect::ClusterManager => Ok(Answer::Number(u64::from(self.manager().await?))),
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of cluster"))),
        }
    }

    /// Asks every manager; one that does not answer is a row that says so.
    pub async fn health(self) -> Result<Vec<Health>, Fault> {
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
        self,
        manager: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<Vec<Health>, Fault> {
        let output = self.observe_raw(manager, declaration).await?;
        let table = cluster::oms_status::parse(&output).map_err(super::fault(code::FAILED))?;
        Ok(table.health(manager, |row| {
            self.node_of(&row.host_name, &row.node_name_ip).map_or_else(String::new, ToString::to_string)
        }))
    }

    /// Which of the site's nodes a product's table means by a host name or an address with dashes.
    fn node_of(self, host: &str, address: &str) -> Option<&'a NodeName> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '_'], "-");
        let (host, address) = (plain(host), plain(address));
        self.site.nodes.values().find_map(|node| {
            let mut names: Vec<_> = node.alias.iter().map(|alias| plain(alias)).collect();
            names.push(plain(node.name.as_str()));
            let by_address = node.host.as_deref().map(plain);
            (names.contains(&host) || by_address.is_some_and(|known| known == address)).then_some(&node.name)
        })
    }

    /// Where an endpoint of a node is reached.
    pub fn endpoint(self, node: &NodeName, endpoint: &EndpointName) -> Result<(String, u16), Fault> {
        let declared = super::declared::endpoint(&self.site.profile, endpoint)?;
        let known = self
            .site
            .nodes
            .get(node)
            .ok_or_else(|| Fault::new(code::UNKNOWN, format!("the site has no node {node}")))?;
        Ok((known.endpoint_host(), declared.port))
    }

    /// Returns the DER of the certificate that an endpoint of a node presents now.
    pub async fn served(self, node: &NodeName, endpoint: &EndpointName) -> Result<Vec<u8>, Fault> {
        let (host, port) = self.endpoint(node, endpoint)?;
        cluster::served(&host, port, PATIENCE)
            .await
            .map(|der| der.to_vec())
            .map_err(|error| cluster_fault(&error, &format!("ask {endpoint} on {node} for its certificate")))
    }

    /// The CA that the site pins for its manager; none where it pins none.
    pub fn manager_ca(self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(path) = self.site.manager.as_ref().and_then(|manager| manager.ca.as_ref()) else {
            return Ok(None);
        };
        let path = self.site.dir.join(path);
        std::fs::read(&path).map(Some).map_err(|error| {
            Fault::new(code::INVALID, format!("the manager's CA {path} cannot be read: {error}"))
        })
    }

    async fn manager(self) -> Result<u16, Fault> {
        let Some(manager) = &self.site.manager else {
            return Err(Fault::new(code::UNKNOWN, "the site names no manager page")
                .hint("in site.toml: [manager] url = \"https://…\""));
        };
        let ca = self.manager_ca()?;
        cluster::manager(&manager.url, ca.as_deref(), &manager.expect, PATIENCE)
            .await
            .map_err(|error| cluster_fault(&error, &format!("access {}", manager.url)))
    }

    /// Runs an observing command without arguments, and judges it.
    pub async fn observe(self, node: &NodeName, declaration: &CommandDeclaration) -> Result<Outcome, Fault> {
        let resolved = self.resolve_observing(node, declaration).await?;
        let ended = nodes::observe(self.transports, &resolved).await.map_err(|error| error.to_fault())?;
        Ok(nodes::outcome(&resolved, &ended))
    }

    async fn resolve_observing(
        self,
        node: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<nodes::ResolvedCommand, Fault> {
        let context = self.context(node).await?;
        context.resolve_command(declaration, Vec::new(), false).map_err(|error| error.to_fault())
    }

    /// The raw output of an observing command, for a parser of the host's own.
    async fn observe_raw(self, node: &NodeName, declaration: &CommandDeclaration) -> Result<Vec<u8>, Fault> {
        let resolved = self.resolve_observing(node, declaration).await?;
        let ended = nodes::observe(self.transports, &resolved).await.map_err(|error| error.to_fault())?;
        let outcome = nodes::outcome(&resolved, &ended);
        if !outcome.succeeded && ended.output.is_empty() {
            return Err(Fault::new(
                code::FAILED,
                format!("{} on {node}: {}", declaration.name, outcome.reason),
            ));
        }
        Ok(ended.output.to_vec())
    }
}

/// Why nothing should be begun on a node: a file of the profile has no path there, or jobs would not outlive
/// their connection.
pub(crate) async fn unfit(
    transports: &Transports,
    site: &Site,
    node: &NodeName,
    context: &NodeContext,
) -> Option<Fault> {
    if let Some(fault) = unresolved(site, context) {
        return Some(fault);
    }
    match transports.ends_jobs_of(node, &site.profile.service_user).await {
        Ok(None) => None,
        Ok(Some(user)) => Some(
            Fault::new(
                code::INVALID,
                format!(
                    "{node} would end a running script with the connection that started it: systemd-logind has KillUserProcesses=yes for {user}"
                ),
            )
            .hint(format!(
                "on {node}, add {user} to KillExcludeUsers= in /etc/systemd/logind.conf and restart systemd-logind, or log in as another user"
            )),
        ),
        Err(error) => Some(super::fault(code::UNREACHABLE)(error)),
    }
}

/// The first file of the profile that has no path on this node, with the reason.
fn unresolved(site: &Site, context: &NodeContext) -> Option<Fault> {
    site.profile
        .files
        .values()
        .find_map(|file| context.resolve_file(file).err())
        .map(|error| error.to_fault())
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
    let mut made = super::fault(code)(error);
    made.message = format!("{attempted}: {}", made.message);
    made
}
