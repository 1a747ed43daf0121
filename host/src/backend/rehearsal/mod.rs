//! Rehearsing: a whole simulated cluster, made from what the profile declares and nothing else.
//!
//! Files hold real bytes, certificates are real ones, and a named command does what its declaration says: what it
//! `writes` has new content, what it `serves` presents its file as it is then, what settles it says so. A scenario
//! adds what a declaration does not say: roles, answers, the operator's word. There is no way to any node here, no
//! clock but a simulated one, no randomness: keys come from a fixed pool (`pool`), and what differs between two
//! machines all the same has a name (`names`), so that equal rehearsals have equal transcripts.
//!
//! `cluster` is what there is, `content` makes what files hold; beside them, as in `live`, one file a kind of
//! effect. Neighbours: `run` drives it as a run's ground, `cli` tells of it.

mod certificates;
mod cluster;
mod content;
mod crypto;
mod files;
mod keyring;
mod life;
mod local;
mod names;
mod nodes;
mod once;
mod pool;
mod state;
mod watch;

#[cfg(test)]
mod tests;

pub use life::{Interference, Meddling, Seen};
pub use state::Standing;
pub use watch::Breach;

use super::{Acted, Backend, Ready, class_of, declared};
use crate::capability::nodes::NodeContext;
use crate::capability::objects::Objects;
use crate::capability::secrets::PasswordPolicy;
use crate::journal::{CallName, KeptObject, Settlement, Trace};
use crate::model::{
    Answer, CommandName, Effect, EffectClass, Fault, FileName, Health, NodeName, ObjectName, PluginName,
    Roles, Stop, code,
};
use crate::policy::{Facts, Permit};
use crate::site::{CommandDeclaration, Scenario, SimulatedCluster, Site, vars_needed};
use cluster::Cluster;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use life::Death;
use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The rehearsal backend of one rehearsal.
pub struct Rehearsal {
    site: Arc<Site>,
    scenario: Arc<SimulatedCluster>,
    allow_secret_in_argv: bool,
    parameters: IndexMap<String, String>,
    policy: PasswordPolicy,
    contexts: Arc<HashMap<NodeName, NodeContext>>,
    roles: RwLock<Option<Roles>>,
    objects: Objects,
    /// What a life that was cut short leaves to the next one.
    left: Mutex<Option<Objects>>,
    cluster: Mutex<Cluster>,
    interference: Option<Interference>,
    acted: AtomicU32,
    seen: Mutex<Vec<Seen>>,
    printed: Mutex<Vec<(CallName, String)>>,
    death: Mutex<Death>,
}

impl Rehearsal {
    /// Sets a cluster up as the scenario has it. A fault: what the profile declares cannot be made.
    pub fn new(
        scenario: &Scenario,
        parameters: IndexMap<String, String>,
        policy: PasswordPolicy,
    ) -> Result<Arc<Self>, Fault> {
        let site = Arc::new(scenario.site.clone());
        let contexts: HashMap<_, _> =
            site.nodes.keys().map(|node| (node.clone(), context_of(&site, node))).collect();
        let cluster = Cluster::furnished(&site, &scenario.cluster, &contexts)?;
        Ok(Arc::new(Self {
            site,
            scenario: Arc::new(scenario.cluster.clone()),
            allow_secret_in_argv: scenario.allow_secret_in_argv,
            parameters,
            policy,
            contexts: Arc::new(contexts),
            roles: RwLock::default(),
            objects: Objects::default(),
            left: Mutex::default(),
            cluster: Mutex::new(cluster),
            interference: None,
            acted: AtomicU32::default(),
            seen: Mutex::default(),
            printed: Mutex::default(),
            death: Mutex::default(),
        }))
    }

    /// Writes names for values that are of this rehearsal alone.
    pub fn shown(&self, text: &str) -> String {
        self.cluster().names.shown(text)
    }

    /// As [`Self::shown`], and for the beginnings of such values: to compare two rehearsals by.
    pub fn shown_in_part(&self, text: &str) -> String {
        self.cluster().names.shown_in_part(text)
    }

