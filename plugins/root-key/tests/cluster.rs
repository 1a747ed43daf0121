//! A cluster of four nodes: `a` and `b` manage, `m1` and `m2` are members.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use windlass_sdk::mock::{Installed, MockHost, install};
use windlass_sdk::{
    Argument, Content, Fault, KeySet, Member, MemberDone, MemberFingerprint, MemberOutcome, Outcome,
    QuarantinedNode, Value, Version,
};

pub const NODES: [&str; 4] = ["a", "b", "m1", "m2"];
/// What stands for the key set of before.
pub const OLD: &str = "key-0";

pub struct Cluster {
    pub host: Rc<RefCell<Host>>,
    _installed: Installed,
}

impl Cluster {
    pub fn up() -> Self {
        let host = Rc::new(RefCell::new(Host {
            keys: NODES.map(|node| (node, OLD.to_owned())).into(),
            up: NODES.map(|node| (node, true)).into(),
            confirms: true,
            room: 1 << 30,
            parameters: [("product_reads_keyset".to_owned(), "yes".to_owned())].into(),
            ..Host::default()
        }));
        Self { _installed: install(host.clone()), host }
    }

    pub fn set(&self, parameter: &str, value: &str) {
        self.host.borrow_mut().parameters.insert(parameter.into(), value.into());
    }
}

#[derive(Default)]
pub struct Host {
    pub keys: BTreeMap<&'static str, String>,
    pub backups: BTreeMap<&'static str, String>,
    staged: Option<String>,
    pub up: BTreeMap<&'static str, bool>,
    pub away: BTreeSet<&'static str>,
    pub quarantined: BTreeMap<&'static str, String>,
    pub isolated: Vec<&'static str>,
    /// How many keys were made.
    pub made: usize,
    /// The run's own values, and parameters.
    values: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
    /// Its service does not stop, or not start.
    pub stuck: Option<&'static str>,
    pub stuck_down: Option<&'static str>,
    /// The product's script leaves it out, does nothing, or ends when it has made the key; so does a distribution.
    pub misses: Option<&'static str>,
    pub lies: bool,
    pub cut_after_first: bool,
    pub confirms: bool,
    /// What is answered to the next acknowledgements; then yes. And what was to be acknowledged.
    pub acknowledges: Vec<bool>,
    pub asked: Vec<String>,
    /// What the site's check says; none: there is no check.
    pub applications: Option<bool>,
    pub room: u64,
    canaries: BTreeMap<String, u32>,
}

fn named(node: &str) -> &'static str {
    NODES.into_iter().find(|known| *known == node).expect("a node of the cluster")
}

fn outcome(succeeded: bool, said: &str) -> Outcome {
    let reason = if succeeded { String::new() } else { "it said that it failed".into() };
    let output = said.lines().map(str::to_owned).collect();
    Outcome { succeeded, exit: i32::from(!succeeded), reason, output }
}

/// The version that a key set seals under: `key-3` is the third.
fn number(key: &str) -> u32 {
    key.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(99)
}

impl Host {
    fn reach(&self, node: &str) -> Result<&'static str, Fault> {
        match self.away.contains(node) {
            true => Err(Fault::new("unreachable", format!("{node} does not answer"))),
            false => Ok(named(node)),
        }
    }

    fn new_key(&mut self) -> String {
        self.made += 1;
        format!("key-{}", self.made)
    }

    /// Isolated nodes, and those that are away, are left out.
    fn all_go(&mut self, up: bool) -> bool {
        let mut all = true;
        for node in NODES.into_iter().filter(|node| !self.away.contains(node)) {
            let stays = if up { self.stuck_down == Some(node) } else { self.stuck == Some(node) };
            match stays || self.isolated.contains(&node) {
                true => all &= self.up[node] == up || self.isolated.contains(&node),
                false => drop(self.up.insert(node, up)),
            }
        }
        all
    }
}

impl MockHost for Host {
    fn members(&mut self) -> Result<Vec<Member>, Fault> {
        let role = |node: &str| match node {
            "a" => "first",
            "b" => "second",
            _ => "",
        };
        let member = |node: &str| Member { name: node.into(), role: role(node).into(), groups: Vec::new() };
        Ok(NODES.map(member).into())
    }

    fn run(&mut self, node: &str, command: &str, arguments: &[Argument]) -> Result<Outcome, Fault> {
        self.reach(node)?;
        let argument = || match &arguments[0].value {
            Value::Text(text) => named(text),
            Value::Secret(_) => panic!("no secret is given"),
        };
        Ok(match command {
            "applications-stopped" => match self.applications {
                Some(stopped) => outcome(stopped, ""),
                None => return Err(Fault::new("unknown", "there is no such command")),
            },
            "stop-cluster" => outcome(self.all_go(false), ""),
            "start-cluster" => outcome(self.all_go(true), ""),
            "update-root-key" if self.lies => outcome(true, ""),
            "update-root-key" => {
                let key = self.new_key();
                if self.keys.is_empty() {
                    // The product keeps it where nobody looks.
                    return Ok(outcome(!self.cut_after_first, "Step 4-3"));
                }
                self.keys.insert("a", key.clone());
                if self.cut_after_first {
                    return Ok(outcome(false, "Step 4-3"));
                }
                for node in NODES.into_iter().filter(|node| self.misses != Some(node)) {
                    self.keys.insert(node, key.clone());
                }
                outcome(true, "Step 4-4")
            }
            "isolate-node" => {
                self.isolated.push(argument());
                outcome(true, "")
            }
            "join-node" => {
                let joined = argument();
                self.isolated.retain(|node| *node != joined);
                outcome(true, "")
            }
            other => panic!("{other} is not asked for"),
        })
    }

