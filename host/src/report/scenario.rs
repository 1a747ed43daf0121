//! A run as a scenario: the cluster as its journal tells of it, for rehearsals of what happened that night.
//!
//! It is scrubbed. Nodes are called by what they are, addresses are those of documentation, and no secret could be in it,
//! since none is in a journal. What commands printed stands as they printed it: whoever hands it on reads it first.

use crate::journal::{CallName, Row, StoredRow};
use crate::model::{Answer, Effect, EffectClass, Fault, Health, Moment, NodeName, Outcome, PluginName, code};
use std::collections::{BTreeMap, HashMap};
use toml::{Table, Value};

/// What a journal does not say of the site.
#[derive(Debug, Clone, Default)]
pub struct SiteFacts {
    /// None: the scenario has the default profile.
    pub profile: Option<String>,
    /// The profile is the site's own, and not part of windlass.
    pub own_profile: bool,
    pub groups: BTreeMap<NodeName, Vec<String>>,
}

/// Lines of a command's output that are kept.
const MOST_LINES: usize = 200;

/// Writes the scenario of a run, as TOML.
pub fn scenario(rows: &[StoredRow], site: &SiteFacts) -> String {
    let outcomes: HashMap<i64, &Result<Answer, Fault>> = rows
        .iter()
        .filter_map(|stored| match &stored.row {
            Row::Outcome { of, answer, .. } => Some((*of, answer)),
            _ => None,
        })
        .collect();
    let scrub = Scrub::of(rows, site);
    let mut run = Run::default();
    for stored in rows {
        match &stored.row {
            Row::Began { procedure, parameters, .. } => {
                run.procedure = Some(procedure.clone());
                run.start = Some(stored.at);
                run.parameters.clone_from(parameters);
            }
            Row::Intent { effect, class, .. } => {
                let children = rows.iter().filter_map(|child| match &child.row {
                    Row::Child { of, node } if *of == stored.sequence => Some((node, child.sequence)),
                    _ => None,
                });
                let mut all: Vec<(Effect, Option<&Result<Answer, Fault>>)> = children
                    .filter_map(|(node, sequence)| {
                        Some((effect.child(node)?, outcomes.get(&sequence).copied()))
                    })
                    .collect();
                if all.is_empty() {
                    all.push((effect.clone(), outcomes.get(&stored.sequence).copied()));
                }
                for (effect, answer) in all {
                    if let Some(answer) = answer {
                        run.saw(&effect, *class, answer);
                    }
                }
            }
            Row::CallBegan { call: CallName::Hook { at, .. } } if !run.moments.contains(at) => {
                run.moments.push(at.clone());
            }
            _ => {}
        }
    }
    run.written(&scrub, site)
}

/// What stands in a scenario in place of a site's own names.
struct Scrub(Vec<(String, String)>);

impl Scrub {
    fn of(rows: &[StoredRow], site: &SiteFacts) -> Self {
        let mut names: Vec<(NodeName, String)> = Vec::new();
        let mut add = |node: &NodeName, called: String| {
            if !names.iter().any(|(known, _)| known == node) {
                names.push((node.clone(), called));
            }
        };
        for stored in rows {
            if let Row::RolesBound { first, second, .. } = &stored.row {
                add(first, "master1".into());
                add(second, "master2".into());
            }
        }
        let seen = rows.iter().filter_map(|stored| match &stored.row {
            Row::Intent { effect, .. } => Some(effect.nodes()),
            _ => None,
        });
        let mut others: Vec<&NodeName> = seen.flatten().chain(site.groups.keys()).collect();
        others.sort();
        others.dedup();
        for (number, node) in (1..).zip(others) {
            add(node, format!("node{number}"));
        }
        let mut names: Vec<_> = names.into_iter().map(|(node, called)| (node.to_string(), called)).collect();
        // One that begins another is replaced behind that.
        names.sort_by_key(|(node, _)| std::cmp::Reverse(node.len()));
        Self(names)
    }

    fn node(&self, node: &NodeName) -> String {
        let known = self.0.iter().find(|(name, _)| name == node.as_str());
        known.map_or_else(|| node.to_string(), |(_, called)| called.clone())
    }

    fn text(&self, text: &str) -> String {
        let named = self.0.iter().fold(text.to_owned(), |text, (node, called)| text.replace(node, called));
        addresses(&named)
    }
}

