//! Reads how nodes are reached: `[nodes.NAME]`, `[become.USER]`, `[ssh]`.

use super::field::Field;
use super::grants_file::ROLES;
use super::mistake::shown;
use super::reader::{Located, Table, parse_name};
use super::site_file::{argument_vector, is_user_name, site_file, site_path};
use super::types::*;
use crate::model::NodeName;
use camino::Utf8Path;
use indexmap::IndexMap;

/// The name of a node, which is none of the roles.
pub(super) fn node_name(field: &Field<'_>, table: &Table<'_>) -> Option<NodeName> {
    if ROLES.contains(&field.key.as_str()) {
        table.mistake(format!("a node cannot be called {}: that is a role, as in restart@first", field.key));
    }
    field.key_name::<NodeName>()
}

pub(super) fn read_nodes(top: &mut Table<'_>, dir: &Utf8Path) -> IndexMap<NodeName, Located<Node>> {
    let mut nodes = IndexMap::new();
    for (field, mut table) in top.named("nodes") {
        let name = node_name(&field, &table);
        let ssh = table.field("ssh");
        let local = table.field("local");
        let address = match (&ssh, &local) {
            (Some(_), Some(local)) => {
                local.mistake(format!("{table} has both ssh and local; a node has one of them"));
                None
            }
            (None, None) => {
                table.mistake(format!(
                    "{table} has no address: say ssh = \"USER@HOST\", or local = \"FOLDER\""
                ));
                None
            }
            (Some(ssh), None) => read_destination(ssh).map(Address::Ssh),
            (None, Some(local)) => site_path(local, dir).map(Address::Local),
        };
        let groups = table
            .texts("groups")
            .into_iter()
            .filter_map(|group| {
                let checked: NodeName = parse_name(table.source.reading, &group.value, &group.place)?;
                Some(String::from(checked))
            })
            .collect();
        let host = table.field("host").and_then(|field| host_text(&field));
        let alias = table
            .field("alias")
            .map(|field| field.text_or_texts())
            .unwrap_or_default()
            .into_iter()
            .map(|alias| alias.value)
            .collect();
        let place = table.place.clone();
        table.finish("[nodes.NAME]");
        if let Some(name) = name {
            // A node without a valid address stays, for the sake of what names it; the mistake is recorded.
            let address = address.unwrap_or_else(|| Address::Ssh(String::new()));
            let node = Node { name: name.clone(), address, groups, host, alias };
            nodes.insert(name, Located { value: node, place });
        }
    }
    nodes
}

/// A destination goes to ssh as one argument: it can be none of its options.
fn read_destination(field: &Field<'_>) -> Option<String> {
    let text = field.text()?.value;
    if text.is_empty() {
        field.mistake(format!("{} is empty: fill in the node's address, as \"admin@10.0.0.11\"", field.path));
        return None;
    }
    if text.starts_with('-') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        field.mistake(format!(
            "{} is {}, which is no ssh destination: no leading '-', no spaces",
            field.path,
            shown(&text)
        ));
        return None;
    }
    Some(text)
}

fn host_text(field: &Field<'_>) -> Option<String> {
    let text = field.text()?.value;
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    if !fits {
        field.mistake(format!("{} is {}, which is no host name or address", field.path, shown(&text)));
    }
    fits.then_some(text)
}

pub(super) fn read_become(top: &mut Table<'_>) -> IndexMap<String, Become> {
    let mut users = IndexMap::new();
    for (field, mut table) in top.named("become") {
        if !is_user_name(&field.key) {
            table.mistake(format!("{} is not a user's name", shown(&field.key)));
        }
        let argv = table
            .required(
                "argv",
                "the command that becomes the user, as [\"sudo\", \"-n\", \"su\", \"-\", \"omm\"]",
            )
            .map(|argv| argument_vector(&argv))
            .unwrap_or_default();
        table.finish("[become.USER]");
        users.insert(field.key, Become { argv });
    }
    users
}

pub(super) fn read_ssh(mut table: Table<'_>, dir: &Utf8Path) -> SshSettings {
    let default = SshSettings::default();
    let kex = table.field("kex").and_then(|field| {
        let text = field.text()?.value;
        let fits =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_@.,+^*".contains(c));
        if !fits {
            field.mistake(format!(
                "{} is {}, which is no list of ssh key exchanges",
                field.path,
                shown(&text)
            ));
        }
        fits.then_some(text)
    });
    let settings = SshSettings {
        keepalive: table
            .field("keepalive")
            .and_then(|field| field.duration())
            .and_then(|duration| u32::try_from(duration.as_secs()).ok())
            .unwrap_or(default.keepalive),
        connect_timeout: table
            .field("connect_timeout")
            .and_then(|field| field.duration())
            .unwrap_or(default.connect_timeout),
        kex,
        concurrency: table
            .field("concurrency")
            .and_then(|field| field.number(1..=1000))
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(default.concurrency),
        config: table.field("config").and_then(|field| site_file(&field, dir)),
    };
    table.finish("[ssh]");
    settings
}
