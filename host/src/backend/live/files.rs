//! Named files: looking, writing, swapping, and what was there before.

use super::{Copied, Live, fault};
use crate::backend::file_faults::missing;
use crate::backend::label::check_label;
use crate::backend::{Acted, Ready};
use crate::capability::crypto;
use crate::capability::files::{
    FilesError, NodeFiles, Problem, ResolvedFile, SAVE_LIMIT, Saved, Staged, Target,
};
use crate::capability::nodes::NodeContext;
use crate::journal::Trace;
use crate::model::{
    Answer, Content, Effect, Fault, FileName, NodeName, ObjectName, PauseReason, PluginName, Stop, code,
};
use crate::transport::Transports;
use std::sync::{Arc, PoisonError};
use zeroize::Zeroizing;

/// What was saved of a run lies under this key: the first save of a path wins.
const BEFORE: &str = "before";
/// The code by which a fenced write is told from a failed one, in here.
pub(super) const FENCED: &str = "fenced";

impl Live {
    pub(super) async fn files(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        ready: Ready,
    ) -> Result<Acted, Stop> {
        match self.files_effect(plugin, effect, ready).await {
            Ok(acted) => Ok(acted),
            Err(fault) if fault.code == FENCED => Err(Stop::new(PauseReason::LeaseLost, fault.message)),
            Err(fault) => Ok(Err(fault).into()),
        }
    }

