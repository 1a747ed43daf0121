//! Reads the cluster's key set from its nodes. It is held for as long as the command takes, and written nowhere.

use super::network::{connections, enter};
use crate::capability::files::NodeFiles;
use crate::capability::keyring::Keyset;
use crate::capability::nodes::NodeContexts;
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::model::{Fault, FileName, NodeName, RunId, code};
use crate::site::{FileDeclaration, Site};
use crate::transport::Transports;
use futures::StreamExt as _;

type Result<T> = std::result::Result<T, Error>;

/// So many nodes are asked at once.
pub(super) const AT_ONCE: usize = 16;

/// What the profile says of the key set.
#[derive(Clone, Copy)]
pub struct KeyringFile<'a> {
    pub name: &'a FileName,
    declaration: &'a FileDeclaration,
}

/// The key set of one node.
pub struct OnNode {
    pub node: NodeName,
    /// None: the node has none.
    pub found: std::result::Result<Option<Keyset>, Untold>,
    /// When the file was written, seconds since 1970 UTC by the node's clock.
    pub written: Option<i64>,
}

/// Why a node's key set cannot be told.
pub struct Untold {
    pub why: String,
    /// The node did not answer: nothing is known to be wrong with its key set.
    pub away: bool,
}

impl Untold {
    fn of(error: impl std::fmt::Display) -> Self {
        Self { why: error.to_string(), away: false }
    }

    fn fault(fault: Fault) -> Self {
        Self { away: fault.code == code::UNREACHABLE, why: fault.message }
    }
}

/// Which file holds the key set.
pub fn keyring_of(site: &Site) -> Result<KeyringFile<'_>> {
    let profile = &site.profile;
    let named = profile.keyring.as_ref().and_then(|name| {
        let declaration = profile.files.get(name)?;
        Some(KeyringFile { name, declaration })
    });
    named.ok_or_else(|| {
        Error::new(
            Exit::Usage,
            format!("profile {} does not say which file holds the cluster's key set", profile.name),
        )
        .hint("keyring = \"FILE\" in a profile of the site's own names one of its [files]")
    })
}

/// Reads the key set of these nodes, several at once, in their order.
pub fn on_nodes(context: &Context, site: &Site, nodes: &[&NodeName]) -> Result<Vec<OnNode>> {
    let file = keyring_of(site)?;
    let run = RunId::new("look").map_err(|error| Error::from_error(Exit::Fault, &error))?;
    enter(site)?.block_on(async {
        let transports = connections(context, site)?;
        let contexts = NodeContexts::default();
        let reader = Reader { site, transports: &transports, contexts: &contexts, file, run: &run };
        let asked = futures::stream::iter(nodes.iter().map(|node| reader.read(node)));
        let found = asked.buffered(AT_ONCE).collect().await;
        transports.close().await;
        Ok(found)
    })
}

/// The one key set that all managers have. One that does not answer is warned of: another is enough to work with.
pub fn on_managers(context: &Context, site: &Site) -> Result<Keyset> {
    let file = keyring_of(site)?.name;
    let mut one: Option<(NodeName, Keyset)> = None;
    let mut away = None;
    for OnNode { node, found, .. } in on_nodes(context, site, &site.managers())? {
        let untold = |Untold { why, .. }: Untold| {
            Error::new(Exit::Preflight, format!("the key set of {node} cannot be told: {why}"))
                .hint("windlass site check --connect tries each node on its own")
        };
        let keyset = match found {
            Err(at) if at.away => {
                let error = untold(at);
                context.ui.warn(&error.message);
                away.get_or_insert(error);
                continue;
            }
            found => found.map_err(untold)?,
        };
        let keyset = keyset.ok_or_else(|| {
            Error::new(Exit::Preflight, format!("{node} has no key set: {file} does not exist there"))
                .hint(format!("windlass site explain {file} says where it is looked for"))
        })?;
        match &one {
            Some((first, same)) if same.fingerprint() != keyset.fingerprint() => {
                return Err(Error::new(
                    Exit::Preflight,
                    format!("{first} and {node} have different key sets, so neither is the cluster's"),
                )
                .hint("windlass keyring info shows both"));
            }
            Some(_) => {}
            None => one = Some((node, keyset)),
        }
    }
    match (one, away) {
        (Some((node, keyset)), _) if keyset.primary_prefix().is_empty() => Err(Error::new(
            Exit::Preflight,
            format!(
                "version {} of the key set of {node} marks nothing that it seals, so which version a value is under \
                 could not be told",
                keyset.primary()
            ),
        )
        .hint("the key set's primary must have the output prefix TINK")),
        (Some((_, keyset)), _) => Ok(keyset),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::new(Exit::Usage, "the site has no manager, and so nobody to ask for the key set")),
    }
}

/// Reads a node's key set by connections that are there.
pub(super) struct Reader<'a> {
    pub site: &'a Site,
    pub transports: &'a Transports,
    pub contexts: &'a NodeContexts,
    pub file: KeyringFile<'a>,
    pub run: &'a RunId,
}

impl Reader<'_> {
    pub async fn read(&self, node: &NodeName) -> OnNode {
        match self.try_read(node).await {
            Ok(Some((keyset, written))) => {
                OnNode { node: node.clone(), found: Ok(Some(keyset)), written: Some(written) }
            }
            Ok(None) => OnNode { node: node.clone(), found: Ok(None), written: None },
            Err(untold) => OnNode { node: node.clone(), found: Err(untold), written: None },
        }
    }

    async fn try_read(&self, node: &NodeName) -> std::result::Result<Option<(Keyset, i64)>, Untold> {
        let context = self.contexts.of(self.transports, self.site, node).await;
        let context = context.map_err(|error| Untold::fault(error.to_fault()))?;
        let file = context.resolve_file(self.file.declaration);
        let file = file.map_err(|error| Untold::fault(error.to_fault()))?;
        let user = &self.site.profile.service_user;
        let files = NodeFiles { remote: self.transports, node, user, run: self.run, token: None };
        let Some(json) = files.read_secret(&file).await.map_err(Untold::of)? else {
            return Ok(None);
        };
        let keyset = Keyset::parse(&json).map_err(Untold::of)?;
        let stat = files.stat(&file).await.map_err(Untold::of)?;
        Ok(Some((keyset, stat.map_or(0, |stat| stat.modified))))
    }
}
