//! Acting for real: on the nodes of the site, with the operator, with the run's own objects.
//!
//! `mod` sorts effects to the files beside it, one for each kind of neighbour: `nodes` and `files` go to
//! the cluster, `crypto` and `local` stay on the controller; what only asks the cluster is [`Look`]'s. `settle`
//! finds out what came of an intent that was open when a controller died. `mirror` keeps the journal on the
//! managers too.

mod crypto;
mod files;
mod keyring;
mod local;
mod mirror;
mod nodes;
mod open_jobs;
mod settle;

use super::look::Look;
use super::standing::Standing;
use super::{Acted, Backend, Ready, class_of, fault};
use crate::capability::crypto::{KeysAhead, read_certificate};
use crate::capability::files::Saved;
use crate::capability::nodes::{NodeContext, NodeContexts};
use crate::capability::objects::{Object, Objects};
use crate::capability::operator::Operator;
use crate::capability::secrets::{PasswordPolicy, Secret};
use crate::journal::sealed::{Identity, Recipients};
use crate::journal::{Journal, KeptObject, ObjectKind, Row, Settlement, Trace};
use crate::model::{
    Answer, CommandName, Detail, Effect, EffectClass, Event, Fault, FileName, NodeName, ObjectName,
    PauseReason, PluginName, Roles, RunId, Stop, code,
};
use crate::policy::{Facts, Permit};
use crate::site::{CommandDeclaration, CommandKind, ProcedureSettings, SecretSource, Site};
use crate::transport::Transports;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use zeroize::Zeroizing;

/// What a live backend is made of.
pub struct Parts {
    pub site: Arc<Site>,
    pub run: RunId,
    /// Who and where, for the lease: `alice@laptop`.
    pub controller: String,
    pub settings: ProcedureSettings,
    pub parameters: IndexMap<String, String>,
    /// `--secret` of the command line, before the site's own sources.
    pub secret_sources: IndexMap<String, SecretSource>,
    pub policy: PasswordPolicy,
    pub transports: Transports,
    pub operator: Arc<dyn Operator>,
    pub events: Arc<dyn Fn(&Event) + Send + Sync>,
    pub identity: Identity,
    pub recipients: Recipients,
    pub terms: LeaseTerms,
    pub standing: Arc<dyn Standing>,
}

/// What the operator says of leases that are not free, and of managers that do not answer.
#[derive(Debug, Clone, Default)]
pub struct LeaseTerms {
    /// Take it from whoever has it.
    pub take_over: bool,
    /// Nodes that are known to be dead: they carry no lease of this run.
    pub dead: Vec<NodeName>,
}

/// The file that an effect is copying to several nodes, for as long as one of them still needs its bytes.
struct Copied {
    node: NodeName,
    path: String,
    bytes: Weak<Zeroizing<Vec<u8>>>,
}

/// The live backend of one run.
pub struct Live {
    pub(crate) site: Arc<Site>,
    pub(crate) run: RunId,
    pub(crate) controller: String,
    settings: ProcedureSettings,
    parameters: IndexMap<String, String>,
    secret_sources: IndexMap<String, SecretSource>,
    policy: PasswordPolicy,
    pub(crate) transports: Transports,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) events: Arc<dyn Fn(&Event) + Send + Sync>,
    identity: Identity,
    recipients: Recipients,
    pub(crate) terms: LeaseTerms,
    standing: Arc<dyn Standing>,
    /// How the lease was come by, for the journal.
    pub(crate) story: Mutex<Vec<Row>>,
    objects: Objects,
    keys_ahead: KeysAhead,
    contexts: NodeContexts,
    roles: RwLock<Option<Roles>>,
    tokens: RwLock<HashMap<NodeName, u64>>,
    /// How many rows of the journal each manager holds.
    mirrored: tokio::sync::Mutex<HashMap<NodeName, i64>>,
    copied: tokio::sync::Mutex<Option<Copied>>,
    /// The records of what was saved, by node and path: a restore checks them.
    saved: Mutex<HashMap<(NodeName, String), Saved>>,
}

