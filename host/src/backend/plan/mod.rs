//! Planning: the cluster as it is, under what a run would have changed so far.
//!
//! Looks are live; changes go to an overlay (`imagined`) that later looks see. A named command is answered from
//! its declaration in the profile and from nothing else: what it `writes` is changed, what it `serves` is
//! what its file will be, and it succeeds. What only the run can know is a symbol (`symbols`). Nothing here
//! changes a node, takes a lease, asks for a secret or makes a key.
//!
//! One file a kind of effect, as in `live`. Neighbours: `run` drives it as a run's ground, `cli` makes the plan
//! of what it says.

mod crypto;
mod files;
mod imagined;
mod keyring;
mod local;
mod nodes;
mod symbols;

#[cfg(test)]
mod tests;

use super::look::Look;
use super::standing::Standing;
use super::{Acted, Backend, Ready, class_of};
use crate::capability::nodes::NodeContexts;
use crate::capability::objects::Objects;
use crate::journal::{KeptObject, Settlement, Trace};
use crate::model::{
    Answer, CommandName, Detail, Effect, EffectClass, Fault, FileName, NodeName, ObjectName, PlannedEffect,
    PluginName, Roles, Stop, Symbol,
};
use crate::policy::{Facts, Permit};
use crate::site::{ProcedureSettings, Site};
use crate::transport::Transports;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use imagined::Imagined;
use indexmap::IndexMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The plan backend of one plan.
pub struct Planning {
    pub(crate) site: Arc<Site>,
    settings: ProcedureSettings,
    parameters: IndexMap<String, String>,
    transports: Transports,
    contexts: NodeContexts,
    roles: RwLock<Option<Roles>>,
    standing: Arc<dyn Standing>,
    /// Small values that the plugin keeps.
    values: Objects,
    imagined: Mutex<Imagined>,
}

impl Planning {
    pub fn new(
        site: Arc<Site>,
        settings: ProcedureSettings,
        parameters: IndexMap<String, String>,
        transports: Transports,
        standing: Arc<dyn Standing>,
    ) -> Arc<Self> {
        Arc::new(Self {
            site,
            settings,
            parameters,
            transports,
            contexts: NodeContexts::default(),
            roles: RwLock::default(),
            standing,
            values: Objects::default(),
            imagined: Mutex::default(),
        })
    }

    /// Ends every connection.
    pub async fn close(self: Arc<Self>) {
        // Whoever else still holds the backend ends them when it lets go.
        if let Some(planning) = Arc::into_inner(self) {
            planning.transports.close().await;
        }
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look { site: &self.site, transports: &self.transports, contexts: &self.contexts, roles: &self.roles }
    }

    pub(crate) fn set_roles(&self, roles: &Roles) {
        *self.roles.write().unwrap_or_else(PoisonError::into_inner) = Some(roles.clone());
    }