    fn run_each(
        &mut self,
        nodes: &[String],
        command: &str,
        _: &[Argument],
    ) -> Result<Vec<MemberOutcome>, Fault> {
        let wanted = command == "services-started";
        let each = |node: &String| {
            let seen = self.reach(node).map(|node| {
                let up = self.up[node];
                outcome(up == wanted, if up { "DBService running" } else { "DBService stopped" })
            });
            MemberOutcome { node: node.clone(), outcome: seen }
        };
        Ok(nodes.iter().map(each).collect())
    }

    fn fingerprint(&mut self, node: &str, file: &str) -> Result<Option<String>, Fault> {
        let node = self.reach(node)?;
        let held = if file == "cluster-key" { &self.keys } else { &self.backups };
        Ok(held.get(node).cloned())
    }

    fn fingerprint_each(&mut self, nodes: &[String], file: &str) -> Result<Vec<MemberFingerprint>, Fault> {
        let nodes = nodes.iter();
        Ok(nodes
            .map(|node| MemberFingerprint { node: node.clone(), fingerprint: self.fingerprint(node, file) })
            .collect())
    }

    fn space(&mut self, _: &str, _: &str) -> Result<u64, Fault> {
        Ok(self.room)
    }

    fn put(&mut self, node: &str, file: &str, content: &Content) -> Result<(), Fault> {
        let node = self.reach(node)?;
        let Content::File(from) = content else { panic!("{content:?}") };
        let from_node = self.reach(&from.node)?;
        let held = if from.file == "cluster-key" { &self.keys } else { &self.backups };
        let key = held[from_node].clone();
        if file == "cluster-key" { &mut self.keys } else { &mut self.backups }.insert(node, key);
        Ok(())
    }

    fn put_each(
        &mut self,
        nodes: &[String],
        file: &str,
        content: &Content,
    ) -> Result<Vec<MemberDone>, Fault> {
        let full = self.cut_after_first;
        let each = |node: &String| match full {
            true => MemberDone { node: node.clone(), done: Err(Fault::failed("no room")) },
            false => MemberDone { node: node.clone(), done: self.put(node, file, content) },
        };
        Ok(nodes.iter().map(each).collect())
    }

    fn swap(&mut self, _: &str, node: &str) -> Result<(), Fault> {
        let key = self.staged.take().expect("something is staged");
        self.keys.insert(named(node), key);
        Ok(())
    }

    fn restore(&mut self, node: &str, file: &str) -> Result<(), Fault> {
        let node = self.reach(node)?;
        match file {
            "cluster-key" => drop(self.keys.insert(node, OLD.into())),
            _ => drop(self.backups.remove(node)),
        }
        Ok(())
    }

    fn versions(&mut self, node: &str, _: &str) -> Result<Option<KeySet>, Fault> {
        let node = self.reach(node)?;
        let Some(key) = self.keys.get(node) else { return Ok(None) };
        let primary = number(key);
        let version = |number| Version { number, primary: number == primary, enabled: true };
        Ok(Some(KeySet { fingerprint: key.clone(), versions: (0..=primary).map(version).collect() }))
    }

    fn add(&mut self, _: &str, node: &str, file: &str) -> Result<KeySet, Fault> {
        let key = self.new_key();
        self.staged = Some(key);
        Ok(self.versions(node, file)?.expect("a key set"))
    }

    fn canary(&mut self, name: &str, node: &str, _: &str) -> Result<(), Fault> {
        let under = number(&self.keys[self.reach(node)?]);
        match self.canaries.insert(name.into(), under) {
            None => Ok(()),
            Some(_) => Err(Fault::new("invalid", "there is one of this name")),
        }
    }

    fn opens(&mut self, node: &str, file: &str, canary: &str) -> Result<u32, Fault> {
        let node = self.reach(node)?;
        let held = if file == "cluster-key" { &self.keys } else { &self.backups };
        match self.canaries[canary] {
            under if under <= number(&held[node]) => Ok(under),
            _ => Err(Fault::failed("it does not open")),
        }
    }

    fn quarantine(&mut self, node: &str, reason: &str) -> Result<(), Fault> {
        self.quarantined.insert(named(node), reason.into());
        Ok(())
    }

    fn release(&mut self, node: &str) -> Result<(), Fault> {
        self.quarantined.remove(node);
        Ok(())
    }

    fn quarantined(&mut self) -> Result<Vec<QuarantinedNode>, Fault> {
        let quarantined = self.quarantined.iter();
        Ok(quarantined
            .map(|(node, reason)| QuarantinedNode { node: (*node).into(), reason: reason.clone() })
            .collect())
    }

    fn parameter(&mut self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.parameters.get(name).cloned())
    }

    fn confirm(&mut self, _: &str, _: &str) -> Result<bool, Fault> {
        Ok(self.confirms)
    }

    fn acknowledge(&mut self, _: &str, impact: &str) -> Result<bool, Fault> {
        self.asked.push(impact.into());
        Ok(self.acknowledges.is_empty() || self.acknowledges.remove(0))
    }

    fn note(&mut self, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn progress(&mut self, _: u32, _: u32, _: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn get(&mut self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.values.get(name).cloned())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        self.values.insert(name.into(), value.into());
        Ok(())
    }

    fn sleep(&mut self, _: u32) -> Result<(), Fault> {
        Ok(())
    }
}
