//! Looks at every node of a site, several at once, and changes nothing.

use super::keyring::{AT_ONCE, OnNode, Reader, keyring_of};
use super::network::{connections, enter};
use super::standing::Journals;
use super::{journal_error, runs_dir};
use crate::backend::{Look, Standing as _};
use crate::capability::crypto;
use crate::capability::files::NodeFiles;
use crate::capability::keyring::Keyset;
use crate::capability::nodes::NodeContexts;
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::journal::Journal;
use crate::model::{Certificate, Fault, FileName, Health, NodeName, Quarantine, RunId};
use crate::report::{
    CertificateStatus, EndpointStatus, HealthStatus, KeyStatus, Keys, KeysetStatus, NodeStatus, RunStatus,
    Status, Thresholds,
};
use crate::site::{Address, FileDeclaration, Site};
use futures::StreamExt as _;
use std::sync::RwLock;

type Result<T> = std::result::Result<T, Error>;

/// So many runs are shown.
const RUNS: usize = 5;

/// Says how the site stands.
pub fn status(context: &Context, site: &Site) -> Result<Status> {
    let mut seen = enter(site)?.block_on(nodes(context, site))?;
    let fault = |fault: Fault| Error::new(Exit::Fault, fault.message).hint(fault.hint);
    for Quarantine { node, reason } in Journals::of(context, site)?.quarantined().map_err(fault)? {
        if let Some(status) = seen.iter_mut().find(|status| status.node == node) {
            status.quarantine = Some(reason);
        }
    }
    let mut status = Status {
        site: site.name.clone(),
        at: jiff::Timestamp::now().as_second(),
        nodes: seen,
        runs: runs(context, site)?,
        ..Status::default()
    };
    let settings = site.attention;
    status.judge(Thresholds { certificate_days: settings.certificate_days, key_days: settings.key_days });
    Ok(status)
}

fn runs(context: &Context, site: &Site) -> Result<Vec<RunStatus>> {
    let dir = runs_dir(context)?;
    let mut runs = Vec::new();
    for run in Journal::names(&dir).map_err(journal_error)? {
        // One that cannot be read is told by `runs list`; it says of no site that it is its.
        if let Ok(record) = Journal::record(&dir, &run)
            && record.site == site.name
        {
            let changed = record.changed / 1_000;
            let (state, summary, closed) = (record.state, record.summary, record.closed);
            runs.push(RunStatus { run, state, changed, summary, closed });
        }
        if runs.len() == RUNS {
            break;
        }
    }
    Ok(runs)
}

async fn nodes(context: &Context, site: &Site) -> Result<Vec<NodeStatus>> {
    let transports = connections(context, site)?;
    let run = RunId::new("look").map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let (contexts, roles) = (NodeContexts::default(), RwLock::new(None));
    let look = Look { site, transports: &transports, contexts: &contexts, roles: &roles };
    let eyes = Eyes { look, run: &run };
    let health = async {
        match site.profile.health {
            Some(_) => look.health().await.unwrap_or_default(),
            None => Vec::new(),
        }
    };
    let asked = futures::stream::iter(site.nodes.keys().map(|node| eyes.node(node)));
    let (mut nodes, health) =
        futures::future::join(asked.buffered(AT_ONCE).collect::<Vec<_>>(), health).await;
    for node in nodes.iter_mut().filter(|node| node.problem.is_none()) {
        let own = |row: &&Health| row.reporter == node.node;
        node.health = health
            .iter()
            .filter(own)
            .map(|row| HealthStatus {
                of: row.node.clone(),
                role: row.role.clone(),
                state: row.state.clone(),
            })
            .collect();
    }
    transports.close().await;
    Ok(nodes)
}

struct Eyes<'a> {
    look: Look<'a>,
    run: &'a RunId,
}

