//! A procedure that calls one function of the contract for each step, with the arguments below.
//!
//! A step is named after the function, as `nodes.run`; where a function takes a variant, further steps name
//! its other cases, as `files.put.secret`. Applying a step makes exactly one call. It ends well where the
//! call did, and with the call's own fault where it did not. With `@answer` after its name the step instead
//! ends in the fault `answer`, whose message is what the call returned, so that a test can see that. With `@times-N` it makes the call N times.
//!
//! The steps of a run are those that the parameter `calls` lists, parted by commas. Undo and verify do
//! nothing.

wit_bindgen::generate!({ path: "../../../wit", world: "procedure" });

use exports::windlass::plugin::procedure_api::{Check, Description, Guest, Parameter, Step};
use std::fmt::Debug;
use windlass::plugin::crypto::CertificateSource;
use windlass::plugin::files::{Content, EncryptedKey, SourceFile};
use windlass::plugin::nodes::{Argument, Value};
use windlass::plugin::types::{Entry, Fault};
use windlass::plugin::{clock, cluster, crypto, files, keyring, nodes, operator, secrets, state};

struct Probe;
export!(Probe);

impl Guest for Probe {
    fn describe() -> Description {
        Description {
            title: "Call functions of the contract".into(),
            impact: String::new(),
            parameters: vec![Parameter {
                name: "calls".into(),
                summary: "the functions to call, parted by commas".into(),
                default: Some(String::new()),
                choices: vec![],
            }],
        }
    }

    fn steps() -> Result<Vec<Step>, Fault> {
        let calls = operator::parameter("calls")?.unwrap_or_default();
        Ok(calls
            .split(',')
            .filter(|call| !call.is_empty())
            .map(|call| Step {
                id: call.into(),
                title: format!("call {call}"),
                nodes: vec![],
                impact: String::new(),
                guards: vec![],
                undoable: true,
            })
            .collect())
    }

    fn apply(step: String) -> Result<(), Fault> {
        if let Some((function, times)) = step.split_once("@times-") {
            let times: u32 =
                times.parse().map_err(|_| fault("invalid", format!("{times:?} is no number")))?;
            return (0..times).try_for_each(|_| call(function).map(drop));
        }
        let (function, tell) = match step.strip_suffix("@answer") {
            Some(function) => (function, true),
            None => (step.as_str(), false),
        };
        let answer = call(function)?;
        if tell { Err(fault("answer", answer)) } else { Ok(()) }
    }

    fn undo(_step: String) -> Result<(), Fault> {
        Ok(())
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        Ok(vec![Check { title: "every call was made".into(), passed: true, evidence: vec![] }])
    }
}

const NODE: &str = "node1";
const OTHER: &str = "node2";
const PLAIN: &str = "plain";
const SEALED: &str = "sealed";
const COMMAND: &str = "work";

