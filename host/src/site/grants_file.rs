//! Reads `grants.toml`, and checks its words against the profile and the inventory. What a pattern
//! allows is decided by `policy`.

use super::mistake::{Reading, nearest, shown};
use super::reader::{Located, Table};
use super::types::{GrantBlock, Node, Profile};
use crate::model::{NodeName, PluginName};
use indexmap::IndexMap;

/// The operations of the `crypto` interface.
pub const CRYPTO: [&str; 10] = [
    "generate-key",
    "self-sign",
    "issue",
    "request",
    "accept",
    "accept-ca",
    "supplied-ca",
    "inspect",
    "verify-chain",
    "check-key",
];
/// The operations of the `keyring` interface.
pub const KEYRING: [&str; 7] = ["versions", "add", "retire", "canary", "opens", "needs", "rewrap"];
/// What has no name of its own.
pub const GENERAL: [&str; 10] = [
    "nodes",
    "quarantine",
    "health",
    "manager",
    "parameters",
    "confirm",
    "note",
    "state",
    "clock",
    "unclear-roles",
];
const VERBS: &[&str] = &["stat", "read", "copy", "write"];
/// The roles that `first` and `second` are bound to for a run.
pub const ROLES: [&str; 2] = ["first", "second"];

#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Command,
    File,
    Endpoint,
    Crypto,
    Keyring,
    Secret,
    General,
}

#[derive(Default)]
pub(super) struct GrantsFile {
    pub blocks: IndexMap<PluginName, GrantBlock>,
    pub patterns: Vec<(Subject, Located<String>)>,
}

pub(super) fn read(mut top: Table<'_>) -> GrantsFile {
    let mut file = GrantsFile::default();
    for (field, mut table) in top.named("grants") {
        let plugin = field.key_name::<PluginName>();
        let mut block = read_patterns(&mut table, &mut file.patterns);
        if let Some(digest) = table.text("digest") {
            if digest.value.len() == 64
                && digest.value.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
            {
                block.digest = Some(digest.value);
            } else {
                table.source.reading.mistake(
                    &digest.place,
                    format!("{} is no digest: 64 lower-case hexadecimal digits", shown(&digest.value)),
                );
            }
        }
        table.finish("[grants.NAME]");
        if let Some(plugin) = plugin {
            file.blocks.insert(plugin, block);
        }
    }
    top.finish("grants.toml");
    file
}

/// Reads the lists of one block.
pub(super) fn read_patterns(
    table: &mut Table<'_>,
    patterns: &mut Vec<(Subject, Located<String>)>,
) -> GrantBlock {
    let mut list = |key, subject| -> Vec<String> {
        let located = table.texts(key);
        let texts = located.iter().map(|pattern| pattern.value.clone()).collect();
        patterns.extend(located.into_iter().map(|pattern| (subject, pattern)));
        texts
    };
    GrantBlock {
        commands: list("commands", Subject::Command),
        files: list("files", Subject::File),
        endpoints: list("endpoints", Subject::Endpoint),
        crypto: list("crypto", Subject::Crypto),
        keyring: list("keyring", Subject::Keyring),
        secrets: list("secrets", Subject::Secret),
        general: list("general", Subject::General),
        digest: None,
    }
}

/// Checks every name in the patterns.
pub(super) fn check(
    reading: &Reading,
    patterns: &[(Subject, Located<String>)],
    profile: &Profile,
    nodes: &IndexMap<NodeName, Located<Node>>,
) {
    let words = Words { reading, nodes };
    for (subject, pattern) in patterns {
        match subject {
            Subject::Crypto => words.one_of(pattern, &pattern.value, "operation of crypto", &CRYPTO),
            Subject::Keyring => words.one_of(pattern, &pattern.value, "operation of keyring", &KEYRING),
            Subject::General => words.one_of(pattern, &pattern.value, "general grant", &GENERAL),
            Subject::Command => {
                let name = words.at_node(pattern, &pattern.value);
                words.declared(pattern, name, "command", profile.commands.keys().map(|name| name.as_str()));
            }
            Subject::Endpoint => {
                let name = words.at_node(pattern, &pattern.value);
                words.declared(pattern, name, "endpoint", profile.endpoints.keys().map(|name| name.as_str()));
            }
            Subject::File => match pattern.value.split_once(' ') {
                Some((verb, rest)) => {
                    words.one_of(pattern, verb, "verb of files", VERBS);
                    let name = words.at_node(pattern, rest);
                    words.declared(pattern, name, "file", profile.files.keys().map(|name| name.as_str()));
                }
                None => reading.mistake(
                    &pattern.place,
                    format!("{} is no grant of a file: it reads \"VERB FILE@NODE\"", shown(&pattern.value)),
                ),
            },
            Subject::Secret => words.secret(pattern, profile),
        }
    }
}

