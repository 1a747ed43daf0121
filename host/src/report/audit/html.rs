//! An audit as one page that needs nothing else: no script, no picture, no font; its style is allowed by digest, and
//! nothing else is. What could carry a message by colour carries it by word or shape too.

mod timeline;

use super::{
    CAN_DO, COULD_DO, COVERAGE, DID, ENVELOPE, Row, again, by_call, counted, counted_in, coverage, file,
    granted, harmless, has_site, imported, ranges, signed, tally, verdict, went, whereabouts,
};
use crate::model::audit::{
    Audit, Capability, Comparison, Conformance, Coverage, Difference, Finding, Form, RehearsedScenario,
    Subject, Unreached, Verdict,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// Returns an audit as a page.
pub fn html(audit: &Audit) -> String {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'");
    let Subject { name, version, summary, .. } = &audit.plugin;
    let sections = [
        ("findings", "Findings", findings(audit)),
        ("can-do", "Can do", can_do(audit)),
        ("did", "Did", did(audit)),
        ("envelope", "Envelope", envelope(audit)),
        ("coverage", "Coverage", code(audit)),
        ("least-grants", "Least grants", grants(audit)),
        ("compared", "Compared", audit.comparison.as_ref().map(compared).unwrap_or_default()),
        ("in-the-place-of", "In the place of", audit.conformance.as_ref().map(conforms).unwrap_or_default()),
        ("made-of", "Made of", made_of(&audit.plugin)),
    ];
    let sections: Vec<_> = sections.into_iter().filter(|(.., body)| !body.0.is_empty()).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "Audit of " (name) " " (harmless(version)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Audit of " (name) " " (harmless(version)) }
                    p.soft { (harmless(summary)) }
                    (verdict_box(audit))
                    (facts(audit))
                }
                nav aria-label="Sections" { ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } } }
                main {
                    @for (id, title, body) in &sections {
                        section id=(id) aria-labelledby={ (id) "-title" } { h2 id={ (id) "-title" } { (title) } (body) }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn verdict_box(audit: &Audit) -> Markup {
    let found = audit.verdict == Verdict::Findings;
    html! {
        div.verdict.findings[found] {
            strong { (verdict(audit)) }
            p { "Can do: " (if has_site(audit) { CAN_DO } else { COULD_DO }) "." br; "Did: " (DID) "." }
        }
    }
}

fn facts(audit: &Audit) -> Markup {
    let Subject { kind, digest, bytes, api, loads_on, .. } = &audit.plugin;
    let scenarios = counted_in(audit.rehearsals.scenarios.len(), "scenario");
    html! {
        dl {
            dt { "kind" } dd { (harmless(kind)) }
            dt { "from" } dd { (file(&audit.plugin)) ", " (counted(*bytes, "byte")) }
            dt { "SHA-256" } dd { code { (harmless(digest)) } }
            dt { "signed by" } dd { (signed(&audit.plugin)) }
            dt { "loads on" } dd { (harmless(loads_on)) " (contract " (harmless(api)) ")" }
            dt { "rehearsed" } dd { (counted(audit.rehearsals.count.into(), "rehearsal")) " of " (scenarios) ", seed " (audit.rehearsals.seed) }
            dt { "reached" } dd { (coverage(&audit.coverage)) }
            dt { "audited by" } dd { "windlass " (harmless(&audit.windlass)) }
        }
    }
}

fn findings(audit: &Audit) -> Markup {
    html! {
        @if audit.findings.is_empty() { p { "Nothing was found." } }
        @else { p { (tally(audit)) ". To certify the plugin all the same, each above a note must be accepted with a reason: " code { "windlass certify … --accept 'FINDING=WHY'" } } }
        @for finding in &audit.findings { (one_finding(audit, finding)) }
    }
}

fn one_finding(audit: &Audit, finding: &Finding) -> Markup {
    let level = finding.level.as_str();
    html! {
        article {
            h3 { span.level.(level) { (level) } " " code { (harmless(&finding.id)) } }
            p { (harmless(&finding.message)) }
            dl {
                dt { "rule" } dd { (finding.rule.title()) }
                @if let Some(effect) = &finding.effect { dt { "effect" } dd { code { (harmless(effect)) } } }
                @if let Some(place) = &finding.place { dt { "at" } dd { code { (harmless(&place.file)) ":" (place.line) } } }
                @if let Some(whereabouts) = whereabouts(finding) { dt { "in" } dd { (whereabouts) } }
                @if finding.seen > 0 { dt { "seen" } dd { "in " (counted(finding.seen.into(), "rehearsal")) } }
                @if let Some(rehearsal) = &finding.rehearsal { dt { "again" } dd { code { (again(audit, rehearsal)) } } }
            }
            @if !finding.evidence.is_empty() { (folded("Evidence", &finding.evidence)) }
        }
    }
}

/// Lines that are there to be looked up.
fn folded(title: &str, lines: &[String]) -> Markup {
    html! {
        details {
            summary { (title) ", " (counted_in(lines.len(), "line")) }
            pre tabindex="0" { @for line in lines { (harmless(line)) "\n" } }
        }
    }
}

fn can_do(audit: &Audit) -> Markup {
    html! {
        @if audit.capabilities.is_empty() { p { "Nothing: it asks for nothing." } }
        @else {
            div.wide tabindex="0" role="region" aria-label="Capabilities" {
                table {
                    caption { (if has_site(audit) { CAN_DO } else { COULD_DO }) }
                    thead { tr {
                        th scope="col" { "What" } th scope="col" { "As in grants.toml" } th scope="col" { "Granted" }
                        th scope="col" { "Imported" } th.number scope="col" { "Used" } th scope="col" { "Why" }
                    } }
                    tbody { @for capability in &audit.capabilities { (one_capability(capability)) } }
                }
            }
        }
    }
}

fn one_capability(capability: &Capability) -> Markup {
    let Capability { list, pattern, words, reason, place, used, .. } = capability;
    html! {
        tr {
            th scope="row" { (harmless(words)) }
            td { code { (harmless(list)) " = [\"" (harmless(pattern)) "\"]" } }
            td { (granted(capability)) }
            td { (imported(capability)) }
            td.number { (used) }
            td {
                @match reason { Some(reason) => (harmless(reason)), None => "it is asked for nowhere" }
                @if let Some(place) = place { br; code.soft { (harmless(&place.file)) ":" (place.line) } }
            }
        }
    }
}

fn did(audit: &Audit) -> Markup {
    html! {
        p { (DID) "." }
        @if audit.rehearsals.scenarios.is_empty() { p { "Nothing was rehearsed." } }
        @for scenario in &audit.rehearsals.scenarios { (one_scenario(scenario)) }
    }
}

fn one_scenario(scenario: &RehearsedScenario) -> Markup {
    html! {
        h3 { "Scenario " (harmless(&scenario.name)) }
        p { (went(scenario)) }
        (timeline::timeline(scenario))
        details {
            summary { "Effects, " (scenario.effects.len()) }
            div.wide tabindex="0" role="region" aria-label={ "Effects of " (harmless(&scenario.name)) } {
                table {
                    thead { tr { th scope="col" { "Step" } th scope="col" { "Effect" } th scope="col" { "On" } th.number scope="col" { "Times" } th scope="col" { "Came to" } } }
                    tbody {
                        @for (call, effects) in by_call(scenario) {
                            @for (Row { effect, is_change, nodes, fault }, count) in effects {
                                tr {
                                    td { (harmless(call)) }
                                    td { (harmless(effect)) @if is_change { " (a change)" } }
                                    td { (harmless(&nodes)) }
                                    td.number { (count) }
                                    td { @if fault.is_empty() { "done" } @else { span.error { (harmless(fault)) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if !scenario.transcript.is_empty() { (folded("Transcript", &scenario.transcript)) }
    }
}

fn envelope(audit: &Audit) -> Markup {
    html! {
        p { (ENVELOPE) "." }
        @if audit.envelope.0.is_empty() { p { "It is empty." } }
        @else {
            dl { @for (call, effects) in &audit.envelope.0 {
                dt { (harmless(call)) }
                dd { @for effect in effects { code { (harmless(effect)) } br; } }
            } }
        }
    }
}

fn code(audit: &Audit) -> Markup {
    html! {
        p { (coverage(&audit.coverage)) }
        p.soft { (COVERAGE) "." }
        @match &audit.coverage {
            Coverage::Functions { unreached, .. } if !unreached.is_empty() => {
                div.wide tabindex="0" role="region" aria-label="What was not reached" {
                    table {
                        thead { tr { th scope="col" { "Not reached" } th.number scope="col" { "Instructions" } th scope="col" { "Can cause" } } }
                        tbody { @for Unreached { function, instructions, effects } in unreached {
                            tr { th scope="row" { code { (harmless(function)) } } td.number { (instructions) } td { (harmless(&effects.join(", "))) } }
                        } }
                    }
                }
            }
            Coverage::Lines { unreached, .. } if !unreached.is_empty() => { p { "Not reached: lines " (ranges(unreached)) } }
            _ => {}
        }
    }
}

fn grants(audit: &Audit) -> Markup {
    html! {
        p { "Every rehearsal goes as it did with these in grants.toml." }
        pre tabindex="0" { @for line in &audit.grants.block { (harmless(line)) "\n" } }
        @match &audit.grants.exceeded_by {
            None => { p { "There was no site to compare them with." } }
            Some(more) if more.is_empty() => { p { "The site grants no more than rehearsals used." } }
            Some(more) => { p { "The site grants more, which no rehearsal used:" } ul { @for one in more { li { code { (harmless(one)) } } } } }
        }
    }
}

fn compared(comparison: &Comparison) -> Markup {
    let Comparison { version, digest, summary, needs, imports, envelope, transcripts } = comparison;
    html! {
        p { "With " (harmless(version)) ", " code { (harmless(digest)) } }
        ul { @for line in summary { li { (harmless(line)) } } }
        @for (what, Difference { more, less }) in [("Needs", needs), ("Imports", imports), ("Envelope", envelope)] {
            @if !more.is_empty() || !less.is_empty() {
                h3 { (what) }
                ul {
                    @for one in more { li { "more: " code { (harmless(one)) } } }
                    @for one in less { li { "no more: " code { (harmless(one)) } } }
                }
            }
        }
        @for (scenario, lines) in transcripts { (folded(&format!("Transcript of {}", harmless(scenario)), lines)) }
    }
}

fn conforms(conformance: &Conformance) -> Markup {
    let Conformance { procedure, digest, scenarios } = conformance;
    html! {
        p { "Of the bundled " (procedure) ", " code { (harmless(digest)) } }
        table {
            thead { tr { th scope="col" { "Scenario" } th scope="col" { "Ends" } } }
            tbody { @for one in scenarios {
                tr {
                    th scope="row" { (harmless(&one.scenario)) }
                    td { @if one.differs.is_empty() { "as it does" } @else { "otherwise:" @for line in &one.differs { br; (harmless(line)) } } }
                }
            } }
        }
    }
}

fn made_of(subject: &Subject) -> Markup {
    let listed = |title: &str, lines: Vec<String>| html! { dt { (title) } dd { @if lines.is_empty() { "none" } @for line in &lines { (line) br; } } };
    let with_limit = |minimum: u64, unit: &str, maximum: Option<u64>| {
        let most = maximum.map_or("no limit of its own".into(), |most| format!("at most {most}"));
        format!("{}, {most}", counted(minimum, unit))
    };
    html! {
        p { "As its bytes tell it; nothing of it was run for this." }
        @match &subject.form {
            Form::Script { language, engine, source } => {
                dl {
                    dt { "script" } dd { (harmless(language)) }
                    dt { "engine" } dd { @match engine { Some(engine) => { (harmless(&engine.name)) " " code { (harmless(&engine.version)) } }, None => "none here" } }
                }
                details {
                    summary { "Source, " (counted_in(source.len(), "line")) }
                    pre tabindex="0" { @for (at, line) in source.iter().enumerate() { (format!("{:>5}  ", at + 1)) (harmless(line)) "\n" } }
                }
            }
            Form::Component { language, producers, dependencies, custom_sections, memories, tables, imports, exports, modules } => {
                dl {
                    dt { "component" } dd { (if language.is_empty() { "it does not say from what".into() } else { harmless(language) }) ", " (counted((*modules).into(), "core module")) }
                    (listed("producers", producers.iter().map(|one| format!("{} {} {}", harmless(&one.role), harmless(&one.name), harmless(&one.version))).collect()))
                    (listed("custom sections", custom_sections.iter().map(|one| format!("{}, {} times, {}", harmless(&one.name), one.count, counted(one.bytes, "byte"))).collect()))
                    (listed("memories", memories.iter().map(|one| with_limit(one.minimum, "page", one.maximum)).collect()))
                    (listed("tables", tables.iter().map(|one| with_limit(one.minimum, "element", one.maximum)).collect()))
                    (listed("imports", imports.iter().map(|one| harmless(one)).collect()))
                    (listed("exports", exports.iter().map(|one| harmless(one)).collect()))
                    @if dependencies.is_none() { dt { "dependencies" } dd { "it does not say what it was built from" } }
                }
                @if let Some(all) = dependencies {
                    (folded("Dependencies", &all.iter().map(ToString::to_string).collect::<Vec<_>>()))
                }
            }
        }
    }
}
