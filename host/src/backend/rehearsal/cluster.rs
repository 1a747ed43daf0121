//! What there is: nodes with their files, what endpoints present, who is active, what has happened.

use super::content::Making;
use super::names::Names;
use super::pool::Pool;
use crate::backend::staged::Sets;
use crate::capability::crypto::{PrivateKey, read_certificate};
use crate::capability::files::ResolvedFile;
use crate::capability::nodes::NodeContext;
use crate::capability::secrets::Secret;
use crate::model::{Answer, CommandName, EndpointName, Fault, NodeName, hex};
use crate::site::{FileDeclaration, Holds, SimulatedCluster, SimulatedFile, Site};
use aws_lc_rs::digest::{SHA256, digest};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How long the cluster has stood when a rehearsal begins, in seconds: thirty days.
const AGE: i64 = 30 * 86_400;

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Bytes(Arc<Vec<u8>>),
    /// A key as its passphrase encrypts it: done where its bytes are wanted.
    Key {
        key: Arc<PrivateKey>,
        passphrase: Arc<Secret>,
    },
}

/// Keys are the same where they are the very same: each is drawn once.
impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Key { key, passphrase }, Self::Key { key: other, passphrase: by }) => {
                Arc::ptr_eq(key, other) && Arc::ptr_eq(passphrase, by)
            }
            _ => false,
        }
    }
}

impl Held {
    pub fn text(text: String) -> Self {
        Self::Bytes(Arc::new(text.into_bytes()))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    pub held: Held,
    pub mode: String,
    pub owner: String,
    pub group: String,
    /// Seconds since 1970 UTC.
    pub modified: i64,
}

type At = (NodeName, String);

#[derive(Clone)]
pub(super) struct Cluster {
    /// Milliseconds since 1970 UTC.
    pub now: i64,
    service_user: String,
    roles: IndexMap<NodeName, String>,
    files: HashMap<At, File>,
    /// What was at a path before the run changed it first; none: nothing.
    saved: HashMap<At, Option<File>>,
    pub sets: Sets<Held>,
    served: HashMap<(NodeName, EndpointName), Arc<Vec<u8>>>,
    pub happened: HashSet<(NodeName, CommandName)>,
    /// How often each command ran on each node.
    pub ran: HashMap<(NodeName, CommandName), u32>,
    /// How often each answer of the scenario was given.
    pub given: Vec<u32>,
    /// In the order of the inventory.
    pub quarantined: IndexMap<NodeName, String>,
    pub pool: Pool,
    pub names: Names,
    /// Changes that happened, by the number of their intent, with what was answered.
    pub done: HashMap<i64, Answer>,
    /// Commands that took something down on a node, and nothing has looked since.
    pub down: Vec<Down>,
    /// Something proved what the run has put in place.
    pub proven: bool,
    /// The operator was told what stands still, and agreed.
    pub acknowledged: bool,
    pub at_first: Arc<AtFirst>,
}

/// A node that is down for all that is known.
#[derive(Debug, Clone)]
pub(super) struct Down {
    pub node: NodeName,
    pub command: CommandName,
}

/// The cluster as it was furnished.
#[derive(Debug, Default)]
pub(super) struct AtFirst {
    files: HashMap<At, File>,
    pub happened: HashSet<(NodeName, CommandName)>,
}

impl Cluster {
    /// The cluster as a scenario begins: every file of the profile on every node that has a place for it.
    pub fn furnished(
        site: &Site,
        scenario: &SimulatedCluster,
        contexts: &HashMap<NodeName, NodeContext>,
    ) -> Result<Self, Fault> {
        let mut cluster = Self {
            now: scenario.start,
            service_user: site.profile.service_user.clone(),
            roles: scenario.nodes.iter().map(|(name, node)| (name.clone(), node.role.clone())).collect(),
            files: HashMap::new(),
            saved: HashMap::new(),
            sets: Sets::default(),
            served: HashMap::new(),
            happened: HashSet::new(),
            ran: HashMap::new(),
            given: vec![0; scenario.answers.len()],
            quarantined: IndexMap::new(),
            pool: Pool::new(scenario.seed),
            names: Names::default(),
            done: HashMap::new(),
            down: Vec::new(),
            proven: false,
            acknowledged: false,
            at_first: Arc::default(),
        };
        let mut files: Vec<&FileDeclaration> = site.profile.files.values().collect();
        files.sort_by_key(|file| super::content::rank(&file.holds));
        for file in files {
            cluster.furnish(site, scenario, contexts, file)?;
        }
        for node in site.nodes.keys() {
            for endpoint in site.profile.endpoints.keys() {
                cluster.serve(site, contexts, node, endpoint)?;
            }
            for command in &scenario.happened {
                cluster.happened.insert((node.clone(), command.clone()));
            }
        }
        cluster.at_first =
            Arc::new(AtFirst { files: cluster.files.clone(), happened: cluster.happened.clone() });
        Ok(cluster)
    }

