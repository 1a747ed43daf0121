//! `files`: the named files of a node.

use super::super::bindings::files::{Content, FileStat, Host, MemberDone, MemberFingerprint};
use super::super::call::Guest;
use super::{Imported, answer, each, name};
use crate::model::{self, Answer, Effect, Fault, FileName, NodeName};

impl Host for Guest {
    async fn stat(&mut self, node: String, file: String) -> Imported<Option<FileStat>> {
        self.perform(
            || Ok(Effect::FilesStat { node: name(node)?, file: name(file)? }),
            answer!(Answer::Stat(stat) => stat.map(Into::into)),
        )
        .await
    }

    async fn fingerprint(&mut self, node: String, file: String) -> Imported<Option<String>> {
        self.perform(
            || Ok(Effect::FilesFingerprint { node: name(node)?, file: name(file)? }),
            answer!(Answer::Text(digest) => digest),
        )
        .await
    }

    async fn fingerprint_each(
        &mut self,
        nodes: Vec<String>,
        file: String,
    ) -> Imported<Vec<MemberFingerprint>> {
        self.perform(
            || Ok(Effect::FilesFingerprintEach { nodes: names(nodes)?, file: name(file)? }),
            |answer| {
                each(answer, |node, digest| match digest {
                    Ok(Answer::Text(digest)) => Ok(MemberFingerprint { node, fingerprint: Ok(digest) }),
                    Err(fault) => Ok(MemberFingerprint { node, fingerprint: Err(fault.into()) }),
                    Ok(other) => Err(other),
                })
            },
        )
        .await
    }

    async fn read(&mut self, node: String, file: String) -> Imported<Vec<u8>> {
        self.perform(
            || Ok(Effect::FilesRead { node: name(node)?, file: name(file)? }),
            answer!(Answer::Bytes(bytes) => bytes),
        )
        .await
    }

    async fn space(&mut self, node: String, file: String) -> Imported<u64> {
        self.perform(
            || Ok(Effect::FilesSpace { node: name(node)?, file: name(file)? }),
            answer!(Answer::Number(bytes) => bytes),
        )
        .await
    }

    async fn put(&mut self, node: String, file: String, content: Content) -> Imported<()> {
        self.perform(
            || {
                Ok(Effect::FilesPut {
                    node: name(node)?,
                    file: name(file)?,
                    content: self::content(content)?,
                })
            },
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn put_each(
        &mut self,
        nodes: Vec<String>,
        file: String,
        content: Content,
    ) -> Imported<Vec<MemberDone>> {
        self.perform(
            || {
                Ok(Effect::FilesPutEach {
                    nodes: names(nodes)?,
                    file: name(file)?,
                    content: self::content(content)?,
                })
            },
            |answer| {
                each(answer, |node, done| match done {
                    Ok(Answer::Done) => Ok(MemberDone { node, done: Ok(()) }),
                    Err(fault) => Ok(MemberDone { node, done: Err(fault.into()) }),
                    Ok(other) => Err(other),
                })
            },
        )
        .await
    }

    async fn stage(&mut self, set: String, node: String, file: String, content: Content) -> Imported<()> {
        self.perform(
            || {
                Ok(Effect::FilesStage {
                    set: name(set)?,
                    node: name(node)?,
                    file: name(file)?,
                    content: self::content(content)?,
                })
            },
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn swap(&mut self, set: String, node: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::FilesSwap { set: name(set)?, node: name(node)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn discard(&mut self, set: String, node: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::FilesDiscard { set: name(set)?, node: name(node)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn remove(&mut self, node: String, file: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::FilesRemove { node: name(node)?, file: name(file)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn restore(&mut self, node: String, restored: String) -> Imported<()> {
        self.perform(
            || {
                // A file's name or a command's: both are made of the same characters.
                let restored: FileName = name(restored)?;
                Ok(Effect::FilesRestore { node: name(node)?, name: restored.into() })
            },
            answer!(Answer::Done => ()),
        )
        .await
    }
}

fn names(nodes: Vec<String>) -> Result<Vec<NodeName>, Fault> {
    nodes.into_iter().map(name).collect()
}

fn content(content: Content) -> Result<model::Content, Fault> {
    Ok(match content {
        Content::Bytes(bytes) => model::Content::Bytes(bytes),
        Content::Certificate(object) => model::Content::Certificate(name(object)?),
        Content::Key(key) => model::Content::Key { key: name(key.key)?, passphrase: name(key.passphrase)? },
        Content::Secret(object) => model::Content::Secret(name(object)?),
        Content::File(source) => model::Content::File { node: name(source.node)?, file: name(source.file)? },
    })
}

impl From<model::FileStat> for FileStat {
    fn from(stat: model::FileStat) -> Self {
        Self {
            size: stat.size,
            mode: stat.mode,
            owner: stat.owner,
            group: stat.group,
            modified: stat.modified,
        }
    }
}
