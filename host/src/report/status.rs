//! How a site stands: what was seen on its nodes, what of it wants attention, as lines and as Prometheus' text.
//!
//! Judging is a function of what was seen and of the time, so that it can be tested without a node.

use crate::model::{EndpointName, FileName, NodeName, RunId, RunState};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const DAY: i64 = 86_400;

/// From when on something wants attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Days that a certificate must still be valid.
    pub certificate_days: i64,
    /// Days since the key set was written last.
    pub key_days: i64,
}

/// What was seen of a site.
#[derive(Debug, Default, Serialize)]
pub struct Status {
    pub site: String,
    /// Seconds since 1970 UTC, the controller's clock.
    pub at: i64,
    pub nodes: Vec<NodeStatus>,
    /// This controller's, newest first.
    pub runs: Vec<RunStatus>,
    /// What somebody should do something about, the worst first within a node.
    pub attention: Vec<Attention>,
}

#[derive(Debug, Serialize)]
pub struct NodeStatus {
    pub node: NodeName,
    /// Why it could not be asked.
    pub problem: Option<String>,
    pub certificates: Vec<CertificateStatus>,
    pub endpoints: Vec<EndpointStatus>,
    pub keys: Vec<KeyStatus>,
    pub keyset: Option<KeysetStatus>,
    /// Why a run put it in quarantine, where none has released it since.
    pub quarantine: Option<String>,
    /// As the node itself says: `active normal`; none where it carries no health table.
    pub health: Vec<HealthStatus>,
}

impl NodeStatus {
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            problem: None,
            certificates: Vec::new(),
            endpoints: Vec::new(),
            keys: Vec::new(),
            keyset: None,
            quarantine: None,
            health: Vec::new(),
        }
    }

    fn holds(&self, file: &FileName) -> Option<&CertificateStatus> {
        self.certificates.iter().find(|certificate| certificate.file == *file)
    }
}

/// A certificate in a file of the profile.
#[derive(Debug, Serialize)]
pub struct CertificateStatus {
    pub file: FileName,
    pub subject: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// Seconds since 1970 UTC.
    pub not_before: i64,
    pub not_after: i64,
    /// An endpoint presents it, or its issuer is: what is merely there may be as old as it likes.
    pub in_use: bool,
}

/// What an endpoint presents, and what lies in the file that it should present.
#[derive(Debug, Serialize)]
pub struct EndpointStatus {
    pub endpoint: EndpointName,
    pub file: FileName,
    /// The fingerprint.
    pub served: Option<String>,
    /// Why there is none.
    pub problem: Option<String>,
}

/// A file that is marked secret, without a byte of it.
#[derive(Debug, Serialize)]
pub struct KeyStatus {
    pub file: FileName,
    /// Octal, as `0600`.
    pub mode: String,
    pub owner: String,
    /// Who should own it; none where that cannot be told, as on a folder of this machine.
    pub expected_owner: Option<String>,
    /// Seconds since 1970 UTC, the node's clock.
    pub modified: i64,
}

impl KeyStatus {
    /// Whether others than its owner may do anything with it.
    fn is_open(&self) -> bool {
        // The last two digits are the group's and everybody's.
        !self.mode.ends_with("00")
    }

    /// Who should own it, where somebody else does.
    fn rightful_owner(&self) -> Option<&String> {
        self.expected_owner.as_ref().filter(|expected| **expected != self.owner)
    }
}

#[derive(Debug, Serialize)]
pub struct KeysetStatus {
    /// None: the file does not exist, or there is a problem.
    pub keys: Option<Keys>,
    /// Why it cannot be told.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Keys {
    pub fingerprint: String,
    pub primary: u32,
    pub versions: usize,
    /// Seconds since 1970 UTC, the node's clock.
    pub written: i64,
}

#[derive(Debug, Serialize)]
pub struct HealthStatus {
    /// Whom the row is about.
    pub of: String,
    pub role: String,
    pub state: String,
}

#[derive(Debug, Serialize)]
pub struct RunStatus {
    pub run: RunId,
    pub state: RunState,
    /// Seconds since 1970 UTC.
    pub changed: i64,
    pub summary: String,
    pub closed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// None: it is about the site as a whole.
    pub node: Option<NodeName>,
    pub what: String,
    /// What to look at or to type; empty where there is nothing to say.
    pub next: String,
}

