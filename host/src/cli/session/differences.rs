//! What a run began with beside what is here now: a run goes on with something else only where the operator named it.

use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Accepted, Row, StoredRow};
use crate::model::{Digested, RunId};
use crate::plugin::{API_VERSION, Plugin};
use crate::site::Site;
use std::fmt;

/// What may differ between the beginning of a run and its resumption, if the operator says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Difference {
    /// `site.toml` and `grants.toml`
    Site,
    /// The profile, or one that it extends
    Profile,
    /// The plugin's bytes
    Plugin,
    /// A hook's bytes, or which hooks there are
    Hook,
    /// The interface between host and plugin: another windlass began the run
    Api,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Site => "site",
            Self::Profile => "profile",
            Self::Plugin => "plugin",
            Self::Hook => "hook",
            Self::Api => "api",
        })
    }
}

/// One thing that a run goes by, and its SHA-256 or version.
type Thing = (Difference, String, String);

/// Says what of a site and a plugin a run is to accept; an error where something was not named.
pub(super) fn accepted(
    run: &RunId,
    rows: &[StoredRow],
    site: &Site,
    plugin: &Plugin,
    hooks: &[Digested],
    named: &[Difference],
) -> Result<Vec<Accepted>> {
    let differing = compare(&then(rows), &now(site, plugin, hooks));
    let mut missing: Vec<Difference> = Vec::new();
    for (difference, _) in &differing {
        if !named.contains(difference) && !missing.contains(difference) {
            missing.push(*difference);
        }
    }
    if missing.is_empty() {
        return Ok(differing.into_iter().map(|(_, accepted)| accepted).collect());
    }
    let told: Vec<String> = differing.iter().map(|(_, accepted)| accepted.to_string()).collect();
    let flags: Vec<String> = missing.iter().map(|difference| format!("--accept {difference}")).collect();
    Err(Error::new(
        Exit::Refused,
        format!("what is here is not what run {run} began with: {}", told.join("; ")),
    )
    .hint(format!("put it back, or, if the change is meant: {}", flags.join(" "))))
}

fn now(site: &Site, plugin: &Plugin, hooks: &[Digested]) -> Vec<Thing> {
    let mut things: Vec<Thing> = site.digests.all().map(|file| of_file(&file.name, &file.sha256)).collect();
    things.push((Difference::Plugin, plugin.name().to_string(), plugin.digest().to_string()));
    things.extend(hooks.iter().map(of_hook));
    things.push((Difference::Api, "of plugins".into(), API_VERSION.into()));
    things
}

/// What the run began with, and what was accepted since.
fn then(rows: &[StoredRow]) -> Vec<Thing> {
    let mut things = Vec::new();
    for stored in rows {
        match &stored.row {
            Row::Began { procedure, files, plugin_digest, hooks, api, .. } => {
                things.extend(files.iter().map(|file| of_file(&file.name, &file.sha256)));
                things.push((Difference::Plugin, procedure.to_string(), plugin_digest.clone()));
                things.extend(hooks.iter().map(of_hook));
                things.push((Difference::Api, "of plugins".into(), api.clone()));
            }
            Row::Resumed { accepted, .. } => {
                for Accepted { what, name, now, .. } in accepted {
                    things.retain(|(kind, known, _)| kind.to_string() != *what || known != name);
                    if let Some(kind) = ALL.into_iter().find(|kind| kind.to_string() == *what)
                        && !now.is_empty()
                    {
                        things.push((kind, name.clone(), now.clone()));
                    }
                }
            }
            _ => {}
        }
    }
    things
}

const ALL: [Difference; 5] =
    [Difference::Site, Difference::Profile, Difference::Plugin, Difference::Hook, Difference::Api];

fn of_hook(hook: &Digested) -> Thing {
    (Difference::Hook, hook.name.clone(), hook.sha256.clone())
}

fn of_file(name: &str, sha256: &str) -> Thing {
    let kind = match name {
        "site.toml" | "grants.toml" => Difference::Site,
        _ => Difference::Profile,
    };
    (kind, name.to_owned(), sha256.to_owned())
}

fn compare(then: &[Thing], now: &[Thing]) -> Vec<(Difference, Accepted)> {
    let find = |things: &[Thing], kind: Difference, name: &str| {
        let found = things.iter().find(|(other, known, _)| *other == kind && known == name);
        found.map(|(_, _, digest)| digest.clone()).unwrap_or_default()
    };
    let mut differing = Vec::new();
    for kind in ALL {
        let mut names: Vec<&str> = Vec::new();
        for (other, name, _) in then.iter().chain(now) {
            if *other == kind && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        for name in names {
            let (then, now) = (find(then, kind, name), find(now, kind, name));
            if then != now {
                differing.push((kind, Accepted { what: kind.to_string(), name: name.into(), then, now }));
            }
        }
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn things(site: &str, profile: &str, plugin: &str, hook: &str, api: &str) -> Vec<Thing> {
        vec![
            of_file("site.toml", site),
            of_file("mrs-2", profile),
            (Difference::Plugin, "p".into(), plugin.into()),
            (Difference::Hook, "h".into(), hook.into()),
            (Difference::Api, "of plugins".into(), api.into()),
        ]
    }

    #[test]
    fn each_difference_is_its_own_and_has_both_sides() {
        // Every set of the five, by its bits.
        for set in 0..32u32 {
            let side = |bit: u32| if set & (1 << bit) == 0 { "old" } else { "new" };
            let now = things(side(0), side(1), side(2), side(3), side(4));
            let differing = compare(&things("old", "old", "old", "old", "old"), &now);
            let expected: Vec<_> = ALL
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| set & (1 << bit) != 0)
                .map(|(_, kind)| kind)
                .collect();
            assert_eq!(differing.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), expected);
            assert!(differing.iter().all(|(_, one)| one.then == "old" && one.now == "new"));
        }
    }

    #[test]
    fn a_file_that_came_or_went_is_a_difference() {
        let without = things("s", "p", "x", "h", "1");
        let mut with = without.clone();
        with.push(of_file("grants.toml", "g"));
        for (then, now, text) in [
            (&without, &with, "site grants.toml: none then, g now"),
            (&with, &without, "site grants.toml: g then, none now"),
        ] {
            let lines: Vec<_> = compare(then, now).iter().map(|(_, one)| one.to_string()).collect();
            assert_eq!(lines, [text]);
        }
    }
}
