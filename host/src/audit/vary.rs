//! The same plugin in another world: what it does must not depend on the time, on what nodes are called, on which run
//! it is, or on what a secret is.
//!
//! What such a world has that the plain one has not is written back before two transcripts are compared: a name, a time
//! as what has passed since the rehearsal began. What still differs, the plugin does differently.

use super::made::{Line, first_difference};
use super::stage::Setting;
use crate::capability::secrets::{PasswordPolicy, Secret};
use crate::model::{NodeName, RunId};
use crate::site::{Address, HookAt, Node, Scenario, SimulatedCluster, SimulatedNode, Steps};
use indexmap::IndexMap;

/// A world that is another in one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variation {
    /// The clock, by so many seconds.
    Clock(i64, &'static str),
    /// What nodes are called.
    Names,
    /// Three nodes more.
    Size,
    /// What the run and its site are called.
    Run,
    /// What secrets are.
    Secrets(Secrets),
}

/// What becomes of secrets. One alone would not show a plugin that tells of them what is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Of the same length.
    Other,
    Longer,
    Shorter,
}

/// In front of a node's name in another world.
const RENAMED: &str = "renamed-";
/// What a run is called there, and its site.
const OTHER_RUN: &str = "rehearsal-of-another-name";
const OTHER_SITE: &str = "site-of-another-name";
const DAY: i64 = 86_400;
/// By how many characters a secret may become longer: what takes one may have a limit.
const LONGER: usize = 20;
/// Seconds between two moments of 2026 to 2056, each chosen for what it is.
const CLOCKS: [(i64, &str); 6] = [
    (-400 * DAY, "400 days earlier"),
    // Hour, minute and second are odd ones then, where they were even.
    (7 * 3_600 + 21 * 60 + 1, "seven hours later"),
    (DAY * 3, "three days later"),
    // 2026-01-05 is where a scenario begins that says nothing else.
    (785 * DAY, "on a leap day"),
    (4_400 * DAY, "behind the end of 32 bits"),
    (11_000 * DAY, "thirty years later"),
];

impl Variation {
    pub fn all() -> Vec<Self> {
        let mut all: Vec<_> = CLOCKS.iter().map(|(by, what)| Self::Clock(*by, what)).collect();
        all.extend([Self::Names, Self::Size, Self::Run]);
        all.extend([Secrets::Other, Secrets::Longer, Secrets::Shorter].map(Self::Secrets));
        all
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Clock(..) => "another time",
            Self::Names => "other names",
            Self::Size => "more nodes",
            Self::Run => "another run",
            Self::Secrets(Secrets::Other) => "other secrets",
            Self::Secrets(Secrets::Longer) => "longer secrets",
            Self::Secrets(Secrets::Shorter) => "shorter secrets",
        }
    }

    /// As in a report.
    pub fn label(&self) -> String {
        match self {
            Self::Clock(_, what) => format!("another time: {what}"),
            other => other.word().into(),
        }
    }

    /// The setting in this world; none: it is the same there.
    pub fn of(&self, setting: &Setting) -> Option<Setting> {
        let mut other = setting.clone();
        match self {
            Self::Clock(seconds, _) => other.scenario.cluster.start += seconds * 1_000,
            Self::Names => renamed(&mut other).then_some(())?,
            Self::Size => enlarge(&mut other.scenario),
            Self::Run => {
                other.run = RunId::new(OTHER_RUN).ok()?;
                other.scenario.site.name = OTHER_SITE.into();
            }
            Self::Secrets(how) => other_secrets(&mut other.scenario.cluster, *how, setting.policy),
        }
        Some(other)
    }

    /// Where what was made in this world first differs from what was made in the plain one.
    pub fn difference(
        &self,
        plain: &[Line],
        here: &[Line],
        world: &Setting,
        of: &Setting,
    ) -> Option<Vec<String>> {
        let plain: Vec<Line> =
            plain.iter().map(|line| line.map(|text| self.written_back(text, of, of))).collect();
        let here: Vec<Line> =
            here.iter().map(|line| line.map(|text| self.written_back(text, world, of))).collect();
        first_difference(&plain, &here)
    }

    /// Writes back in a line what is another in this world than in the one that it is compared with.
    fn written_back(&self, line: &str, world: &Setting, plain: &Setting) -> String {
        match self {
            Self::Clock(..) => timeless(line, world.scenario.cluster.start),
            Self::Names => line.replace(RENAMED, ""),
            Self::Run => {
                line.replace(OTHER_RUN, plain.run.as_str()).replace(OTHER_SITE, &plain.scenario.site.name)
            }
            Self::Size | Self::Secrets(_) => line.to_owned(),
        }
    }
}