impl Live {
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            site: parts.site,
            run: parts.run,
            controller: parts.controller,
            settings: parts.settings,
            parameters: parts.parameters,
            secret_sources: parts.secret_sources,
            policy: parts.policy,
            transports: parts.transports,
            operator: parts.operator,
            events: parts.events,
            identity: parts.identity,
            recipients: parts.recipients,
            terms: parts.terms,
            standing: parts.standing,
            story: Mutex::default(),
            objects: Objects::default(),
            keys_ahead: KeysAhead::default(),
            contexts: NodeContexts::default(),
            roles: RwLock::default(),
            tokens: RwLock::default(),
            mirrored: tokio::sync::Mutex::default(),
            copied: tokio::sync::Mutex::default(),
            saved: Mutex::default(),
        })
    }

    /// Ends every connection.
    pub async fn close(self: Arc<Self>) {
        // Whoever else still holds the backend ends them when it lets go.
        if let Some(live) = Arc::into_inner(self) {
            live.transports.close().await;
        }
    }

    pub(crate) fn set_roles(&self, roles: &Roles) {
        *self.roles.write().unwrap_or_else(PoisonError::into_inner) = Some(roles.clone());
    }

    pub(crate) fn set_token(&self, node: &NodeName, token: Option<u64>) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) => drop(tokens.insert(node.clone(), token)),
            None => drop(tokens.remove(node)),
        }
    }

    pub(crate) fn token(&self, node: &NodeName) -> Option<u64> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(node).copied()
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look { site: &self.site, transports: &self.transports, contexts: &self.contexts, roles: &self.roles }
    }

    pub(crate) fn managers(&self) -> Vec<&NodeName> {
        self.look().managers()
    }

    pub(crate) async fn context(&self, node: &NodeName) -> Result<Arc<NodeContext>, Fault> {
        self.look().context(node).await
    }

    fn command(&self, name: &CommandName) -> Result<&CommandDeclaration, Fault> {
        self.look().command(name)
    }

    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn seal(&self, bytes: &[u8]) -> Result<String, Fault> {
        crate::journal::sealed::seal(bytes, &self.recipients)
            .map(|sealed| STANDARD.encode(sealed))
            .map_err(fault(code::FAILED))
    }

    /// What comes before a change is let loose: its save, which is in Windlass's own folder.
    async fn before_change(&self, effect: &Effect, sequence: i64) -> Ready {
        match effect {
            Effect::NodesRun { node, command, .. } => match self.command(command) {
                Ok(declaration) if declaration.kind == CommandKind::Change => {
                    Ready(Some(self.before_command(node, declaration, &nodes::job_id(sequence)).await))
                }
                _ => Ready::default(),
            },
            Effect::FilesSwap { set, node } => Ready(Some(self.before_swap(set, node).await)),
            _ => Ready::default(),
        }
    }

    async fn dispatch(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        sequence: i64,
        ready: Ready,
    ) -> Result<Acted, Stop> {
        Ok(match effect.interface() {
            "nodes" => self.nodes(plugin, effect, sequence, ready).await?,
            "files" => self.files(plugin, effect, ready).await?,
            "cluster" => self.look().cluster(effect).await.into(),
            "crypto" => self.crypto(plugin, effect).await,
            "keyring" => self.keyring(plugin, effect).await?,
            _ => self.local(plugin, effect).await,
        })
    }
}

fn der_of(certificate: &[u8]) -> Result<Vec<u8>, Fault> {
    read_certificate(certificate).map(|der| der.to_vec()).map_err(fault(code::INVALID))
}

impl Facts for Live {
    fn places(&self, node: &NodeName) -> Vec<String> {
        self.look().places(node)
    }
    fn set_members(&self, set: &ObjectName, node: &NodeName) -> Vec<FileName> {
        self.objects.staged(set, node).into_iter().map(|staged| staged.file.name).collect()
    }
    fn is_command(&self, name: &str) -> bool {
        self.look().is_command(name)
    }
    fn secret_in_argv(&self, command: &CommandName) -> bool {
        self.look().command(command).is_ok_and(|command| command.secret_in_argv)
    }
}

impl Backend for Live {
    fn as_facts(&self) -> &dyn Facts {
        self
    }

    fn class(&self, effect: &Effect) -> EffectClass {
        class_of(effect, &self.site.profile)
    }

    fn concurrency(&self) -> usize {
        self.site.ssh.concurrency
    }

    fn mirror<'a>(&'a self, journal: &'a Journal) -> BoxFuture<'a, Result<(), Stop>> {
        self.mirror_all(journal, false).boxed()
    }

    fn ready<'a>(
        &'a self,
        journal: &'a Journal,
        effect: &'a Effect,
        sequence: i64,
    ) -> BoxFuture<'a, Result<Ready, Stop>> {
        async move {
            let (mirrored, ready) =
                futures::join!(self.mirror_all(journal, false), self.before_change(effect, sequence));
            mirrored.map(|()| ready)
        }
        .boxed()
    }

    fn act<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
        ready: Ready,
    ) -> BoxFuture<'a, Result<Acted, Stop>> {
        async move { self.dispatch(plugin, permit.effect(), sequence, ready).await }.boxed()
    }

    fn settle<'a>(
        &'a self,
        plugin: &'a PluginName,
        permit: Permit,
        sequence: i64,
    ) -> BoxFuture<'a, Result<(Acted, Settlement), Stop>> {
        async move { self.settle_effect(plugin, permit.effect(), sequence).await }.boxed()
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
        plugin: &PluginName,
        effect: &Effect,
        _answer: &Answer,
        kept: &[KeptObject],
        traces: &[Trace],
    ) -> Result<(), Stop> {
        let damaged = |why: String| Stop::new(PauseReason::Journal, why);
        for object in kept {
            let damaged =
                |why: String| damaged(format!("{} of the run cannot be opened again: {why}", object.name));
            let bytes = STANDARD.decode(&object.bytes).map_err(|error| damaged(error.to_string()))?;
            let open = || {
                crate::journal::sealed::open(&bytes, &self.identity)
                    .map_err(|error| damaged(error.to_string()))
            };
            let opened = match object.kind {
                ObjectKind::Certificate => Object::Certificate(Arc::new(bytes)),
                ObjectKind::SealedKey => Object::Key(Arc::new(
                    crate::capability::crypto::PrivateKey::from_der(open()?)
                        .map_err(|error| damaged(error.to_string()))?,
                )),
                ObjectKind::Canary => Object::Canary(Arc::new(bytes)),
                ObjectKind::SealedSecret => Object::Secret(Arc::new(Secret::new(open()?.to_vec()))),
            };
            self.objects.add(&object.plugin, &object.name, opened).map_err(|fault| damaged(fault.message))?;
        }
        match effect {
            Effect::StateSet { name, value } => {
                self.objects.set_value(plugin, name, value).map_err(|fault| damaged(fault.message))?;
            }
            Effect::FilesSwap { set, node } | Effect::FilesDiscard { set, node } => {
                self.objects.forget_set(set, node);
            }
            _ => {}
        }
        for trace in traces {
            self.recall_trace(trace);
        }
        Ok(())
    }
}