struct Words<'a> {
    reading: &'a Reading,
    nodes: &'a IndexMap<NodeName, Located<Node>>,
}

impl Words<'_> {
    fn declared<'w>(
        &self,
        pattern: &Located<String>,
        name: &str,
        what: &str,
        valid: impl Iterator<Item = &'w str>,
    ) {
        let valid: Vec<&str> = valid.collect();
        if !valid.contains(&name) {
            self.reading.mistake_near(
                &pattern.place,
                format!("{} names no {what} of the profile: {}", shown(&pattern.value), shown(name)),
                nearest(name, valid),
            );
        }
    }

    fn one_of(&self, pattern: &Located<String>, word: &str, what: &str, valid: &[&str]) {
        if !valid.contains(&word) {
            self.reading.mistake_near(
                &pattern.place,
                format!("{} is no {what}; there are {}", shown(word), valid.join(", ")),
                nearest(word, valid.iter().copied()),
            );
        }
    }

    /// Checks what stands after the `@`, and returns what stands before it.
    fn at_node<'p>(&self, pattern: &Located<String>, text: &'p str) -> &'p str {
        let Some((name, node)) = text.split_once('@') else { return text };
        if node != "*" && !ROLES.contains(&node) && !self.nodes.contains_key(node) {
            self.reading.mistake_near(
                &pattern.place,
                format!(
                    "{} names no node of the site: {}; a node, first, second or * stands after the @",
                    shown(&pattern.value),
                    shown(node)
                ),
                nearest(node, self.nodes.keys().map(|name| name.as_str()).chain(ROLES.iter().copied())),
            );
        }
        name
    }

    /// `NAME`, or `NAME -> COMMAND.PLACEHOLDER`, `NAME -> file:FILE`, `NAME -> supplied-ca`, `NAME -> check-key`;
    /// sinks on nodes are marked secret.
    fn secret(&self, pattern: &Located<String>, profile: &Profile) {
        let Some((_, sink)) = pattern.value.split_once("->") else { return };
        let sink = sink.trim();
        // What opens a key in the host goes to no node.
        if ["supplied-ca", "check-key"].contains(&sink) {
            return;
        }
        if let Some(file) = sink.strip_prefix("file:") {
            let file = self.at_node(pattern, file);
            self.declared(pattern, file, "file", profile.files.keys().map(|name| name.as_str()));
            if profile.files.get(file).is_some_and(|file| !file.secret) {
                self.reading.mistake(
                    &pattern.place,
                    format!(
                        "{}: the file {file} is not marked secret, so no secret goes there",
                        shown(&pattern.value)
                    ),
                );
            }
            return;
        }
        let Some((command, placeholder)) = sink.rsplit_once('.') else {
            self.reading.mistake(
                &pattern.place,
                format!(
                    "{} names no sink: it reads \"NAME -> COMMAND.PLACEHOLDER\", \"NAME -> file:FILE\", \"NAME -> supplied-ca\" or \"NAME -> check-key\"",
                    shown(&pattern.value)
                ),
            );
            return;
        };
        self.declared(pattern, command, "command", profile.commands.keys().map(|name| name.as_str()));
        let Some(declaration) = profile.commands.get(command) else { return };
        match declaration.args.get(placeholder) {
            Some(argument) if argument.secret => {}
            Some(_) => self.reading.mistake(
                &pattern.place,
                format!(
                    "{}: the placeholder {placeholder} of {command} is not marked secret, so no secret goes there",
                    shown(&pattern.value)
                ),
            ),
            None => self.reading.mistake_near(
                &pattern.place,
                format!("{}: {command} has no placeholder {}", shown(&pattern.value), shown(placeholder)),
                nearest(placeholder, declaration.args.keys().map(String::as_str)),
            ),
        }
    }
}