    /// Whether something was at a path when the rehearsal began.
    pub fn was_there(&self, node: &NodeName, path: &str) -> bool {
        self.at_first.files.contains_key(&(node.clone(), path.to_owned()))
    }

    /// Whether a path holds what it held when the rehearsal began, as it was.
    pub fn is_as_it_was(&self, node: &NodeName, path: &str) -> bool {
        let at = (node.clone(), path.to_owned());
        match (self.files.get(&at), self.at_first.files.get(&at)) {
            (Some(now), Some(then)) => now == then,
            (now, then) => now.is_none() && then.is_none(),
        }
    }

    /// Whether every path holds what it held when the rehearsal began.
    pub fn has_files_of_first(&self) -> bool {
        self.files == self.at_first.files
    }

    /// What was there at first, is not there as it was, and lies saved nowhere.
    pub fn lost(&self) -> impl Iterator<Item = (&NodeName, &str)> {
        self.at_first.files.iter().filter_map(|(at, then)| {
            let is_there = self.files.get(at) == Some(then);
            let is_saved = self.saved.get(at).is_some_and(|saved| saved.as_ref() == Some(then));
            (!is_there && !is_saved).then_some((&at.0, at.1.as_str()))
        })
    }

    /// What bytes of a plugin or a command are called where two rehearsals are compared.
    pub fn words_of(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        // What a simulated command wrote says how often it ran, and a command that was cut short runs twice.
        match text.trim_end().rsplit_once(", run ") {
            Some((before, _)) if before.contains(", as ") => before.to_owned(),
            _ => format!("bytes {}", hex(&digest(&SHA256, bytes).as_ref()[..8])),
        }
    }

    fn furnish(
        &mut self,
        site: &Site,
        scenario: &SimulatedCluster,
        contexts: &HashMap<NodeName, NodeContext>,
        file: &FileDeclaration,
    ) -> Result<(), Fault> {
        // What signs itself, and a key set, is one for the whole cluster.
        let shared = matches!(file.holds, Holds::Certificate { issuer: None, .. } | Holds::KeySet);
        let mut made: Option<Held> = None;
        for node in site.nodes.keys() {
            let Some(context) = contexts.get(node) else { continue };
            // A file without a place on this node is not there; a plugin that asks for it is told why.
            let Ok(resolved) = context.resolve_file(file) else { continue };
            let held = match (scenario.files.get(&file.name), &made) {
                (Some(SimulatedFile::Absent), _) => continue,
                (Some(SimulatedFile::Text(text)), _) => Held::text(scenario.with_secrets(text)),
                (None, Some(made)) if shared => made.clone(),
                (None, _) => {
                    let name = if shared { file.name.to_string() } else { format!("{}@{node}", file.name) };
                    let making = Making {
                        site,
                        context,
                        name,
                        passphrase: Arc::new(Secret::from_text(scenario.passphrase().to_owned())),
                        command: None,
                        beside: &[],
                        at: self.seconds() - AGE,
                    };
                    self.make(&making, file)?
                }
            };
            made = Some(held.clone());
            self.lay(node, &resolved, held, false);
            if let Some(there) = self.files.get_mut(&(node.clone(), resolved.path)) {
                there.modified -= AGE;
            }
        }
        Ok(())
    }

