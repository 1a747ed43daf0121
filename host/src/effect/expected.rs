//! What a run may ask for, where it follows a plan: each change and each thing kept must be the plan's next one.
//!
//! Looks are free: they depend on what is found, and change nothing. So is the way back, which no plan has. A
//! symbol of the plan takes the first value that it meets, if that looks as its shape says, and keeps it.

use crate::journal::CallName;
use crate::model::{
    Detail, Effect, Moment, PauseReason, Plan, PlannedEffect, PluginName, Roles, RolesCover, Shape, StepId,
    Stop,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// The changes of a plan, in order, by call.
#[derive(Debug)]
pub struct Expected {
    preflight: Vec<PlannedEffect>,
    steps: BTreeMap<StepId, Vec<PlannedEffect>>,
    verification: Vec<PlannedEffect>,
    hooks: HashMap<(PluginName, Moment), Vec<PlannedEffect>>,
    roles: Option<RolesCover>,
    symbols: BTreeMap<String, Shape>,
    values: Mutex<BTreeMap<String, String>>,
}

impl Expected {
    pub fn of(plan: &Plan) -> Self {
        let plan = plan.without_looks();
        Self {
            preflight: plan.preflight,
            steps: plan.steps.into_iter().map(|planned| (planned.step.id, planned.effects)).collect(),
            verification: plan.verification,
            hooks: plan
                .hooks
                .into_iter()
                .map(|planned| ((planned.hook, planned.at), planned.effects))
                .collect(),
            roles: plan.covers.roles,
            symbols: plan.symbols.into_iter().map(|symbol| (symbol.name, symbol.shape)).collect(),
            values: Mutex::default(),
        }
    }

    /// Lets roles through that are the plan's.
    pub fn admit_roles(&self, now: &Roles) -> Result<(), Stop> {
        let Some(then) = &self.roles else { return Ok(()) };
        if then.first == now.first && then.second == now.second {
            return Ok(());
        }
        Err(Stop::new(
            PauseReason::NotApproved,
            format!(
                "{} is active and {} is standby; the plan was approved with {} active and {} standby",
                now.first, now.second, then.first, then.second
            ),
        ))
    }

    /// Lets an effect through that the plan has at this place of a call. `detail` is what the effect's names
    /// stand for now; none where it has acted before and is answered from the journal.
    pub fn admit(
        &self,
        plugin: &PluginName,
        call: &CallName,
        at: usize,
        effect: &Effect,
        detail: Option<&Detail>,
    ) -> Result<(), Stop> {
        let planned = match call {
            CallName::Undo(_) => return Ok(()),
            // Nor has it what is told of a failure.
            CallName::Hook { at: moment, .. } if moment.only_tells() => return Ok(()),
            CallName::Hook { hook, at: moment } => {
                let effects = self.hooks.get(&(hook.clone(), moment.clone()));
                effects.and_then(|effects| effects.get(at))
            }
            CallName::Steps => self.preflight.get(at),
            CallName::Verify => self.verification.get(at),
            CallName::Apply(step) => self.steps.get(step).and_then(|effects| effects.get(at)),
        };
        let differs = |why: String| {
            Stop::new(PauseReason::NotApproved, format!("{plugin} in {call} asks to \"{effect}\": {why}"))
        };
        let Some(planned) = planned else {
            return Err(differs("the plan that was approved has nothing here any more".into()));
        };
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        // What was bound on the way to a difference is of no use.
        let mut trial = values.clone();
        let mut compare = Compare { symbols: &self.symbols, values: &mut trial };
        let asked = serde_json::to_value(effect).unwrap_or_default();
        if let Err(Differs { at, then, now }) = compare.values("", &planned.effect, &asked) {
            return Err(differs(match planned.words == effect.to_string() {
                true => approved(&at, &then, &now),
                false => format!("the plan that was approved has \"{}\" here", planned.words),
            }));
        }
        if let Some(detail) = detail {
            let then = serde_json::to_value(&planned.detail).unwrap_or_default();
            let now = serde_json::to_value(detail).unwrap_or_default();
            if let Err(Differs { at, then, now }) = compare.values("", &then, &now) {
                return Err(differs(approved(&at, &then, &now)));
            }
        }
        *values = trial;
        Ok(())
    }
}

/// `at` begins with a dot.
fn approved(at: &str, then: &str, now: &str) -> String {
    let brief = |text: &str| match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    let at = at.trim_start_matches('.');
    format!("its {at} was approved as {}, and is {} now", brief(then), brief(now))
}

/// Where two values part, and what stands there.
struct Differs {
    at: String,
    then: String,
    now: String,
}

struct Compare<'a> {
    symbols: &'a BTreeMap<String, Shape>,
    values: &'a mut BTreeMap<String, String>,
}

