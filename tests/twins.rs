//! For every function of the contract: the call that is allowed, and its twin that is denied.
//!
//! The calls are the probe's (`tests/guests/probe`), the grants those of `tests/cases/contract`. A call goes
//! through bindings and gate; what gets through is answered by a double.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use windlass::model::*;
use windlass::plugin::{CallPath, Engine, Performed, Plugin, Profile, engine};
use windlass::policy::{Facts, Gate, Rules};
use windlass::site::GrantBlock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    allowed: Allowed,
    denied: Denied,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    grants: Grants,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    grants: Grants,
    line: String,
}

type Grants = BTreeMap<String, Vec<String>>;

fn block(mut lists: Grants) -> GrantBlock {
    let mut list = |key: &str| lists.remove(key).unwrap_or_default();
    let block = GrantBlock {
        commands: list("commands"),
        files: list("files"),
        endpoints: list("endpoints"),
        crypto: list("crypto"),
        keyring: list("keyring"),
        secrets: list("secrets"),
        general: list("general"),
        digest: None,
    };
    assert!(lists.is_empty(), "no such lists of grants: {lists:?}");
    block
}

fn rules(lists: Grants) -> Rules {
    Rules::parse(&block(lists)).unwrap()
}

/// What the plugin asks for, read from its manifest as a run does.
fn needs(plugin: &Plugin) -> Rules {
    let mut lists = Grants::new();
    for need in &plugin.manifest().needs {
        for (key, pattern) in need.patterns() {
            lists.entry(key.into()).or_default().push(pattern.clone());
        }
    }
    rules(lists)
}

/// The set that the probe swaps in holds one file.
struct Staged;

impl Facts for Staged {
    fn places(&self, _: &NodeName) -> Vec<String> {
        vec![]
    }
    fn set_members(&self, _: &ObjectName, _: &NodeName) -> Vec<FileName> {
        vec![FileName::new("plain").unwrap()]
    }
    fn is_command(&self, name: &str) -> bool {
        name == "work"
    }
    fn secret_in_argv(&self, _: &CommandName) -> bool {
        false
    }
}

/// The gate, and a double behind it that counts what gets through and does nothing.
struct Gated {
    gate: Gate,
    acted: usize,
}

impl CallPath for Gated {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(async move {
            match self.gate.check(effect, &Staged) {
                Err(denial) => Ok(Err(denial.to_fault())),
                Ok(_permit) => {
                    self.acted += 1;
                    Ok(Err(Fault::new("acted", "it got through")))
                }
            }
        })
    }
}

async fn call(probe: &Plugin, function: &str, needs: Rules, grants: Rules) -> (usize, Fault) {
    let gate = Gate::new(probe.name().clone(), needs, grants, false);
    let mut path = Gated { gate, acted: 0 };
    let step = StepId::new(function).unwrap();
    let fault = probe.procedure_apply(&mut path, &step).await.unwrap().unwrap_err();
    (path.acted, fault)
}

fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/contract");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let case = toml::from_str(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_string(), case)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

fn probe(engine: &Engine) -> Option<Plugin> {
    let component = crate::refuse::built("probe")?;
    Some(Plugin::compile(engine, "probe.wasm", &component).unwrap())
}

#[tokio::test]
async fn what_is_granted_gets_through_and_its_near_miss_does_not() {
    let engine = engine(Profile::Run).unwrap();
    let Some(probe) = probe(&engine) else { return };
    let cases = cases();
    assert!(cases.len() > 30, "{}", cases.len());
    for (function, case) in cases {
        let (acted, fault) = call(&probe, &function, needs(&probe), rules(case.allowed.grants)).await;
        assert_eq!((acted, fault.code.as_str()), (1, "acted"), "{function}: {fault}");

        let granted = case.denied.grants.clone();
        let (acted, fault) = call(&probe, &function, needs(&probe), rules(granted)).await;
        assert_eq!((acted, fault.code.as_str()), (0, "denied"), "{function}: {fault}");

        // The denial names the line that would allow it; pasted into the grants, it does.
        let line = fault.hint.split_once("grants.toml: ").map(|(_, line)| line).unwrap_or_default();
        assert_eq!(line, case.denied.line, "{function}");
        let mut pasted = case.denied.grants;
        for (list, patterns) in toml::from_str::<Grants>(line).unwrap() {
            pasted.entry(list).or_default().extend(patterns);
        }
        let (acted, fault) = call(&probe, &function, needs(&probe), rules(pasted)).await;
        assert_eq!((acted, fault.code.as_str()), (1, "acted"), "{function}: {fault}");
    }
}

#[tokio::test]
async fn what_the_manifest_never_asked_for_no_grant_allows() {
    let engine = engine(Profile::Run).unwrap();
    let Some(probe) = probe(&engine) else { return };
    for (function, case) in cases() {
        let (acted, fault) = call(&probe, &function, Rules::default(), rules(case.allowed.grants)).await;
        assert_eq!((acted, fault.code.as_str()), (0, "not-asked"), "{function}: {fault}");
    }
}