    /// Has an endpoint present what its file holds now; a file that is gone or no certificate leaves it silent.
    pub fn serve(
        &mut self,
        site: &Site,
        contexts: &HashMap<NodeName, NodeContext>,
        node: &NodeName,
        endpoint: &EndpointName,
    ) -> Result<(), Fault> {
        let at = (node.clone(), endpoint.clone());
        let Some(declared) = site.profile.endpoints.get(endpoint) else { return Ok(()) };
        let Some(file) = &declared.file else {
            // What it presents stands in no file that is known: a new one each time.
            let der = self.self_signed(&format!("{endpoint}@{node}"))?;
            self.served.insert(at, Arc::new(der));
            return Ok(());
        };
        let resolved = contexts.get(node).zip(site.profile.files.get(file));
        let path = resolved.and_then(|(context, file)| context.resolve_file(file).ok()).map(|file| file.path);
        let bytes = match path.and_then(|path| self.at(node, &path).cloned()) {
            Some(file) => Some(self.pool.bytes(&file.held)?),
            None => None,
        };
        match bytes.and_then(|bytes| read_certificate(&bytes).ok().map(|der| der.to_vec())) {
            Some(der) => drop(self.served.insert(at, Arc::new(der))),
            None => drop(self.served.remove(&at)),
        }
        Ok(())
    }

    pub fn served(&self, node: &NodeName, endpoint: &EndpointName) -> Option<Arc<Vec<u8>>> {
        self.served.get(&(node.clone(), endpoint.clone())).cloned()
    }

    pub fn seconds(&self) -> i64 {
        self.now.div_euclid(1_000)
    }

    pub fn role(&self, node: &NodeName) -> &str {
        self.roles.get(node).map_or("null", String::as_str)
    }

    /// The active role moves away from a node, to the one that is standby.
    pub fn move_role(&mut self, from: &NodeName) {
        if self.role(from) != "active" {
            return;
        }
        let Some(standby) = self.roles.iter().find(|(_, role)| *role == "standby").map(|(n, _)| n.clone())
        else {
            return;
        };
        self.roles.insert(from.clone(), "standby".into());
        self.roles.insert(standby, "active".into());
    }

    pub fn at(&self, node: &NodeName, path: &str) -> Option<&File> {
        self.files.get(&(node.clone(), path.to_owned()))
    }

    /// Puts something at a file's place. A command gives modes and owners as it likes: those that were there.
    pub fn lay(&mut self, node: &NodeName, file: &ResolvedFile, held: Held, by_command: bool) {
        let before = self.at(node, &file.path);
        let declared = file.mode.map(|mode| format!("{mode:04o}"));
        let there = before.map(|before| before.mode.clone());
        let mode = if by_command { there.or(declared) } else { declared.or(there) };
        let mode = mode.unwrap_or_else(|| if file.secret { "0600" } else { "0644" }.into());
        let (mut owner, mut group) = match before {
            Some(before) => (before.owner.clone(), before.group.clone()),
            None => (self.service_user.clone(), self.service_user.clone()),
        };
        if let (Some(declared), false) = (&file.owner, by_command && before.is_some()) {
            match declared.split_once(':') {
                Some((user, its)) => (owner, group) = (user.into(), its.into()),
                None => owner = declared.clone(),
            }
        }
        let made = File { held, mode, owner, group, modified: self.seconds() };
        self.files.insert((node.clone(), file.path.clone()), made);
    }

    pub fn remove(&mut self, node: &NodeName, path: &str) {
        self.files.remove(&(node.clone(), path.to_owned()));
    }

    /// Saves what is at a path; the first save is what a restore brings back.
    pub fn save(&mut self, node: &NodeName, path: &str) {
        let at = (node.clone(), path.to_owned());
        let there = self.files.get(&at).cloned();
        self.saved.entry(at).or_insert(there);
    }

    /// Brings back what was at a path, and at all below it where that is a folder.
    pub fn restore(&mut self, node: &NodeName, path: &str) {
        let below = format!("{path}/");
        let is_of = |(on, at): &&At| on == node && (at == path || at.starts_with(&below));
        let saved: Vec<_> = self.saved.keys().filter(is_of).cloned().collect();
        for at in saved {
            match self.saved.get(&at).cloned().flatten() {
                Some(file) => drop(self.files.insert(at, file)),
                None => drop(self.files.remove(&at)),
            }
        }
    }
}
