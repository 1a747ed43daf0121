//! An audit as a reviewer reads it: the verdict first, on one screen, then the details.

use super::{
    CAN_DO, COULD_DO, COVERAGE, DID, ENVELOPE, Row, again, by_call, counted, counted_in, coverage, file,
    granted, has_site, imported, ranges, signed, verdict, went, whereabouts,
};
use crate::model::audit::{
    Audit, Comparison, Conformance, Coverage, Difference, Finding, Form, Granted, Level, Subject, Unreached,
};
use crate::report::harmless;
use anstyle::{AnsiColor, Style};

/// What one screen holds.
const ROWS: usize = 24;
const COLUMNS: usize = 100;
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Returns an audit as lines. The first 24 are a summary; what they cut short stands in full below them.
///
/// Styled: whoever prints it strips that where colour is off.
pub fn text(audit: &Audit) -> Vec<String> {
    let mut lines = summary(audit);
    findings(audit, &mut lines);
    can_do(audit, &mut lines);
    did(audit, &mut lines);
    envelope(audit, &mut lines);
    code(audit, &mut lines);
    grants(audit, &mut lines);
    if let Some(comparison) = &audit.comparison {
        compared(comparison, &mut lines);
    }
    if let Some(conformance) = &audit.conformance {
        conforms(conformance, &mut lines);
    }
    made_of(&audit.plugin, &mut lines);
    lines
}

fn summary(audit: &Audit) -> Vec<String> {
    let Subject { summary, digest, bytes, api, loads_on, .. } = &audit.plugin;
    let mut facts = vec![
        ("what", harmless(summary)),
        ("from", format!("{}, {}", file(&audit.plugin), counted(*bytes, "byte"))),
        ("sha256", harmless(digest)),
        ("signed by", signed(&audit.plugin)),
        ("loads on", format!("{} (contract {})", harmless(loads_on), harmless(api))),
        ("can do", could(audit)),
        ("did", done(audit)),
        ("reached", coverage(&audit.coverage)),
    ];
    match &audit.grants.exceeded_by {
        Some(more) if more.is_empty() => facts.push(("grants", "no more than rehearsals used".into())),
        Some(more) => facts.push(("grants", format!("{} more than rehearsals used", more.len()))),
        None => facts.push(("grants", "no site was asked".into())),
    }
    if let Some(Comparison { version, summary, .. }) = &audit.comparison {
        let changes = match summary.is_empty() {
            true => format!("does what {} did", harmless(version)),
            false => format!(
                "since {}: {}",
                harmless(version),
                summary.iter().map(|line| harmless(line)).collect::<Vec<_>>().join("; ")
            ),
        };
        facts.push(("changed", changes));
    }
    if let Some(conformance) = &audit.conformance {
        facts.push(("as", conformity(conformance)));
    }
    facts.push(("by", format!("windlass {}; the details are below", harmless(&audit.windlass))));
    let mut lines = vec![verdict(audit)];
    lines.extend(facts.into_iter().map(|(name, fact)| format!("  {name:<9} {fact}")));
    // A note decides nothing: it waits below.
    let grave: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.level > Level::Note).collect();
    if !grave.is_empty() {
        lines.push(String::new());
        let room = ROWS.saturating_sub(lines.len());
        let shown = if grave.len() > room { room.saturating_sub(1) } else { grave.len() };
        let line = |finding: &&Finding| {
            format!(
                "{:<7}  {}: {}",
                finding.level.as_str(),
                harmless(&finding.id),
                harmless(&finding.message)
            )
        };
        lines.extend(grave.iter().take(shown).map(line));
        if shown < grave.len() {
            lines.push(format!("and {} below", counted_in(grave.len() - shown, "more finding")));
        }
    }
    let mut lines: Vec<String> = lines.into_iter().map(cut).collect();
    if !grave.is_empty()
        && let Some(first) = lines.first_mut()
    {
        *first = format!("{ALARM}{first}{ALARM:#}");
    }
    lines
}

fn cut(line: String) -> String {
    match line.char_indices().nth(COLUMNS) {
        None => line,
        Some(_) => line.chars().take(COLUMNS - 1).chain(['…']).collect(),
    }
}

fn could(audit: &Audit) -> String {
    let all = audit.capabilities.len();
    let not = audit.capabilities.iter().filter(|one| one.granted == Some(Granted::No)).count();
    let held = "nothing outside them: the gate enforces it";
    match (has_site(audit), not) {
        (false, _) => format!("{}, were all granted; {held}", counted_in(all, "thing")),
        (true, 0) => format!("{} under these grants; {held}", counted_in(all, "thing")),
        (true, not) => {
            format!("{} under these grants, {not} not granted; {held}", counted_in(all - not, "thing"))
        }
    }
}

