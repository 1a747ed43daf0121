//! The gate: the one place that says yes, and the only maker of [`Permit`].

use super::pattern::{Rules, UNCLEAR_ROLES};
use super::requirement::{Requirement, requirements};
use crate::model::{CommandName, Effect, Fault, FileName, NodeName, ObjectName, PluginName, code};
use std::collections::HashSet;

/// Leave to act on one effect. Only the gate makes one, and acting consumes it.
#[derive(Debug)]
pub struct Permit {
    effect: Effect,
    // Private, and this module has no other constructor: outside of it a permit cannot be made.
    _gated: (),
}

impl Permit {
    pub fn effect(&self) -> &Effect {
        &self.effect
    }
    pub fn into_effect(self) -> Effect {
        self.effect
    }

    /// Returns the leave for an effect on each of its nodes as one for each, which all were gated together; the
    /// leave for any other effect as it is.
    pub fn each(self) -> Vec<Permit> {
        let mut seen = HashSet::new();
        let nodes = self.effect.each().unwrap_or_default().iter().filter(|node| seen.insert(*node));
        let children: Vec<_> = nodes.filter_map(|node| self.effect.child(node)).collect();
        match children.is_empty() {
            true => vec![self],
            false => children.into_iter().map(|effect| Permit { effect, _gated: () }).collect(),
        }
    }
}

/// Why the gate said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub plugin: PluginName,
    pub effect: Effect,
    pub reason: DenialReason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialReason {
    /// The manifest asks for it, the site does not grant it.
    NotGranted(Requirement),
    /// The manifest never asked: no grant can help.
    NotAsked(Requirement),
    /// The command takes a secret in its arguments, and the site does not allow that.
    SecretInArguments { command: CommandName },
}

impl Denial {
    /// Returns the denial as the guest is answered.
    pub fn to_fault(&self) -> Fault {
        let Self { plugin, effect, reason } = self;
        match reason {
            DenialReason::NotGranted(requirement) => Fault::new(
                code::DENIED,
                format!("{plugin} may not {effect}: the site does not grant it"),
            )
            .hint(format!("to allow it, add to [grants.{plugin}] in grants.toml: {requirement}")),
            DenialReason::NotAsked(requirement) => Fault::new(
                code::NOT_ASKED,
                format!("{plugin} may not {effect}: its manifest does not ask for it, so no grant can help"),
            )
            .hint(format!("the plugin's author would add to its needs: {requirement}")),
            DenialReason::SecretInArguments { command } => Fault::new(
                code::DENIED,
                format!(
                    "{plugin} may not {effect}: {command} takes a secret on its command line, where every user of the node can see it"
                ),
            )
            .hint(format!(
                "to allow it, set allow_secret_in_argv = true under [procedures.{plugin}] in site.toml"
            )),
        }
    }
}

/// What the gate must know to take an effect apart; it looks, and changes nothing.
pub trait Facts: Send + Sync {
    /// What a node is called in patterns besides its name: its role, its groups.
    fn places(&self, node: &NodeName) -> Vec<String>;
    /// The files of a staged set on a node.
    fn set_members(&self, set: &ObjectName, node: &NodeName) -> Vec<FileName>;
    /// Whether the profile has a command of this name.
    fn is_command(&self, name: &str) -> bool;
    /// Whether the command is declared to take a secret in its argument vector.
    fn secret_in_argv(&self, command: &CommandName) -> bool;
}

/// The gate of one plugin.
#[derive(Debug, Clone)]
pub struct Gate {
    plugin: PluginName,
    needs: Rules,
    grants: Rules,
    allow_secret_in_argv: bool,
}

impl Gate {
    pub fn new(plugin: PluginName, needs: Rules, grants: Rules, allow_secret_in_argv: bool) -> Self {
        Self { plugin, needs, grants, allow_secret_in_argv }
    }

    /// Whether the plugin judges by itself a pair whose roles are unclear, and may: its run is not refused
    /// for that before it is asked.
    pub fn bears_unclear_roles(&self) -> bool {
        self.allows(&Requirement::General(UNCLEAR_ROLES))
    }