impl Compare<'_> {
    fn values(&mut self, at: &str, planned: &Value, real: &Value) -> Result<(), Differs> {
        let differs = || Differs { at: at.to_owned(), then: planned.to_string(), now: real.to_string() };
        match (planned, real) {
            (Value::Object(planned), Value::Object(real)) => {
                for (name, value) in planned {
                    let at = format!("{at}.{name}");
                    let now = real.get(name).unwrap_or(&Value::Null);
                    match (name.as_str(), value, now) {
                        ("bytes", Value::String(planned), Value::String(encoded)) => {
                            self.bytes(&at, planned, encoded)?;
                        }
                        _ => self.values(&at, value, now)?,
                    }
                }
                match real.iter().find(|(name, _)| !planned.contains_key(*name)) {
                    Some((name, now)) => Err(Differs {
                        at: format!("{at}.{name}"),
                        then: "nothing".into(),
                        now: now.to_string(),
                    }),
                    None => Ok(()),
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                one.iter().zip(other).try_for_each(|(one, other)| self.values(at, one, other))
            }
            (Value::String(pattern), Value::String(text)) if self.text(pattern, text) => Ok(()),
            (Value::String(pattern), Value::Number(number)) if self.text(pattern, &number.to_string()) => {
                Ok(())
            }
            (one, other) if one == other => Ok(()),
            _ => Err(differs()),
        }
    }

    fn bytes(&mut self, at: &str, planned: &str, encoded: &str) -> Result<(), Differs> {
        let bytes = STANDARD.decode(encoded).unwrap_or_default();
        let sum = || {
            let sum = digest(&SHA256, &bytes);
            format!("sha256:{}", crate::model::hex(sum.as_ref()))
        };
        let fits = match (planned.strip_prefix("text:"), String::from_utf8(bytes.clone())) {
            (Some(pattern), Ok(text)) => self.text(pattern, &text),
            (Some(_), Err(_)) => false,
            (None, _) => planned == sum(),
        };
        match fits {
            true => Ok(()),
            false => Err(Differs { at: at.to_owned(), then: planned.to_owned(), now: sum() }),
        }
    }

    /// Whether a text is what a pattern with symbols says; binds those that are met for the first time.
    fn text(&mut self, pattern: &str, text: &str) -> bool {
        match fit(pattern, text, self.symbols, self.values.clone()) {
            Some(values) => {
                *self.values = values;
                true
            }
            None => false,
        }
    }
}

type Values = BTreeMap<String, String>;

fn fit(pattern: &str, text: &str, symbols: &BTreeMap<String, Shape>, mut values: Values) -> Option<Values> {
    let Some((before, name, shape, after)) = first_symbol(pattern, symbols) else {
        return (pattern == text).then_some(values);
    };
    let rest = text.strip_prefix(before)?;
    if let Some(known) = values.get(name) {
        return fit(after, rest.strip_prefix(known.as_str())?, symbols, values);
    }
    // The longest first, and only what the shape allows.
    let ends: Vec<usize> = (0..=rest.len()).rev().filter(|end| rest.is_char_boundary(*end)).collect();
    let ends = match (shape, after) {
        (_, "") => vec![rest.len()],
        (Shape::Sha256, _) => vec![64],
        (Shape::Hex | Shape::Number, _) => ends.into_iter().filter(|end| *end <= 64).collect(),
        (Shape::Text | Shape::Pem, _) => ends,
    };
    for end in ends {
        let (Some(value), Some(left)) = (rest.get(..end), rest.get(end..)) else { continue };
        if !shape.fits(value) {
            continue;
        }
        values.insert(name.to_owned(), value.to_owned());
        if let Some(found) = fit(after, left, symbols, values.clone()) {
            return Some(found);
        }
        values.remove(name);
    }
    None
}

