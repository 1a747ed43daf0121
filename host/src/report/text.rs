//! Lines as an operator reads them.

use crate::journal::{Row, Settlement, StoredRow, Trace};
use crate::model::{Check, CommandName, EffectClass, Event, FileName, NodeName, RunState, Signer};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Where nobody but this controller can go on with a run.
pub(crate) const ALONE: &str =
    "only this controller can go on with the run: for `windlass runs adopt`, site.toml must name `operators`";

/// Returns the line that an event is worth, without a newline; none where it is told elsewhere or only of
/// interest to `-v`.
pub fn event_line(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::RunBegan { run, procedure, site } => format!("run {run}: {procedure} on {site}"),
        Event::RunResumed { run } => format!("run {run}: resumed"),
        Event::GlassBroken { why, by } => glass(why, by),
        Event::RolesBound { first, second, how: None } => {
            format!("roles: first (active) is {first}, second (standby) is {second}")
        }
        Event::RolesBound { first, second, how: Some(how) } => {
            format!("roles: first is {first}, second is {second}: {how}")
        }
        Event::StepBegan { step, title, nodes } => {
            format!("{step}: {title}{}", on(nodes))
        }
        Event::Effect { effect, class, fault, replayed, milliseconds, .. } => {
            let shown = verbose || fault.is_some() || *class == EffectClass::Change;
            if !shown {
                return None;
            }
            let mut line = format!("  {effect}");
            if *replayed {
                line.push_str(" (from the journal)");
            } else if *milliseconds >= 100 {
                // Writing to a String cannot fail.
                let _ = write!(line, " ({:.1} s)", *milliseconds as f64 / 1000.0);
            }
            if let Some(fault) = fault {
                let _ = write!(line, ": {}", fault.message);
            }
            line
        }
        Event::Output { node, line } => format!("  {node}: {line}"),
        Event::Strayed { node, command, file } => format!("  {}", finding(node, command, file)),
        Event::Note { text } => format!("  {text}"),
        Event::Progress { done, total, text } => format!("  {text} ({done}/{total})"),
        Event::StepDone { step } => format!("{step}: done"),
        Event::StepFailed { step, fault } => format!("{step}: failed: {}", fault.message),
        Event::StepUndone { step } => format!("{step}: taken back"),
        Event::HookBegan { hook, at } => format!("hook {hook}, {at}"),
        Event::HookWarned { hook, text, .. } => format!("  {hook} warns: {text}"),
        Event::HookVetoed { hook, at, reason } => format!("  {hook} vetoes {at}: {reason}"),
        Event::HookFailed { hook, fault, goes_on, .. } => {
            let goes_on = if *goes_on { " (the run goes on)" } else { "" };
            format!("  {hook} failed: {}{goes_on}", fault.message)
        }
        // A line that moves; where none can, what came of the effect says enough.
        Event::Advanced { .. }
        | Event::EffectBegan { .. }
        | Event::Planned { .. }
        | Event::Verified { .. }
        | Event::RunEnded { .. } => return None,
    })
}

/// What is said, each time, of a run that goes on without its approvals.
pub(crate) fn glass(why: &str, by: &str) -> String {
    format!(
        "THE GLASS IS BROKEN: {by} goes on without the approvals that this run needs: {}",
        super::harmless(why)
    )
}

/// Returns the nodes of a step as ` [master1, master2]`; nothing where it has none.
pub(crate) fn on(nodes: &[NodeName]) -> String {
    match nodes.is_empty() {
        true => String::new(),
        false => format!(" [{}]", names(nodes)),
    }
}

/// Nodes by name; of many the first few, and how many more there are.
pub(crate) fn names(nodes: &[NodeName]) -> String {
    const SHOWN: usize = 6;
    let few: Vec<_> = nodes.iter().take(SHOWN).map(NodeName::as_str).collect();
    match nodes.len() {
        all if all <= SHOWN + 1 => nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", "),
        all => format!("{} and {} more", few.join(", "), all - SHOWN),
    }
}

/// The words of a finding: a file that a command has no business with.
fn finding(node: &NodeName, command: &CommandName, file: &FileName) -> String {
    format!("finding: {file} on {node} changed while {command} ran, which is not declared to write it")
}

/// Returns what was verified, with its evidence, as lines.
pub fn report(checks: &[Check]) -> Vec<String> {
    let mut lines = Vec::new();
    for check in checks {
        lines.push(format!("{} {}", if check.passed { "ok  " } else { "FAIL" }, check.title));
        let width = check.evidence.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
        for entry in &check.evidence {
            lines.push(format!("       {:<width$}  {}", entry.name, entry.value));
        }
    }
    lines
}

