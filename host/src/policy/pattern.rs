//! Patterns of needs and grants, parsed once.

use super::requirement::{Requirement, Verb};
use crate::site::{CRYPTO, GENERAL, GrantBlock, KEYRING, ROLES};
use std::collections::BTreeMap;

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{list}: {pattern:?} cannot be read: {why}")]
pub struct PatternError {
    pub list: &'static str,
    pub pattern: String,
    pub why: String,
}

/// Where a pattern holds: a node, a role, a group, or anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Anywhere,
    Named(String),
}

#[derive(Debug, Clone)]
struct CommandRule {
    command: String,
    place: Place,
    /// Values allowed by placeholder; a placeholder not named here may have any value it is declared for.
    values: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone)]
struct SecretRule {
    secret: String,
    /// None: may be asked for and checked, and goes nowhere.
    sink: Option<String>,
}

/// The patterns of one block, ready to match.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    commands: Vec<CommandRule>,
    files: Vec<(Verb, String, Place)>,
    endpoints: Vec<(String, Place)>,
    crypto: Vec<String>,
    keyring: Vec<String>,
    secrets: Vec<SecretRule>,
    general: Vec<String>,
}

/// The general grant that lets a run begin where the roles of its pair are unclear.
pub const UNCLEAR_ROLES: &str = "unclear-roles";

impl Rules {
    /// The nodes, roles and groups that the patterns name.
    pub fn places(&self) -> Vec<String> {
        let commands = self.commands.iter().map(|rule| &rule.place);
        let files = self.files.iter().map(|(_, _, place)| place);
        let endpoints = self.endpoints.iter().map(|(_, place)| place);
        let named = |place: &Place| match place {
            Place::Named(name) => Some(name.clone()),
            Place::Anywhere => None,
        };
        commands.chain(files).chain(endpoints).filter_map(named).collect()
    }

    /// Reads one pattern; `list` is the key that it stands under.
    pub fn one(list: &str, pattern: &str) -> Result<Self, PatternError> {
        let mut rules = Self::default();
        match list {
            "commands" => rules.commands.push(parse_command(pattern)?),
            "files" => rules.files.push(parse_file(pattern)?),
            "endpoints" => rules.endpoints.push(parse_placed("endpoints", pattern)?),
            "secrets" => rules.secrets.push(parse_secret(pattern)?),
            "crypto" => rules.crypto.push(parse_word("crypto", pattern, &CRYPTO)?),
            "keyring" => rules.keyring.push(parse_word("keyring", pattern, &KEYRING)?),
            _ => rules.general.push(parse_word("general", pattern, &GENERAL)?),
        }
        Ok(rules)
    }

    /// Reads every pattern; all mistakes at once.
    pub fn parse(block: &GrantBlock) -> Result<Self, Vec<PatternError>> {
        let mut rules = Self::default();
        let mut errors = Vec::new();
        for text in &block.commands {
            keep(parse_command(text), &mut rules.commands, &mut errors);
        }
        for text in &block.files {
            keep(parse_file(text), &mut rules.files, &mut errors);
        }
        for text in &block.endpoints {
            keep(parse_placed("endpoints", text), &mut rules.endpoints, &mut errors);
        }
        for text in &block.secrets {
            keep(parse_secret(text), &mut rules.secrets, &mut errors);
        }
        for text in &block.crypto {
            keep(parse_word("crypto", text, &CRYPTO), &mut rules.crypto, &mut errors);
        }
        for text in &block.keyring {
            keep(parse_word("keyring", text, &KEYRING), &mut rules.keyring, &mut errors);
        }
        for text in &block.general {
            keep(parse_word("general", text, &GENERAL), &mut rules.general, &mut errors);
        }
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    /// Adds another block's rules: a manifest has several needs.
    pub fn extend(&mut self, other: Rules) {
        self.commands.extend(other.commands);
        self.files.extend(other.files);
        self.endpoints.extend(other.endpoints);
        self.crypto.extend(other.crypto);
        self.keyring.extend(other.keyring);
        self.secrets.extend(other.secrets);
        self.general.extend(other.general);
    }

    /// Returns whether some pattern meets the requirement. `places` are what the requirement's node is
    /// called in patterns: its name, its role, its groups.
    pub fn allow(&self, requirement: &Requirement, places: &[String]) -> bool {
        let here = |place: &Place| match place {
            Place::Anywhere => true,
            Place::Named(name) => places.contains(name),
        };
        match requirement {
            Requirement::Command { command, arguments, .. } => self.commands.iter().any(|rule| {
                rule.command == command.as_str()
                    && here(&rule.place)
                    && rule.values.iter().all(|(name, allowed)| {
                        arguments
                            .iter()
                            .filter(|(argument, _)| argument == name)
                            .all(|(_, value)| value.as_ref().is_some_and(|value| allowed.contains(value)))
                    })
            }),
            Requirement::File { verb, file, .. } => self
                .files
                .iter()
                .any(|(allowed, name, place)| allowed == verb && name == file.as_str() && here(place)),
            Requirement::Endpoint { endpoint, .. } => {
                self.endpoints.iter().any(|(name, place)| name == endpoint.as_str() && here(place))
            }
            Requirement::Crypto(operation) => self.crypto.iter().any(|name| name == operation),
            Requirement::Keyring(operation) => self.keyring.iter().any(|name| name == operation),
            // A sink implies the secret may be asked for.
            Requirement::Secret { secret, sink } => self
                .secrets
                .iter()
                .any(|rule| rule.secret == secret.as_str() && (sink.is_none() || rule.sink == *sink)),
            Requirement::General(word) => self.general.iter().any(|name| name == word),
        }
    }
}

/// How far what is granted goes of what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// Wherever it is asked for.
    Whole,
    /// On some nodes, or for some values; or on nodes that may be others.
    Part,
    No,
}

