//! Named files: live where nothing has changed, else as the overlay has them.

use super::Planning;
use super::imagined::{Held, Laid, Paper};
use crate::backend::fault;
use crate::backend::file_faults::{missing, refuse_read_only, refused};
use crate::backend::label::check_label;
use crate::capability::crypto::{self, hex};
use crate::capability::files::{NodeFiles, ResolvedFile};
use crate::model::{
    Answer, Content, Effect, Fault, FileName, FileStat, NodeName, ObjectName, PluginName, RunId, code,
};
use crate::transport::Transports;
use aws_lc_rs::digest::{SHA256, digest};
use std::sync::Arc;

impl Planning {
    pub(super) async fn files(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::FilesStat { node, file } => {
                let file = self.file(node, file).await?;
                Ok(Answer::Stat(self.stat(node, &file).await?))
            }
            Effect::FilesFingerprint { node, file } => {
                let file = self.file(node, file).await?;
                Ok(Answer::Text(self.fingerprint(node, &file).await?))
            }
            Effect::FilesRead { node, file } => {
                let file = self.file(node, file).await?;
                match self.read(node, &file).await? {
                    Some(bytes) => Ok(Answer::Bytes(bytes)),
                    None => Err(missing(&file, node)),
                }
            }
            Effect::FilesSpace { node, file } => {
                let file = self.file(node, file).await?;
                let run = plan_run()?;
                self.at(node, &run).space(&file).await.map(Answer::Number).map_err(|error| error.to_fault())
            }
            Effect::FilesPut { node, file, content } => {
                let (file, held) = self.writing(plugin, node, file, content).await?;
                self.imagined().lay(node, &file.path, held, false);
                Ok(Answer::Done)
            }
            Effect::FilesStage { set, node, file, content } => {
                let (file, held) = self.writing(plugin, node, file, content).await?;
                self.imagined().sets.stage(set, node, file, held);
                Ok(Answer::Done)
            }
            Effect::FilesSwap { set, node } => self.swap(set, node),
            Effect::FilesDiscard { set, node } => {
                self.imagined().sets.take(set, node);
                Ok(Answer::Done)
            }
            Effect::FilesRemove { node, file } => {
                let file = self.file(node, file).await?;
                refuse_read_only(&file, node)?;
                self.imagined().lay(node, &file.path, Held::Absent, false);
                Ok(Answer::Done)
            }
            Effect::FilesRestore { node, name } => self.restore(node, name).await,
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of files"))),
        }
    }

    fn swap(&self, set: &ObjectName, node: &NodeName) -> Result<Answer, Fault> {
        let mut imagined = self.imagined();
        let staged = imagined.sets.take(set, node);
        if staged.is_empty() {
            return Err(Fault::new(code::UNKNOWN, format!("nothing is staged in {set} on {node}")));
        }
        for (file, held) in staged {
            imagined.lay(node, &file.path, held, false);
        }
        Ok(Answer::Done)
    }

    async fn restore(&self, node: &NodeName, name: &str) -> Result<Answer, Fault> {
        let look = self.look();
        let context = look.context(node).await?;
        let command = self.site.profile.commands.iter().find(|(known, _)| known.as_str() == name);
        let paths: Vec<String> = match command {
            Some((_, command)) => {
                let written =
                    context.written(&self.site.profile, command).map_err(|error| error.to_fault())?;
                written.into_iter().map(|target| target.path).collect()
            }
            None => {
                let file = FileName::new(name).map_err(fault(code::INVALID))?;
                vec![look.resolve(&context, &file)?.path]
            }
        };
        let mut imagined = self.imagined();
        paths.iter().for_each(|path| imagined.forget(node, path));
        Ok(Answer::Done)
    }

    pub(super) async fn file(&self, node: &NodeName, file: &FileName) -> Result<ResolvedFile, Fault> {
        let context = self.look().context(node).await?;
        self.look().resolve(&context, file)
    }

    pub(super) fn at<'a>(&'a self, node: &'a NodeName, run: &'a RunId) -> NodeFiles<'a, Transports> {
        NodeFiles { remote: &self.transports, node, user: &self.site.profile.service_user, run, token: None }
    }

    async fn writing(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        file: &FileName,
        content: &Content,
    ) -> Result<(ResolvedFile, Held), Fault> {
        let file = self.file(node, file).await?;
        refuse_read_only(&file, node)?;
        check_label(&self.site.profile, &file, content)?;
        let held = match content {
            Content::Bytes(bytes) => self.held(bytes),
            Content::Certificate(name) => match self.imagined().certificate(plugin, name)? {
                Paper::Born(born) => Held::Born(born),
                Paper::Known(der) => {
                    let der = crypto::read_certificate(&der).map_err(fault(code::FAILED))?;
                    Held::Known(Arc::new(crypto::to_pem(&der).into_bytes()))
                }
            },
            Content::Key { key, passphrase } => {
                let imagined = self.imagined();
                imagined.secret(plugin, passphrase)?;
                // The same key under the same passphrase is always the same file.
                Held::Born(format!("{}+{passphrase}", imagined.key(plugin, key)?.0))
            }
            Content::Secret(name) => {
                self.imagined().secret(plugin, name)?;
                Held::Born(name.to_string())
            }
            Content::File { node: from, file: source } => self.copied(from, source).await?,
        };
        Ok((file, held))
    }

    async fn copied(&self, node: &NodeName, file: &FileName) -> Result<Held, Fault> {
        let file = self.file(node, file).await?;
        let laid = self.imagined().at(node, &file.path);
        match laid {
            Some(Laid { held: Held::Absent, .. }) => Err(missing(&file, node)),
            Some(Laid { held, .. }) => Ok(held),
            None => {
                let run = plan_run()?;
                let there = self.at(node, &run).stat(&file).await.map_err(|error| error.to_fault())?;
                match there {
                    Some(_) => Ok(Held::Live { node: node.clone(), file }),
                    None => Err(missing(&file, node)),
                }
            }
        }
    }

    /// Bytes of a plugin's: a certificate that is born, given back, is still that certificate.
    fn held(&self, bytes: &[u8]) -> Held {
        match self.imagined().symbols.born_of(bytes) {
            Some(born) => Held::Born(born.to_owned()),
            None => Held::Known(Arc::new(bytes.to_vec())),
        }
    }

    pub(super) async fn read(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<Vec<u8>>, Fault> {
        if file.secret {
            return Err(refused("read", file, node, "the profile marks it secret"));
        }
        let laid = self.imagined().at(node, &file.path);
        match laid.map(|laid| laid.held) {
            None => self.live_bytes(node, file).await,
            Some(held) => self.bytes(&held).await,
        }
    }

    /// The bytes of what is held; a stand-in for what is born.
    pub(super) async fn bytes(&self, held: &Held) -> Result<Option<Vec<u8>>, Fault> {
        match held {
            Held::Absent => Ok(None),
            Held::Known(bytes) => Ok(Some(bytes.to_vec())),
            Held::Born(born) => Ok(Some(self.imagined().symbols.file(born))),
            Held::Live { node, file } => self.live_bytes(node, file).await,
        }
    }

    async fn live_bytes(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<Vec<u8>>, Fault> {
        let run = plan_run()?;
        self.at(node, &run).read(file).await.map_err(|error| error.to_fault())
    }

    async fn fingerprint(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<String>, Fault> {
        if file.guessable {
            let why = "what it holds could be guessed from its fingerprint";
            return Err(refused("fingerprint", file, node, why));
        }
        let laid = self.imagined().at(node, &file.path);
        let (node, file) = match laid.map(|laid| laid.held) {
            None => (node.clone(), file.clone()),
            Some(Held::Live { node, file }) => (node, file),
            Some(Held::Absent) => return Ok(None),
            Some(Held::Born(born)) => {
                return Ok(Some(self.imagined().symbols.sha256(format!("{born}.sha256"))));
            }
            Some(Held::Known(bytes)) => {
                let sum = hex(digest(&SHA256, &bytes).as_ref());
                let mut imagined = self.imagined();
                return Ok(Some(match imagined.symbols.mentions(&bytes) {
                    // What a stand-in is part of has another sum when it is the real thing.
                    true => imagined.symbols.sha256(format!("bytes-{sum:.8}.sha256")),
                    false => sum,
                }));
            }
        };
        let run = plan_run()?;
        self.at(&node, &run).fingerprint(&file).await.map_err(|error| error.to_fault())
    }

    /// Mode and owner as they will be. The size of what is born is not known: that of what is there stands in.
    pub(super) async fn stat(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<FileStat>, Fault> {
        let run = plan_run()?;
        let now = self.at(node, &run).stat(file).await.map_err(|error| error.to_fault())?;
        let Some(Laid { held, by_command }) = self.imagined().at(node, &file.path) else { return Ok(now) };
        let size = match &held {
            Held::Absent => return Ok(None),
            Held::Known(bytes) => bytes.len() as u64,
            Held::Born(_) => now.as_ref().map_or(1, |stat| stat.size.max(1)),
            Held::Live { node, file } => {
                let source = self.at(node, &run).stat(file).await.map_err(|error| error.to_fault())?;
                source.map_or(1, |stat| stat.size)
            }
        };
        let declared = file.mode.map(|mode| format!("{mode:04o}"));
        let before = now.as_ref().map(|stat| stat.mode.clone());
        let new = if file.secret { "0600" } else { "0644" };
        let mode = if by_command { before.or(declared) } else { declared.or(before) };
        let service = self.site.profile.service_user.clone();
        let (mut owner, mut group) = match &now {
            Some(stat) => (stat.owner.clone(), stat.group.clone()),
            None => (service.clone(), service),
        };
        if let (Some(declared), false) = (&file.owner, by_command) {
            match declared.split_once(':') {
                Some((user, its)) => (owner, group) = (user.into(), its.into()),
                None => owner = declared.clone(),
            }
        }
        let modified = self.now();
        Ok(Some(FileStat { size, mode: mode.unwrap_or_else(|| new.into()), owner, group, modified }))
    }
}

/// A plan has no run; looking needs the type, and its scripts do not use the name.
pub(super) fn plan_run() -> Result<RunId, Fault> {
    RunId::new("plan").map_err(fault(code::FAILED))
}
