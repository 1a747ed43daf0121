//! The behaviour envelope: what rehearsals saw a plugin take of its grants, in which call; and whether an effect of a
//! run is inside it.
//!
//! An entry names a role or a group in place of a node, and a parameter in place of a value that is one: it holds for
//! any cluster. A value that was another in each rehearsal, and is neither, holds for all of its placeholder.

use super::gate::{Claim, Facts};
use super::requirement::Requirement;
use crate::model::NodeName;
use crate::model::audit::Envelope;
use crate::site::ROLES;
use std::collections::BTreeMap;

/// What a node that is neither bound nor in a group is called.
const ANY: &str = "any";
/// Stands for every value of a placeholder.
const EVERY: &str = "*";

/// What an entry names instead of writing it out: nodes, as their role or group, and parameters. Looked up where a value
/// stands, so that a cluster of thousands costs an effect nothing.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub nodes: &'a [NodeName],
    pub parameters: &'a [(String, String)],
    pub facts: &'a dyn Facts,
}

impl Names<'_> {
    fn value(&self, value: &str) -> String {
        if let Some(node) = self.nodes.iter().find(|node| node.as_str() == value) {
            return format!("@{}", place_of(&self.facts.places(node)));
        }
        // Of two parameters with one value the later is named.
        let given = self.parameters.iter().rev().find(|(_, known)| !known.is_empty() && known == value);
        given.map_or_else(|| format!("{value:?}"), |(name, _)| format!("${name}"))
    }
}

/// Where a node is, of its roles and groups: its role, as a run binds it, before its groups, as a site names them.
fn place_of(places: &[String]) -> &str {
    let role = places.iter().find(|place| ROLES.contains(&place.as_str()));
    role.or_else(|| places.first()).map_or(ANY, String::as_str)
}

/// Writes what an effect takes as an entry.
fn entry(claim: &Claim, names: &Names<'_>) -> String {
    written(claim, &|_, value| names.value(value))
}

fn written(claim: &Claim, value: &dyn Fn(&str, &str) -> String) -> String {
    // The last is the node's own name, which no other cluster has.
    let place = place_of(claim.places.split_last().map_or(&[], |(_, places)| places));
    match &claim.requirement {
        Requirement::Command { command, arguments, .. } => {
            let mut text = format!("run {command} on {place}");
            for (name, plain) in arguments {
                let value = plain.as_ref().map_or_else(|| "a secret".into(), |plain| value(name, plain));
                text.push_str(&format!(", {name}={value}"));
            }
            text
        }
        Requirement::File { verb, file, .. } => format!("{verb} {file} on {place}"),
        Requirement::Endpoint { endpoint, .. } => format!("ask {endpoint} on {place}"),
        Requirement::Crypto(operation) => format!("crypto {operation}"),
        Requirement::Keyring(operation) => format!("keyring {operation}"),
        Requirement::Secret { secret, sink: None } => format!("hold secret {secret}"),
        Requirement::Secret { secret, sink: Some(sink) } => format!("give secret {secret} to {sink}"),
        Requirement::General(word) => format!("general {word}"),
    }
}

/// Collects an envelope.
#[derive(Debug, Clone, Default)]
pub struct Collecting {
    entries: Envelope,
    /// By call and entry without values, by placeholder: the values that are no names.
    literals: BTreeMap<(String, String, String), std::collections::BTreeSet<String>>,
}

/// As many values of a placeholder as an envelope lists; more, and it is any value.
const MOST_LITERALS: usize = 3;

impl Collecting {
    pub fn add(&mut self, call: &str, claim: &Claim, names: &Names<'_>) {
        if let Requirement::Command { command, arguments, .. } = &claim.requirement {
            for (name, plain) in arguments {
                let Some(value) = plain.as_ref().map(|plain| names.value(plain)) else { continue };
                if value.starts_with('"') {
                    let at = (call.to_owned(), command.to_string(), name.clone());
                    self.literals.entry(at).or_default().insert(value);
                }
            }
        }
        let entry = entry(claim, names);
        self.entries.0.entry(call.to_owned()).or_default().insert(entry);
    }

    pub fn merge(&mut self, other: Self) {
        for (call, entries) in other.entries.0 {
            self.entries.0.entry(call).or_default().extend(entries);
        }
        for (at, values) in other.literals {
            self.literals.entry(at).or_default().extend(values);
        }
    }

    /// The envelope, with values that vary written as any.
    pub fn finish(self) -> Envelope {
        let mut envelope = self.entries;
        for ((call, command, name), values) in self.literals {
            if values.len() <= MOST_LITERALS {
                continue;
            }
            let Some(entries) = envelope.0.get_mut(&call) else { continue };
            let of = format!("run {command} on ");
            let widened = std::mem::take(entries).into_iter().map(|entry| match entry.starts_with(&of) {
                true => values.iter().fold(entry, |entry, value| {
                    entry.replace(&format!(", {name}={value}"), &format!(", {name}={EVERY}"))
                }),
                false => entry,
            });
            *entries = widened.collect();
        }
        envelope
    }
}