impl Rules {
    /// Says how far these grants meet one pattern of a plugin's needs; `list` is the key that it stands under.
    pub fn meet(&self, list: &str, pattern: &str) -> Result<Met, PatternError> {
        let place = |granted: &Place, asked: &Place| match (granted, asked) {
            (Place::Anywhere, _) => Met::Whole,
            (one, other) if one == other => Met::Whole,
            // A node, a role and a group may be the same nodes; two roles never are.
            (Place::Named(one), Place::Named(other)) if is_role(one) && is_role(other) => Met::No,
            _ => Met::Part,
        };
        let best = |all: &mut dyn Iterator<Item = Met>| {
            all.fold(Met::No, |best, met| match (best, met) {
                (Met::Whole, _) | (_, Met::Whole) => Met::Whole,
                (Met::Part, _) | (_, Met::Part) => Met::Part,
                _ => Met::No,
            })
        };
        let known = |there: bool| if there { Met::Whole } else { Met::No };
        Ok(match list {
            "commands" => {
                let asked = parse_command(pattern)?;
                best(&mut self.commands.iter().filter(|rule| rule.command == asked.command).map(|rule| {
                    match rule.values.is_empty() || rule.values == asked.values {
                        true => place(&rule.place, &asked.place),
                        false => Met::Part,
                    }
                }))
            }
            "files" => {
                let (verb, file, asked) = parse_file(pattern)?;
                let same = self.files.iter().filter(|(other, name, _)| *other == verb && *name == file);
                best(&mut same.map(|(_, _, granted)| place(granted, &asked)))
            }
            "endpoints" => {
                let (endpoint, asked) = parse_placed("endpoints", pattern)?;
                let same = self.endpoints.iter().filter(|(name, _)| *name == endpoint);
                best(&mut same.map(|(_, granted)| place(granted, &asked)))
            }
            "secrets" => {
                let asked = parse_secret(pattern)?;
                let meets = |rule: &SecretRule| asked.sink.is_none() || rule.sink == asked.sink;
                known(self.secrets.iter().any(|rule| rule.secret == asked.secret && meets(rule)))
            }
            "crypto" => known(self.crypto.iter().any(|word| word == pattern)),
            "keyring" => known(self.keyring.iter().any(|word| word == pattern)),
            _ => known(self.general.iter().any(|word| word == pattern)),
        })
    }
}

fn keep<T>(parsed: Result<T, PatternError>, into: &mut Vec<T>, errors: &mut Vec<PatternError>) {
    match parsed {
        Ok(rule) => into.push(rule),
        Err(error) => errors.push(error),
    }
}

fn error(list: &'static str, pattern: &str, why: impl Into<String>) -> PatternError {
    PatternError { list, pattern: pattern.chars().take(200).collect(), why: why.into() }
}