/// Returns the rows of a journal as `runs show` prints them, without those of no interest to a person.
pub fn row_lines(rows: &[StoredRow]) -> Vec<String> {
    let mut children = HashMap::new();
    let mut lines = Vec::new();
    for stored in rows {
        let mut node = None;
        match &stored.row {
            Row::Child { node, .. } => drop(children.insert(stored.sequence, node)),
            Row::Outcome { of, .. } => node = children.get(of).copied(),
            _ => {}
        }
        lines.extend(row_line(stored, node));
        if let Row::Outcome { traces, .. } = &stored.row {
            let findings = traces.iter().filter_map(|trace| match trace {
                Trace::Strayed { node, command, file } => Some(finding(node, command, file)),
                _ => None,
            });
            lines.extend(findings.map(|finding| format!("{}    {finding}", moment(stored.at))));
        }
    }
    lines
}

/// `child`: the node of a `run-each` whose outcome it is.
fn row_line(stored: &StoredRow, child: Option<&NodeName>) -> Option<String> {
    let at = child.map(|node| format!("{node}: ")).unwrap_or_default();
    let what = match &stored.row {
        Row::Began { procedure, site, controller, version, .. } => {
            format!("{procedure} on {site}, from {controller}, windlass {version}")
        }
        Row::ProfileFound { profile, told } => format!("profile {profile}: {}", told.join("; ")),
        Row::SealedTo { recipients, operators: true } => format!("sealed to {} operators", recipients.len()),
        Row::SealedTo { operators: false, .. } => ALONE.into(),
        Row::Resumed { controller, accepted } => {
            let differences = accepted.iter().map(|accepted| format!("\n    ACCEPTED: {accepted}"));
            format!("resumed from {controller}{}", differences.collect::<String>())
        }
        Row::LeaseTaken { manager, token } => format!("lease on {manager}, token {token}"),
        Row::LeaseTakenOver { manager, holder, token, .. } => {
            format!("TOOK OVER the lease on {manager} from {holder}, who had the token {token}")
        }
        Row::DeclaredDead { node } => format!("{node} is DEAD, as the operator said"),
        Row::Adopted { controller, from, rows } => {
            format!("adopted by {controller}, with the {rows} rows that {from} held")
        }
        Row::RolesBound { first, second, how } => {
            let how = how.as_ref().map(|how| format!(": {how}")).unwrap_or_default();
            format!("first is {first}, second is {second}{how}")
        }
        Row::Planned { steps } => format!("planned {} steps", steps.len()),
        Row::PlanTaken { digest, requester, approvers, .. } => {
            let by = |signer: &Signer| format!("{} ({})", signer.principal, signer.key);
            let approvers: Vec<_> = approvers.iter().map(by).collect();
            format!(
                "follows the plan {digest:.12}, asked for by {}, approved by {}",
                requester.as_ref().map_or_else(|| "nobody who signed".into(), by),
                if approvers.is_empty() { "nobody".into() } else { approvers.join(", ") }
            )
        }
        Row::GlassBroken { why, by } => glass(why, by),
        Row::Confirmed => "confirmed".into(),
        Row::CallBegan { call } => format!("{call}: began"),
        Row::Intent { effect, class, .. } => match class {
            EffectClass::Observe => return None,
            EffectClass::Keep | EffectClass::Change => format!("  {effect}"),
        },
        Row::Child { .. } => return None,
        Row::Outcome { answer, settled, .. } => match (answer, settled) {
            (Err(fault), _) => format!("    {at}{}: {}", fault.code, fault.message),
            (Ok(_), Some(Settlement::FoundDone)) => format!("    {at}found done after the interruption"),
            (Ok(_), Some(Settlement::ActsAgain)) => format!("    {at}done again after the interruption"),
            (Ok(crate::model::Answer::Outcome(outcome)), None) if !outcome.succeeded => {
                format!("    {at}not a success: {}", outcome.reason)
            }
            (Ok(_), None) => return None,
        },
        Row::Denied { fault, .. } => format!("  denied: {} ({})", fault.message, fault.hint),
        Row::OutsideEnvelope { effect, entry, .. } => {
            format!("  outside of what was certified: {effect} ({entry})")
        }
        Row::CallEnded { call, result: Ok(()) } => format!("{call}: done"),
        Row::CallEnded { call, result: Err(fault) } => format!("{call}: failed: {}", fault.message),
        Row::HookWarned { hook, text, .. } => format!("  {hook} warns: {text}"),
        Row::Verified { checks } => {
            let passed = checks.iter().filter(|check| check.passed).count();
            format!("verified {passed} of {}", checks.len())
        }
        Row::LeaseReleased => "lease given back".into(),
        Row::Stands { state, summary, .. } => format!("{}: {summary}", state_word(*state)),
        Row::Closed => "closed: what was saved on the nodes is removed".into(),
    };
    Some(format!("{}  {what}", moment(stored.at)))
}

/// How a run stands, in a word.
pub(crate) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Done => "done",
        RunState::NothingToDo => "nothing to do",
        RunState::Unchanged => "unchanged",
        RunState::Paused => "paused",
    }
}

/// Returns a time in milliseconds since 1970 as UTC to the second.
pub fn moment(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => format!("{milliseconds} ms"),
    }
}
