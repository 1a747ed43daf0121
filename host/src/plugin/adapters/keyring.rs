//! `keyring`: the key sets of nodes, and what they seal and open.

use super::super::bindings::keyring::{Host, KeySet, Version};
use super::super::call::Guest;
use super::{Imported, answer, name};
use crate::model::{self, Answer, Effect};

impl Host for Guest {
    async fn versions(&mut self, node: String, file: String) -> Imported<Option<KeySet>> {
        self.perform(
            || Ok(Effect::KeyringVersions { node: name(node)?, file: name(file)? }),
            answer!(Answer::KeySet(set) => set.map(Into::into)),
        )
        .await
    }

    async fn add(&mut self, set: String, node: String, file: String) -> Imported<KeySet> {
        self.perform(
            || Ok(Effect::KeyringAdd { set: name(set)?, node: name(node)?, file: name(file)? }),
            answer!(Answer::KeySet(Some(set)) => set.into()),
        )
        .await
    }

    async fn retire(&mut self, set: String, node: String, file: String, version: u32) -> Imported<KeySet> {
        self.perform(
            || Ok(Effect::KeyringRetire { set: name(set)?, node: name(node)?, file: name(file)?, version }),
            answer!(Answer::KeySet(Some(set)) => set.into()),
        )
        .await
    }

    async fn canary(&mut self, canary: String, node: String, file: String) -> Imported<()> {
        self.perform(
            || Ok(Effect::KeyringCanary { name: name(canary)?, node: name(node)?, file: name(file)? }),
            answer!(Answer::Done => ()),
        )
        .await
    }

    async fn opens(&mut self, node: String, file: String, canary: String) -> Imported<u32> {
        self.perform(
            || Ok(Effect::KeyringOpens { node: name(node)?, file: name(file)?, canary: name(canary)? }),
            |answer| match answer {
                Answer::Number(version) => u32::try_from(version).map_err(|_| answer),
                other => Err(other),
            },
        )
        .await
    }

    async fn needs(&mut self, version: u32) -> Imported<Vec<String>> {
        self.perform(|| Ok(Effect::KeyringNeeds { version }), answer!(Answer::Words(needs) => needs)).await
    }

    async fn rewrap(&mut self, node: String, file: String) -> Imported<u64> {
        self.perform(
            || Ok(Effect::KeyringRewrap { node: name(node)?, file: name(file)? }),
            answer!(Answer::Number(values) => values),
        )
        .await
    }
}

impl From<model::KeySet> for KeySet {
    fn from(set: model::KeySet) -> Self {
        let version = |model::KeyVersion { number, primary, enabled }| Version { number, primary, enabled };
        Self { fingerprint: set.fingerprint, versions: set.versions.into_iter().map(version).collect() }
    }
}
