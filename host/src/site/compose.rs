//! Lays a site's own profile over the one it extends, and checks what the result names.

use super::layer::{Entries, Layer};
use super::mistake::{Reading, Reference, Target, nearest, shown};
use super::reader::Located;
use super::types::*;
use crate::model::{CommandName, FileName};
use indexmap::IndexMap;
use std::borrow::Borrow;
use std::fmt::Display;
use std::hash::Hash;

/// Layers laid over each other, with the places that later checks need.
pub(super) struct Composed {
    pub profile: Profile,
    pub references: Vec<Reference>,
    pub health: Option<Located<CommandName>>,
    pub keyring: Option<Located<FileName>>,
    pub known_by: Vec<Located<String>>,
    /// Where each named path is declared.
    pub paths: IndexMap<String, super::mistake::Place>,
}

impl Composed {
    /// Whether a template of the profile has this variable.
    pub fn uses(&self, variable: &str) -> bool {
        let of = |reference: &Reference| reference.target == Target::Variable && reference.name == variable;
        self.references.iter().any(of)
    }
}

/// Lays `over` onto `base`, entry by entry, whole.
pub(super) fn lay(reading: &Reading, base: Layer, over: Layer) -> Layer {
    let mut merged = base;
    let below = merged.name.clone();
    merge(reading, "variable", &below, &mut merged.vars, over.vars);
    merge(reading, "path", &below, &mut merged.paths, over.paths);
    merge(reading, "file", &below, &mut merged.files, over.files);
    merge(reading, "command", &below, &mut merged.commands, over.commands);
    merge(reading, "endpoint", &below, &mut merged.endpoints, over.endpoints);
    merge(reading, "set of defaults", &below, &mut merged.defaults, over.defaults);
    Layer {
        name: over.name,
        place: over.place,
        title: over.title.or(merged.title),
        extends: None,
        service_user: over.service_user.or(merged.service_user),
        managers: over.managers.or(merged.managers),
        health: over.health.or(merged.health),
        keyring: over.keyring.or(merged.keyring),
        known_by: if over.known_by.is_empty() { merged.known_by } else { over.known_by },
        ..merged
    }
}

fn merge<K, T>(reading: &Reading, what: &str, below: &str, base: &mut Entries<K, T>, over: Entries<K, T>)
where
    K: Hash + Eq + Display + Borrow<str>,
{
    for (name, entry) in over {
        match base.get(&name) {
            Some(old) if !entry.overrides => {
                reading.mistake(
                    &entry.place,
                    format!(
                        "the {what} {name} is already declared at {}; say override = true to replace it whole, \
                         or choose another name",
                        old.place
                    ),
                );
            }
            None if entry.overrides => {
                reading.mistake_near(
                    &entry.place,
                    format!("the {what} {name} says override = true, and {below} has none of that name"),
                    nearest(name.borrow(), base.keys().map(|key| key.borrow())),
                );
            }
            _ => {
                base.insert(name, entry);
            }
        }
    }
}

/// Says of every entry of a profile that extends nothing and yet overrides.
pub(super) fn refuse_overrides(reading: &Reading, layer: &Layer) {
    fn refuse<K: Display, T>(reading: &Reading, entries: &Entries<K, T>) {
        for (name, entry) in entries.iter().filter(|(_, entry)| entry.overrides) {
            reading.mistake(
                &entry.place,
                format!("{name} says override = true, and this profile extends no other"),
            );
        }
    }
    refuse(reading, &layer.vars);
    refuse(reading, &layer.paths);
    refuse(reading, &layer.files);
    refuse(reading, &layer.commands);
    refuse(reading, &layer.endpoints);
    refuse(reading, &layer.defaults);
}

/// Turns the finished layer into the profile.
pub(super) fn profile(reading: &Reading, layer: Layer) -> Composed {
    let service_user = layer.service_user.unwrap_or_else(|| {
        reading.mistake(&layer.place, "the profile lacks \"service_user\": the user the product runs as");
        String::new()
    });
    let mut references = Vec::new();
    let mut kept = |more: Vec<Reference>| references.extend(more);
    let paths_places = layer.paths.iter().map(|(name, entry)| (name.clone(), entry.place.clone())).collect();
    let profile = Profile {
        name: layer.name,
        title: layer.title.unwrap_or_default(),
        vars: values(layer.vars, &mut kept)
            .map(|(name, var)| (name, with_user(var, &service_user)))
            .collect(),
        paths: values(layer.paths, &mut kept).collect(),
        files: values(layer.files, &mut kept).collect(),
        commands: values(layer.commands, &mut kept)
            .map(|(name, mut command)| {
                if command.user.is_empty() {
                    command.user.clone_from(&service_user);
                }
                (name, command)
            })
            .collect(),
        endpoints: values(layer.endpoints, &mut kept).collect(),
        health: layer.health.as_ref().map(|health| health.value.clone()),
        keyring: layer.keyring.as_ref().map(|keyring| keyring.value.clone()),
        known_by: layer.known_by.iter().map(|path| path.value.clone()).collect(),
        defaults: values(layer.defaults, &mut kept).collect(),
        managers: layer.managers.unwrap_or_else(|| "managers".to_owned()),
        service_user,
    };
    Composed {
        profile,
        references,
        health: layer.health,
        keyring: layer.keyring,
        known_by: layer.known_by,
        paths: paths_places,
    }
}