/// Renames every node that nobody named by its own name: grants, parameters and events of the scenario may.
fn renamed(setting: &mut Setting) -> bool {
    let named = setting.named_places();
    let scenario = &mut setting.scenario;
    let mut words: Vec<String> = scenario.params.values().cloned().collect();
    for event in &scenario.events {
        words.extend(event.details.values().chain(event.params.values()).cloned());
        if let HookAt::BeforeStep(Steps::One(step)) | HookAt::AfterStep(Steps::One(step)) = &event.at {
            words.extend(step.as_str().split_once('@').map(|(_, place)| place.to_owned()));
        }
    }
    let is_free = |node: &NodeName| {
        let name = node.as_str();
        !named.iter().any(|place| place == name) && !words.iter().any(|word| word.contains(name))
    };
    let map: IndexMap<NodeName, NodeName> = scenario
        .site
        .nodes
        .keys()
        .filter(|node| is_free(node))
        .filter_map(|node| Some((node.clone(), NodeName::new(format!("{RENAMED}{node}")).ok()?)))
        .collect();
    if map.is_empty() {
        return false;
    }
    let new = |name: &NodeName| map.get(name).unwrap_or(name).clone();
    scenario.site.nodes = std::mem::take(&mut scenario.site.nodes)
        .into_iter()
        .map(|(name, node)| (new(&name), Node { name: new(&name), ..node }))
        .collect();
    scenario.cluster.nodes = std::mem::take(&mut scenario.cluster.nodes)
        .into_iter()
        .map(|(name, node)| (new(&name), node))
        .collect();
    for answer in &mut scenario.cluster.answers {
        answer.node = answer.node.as_ref().map(&new);
        for line in &mut answer.output {
            for (from, to) in &map {
                *line = line.replace(from.as_str(), to.as_str());
            }
        }
    }
    true
}

/// Three nodes more, like the last that is no manager; where all are, members of no pair.
fn enlarge(scenario: &mut Scenario) {
    let managers: Vec<NodeName> = scenario.site.managers().into_iter().cloned().collect();
    let like = scenario.site.nodes.values().rev().find(|node| !managers.contains(&node.name)).cloned();
    let groups = like.as_ref().map_or_else(|| vec!["members".to_owned()], |node| node.groups.clone());
    let role = like
        .and_then(|node| scenario.cluster.nodes.get(&node.name).cloned())
        .unwrap_or(SimulatedNode { role: "null".into(), state: "normal".into(), settles: None, clock: 0 });
    for number in 1..=3 {
        let Ok(name) = NodeName::new(format!("another{number}")) else { continue };
        let node = Node {
            name: name.clone(),
            address: Address::Local(format!("/rehearsal/{name}").into()),
            groups: groups.clone(),
            host: None,
            alias: Vec::new(),
        };
        scenario.site.nodes.insert(name.clone(), node);
        scenario.cluster.nodes.insert(name, role.clone());
    }
}

