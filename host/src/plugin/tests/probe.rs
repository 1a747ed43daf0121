//! Every function of the contract, called by a guest: one call is one effect, and its answer and its fault
//! come back as they were given.

use super::guest::*;
use crate::model::*;
use crate::plugin::Plugin;

/// Loads the probe (`tests/guests/probe`) from where the build put it, or says why the test is skipped.
fn probe() -> Option<Plugin> {
    let skipped = |reason: &str| {
        println!("skipped: {reason}");
        None
    };
    let Some(folder) = std::env::var_os("WINDLASS_COMPONENTS") else {
        return skipped(
            "WINDLASS_COMPONENTS is not set, so there is no probe to call; run `cargo xtask test`",
        );
    };
    let component = std::fs::read(std::path::Path::new(&folder).join("probe.wasm")).unwrap();
    Some(load(&component))
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}
fn file(name: &str) -> FileName {
    FileName::new(name).unwrap()
}
fn object(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}
fn entry(name: &str, value: &str) -> Entry {
    Entry { name: name.into(), value: value.into() }
}
fn outcome() -> Outcome {
    Outcome { succeeded: false, exit: 3, reason: "it said no".into(), output: vec!["a line".into()] }
}
pub fn certificate() -> Answer {
    Answer::Certificate(Box::new(Certificate {
        subject: "CN=probe".into(),
        issuer: "CN=Probe CA".into(),
        serial: "0a".into(),
        fingerprint: "f1".into(),
        not_before: 11,
        not_after: 22,
        key_algorithm: "ecdsa-p256".into(),
        signature_algorithm: "ecdsaWithSHA256".into(),
        can_issue: true,
        subject_key_id: "51".into(),
        authority_key_id: "a1".into(),
        names: vec!["probe.example".into()],
    }))
}
const CERTIFICATE: &str = r#"Certificate { subject: "CN=probe", issuer: "CN=Probe CA", serial: "0a", fingerprint: "f1", not-before: 11, not-after: 22, key-algorithm: "ecdsa-p256", signature-algorithm: "ecdsaWithSHA256", can-issue: true, subject-key-id: "51", authority-key-id: "a1", names: ["probe.example"] }"#;
const OUTCOME: &str = r#"Outcome { succeeded: false, exit: 3, reason: "it said no", output: ["a line"] }"#;