fn call(function: &str) -> Result<String, Fault> {
    match function {
        "nodes.members" => shown(nodes::members()),
        "nodes.run" => shown(nodes::run(NODE, COMMAND, &[argument("mode", Value::Text("fast".into()))])),
        "nodes.run.secret" => {
            shown(nodes::run(NODE, COMMAND, &[argument("password", Value::Secret("word".into()))]))
        }
        "nodes.run-each" => shown(nodes::run_each(&[NODE.into(), OTHER.into()], COMMAND, &[])),
        "nodes.quarantine" => shown(nodes::quarantine(NODE, "it was away")),
        "nodes.release" => shown(nodes::release(NODE)),
        "nodes.quarantined" => shown(nodes::quarantined()),
        "nodes.clock-offset" => shown(nodes::clock_offset(NODE)),

        "files.stat" => shown(files::stat(NODE, PLAIN)),
        "files.fingerprint" => shown(files::fingerprint(NODE, PLAIN)),
        "files.fingerprint-each" => shown(files::fingerprint_each(&[NODE.into(), OTHER.into()], PLAIN)),
        "files.read" => shown(files::read(NODE, PLAIN)),
        "files.space" => shown(files::space(NODE, PLAIN)),
        "files.put" => shown(files::put(NODE, PLAIN, &Content::Bytes(b"probe\n".to_vec()))),
        "files.put-each" => {
            shown(files::put_each(&[NODE.into(), OTHER.into()], PLAIN, &Content::Bytes(b"probe\n".to_vec())))
        }
        "files.put.certificate" => shown(files::put(NODE, PLAIN, &Content::Certificate("ca".into()))),
        "files.put.key" => shown(files::put(
            NODE,
            SEALED,
            &Content::Key(EncryptedKey { key: "ca-key".into(), passphrase: "word".into() }),
        )),
        "files.put.secret" => shown(files::put(NODE, SEALED, &Content::Secret("word".into()))),
        "files.put.file" => shown(files::put(
            NODE,
            PLAIN,
            &Content::File(SourceFile { node: OTHER.into(), file: PLAIN.into() }),
        )),
        "files.stage" => shown(files::stage("set", NODE, PLAIN, &Content::Bytes(b"probe\n".to_vec()))),
        "files.swap" => shown(files::swap("set", NODE)),
        "files.discard" => shown(files::discard("set", NODE)),
        "files.remove" => shown(files::remove(NODE, PLAIN)),
        "files.restore" => shown(files::restore(NODE, PLAIN)),

        "cluster.health" => shown(cluster::health()),
        "cluster.served" => shown(cluster::served(NODE, "tls")),
        "cluster.manager" => shown(cluster::manager()),

        "crypto.generate-key" => shown(crypto::generate_key("ca-key", "ecdsa-p256")),
        "crypto.prepare-key" => shown(crypto::prepare_key("ecdsa-p256")),
        "crypto.self-sign" => shown(crypto::self_sign("ca", "ca-key", &subject("Probe CA"), 3650)),
        "crypto.issue" => shown(crypto::issue(
            "leaf",
            "ca",
            "ca-key",
            "leaf-key",
            &subject("probe"),
            &["probe.example".into()],
            90,
        )),
        "crypto.request" => shown(crypto::request("leaf-key", &subject("probe"), &["probe.example".into()])),
        "crypto.accept" => shown(crypto::accept("leaf", "leaf-key", b"PEM")),
        "crypto.accept-ca" => shown(crypto::accept_ca("ca", b"PEM")),
        "crypto.supplied-ca" => shown(crypto::supplied_ca("ca", "ca-key", "word")),
        "crypto.inspect" => shown(crypto::inspect(&CertificateSource::Object("ca".into()))),
        "crypto.inspect.bytes" => shown(crypto::inspect(&CertificateSource::Bytes(b"PEM".to_vec()))),
        "crypto.check-key" => {
            shown(crypto::check_key(NODE, SEALED, "word", &CertificateSource::Object("ca".into())))
        }
        "crypto.verify-chain" => shown(crypto::verify_chain(
            &CertificateSource::Object("leaf".into()),
            &CertificateSource::Object("ca".into()),
        )),

        "keyring.versions" => shown(keyring::versions(NODE, SEALED)),
        "keyring.add" => shown(keyring::add("set", NODE, SEALED)),
        "keyring.retire" => shown(keyring::retire("set", NODE, SEALED, 7)),
        "keyring.canary" => shown(keyring::canary("bird", NODE, SEALED)),
        "keyring.opens" => shown(keyring::opens(NODE, SEALED, "bird")),
        "keyring.needs" => shown(keyring::needs(7)),
        "keyring.rewrap" => shown(keyring::rewrap(NODE, SEALED)),

        "secrets.ask" => shown(secrets::ask("word", "The word", true)),
        "secrets.generate" => shown(secrets::generate("word", 24)),
        "secrets.check" => shown(secrets::check("word")),

        "operator.parameter" => shown(operator::parameter("calls")),
        "operator.confirm" => shown(operator::confirm("Go on?", "Nothing happens")),
        "operator.acknowledge" => shown(operator::acknowledge("Go on?", "Nothing happens")),
        "operator.note" => shown(operator::note("a note")),
        "operator.progress" => shown(operator::progress(1, 2, "half")),

        "state.get" => shown(state::get("kept")),
        "state.set" => shown(state::set("kept", "value")),

        "clock.now" => shown(clock::now()),
        "clock.sleep" => shown(clock::sleep(5)),

        _ => Err(fault("unknown", format!("the probe has no call {function:?}"))),
    }
}

fn argument(name: &str, value: Value) -> Argument {
    Argument { name: name.into(), value }
}

fn subject(common_name: &str) -> Vec<Entry> {
    vec![Entry { name: "common-name".into(), value: common_name.into() }]
}

fn fault(code: &str, message: String) -> Fault {
    Fault { code: code.into(), message, hint: String::new() }
}

fn shown<T: Debug>(result: Result<T, Fault>) -> Result<String, Fault> {
    result.map(|value| format!("{value:?}"))
}
