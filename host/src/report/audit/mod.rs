//! What an audit says, for people (`text`), for other programs (`sarif`) and for a browser (`html`). Its JSON is the
//! model itself, as `docs/audit.schema.json` describes it.
//!
//! Whatever a plugin, a node or a site has written goes through `harmless` on its way to a terminal, and is escaped
//! on its way to a page.

mod html;
mod sarif;
mod text;

#[cfg(test)]
mod tests;

pub use html::html;
pub use sarif::sarif;
pub use text::text;

use super::harmless;
use crate::model::audit::{
    Audit, Capability, Coverage, Finding, Granted, Level, RehearsalName, RehearsedScenario, SeenEffect,
    Subject, Verdict,
};
use indexmap::IndexMap;

/// What the table of capabilities says, and who makes it true.
const CAN_DO: &str =
    "under these grants no input makes this digest cause any effect outside this table: the gate enforces it";
/// The same where there is no site.
const COULD_DO: &str = "were all of this granted, no input could make this digest cause any effect outside this table: the gate enforces it";
/// What rehearsals say, and what not.
const DID: &str = "these effects, by step, in rehearsals: what it did, not all that it could do";
const COVERAGE: &str = "coverage is evidence, not proof: code that ran may do otherwise with other input";
const ENVELOPE: &str = "what rehearsals produced, by step; where a site says outside_envelope = \"pause\", a change or a secret's use \
                        outside it stops the run";

/// `1 rehearsal`, `2 rehearsals`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn counted_in(count: usize, what: &str) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), what)
}

/// `2 errors, 1 note`; empty where there are none.
fn tally(audit: &Audit) -> String {
    let of = |level| audit.findings.iter().filter(|finding| finding.level == level).count();
    let parts = [Level::Error, Level::Warning, Level::Note]
        .into_iter()
        .map(|level| (of(level), level))
        .filter(|(count, _)| *count > 0)
        .map(|(count, level)| counted_in(count, level.as_str()));
    parts.collect::<Vec<_>>().join(", ")
}

/// The verdict, in a line.
fn verdict(audit: &Audit) -> String {
    let Subject { name, version, kind, .. } = &audit.plugin;
    let of = format!("{} {name} {}", harmless(kind), harmless(version));
    match (audit.verdict, tally(audit)) {
        (Verdict::NothingFound, notes) if notes.is_empty() => format!("NOTHING FOUND in {of}"),
        (Verdict::NothingFound, notes) => format!("NOTHING FOUND above a note in {of}: {notes}"),
        (Verdict::Findings, tally) => format!("FINDINGS in {of}: {tally}"),
    }
}

/// Where the plugin's bytes are.
fn file(subject: &Subject) -> String {
    match &subject.file {
        Some(file) => harmless(file),
        None => format!("part of windlass: {}", subject.name),
    }
}

fn signed(subject: &Subject) -> String {
    match (&subject.signer, &subject.signature_problem) {
        (Some(signer), _) => harmless(signer),
        (None, Some(problem)) => format!("a signature that does not count: {}", harmless(problem)),
        (None, None) => "nobody, or nobody who is trusted here".into(),
    }
}

/// The command that repeats a rehearsal alone, ready for a shell.
fn again(audit: &Audit, rehearsal: &RehearsalName) -> String {
    let plugin = audit.plugin.file.as_deref().unwrap_or(audit.plugin.name.as_str());
    let against = match &audit.conformance {
        Some(conformance) => format!(" --as {}", conformance.procedure),
        None => String::new(),
    };
    format!(
        "windlass audit {}{against} --only {} --seed {}",
        quoted(plugin),
        quoted(&rehearsal.scenario),
        rehearsal.seed
    )
}

/// A word of a command line, as a shell takes it.
fn quoted(word: &str) -> String {
    let word = harmless(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/@%+=:-".contains(c);
    match !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Where a finding was made: `restart@first, in odd hours (plain), seed 7`.
fn whereabouts(finding: &Finding) -> Option<String> {
    let call = finding.call.as_deref().map(harmless);
    let rehearsal = finding.rehearsal.as_ref().map(|RehearsalName { scenario, seed, case }| {
        format!("scenario {} ({}), seed {seed}", harmless(scenario), harmless(case))
    });
    match (call, rehearsal) {
        (None, None) => None,
        (call, rehearsal) => Some([call, rehearsal].into_iter().flatten().collect::<Vec<_>>().join(", in ")),
    }
}

fn granted(capability: &Capability) -> &'static str {
    match capability.granted {
        Some(Granted::Yes) => "granted",
        Some(Granted::Partly) => "in part",
        Some(Granted::No) => "NOT granted",
        None => "no site",
    }
}

fn imported(capability: &Capability) -> &'static str {
    match capability.imported {
        Some(true) => "imported",
        Some(false) => "not imported",
        None => "not known",
    }
}

/// Whether any grants were asked.
fn has_site(audit: &Audit) -> bool {
    audit.grants.exceeded_by.is_some()
        || audit.capabilities.iter().any(|capability| capability.granted.is_some())
}

fn coverage(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Functions { functions, reached, instructions_permille, unreached } => {
            let silent = unreached.iter().filter(|one| !one.effects.is_empty()).count();
            format!(
                "{reached} of {}, {}.{} % of the instructions; {silent} not reached can cause an effect",
                counted((*functions).into(), "function"),
                instructions_permille / 10,
                instructions_permille % 10
            )
        }
        Coverage::Lines { lines, reached, .. } => {
            format!("{reached} of {}", counted((*lines).into(), "line"))
        }
        Coverage::NotMeasurable { why } => format!("not measurable: {}", harmless(why)),
    }
}

/// Lines as ranges: `3, 7-9`.
fn ranges(lines: &[u32]) -> String {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match found.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*line) => *last = *line,
            _ => found.push((*line, *line)),
        }
    }
    let shown = found.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// An effect as a table has it.
#[derive(PartialEq, Eq, Hash)]
struct Row<'a> {
    effect: &'a str,
    is_change: bool,
    nodes: String,
    fault: &'a str,
}

/// Effects by call, in the order in which calls began; of the same on the same nodes one, and how often.
fn by_call(scenario: &RehearsedScenario) -> IndexMap<&str, IndexMap<Row<'_>, u32>> {
    let mut calls: IndexMap<&str, IndexMap<Row<'_>, u32>> = IndexMap::new();
    for SeenEffect { call, effect, is_change, nodes, fault, .. } in &scenario.effects {
        let row = Row { effect, is_change: *is_change, nodes: nodes.join(", "), fault };
        *calls.entry(call.as_str()).or_default().entry(row).or_default() += 1;
    }
    calls
}

/// How a scenario's rehearsals went: `96 rehearsals (1 plain, 64 fault); the plain one ended: done`.
fn went(scenario: &RehearsedScenario) -> String {
    let count: u64 = scenario.cases.values().map(|count| u64::from(*count)).sum();
    let cases: Vec<_> =
        scenario.cases.iter().map(|(case, count)| format!("{count} {}", harmless(case))).collect();
    format!(
        "{} ({}); the plain one ended: {}",
        counted(count, "rehearsal"),
        cases.join(", "),
        harmless(&scenario.ended)
    )
}