impl Status {
    /// Says what wants attention.
    pub fn judge(&mut self, thresholds: Thresholds) {
        let mut found = Vec::new();
        let mut add = |node: Option<&NodeName>, what: String, next: &str| {
            found.push(Attention { node: node.cloned(), what, next: next.into() });
        };
        for node in &self.nodes {
            let name = Some(&node.node);
            if let Some(reason) = &node.quarantine {
                let what = format!("in quarantine: {}", super::harmless(reason));
                add(name, what, "windlass run root-key -p mode=catch-up");
            }
            if let Some(problem) = &node.problem {
                add(name, problem.clone(), "windlass site check --connect");
                continue;
            }
            for certificate in node.certificates.iter().filter(|certificate| certificate.in_use) {
                let CertificateStatus { file, not_before, not_after, .. } = certificate;
                let left = days(not_after - self.at);
                if *not_after <= self.at {
                    add(
                        name,
                        format!("{file} expired on {}", date(*not_after)),
                        "windlass run ha-cert -p strategy=repair",
                    );
                } else if left < thresholds.certificate_days {
                    add(
                        name,
                        format!("{file} expires on {}, in {left} days", date(*not_after)),
                        "windlass run ha-cert",
                    );
                }
                if *not_before > self.at {
                    add(
                        name,
                        format!("{file} is not valid before {}", date(*not_before)),
                        "is the clock right?",
                    );
                }
            }
            for EndpointStatus { endpoint, file, served, problem } in &node.endpoints {
                if let Some(why) = problem {
                    add(name, format!("{endpoint}: {why}"), "");
                }
                if let (Some(served), Some(disk)) = (served, node.holds(file))
                    && *served != disk.fingerprint
                {
                    add(
                        name,
                        format!(
                            "{endpoint} presents {served:.16}, and {file} holds {:.16}",
                            disk.fingerprint
                        ),
                        "the service has not loaded what is on disk, or a run is under way",
                    );
                }
            }
            for key in &node.keys {
                let KeyStatus { file, mode, owner, .. } = key;
                if key.is_open() {
                    add(
                        name,
                        format!("{file} can be used by others than its owner (mode {mode})"),
                        "chmod 600 there",
                    );
                }
                if let Some(expected) = key.rightful_owner() {
                    add(name, format!("{file} belongs to {owner}, not to {expected}"), "chown it there");
                }
            }
            for HealthStatus { of, role, state } in &node.health {
                if state != "normal" {
                    add(
                        name,
                        format!("sees {of} as {role}, {state}"),
                        "the product's own status command says more",
                    );
                }
            }
        }
        self.judge_keysets(thresholds, &mut add);
        for run in self.paused() {
            add(
                None,
                format!("the run {} is paused: {}", run.run, run.summary),
                &format!("windlass runs show {}", run.run),
            );
        }
        self.attention = found;
    }

    fn judge_keysets(&self, thresholds: Thresholds, add: &mut impl FnMut(Option<&NodeName>, String, &str)) {
        const LOOK: &str = "windlass keyring info";
        let reached = || self.nodes.iter().filter_map(|node| Some((&node.node, node.keyset.as_ref()?)));
        let mut sets: BTreeMap<&str, (Vec<&NodeName>, &Keys)> = BTreeMap::new();
        for (node, keyset) in reached() {
            if let Some(keys) = &keyset.keys {
                sets.entry(&keys.fingerprint).or_insert((Vec::new(), keys)).0.push(node);
            }
            if let Some(why) = &keyset.problem {
                add(Some(node), why.clone(), LOOK);
            }
        }
        // Where no node has one, the site uses none.
        if sets.is_empty() {
            return;
        }
        for (node, keyset) in reached() {
            if keyset.keys.is_none() && keyset.problem.is_none() {
                add(Some(node), "it has no key set, and others have".into(), LOOK);
            }
        }
        let mut sets: Vec<_> = sets.into_values().collect();
        sets.sort_by_key(|(nodes, _)| std::cmp::Reverse(nodes.len()));
        if let [(most, _), others @ ..] = sets.as_slice()
            && !others.is_empty()
        {
            for node in others.iter().flat_map(|(nodes, _)| nodes) {
                add(Some(node), format!("its key set is another than that of {}", list(most)), LOOK);
            }
        }
        let oldest = sets.iter().map(|(_, keys)| days(self.at - keys.written)).max().unwrap_or_default();
        if oldest >= thresholds.key_days {
            add(
                None,
                format!("the key set was written {oldest} days ago"),
                "the root key is due to be updated",
            );
        }
    }

    fn paused(&self) -> impl Iterator<Item = &RunStatus> {
        self.runs.iter().filter(|run| run.state == RunState::Paused && !run.closed)
    }