/// A step of the probe, the one effect it must make, an answer to it, and what the guest makes of that.
type Case = (&'static str, Effect, Answer, String);

/// What came of it on node1; node2 was too slow.
fn each(answer: Answer) -> Answer {
    let slow = Err(Fault::new("timeout", "too slow"));
    Answer::Each(vec![
        MemberAnswer { node: node("node1"), answer: Ok(answer) },
        MemberAnswer { node: node("node2"), answer: slow },
    ])
}

fn cases() -> Vec<Case> {
    let done = || (Answer::Done, "()".to_string());
    let mut cases = Vec::new();
    let mut case =
        |step, effect, (answer, shown): (Answer, String)| cases.push((step, effect, answer, shown));
    let (node1, plain, sealed) = (node("node1"), file("plain"), file("sealed"));
    let command = CommandName::new("work").unwrap();
    let run = |arguments| Effect::NodesRun { node: node("node1"), command: command.clone(), arguments };
    let put =
        |file: &FileName, content| Effect::FilesPut { node: node("node1"), file: file.clone(), content };
    let named = |name: &str, value| vec![Argument { name: name.into(), value }];

    let member = Member { name: node1.clone(), role: "first".into(), groups: vec!["managers".into()] };
    case(
        "nodes.members",
        Effect::NodesMembers,
        (
            Answer::Members(vec![member]),
            r#"[Member { name: "node1", role: "first", groups: ["managers"] }]"#.into(),
        ),
    );
    case(
        "nodes.run",
        run(named("mode", Value::Text("fast".into()))),
        (Answer::Outcome(outcome()), OUTCOME.into()),
    );
    case(
        "nodes.run.secret",
        run(named("password", Value::Secret(object("word")))),
        (Answer::Outcome(outcome()), OUTCOME.into()),
    );
    case(
        "nodes.run-each",
        Effect::NodesRunEach {
            nodes: vec![node("node1"), node("node2")],
            command: command.clone(),
            arguments: vec![],
        },
        (
            each(Answer::Outcome(outcome())),
            format!(
                r#"[MemberOutcome {{ node: "node1", outcome: Ok({OUTCOME}) }}, MemberOutcome {{ node: "node2", outcome: Err(Fault {{ code: "timeout", message: "too slow", hint: "" }}) }}]"#
            ),
        ),
    );
    let reason = || "it was away".to_string();
    case("nodes.quarantine", Effect::NodesQuarantine { node: node1.clone(), reason: reason() }, done());
    case("nodes.release", Effect::NodesRelease { node: node1.clone() }, done());
    case(
        "nodes.quarantined",
        Effect::NodesQuarantined,
        (
            Answer::Quarantined(vec![Quarantine { node: node1.clone(), reason: reason() }]),
            r#"[QuarantinedNode { node: "node1", reason: "it was away" }]"#.into(),
        ),
    );
    case(
        "nodes.clock-offset",
        Effect::NodesClockOffset { node: node1.clone() },
        (Answer::Milliseconds(-7), "-7".into()),
    );

    let stat =
        FileStat { size: 12, mode: "0600".into(), owner: "omm".into(), group: "wheel".into(), modified: 99 };
    case(
        "files.stat",
        Effect::FilesStat { node: node1.clone(), file: plain.clone() },
        (
            Answer::Stat(Some(stat)),
            r#"Some(FileStat { size: 12, mode: "0600", owner: "omm", group: "wheel", modified: 99 })"#.into(),
        ),
    );
    case(
        "files.fingerprint",
        Effect::FilesFingerprint { node: node1.clone(), file: plain.clone() },
        (Answer::Text(Some("ab".into())), r#"Some("ab")"#.into()),
    );
    let both = || vec![node("node1"), node("node2")];
    case(
        "files.fingerprint-each",
        Effect::FilesFingerprintEach { nodes: both(), file: plain.clone() },
        (
            each(Answer::Text(Some("ab".into()))),
            r#"[MemberFingerprint { node: "node1", fingerprint: Ok(Some("ab")) }, MemberFingerprint { node: "node2", fingerprint: Err(Fault { code: "timeout", message: "too slow", hint: "" }) }]"#.into(),
        ),
    );
    case(
        "files.put-each",
        Effect::FilesPutEach {
            nodes: both(),
            file: plain.clone(),
            content: Content::Bytes(b"probe\n".to_vec()),
        },
        (
            each(Answer::Done),
            r#"[MemberDone { node: "node1", done: Ok(()) }, MemberDone { node: "node2", done: Err(Fault { code: "timeout", message: "too slow", hint: "" }) }]"#.into(),
        ),
    );
    let on = || (node("node1"), file("sealed"));
    let keys = KeySet {
        fingerprint: "ab".into(),
        versions: vec![KeyVersion { number: 7, primary: true, enabled: true }],
    };
    const KEYS: &str =
        r#"KeySet { fingerprint: "ab", versions: [Version { number: 7, primary: true, enabled: true }] }"#;
    let known = || Answer::KeySet(Some(keys.clone()));
    let set = object("set");
    let (n, f) = on();
    case(
        "keyring.versions",
        Effect::KeyringVersions { node: n, file: f },
        (known(), format!("Some({KEYS})")),
    );
    let (n, f) = on();
    case("keyring.add", Effect::KeyringAdd { set: set.clone(), node: n, file: f }, (known(), KEYS.into()));
    let (n, f) = on();
    case(
        "keyring.retire",
        Effect::KeyringRetire { set, node: n, file: f, version: 7 },
        (known(), KEYS.into()),
    );
    let (n, f) = on();
    case("keyring.canary", Effect::KeyringCanary { name: object("bird"), node: n, file: f }, done());
    let (n, f) = on();
    case(
        "keyring.opens",
        Effect::KeyringOpens { node: n, file: f, canary: object("bird") },
        (Answer::Number(7), "7".into()),
    );
    case(
        "keyring.needs",
        Effect::KeyringNeeds { version: 7 },
        (Answer::Words(vec!["a value".into()]), r#"["a value"]"#.into()),
    );
    let (n, f) = on();
    case("keyring.rewrap", Effect::KeyringRewrap { node: n, file: f }, (Answer::Number(3), "3".into()));
    case(
        "files.read",
        Effect::FilesRead { node: node1.clone(), file: plain.clone() },
        (Answer::Bytes(vec![1, 0, 255]), "[1, 0, 255]".into()),
    );
    case(
        "files.space",
        Effect::FilesSpace { node: node1.clone(), file: plain.clone() },
        (Answer::Number(1 << 40), (1u64 << 40).to_string()),
    );
    case("files.put", put(&plain, Content::Bytes(b"probe\n".to_vec())), done());
    case("files.put.certificate", put(&plain, Content::Certificate(object("ca"))), done());
    case(
        "files.put.key",
        put(&sealed, Content::Key { key: object("ca-key"), passphrase: object("word") }),
        done(),
    );
    case("files.put.secret", put(&sealed, Content::Secret(object("word"))), done());
    case("files.put.file", put(&plain, Content::File { node: node("node2"), file: plain.clone() }), done());
    case(
        "files.stage",
        Effect::FilesStage {
            set: object("set"),
            node: node1.clone(),
            file: plain.clone(),
            content: Content::Bytes(b"probe\n".to_vec()),
        },
        done(),
    );
    case("files.swap", Effect::FilesSwap { set: object("set"), node: node1.clone() }, done());
    case("files.discard", Effect::FilesDiscard { set: object("set"), node: node1.clone() }, done());
    case("files.remove", Effect::FilesRemove { node: node1.clone(), file: plain.clone() }, done());
    case("files.restore", Effect::FilesRestore { node: node1.clone(), name: "plain".into() }, done());

    let row = Health {
        reporter: node1.clone(),
        node: "node2".into(),
        role: "standby".into(),
        state: "normal".into(),
        phase: "Deactived".into(),
    };
    case("cluster.health", Effect::ClusterHealth, (
        Answer::Health(vec![row]),
        r#"[HealthRecord { reporter: "node1", node: "node2", role: "standby", state: "normal", phase: "Deactived" }]"#.into(),
    ));
    let endpoint = EndpointName::new("tls").unwrap();
    case(
        "cluster.served",
        Effect::ClusterServed { node: node1, endpoint },
        (certificate(), CERTIFICATE.into()),
    );
    case("cluster.manager", Effect::ClusterManager, (Answer::Number(302), "302".into()));

    case(
        "crypto.generate-key",
        Effect::CryptoGenerateKey { name: object("ca-key"), algorithm: "ecdsa-p256".into() },
        done(),
    );
    case("crypto.prepare-key", Effect::CryptoPrepareKey { algorithm: "ecdsa-p256".into() }, done());
    case(
        "crypto.self-sign",
        Effect::CryptoSelfSign {
            name: object("ca"),
            key: object("ca-key"),
            subject: vec![entry("common-name", "Probe CA")],
            days: 3650,
        },
        (certificate(), CERTIFICATE.into()),
    );
    case(
        "crypto.issue",
        Effect::CryptoIssue {
            name: object("leaf"),
            ca: object("ca"),
            ca_key: object("ca-key"),
            key: object("leaf-key"),
            subject: vec![entry("common-name", "probe")],
            names: vec!["probe.example".into()],
            days: 90,
        },
        (certificate(), CERTIFICATE.into()),
    );
    case(
        "crypto.request",
        Effect::CryptoRequest {
            key: object("leaf-key"),
            subject: vec![entry("common-name", "probe")],
            names: vec!["probe.example".into()],
        },
        (Answer::Bytes(b"CSR".to_vec()), "[67, 83, 82]".into()),
    );
    case(
        "crypto.accept",
        Effect::CryptoAccept { name: object("leaf"), key: object("leaf-key"), certificate: b"PEM".to_vec() },
        (certificate(), CERTIFICATE.into()),
    );
    case(
        "crypto.accept-ca",
        Effect::CryptoAcceptCa { name: object("ca"), certificate: b"PEM".to_vec() },
        (certificate(), CERTIFICATE.into()),
    );
    case(
        "crypto.supplied-ca",
        Effect::CryptoSuppliedCa { name: object("ca"), key: object("ca-key"), passphrase: object("word") },
        (certificate(), CERTIFICATE.into()),
    );
    let source = |name: &str| CertificateSource::Object(object(name));
    case(
        "crypto.inspect",
        Effect::CryptoInspect { source: source("ca") },
        (certificate(), CERTIFICATE.into()),
    );
    let bytes = CertificateSource::Bytes(b"PEM".to_vec());
    case(
        "crypto.inspect.bytes",
        Effect::CryptoInspect { source: bytes },
        (certificate(), CERTIFICATE.into()),
    );
    case(
        "crypto.verify-chain",
        Effect::CryptoVerifyChain { leaf: source("leaf"), root: source("ca") },
        done(),
    );

    case(
        "crypto.check-key",
        Effect::CryptoCheckKey {
            node: node("node1"),
            file: file("sealed"),
            passphrase: object("word"),
            certificate: source("ca"),
        },
        (Answer::Text(Some("fits".into())), r#""fits""#.into()),
    );

    case(
        "secrets.ask",
        Effect::SecretsAsk { name: object("word"), prompt: "The word".into(), confirm: true },
        done(),
    );
    case("secrets.generate", Effect::SecretsGenerate { name: object("word"), length: 24 }, done());
    case(
        "secrets.check",
        Effect::SecretsCheck { name: object("word") },
        (Answer::Words(vec!["too short".into()]), r#"["too short"]"#.into()),
    );

    case(
        "operator.parameter",
        Effect::OperatorParameter { name: "calls".into() },
        (Answer::Text(None), "None".into()),
    );
    case(
        "operator.confirm",
        Effect::OperatorConfirm { question: "Go on?".into(), impact: "Nothing happens".into() },
        (Answer::Yes(true), "true".into()),
    );
    case(
        "operator.acknowledge",
        Effect::OperatorAcknowledge { question: "Go on?".into(), impact: "Nothing happens".into() },
        (Answer::Yes(false), "false".into()),
    );
    case("operator.note", Effect::OperatorNote { text: "a note".into() }, done());
    case("operator.progress", Effect::OperatorProgress { done: 1, total: 2, text: "half".into() }, done());

    case(
        "state.get",
        Effect::StateGet { name: "kept".into() },
        (Answer::Text(Some("value".into())), r#"Some("value")"#.into()),
    );
    case("state.set", Effect::StateSet { name: "kept".into(), value: "value".into() }, done());

    case("clock.now", Effect::ClockNow, (Answer::Milliseconds(1_800_000_000_000), "1800000000000".into()));
    case("clock.sleep", Effect::ClockSleep { milliseconds: 5 }, done());
    cases
}

#[test]
fn no_function_of_the_contract_is_left_out() {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("procedure")).unwrap();
    let mut functions = Vec::new();
    for import in resolve.worlds[world].imports.values() {
        let wit_parser::WorldItem::Interface { id, .. } = import else { panic!("{import:?}") };
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().unwrap();
        functions.extend(interface.functions.keys().map(|function| format!("{name}.{function}")));
    }
    assert!(functions.len() > 30, "{functions:?}");
    let cases = cases();
    for function in &functions {
        let (_, effect, ..) = cases.iter().find(|(step, ..)| step == function).expect(function);
        assert_eq!(effect.function(), function);
    }
}

#[tokio::test]
async fn each_function_makes_exactly_its_effect_and_hands_on_the_answer() {
    let Some(probe) = probe() else { return };
    for (name, effect, answer, shown) in cases() {
        let mut path = Recorder::new(move |_: &Effect| answered(answer.clone()));
        let id = step(&format!("{name}@answer"));
        let fault = probe.procedure_apply(&mut path, &id).await.unwrap().unwrap_err();
        assert_eq!(path.effects, [effect], "{name}");
        assert_eq!((fault.code.as_str(), fault.message), ("answer", shown), "{name}");
    }
}

#[tokio::test]
async fn each_function_hands_on_the_fault_whole() {
    let Some(probe) = probe() else { return };
    for (name, effect, ..) in cases() {
        let denied = Fault::new(code::DENIED, format!("{name} is not granted")).hint("commands = [\"work\"]");
        let given = denied.clone();
        let mut path = Recorder::new(move |_: &Effect| Ok(Err(given.clone())));
        let fault = probe.procedure_apply(&mut path, &step(name)).await.unwrap().unwrap_err();
        assert_eq!(path.effects, [effect], "{name}");
        assert_eq!(fault, denied, "{name}");
    }
}

#[tokio::test]
async fn the_probe_plans_the_calls_it_is_given() {
    let Some(probe) = probe() else { return };
    let mut path = Recorder::new(|_: &Effect| answered(Answer::Text(Some("clock.now,state.get".into()))));
    let steps = probe.procedure_steps(&mut path).await.unwrap().unwrap();
    let ids: Vec<_> = steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["clock.now", "state.get"]);
}
