//! Named files of simulated nodes.

use super::Rehearsal;
use super::cluster::{File, Held};
use crate::backend::declared::declaration;
use crate::backend::fault;
use crate::backend::file_faults::{missing, refuse_read_only, refused};
use crate::backend::label::check_label;
use crate::capability::crypto::{self, hex};
use crate::capability::files::ResolvedFile;
use crate::model::{Answer, Content, Effect, Fault, FileName, FileStat, NodeName, PluginName, code};
use aws_lc_rs::digest::{SHA256, digest};
use std::sync::Arc;

/// Bytes that are free everywhere.
const ROOM: u64 = 10 << 30;

impl Rehearsal {
    pub(super) fn files(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::FilesStat { node, file } => {
                let file = self.file(node, file)?;
                Ok(Answer::Stat(self.stat(node, &file)?))
            }
            Effect::FilesFingerprint { node, file } => {
                let file = self.file(node, file)?;
                Ok(Answer::Text(self.fingerprint(node, &file)?))
            }
            Effect::FilesRead { node, file } => {
                let file = self.file(node, file)?;
                if file.secret {
                    return Err(refused("read", &file, node, "the profile marks it secret"));
                }
                let bytes = self.bytes(node, &file)?.ok_or_else(|| missing(&file, node))?;
                // A plugin that has the bytes can tell their sum.
                self.named_sum(node, &file, &bytes);
                Ok(Answer::Bytes(bytes.to_vec()))
            }
            Effect::FilesSpace { node, file } => self.file(node, file).map(|_| Answer::Number(ROOM)),
            Effect::FilesPut { node, file, content } => {
                let (file, held) = self.writing(plugin, node, file, content)?;
                let mut cluster = self.cluster();
                cluster.save(node, &file.path);
                cluster.lay(node, &file, held, false);
                Ok(Answer::Done)
            }
            Effect::FilesStage { set, node, file, content } => {
                let (file, held) = self.writing(plugin, node, file, content)?;
                self.cluster().sets.stage(set, node, file, held);
                Ok(Answer::Done)
            }
            Effect::FilesSwap { set, node } => {
                let mut cluster = self.cluster();
                let staged = cluster.sets.take(set, node);
                if staged.is_empty() {
                    return Err(Fault::new(code::UNKNOWN, format!("nothing is staged in {set} on {node}")));
                }
                for (file, held) in staged {
                    cluster.save(node, &file.path);
                    cluster.lay(node, &file, held, false);
                }
                Ok(Answer::Done)
            }
            Effect::FilesDiscard { set, node } => {
                self.cluster().sets.take(set, node);
                Ok(Answer::Done)
            }
            Effect::FilesRemove { node, file } => {
                let file = self.file(node, file)?;
                refuse_read_only(&file, node)?;
                let mut cluster = self.cluster();
                cluster.save(node, &file.path);
                cluster.remove(node, &file.path);
                Ok(Answer::Done)
            }
            Effect::FilesRestore { node, name } => self.restore(node, name),
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of files"))),
        }
    }

    fn restore(&self, node: &NodeName, name: &str) -> Result<Answer, Fault> {
        let context = self.context(node)?;
        let command = self.site.profile.commands.iter().find(|(known, _)| known.as_str() == name);
        let paths: Vec<String> = match command {
            Some((_, command)) => {
                let written =
                    context.written(&self.site.profile, command).map_err(|error| error.to_fault())?;
                written.into_iter().map(|target| target.path).collect()
            }
            None => {
                let file = FileName::new(name).map_err(fault(code::INVALID))?;
                vec![self.file(node, &file)?.path]
            }
        };
        let mut cluster = self.cluster();
        paths.iter().for_each(|path| cluster.restore(node, path));
        Ok(Answer::Done)
    }

    pub(super) fn file(&self, node: &NodeName, file: &FileName) -> Result<ResolvedFile, Fault> {
        let declaration = declaration(&self.site.profile, file)?;
        self.context(node)?.resolve_file(declaration).map_err(|error| error.to_fault())
    }

    /// The bytes of a file, a secret one's too: for the host alone.
    pub(super) fn bytes(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<Arc<Vec<u8>>>, Fault> {
        let mut cluster = self.cluster();
        let Some(there) = cluster.at(node, &file.path).cloned() else { return Ok(None) };
        cluster.pool.bytes(&there.held).map(Some)
    }

    /// What would be written, and where.
    fn writing(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        file: &FileName,
        content: &Content,
    ) -> Result<(ResolvedFile, Held), Fault> {
        let file = self.file(node, file)?;
        refuse_read_only(&file, node)?;
        check_label(&self.site.profile, &file, content)?;
        let held = match content {
            Content::Bytes(bytes) => Held::Bytes(Arc::new(bytes.clone())),
            Content::Certificate(name) => {
                let der = self.objects.certificate(plugin, name)?;
                let der = crypto::read_certificate(&der).map_err(fault(code::FAILED))?;
                Held::text(crypto::to_pem(&der))
            }
            Content::Key { key, passphrase } => Held::Key {
                key: self.objects.key(plugin, key)?,
                passphrase: self.objects.secret(plugin, passphrase)?,
            },
            Content::Secret(name) => {
                Held::Bytes(Arc::new(self.objects.secret(plugin, name)?.expose().to_vec()))
            }
            Content::File { node: from, file: source } => {
                let source = self.file(from, source)?;
                let there = self.cluster().at(from, &source.path).cloned();
                there.ok_or_else(|| missing(&source, from))?.held
            }
        };
        Ok((file, held))
    }

    fn fingerprint(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<String>, Fault> {
        if file.guessable {
            let why = "what it holds could be guessed from its fingerprint";
            return Err(refused("fingerprint", file, node, why));
        }
        let Some(bytes) = self.bytes(node, file)? else { return Ok(None) };
        Ok(Some(self.named_sum(node, file, &bytes)))
    }

    fn named_sum(&self, node: &NodeName, file: &ResolvedFile, bytes: &[u8]) -> String {
        let sum = hex(digest(&SHA256, bytes).as_ref());
        self.cluster().names.add(&sum, &format!("{}@{node}.sha256", file.name));
        sum
    }

    fn stat(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<FileStat>, Fault> {
        let Some(bytes) = self.bytes(node, file)? else { return Ok(None) };
        let there = self.cluster().at(node, &file.path).cloned();
        Ok(there.map(|File { mode, owner, group, modified, .. }| FileStat {
            size: bytes.len() as u64,
            mode,
            owner,
            group,
            modified,
        }))
    }
}
