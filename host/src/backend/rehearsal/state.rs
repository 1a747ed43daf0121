//! How a simulated cluster stands: against how it stood at first, and against itself.

use super::certificates::Known;
use super::cluster::Held;
use super::{Rehearsal, certificates};
use crate::capability::crypto;
use crate::capability::keyring::Keyset;
use crate::model::{CommandName, FileName, NodeName};
use crate::site::Holds;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a cluster stands, in words that two rehearsals have in common: no hash, no serial number, no time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// By what it is about, as `ha-root-cert on master1`: only what is not as it was at first.
    pub changed: BTreeMap<String, String>,
    /// What does not fit together: a certificate whose issuer is another, a key of another certificate, an endpoint
    /// that presents what its file does not hold.
    pub contradictions: Vec<String>,
    /// Nodes that the run has said are out of step with the others.
    pub set_apart: Vec<NodeName>,
}

impl Standing {
    pub fn is_as_it_was(&self) -> bool {
        self.changed.is_empty()
    }

    /// What is in this one and not in the other, as lines; of a node that was set apart it was said that it is otherwise.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let only_there = other.changed.keys().filter(|about| !self.changed.contains_key(*about));
        self.differing(other, self.changed.keys().chain(only_there))
    }

    /// What the other changed and this one left as it was, as lines.
    pub fn left_out(&self, other: &Self) -> Vec<String> {
        self.differing(other, other.changed.keys().filter(|about| !self.changed.contains_key(*about)))
    }

    fn differing<'a>(&self, other: &Self, of: impl Iterator<Item = &'a String>) -> Vec<String> {
        let word = |standing: &Self, about: &String| {
            standing.changed.get(about).cloned().unwrap_or_else(|| "as it was at first".into())
        };
        let is_said =
            |about: &&String| !self.set_apart.iter().any(|node| about.ends_with(&format!(" {node}")));
        let line = |about: &String| {
            let (here, there) = (word(self, about), word(other, about));
            (here != there).then(|| format!("{about}: {here}, and not: {there}"))
        };
        of.filter(is_said).filter_map(line).collect()
    }
}

impl Rehearsal {
    /// Whether nothing is otherwise than at first. It costs less than [`Rehearsal::standing`].
    pub fn stands_as_at_first(&self) -> bool {
        let cluster = self.cluster();
        cluster.has_files_of_first()
            && !cluster
                .happened
                .symmetric_difference(&cluster.at_first.happened)
                .any(|(_, command)| self.takes_back(command))
    }

    /// Whether a command is undone by another, or undoes one: that it happened is a state.
    fn takes_back(&self, command: &CommandName) -> bool {
        let commands = &self.site.profile.commands;
        let undo = |one: &CommandName| commands.get(one)?.consequences.undo.clone();
        undo(command).is_some() || commands.keys().any(|other| undo(other).as_ref() == Some(command))
    }