/// Every secret and every key is another; secrets of which a policy says the same.
fn other_secrets(cluster: &mut SimulatedCluster, how: Secrets, policy: PasswordPolicy) {
    cluster.seed = cluster.seed.wrapping_add(3);
    let broken = |text: &str| policy.broken_rules(&Secret::from_text(text.to_owned()));
    let other = |text: &str| {
        let turn = |c: char| match how {
            Secrets::Other => moved(c, |at, _| at + 1),
            Secrets::Longer => moved(c, |at, of| of - 1 - at),
            Secrets::Shorter => moved(c, |at, of| at + of / 2),
        };
        let mut made: Vec<char> = text.chars().map(turn).collect();
        let alike = |made: &[char]| broken(&made.iter().collect::<String>()) == broken(text);
        match how {
            Secrets::Other => {}
            Secrets::Longer => {
                for at in 0..made.len().min(LONGER) {
                    made.push(made[at]);
                    if !alike(&made) {
                        made.pop();
                    }
                }
            }
            Secrets::Shorter => {
                for at in (1..made.len()).rev() {
                    let gone = made.remove(at);
                    if !alike(&made) {
                        made.insert(at, gone);
                    }
                }
            }
        }
        made.into_iter().collect::<String>()
    };
    cluster.passphrase = Some(other(cluster.passphrase()));
    cluster.secrets.values_mut().for_each(|secret| *secret = other(secret));
}

/// Another character of its kind, by its place among so many.
fn moved(c: char, to: impl Fn(u8, u8) -> u8) -> char {
    let turn = |first: u8, of: u8| char::from(first + to(c as u8 - first, of) % of);
    match c {
        'a'..='z' => turn(b'a', 26),
        'A'..='Z' => turn(b'A', 26),
        '0'..='9' => turn(b'0', 10),
        // As every product takes them.
        '-' => '_',
        '_' => '-',
        '!' => '#',
        '#' => '!',
        other => other,
    }
}

/// Writes every time in a line as what has passed since the rehearsal began, in days and seconds or, for a date alone,
/// in days. `start`: milliseconds since 1970 UTC.
pub fn timeless(line: &str, start: i64) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (said, length) = match time(rest, start) {
            Some(found) => found,
            None => {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                (number(&rest[..length], start), length)
            }
        };
        out.push_str(&said);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// A moment or a date at the beginning of a text, and how long it is.
fn time(text: &str, start: i64) -> Option<(String, usize)> {
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let began = jiff::Timestamp::from_millisecond(start).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let clock = text.get(10..19).filter(|clock| clock.starts_with([' ', 'T']));
    if let Some(clock) = clock.and_then(|clock| clock.get(1..)?.parse::<jiff::civil::Time>().ok()) {
        let at = date.to_datetime(clock).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        let seconds = at.timestamp().as_second() - start.div_euclid(1_000);
        let zone = usize::from(text[19..].starts_with('Z'));
        return Some((format!("<{:+} d {} s>", seconds.div_euclid(DAY), seconds.rem_euclid(DAY)), 19 + zone));
    }
    let days = date.since(began.date()).ok()?.get_days();
    Some((format!("<{days:+} d>"), 10))
}

/// Digits that are seconds or milliseconds since 1970, near enough to when the rehearsal began.
fn number(digits: &str, start: i64) -> String {
    let Ok(value) = digits.parse::<i64>() else { return digits.into() };
    let century = 100 * 366 * DAY;
    let seconds = start.div_euclid(1_000);
    match digits.len() {
        9 | 10 if (value - seconds).abs() < century && value > 500_000_000 => {
            format!("<{:+} s>", value - seconds)
        }
        12 | 13 if (value - start).abs() < century * 1_000 && value > 500_000_000_000 => {
            format!("<{:+} ms>", value - start)
        }
        _ => digits.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_has_passed_since_the_beginning() {
        let start = 1_767_578_400_000; // 2026-01-05 02:00:00Z
        let said = |text: &str| timeless(text, start);
        assert_eq!(said("until 2026-01-06 02:00:10Z, x"), "until <+1 d 10 s>, x");
        assert_eq!(said("valid until 2036-01-03"), "valid until <+3650 d>");
        assert_eq!(said("at 1767578401 and 1767578400005 ms"), "at <+1 s> and <+5 ms> ms");
        assert_eq!(said("10737418240 bytes, 3650 days, exit 0"), "10737418240 bytes, 3650 days, exit 0");
        assert_eq!(said("2026-13-45 stays"), "2026-13-45 stays");
        // The same of another beginning.
        let later = start + 785 * DAY * 1_000;
        assert_eq!(timeless("on 2028-02-29, 1835402400", later), "on <+0 d>, <+0 s>");
    }
}
