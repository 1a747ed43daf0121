//! `windlass keyring info`.

use super::secret::{keyring_error, store};
use crate::backend;
use crate::capability::keyring::{Keyset, Status};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{Found, Journals, OnNode, keyring_of, load, on_nodes};
use crate::model::{Fault, NodeName, RunId};
use crate::report;
use serde::Serialize;
use std::collections::BTreeMap;

/// Show the versions of the cluster's root key
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Command {
    /// Show versions, what still needs each, and which nodes have them; no key
    ///
    /// Exit status 10 where the nodes do not all have one key set, or a value is sealed under a version that it
    /// lacks.
    Info,
}

#[derive(Serialize)]
struct Set {
    /// SHA-256 over all that the set seals and opens, lower-case hex.
    fingerprint: String,
    nodes: Vec<NodeName>,
    /// When a node's file was written last, seconds since 1970 UTC.
    written: Option<i64>,
    versions: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    version: u32,
    primary: bool,
    status: &'static str,
    /// How many of the site's values are sealed under it.
    values: i64,
    /// What of the site still needs it, as far as Windlass knows; not said of the primary, which is needed.
    needed_by: Vec<String>,
}

/// Runs `keyring …`.
pub fn run(args: &Args, context: &Context) -> Result {
    let Command::Info = args.command;
    let Found { site, .. } = load(context)?;
    let file = keyring_of(&site)?.name;
    let journals = Journals::of(context, &site)?;
    let failed = |fault: Fault| Error::new(Exit::Fault, fault.message).hint(fault.hint);
    let run = RunId::new("info").map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let left = backend::standing_needs(&journals, &run).map_err(failed)?;
    let mut needed = store(&site)?.by_version().map_err(keyring_error)?;
    let nodes: Vec<&NodeName> = site.nodes.keys().collect();
    let (mut sets, mut without): (BTreeMap<String, Set>, Vec<(NodeName, String)>) = Default::default();
    for OnNode { node, found, written } in on_nodes(context, &site, &nodes)? {
        match found {
            Ok(Some(keyset)) => {
                let set = sets.entry(keyset.fingerprint()).or_insert_with(|| Set {
                    fingerprint: keyset.fingerprint(),
                    nodes: Vec::new(),
                    written: None,
                    versions: versions(&keyset, &needed),
                });
                set.nodes.push(node);
                set.written = set.written.max(written);
            }
            Ok(None) => without.push((node, format!("{file} does not exist there"))),
            Err(untold) => without.push((node, untold.why)),
        }
    }
    let mut sets: Vec<Set> = sets.into_values().collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.nodes.len()));
    for shown in sets.iter_mut().flat_map(|set| &mut set.versions) {
        needed.remove(&Some(shown.version));
        if !shown.primary {
            shown.needed_by.extend(backend::values_need(&site, shown.version).map_err(failed)?);
            shown.needed_by.extend(left.iter().cloned());
        }
    }
    let orphans: i64 = needed.values().sum();
    if context.ui.is_json() {
        let without: Vec<_> =
            without.iter().map(|(node, why)| serde_json::json!({"node": node, "why": why})).collect();
        context.ui.json(&serde_json::json!({ "file": file, "sets": sets, "without": without, "values_without_version": orphans }));
    } else {
        sets.iter().for_each(|set| print(context, set));
        for (node, why) in &without {
            context.ui.out(format!("no key set: {node}: {why}"));
        }
        if orphans > 0 {
            context.ui.out(format!("{orphans} values are sealed under a version that no node has"));
        }
    }
    if sets.is_empty() {
        return Err(Error::new(Exit::Preflight, "no node has a key set that can be read")
            .hint("windlass site check --connect tries each node on its own"));
    }
    Ok(if sets.len() == 1 && without.is_empty() && orphans == 0 { Exit::Done } else { Exit::Findings })
}

fn versions(keyset: &Keyset, needed: &BTreeMap<Option<u32>, i64>) -> Vec<Shown> {
    let shown = |version: crate::capability::keyring::Version| Shown {
        version: version.number,
        primary: version.primary,
        status: match version.status {
            Status::Enabled => "enabled",
            Status::Disabled => "disabled",
            Status::Destroyed => "destroyed",
        },
        values: needed.get(&Some(version.number)).copied().unwrap_or_default(),
        needed_by: Vec::new(),
    };
    keyset.versions().into_iter().map(shown).collect()
}

fn print(context: &Context, set: &Set) {
    let ui = &context.ui;
    let names: Vec<&str> = set.nodes.iter().map(NodeName::as_str).collect();
    let written = set.written.and_then(|written| jiff::Timestamp::from_second(written).ok());
    let written =
        written.map_or_else(String::new, |at| format!(", written {}", at.strftime("%Y-%m-%d %H:%M UTC")));
    ui.out(format!("key set {:.16} on {}{written}", set.fingerprint, names.join(", ")));
    for Shown { version, primary, status, values, needed_by } in &set.versions {
        let state = if *primary { "primary" } else { status };
        let values = if *values == 1 { "1 value".into() } else { format!("{values} values") };
        ui.out(format!("  version {version:<10}  {state:<9}  {values}"));
        for need in needed_by {
            ui.out(format!("    needed: {}", report::harmless(need)));
        }
    }
}