/// Returns the first symbol of a pattern: what is before it, its name and shape, what is after it.
fn first_symbol<'a>(
    pattern: &'a str,
    symbols: &BTreeMap<String, Shape>,
) -> Option<(&'a str, &'a str, Shape, &'a str)> {
    for (at, _) in pattern.match_indices('<') {
        let inside = pattern.get(at + 1..)?;
        let Some(end) = inside.find('>') else { continue };
        let (name, after) = (inside.get(..end)?, inside.get(end + 1..)?);
        if let Some(shape) = symbols.get(name) {
            return Some((pattern.get(..at)?, name, *shape, after));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Argument, EffectClass, NodeName, PlannedCommand, StepPlan, Symbol, Value as Argued, samples,
    };
    use serde_json::json;

    fn symbols() -> Vec<Symbol> {
        [("root.fingerprint", Shape::Sha256), ("root.not-after", Shape::Number), ("root.pem", Shape::Pem)]
            .map(|(name, shape)| Symbol { name: name.into(), shape })
            .to_vec()
    }

    fn compare(cases: &[(Value, Value, bool)]) {
        let symbols = symbols().into_iter().map(|symbol| (symbol.name, symbol.shape)).collect();
        let mut values = BTreeMap::new();
        for (planned, real, expected) in cases {
            let mut compare = Compare { symbols: &symbols, values: &mut values };
            let equal = compare.values("", planned, real).is_ok();
            assert_eq!(equal, *expected, "{planned} and {real}");
        }
    }

    #[test]
    fn a_symbol_takes_one_value_of_its_shape_and_keeps_it() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let both = json!("<root.fingerprint> <root.not-after>");
        compare(&[
            (both.clone(), json!("x y"), false),
            (both.clone(), json!(format!("{one} not-a-number")), false),
            (both.clone(), json!(format!("{one} 2099")), true),
            (both.clone(), json!(format!("{two} 2099")), false),
            (both, json!(format!("{one} 2098")), false),
            (json!({ "a": ["<root.fingerprint>"] }), json!({ "a": [one] }), true),
            (json!({ "days": "<root.not-after>" }), json!({ "days": 2099 }), true),
            (json!("<other>"), json!("anything"), false),
            (json!("<other>"), json!("<other>"), true),
        ]);
    }

    #[test]
    fn a_field_more_or_less_and_other_bytes_are_seen() {
        let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let bytes = |text: &str| json!({ "bytes": STANDARD.encode(text) });
        let sum = crate::model::hex(digest(&SHA256, b"abc").as_ref());
        let known = json!({ "bytes": format!("sha256:{sum}") });
        let bundle = json!({ "bytes": "text:# two\n<root.pem>old" });
        compare(&[
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), false),
            (json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), false),
            (json!([1]), json!([1, 1]), false),
            (known.clone(), bytes("abc"), true),
            (known, bytes("abd"), false),
            (bundle.clone(), bytes(&format!("# two\n{pem}new")), false),
            (bundle.clone(), bytes("# two\nnothing old"), false),
            (bundle, bytes(&format!("# two\n{pem}old")), true),
        ]);
    }

    fn run(command: &str, value: &str) -> Effect {
        Effect::NodesRun {
            node: NodeName::new("a").unwrap(),
            command: command.parse().unwrap(),
            arguments: vec![Argument { name: "x".into(), value: Argued::Text(value.into()) }],
        }
    }

    fn detail(program: &str) -> Detail {
        let command = json!({
            "node": "a", "command": "renew", "kind": "change", "user": "omm", "argv": ["sh", program],
            "secret_in_argv": false, "contains": [], "exit": [0], "parser": "none", "timeout": 60,
        });
        let command: PlannedCommand = serde_json::from_value(command).unwrap();
        Detail { commands: vec![command], ..Detail::default() }
    }

    fn plan(effects: Vec<(Effect, EffectClass)>) -> Plan {
        let planned = |(effect, class): (Effect, EffectClass)| PlannedEffect {
            effect: serde_json::to_value(&effect).unwrap(),
            words: effect.to_string(),
            class,
            detail: detail("/opt/renew.sh"),
            born: Vec::new(),
        };
        let effects = effects.into_iter().map(planned).collect();
        Plan {
            steps: vec![StepPlan { step: samples::step("s"), effects }],
            symbols: symbols(),
            ..samples::plan("p")
        }
    }

    #[test]
    fn only_the_next_change_of_the_plan_is_let_through() {
        let expected = Expected::of(&plan(vec![
            (Effect::ClusterHealth, EffectClass::Observe),
            (run("renew", "one"), EffectClass::Change),
            (run("renew", "two"), EffectClass::Change),
        ]));
        let plugin = PluginName::new("p").unwrap();
        let call = CallName::Apply(StepId::new("s").unwrap());
        let admit = |call: &CallName, at, effect: &Effect, program: Option<&str>| {
            let detail = program.map(detail);
            expected.admit(&plugin, call, at, effect, detail.as_ref())
        };
        let good = Some("/opt/renew.sh");
        admit(&call, 0, &run("renew", "one"), good).unwrap();
        admit(&call, 0, &run("renew", "one"), None).unwrap();
        admit(&call, 1, &run("renew", "two"), good).unwrap();
        admit(&CallName::Undo(StepId::new("s").unwrap()), 7, &run("other", ""), good).unwrap();
        for (call, at, effect, program, says) in [
            (&call, 0, run("renew", "two"), good, "has \"run renew x=\"one\" on a\""),
            (&call, 0, run("restart", "one"), good, "has \"run renew"),
            (&call, 2, run("renew", "two"), good, "nothing here any more"),
            (
                &call,
                0,
                run("renew", "one"),
                Some("/tmp/evil.sh"),
                "commands.argv was approved as \"/opt/renew.sh\"",
            ),
            (&CallName::Verify, 0, run("renew", "one"), good, "nothing here any more"),
        ] {
            let stop = admit(call, at, &effect, program).unwrap_err();
            assert_eq!(stop.reason, PauseReason::NotApproved);
            assert!(stop.message.contains(says), "{says:?} is not in {:?}", stop.message);
        }
    }
}