    /// Whether the plugin may have a key made: then one can be begun before it asks.
    pub fn allows_keys(&self) -> bool {
        self.allows(&Requirement::Crypto("generate-key"))
    }

    fn allows(&self, requirement: &Requirement) -> bool {
        self.needs.allow(requirement, &[]) && self.grants.allow(requirement, &[])
    }

    /// Lets an effect through, or says what is missing.
    pub fn check(&self, effect: Effect, facts: &dyn Facts) -> Result<Permit, Box<Denial>> {
        for Claim { requirement, places } in claims(&effect, facts) {
            let asked = self.needs.allow(&requirement, &places);
            if !asked || !self.grants.allow(&requirement, &places) {
                let reason = if asked {
                    DenialReason::NotGranted(requirement)
                } else {
                    DenialReason::NotAsked(requirement)
                };
                return Err(Box::new(Denial { plugin: self.plugin.clone(), effect, reason }));
            }
        }
        if let Some(command) = secret_on_the_command_line(&effect)
            && facts.secret_in_argv(command)
            && !self.allow_secret_in_argv
        {
            let reason = DenialReason::SecretInArguments { command: command.clone() };
            return Err(Box::new(Denial { plugin: self.plugin.clone(), effect, reason }));
        }
        Ok(Permit { effect, _gated: () })
    }
}

/// One thing that an effect takes of the grants, and what its node is called in patterns: its role, its groups, its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    pub requirement: Requirement,
    pub places: Vec<String>,
}

/// Returns all that an effect takes of the grants.
pub fn claims(effect: &Effect, facts: &dyn Facts) -> Vec<Claim> {
    let members = |set: &ObjectName, node: &NodeName| facts.set_members(set, node);
    let is_command = |name: &str| facts.is_command(name);
    let places = |requirement: &Requirement| {
        requirement.node().map_or_else(Vec::new, |node| {
            let mut places = facts.places(node);
            places.push(node.as_str().to_string());
            places
        })
    };
    let claim = |requirement| Claim { places: places(&requirement), requirement };
    requirements(effect, &members, &is_command).into_iter().map(claim).collect()
}

/// A command that is given a secret at all; whether it lands in the argument vector is the profile's to say.
fn secret_on_the_command_line(effect: &Effect) -> Option<&CommandName> {
    match effect {
        Effect::NodesRun { command, arguments, .. } | Effect::NodesRunEach { command, arguments, .. } => {
            arguments
                .iter()
                .any(|argument| matches!(argument.value, crate::model::Value::Secret(_)))
                .then_some(command)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::GrantBlock;

    #[test]
    fn a_key_is_begun_only_for_a_plugin_that_may_have_one() {
        let rules = |crypto: &[&str]| {
            let crypto = crypto.iter().map(ToString::to_string).collect();
            Rules::parse(&GrantBlock { crypto, ..GrantBlock::default() }).unwrap()
        };
        let allows = |needs: &[&str], grants: &[&str]| {
            Gate::new(PluginName::new("p").unwrap(), rules(needs), rules(grants), false).allows_keys()
        };
        assert!(allows(&["generate-key", "issue"], &["generate-key"]));
        assert!(!allows(&["generate-key"], &["issue"]));
        assert!(!allows(&["issue"], &["generate-key"]));
    }

    #[test]
    fn unclear_roles_are_borne_only_where_asked_for_and_granted() {
        let rules = |words: &[&str]| {
            let general = words.iter().map(|word| (*word).to_owned()).collect();
            Rules::parse(&GrantBlock { general, ..GrantBlock::default() }).unwrap()
        };
        let bears = |needs: &[&str], grants: &[&str]| {
            let plugin = PluginName::new("p").unwrap();
            Gate::new(plugin, rules(needs), rules(grants), false).bears_unclear_roles()
        };
        assert!(bears(&["note", "unclear-roles"], &["unclear-roles"]));
        assert!(!bears(&["note"], &["unclear-roles"]));
        assert!(!bears(&["unclear-roles"], &["nodes", "health"]));
    }
}
