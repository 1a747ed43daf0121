//! Two audits side by side: what a new version does that the old one did not, and where a replacement does other than
//! what it replaces.

use super::{Plainly, Shown};
use crate::model::audit::{Audit, Comparison, Conforms, Difference, Form};
use crate::report;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a transcript's difference that are shown.
const MOST_LINES: usize = 200;

/// One side of a comparison.
pub struct Side<'a> {
    pub audit: &'a Audit,
    pub shown: &'a Shown,
}

/// Says what the new one has that the old one has not, and the other way round.
pub fn compare(new: &Side<'_>, old: &Side<'_>) -> Comparison {
    let needs = |side: &Side<'_>| -> BTreeSet<String> {
        let asked = side.audit.capabilities.iter().filter(|one| one.reason.is_some());
        asked.map(|one| one.words.clone()).collect()
    };
    let envelope = |side: &Side<'_>| -> BTreeSet<String> {
        let calls = side.shown.envelope.0.iter();
        calls
            .flat_map(|(call, entries)| entries.iter().map(move |entry| format!("{call}: {entry}")))
            .collect()
    };
    let imports = |side: &Side<'_>| -> BTreeSet<String> {
        match &side.audit.plugin.form {
            Form::Component { imports, .. } => imports.iter().cloned().collect(),
            Form::Script { .. } => BTreeSet::new(),
        }
    };
    let everywhere =
        |side: &Side<'_>| -> BTreeSet<String> { side.shown.envelope.0.values().flatten().cloned().collect() };
    let did = difference(&everywhere(new), &everywhere(old));
    let mut summary: Vec<String> = did.more.iter().map(|entry| format!("also: {entry}")).collect();
    summary.extend(did.less.iter().map(|entry| format!("no more: {entry}")));
    let mut transcripts = BTreeMap::new();
    for scenario in &new.shown.rehearsals.scenarios {
        let before = old.shown.rehearsals.scenarios.iter().find(|other| other.name == scenario.name);
        let Some(before) = before else {
            summary.push(format!("the scenario {} is new", scenario.name));
            continue;
        };
        if before.ended != scenario.ended {
            summary.push(format!("{} ended: {}; now: {}", scenario.name, before.ended, scenario.ended));
        }
        let lines = unified(&before.transcript, &scenario.transcript);
        if !lines.is_empty() {
            transcripts.insert(scenario.name.clone(), lines);
        }
    }
    if summary.is_empty() {
        summary.push(match transcripts.is_empty() {
            true => "it does exactly what it did".into(),
            false => "it takes the same of its grants, in another order or with other words".into(),
        });
    }
    Comparison {
        version: old.audit.plugin.version.clone(),
        digest: old.audit.plugin.digest.clone(),
        summary,
        needs: difference(&needs(new), &needs(old)),
        imports: difference(&imports(new), &imports(old)),
        envelope: difference(&envelope(new), &envelope(old)),
        transcripts,
    }
}

fn difference(new: &BTreeSet<String>, old: &BTreeSet<String>) -> Difference {
    Difference { more: new.difference(old).cloned().collect(), less: old.difference(new).cloned().collect() }
}

/// The lines that differ, with those around them.
fn unified(old: &[String], new: &[String]) -> Vec<String> {
    let mut lines = report::difference(old, new);
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… {more} lines more"));
    }
    lines
}

/// Holds a replacement to what it replaces, scenario by scenario: how it ends, and how it leaves the cluster.
pub fn conforms(replacement: &[(String, Plainly)], replaced: &[(String, Plainly)]) -> Vec<Conforms> {
    let mut all = Vec::new();
    for (scenario, theirs) in replaced {
        let Some((_, ours)) = replacement.iter().find(|(name, _)| name == scenario) else { continue };
        let mut differs = Vec::new();
        if !super::judge::ends_alike(&ours.end, &theirs.end) {
            differs.push(format!(
                "it ends: {}; the one that it replaces: {}",
                ours.end.words(),
                theirs.end.words()
            ));
        }
        differs.extend(ours.standing.differences(&theirs.standing));
        all.push(Conforms { scenario: scenario.clone(), differs });
    }
    all
}
