//! Judges the health table: what each of the two nodes says of both. No calls, only rows.

use crate::pair::{Pair, Role};
use windlass_sdk::HealthRecord;
use windlass_sdk::Problems;

/// Which node must be active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The one bound first: nothing has happened yet.
    Bound,
    /// Either, and the other standby: a restart may have moved the role.
    OneActive,
}

/// Adds what is wrong to the problems. Both nodes are asked, because a node that has lost its peer may still
/// find itself well.
pub fn judge(rows: &[HealthRecord], pair: &Pair, expect: Expect, problems: &mut Problems) {
    let mut findings = Findings::default();
    for reporter in Role::BOTH.map(|role| pair.name(role)) {
        let view: Vec<&HealthRecord> = rows.iter().filter(|row| row.reporter == reporter).collect();
        if is_away(rows, reporter) {
            problems.add(
                format!("{reporter} does not answer when asked for its health"),
                format!("see that {reporter} is up and that `windlass site check --connect` reaches it"),
            );
            continue;
        }
        judge_roles(reporter, &view, pair, expect, &mut findings);
        for role in Role::BOTH {
            judge_state(reporter, &view, pair.name(role), &mut findings);
        }
    }
    for (finding, hint, reporters) in findings.0 {
        let see = if reporters.len() == 1 { "sees" } else { "see" };
        problems.add(format!("{finding}, as {} {see} it", reporters.join(" and ")), hint);
    }
}

/// Whether a node does not answer when asked for its health.
pub fn is_away(rows: &[HealthRecord], name: &str) -> bool {
    let mut own = rows.iter().filter(|row| row.reporter == name).peekable();
    own.peek().is_none() || own.any(|row| row.state == "unreachable")
}

/// Returns one line for each row, as `master1 sees master2` and `standby normal (Deactived)`.
pub fn lines(rows: &[HealthRecord]) -> impl Iterator<Item = (String, String)> {
    rows.iter().map(|row| {
        let node = if row.node.is_empty() { "an unknown host" } else { &row.node };
        (format!("{} sees {node}", row.reporter), format!("{} {} ({})", row.role, row.state, row.phase))
    })
}

/// The same finding of both reporters is one problem.
#[derive(Default)]
struct Findings(Vec<(String, String, Vec<String>)>);

impl Findings {
    fn add(&mut self, reporter: &str, finding: String, hint: &str) {
        match self.0.iter_mut().find(|(known, _, _)| *known == finding) {
            Some((_, _, reporters)) => reporters.push(reporter.to_owned()),
            None => self.0.push((finding, hint.to_owned(), vec![reporter.to_owned()])),
        }
    }
}

fn judge_roles(reporter: &str, view: &[&HealthRecord], pair: &Pair, expect: Expect, findings: &mut Findings) {
    // By name: each lists itself first, and the same finding of both is one.
    let with = |role: &str| -> Vec<&str> {
        let mut nodes: Vec<&str> =
            view.iter().filter(|row| row.role == role).map(|row| row.node.as_str()).collect();
        nodes.sort_unstable();
        nodes
    };
    let (active, standby) = (with("active"), with("standby"));
    let first = pair.name(Role::First);
    match (active.as_slice(), standby.as_slice()) {
        ([one], [_]) if expect == Expect::OneActive || *one == first => {}
        ([one], [_]) => findings.add(
            reporter,
            format!("{one} is active, not {first}, which was bound first"),
            "the roles moved while the run began; start a new run",
        ),
        ([], _) => findings.add(
            reporter,
            "no node is active".into(),
            "bring the pair back to one active and one standby node, then start again",
        ),
        ([one], _) => findings.add(
            reporter,
            format!("{one} is active and {} are standby, where there must be one", standby.len()),
            "start the standby node's services and wait until both nodes are normal",
        ),
        (several, _) => findings.add(
            reporter,
            format!("{} are active at once", several.join(" and ")),
            "bring the pair back to one active and one standby node, then start again",
        ),
    }
}

fn judge_state(reporter: &str, view: &[&HealthRecord], node: &str, findings: &mut Findings) {
    match view.iter().find(|row| row.node == node) {
        None => findings.add(
            reporter,
            format!("{node} is missing in the health table"),
            "where the product prints another host name for it, set `alias` in its [nodes] table",
        ),
        Some(row) if row.state == "normal" => {}
        Some(row) if row.state == "null" => findings.add(
            reporter,
            format!("HAAllResOK of {node} is NULL"),
            "a service shows NULL for about a minute after it was started: wait, then start again; if it stays, \
             repair what status-oms.sh shows",
        ),
        Some(row) => findings.add(
            reporter,
            format!("HAAllResOK of {node} is {} ({} {})", row.state, row.role, row.phase),
            "repair what status-oms.sh shows until HAAllResOK is normal on both nodes",
        ),
    }
}