    pub fn roles(&self) -> Option<Roles> {
        self.roles.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns an effect as the plan shows it; none where nothing has acted on this intent. What acts for a
    /// `run-each` are its `children`, by their intents.
    pub fn planned(&self, sequence: i64, effect: &Effect, children: &[i64]) -> Option<PlannedEffect> {
        let imagined = self.imagined();
        if let Some(planned) = imagined.told.get(&sequence) {
            return Some(planned.clone());
        }
        let mut each = children.iter().filter_map(|child| imagined.told.get(child)).cloned();
        let first = each.next()?;
        let mut whole = PlannedEffect {
            effect: imagined.symbols.shown_in(serde_json::to_value(effect).unwrap_or_default()),
            words: imagined.symbols.shown(&effect.to_string()),
            ..first
        };
        // As `detail` says of the whole: what each node has, and behind it once what is taken from elsewhere.
        let mut elsewhere = whole.detail.files.split_off(whole.detail.files.len().min(1));
        for child in each {
            whole.detail.commands.extend(child.detail.commands);
            let mut files = child.detail.files.into_iter();
            whole.detail.files.extend(files.next());
            elsewhere.extend(files.filter(|file| !elsewhere.contains(file)).collect::<Vec<_>>());
            whole.born.extend(child.born);
        }
        whole.detail.files.extend(elsewhere);
        Some(whole)
    }

    /// The run that will follow the plan, as a symbol.
    pub fn run_to_be(&self) -> String {
        self.imagined().symbols.text("run".into())
    }

    /// Writes symbols for what stands in for values that are not known.
    pub fn shown(&self, text: &str) -> String {
        self.imagined().symbols.shown(text)
    }

    /// Everything that is known after apply.
    pub fn symbols(&self) -> Vec<Symbol> {
        self.imagined().symbols.all()
    }

    /// What was taken for granted.
    pub fn assumed(&self) -> Vec<String> {
        self.imagined().assumed.iter().cloned().collect()
    }

    fn imagined(&self) -> MutexGuard<'_, Imagined> {
        // A panic elsewhere ends the plan; what is here is never read again then.
        self.imagined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn act_on(&self, plugin: &PluginName, effect: &Effect, sequence: i64) -> Acted {
        // Asked before the effect takes away what it is about: a swap has no members afterwards.
        let detail = self.detail(effect).await;
        let answer = match effect.interface() {
            "nodes" => self.nodes(plugin, effect).await,
            "files" => self.files(plugin, effect).await,
            "cluster" => self.cluster(effect).await,
            "crypto" => self.crypto(plugin, effect).await,
            "keyring" => self.keyring(plugin, effect).await,
            _ => self.local(plugin, effect),
        };
        let mut imagined = self.imagined();
        if let Ok(Answer::Certificate(certificate)) = &answer {
            imagined.symbols.avoid([certificate.not_before, certificate.not_after]);
        }
        // Written down now: what is born later stands in nothing that came before it.
        let planned = PlannedEffect {
            effect: imagined.symbols.shown_in(serde_json::to_value(effect).unwrap_or_default()),
            words: imagined.symbols.shown(&effect.to_string()),
            class: self.class(effect),
            // What cannot be resolved was answered with a fault, and says so itself.
            detail: imagined.shown_detail(detail.unwrap_or_default()),
            born: std::mem::take(&mut imagined.born),
        };
        imagined.told.insert(sequence, planned);
        answer.into()
    }
}

impl Facts for Planning {
    fn places(&self, node: &NodeName) -> Vec<String> {
        self.look().places(node)
    }
    fn set_members(&self, set: &ObjectName, node: &NodeName) -> Vec<FileName> {
        self.imagined().sets.staged(set, node).iter().map(|(file, _)| file.name.clone()).collect()
    }
    fn is_command(&self, name: &str) -> bool {
        self.look().is_command(name)
    }
    fn secret_in_argv(&self, command: &CommandName) -> bool {
        self.look().command(command).is_ok_and(|command| command.secret_in_argv)
    }
}

impl Backend for Planning {
    fn as_facts(&self) -> &dyn Facts {
        self
    }

    fn class(&self, effect: &Effect) -> EffectClass {
        class_of(effect, &self.site.profile)
    }

    fn concurrency(&self) -> usize {
        self.site.ssh.concurrency
    }

    fn act<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
        _: Ready,
    ) -> BoxFuture<'a, Result<Acted, Stop>> {
        async move { Ok(self.act_on(plugin, permit.effect(), sequence).await) }.boxed()
    }

    /// A plan is never resumed; what is asked for again acts again, since nothing ever happens.
    fn settle<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, Result<(Acted, Settlement), Stop>> {
        async move { Ok((self.act_on(plugin, permit.effect(), sequence).await, Settlement::ActsAgain)) }
            .boxed()
    }

    fn detail<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Detail, Fault>> {
        let members = match effect {
            Effect::FilesSwap { set, node } | Effect::FilesDiscard { set, node } => {
                self.set_members(set, node)
            }
            _ => Vec::new(),
        };
        self.look().detail(effect, members, self.settings.allow_secret_in_argv).boxed()
    }

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
