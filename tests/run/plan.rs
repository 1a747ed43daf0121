//! A plan and the run that follows it ask for the same things: in every way to make root and leaves, each step's
//! effects are equal but for what the plan says is known after apply.

use super::bare::bare;
use super::e2e::{NODES, PLAIN, Pair, Taste, files, up};
use base64::Engine as _;
use serde_json::Value;
use std::collections::BTreeMap;
use windlass::lab::Transport;
use windlass::model::Plan;

const CAS: [&str; 3] = ["host", "product", "supplied"];
const LEAVES: [&str; 2] = ["product", "host"];

/// An effect with whether it only looks.
type Asked = (bool, Value);

/// By call, in order.
type Transcript = Vec<(String, Vec<Asked>)>;

fn of_plan(plan: &Plan) -> Transcript {
    let effects = |effects: &[windlass::model::PlannedEffect]| {
        effects
            .iter()
            .map(|effect| {
                let class = serde_json::to_value(effect.class).unwrap();
                (class == "observe", effect.effect.clone())
            })
            .collect::<Vec<_>>()
    };
    let mut calls = vec![("steps".to_owned(), effects(&plan.preflight))];
    calls.extend(plan.steps.iter().map(|step| (step.step.id.to_string(), effects(&step.effects))));
    calls.push(("verify".to_owned(), effects(&plan.verification)));
    calls.into_iter().map(|(call, effects)| (call, settled(effects))).collect()
}

/// From the journal, as `runs show --json` prints it.
fn of_run(pair: &Pair) -> Transcript {
    let rows = pair.windlass(&["--json", "runs", "show", &pair.last_run()]).expect(0).out;
    let mut calls: Transcript = Vec::new();
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let row = &row["row"];
        match row["row"].as_str().unwrap() {
            "call-began" => {
                let call = &row["call"];
                let name = call.as_str().or(call["apply"].as_str()).unwrap_or_else(|| panic!("{call}"));
                calls.push((name.to_owned(), Vec::new()));
            }
            "intent" => {
                let (_, effects) = calls.last_mut().expect("an effect outside any call");
                effects.push((row["class"] == "observe", row["effect"].clone()));
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(call, effects)| (call, settled(effects))).collect()
}

/// Without waits: looking again and again until something has come is one look.
fn settled(effects: Vec<Asked>) -> Vec<Asked> {
    let mut kept: Vec<Asked> = Vec::new();
    for effect in effects.into_iter().filter(|(_, effect)| effect["effect"] != "clock.sleep") {
        if !effect.0 || kept.last() != Some(&effect) {
            kept.push(effect);
        }
    }
    kept
}

/// What the symbols turned out to be.
struct Known<'a> {
    symbols: Vec<&'a str>,
    values: BTreeMap<String, String>,
}

impl Known<'_> {
    #[track_caller]
    fn equal(&mut self, place: &str, planned: &Value, real: &Value) {
        match (planned, real) {
            (Value::Object(planned), Value::Object(real)) => {
                let keys = |object: &serde_json::Map<String, Value>| {
                    object.keys().cloned().collect::<std::collections::BTreeSet<_>>()
                };
                assert_eq!(keys(planned), keys(real), "{place}");
                for (key, value) in planned {
                    match (key.as_str(), value, &real[key]) {
                        ("bytes", Value::String(planned), Value::String(encoded)) => {
                            self.bytes(place, planned, encoded);
                        }
                        (_, value, real) => self.equal(&format!("{place}.{key}"), value, real),
                    }
                }
            }
            (Value::Array(planned), Value::Array(real)) => {
                assert_eq!(planned.len(), real.len(), "{place}");
                planned.iter().zip(real).for_each(|(planned, real)| self.equal(place, planned, real));
            }
            (Value::String(planned), Value::String(real)) => self.text(place, planned, real),
            (planned, real) => assert_eq!(planned, real, "{place}"),
        }
    }

    #[track_caller]
    fn bytes(&mut self, place: &str, planned: &str, encoded: &str) {
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        if let Some(planned) = planned.strip_prefix("sha256:") {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(planned, hex, "{place}");
        } else {
            let planned = planned.strip_prefix("text:").unwrap_or_else(|| panic!("{place}: {planned}"));
            self.text(place, planned, &String::from_utf8(bytes).unwrap());
        }
    }

    /// A text of the plan's holds symbols with spaces or nothing between; none of their values has a space,
    /// unless it is the whole text.
    #[track_caller]
    fn text(&mut self, place: &str, planned: &str, real: &str) {
        let symbols = self.symbols.clone();
        let symbol = |word: &str| -> Option<String> {
            let name = word.strip_prefix('<')?.strip_suffix('>')?;
            symbols.contains(&name).then(|| name.to_owned())
        };
        if let Some(name) = symbol(planned) {
            return self.bind(place, name, real);
        }
        let (planned, real): (Vec<_>, Vec<_>) = (planned.split(' ').collect(), real.split(' ').collect());
        assert_eq!(planned.len(), real.len(), "{place}: {planned:?}, and {real:?}");
        for (planned, real) in planned.into_iter().zip(real) {
            match symbol(planned) {
                Some(name) => self.bind(place, name, real),
                None => assert_eq!(planned, real, "{place}"),
            }
        }
    }

    #[track_caller]
    fn bind(&mut self, place: &str, name: String, value: &str) {
        let known = self.values.entry(name.clone()).or_insert_with(|| value.to_owned());
        assert_eq!(known, value, "{place}: {name} is two things");
    }
}

