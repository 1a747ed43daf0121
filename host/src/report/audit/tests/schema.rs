//! `docs/audit.schema.json` is written from the types (`WINDLASS_UPDATE=1 cargo test -p windlass --lib audit`), and
//! held against what is written; SARIF against the standard's own schema.

use super::*;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

/// Returns why a value is not as a schema says; None: it is.
fn flaw(schema: &Value, value: &Value) -> Option<String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let index: SchemaIndex = compiler.compile("schema.json", &mut schemas).unwrap();
    schemas.validate(value, index).err().map(|error| format!("{error:#}"))
}

fn published() -> Value {
    let text = std::fs::read_to_string(root().join("docs/audit.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let made = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut made = made.into_generator().into_root_schema_for::<Audit>();
    made.insert("title".into(), "A report of windlass audit --json".into());
    let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
    let path = root().join("docs/audit.schema.json");
    if std::env::var_os("WINDLASS_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == text, "WINDLASS_UPDATE=1 cargo test -p windlass --lib audit writes it anew");
}

#[test]
fn reports_are_as_the_published_schema_says_and_others_are_not() {
    let schema = published();
    for (name, audit) in samples() {
        for audit in [&audit, &hostile(&audit)] {
            let value = serde_json::to_value(audit).unwrap();
            assert_eq!(flaw(&schema, &value), None, "{name}");
            assert_eq!(serde_json::from_value::<Audit>(value).unwrap(), *audit, "{name}");
        }
    }
    let whole = serde_json::to_value(audit()).unwrap();
    for (place, changed) in [
        ("", "new"),
        ("/plugin", "new"),
        ("/plugin/form", "new"),
        ("/findings/0", "new"),
        ("/findings/0/rehearsal", "new"),
        ("/capabilities/0", "new"),
        ("/rehearsals/scenarios/0/effects/0", "new"),
        ("/coverage", "new"),
        ("/comparison/needs", "new"),
        ("/conformance/scenarios/0", "new"),
    ] {
        let mut value = whole.clone();
        value.pointer_mut(place).unwrap()[changed] = json!(1);
        assert!(flaw(&schema, &value).is_some(), "{place} may have more than the schema says");
        assert!(serde_json::from_value::<Audit>(value).is_err(), "{place} is read with more than it has");
    }
    for place in
        ["/verdict", "/findings/0/level", "/findings/0/rule", "/plugin/form/form", "/coverage/coverage"]
    {
        let mut value = whole.clone();
        *value.pointer_mut(place).unwrap() = json!("other");
        assert!(flaw(&schema, &value).is_some(), "{place}");
    }
}

#[test]
fn sarif_is_valid_by_the_standards_schema() {
    let text = std::fs::read_to_string(root().join("tests/fixtures/sarif/sarif-schema-2.1.0.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    for (name, audit) in samples() {
        for audit in [&audit, &hostile(&audit)] {
            assert_eq!(flaw(&schema, &sarif(audit)), None, "{name}");
        }
    }
    let mut wrong = sarif(&audit());
    wrong["runs"][0]["results"][0]["level"] = json!("grave");
    assert!(flaw(&schema, &wrong).is_some());
}

#[test]
fn sarif_points_to_the_right_places() {
    let audit = audit();
    let log = sarif(&audit);
    let run = &log["runs"][0];
    assert_eq!(run["artifacts"][0]["location"]["uri"], "plugins/ha-cert.wasm");
    assert_eq!(run["artifacts"][0]["hashes"]["sha-256"], audit.plugin.digest);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), audit.findings.len());
    for (result, finding) in results.iter().zip(&audit.findings) {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(
            (&rule["id"], &result["ruleId"]),
            (&json!(finding.rule.code()), &json!(finding.rule.code()))
        );
        let location = &result["locations"][0];
        let physical = &location["physicalLocation"];
        let file = &physical["artifactLocation"];
        let artifact = &run["artifacts"][file["index"].as_u64().unwrap() as usize];
        assert_eq!(artifact["location"]["uri"], file["uri"]);
        match &finding.place {
            Some(place) => {
                assert_eq!(
                    (&file["uri"], &physical["region"]["startLine"]),
                    (&json!(place.file), &json!(place.line))
                );
            }
            None => assert_eq!(file["index"], 0),
        }
        let names: Vec<&str> = location["logicalLocations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|place| {
                run["logicalLocations"][place["index"].as_u64().unwrap() as usize]["name"].as_str().unwrap()
            })
            .collect();
        let scenario = finding.rehearsal.as_ref().map(|rehearsal| rehearsal.scenario.as_str());
        let expected: Vec<&str> = finding.call.as_deref().into_iter().chain(scenario).collect();
        assert_eq!(names, if expected.is_empty() { vec!["ha-cert"] } else { expected });
    }
    // Of another file of the same name, it is the same finding.
    let mut other = audit.clone();
    other.plugin.digest = "00".repeat(32);
    let prints = |log: &Value| -> Vec<Value> {
        log["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["fingerprints"].clone())
            .collect()
    };
    assert_eq!(prints(&sarif(&other)), prints(&log));
    assert_eq!(
        prints(&log).iter().map(Value::to_string).collect::<std::collections::BTreeSet<_>>().len(),
        results.len()
    );
}
