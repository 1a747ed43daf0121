//! Reports with everything in them that a report can have.

use crate::model::PluginName;
use crate::model::audit::*;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn name(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

fn rehearsal(scenario: &str, seed: u32, case: &str) -> RehearsalName {
    RehearsalName { scenario: scenario.into(), seed, case: case.into() }
}

/// One finding of each rule.
fn findings() -> Vec<Finding> {
    let mut findings: Vec<Finding> = Rule::ALL
        .into_iter()
        .enumerate()
        .map(|(at, rule)| Finding {
            rule,
            level: rule.level(),
            id: format!("{}:restart-ha@second", rule.code()),
            message: format!("run restart-ha on second: {}", rule.title()),
            effect: at.is_multiple_of(2).then(|| "run restart-ha on master2".into()),
            call: at.is_multiple_of(3).then(|| "restart@second".into()),
            rehearsal: (!at.is_multiple_of(5)).then(|| {
                rehearsal("odd hours", at as u32, "nodes.run restart-ha on master2 fails: unreachable")
            }),
            place: at.is_multiple_of(4).then(|| Place { file: "drain.toml".into(), line: at as u32 + 1 }),
            evidence: if at.is_multiple_of(2) {
                strings(&["step restart@second", "  * run restart-ha on master2"])
            } else {
                Vec::new()
            },
            seen: at as u32 + 1,
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

fn capabilities() -> Vec<Capability> {
    let one = |list: &str, pattern: &str, words: &str| Capability {
        list: list.into(),
        pattern: pattern.into(),
        words: words.into(),
        reason: Some("the standby is restarted first".into()),
        place: Some(Place { file: "drain.toml".into(), line: 9 }),
        imported: Some(true),
        granted: Some(Granted::Yes),
        used: 57,
    };
    vec![
        one("commands", "restart-ha@second", "run restart-ha on second"),
        Capability {
            granted: Some(Granted::Partly),
            ..one("files", "ha-*: read", "read every ha- file on every node")
        },
        Capability {
            granted: Some(Granted::No),
            used: 0,
            ..one(
                "secrets",
                "ha-key -> restart-ha.password",
                "use the secret ha-key as password of restart-ha",
            )
        },
        Capability {
            granted: None,
            imported: None,
            reason: None,
            place: None,
            used: 0,
            ..one("general", "clock", "read the clock")
        },
        Capability { imported: Some(false), used: 0, ..one("crypto", "generate", "make keys") },
    ]
}

fn seen(call: &str, effect: &str, is_change: bool, nodes: &[&str], at: i64) -> SeenEffect {
    SeenEffect {
        call: call.into(),
        effect: effect.into(),
        is_change,
        nodes: strings(nodes),
        at,
        fault: String::new(),
    }
}

fn scenario(name: &str) -> RehearsedScenario {
    let cases = [("plain", 1), ("fault", 64), ("crash and resume", 31)];
    RehearsedScenario {
        name: name.into(),
        ended: "done".into(),
        transcript: strings(&[
            "preflight",
            "  read the clock: 2026-01-01 00:00:00Z",
            "step restart@second",
            "  * run restart-ha on master2: succeeded, exit 0",
        ]),
        effects: vec![
            seen("preflight", "read the clock", false, &[], 0),
            seen("preflight", "look at ha-root-cert", false, &["first", "second"], 20),
            seen("restart@second", "run restart-ha on second", true, &["second"], 1_500),
            SeenEffect {
                fault: "unreachable: the node did not answer".into(),
                ..seen("restart@first", "run restart-ha on first", true, &["first"], 61_500)
            },
            seen("restart@first", "read health", false, &["node-7"], 122_000),
        ],
        cases: cases.map(|(case, count)| (case.to_owned(), count)).into(),
    }
}

/// A component in which everything is wrong, audited in a site, against an older version and a bundled procedure.
pub(crate) fn audit() -> Audit {
    Audit {
        format: AUDIT_FORMAT,
        windlass: "0.1.0".into(),
        plugin: Subject {
            name: name("ha-cert"),
            version: "1.3.0".into(),
            kind: "procedure".into(),
            summary: "Replaces the HA certificates, our way".into(),
            file: Some("plugins/ha-cert.wasm".into()),
            digest: "0123456789abcdef".repeat(4),
            bytes: 345_678,
            signer: None,
            signature_problem: Some("it was made for \"file\", not for \"windlass-plugin\"".into()),
            api: "0.1".into(),
            loads_on: "windlass 0.1 and later".into(),
            form: Form::Component {
                language: "Rust".into(),
                producers: vec![Producer {
                    role: "language".into(),
                    name: "Rust".into(),
                    version: "1.95.0".into(),
                }],
                dependencies: Some(vec![Dependency {
                    name: "serde".into(),
                    version: "1.0.228".into(),
                    source: "crates.io".into(),
                }]),
                custom_sections: vec![CustomSection { name: "producers".into(), bytes: 71, count: 2 }],
                memories: vec![Extent { minimum: 17, maximum: None }],
                tables: vec![Extent { minimum: 32, maximum: Some(32) }],
                imports: strings(&["windlass:plugin/nodes@0.1.0/run", "windlass:plugin/clock@0.1.0"]),
                exports: strings(&["windlass:plugin/steps@0.1.0"]),
                modules: 1,
            },
        },
        verdict: Verdict::Findings,
        findings: findings(),
        capabilities: capabilities(),
        rehearsals: Rehearsals {
            count: 192,
            seed: 7,
            scenarios: vec![scenario("pair"), scenario("odd hours")],
        },
        envelope: Envelope(
            [
                ("preflight".to_owned(), ["general clock".to_owned()].into()),
                ("restart@second".to_owned(), ["commands restart-ha@second".to_owned()].into()),
            ]
            .into(),
        ),
        coverage: Coverage::Functions {
            functions: 310,
            reached: 270,
            instructions_permille: 873,
            unreached: vec![
                Unreached {
                    function: "drain::on_tuesdays".into(),
                    instructions: 112,
                    effects: strings(&["nodes.run"]),
                },
                Unreached { function: "core::fmt::pad".into(), instructions: 40, effects: Vec::new() },
            ],
        },
        grants: LeastGrants {
            block: strings(&["[grants.ha-cert]", "commands = [\"restart-ha@second\"]"]),
            exceeded_by: Some(strings(&["general = \"clock\""])),
        },
        comparison: Some(Comparison {
            version: "1.2.0".into(),
            digest: "fedcba9876543210".repeat(4),
            summary: strings(&["also restarts HA on second", "reads ha-root-cert no more"]),
            needs: Difference {
                more: strings(&["commands = \"restart-ha@second\""]),
                less: strings(&["files = \"ha-root-cert: read\""]),
            },
            imports: Difference { more: strings(&["windlass:plugin/clock@0.1.0"]), less: Vec::new() },
            envelope: Difference {
                more: strings(&["restart@second: commands restart-ha@second"]),
                less: Vec::new(),
            },
            transcripts: [(
                "pair".to_owned(),
                strings(&[" preflight", "-  look at ha-root-cert", "+step restart@second"]),
            )]
            .into(),
        }),
        conformance: Some(Conformance {
            procedure: name("ha-cert"),
            digest: "00ff".repeat(16),
            scenarios: vec![
                Conforms { scenario: "pair".into(), differs: Vec::new() },
                Conforms {
                    scenario: "odd hours".into(),
                    differs: strings(&["ha-leaf-cert on second is another"]),
                },
            ],
        }),
    }
}

/// A script in which nothing is wrong, audited without a site.
pub(crate) fn script() -> Audit {
    let mut whole = audit();
    whole.plugin = Subject {
        name: name("notify"),
        version: "0.1.0".into(),
        kind: "hook".into(),
        summary: "Tells the on-call channel".into(),
        file: Some("hooks/notify.py".into()),
        digest: "ab".repeat(32),
        bytes: 812,
        signer: Some("alice@example.com".into()),
        signature_problem: None,
        api: "0.1".into(),
        loads_on: "windlass 0.1 and later".into(),
        form: Form::Script {
            language: "python".into(),
            engine: Some(Producer {
                role: "engine".into(),
                name: "script-python".into(),
                version: "cd".repeat(32),
            }),
            source: strings(&[
                "# /// windlass",
                "# name = \"notify\"",
                "# ///",
                "def handle(event):",
                "    pass",
            ]),
        },
    };
    Audit {
        verdict: Verdict::NothingFound,
        findings: whole
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Note)
            .take(1)
            .cloned()
            .collect(),
        capabilities: whole.capabilities.into_iter().map(|one| Capability { granted: None, ..one }).collect(),
        coverage: Coverage::Lines { lines: 40, reached: 38, unreached: vec![12, 13] },
        grants: LeastGrants { exceeded_by: None, ..whole.grants },
        comparison: None,
        conformance: None,
        ..whole
    }
}

/// As little as there can be: a bundled procedure that does nothing.
pub(crate) fn bare() -> Audit {
    let whole = audit();
    Audit {
        plugin: Subject {
            file: None,
            signature_problem: None,
            form: Form::Component {
                language: String::new(),
                producers: Vec::new(),
                dependencies: None,
                custom_sections: Vec::new(),
                memories: Vec::new(),
                tables: Vec::new(),
                imports: Vec::new(),
                exports: Vec::new(),
                modules: 0,
            },
            ..whole.plugin
        },
        verdict: Verdict::NothingFound,
        findings: Vec::new(),
        capabilities: Vec::new(),
        rehearsals: Rehearsals::default(),
        envelope: Envelope::default(),
        coverage: Coverage::NotMeasurable { why: "compiled Python has its interpreter's functions".into() },
        grants: LeastGrants::default(),
        comparison: None,
        conformance: None,
        ..whole
    }
}

/// What a guest, a node or a site would write to get out of where it is shown.
pub(crate) const HOSTILE: &str = "</title></style><script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\"> \
     & \u{1b}[31mred\u{7}\u{202e}txet]]>\r\n| `code` |";

/// An audit in which every text that can be another is a hostile one: names of maps too.
pub(crate) fn hostile(audit: &Audit) -> Audit {
    let mut value = serde_json::to_value(audit).unwrap();
    let mut places = Vec::new();
    texts(&value, &mut String::new(), &mut places);
    let mut changed = 0;
    for place in places {
        let mut tried = value.clone();
        *tried.pointer_mut(&place).unwrap() = HOSTILE.into();
        // A name, a digest or a word of a closed list is refused where it is read.
        if serde_json::from_value::<Audit>(tried.clone()).is_ok() {
            value = tried;
            changed += 1;
        }
    }
    let mut audit: Audit = serde_json::from_value(value).unwrap();
    audit.envelope = Envelope(
        audit
            .envelope
            .0
            .into_iter()
            .map(|(call, of)| (call + HOSTILE, of.into_iter().map(|one| one + HOSTILE).collect()))
            .collect(),
    );
    for scenario in &mut audit.rehearsals.scenarios {
        scenario.cases = std::mem::take(&mut scenario.cases)
            .into_iter()
            .map(|(case, count)| (case + HOSTILE, count))
            .collect();
    }
    if let Some(comparison) = &mut audit.comparison {
        comparison.transcripts = std::mem::take(&mut comparison.transcripts)
            .into_iter()
            .map(|(name, lines)| (name + HOSTILE, lines))
            .collect();
    }
    assert!(changed > 5, "{changed} texts of a sample can be anything");
    audit
}

/// The places of all texts, as pointers.
fn texts(value: &serde_json::Value, at: &mut String, places: &mut Vec<String>) {
    let mut below = |name: String, value: &serde_json::Value| {
        let length = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        texts(value, at, places);
        at.truncate(length);
    };
    match value {
        serde_json::Value::String(_) => places.push(at.clone()),
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| below(index.to_string(), value))
        }
        serde_json::Value::Object(values) => {
            values.iter().for_each(|(name, value)| below(name.clone(), value))
        }
        _ => {}
    }
}
