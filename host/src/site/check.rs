//! What is judged with the whole site in view: the inventory, and how users are reached.

use super::mistake::{Place, Reading, nearest, shown};
use super::reader::Located;
use super::site_file::SiteFile;
use super::types::*;
use crate::model::NodeName;
use indexmap::IndexMap;

pub(super) fn inventory(reading: &Reading, site: &SiteFile) {
    if site.nodes.is_empty() {
        reading.mistake(&site.place, "the site has no nodes: add [nodes.NAME] with ssh = \"USER@HOST\"");
    }
    let mut addresses: IndexMap<&str, &Located<Node>> = IndexMap::new();
    let mut names: IndexMap<&str, &Located<Node>> = IndexMap::new();
    for node in site.nodes.values() {
        names.insert(node.value.name.as_str(), node);
    }
    for node in site.nodes.values() {
        // A folder is absolute by now, and a destination has no leading slash: they cannot be taken for
        // each other.
        let address = match &node.value.address {
            Address::Ssh(destination) => destination.as_str(),
            Address::Local(folder) => folder.as_str(),
        };
        if !address.is_empty()
            && let Some(other) = addresses.insert(address, node)
        {
            reading.mistake(
                &node.place,
                format!(
                    "{} has the address of {} ({address}, {}): one node would be worked on twice",
                    node.value.name, other.value.name, other.place
                ),
            );
        }
        for alias in &node.value.alias {
            match names.insert(alias, node) {
                Some(other) if other.value.name != node.value.name => reading.mistake(
                    &node.place,
                    format!(
                        "the alias {} of {} already means {} ({})",
                        shown(alias),
                        node.value.name,
                        other.value.name,
                        other.place
                    ),
                ),
                _ => {}
            }
        }
    }
}

/// The lease lies on the managers: without one no run can start.
pub(super) fn managers(reading: &Reading, site: &SiteFile, profile: &Profile) {
    managers_of(reading, &site.place, &site.nodes, profile);
}

/// The same of a scenario's nodes.
pub(super) fn managers_of(
    reading: &Reading,
    place: &Place,
    nodes: &IndexMap<NodeName, Located<Node>>,
    profile: &Profile,
) {
    let groups = || nodes.values().flat_map(|node| &node.value.groups);
    if !nodes.is_empty() && !groups().any(|group| *group == profile.managers) {
        reading.mistake_near(
            place,
            format!(
                "no node is in the group {}, whose nodes carry the lease and the health table: \
                 say groups = [{:?}] in their [nodes.NAME]; groups in use: {}",
                shown(&profile.managers),
                profile.managers,
                in_use(groups())
            ),
            nearest(&profile.managers, groups().map(String::as_str)),
        );
    }
}

fn in_use<'a>(groups: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<&str> = groups.map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A login as one user does not become another by itself.
pub(super) fn users(reading: &Reading, site: &SiteFile, profile: &Profile, vars: &IndexMap<String, Var>) {
    let mut users: Vec<&str> = vec![&profile.service_user];
    users.extend(profile.commands.values().filter(|c| runs(c)).map(|command| command.user.as_str()));
    users.extend(vars.values().filter_map(|var| match var {
        Var::LoginEnv { user, .. } => Some(user.as_str()),
        Var::Literal(_) => None,
    }));
    users.sort_unstable();
    users.dedup();
    for user in users.into_iter().filter(|user| !user.is_empty() && !site.become_users.contains_key(*user)) {
        // A destination without a user, as an alias of ssh_config, may well log in as this one.
        let other = site.nodes.values().find_map(|node| match &node.value.address {
            Address::Ssh(destination) => {
                let destination = destination.strip_prefix("ssh://").unwrap_or(destination);
                let (login, _) = destination.rsplit_once('@')?;
                (login != user).then_some((node, login))
            }
            Address::Local(_) => None,
        });
        if let Some((node, login)) = other {
            reading.mistake_near(
                &node.place,
                format!(
                    "{} is logged in to as {}, and the profile works as {}: say how to become it, as \
                     [become.{user}] argv = [\"sudo\", \"-n\", \"su\", \"-\", {user:?}]",
                    node.value.name,
                    shown(login),
                    shown(user)
                ),
                nearest(user, site.become_users.keys().map(String::as_str)),
            );
        }
    }
}

fn runs(command: &CommandDeclaration) -> bool {
    matches!(command.kind, CommandKind::Observe | CommandKind::Change)
}

/// A variable of the site that no template uses is a misspelt one.
pub(super) fn variables(reading: &Reading, site: &SiteFile, used: &[&str], profile: &Profile) {
    for (name, var) in &site.vars {
        if !used.contains(&name.as_str()) && !profile.vars.contains_key(name) {
            reading.mistake_near(
                &var.place,
                format!("no template of the profile {} uses the variable {}", profile.name, shown(name)),
                nearest(name, used.iter().copied().chain(profile.vars.keys().map(String::as_str))),
            );
        }
    }
}