/// What the run that was started last asked for is what the plan has; returns what its symbols turned out to be.
#[track_caller]
fn same(case: &str, plan: &Plan, pair: &Pair) -> BTreeMap<String, String> {
    let (expected, found) = (of_plan(plan), of_run(pair));
    let names = |transcript: &Transcript| transcript.iter().map(|(call, _)| call.clone()).collect::<Vec<_>>();
    assert_eq!(names(&expected), names(&found), "{case}");
    let symbols: Vec<&str> = plan.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    let mut known = Known { symbols, values: BTreeMap::new() };
    for ((call, planned), (_, real)) in expected.iter().zip(&found) {
        for (at, ((_, planned), (_, real))) in planned.iter().zip(real).enumerate() {
            known.equal(&format!("{case} {call} {at}"), planned, real);
        }
        assert_eq!(planned.len(), real.len(), "{case} {call}");
    }
    known.values
}

/// Everything below the service user's home, where Windlass keeps its own.
fn homes(pair: &Pair) -> Vec<camino::Utf8PathBuf> {
    NODES.into_iter().flat_map(|node| files(&pair.home(node))).collect()
}

fn check(ca: &'static str, leaf: &'static str) {
    let taste = Taste { ca, leaf, ..PLAIN };
    let Some(pair) = up(Transport::Local, taste) else { return };
    if ca == "supplied" {
        pair.generate_supplied();
    }
    let (content, ran, home) = (pair.content(), pair.executions(), homes(&pair));
    // Where the secret is, a plan does not look.
    let secret = pair.dir.join("ha-key.secret");
    let hidden = pair.dir.join("hidden");
    std::fs::rename(&secret, &hidden).unwrap();
    let planned = pair.windlass(&["--json", "plan", "ha-cert"]);
    std::fs::rename(&hidden, &secret).unwrap();
    assert_eq!((pair.content(), pair.executions(), homes(&pair)), (content, ran, home), "planning changed");

    let run = pair.windlass(&["run", "ha-cert", "--yes"]);
    if (ca, leaf) == ("product", "host") {
        // What a run refuses, its plan refuses in the same words.
        let (planned, run) = (planned.expect(1), run.expect(1));
        let first = |err: &str| err.lines().find(|line| line.starts_with("error:")).map(str::to_owned);
        assert_eq!(first(&planned.err), first(&run.err));
        return;
    }
    let plan: Plan = serde_json::from_str(&planned.expect(0).out).unwrap();
    run.expect(0);
    if ca == "product" {
        shown_in_red(&pair);
    }
    let known = same(&format!("{ca}/{leaf}"), &plan, &pair);
    // The comparison would be worth nothing if everything were a symbol.
    let fingerprints = known.keys().filter(|name| name.ends_with(".fingerprint")).count();
    let expected = if ca == "supplied" { 2 } else { 3 };
    assert_eq!(fingerprints, expected, "a root and two leaves are born: {:?}", known.keys());
    for (name, value) in &known {
        let symbol = plan.symbols.iter().find(|symbol| symbol.name == *name).unwrap();
        assert!(symbol.shape.fits(value), "{name} is {value:?}, which is not {:?}", symbol.shape);
    }
}

/// A secret on a command line is told in red, where there is colour.
#[track_caller]
fn shown_in_red(pair: &Pair) {
    let red = |color: &str| {
        let out = pair.windlass(&["--color", color, "plan", "ha-cert"]).expect(0).out;
        let line = out.lines().find(|line| line.contains("--password=<secret ha-key>")).unwrap().to_owned();
        assert!(out.contains("every user of master1 can read it"), "{out}");
        line.contains("\u{1b}[1m\u{1b}[31m")
    };
    assert_eq!((red("always"), red("never"), red("auto")), (true, false, false));
}

#[test]
fn the_plan_of_a_root_by_windlass_is_what_the_run_does() {
    LEAVES.into_iter().for_each(|leaf| check(CAS[0], leaf));
}