    async fn files_effect(&self, plugin: &PluginName, effect: &Effect, ready: Ready) -> Result<Acted, Fault> {
        match effect {
            Effect::FilesStat { node, file } => {
                let (files, file) = self.file(node, file).await?;
                Ok(Ok(Answer::Stat(files.stat(&file).await.map_err(to_fault)?)).into())
            }
            Effect::FilesFingerprint { node, file } => {
                let (files, file) = self.file(node, file).await?;
                Ok(Ok(Answer::Text(files.fingerprint(&file).await.map_err(to_fault)?)).into())
            }
            Effect::FilesRead { node, file } => {
                let (files, file) = self.file(node, file).await?;
                let bytes = files.read(&file).await.map_err(to_fault)?;
                let bytes = bytes.ok_or_else(|| missing(&file, node))?;
                Ok(Ok(Answer::Bytes(bytes)).into())
            }
            Effect::FilesSpace { node, file } => {
                let (files, file) = self.file(node, file).await?;
                Ok(Ok(Answer::Number(files.space(&file).await.map_err(to_fault)?)).into())
            }
            Effect::FilesPut { node, file, content } => {
                let (files, file) = self.file(node, file).await?;
                let bytes = self.content(plugin, &file, content).await?;
                let traces = self.save(&files, &[Target::from(&file)]).await?;
                files.put(&file, &bytes).await.map_err(to_fault)?;
                Ok(Acted { traces, ..Ok(Answer::Done).into() })
            }
            Effect::FilesStage { set, node, file, content } => {
                let (files, file) = self.file(node, file).await?;
                let bytes = self.content(plugin, &file, content).await?;
                let staged = files.stage(set, &file, &bytes).await.map_err(to_fault)?;
                let traces = vec![self.staged_now(set, node, staged)];
                Ok(Acted { traces, ..Ok(Answer::Done).into() })
            }
            Effect::FilesSwap { set, node } => {
                let traces = ready.or(self.before_swap(set, node)).await?;
                let (files, staged) = self.set(set, node).await?;
                files.swap(set, &staged).await.map_err(to_fault)?;
                self.objects.forget_set(set, node);
                Ok(Acted { traces, ..Ok(Answer::Done).into() })
            }
            Effect::FilesDiscard { set, node } => {
                let staged = self.objects.staged(set, node);
                if staged.is_empty() {
                    return Ok(Ok(Answer::Done).into());
                }
                self.node_files(node).await?.discard(set, &staged).await.map_err(to_fault)?;
                self.objects.forget_set(set, node);
                Ok(Ok(Answer::Done).into())
            }
            Effect::FilesRemove { node, file } => {
                let (files, file) = self.file(node, file).await?;
                let traces = self.save(&files, &[Target::from(&file)]).await?;
                files.remove(&file).await.map_err(to_fault)?;
                Ok(Acted { traces, ..Ok(Answer::Done).into() })
            }
            Effect::FilesRestore { node, name } => {
                let targets = self.targets_of(node, name).await?;
                let files = self.node_files(node).await?;
                let known: Vec<_> = {
                    let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
                    targets
                        .into_iter()
                        .map(|target| {
                            let record = saved.get(&(node.clone(), target.path.clone())).cloned();
                            (target, record)
                        })
                        .collect()
                };
                for one in known {
                    match files.restore(std::slice::from_ref(&one)).await {
                        // What this run never saved it never changed: saving comes first.
                        Ok(()) | Err(FilesError { problem: Problem::NotSaved, .. }) => {}
                        Err(error) => return Err(to_fault(error)),
                    }
                }
                Ok(Ok(Answer::Done).into())
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of files"))),
        }
    }

    /// Notes what was staged; returns it as the journal keeps it.
    pub(super) fn staged_now(&self, set: &ObjectName, node: &NodeName, staged: Staged) -> Trace {
        let (file, sha256) = (staged.file.name.clone(), staged.sha256.clone());
        self.objects.stage(set, node, staged);
        Trace::Staged { set: set.clone(), node: node.clone(), file, sha256 }
    }

    pub(super) async fn before_swap(&self, set: &ObjectName, node: &NodeName) -> Result<Vec<Trace>, Fault> {
        let (files, staged) = self.set(set, node).await?;
        let targets: Vec<_> = staged.iter().map(|staged| Target::from(&staged.file)).collect();
        self.save(&files, &targets).await
    }

    /// The files of a node, as this run works on them.
    pub(crate) async fn node_files<'a>(
        &'a self,
        node: &'a NodeName,
    ) -> Result<NodeFiles<'a, Transports>, Fault> {
        if !self.site.nodes.contains_key(node) {
            return Err(Fault::new(code::UNKNOWN, format!("the site has no node {node}")));
        }
        Ok(NodeFiles {
            remote: &self.transports,
            node,
            user: &self.site.profile.service_user,
            run: &self.run,
            token: self.token(node),
        })
    }

    pub(super) async fn file<'a>(
        &'a self,
        node: &'a NodeName,
        file: &FileName,
    ) -> Result<(NodeFiles<'a, Transports>, ResolvedFile), Fault> {
        let context = self.context(node).await?;
        let resolved = self.resolve(&context, file)?;
        Ok((self.node_files(node).await?, resolved))
    }

    fn resolve(&self, context: &NodeContext, file: &FileName) -> Result<ResolvedFile, Fault> {
        self.look().resolve(context, file)
    }

    async fn set<'a>(
        &'a self,
        set: &ObjectName,
        node: &'a NodeName,
    ) -> Result<(NodeFiles<'a, Transports>, Vec<Staged>), Fault> {
        let staged = self.objects.staged(set, node);
        if staged.is_empty() {
            return Err(Fault::new(code::UNKNOWN, format!("nothing is staged in {set} on {node}")));
        }
        Ok((self.node_files(node).await?, staged))
    }

    /// A file's bytes, for the host's own comparisons.
    pub(super) async fn file_bytes(&self, node: &NodeName, file: &FileName) -> Result<Vec<u8>, Fault> {
        let (files, file) = self.file(node, file).await?;
        files.read(&file).await.map_err(to_fault)?.ok_or_else(|| missing(&file, node))
    }

    /// The bytes to write. The label of a secret never comes off: its bytes go into secret files only.
    async fn content(
        &self,
        plugin: &PluginName,
        file: &ResolvedFile,
        content: &Content,
    ) -> Result<Arc<Zeroizing<Vec<u8>>>, Fault> {
        check_label(&self.site.profile, file, content)?;
        let bytes = match content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Certificate(name) => {
                let der = self.objects.certificate(plugin, name)?;
                let der = crypto::read_certificate(&der).map_err(fault(code::FAILED))?;
                crypto::to_pem(&der).into_bytes()
            }
            Content::Key { key, passphrase } => {
                self.objects.key_file(plugin, key, passphrase)?.as_bytes().to_vec()
            }
            Content::Secret(name) => self.objects.secret(plugin, name)?.expose().to_vec(),
            Content::File { node, file: from } => return self.source(node, from).await,
        };
        Ok(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes of a file that is to be copied: read once for all nodes that one effect writes it to. As soon as the
    /// last of them has it, nobody has it here, and the next effect reads it anew.
    async fn source(&self, node: &NodeName, file: &FileName) -> Result<Arc<Zeroizing<Vec<u8>>>, Fault> {
        let (files, source) = self.file(node, file).await?;
        let mut copied = self.copied.lock().await;
        let same = copied.as_ref().filter(|copied| (&copied.node, &copied.path) == (node, &source.path));
        if let Some(bytes) = same.and_then(|copied| copied.bytes.upgrade()) {
            return Ok(bytes);
        }
        let bytes = files.read_secret(&source).await.map_err(to_fault)?;
        let bytes = Arc::new(bytes.ok_or_else(|| missing(&source, node))?);
        *copied = Some(Copied { node: node.clone(), path: source.path, bytes: Arc::downgrade(&bytes) });
        Ok(bytes)
    }

    /// Saves what a change will replace; the first save of a path in a run is what a restore brings back.
    pub(super) async fn save(
        &self,
        files: &NodeFiles<'_, Transports>,
        targets: &[Target],
    ) -> Result<Vec<Trace>, Fault> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        // A constant that is a valid name.
        let key = ObjectName::new(BEFORE).map_err(fault(code::FAILED))?;
        let saved = files.save(&key, targets, SAVE_LIMIT).await.map_err(to_fault)?;
        let mut traces = Vec::new();
        for (target, Saved { path, existed, digest }) in targets.iter().zip(saved) {
            let (node, at) = (files.node.clone(), target.path.clone());
            let trace = Trace::Saved { node, path: at, saved: path, existed, digest };
            self.recall_trace(&trace);
            traces.push(trace);
        }
        Ok(traces)
    }

    /// What a file's or a command's name stands for on a node: the paths it is declared to write.
    async fn targets_of(&self, node: &NodeName, name: &str) -> Result<Vec<Target>, Fault> {
        let context = self.context(node).await?;
        if let Some(command) = self.site.profile.commands.iter().find(|(known, _)| known.as_str() == name) {
            return context.written(&self.site.profile, command.1).map_err(|error| error.to_fault());
        }
        let file = FileName::new(name).map_err(fault(code::INVALID))?;
        Ok(vec![Target::from(&self.resolve(&context, &file)?)])
    }

    pub(super) fn recall_trace(&self, trace: &Trace) {
        match trace {
            Trace::Saved { node, path, saved, existed, digest } => {
                let record = Saved { path: saved.clone(), existed: *existed, digest: digest.clone() };
                let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
                saved.entry((node.clone(), path.clone())).or_insert(record);
            }
            Trace::Staged { set, node, file, sha256 } => {
                self.staged_before(set, node, file, sha256.clone());
            }
            Trace::Strayed { .. } => {}
        }
    }

    pub(super) fn staged_before(
        &self,
        set: &ObjectName,
        node: &NodeName,
        file: &FileName,
        sha256: Option<String>,
    ) {
        let context = self.contexts.known(node);
        // Resolved before recall: a node whose variables cannot be asked stops the resume earlier.
        if let Some(Ok(file)) = context.map(|context| self.resolve(&context, file)) {
            self.objects.stage(set, node, Staged { file, sha256 });
        }
    }
}

/// A node that another run holds now refused the write. Never reaches a guest: the run stops.
pub(super) fn to_fault(error: FilesError) -> Fault {
    let fault = error.to_fault();
    match error.problem {
        Problem::Fenced { .. } => Fault { code: FENCED.into(), ..fault },
        _ => fault,
    }
}