impl Eyes<'_> {
    async fn node(&self, node: &NodeName) -> NodeStatus {
        let mut status = NodeStatus::new(node.clone());
        if let Err(fault) = self.fill(&mut status).await {
            status.problem = Some(fault.message);
        }
        status
    }

    /// A fault: the node cannot be asked at all. What is wrong with one thing on it stands with that.
    async fn fill(&self, status: &mut NodeStatus) -> std::result::Result<(), Fault> {
        let (site, node) = (self.look.site, status.node.clone());
        let context = self.look.context(&node).await?;
        let user = &site.profile.service_user;
        let files = NodeFiles { remote: self.look.transports, node: &node, user, run: self.run, token: None };
        let mut certificates: Vec<(FileName, Certificate)> = Vec::new();
        for (name, declaration) in &site.profile.files {
            let file = context.resolve_file(declaration).map_err(|error| error.to_fault())?;
            if declaration.secret {
                if let Some(stat) = files.stat(&file).await.ok().flatten() {
                    status.keys.push(KeyStatus {
                        file: name.clone(),
                        mode: stat.mode,
                        owner: stat.owner,
                        expected_owner: owner(site, &node, declaration),
                        modified: stat.modified,
                    });
                }
            } else if let Ok(Some(bytes)) = files.read(&file).await
                && let Ok(certificate) =
                    crypto::read_certificate(&bytes).and_then(|der| crypto::inspect(&der))
            {
                certificates.push((name.clone(), certificate));
            }
        }
        // An endpoint whose certificate the node does not have is not the node's.
        let presenting = site.profile.endpoints.iter().filter_map(|(name, endpoint)| {
            let file = endpoint.file.as_ref()?;
            certificates.iter().any(|(held, _)| held == file).then_some((name, file))
        });
        for (endpoint, file) in presenting {
            let presented = match self.look.served(&node, endpoint).await {
                Ok(der) => crypto::inspect(&der).map_err(|error| error.to_string()),
                Err(fault) => Err(fault.message),
            };
            let (served, problem) = match presented {
                Ok(says) => (Some(says.fingerprint), None),
                Err(why) => (None, Some(why)),
            };
            let (endpoint, file) = (endpoint.clone(), file.clone());
            status.endpoints.push(EndpointStatus { endpoint, file, served, problem });
        }
        status.certificates = certificates
            .iter()
            .map(|(file, certificate)| CertificateStatus {
                file: file.clone(),
                subject: certificate.subject.clone(),
                fingerprint: certificate.fingerprint.clone(),
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                in_use: status.endpoints.iter().any(|endpoint| {
                    let presented = certificates.iter().find(|(held, _)| *held == endpoint.file);
                    endpoint.file == *file || presented.is_some_and(|(_, leaf)| issued(certificate, leaf))
                }),
            })
            .collect();
        if let Ok(file) = keyring_of(site) {
            let (transports, contexts) = (self.look.transports, self.look.contexts);
            let OnNode { found, written, .. } =
                Reader { site, transports, contexts, file, run: self.run }.read(&node).await;
            let keys = |keyset: Keyset| Keys {
                fingerprint: keyset.fingerprint(),
                primary: keyset.primary(),
                versions: keyset.versions().len(),
                written: written.unwrap_or_default(),
            };
            status.keyset = Some(match found {
                Ok(keyset) => KeysetStatus { keys: keyset.map(keys), problem: None },
                Err(untold) => KeysetStatus { keys: None, problem: Some(untold.why) },
            });
        }
        Ok(())
    }
}

/// Whether one is the other's issuer, as far as names and key identifiers say.
fn issued(by: &Certificate, leaf: &Certificate) -> bool {
    let names_no_other = |key: &str| leaf.authority_key_id.is_empty() || leaf.authority_key_id == key;
    by.can_issue && leaf.issuer == by.subject && names_no_other(&by.subject_key_id)
}

/// Who should own a file: whom the profile names, else the service user. A node that is a folder of this machine has
/// no users of its own.
fn owner(site: &Site, node: &NodeName, declaration: &FileDeclaration) -> Option<String> {
    if matches!(site.nodes.get(node)?.address, Address::Local(_)) {
        return None;
    }
    let named = declaration.owner.as_deref().and_then(|owner| owner.split(':').next());
    Some(named.unwrap_or(&site.profile.service_user).to_owned())
}