fn values<'a, K: 'a, T: 'a>(
    entries: Entries<K, T>,
    kept: &'a mut impl FnMut(Vec<Reference>),
) -> impl Iterator<Item = (K, T)> + 'a {
    entries.into_iter().map(move |(name, entry)| {
        kept(entry.references);
        (name, entry.value)
    })
}

/// A login variable that names no user is the service user's.
pub(super) fn with_user(var: Var, service_user: &str) -> Var {
    match var {
        Var::LoginEnv { variable, user } if user.is_empty() => {
            Var::LoginEnv { variable, user: service_user.to_owned() }
        }
        var => var,
    }
}

/// Checks that everything named is declared, against the variables of site and profile together.
pub(super) fn check(reading: &Reading, composed: &Composed, vars: &IndexMap<String, Var>) {
    let profile = &composed.profile;
    for reference in &composed.references {
        check_reference(reading, reference, profile, vars);
    }
    for (name, place) in &composed.paths {
        if vars.contains_key(name) {
            reading
                .mistake(place, format!("{name} is both a path and a variable; ${{{name}}} would be either"));
        }
        if runs_in_a_circle(name, &profile.paths) {
            reading.mistake(place, format!("the path {name} is made of itself, by way of ${{…}}"));
        }
    }
    if let Some(health) = &composed.health {
        match profile.commands.get(health.value.as_str()) {
            None => reading.mistake_near(
                &health.place,
                format!("health names no command of the profile: {}", shown(health.value.as_str())),
                nearest(health.value.as_str(), profile.commands.keys().map(|name| name.as_str())),
            ),
            Some(command) if command.kind != CommandKind::Observe || command.output != Parser::OmsStatus => {
                reading.mistake(
                    &health.place,
                    format!(
                        "health names {}, which gives no health records: it must be kind = \"observe\" with \
                         output = \"oms-status\"",
                        health.value
                    ),
                );
            }
            Some(_) => {}
        }
    }
    if let Some(keyring) = &composed.keyring {
        match profile.files.get(keyring.value.as_str()) {
            None => reading.mistake_near(
                &keyring.place,
                format!("keyring names no file of the profile: {}", shown(keyring.value.as_str())),
                nearest(keyring.value.as_str(), profile.files.keys().map(|name| name.as_str())),
            ),
            Some(file) if !file.secret => reading.mistake(
                &keyring.place,
                format!("keyring names {}, which holds keys: it must have secret = true", keyring.value),
            ),
            Some(_) => {}
        }
    }
    for path in &composed.known_by {
        if !profile.paths.contains_key(&path.value) {
            reading.mistake_near(
                &path.place,
                format!("known_by names no path of the profile: {}", shown(&path.value)),
                nearest(&path.value, profile.paths.keys().map(String::as_str)),
            );
        }
    }
    for command in profile.commands.values() {
        if let Some(Settle::Served(endpoint)) = &command.consequences.settle
            && profile.endpoints.get(endpoint).is_some_and(|endpoint| endpoint.file.is_none())
            && let Some(reference) = composed
                .references
                .iter()
                .find(|reference| reference.by == format!("settle of [commands.{}]", command.name))
        {
            reading.mistake(
                &reference.place,
                format!("settle compares what {endpoint} serves with its file, and [endpoints.{endpoint}] names no file"),
            );
        }
    }
}

fn check_reference(
    reading: &Reading,
    reference: &Reference,
    profile: &Profile,
    vars: &IndexMap<String, Var>,
) {
    let Reference { target, name, place, by } = reference;
    let commands = || profile.commands.keys().map(|name| name.as_str());
    let (what, valid): (&str, Vec<&str>) = match target {
        Target::Variable => {
            ("variable or path", vars.keys().chain(profile.paths.keys()).map(String::as_str).collect())
        }
        Target::File => ("file", profile.files.keys().map(|name| name.as_str()).collect()),
        Target::Folder => ("path", profile.paths.keys().map(String::as_str).collect()),
        Target::Endpoint => ("endpoint", profile.endpoints.keys().map(|name| name.as_str()).collect()),
        Target::Command => ("command", commands().collect()),
        Target::Observation => {
            if profile.commands.get(name.as_str()).is_some_and(|command| command.kind != CommandKind::Observe)
            {
                reading.mistake(
                    place,
                    format!("{by} names {name}, which does not observe: its kind must be \"observe\""),
                );
            }
            ("command", commands().collect())
        }
    };
    if !valid.contains(&name.as_str()) {
        reading.mistake_near(
            place,
            format!("{by} names an unknown {what}: {}", shown(name)),
            nearest(name, valid),
        );
    }
}

/// Follows `${…}` through named paths; each path is looked at once, so this ends.
fn runs_in_a_circle(start: &str, paths: &IndexMap<String, Template>) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut open: Vec<&str> = paths.get(start).map(|path| path.variables().collect()).unwrap_or_default();
    while let Some(name) = open.pop() {
        if name == start {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            open.extend(paths.get(name).into_iter().flat_map(|path| path.variables()));
        }
    }
    false
}
