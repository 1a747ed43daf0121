//! Key sets: those that are there are read; one that the run makes is a symbol.

use super::Planning;
use super::files::plan_run;
use super::imagined::{Held, Laid, Made};
use super::symbols::Symbols;
use crate::backend::file_faults::missing;
use crate::backend::keyring;
use crate::capability::files::ResolvedFile;
use crate::capability::keyring::Keyset;
use crate::model::{Answer, Effect, Fault, KeySet, KeyVersion, NodeName, ObjectName, PluginName, code};

impl Planning {
    pub(super) async fn keyring(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::KeyringVersions { node, file } => {
                let file = self.file(node, file).await?;
                Ok(Answer::KeySet(self.versions(node, &file).await?))
            }
            Effect::KeyringAdd { set, node, file } => {
                let file = self.file(node, file).await?;
                let versions = self.there(node, &file).await?.versions;
                let born = self.imagined().symbols.name(&file.name.to_string());
                let versions = one_more(&mut self.imagined().symbols, versions, &born);
                self.stage(set, node, file, born, versions)
            }
            Effect::KeyringRetire { set, node, file, version } => {
                let file = self.file(node, file).await?;
                let mut versions = self.there(node, &file).await?.versions;
                match versions.iter().find(|known| known.number == *version) {
                    None => Err(Fault::new(
                        code::UNKNOWN,
                        format!("the key set of {node} has no version {version}"),
                    )),
                    Some(KeyVersion { primary: true, .. }) => Err(Fault::new(
                        code::REFUSED,
                        format!("version {version} is the primary of the key set of {node}"),
                    )),
                    Some(_) => {
                        versions.retain(|known| known.number != *version);
                        let born = self.imagined().symbols.name(&file.name.to_string());
                        self.stage(set, node, file, born, versions)
                    }
                }
            }
            Effect::KeyringCanary { name, node, file } => {
                let file = self.file(node, file).await?;
                let set = self.there(node, &file).await?;
                let primary = set.versions.iter().find(|version| version.primary).map_or(0, |v| v.number);
                self.imagined().make(plugin, name, Made::Canary { under: primary })?;
                Ok(Answer::Done)
            }
            Effect::KeyringOpens { node, file, canary } => {
                let file = self.file(node, file).await?;
                let set = self.there(node, &file).await?;
                let under = self.imagined().canary(plugin, canary)?;
                match set.versions.iter().any(|known| known.number == under) {
                    true => Ok(Answer::Number(under.into())),
                    false => Err(Fault::new(
                        code::FAILED,
                        format!("{canary} does not open with {} of {node}", file.name),
                    )),
                }
            }
            Effect::KeyringNeeds { version } => {
                // What would have been sealed anew by then needs it no more.
                let mut needs = match self.imagined().rewrapped {
                    true => Vec::new(),
                    false => Vec::from_iter(keyring::values_need(&self.site, *version)?),
                };
                needs.extend(keyring::standing_needs(self.standing.as_ref(), &plan_run()?)?);
                Ok(Answer::Words(needs))
            }
            Effect::KeyringRewrap { node, file } => {
                let file = self.file(node, file).await?;
                self.there(node, &file).await?;
                let mut imagined = self.imagined();
                imagined.rewrapped = true;
                imagined.assumed.insert("every value of the site opens with the key set".into());
                Ok(Answer::Number(0))
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of keyring"))),
        }
    }

    async fn there(&self, node: &NodeName, file: &ResolvedFile) -> Result<KeySet, Fault> {
        self.versions(node, file).await?.ok_or_else(|| missing(file, node))
    }

    async fn versions(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<KeySet>, Fault> {
        let laid = self.imagined().at(node, &file.path).map(|laid: Laid| laid.held);
        match laid {
            None => self.live_keyset(node, file).await,
            Some(Held::Live { node, file }) => self.live_keyset(&node, &file).await,
            Some(Held::Absent) => Ok(None),
            Some(Held::Born(born)) => {
                let known = self.imagined().keysets.get(&born).cloned();
                match known {
                    Some(set) => Ok(Some(set)),
                    // A command wrote it: that it is what was there with one version more is what it is declared for.
                    None => self.by_command(node, file, born).await.map(Some),
                }
            }
            Some(Held::Known(bytes)) => {
                let keyset = Keyset::parse(&bytes).map_err(crate::backend::fault(code::INVALID))?;
                Ok(Some(keyring::described(&keyset)))
            }
        }
    }

    async fn by_command(&self, node: &NodeName, file: &ResolvedFile, born: String) -> Result<KeySet, Fault> {
        let before = self.live_keyset(node, file).await?;
        let mut imagined = self.imagined();
        let versions = before.map_or_else(Vec::new, |set| set.versions);
        let versions = one_more(&mut imagined.symbols, versions, &born);
        let set = KeySet { fingerprint: imagined.symbols.sha256(format!("{born}.fingerprint")), versions };
        imagined.keysets.insert(born, set.clone());
        Ok(set)
    }

    fn stage(
        &self,
        set: &ObjectName,
        node: &NodeName,
        file: ResolvedFile,
        born: String,
        versions: Vec<KeyVersion>,
    ) -> Result<Answer, Fault> {
        let mut imagined = self.imagined();
        let fingerprint = imagined.symbols.sha256(format!("{born}.fingerprint"));
        let made = KeySet { fingerprint, versions };
        imagined.born.push(born.clone());
        imagined.keysets.insert(born.clone(), made.clone());
        imagined.sets.stage(set, node, file, Held::Born(born));
        Ok(Answer::KeySet(Some(made)))
    }

    async fn live_keyset(&self, node: &NodeName, file: &ResolvedFile) -> Result<Option<KeySet>, Fault> {
        let run = plan_run()?;
        let json = self.at(node, &run).read_secret(file).await.map_err(|error| error.to_fault())?;
        let Some(json) = json else { return Ok(None) };
        Ok(Some(keyring::described(&keyring::parse(&json, file, node)?)))
    }
}

/// One version more, which is the primary; its number is known after apply.
fn one_more(symbols: &mut Symbols, mut versions: Vec<KeyVersion>, born: &str) -> Vec<KeyVersion> {
    const NEAR: u32 = u32::MAX / 2;
    versions.iter_mut().for_each(|version| version.primary = false);
    let number = symbols.number(format!("{born}.version"), i64::from(NEAR));
    // Near the middle of its range it stays within it.
    let number = u32::try_from(number).unwrap_or(NEAR);
    versions.push(KeyVersion { number, primary: true, enabled: true });
    versions
}