fn done(audit: &Audit) -> String {
    let kinds = audit.envelope.0.values().map(std::collections::BTreeSet::len).sum();
    format!(
        "{}, in {} of {}",
        counted_in(kinds, "effect"),
        counted(audit.rehearsals.count.into(), "rehearsal"),
        counted_in(audit.rehearsals.scenarios.len(), "scenario")
    )
}

fn conformity(Conformance { procedure, scenarios, .. }: &Conformance) -> String {
    let differ = scenarios.iter().filter(|one| !one.differs.is_empty()).count();
    let of = counted_in(scenarios.len(), "scenario");
    match differ {
        0 => format!("{procedure}: ends as it does in {of}"),
        differ => format!("{procedure}: ends otherwise in {differ} of {of}"),
    }
}

fn heading(lines: &mut Vec<String>, text: impl Into<String>) {
    lines.push(String::new());
    lines.push(text.into());
}

fn findings(audit: &Audit, lines: &mut Vec<String>) {
    if audit.findings.is_empty() {
        return;
    }
    heading(lines, "Findings: for `windlass certify`, each above a note wants --accept 'FINDING=WHY'");
    for finding in &audit.findings {
        lines.push(String::new());
        lines.push(format!("  {:<7}  {}", finding.level.as_str(), harmless(&finding.id)));
        let mut fact = |name: &str, text: String| lines.push(format!("    {name:<8} {text}"));
        fact("what", harmless(&finding.message));
        fact("rule", finding.rule.title().into());
        if let Some(effect) = &finding.effect {
            fact("effect", harmless(effect));
        }
        if let Some(place) = &finding.place {
            fact("at", format!("{}:{}", harmless(&place.file), place.line));
        }
        if let Some(whereabouts) = whereabouts(finding) {
            fact("in", whereabouts);
        }
        if finding.seen > 0 {
            fact("seen", format!("in {}", counted(finding.seen.into(), "rehearsal")));
        }
        if let Some(rehearsal) = &finding.rehearsal {
            fact("again", again(audit, rehearsal));
        }
        lines.extend(finding.evidence.iter().map(|line| format!("    | {}", harmless(line))));
    }
}

fn can_do(audit: &Audit, lines: &mut Vec<String>) {
    heading(lines, format!("Can do: {}", if has_site(audit) { CAN_DO } else { COULD_DO }));
    for capability in &audit.capabilities {
        lines.push(format!(
            "  {:<11}  {:<12}  used {:>5}  {} = [{:?}]: {}",
            granted(capability),
            imported(capability),
            capability.used,
            harmless(&capability.list),
            harmless(&capability.pattern),
            harmless(&capability.words),
        ));
        match &capability.reason {
            Some(reason) => lines.push(format!("      because: {}", harmless(reason))),
            None => lines.push("      it is asked for nowhere".into()),
        }
    }
    if audit.capabilities.is_empty() {
        lines.push("  nothing".into());
    }
}

fn did(audit: &Audit, lines: &mut Vec<String>) {
    heading(lines, format!("Did: {DID}"));
    for scenario in &audit.rehearsals.scenarios {
        lines.push(format!("  {}: {}", harmless(&scenario.name), went(scenario)));
        for (call, effects) in by_call(scenario) {
            lines.push(format!("    {}", harmless(call)));
            for (Row { effect, is_change, nodes, fault }, count) in effects {
                let mark = if is_change { "* " } else { "  " };
                let nodes = if nodes.is_empty() { String::new() } else { format!(" [{}]", harmless(&nodes)) };
                let fault = if fault.is_empty() { String::new() } else { format!(": {}", harmless(fault)) };
                let times = if count == 1 { String::new() } else { format!(" ({count} times)") };
                lines.push(format!("      {mark}{}{nodes}{fault}{times}", harmless(effect)));
            }
        }
    }
    if audit.rehearsals.scenarios.is_empty() {
        lines.push("  nothing was rehearsed".into());
    }
}

fn envelope(audit: &Audit, lines: &mut Vec<String>) {
    heading(lines, format!("Envelope: {ENVELOPE}"));
    for (call, effects) in &audit.envelope.0 {
        lines.push(format!("  {}", harmless(call)));
        lines.extend(effects.iter().map(|effect| format!("    {}", harmless(effect))));
    }
    if audit.envelope.0.is_empty() {
        lines.push("  nothing".into());
    }
}