/// An envelope that a run is held to.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub envelope: Envelope,
    /// The site's nodes and the run's parameters.
    pub nodes: Vec<NodeName>,
    pub parameters: Vec<(String, String)>,
    /// What is outside stops the run; else it is told.
    pub pauses: bool,
}

impl Bounds {
    /// Returns the first of what an effect takes that no rehearsal produced in this call, in the words of an entry.
    pub fn outside(&self, call: &str, claims: &[Claim], facts: &dyn Facts) -> Option<String> {
        let names = Names { nodes: &self.nodes, parameters: &self.parameters, facts };
        let entries = self.envelope.0.get(call);
        claims.iter().find_map(|claim| {
            let exact = entry(claim, &names);
            let any = written(claim, &|_, _| EVERY.into());
            let inside = entries.is_some_and(|entries| {
                entries.contains(&exact)
                    || entries.contains(&any)
                    || one_at_a_time(claim, &names).iter().any(|entry| entries.contains(entry))
            });
            (!inside).then_some(exact)
        })
    }
}

/// With one placeholder after another at any value.
fn one_at_a_time(claim: &Claim, names: &Names<'_>) -> Vec<String> {
    let Requirement::Command { arguments, .. } = &claim.requirement else { return Vec::new() };
    let one = |any: &str| {
        written(claim, &|name, value| match name == any {
            true => EVERY.into(),
            false => names.value(value),
        })
    };
    arguments.iter().map(|(name, _)| one(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CommandName, FileName, ObjectName};

    /// `first` is called `a` where it is rehearsed and `x` where it runs, `second` `b` and `y`.
    struct Site;
    impl Facts for Site {
        fn places(&self, node: &NodeName) -> Vec<String> {
            match node.as_str() {
                "a" | "x" => vec!["managers".into(), "first".into()],
                "b" | "y" => vec!["managers".into(), "second".into()],
                _ => Vec::new(),
            }
        }
        fn set_members(&self, _: &ObjectName, _: &NodeName) -> Vec<FileName> {
            Vec::new()
        }
        fn is_command(&self, _: &str) -> bool {
            true
        }
        fn secret_in_argv(&self, _: &CommandName) -> bool {
            false
        }
    }

    fn drain(node: &str, value: &str, places: &[&str]) -> Claim {
        let requirement = Requirement::Command {
            command: CommandName::new("drain").unwrap(),
            node: NodeName::new(node).unwrap(),
            arguments: vec![("server".into(), Some(value.into()))],
        };
        let places = places.iter().copied().chain([node]).map(ToString::to_string).collect();
        Claim { requirement, places }
    }

    fn held(seen: Collecting) -> Bounds {
        let nodes = ["x", "y"].map(|node| NodeName::new(node).unwrap()).into();
        Bounds { envelope: seen.finish(), nodes, parameters: Vec::new(), pauses: true }
    }

    #[test]
    fn an_entry_holds_for_any_cluster_and_for_no_other_call_place_or_value() {
        let mut seen = Collecting::default();
        let nodes = ["a", "b"].map(|node| NodeName::new(node).unwrap());
        let names = Names { nodes: &nodes, parameters: &[], facts: &Site };
        seen.add("restart@first", &drain("lb", "a", &["balancers"]), &names);
        let bounds = held(seen);
        let outside = |call: &str, value: &str, places: &[&str]| {
            bounds.outside(call, &[drain("other", value, places)], &Site)
        };
        assert_eq!(outside("restart@first", "x", &["balancers"]), None);
        let said = outside("restart@first", "y", &["balancers"]).unwrap();
        assert_eq!(said, "run drain on balancers, server=@second");
        assert!(outside("restart@second", "x", &["balancers"]).is_some());
        assert!(outside("restart@first", "x", &["managers"]).is_some());
        assert!(outside("restart@first", "x", &[]).is_some());
        assert!(outside("restart@first", "z", &["balancers"]).is_some());
    }

    #[test]
    fn a_value_that_varies_is_any_and_one_that_does_not_is_itself() {
        let mut seen = Collecting::default();
        for value in ["1", "2", "3", "4"] {
            seen.add(
                "verification",
                &drain("lb", value, &[]),
                &Names { nodes: &[], parameters: &[], facts: &Site },
            );
        }
        seen.add("preflight", &drain("lb", "1", &[]), &Names { nodes: &[], parameters: &[], facts: &Site });
        let bounds = held(seen);
        assert_eq!(bounds.outside("verification", &[drain("lb", "99", &[])], &Site), None);
        assert!(bounds.outside("preflight", &[drain("lb", "99", &[])], &Site).is_some());
    }
}
