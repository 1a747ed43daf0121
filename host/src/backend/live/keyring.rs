//! The key sets of nodes: read for as long as an effect takes, made anew beside the one in use, and kept by no one
//! but the nodes.

use super::crypto::kept;
use super::files::to_fault;
use super::{Live, fault};
use crate::backend::file_faults::missing;
use crate::backend::{Acted, keyring};
use crate::capability::files::{NodeFiles, ResolvedFile};
use crate::capability::keyring::{KeyringError, Keyset, Store};
use crate::capability::objects::Object;
use crate::journal::ObjectKind;
use crate::model::{
    Answer, Effect, Fault, FileName, NodeName, ObjectName, PauseReason, PluginName, Stop, code,
};
use crate::transport::Transports;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

impl Live {
    pub(super) async fn keyring(&self, plugin: &PluginName, effect: &Effect) -> Result<Acted, Stop> {
        match self.keyring_effect(plugin, effect).await {
            Ok(acted) => Ok(acted),
            Err(fault) if fault.code == super::files::FENCED => {
                Err(Stop::new(PauseReason::LeaseLost, fault.message))
            }
            Err(fault) => Ok(Err(fault).into()),
        }
    }

    async fn keyring_effect(&self, plugin: &PluginName, effect: &Effect) -> Result<Acted, Fault> {
        Ok(match effect {
            Effect::KeyringVersions { node, file } => {
                let (files, file) = self.file(node, file).await?;
                let keyset = read(&files, &file).await?;
                Ok(Answer::KeySet(keyset.as_ref().map(keyring::described))).into()
            }
            Effect::KeyringAdd { set, node, file } => {
                self.stage_keyset(set, node, file, Keyset::with_new_primary, keyring::is_one_more).await?
            }
            Effect::KeyringRetire { set, node, file, version } => {
                let without = |keyset: &Keyset| keyset.without(*version);
                // The same set is made each time: what is staged needs no look.
                self.stage_keyset(set, node, file, without, |_, _| false).await?
            }
            Effect::KeyringCanary { name, node, file } => {
                self.free(plugin, name)?;
                let canary = self.keyset(node, file).await?.canary().map_err(fault(code::FAILED))?;
                let text = STANDARD.encode(&canary);
                self.objects.add(plugin, name, Object::Canary(Arc::new(canary)))?;
                kept(plugin, name, ObjectKind::Canary, text, Answer::Done)
            }
            Effect::KeyringOpens { node, file, canary } => {
                let sealed = self.objects.canary(plugin, canary)?;
                let version = self.keyset(node, file).await?.opens_canary(&sealed).map_err(|error| {
                    Fault::new(code::FAILED, format!("{canary} does not open with {file} of {node}: {error}"))
                })?;
                Ok(Answer::Number(version.into())).into()
            }
            Effect::KeyringNeeds { version } => {
                let mut needs = Vec::from_iter(keyring::values_need(&self.site, *version)?);
                needs.extend(keyring::standing_needs(self.standing.as_ref(), &self.run)?);
                Ok(Answer::Words(needs)).into()
            }
            Effect::KeyringRewrap { node, file } => {
                let keyset = self.keyset(node, file).await?;
                let (dir, events) = (self.site.dir.clone(), self.events.clone());
                let sealed = tokio::task::spawn_blocking(move || {
                    let mut told = 0;
                    Store::open(&dir)?.rewrap(&keyset, |so_far| {
                        keyring::tell(events.as_ref(), &mut told, so_far);
                        true
                    })
                });
                let sealed = sealed.await.map_err(fault(code::FAILED))?.map_err(fault(code::FAILED))?;
                // Never negative: a number of rows.
                Ok(Answer::Number(u64::try_from(sealed.of).unwrap_or_default())).into()
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of keyring"))).into(),
        })
    }

    async fn keyset(&self, node: &NodeName, file: &FileName) -> Result<Keyset, Fault> {
        let (files, file) = self.file(node, file).await?;
        read(&files, &file).await?.ok_or_else(|| missing(&file, node))
    }

    /// Makes a key set of the one in use and stages it beside that, unless one that `fits` is staged there already:
    /// a run that was cut short never draws a second key.
    async fn stage_keyset(
        &self,
        set: &ObjectName,
        node: &NodeName,
        file: &FileName,
        make: impl Fn(&Keyset) -> Result<Keyset, KeyringError>,
        fits: impl Fn(&Keyset, &Keyset) -> bool,
    ) -> Result<Acted, Fault> {
        let (files, file) = self.file(node, file).await?;
        if !file.secret {
            return Err(Fault::new(
                code::REFUSED,
                format!("{} holds keys, and is not marked secret in the profile", file.name),
            ));
        }
        let current = read(&files, &file).await?.ok_or_else(|| missing(&file, node))?;
        let waiting = files.read_staged(set, &file).await.map_err(to_fault)?;
        let waiting = waiting.and_then(|json| Keyset::parse(&json).ok()).filter(|new| fits(&current, new));
        let new = match waiting {
            Some(new) => new,
            None => make(&current).map_err(|error| keyring::refusal(&error))?,
        };
        // Staged again even where it was there: whether it was whole and on disk is not known.
        let staged = files.stage(set, &file, new.to_json().expose()).await.map_err(to_fault)?;
        let traces = vec![self.staged_now(set, node, staged)];
        let answer = Ok(Answer::KeySet(Some(keyring::described(&new))));
        Ok(Acted { traces, ..answer.into() })
    }
}

async fn read(files: &NodeFiles<'_, Transports>, file: &ResolvedFile) -> Result<Option<Keyset>, Fault> {
    let Some(json) = files.read_secret(file).await.map_err(to_fault)? else { return Ok(None) };
    keyring::parse(&json, file, files.node).map(Some)
}