    /// How the cluster stands now.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing { contradictions: self.contradictions(), ..Standing::default() };
        let names: Vec<(NodeName, FileName)> = self
            .site
            .nodes
            .keys()
            .flat_map(|node| self.site.profile.files.keys().map(move |file| (node.clone(), file.clone())))
            .collect();
        for (node, name) in names {
            let Ok(file) = self.file(&node, &name) else { continue };
            let cluster = self.cluster();
            if cluster.is_as_it_was(&node, &file.path) {
                continue;
            }
            let Some(there) = cluster.at(&node, &file.path).cloned() else {
                standing.changed.insert(format!("{name} on {node}"), "gone".into());
                continue;
            };
            let what = match &there.held {
                Held::Key { .. } => "another key".to_owned(),
                Held::Bytes(bytes) => holds(bytes).unwrap_or_else(|| cluster.words_of(bytes)),
            };
            let said = format!("{what}, {} {}:{}", there.mode, there.owner, there.group);
            standing.changed.insert(format!("{name} on {node}"), said);
        }
        let cluster = self.cluster();
        standing.set_apart = cluster.quarantined.keys().cloned().collect();
        for (node, command) in cluster.happened.symmetric_difference(&cluster.at_first.happened) {
            // That something was restarted is no state that anybody could bring back.
            if !self.takes_back(command) {
                continue;
            }
            let is_so = cluster.happened.contains(&(node.clone(), command.clone()));
            let word = if is_so { "in force" } else { "taken back" };
            standing.changed.insert(format!("{command} on {node}"), word.into());
        }
        standing
    }

    fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for node in self.site.nodes.keys() {
            for file in self.site.profile.files.values() {
                match &file.holds {
                    Holds::Certificate { issuer: Some(issuer), .. } => {
                        let (Some(leaf), Some(root)) =
                            (self.certificate_at(node, &file.name), self.certificate_at(node, issuer))
                        else {
                            continue;
                        };
                        let now = self.cluster().seconds();
                        if certificates::verify_chain(&leaf.der, &root.der, now).is_err() {
                            found.push(format!("{} on {node} does not chain to {issuer} there", file.name));
                        }
                    }
                    Holds::Key { of } => {
                        let (Some(key), Some(certificate)) =
                            (self.key_at(node, &file.name), self.certificate_at(node, of))
                        else {
                            continue;
                        };
                        if !certificate.is_of(&key) {
                            found.push(format!("{} on {node} is not the key of {of} there", file.name));
                        }
                    }
                    _ => {}
                }
            }
            for (name, endpoint) in &self.site.profile.endpoints {
                let Some(file) = &endpoint.file else { continue };
                let served = self.cluster().served(node, name);
                let (Some(served), Some(held)) = (served, self.certificate_at(node, file)) else { continue };
                if *served != held.der {
                    found.push(format!("{name} on {node} presents another certificate than {file} holds"));
                }
            }
        }
        for file in self.site.profile.files.values().filter(|file| file.holds == Holds::KeySet) {
            let sets: std::collections::BTreeSet<String> =
                self.site.nodes.keys().filter_map(|node| self.key_set_at(node, &file.name)).collect();
            if sets.len() > 1 {
                found.push(format!("{} is not the same on every node", file.name));
            }
        }
        found
    }

    fn certificate_at(&self, node: &NodeName, name: &FileName) -> Option<Arc<Known>> {
        let file = self.file(node, name).ok()?;
        let bytes = self.bytes(node, &file).ok()??;
        certificates::read(&bytes).ok()
    }

    fn key_at(&self, node: &NodeName, name: &FileName) -> Option<Arc<crypto::PrivateKey>> {
        let file = self.file(node, name).ok()?;
        match &self.cluster().at(node, &file.path)?.held {
            Held::Key { key, .. } => Some(key.clone()),
            Held::Bytes(_) => None,
        }
    }

    fn key_set_at(&self, node: &NodeName, name: &FileName) -> Option<String> {
        let file = self.file(node, name).ok()?;
        let bytes = self.bytes(node, &file).ok()??;
        Keyset::parse(&bytes).ok().map(|set| set.fingerprint())
    }
}

/// What is in a file, in words that are the same for another key, another serial number and another time.
fn holds(bytes: &[u8]) -> Option<String> {
    if let Ok(says) = certificates::inspect(bytes) {
        return Some(format!("a certificate of {} by {}", says.subject, says.issuer));
    }
    if let Some((subject, names)) = crypto::inspect_request(bytes) {
        return Some(format!("a signing request of {subject} for {}", names.join(", ")));
    }
    Keyset::parse(bytes).ok().map(|set| format!("a key set of {} versions", set.versions().len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(changed: &[(&str, &str)]) -> Standing {
        let changed = changed.iter().map(|(about, what)| ((*about).into(), (*what).into())).collect();
        Standing { changed, ..Standing::default() }
    }

    #[test]
    fn what_is_left_out_is_told_from_what_is_done_otherwise() {
        let plain = standing(&[("root on one", "new"), ("leaf on one", "new"), ("leaf on two", "new")]);
        let here = standing(&[("root on one", "another"), ("key on one", "new"), ("leaf on two", "new")]);
        assert_eq!(here.left_out(&plain), ["leaf on one: as it was at first, and not: new"]);
        assert_eq!(
            here.differences(&plain),
            [
                "key on one: new, and not: as it was at first",
                "root on one: another, and not: new",
                "leaf on one: as it was at first, and not: new"
            ]
        );
        let said = Standing { set_apart: vec![NodeName::new("one").unwrap()], ..here };
        assert!(said.left_out(&plain).is_empty() && said.differences(&plain).is_empty());
    }
}