fn code(audit: &Audit, lines: &mut Vec<String>) {
    heading(lines, format!("Coverage: {}", coverage(&audit.coverage)));
    lines.push(format!("  {COVERAGE}"));
    match &audit.coverage {
        Coverage::Functions { unreached, .. } => {
            for Unreached { function, instructions, effects } in unreached {
                let effects = match effects.is_empty() {
                    true => "can cause no effect".into(),
                    false => format!("can cause {}", harmless(&effects.join(", "))),
                };
                let size = counted((*instructions).into(), "instruction");
                lines.push(format!("  not reached: {}, {size}, {effects}", harmless(function)));
            }
        }
        Coverage::Lines { unreached, .. } if !unreached.is_empty() => {
            lines.push(format!("  not reached: lines {}", ranges(unreached)));
        }
        Coverage::Lines { .. } | Coverage::NotMeasurable { .. } => {}
    }
}

fn grants(audit: &Audit, lines: &mut Vec<String>) {
    heading(lines, "Least grants: every rehearsal goes as it did with these in grants.toml");
    lines.extend(audit.grants.block.iter().map(|line| format!("  {}", harmless(line))));
    if audit.grants.block.is_empty() {
        lines.push("  none".into());
    }
    let more = audit.grants.exceeded_by.iter().flatten();
    lines.extend(more.map(|pattern| format!("  granted, and used by no rehearsal: {}", harmless(pattern))));
}

fn compared(comparison: &Comparison, lines: &mut Vec<String>) {
    let Comparison { version, digest, summary, needs, imports, envelope, transcripts } = comparison;
    heading(lines, format!("Compared with {}, {:.12}", harmless(version), harmless(digest)));
    lines.extend(summary.iter().map(|line| format!("  {}", harmless(line))));
    for (what, Difference { more, less }) in [("needs", needs), ("imports", imports), ("envelope", envelope)]
    {
        lines.extend(more.iter().map(|one| format!("  + {what}: {}", harmless(one))));
        lines.extend(less.iter().map(|one| format!("  - {what}: {}", harmless(one))));
    }
    for (scenario, difference) in transcripts {
        lines.push(format!("  transcript of {}", harmless(scenario)));
        lines.extend(difference.iter().map(|line| format!("    {}", harmless(line))));
    }
}

fn conforms(conformance: &Conformance, lines: &mut Vec<String>) {
    let Conformance { procedure, digest, scenarios } = conformance;
    heading(lines, format!("In the place of {procedure}, {:.12}", harmless(digest)));
    for one in scenarios {
        let ends = if one.differs.is_empty() { "ends as it does" } else { "ends otherwise" };
        lines.push(format!("  {}: {ends}", harmless(&one.scenario)));
        lines.extend(one.differs.iter().map(|line| format!("    {}", harmless(line))));
    }
}

fn made_of(subject: &Subject, lines: &mut Vec<String>) {
    heading(lines, "Made of: as its bytes tell it, and nothing of it was run for this");
    let mut fact = |name: &str, text: String| lines.push(format!("  {name:<12} {text}"));
    match &subject.form {
        Form::Script { language, engine, source } => {
            fact("script", format!("{}, {}", harmless(language), counted_in(source.len(), "line")));
            match engine {
                Some(engine) => {
                    fact("engine", format!("{} {}", harmless(&engine.name), harmless(&engine.version)))
                }
                None => fact("engine", "none here".into()),
            }
        }
        Form::Component {
            language,
            producers,
            dependencies,
            custom_sections,
            memories,
            tables,
            imports,
            exports,
            modules,
        } => {
            let language =
                if language.is_empty() { "it does not say from what".into() } else { harmless(language) };
            fact("component", format!("{language}, {}", counted((*modules).into(), "core module")));
            for producer in producers {
                let (role, name) = (harmless(&producer.role), harmless(&producer.name));
                fact("producer", format!("{role} {name} {}", harmless(&producer.version)));
            }
            match dependencies {
                None => fact("dependencies", "it does not say what it was built from".into()),
                Some(all) => fact("dependencies", counted_in(all.len(), "package")),
            }
            for one in dependencies.iter().flatten() {
                fact("", harmless(&one.to_string()));
            }
            for section in custom_sections {
                let (count, bytes) = (section.count, counted(section.bytes, "byte"));
                fact("section", format!("{}, {count} times, {bytes}", harmless(&section.name)));
            }
            for (what, unit, extents) in [("memory", "page", memories), ("table", "element", tables)] {
                for extent in extents {
                    let most =
                        extent.maximum.map_or("no limit of its own".into(), |most| format!("at most {most}"));
                    fact(what, format!("{}, {most}", counted(extent.minimum, unit)));
                }
            }
            imports.iter().for_each(|one| fact("imports", harmless(one)));
            exports.iter().for_each(|one| fact("exports", harmless(one)));
        }
    }
}
