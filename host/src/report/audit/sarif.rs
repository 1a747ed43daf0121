//! An audit as SARIF 2.1.0, for the programs that gather findings.
//!
//! Written as plain JSON and held against the standard's schema by a test: a crate of its types would bring more code
//! than is here.

use super::{again, harmless, verdict};
use crate::model::audit::{Audit, Finding, RehearsalName, Rule, Subject};
use indexmap::IndexSet;
use serde_json::{Map, Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What a finding is known by, from one audit to the next.
const FINGERPRINT: &str = "windlassFinding/v1";

/// Returns an audit as a SARIF log of one run.
pub fn sarif(audit: &Audit) -> Value {
    let artifacts = Artifacts::of(audit);
    let places = Places::of(audit);
    let results: Vec<Value> =
        audit.findings.iter().map(|finding| result(audit, finding, &artifacts, &places)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "windlass audit",
                "version": harmless(&audit.windlass),
                "rules": Rule::ALL.map(rule).to_vec(),
            } },
            "automationDetails": { "id": format!("windlass-audit/{}/", audit.plugin.name) },
            "invocations": [{ "executionSuccessful": true }],
            "artifacts": artifacts.listed(audit),
            "logicalLocations": places.listed(),
            "results": results,
            "properties": {
                "verdict": verdict(audit),
                "version": harmless(&audit.plugin.version),
                "rehearsals": audit.rehearsals.count,
                "seed": audit.rehearsals.seed,
            },
        }],
    })
}

fn rule(rule: Rule) -> Value {
    let title = rule.title();
    json!({
        "id": rule.code(),
        "shortDescription": { "text": title },
        "help": { "text": format!("{title}. What it was seen by, and how to repeat that alone, are in the result's properties; docs/reviewing.md says how to judge it.") },
        "defaultConfiguration": { "level": rule.level().as_str() },
    })
}

/// What a reference to a file is, relative to where the audit was made.
fn uri(file: &str) -> String {
    use std::fmt::Write as _;
    let begin = if file.starts_with('/') { "file://" } else { "" };
    file.bytes().fold(begin.to_owned(), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            // Writing to a String cannot fail.
            byte => drop(write!(uri, "%{byte:02X}")),
        }
        uri
    })
}

/// The plugin first, then each file that a finding points into.
struct Artifacts(IndexSet<String>);

impl Artifacts {
    fn of(audit: &Audit) -> Self {
        let own = match &audit.plugin.file {
            Some(file) => uri(file),
            None => format!("windlass:{}", audit.plugin.name),
        };
        let places = audit.findings.iter().filter_map(|finding| finding.place.as_ref());
        Self(std::iter::once(own).chain(places.map(|place| uri(&place.file))).collect())
    }

    fn listed(&self, audit: &Audit) -> Vec<Value> {
        let Subject { digest, bytes, .. } = &audit.plugin;
        let mut listed: Vec<Value> = self.0.iter().map(|uri| json!({ "location": { "uri": uri } })).collect();
        if let Some(Value::Object(own)) = listed.first_mut() {
            own.insert("length".into(), json!(bytes));
            own.insert("hashes".into(), json!({ "sha-256": harmless(digest) }));
            own.insert("roles".into(), json!(["analysisTarget"]));
        }
        listed
    }

    fn location(&self, file: Option<&str>) -> Value {
        let uri = file.map(uri);
        let index = uri.as_ref().and_then(|uri| self.0.get_index_of(uri)).unwrap_or_default();
        json!({ "uri": self.0.get_index(index), "index": index })
    }
}

/// Where in the plugin: itself, then its calls and the scenarios that findings name.
struct Places<'a> {
    name: String,
    calls: IndexSet<&'a str>,
    scenarios: IndexSet<&'a str>,
}

impl<'a> Places<'a> {
    fn of(audit: &'a Audit) -> Self {
        let findings = || audit.findings.iter();
        Self {
            name: audit.plugin.name.to_string(),
            calls: findings().filter_map(|finding| finding.call.as_deref()).collect(),
            scenarios: findings()
                .filter_map(|finding| finding.rehearsal.as_ref())
                .map(|rehearsal| rehearsal.scenario.as_str())
                .collect(),
        }
    }

    fn listed(&self) -> Vec<Value> {
        let below = |kind: &'static str| {
            move |text: &&str| {
                let name = harmless(text);
                let whole = format!("{}/{kind}/{name}", self.name);
                json!({ "name": name, "fullyQualifiedName": whole, "kind": kind, "parentIndex": 0 })
            }
        };
        let own = json!({ "name": self.name, "fullyQualifiedName": self.name, "kind": "module" });
        std::iter::once(own)
            .chain(self.calls.iter().map(below("function")))
            .chain(self.scenarios.iter().map(below("scenario")))
            .collect()
    }

    fn at(&self, finding: &Finding) -> Vec<Value> {
        let call = finding.call.as_deref().and_then(|call| self.calls.get_index_of(call));
        let scenario = finding
            .rehearsal
            .as_ref()
            .and_then(|rehearsal| self.scenarios.get_index_of(rehearsal.scenario.as_str()));
        let found = [call.map(|at| at + 1), scenario.map(|at| at + 1 + self.calls.len())];
        let found: Vec<Value> = found.into_iter().flatten().map(|index| json!({ "index": index })).collect();
        if found.is_empty() { vec![json!({ "index": 0 })] } else { found }
    }
}

fn result(audit: &Audit, finding: &Finding, artifacts: &Artifacts, places: &Places<'_>) -> Value {
    let place = finding.place.as_ref();
    let mut physical = Map::new();
    physical.insert("artifactLocation".into(), artifacts.location(place.map(|place| place.file.as_str())));
    if let Some(place) = place.filter(|place| place.line > 0) {
        physical.insert("region".into(), json!({ "startLine": place.line }));
    }
    let mut properties = Map::new();
    let mut property = |name: &str, value: Value| properties.insert(name.into(), value);
    property("finding", harmless(&finding.id).into());
    if let Some(effect) = &finding.effect {
        property("effect", harmless(effect).into());
    }
    if let Some(rehearsal) = &finding.rehearsal {
        let RehearsalName { scenario, seed, case } = rehearsal;
        property("scenario", harmless(scenario).into());
        property("seed", (*seed).into());
        property("case", harmless(case).into());
        property("repeat", again(audit, rehearsal).into());
    }
    if !finding.evidence.is_empty() {
        property("evidence", finding.evidence.iter().map(|line| harmless(line)).collect());
    }
    let mut result = json!({
        "ruleId": finding.rule.code(),
        "level": finding.level.as_str(),
        "message": { "text": harmless(&finding.message) },
        "locations": [{ "physicalLocation": physical, "logicalLocations": places.at(finding) }],
        "fingerprints": { FINGERPRINT: format!("{}/{}", audit.plugin.name, harmless(&finding.id)) },
        "properties": properties,
    });
    let index = Rule::ALL.iter().position(|rule| *rule == finding.rule);
    if let Value::Object(result) = &mut result {
        result.extend(index.map(|index| ("ruleIndex".into(), json!(index))));
        if finding.seen > 0 {
            result.insert("occurrenceCount".into(), finding.seen.into());
        }
    }
    result
}
