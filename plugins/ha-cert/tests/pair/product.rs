//! The product's side of the simulated pair: its scripts and its health table.

use super::{FIRST, Pair, SECOND, Switch, number};
use windlass_sdk::{Fault, HealthRecord, Outcome};

/// What a command is declared to write: the certHA folder, and the generator's own pair.
pub fn writes(command: &str) -> &'static [&'static str] {
    match command {
        "replace-ha-cert" => &["ha-root-cert", "ha-root-key", "ha-leaf-cert", "ha-leaf-key"],
        "generate-ha-root" => &["ha-new-root-cert", "ha-new-root-key"],
        _ => &[],
    }
}

impl Pair {
    pub fn run_product(&mut self, node: &str, command: &str) -> Result<Outcome, Fault> {
        for file in writes(command) {
            self.save(node, file)?;
        }
        let lying = match command {
            "generate-ha-root" => Switch::LyingGenerate,
            "replace-ha-cert" => Switch::LyingReplace,
            _ => Switch::LyingRestart,
        };
        if self.is(lying) {
            return Ok(outcome(0));
        }
        match command {
            "generate-ha-root" => {
                let made = self.next();
                let files = &mut self.node(node)?.files;
                files.insert("ha-new-root-cert".into(), format!("root {made}"));
                files.insert("ha-new-root-key".into(), format!("key {made} under <ha-key>"));
            }
            "replace-ha-cert" if !self.replace_leaf(node)? => return Ok(outcome(1)),
            "replace-ha-cert" => {}
            "restart-ha" if self.is(Switch::RestartFails) => return Ok(outcome(1)),
            "restart-ha" => {
                let place = self.node(node)?;
                let file = |name: &str| place.files.get(name).cloned().unwrap_or_default();
                let (root, leaf) = (file("ha-root-cert"), file("ha-leaf-cert"));
                if number(&root).is_none() || number(&leaf).is_none() {
                    // A service does not start without its files.
                    place.loaded = Default::default();
                    return Ok(outcome(1));
                }
                place.loaded = (root, leaf);
                if self.is(Switch::RoleMoves) && self.active == node {
                    self.active = if node == FIRST { SECOND.into() } else { FIRST.into() };
                }
            }
            _ => return Err(Fault::new("unknown", format!("no command {command}"))),
        }
        Ok(outcome(i32::from(self.is(Switch::WrongExit) && command == "replace-ha-cert")))
    }

    fn replace_leaf(&mut self, node: &str) -> Result<bool, Fault> {
        let made = self.next();
        let file = |name: &str| self.nodes.get(node).and_then(|node| node.files.get(name)).cloned();
        let (root, key) = (file("ha-root-cert").unwrap_or_default(), file("ha-root-key").unwrap_or_default());
        if self.key_fit(&key, &root) != "fits" {
            return Ok(false);
        }
        let root = number(&root).unwrap_or_default();
        let issuer = if self.is(Switch::LeafOfOldRoot) { 1 } else { root };
        let (synchronises, opens) = (self.is(Switch::SyncOverwrites), self.is(Switch::KeyFileOpened));
        let place = self.node(node)?;
        place.files.insert("ha-leaf-cert".into(), format!("leaf {made} of {issuer}"));
        place.files.insert("ha-leaf-key".into(), format!("key {made} under <ha-key>"));
        if opens {
            place.modes.insert("ha-leaf-key".into(), "0644".into());
        }
        if synchronises {
            place.files.insert("ha-root-cert".into(), "root 1".into());
        }
        Ok(true)
    }

    pub fn health_table(&self) -> Vec<HealthRecord> {
        let mut rows = Vec::new();
        for reporter in [FIRST, SECOND] {
            if reporter == SECOND && (self.is(Switch::SecondUnreachable) || self.is(Switch::StandbyDown)) {
                rows.push(row(reporter, reporter, "null", "unreachable", ""));
                continue;
            }
            for node in [FIRST, SECOND] {
                let down = node == SECOND && self.is(Switch::StandbyDown);
                let active = match node {
                    _ if self.is(Switch::TwoActive) => true,
                    _ if self.is(Switch::NoneActive) => false,
                    node if self.is(Switch::RolesSwitched) => node == SECOND,
                    node => node == self.active,
                };
                let well = self.linked() && !down && !self.is(Switch::Abnormal);
                rows.push(match (active, well) {
                    _ if self.clock < self.null_until => row(reporter, node, "null", "null", "NULL"),
                    _ if down => row(reporter, node, "null", "null", "NULL"),
                    (true, true) => row(reporter, node, "active", "normal", "Actived"),
                    (false, true) => row(reporter, node, "standby", "normal", "Deactived"),
                    (true, false) => row(reporter, node, "active", "abnormal", "Actived"),
                    (false, false) => row(reporter, node, "standby", "abnormal", "Deactived"),
                });
            }
        }
        rows
    }
}

fn row(reporter: &str, node: &str, role: &str, state: &str, phase: &str) -> HealthRecord {
    HealthRecord {
        reporter: reporter.into(),
        node: node.into(),
        role: role.into(),
        state: state.into(),
        phase: phase.into(),
    }
}

fn outcome(exit: i32) -> Outcome {
    Outcome {
        succeeded: exit == 0,
        exit,
        reason: if exit == 0 { String::new() } else { format!("it ended with exit status {exit}, not 0") },
        output: Vec::new(),
    }
}