    /// The site that is simulated.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    pub(crate) fn set_roles(&self, roles: &Roles) {
        *self.roles.write().unwrap_or_else(PoisonError::into_inner) = Some(roles.clone());
    }

    /// What every manager says of each.
    pub(crate) fn health(&self) -> Vec<Health> {
        let managers = self.site.managers();
        let cluster = self.cluster();
        let row = |reporter: &NodeName, node: &NodeName| Health {
            reporter: reporter.clone(),
            node: node.to_string(),
            role: cluster.role(node).to_owned(),
            state: self.state(node, cluster.now),
            phase: String::new(),
        };
        let rows = managers.iter().flat_map(|reporter| managers.iter().map(move |node| (*reporter, *node)));
        rows.map(|(reporter, node)| row(reporter, node)).collect()
    }

    fn state(&self, node: &NodeName, now: i64) -> String {
        let Some(simulated) = self.scenario.nodes.get(node) else { return "normal".into() };
        let settled = simulated.settles.is_some_and(|after| {
            u64::try_from(now - self.scenario.start)
                .is_ok_and(|passed| u128::from(passed) >= after.as_millis())
        });
        if settled { "normal".into() } else { simulated.state.clone() }
    }

    /// Milliseconds that a node's clock is ahead.
    pub(crate) fn clock_offset(&self, node: &NodeName) -> Result<i64, Fault> {
        self.known(node)?;
        Ok(self.scenario.nodes.get(node).map_or(0, |node| node.clock))
    }

    pub(crate) fn moves_roles(&self, command: &str) -> bool {
        self.site.profile.commands.get(command).is_some_and(|command| command.consequences.may_switch_roles)
    }

    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        life::lock(&self.cluster)
    }

    fn role(&self, node: &NodeName) -> &'static str {
        match &*self.roles.read().unwrap_or_else(PoisonError::into_inner) {
            Some(roles) if roles.first == *node => "first",
            Some(roles) if roles.second == *node => "second",
            _ => "",
        }
    }

    fn known(&self, node: &NodeName) -> Result<(), Fault> {
        self.context(node).map(|_| ())
    }

    fn context(&self, node: &NodeName) -> Result<&NodeContext, Fault> {
        self.contexts.get(node).ok_or_else(|| {
            let known: Vec<_> = self.site.nodes.keys().map(NodeName::as_str).collect();
            Fault::new(code::UNKNOWN, format!("the site has no node {node}"))
                .hint(format!("there are {}", known.join(", ")))
        })
    }

    fn command(&self, name: &CommandName) -> Result<&CommandDeclaration, Fault> {
        declared::command(&self.site.profile, name)
    }

    fn act_on(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect.interface() {
            "nodes" => self.nodes(plugin, effect),
            "files" => self.files(plugin, effect),
            "cluster" => self.looks(effect),
            "crypto" => self.crypto(plugin, effect),
            "keyring" => self.keyring(plugin, effect),
            _ => self.local(plugin, effect),
        }
    }

    /// Milliseconds since 1970 UTC, of the simulated clock.
    pub(crate) fn now(&self) -> i64 {
        self.cluster().now
    }
}

/// What the names of the profile mean on a simulated node: a login environment that nobody has.
fn context_of(site: &Site, node: &NodeName) -> NodeContext {
    let value = |name: &str| (name.to_owned(), format!("/rehearsal/{name}"));
    let environments = vars_needed(&site.vars)
        .into_iter()
        .map(|(user, names)| (user.to_owned(), names.into_iter().map(value).collect()))
        .collect();
    NodeContext::new(site, node, &environments)
}

impl Facts for Rehearsal {
    fn places(&self, node: &NodeName) -> Vec<String> {
        let mut places = self.site.nodes.get(node).map_or_else(Vec::new, |node| node.groups.clone());
        let role = self.role(node);
        if !role.is_empty() {
            places.push(role.to_owned());
        }
        places
    }
    fn set_members(&self, set: &ObjectName, node: &NodeName) -> Vec<FileName> {
        self.cluster().sets.staged(set, node).iter().map(|(file, _)| file.name.clone()).collect()
    }
    fn is_command(&self, name: &str) -> bool {
        self.site.profile.commands.contains_key(name)
    }
    fn secret_in_argv(&self, command: &CommandName) -> bool {
        self.command(command).is_ok_and(|command| command.secret_in_argv)
    }
}

impl Backend for Rehearsal {
    fn as_facts(&self) -> &dyn Facts {
        self
    }

    fn class(&self, effect: &Effect) -> EffectClass {
        class_of(effect, &self.site.profile)
    }

    fn act<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
        _: Ready,
    ) -> BoxFuture<'a, Result<Acted, Stop>> {
        self.live_through(plugin, permit, sequence).boxed()
    }

    fn settle<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, Result<(Acted, Settlement), Stop>> {
        self.live_on(plugin, permit, sequence).boxed()
    }

    fn printed(&self, call: &CallName, text: String) {
        if !text.is_empty() {
            life::lock(&self.printed).push((call.clone(), text));
        }
    }

    /// The next life is handed what this one's journal knows.
    fn recall(
        &self,
        _: &PluginName,
        _: &Effect,
        _: &Answer,
        _: &[KeptObject],
        _: &[Trace],
    ) -> Result<(), Stop> {
        Ok(())
    }
}