#[test]
fn the_plan_of_a_root_by_the_product_is_what_the_run_does() {
    LEAVES.into_iter().for_each(|leaf| check(CAS[1], leaf));
}

#[test]
fn the_plan_of_a_supplied_root_is_what_the_run_does() {
    LEAVES.into_iter().for_each(|leaf| check(CAS[2], leaf));
}

/// Calls of the probe that can all be made in one run, in an order in which they can.
const CALLS: &str = "nodes.members,nodes.clock-offset,secrets.generate,secrets.check,crypto.prepare-key,\
    crypto.generate-key,crypto.self-sign,crypto.inspect,files.put,files.stat,files.fingerprint,files.read,files.space,files.stage,\
    files.swap,files.put.certificate,files.put.key,crypto.check-key,files.put.secret,files.put.file,files.remove,\
    files.restore,files.discard,nodes.run,nodes.run-each,operator.parameter,operator.confirm,operator.note,\
    operator.progress,state.set,state.get,clock.now,clock.sleep";

#[test]
fn whatever_a_plugin_calls_is_planned_and_its_run_does_that() {
    let Some(bare) = bare() else { return };
    let write = |file: &str, from: &str, to: &str| {
        let path = bare.dir.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    write(
        "grants.toml",
        "files = [\"write plain@node1\", \"write sealed@node1\"]\nsecrets = [\"word\", \"word -> file:sealed\"]",
        "files = [\"stat plain@node1\", \"read plain@node1\", \"write plain@node1\", \"copy plain@node2\", \"stat sealed@node1\", \"write sealed@node1\"]\ncrypto = [\"generate-key\", \"self-sign\", \"inspect\", \"check-key\"]\nsecrets = [\"word -> file:sealed\", \"word -> check-key\"]",
    );
    write("grants.toml", "\"parameters\", ", "\"parameters\", \"nodes\", \"note\", \"confirm\", ");
    for node in super::bare::NODES {
        bare.let_end(node);
        std::fs::write(bare.home(node).join("plain"), "it was here\n").unwrap();
    }
    let (plan, calls) = (bare.dir.join("../plan.json"), format!("calls={CALLS}"));
    let planned =
        bare.windlass("c", &["--json", "plan", "probe", "-p", &calls, "-o", plan.as_str()]).expect(0);
    assert_eq!(super::bare::NODES.map(|node| bare.ran(node)), [0, 0], "planning ran something");
    let planned: Plan = serde_json::from_str(&planned.out).unwrap();
    assert_eq!(planned.steps.len(), CALLS.split(',').count());
    for step in &planned.steps {
        let [effect] = &step.effects[..] else { panic!("{}: {:?}", step.step.id, step.effects) };
        let function = effect.effect["effect"].as_str().unwrap();
        assert!(step.step.id.as_str().starts_with(function), "{}: {function}", step.step.id);
        let commands = match function {
            "nodes.run" => 1,
            "nodes.run-each" => 2,
            _ => 0,
        };
        assert_eq!(effect.detail.commands.len(), commands, "{}", step.step.id);
    }
    bare.windlass("c", &["run", "--plan", plan.as_str(), "--yes"]).expect(0);
    assert_eq!(super::bare::NODES.map(|node| bare.ran(node)), [2, 1]);
    bare.windlass("c", &["run", "--plan", plan.as_str(), "--yes"]).expect(3);
}

/// A pair that is not well cannot show in a plan that it will be; a restart is declared to bring that about.
#[test]
fn the_plan_of_a_repair_is_what_the_repair_does() {
    let half = |pair: &Pair| pair.new_root_by_hand("master2");
    type BreakIt<'a> = &'a dyn Fn(&Pair);
    let states: [(&str, BreakIt); 3] = [
        ("half rotated", &half),
        ("split", &super::repair::split),
        ("expired", &|pair| pair.dated(super::states::PAST, [super::states::PAST; 2])),
    ];
    for (state, break_it) in states {
        let Some(pair) = up(Transport::Local, PLAIN) else { return };
        pair.on_known_root();
        break_it(&pair);
        let content = pair.content();
        let path = pair.dir.join("repair.json");
        let planned =
            pair.windlass(&["--json", "plan", "ha-cert", "-p", "strategy=repair", "-o", path.as_str()]);
        let plan: Plan = serde_json::from_str(&planned.expect(0).out).unwrap();
        assert_eq!(pair.content(), content, "{state}: planning changed");
        let acknowledged = plan.assumed.iter().find_map(|assumed| assumed.split_once("--ack ")).unwrap();
        let token = acknowledged.1.split(')').next().unwrap();
        pair.windlass(&["run", "--plan", path.as_str(), "--yes", "--ack", token]).expect(0);
        same(state, &plan, &pair);
        super::proof::on_one_root(&pair);
    }
}