fn is_role(place: &str) -> bool {
    ROLES.contains(&place)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['-', '.'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// `NAME`, `NAME@NODE`, `NAME@*`.
fn parse_placed(list: &'static str, text: &str) -> Result<(String, Place), PatternError> {
    let (name, place) = text.split_once('@').unwrap_or((text, "*"));
    let place = match place {
        "*" => Place::Anywhere,
        named if is_name(named) => Place::Named(named.into()),
        _ => return Err(error(list, text, "after @ stands a node, a role, a group or *")),
    };
    if !is_name(name) {
        return Err(error(list, text, "a name has letters, digits, '-', '_' and '.'; write NAME@NODE"));
    }
    Ok((name.into(), place))
}

/// `NAME(placeholder=value|value, …)@NODE`.
fn parse_command(text: &str) -> Result<CommandRule, PatternError> {
    const LIST: &str = "commands";
    let Some((name, rest)) = text.split_once('(') else {
        let (command, place) = parse_placed(LIST, text)?;
        return Ok(CommandRule { command, place, values: BTreeMap::new() });
    };
    let Some((inside, after)) = rest.rsplit_once(')') else {
        return Err(error(LIST, text, "the bracket is not closed"));
    };
    let (command, place) = parse_placed(LIST, &format!("{name}{after}"))?;
    let mut values = BTreeMap::new();
    for part in inside.split(',') {
        let Some((placeholder, allowed)) = part.trim().split_once('=') else {
            return Err(error(LIST, text, "in brackets stands placeholder=value|value"));
        };
        values.insert(placeholder.trim().to_string(), allowed.split('|').map(str::to_string).collect());
    }
    Ok(CommandRule { command, place, values })
}

/// `VERB FILE@NODE`.
fn parse_file(text: &str) -> Result<(Verb, String, Place), PatternError> {
    const LIST: &str = "files";
    let Some((verb, rest)) = text.split_once(' ') else {
        return Err(error(LIST, text, "write VERB FILE@NODE, with the verb stat, read, copy or write"));
    };
    let Some(verb) = Verb::parse(verb) else {
        return Err(error(LIST, text, format!("{verb:?} is no verb; there are stat, read, copy and write")));
    };
    let (file, place) = parse_placed(LIST, rest.trim())?;
    Ok((verb, file, place))
}

/// `NAME` or `NAME -> SINK`.
fn parse_secret(text: &str) -> Result<SecretRule, PatternError> {
    const LIST: &str = "secrets";
    let (secret, sink) = match text.split_once("->") {
        Some((secret, sink)) => (secret.trim(), Some(sink.trim())),
        None => (text.trim(), None),
    };
    if !is_name(secret) {
        return Err(error(LIST, text, "write NAME, or NAME -> COMMAND.PLACEHOLDER, or NAME -> file:FILE"));
    }
    if let Some(sink) = sink {
        let shaped = ["supplied-ca", "check-key"].contains(&sink)
            || sink.strip_prefix("file:").is_some_and(is_name)
            || sink.split_once('.').is_some_and(|(command, name)| is_name(command) && is_name(name));
        if !shaped {
            return Err(error(
                LIST,
                text,
                "a sink is COMMAND.PLACEHOLDER, file:FILE, supplied-ca or check-key",
            ));
        }
    }
    Ok(SecretRule { secret: secret.into(), sink: sink.map(str::to_string) })
}

fn parse_word(list: &'static str, text: &str, known: &[&str]) -> Result<String, PatternError> {
    if known.contains(&text) {
        Ok(text.into())
    } else {
        Err(error(list, text, format!("there are {}", known.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_met_whole_in_part_or_not() {
        let rules = |lists: [&[&str]; 5]| {
            let [commands, files, endpoints, secrets, general] =
                lists.map(|list| list.iter().map(ToString::to_string).collect());
            let block = GrantBlock { commands, files, endpoints, secrets, general, ..GrantBlock::default() };
            Rules::parse(&block).unwrap()
        };
        let granted = rules([
            &["drain@lb1", "restart(mode=soft|hard)@*", "look"],
            &["write cmdb@master1", "stat cmdb"],
            &["ha@first"],
            &["word -> work.password"],
            &["clock"],
        ]);
        for (list, pattern, met) in [
            ("commands", "drain@lb1", Met::Whole),
            ("commands", "drain@*", Met::Part),
            ("commands", "drain@lb2", Met::Part),
            ("commands", "look@anywhere", Met::Whole),
            ("commands", "restart@*", Met::Part),
            ("commands", "restart(mode=soft|hard)@a", Met::Whole),
            ("commands", "stop@lb1", Met::No),
            ("files", "write cmdb@master1", Met::Whole),
            ("files", "write cmdb@*", Met::Part),
            ("files", "read cmdb@master1", Met::No),
            ("files", "stat cmdb@master2", Met::Whole),
            ("endpoints", "ha@first", Met::Whole),
            ("endpoints", "ha", Met::Part),
            ("endpoints", "ha@second", Met::No),
            ("endpoints", "ha@master1", Met::Part),
            ("secrets", "word", Met::Whole),
            ("secrets", "word -> work.password", Met::Whole),
            ("secrets", "word -> file:x", Met::No),
            ("general", "clock", Met::Whole),
            ("general", "nodes", Met::No),
        ] {
            assert_eq!(granted.meet(list, pattern), Ok(met), "{list} {pattern}");
        }
        assert!(granted.meet("commands", "dr ain").is_err());
    }
}