/// Writes addresses of documentation for all that look like one.
fn addresses(text: &str) -> String {
    let word = |c: char| c.is_ascii_digit() || c == '.';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(length);
        match number.parse::<std::net::Ipv4Addr>() {
            Ok(_) => out.push_str("192.0.2.1"),
            Err(_) => out.push_str(number),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// What is known of a run.
#[derive(Default)]
struct Run {
    procedure: Option<PluginName>,
    start: Option<i64>,
    parameters: Vec<(String, String)>,
    health: Option<Vec<Health>>,
    clocks: BTreeMap<NodeName, i64>,
    manager: Option<i64>,
    /// By command and node, in order.
    answers: Vec<((String, NodeName), Vec<Outcome>)>,
    refused: [bool; 2],
    moments: Vec<Moment>,
}

impl Run {
    fn saw(&mut self, effect: &Effect, class: EffectClass, answer: &Result<Answer, Fault>) {
        match (effect, answer) {
            (Effect::ClusterHealth, Ok(Answer::Health(rows))) if self.health.is_none() => {
                self.health = Some(rows.clone());
            }
            (Effect::NodesClockOffset { node }, Ok(Answer::Milliseconds(offset))) => {
                self.clocks.entry(node.clone()).or_insert(*offset);
            }
            (Effect::ClusterManager, Ok(Answer::Number(status))) => {
                self.manager.get_or_insert(i64::try_from(*status).unwrap_or_default());
            }
            (Effect::ClusterManager, Err(fault)) if fault.code == code::UNREACHABLE => {
                self.manager.get_or_insert(0);
            }
            (Effect::NodesRun { node, command, .. }, Ok(Answer::Outcome(outcome)))
                // A change that went well does what it is declared to.
                if class == EffectClass::Observe || !outcome.succeeded =>
            {
                let at = (command.to_string(), node.clone());
                match self.answers.iter_mut().find(|(known, _)| *known == at) {
                    Some((_, outcomes)) => outcomes.push(outcome.clone()),
                    None => self.answers.push((at, vec![outcome.clone()])),
                }
            }
            (Effect::OperatorConfirm { .. }, Ok(Answer::Yes(false))) => self.refused[0] = true,
            (Effect::OperatorAcknowledge { .. }, Ok(Answer::Yes(false))) => self.refused[1] = true,
            _ => {}
        }
    }

    fn written(self, scrub: &Scrub, site: &SiteFacts) -> String {
        let mut top = Table::new();
        if let Some(profile) = &site.profile {
            top.insert("profile".into(), profile.clone().into());
        }
        let start = self.start.and_then(|at| jiff::Timestamp::from_second(at.div_euclid(1_000)).ok());
        if let Some(start) = start {
            top.insert("start".into(), start.to_string().into());
        }
        if let Some(status) = self.manager {
            top.insert("manager".into(), status.into());
        }
        top.insert("nodes".into(), Value::Table(self.nodes(scrub, site)));
        let given = self.parameters.iter().filter(|(_, value)| !value.is_empty());
        let params: Table =
            given.map(|(name, value)| (name.clone(), Value::String(scrub.text(value)))).collect();
        if !params.is_empty() {
            top.insert("params".into(), Value::Table(params));
        }
        let words = ["confirm", "acknowledge"].into_iter().zip(self.refused);
        let operator: Table =
            words.filter(|(_, refused)| *refused).map(|(word, _)| (word.to_owned(), "no".into())).collect();
        if !operator.is_empty() {
            top.insert("operator".into(), Value::Table(operator));
        }
        let answers = self.answers(scrub);
        if !answers.is_empty() {
            top.insert("answers".into(), Value::Array(answers));
        }
        let events = self.events();
        if !events.is_empty() {
            top.insert("events".into(), Value::Array(events));
        }
        let head = "# A run, scrubbed: its nodes have other names, its addresses are those of documentation. What \
                    commands printed\n# is as they printed it: read it before you hand it on.\n";
        let own = site.profile.as_ref().filter(|_| site.own_profile).map_or_else(String::new, |name| {
            format!("# The profile {name} is the site's own: a copy of it belongs into profiles/ beside scenarios/.\n")
        });
        format!("{head}{own}{top}")
    }

    fn nodes(&self, scrub: &Scrub, site: &SiteFacts) -> Table {
        let mut nodes = Table::new();
        for (name, called) in &scrub.0 {
            let mut node = Table::new();
            let known = NodeName::new(name.as_str()).ok();
            let groups = known.as_ref().and_then(|name| site.groups.get(name));
            if let Some(groups) = groups {
                node.insert("groups".into(), groups.clone().into());
            }
            let row = self.health.iter().flatten().find(|row| row.node == *name);
            if let Some(row) = row {
                for (key, value, known) in [
                    ("role", &row.role, ["active", "standby", "null"]),
                    ("state", &row.state, ["normal", "abnormal", "null"]),
                ] {
                    if known.contains(&value.as_str()) {
                        node.insert(key.into(), value.clone().into());
                    }
                }
            }
            let clock = known.as_ref().and_then(|name| self.clocks.get(name)).filter(|clock| **clock != 0);
            if let Some(clock) = clock {
                node.insert("clock".into(), (*clock).into());
            }
            nodes.insert(called.clone(), Value::Table(node));
        }
        nodes
    }

    fn answers(&self, scrub: &Scrub) -> Vec<Value> {
        let mut all = Vec::new();
        for ((command, node), outcomes) in &self.answers {
            for (at, outcome) in outcomes.iter().enumerate() {
                let mut answer = Table::new();
                answer.insert("command".into(), command.clone().into());
                answer.insert("node".into(), scrub.node(node).into());
                answer.insert("exit".into(), i64::from(outcome.exit).into());
                let lines =
                    outcome.output.iter().take(MOST_LINES).map(|line| Value::String(scrub.text(line)));
                answer.insert("output".into(), Value::Array(lines.collect()));
                if at + 1 < outcomes.len() {
                    answer.insert("times".into(), 1.into());
                }
                all.push(Value::Table(answer));
            }
        }
        all
    }

    fn events(&self) -> Vec<Value> {
        let Some(procedure) = &self.procedure else { return Vec::new() };
        let event = |moment: &Moment| {
            let (key, at) = match moment {
                Moment::BeforeRun => ("before", "run".to_owned()),
                Moment::BeforeStep(step) => ("before", step.to_string()),
                Moment::AfterStep(step) => ("after", step.to_string()),
                Moment::AfterRun => ("after", "run".to_owned()),
                Moment::OnFailure => ("on", "failure".to_owned()),
                Moment::OnRollback => ("on", "rollback".to_owned()),
            };
            Value::Table([(key.to_owned(), format!("{procedure}/{at}").into())].into_iter().collect())
        };
        self.moments.iter().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_documentation_and_other_numbers_stay() {
        let said = addresses("10.0.0.11:443 answers, 300.1.1.1 no; version 1.2.3, 12:30");
        assert_eq!(said, "192.0.2.1:443 answers, 300.1.1.1 no; version 1.2.3, 12:30");
    }
}