    /// The lines that people read: what wants attention first.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match self.attention.len() {
            0 => lines.push(format!("site {}: nothing wants attention", self.site)),
            1 => lines.push(format!("site {}: 1 thing wants attention", self.site)),
            several => lines.push(format!("site {}: {several} things want attention", self.site)),
        }
        for Attention { node, what, next } in &self.attention {
            let of = node.as_ref().map_or_else(String::new, |node| format!("{node}: "));
            let next = if next.is_empty() { String::new() } else { format!(" ({next})") };
            lines.push(format!("  {of}{what}{next}"));
        }
        for node in &self.nodes {
            lines.push(String::new());
            let health = node.health.iter().find(|row| row.of == node.node.as_str());
            let health = health.map_or_else(String::new, |row| format!("  {} {}", row.role, row.state));
            lines.push(format!("{}{health}", node.node));
            if let Some(problem) = &node.problem {
                lines.push(format!("  not reached: {problem}"));
                continue;
            }
            for CertificateStatus { file, subject, fingerprint, not_after, .. } in &node.certificates {
                let left = days(not_after - self.at);
                let until = date(*not_after);
                lines.push(format!("  {file:<18} {fingerprint:.16}  until {until}, {left} days  {subject}"));
            }
            for EndpointStatus { endpoint, served, problem, .. } in &node.endpoints {
                let seen = served.as_deref().map_or_else(String::new, |served| format!("{served:.16}"));
                let why = problem.as_deref().unwrap_or_default();
                lines.push(format!("  {:<18} {seen}{why}", format!("{endpoint} presents")));
            }
            for KeyStatus { file, mode, owner, modified, .. } in &node.keys {
                lines.push(format!("  {file:<18} {mode} {owner}, {} days old", days(self.at - modified)));
            }
            if let Some(KeysetStatus { keys: Some(keys), .. }) = &node.keyset {
                let Keys { fingerprint, primary, versions, written } = keys;
                let old = days(self.at - written);
                lines.push(format!(
                    "  {:<18} {fingerprint:.16}  version {primary} of {versions}, {old} days old",
                    "key set"
                ));
            }
        }
        if !self.runs.is_empty() {
            lines.push(String::new());
        }
        for RunStatus { run, state, summary, .. } in &self.runs {
            lines.push(format!("{run}  {}  {summary}", super::state_word(*state)));
        }
        lines
    }

    /// The text that Prometheus scrapes, for the node exporter's textfile collector.
    pub fn prometheus(&self) -> String {
        let mut metrics = Metrics::default();
        let site = ("site", self.site.as_str());
        let told = "Things at the site that want attention.";
        metrics.add("windlass_attention", told, &[site], self.attention.len() as i64);
        metrics.add("windlass_status_time_seconds", "When the site was looked at.", &[site], self.at);
        for node in &self.nodes {
            let name = ("node", node.node.as_str());
            let up = i64::from(node.problem.is_none());
            metrics.add("windlass_node_up", "Whether the node could be asked.", &[site, name], up);
            let quarantined = i64::from(node.quarantine.is_some());
            let told = "Whether a run has put the node in quarantine.";
            metrics.add("windlass_node_quarantined", told, &[site, name], quarantined);
            for certificate in &node.certificates {
                let in_use = if certificate.in_use { "yes" } else { "no" };
                let labels = [site, name, ("file", certificate.file.as_str()), ("in_use", in_use)];
                let told = "When the certificate in a file ends.";
                metrics.add("windlass_certificate_not_after_seconds", told, &labels, certificate.not_after);
            }
            for EndpointStatus { endpoint, file, served, .. } in &node.endpoints {
                let labels = [site, name, ("endpoint", endpoint.as_str())];
                let same = node.holds(file).is_some_and(|disk| served.as_ref() == Some(&disk.fingerprint));
                let told = "Whether an endpoint presents the certificate that is on disk.";
                metrics.add("windlass_endpoint_presents_file", told, &labels, i64::from(same));
            }
            for key in &node.keys {
                let labels = [site, name, ("file", key.file.as_str())];
                let private = !key.is_open() && key.rightful_owner().is_none();
                let told = "Whether a key file is its owner's alone.";
                metrics.add("windlass_key_file_private", told, &labels, i64::from(private));
                let told = "When a key file was written.";
                metrics.add("windlass_key_file_modified_seconds", told, &labels, key.modified);
            }
            if let Some(KeysetStatus { keys: Some(keys), .. }) = &node.keyset {
                let labels = [site, name, ("fingerprint", keys.fingerprint.as_str())];
                let told = "When the node's key set was written.";
                metrics.add("windlass_keyset_written_seconds", told, &labels, keys.written);
            }
            for row in node.health.iter().filter(|row| row.of == node.node.as_str()) {
                let labels = [site, name, ("role", row.role.as_str())];
                let told = "Whether the node says of itself that it is normal.";
                metrics.add("windlass_node_normal", told, &labels, i64::from(row.state == "normal"));
            }
        }
        let paused = self.paused().count();
        metrics.add(
            "windlass_runs_paused",
            "Runs of this controller that are paused.",
            &[site],
            paused as i64,
        );
        metrics.text()
    }
}

/// Metrics by name, as the format wants their samples together.
#[derive(Default)]
struct Metrics(BTreeMap<&'static str, (&'static str, Vec<String>)>);

impl Metrics {
    /// Adds a sample of a gauge.
    fn add(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let sample = format!("{name}{{{}}} {value}", labels.join(","));
        self.0.entry(name).or_insert((help, Vec::new())).1.push(sample);
    }

    fn text(self) -> String {
        let mut text = String::new();
        for (name, (help, samples)) in self.0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{}\n", samples.join("\n"));
        }
        text
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Whole days, rounded down.
fn days(seconds: i64) -> i64 {
    seconds.div_euclid(DAY)
}

fn date(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds);
    at.map_or_else(|_| format!("{seconds} s after 1970"), |at| at.strftime("%Y-%m-%d").to_string())
}

fn list(names: &[&NodeName]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "status/tests.rs"]
mod tests;
