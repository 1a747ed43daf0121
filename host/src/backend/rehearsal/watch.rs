//! What must never be, whatever a plugin does: looked at behind every change.

use super::Rehearsal;
use super::cluster::Down;
use crate::model::audit::Rule;
use crate::model::{Answer, Effect, EffectClass, Fault, NodeName};
use crate::site::{CommandDeclaration, Consequences, FileDeclaration, Holds};

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    pub rule: Rule,
    /// What it is about, in a word or two: the same for the same breach of any rehearsal.
    pub about: String,
    pub message: String,
}

impl Rehearsal {
    /// Looks at the cluster behind an effect.
    pub(super) fn watch(
        &self,
        effect: &Effect,
        class: EffectClass,
        answer: &Result<Answer, Fault>,
    ) -> Vec<Breach> {
        let happened = match answer {
            Ok(Answer::Outcome(outcome)) => outcome.succeeded,
            Ok(_) => true,
            Err(_) => false,
        };
        if !happened {
            return Vec::new();
        }
        self.note_looks(effect);
        if class != EffectClass::Change {
            if let Effect::OperatorAcknowledge { .. } = effect {
                self.cluster().acknowledged = true;
            }
            return Vec::new();
        }
        let mut breaches = self.readable(effect);
        breaches.extend(self.both_down(effect));
        breaches.extend(self.old_removed(effect));
        breaches.extend(self.only_copies(effect));
        breaches
    }

    /// A look at a node that came out well says that what was restarted there is up again.
    fn note_looks(&self, effect: &Effect) {
        let mut cluster = self.cluster();
        match effect {
            Effect::ClusterHealth => cluster.down.clear(),
            Effect::ClusterServed { node, .. } => {
                cluster.down.retain(|down| down.node != *node);
                cluster.proven = true;
            }
            Effect::CryptoVerifyChain { .. }
            | Effect::CryptoCheckKey { .. }
            | Effect::KeyringOpens { .. }
            | Effect::KeyringNeeds { .. } => cluster.proven = true,
            Effect::NodesRun { node, command, .. } => {
                let settles = |down: &Down| match self.site.profile.commands.get(&down.command) {
                    Some(CommandDeclaration {
                        consequences: Consequences { settle: Some(crate::site::Settle::Command(by)), .. },
                        ..
                    }) => by == command,
                    _ => false,
                };
                cluster.down.retain(|down| down.node != *node || !settles(down));
            }
            _ => {}
        }
    }

    /// A key that others than its owner's group can read.
    fn readable(&self, effect: &Effect) -> Vec<Breach> {
        let mut found = Vec::new();
        for node in effect.nodes() {
            for file in self.site.profile.files.values().filter(|file| holds_secret(file)) {
                let Ok(resolved) = self.file(node, &file.name) else { continue };
                let cluster = self.cluster();
                let Some(there) = cluster.at(node, &resolved.path) else { continue };
                // What was there before is the site's own doing.
                if cluster.is_as_it_was(node, &resolved.path) {
                    continue;
                }
                let others = u32::from_str_radix(&there.mode, 8).unwrap_or(0o777) & 0o007;
                if others != 0 {
                    found.push(Breach {
                        rule: Rule::Readable,
                        about: format!("{}@{}", file.name, self.place_of(node)),
                        message: format!(
                            "{} on {node} holds a secret, and its mode is {}: everybody on the node can use it",
                            file.name, there.mode
                        ),
                    });
                }
            }
        }
        found
    }

    /// A restart of one manager while the other was not seen to be up again since its own.
    fn both_down(&self, effect: &Effect) -> Option<Breach> {
        let Effect::NodesRun { node, command, .. } = effect else { return None };
        let declaration = self.site.profile.commands.get(command)?;
        let managers = self.site.managers();
        if declaration.consequences.restarts.is_empty() || !managers.contains(&node) {
            return None;
        }
        let mut cluster = self.cluster();
        let other = cluster.down.iter().find(|down| down.node != *node && managers.contains(&&down.node));
        let breach =
            other.filter(|_| !cluster.acknowledged && !declaration.consequences.everywhere).map(|other| {
                Breach {
                    rule: Rule::BothDown,
                    about: command.to_string(),
                    message: format!(
                        "{command} takes {node} down, and nothing has looked whether {} is up again since {}",
                        other.node, other.command
                    ),
                }
            });
        cluster.down.push(Down { node: node.clone(), command: command.clone() });
        breach
    }

    /// A certificate, a key or a key set that is removed before anything proved what takes its place.
    fn old_removed(&self, effect: &Effect) -> Option<Breach> {
        let Effect::FilesRemove { node, file } = effect else { return None };
        let declaration = self.site.profile.files.get(file)?;
        let path = self.file(node, file).ok()?.path;
        let cluster = self.cluster();
        // What the run itself put there is its own to remove.
        let was_there = cluster.was_there(node, &path);
        (was_there && !cluster.proven && declaration.holds != Holds::Bytes).then(|| Breach {
            rule: Rule::OldRemoved,
            about: format!("{file}@{}", self.place_of(node)),
            message: format!(
                "{file} on {node} is removed, and nothing was proven yet: no certificate served, no chain, no key"
            ),
        })
    }

    /// What was there at first and is another now must lie saved: a crash could not lose it otherwise.
    fn only_copies(&self, effect: &Effect) -> Vec<Breach> {
        let cluster = self.cluster();
        let breach = |(node, path): (&NodeName, &str)| Breach {
            rule: Rule::OnlyCopyLost,
            about: format!("{path}@{}", self.place_of(node)),
            message: format!(
                "\"{effect}\" replaces {path} on {node}, and what was there is nowhere any more"
            ),
        };
        cluster.lost().map(breach).collect()
    }

    /// A node as its role, where it has one: findings name what holds for any cluster.
    fn place_of(&self, node: &NodeName) -> String {
        match self.role(node) {
            "" => node.to_string(),
            role => role.to_owned(),
        }
    }
}

/// What others must not read: a key, a key set, and what the profile calls secret.
fn holds_secret(file: &FileDeclaration) -> bool {
    file.secret || matches!(file.holds, Holds::Key { .. } | Holds::KeySet)
}
