//! The smallest grants under which a plugin can do again what it was seen to do.

use crate::model::PluginName;
use crate::model::audit::LeastGrants;
use crate::plugin::Manifest;
use crate::policy::{Claim, Requirement, Rules};
use crate::site::{GrantBlock, ROLES};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the smallest grants under which every claim that was seen is met, as lines of `grants.toml`; and what a
/// site's present grants have besides, where there are any.
///
/// Each claim is met by a pattern of the needs. Where that says "any node" and the node had a role, the grant is for the
/// role; a placeholder's values are those that were seen of those that it may have. Nodes and groups are only named
/// where the manifest does: those of a rehearsal are not a site's.
pub fn least(manifest: &Manifest, seen: &[Claim], present: Option<&GrantBlock>) -> LeastGrants {
    let seen: Vec<&Claim> = seen.iter().collect();
    let mut narrowed: BTreeMap<(&str, String, String), Values> = BTreeMap::new();
    let needs: Vec<(&str, &String, Rules)> = manifest
        .needs
        .iter()
        .flat_map(|need| need.patterns())
        .filter_map(|(list, pattern)| Some((list, pattern, Rules::one(list, pattern).ok()?)))
        .collect();
    for claim in &seen {
        let met = needs.iter().find(|(.., rules)| rules.allow(&claim.requirement, &claim.places));
        let Some((list, pattern, _)) = met else { continue };
        let (name, values, place) = apart(list, pattern);
        let place = match (place, role(&claim.places)) {
            ("*" | "", Some(role)) if claim.requirement.node().is_some() => role,
            (place, _) => place,
        };
        let into = narrowed.entry((list, name.to_owned(), place.to_owned())).or_default();
        into.take(values, &claim.requirement);
    }
    let lines: Vec<(&str, String)> = narrowed
        .into_iter()
        .map(|((list, name, place), values)| (list, values.pattern(&name, &place)))
        .collect();
    let kept = without_the_rest(lines, &seen);
    LeastGrants {
        block: block(&manifest.name, &kept),
        exceeded_by: present.map(|present| exceeding(present, &seen)),
    }
}

/// A pattern's name, the values in its brackets, and its place.
fn apart<'p>(list: &str, pattern: &'p str) -> (&'p str, Option<&'p str>, &'p str) {
    if !["commands", "files", "endpoints"].contains(&list) {
        return (pattern, None, "");
    }
    let behind = pattern.rfind(')').map_or(0, |at| at + 1);
    let (head, place) = match pattern[behind..].split_once('@') {
        Some((_, place)) => (&pattern[..pattern.len() - place.len() - 1], place),
        None => (pattern, "*"),
    };
    match head.split_once('(') {
        Some((name, values)) => (name, Some(values.trim_end_matches(')')), place),
        None => (head, None, place),
    }
}

fn role(places: &[String]) -> Option<&str> {
    places.iter().map(String::as_str).find(|place| ROLES.contains(place))
}

/// The values of a command's placeholders; none: any.
#[derive(Default)]
struct Values(Option<BTreeMap<String, BTreeSet<String>>>, bool);

impl Values {
    fn take(&mut self, asked: Option<&str>, requirement: &Requirement) {
        let first = !std::mem::replace(&mut self.1, true);
        let (Some(asked), Requirement::Command { arguments, .. }) = (asked, requirement) else {
            self.0 = None;
            return;
        };
        if first {
            self.0 = Some(BTreeMap::new());
        }
        // One that any value was allowed for stays so.
        let Some(values) = &mut self.0 else { return };
        for part in asked.split(',') {
            let Some((name, allowed)) = part.split_once('=') else { continue };
            let given = arguments.iter().filter(|(argument, _)| argument == name.trim());
            let given: BTreeSet<String> = given.filter_map(|(_, value)| value.clone()).collect();
            let into = values.entry(name.trim().to_owned()).or_default();
            match given.is_empty() {
                true => into.extend(allowed.split('|').map(str::to_owned)),
                false => into.extend(given),
            }
        }
    }

    fn pattern(&self, name: &str, place: &str) -> String {
        let values = self.0.iter().flatten().map(|(name, values)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            format!("{name}={}", values.join("|"))
        });
        let values: Vec<String> = values.collect();
        let values = match values.is_empty() {
            true => String::new(),
            false => format!("({})", values.join(", ")),
        };
        match place {
            "" => format!("{name}{values}"),
            place => format!("{name}{values}@{place}"),
        }
    }
}

/// Leaves out what the other patterns allow already: those for any node last, as they allow the most.
fn without_the_rest<'l>(mut lines: Vec<(&'l str, String)>, seen: &[&Claim]) -> Vec<(&'l str, String)> {
    let parsed = |lines: &[(&str, String)]| {
        let mut all = Rules::default();
        for (list, pattern) in lines {
            // Made of patterns that were read; one that is none allows nothing.
            all.extend(Rules::one(list, pattern).unwrap_or_default());
        }
        all
    };
    let needed: Vec<&&Claim> = {
        let all = parsed(&lines);
        seen.iter().filter(|claim| all.allow(&claim.requirement, &claim.places)).collect()
    };
    let mut order: Vec<(&str, String)> = lines.clone();
    order.sort_by_key(|(_, pattern)| pattern.ends_with("@*"));
    for line in order {
        let rest: Vec<(&str, String)> = lines.iter().filter(|other| **other != line).cloned().collect();
        let allowed = parsed(&rest);
        if needed.iter().all(|claim| allowed.allow(&claim.requirement, &claim.places)) {
            lines = rest;
        }
    }
    lines
}

/// Lines of `grants.toml`, a pattern in each.
fn block(name: &PluginName, kept: &[(&str, String)]) -> Vec<String> {
    let mut lines = vec![format!("[grants.{name}]")];
    for list in ["commands", "files", "endpoints", "crypto", "keyring", "secrets", "general"] {
        let patterns: Vec<&String> =
            kept.iter().filter(|(of, _)| *of == list).map(|(_, pattern)| pattern).collect();
        if !patterns.is_empty() {
            lines.push(format!("{list} = ["));
            lines.extend(patterns.iter().map(|pattern| format!("  {},", quoted(pattern))));
            lines.push("]".into());
        }
    }
    lines
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The patterns of a site's grants that nothing that was seen is met by.
fn exceeding(present: &GrantBlock, seen: &[&Claim]) -> Vec<String> {
    let unused = present.patterns().filter(|(list, pattern)| {
        let Ok(rules) = Rules::one(list, pattern) else { return true };
        !seen.iter().any(|claim| rules.allow(&claim.requirement, &claim.places))
    });
    unused.map(|(list, pattern)| format!("{list} = {}", quoted(pattern))).collect()
}
