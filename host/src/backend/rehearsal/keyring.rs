//! Key sets of simulated nodes: real ones, whose keys everybody knows.

use super::Rehearsal;
use super::cluster::Held;
use super::content::one_more;
use crate::backend::file_faults::missing;
use crate::backend::{fault, keyring};
use crate::capability::files::ResolvedFile;
use crate::capability::keyring::Keyset;
use crate::capability::objects::Object;
use crate::model::{Answer, Effect, Fault, FileName, NodeName, ObjectName, PluginName, code};
use std::sync::Arc;

impl Rehearsal {
    pub(super) fn keyring(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::KeyringVersions { node, file } => {
                let file = self.file(node, file)?;
                let set = self.keyset(node, &file)?;
                if let Some(set) = &set {
                    self.name_set(&file, set);
                }
                Ok(Answer::KeySet(set.as_ref().map(keyring::described)))
            }
            Effect::KeyringAdd { set, node, file } => self.stage_set(set, node, file, one_more),
            Effect::KeyringRetire { set, node, file, version } => self.stage_set(set, node, file, |there| {
                there.without(*version).map_err(|error| keyring::refusal(&error))
            }),
            Effect::KeyringCanary { name, node, file } => {
                self.free(plugin, name)?;
                let canary = self.there(node, file)?.1.canary().map_err(fault(code::FAILED))?;
                self.objects.add(plugin, name, Object::Canary(Arc::new(canary)))?;
                Ok(Answer::Done)
            }
            Effect::KeyringOpens { node, file, canary } => {
                let sealed = self.objects.canary(plugin, canary)?;
                let (_, set) = self.there(node, file)?;
                let version = set.opens_canary(&sealed).map_err(|error| {
                    Fault::new(code::FAILED, format!("{canary} does not open with {file} of {node}: {error}"))
                })?;
                Ok(Answer::Number(version.into()))
            }
            Effect::KeyringNeeds { .. } => {
                let cluster = self.cluster();
                let need = |(node, reason): (&NodeName, &String)| {
                    format!("{node} is in quarantine and may have nothing newer ({reason})")
                };
                Ok(Answer::Words(cluster.quarantined.iter().map(need).collect()))
            }
            // A simulated site keeps no values of its own.
            Effect::KeyringRewrap { node, file } => self.there(node, file).map(|_| Answer::Number(0)),
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of keyring"))),
        }
    }

    fn there(&self, node: &NodeName, file: &FileName) -> Result<(ResolvedFile, Keyset), Fault> {
        let file = self.file(node, file)?;
        let set = self.keyset(node, &file)?.ok_or_else(|| missing(&file, node))?;
        Ok((file, set))
    }

    fn keyset(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<Keyset>, Fault> {
        let Some(json) = self.bytes(node, file)? else { return Ok(None) };
        keyring::parse(&json, file, node).map(Some)
    }

    fn stage_set(
        &self,
        set: &ObjectName,
        node: &NodeName,
        file: &FileName,
        make: impl Fn(&Keyset) -> Result<Keyset, Fault>,
    ) -> Result<Answer, Fault> {
        let (file, there) = self.there(node, file)?;
        if !file.secret {
            return Err(Fault::new(
                code::REFUSED,
                format!("{} holds keys, and is not marked secret in the profile", file.name),
            ));
        }
        let new = make(&there)?;
        self.name_set(&file, &new);
        let held = Held::Bytes(Arc::new(new.to_json().expose().to_vec()));
        self.cluster().sets.stage(set, node, file, held);
        Ok(Answer::KeySet(Some(keyring::described(&new))))
    }

    fn name_set(&self, file: &ResolvedFile, set: &Keyset) {
        self.cluster().names.add(&set.fingerprint(), &format!("{}.fingerprint", file.name));
    }
}
