//! What is wrong about a rehearsal: what must never be, and what must be the same as where nothing was done to it.

use super::Plainly;
use super::injury::{INJECTED, InjuryKind};
use super::leak::Leaks;
use super::made;
use super::stage::{End, Played, Setting, Way};
use crate::backend::rehearsal::{Breach, Standing};
use crate::effect::Limits;
use crate::journal::{CallName, Row, StoredRow};
use crate::model::audit::{Finding, Rule};
use crate::model::{Answer, Content, Effect, EffectClass, PauseReason, Value, code};
use crate::run::{Breakage, MOST_EFFECTS};
use std::collections::{BTreeMap, BTreeSet};

/// The call in which a row stands.
pub(super) fn call_of(rows: &[StoredRow], sequence: i64) -> Option<&CallName> {
    let mut calls = rows.iter().rev().skip_while(|stored| stored.sequence > sequence);
    calls.find_map(|stored| match &stored.row {
        Row::CallBegan { call } => Some(call),
        _ => None,
    })
}

/// What must not be in any rehearsal, whatever was done to it.
pub(super) fn always(played: &Played, leaks: &Leaks) -> Vec<Finding> {
    let mut found = Vec::new();
    let named = |sequence| call_of(&played.rows, sequence).map(ToString::to_string);
    played.life.each_seen(|seen| {
        for Breach { rule, about, message } in &seen.breaches {
            let breach = Finding::new(*rule, about, message);
            found.push(breach.at(named(seen.sequence), Some(seen.effect.to_string())));
        }
    });
    for broke in &played.broke {
        let rule = match broke.how {
            Breakage::Trap => Rule::BreaksOff,
            Breakage::Time => Rule::NoEnd,
            Breakage::Memory => Rule::TooMuchMemory,
            Breakage::Output => Rule::Floods,
        };
        found.push(Finding::new(rule, "", broke.why.clone()).at(Some(broke.call.to_string()), None));
    }
    denials(played, &mut found);
    too_many(played, &mut found);
    found.extend(leaks.in_all(&made::by(played, played.looked_at())));
    match &played.end {
        End::Unchanged(_) | End::NothingToDo if !played.life.stands_as_at_first() => {
            let message = "it ends as if nothing had been changed, and something is";
            found.push(Finding::new(Rule::NoWayBack, "", message).evidence(lines(&played.life.standing())));
        }
        End::RolledBack if !played.life.stands_as_at_first() => {
            let message = "it was rolled back, and the cluster is not as it was";
            found.push(Finding::new(Rule::NoWayBack, "", message).evidence(lines(&played.life.standing())));
        }
        End::Paused(PauseReason::Divergence, why) => {
            found.push(Finding::new(Rule::Diverges, "", why.clone()));
        }
        _ => {}
    }
    found
}

/// A call that had as many effects as it may: what it asked for behind them was refused.
fn too_many(played: &Played, found: &mut Vec<Finding>) {
    let most = match played.end {
        End::Answered(_) => MOST_EFFECTS,
        _ => Limits::default().effects,
    };
    let mut had = 0;
    for stored in &played.rows {
        match &stored.row {
            Row::CallBegan { .. } => had = 0,
            Row::Intent { effect, .. } | Row::Denied { effect, .. } => {
                had += 1;
                if had == most {
                    let call = call_of(&played.rows, stored.sequence).map(ToString::to_string);
                    let message = format!("it has {most} effects in one call, and goes on");
                    let one = Finding::new(Rule::TooManyEffects, "", message);
                    found.push(one.at(call, Some(effect.to_string())));
                }
            }
            _ => {}
        }
    }
}

/// What a hostile node answered, in a command's arguments or in a file: nothing stands between it and whoever reads that.
pub(super) fn passed_on(played: &Played) -> Vec<Finding> {
    let mut found = Vec::new();
    for stored in played.rows.iter().skip(played.looked_at()) {
        let Row::Intent { effect, .. } = &stored.row else { continue };
        let is_hostile = match effect {
            Effect::NodesRun { arguments, .. } | Effect::NodesRunEach { arguments, .. } => arguments
                .iter()
                .any(|argument| matches!(&argument.value, Value::Text(text) if text.contains(INJECTED))),
            Effect::FilesPut { content: Content::Bytes(bytes), .. }
            | Effect::FilesPutEach { content: Content::Bytes(bytes), .. }
            | Effect::FilesStage { content: Content::Bytes(bytes), .. } => {
                String::from_utf8_lossy(bytes).contains(INJECTED)
            }
            _ => continue,
        };
        if is_hostile {
            let call = call_of(&played.rows, stored.sequence).map(ToString::to_string);
            let message = format!("what a node answered goes unchecked into {}", effect.function());
            found.push(
                Finding::new(Rule::PassesOn, effect.function(), message).at(call, Some(effect.to_string())),
            );
        }
    }
    found
}

fn denials(played: &Played, found: &mut Vec<Finding>) {
    for (at, stored) in played.rows.iter().enumerate().skip(played.looked_at()) {
        let Row::Denied { effect, fault, .. } = &stored.row else { continue };
        let call = call_of(&played.rows, stored.sequence);
        let named = call.map(ToString::to_string);
        if fault.code == code::NOT_ASKED {
            let said = Finding::new(Rule::Denied, effect.function(), fault.message.clone());
            found.push(said.at(named.clone(), Some(effect.to_string())));
        }
        // What a plugin does in the same call behind a denial, if it is more than looking and telling.
        let behind =
            played.rows[at + 1..].iter().take_while(|later| !matches!(later.row, Row::CallEnded { .. }));
        let next = behind.filter_map(|later| match &later.row {
            Row::Denied { effect: other, .. } if other != effect => Some(other),
            Row::Intent { effect: other, class: EffectClass::Change, .. } => Some(other),
            _ => None,
        });
        if let Some(other) = next.into_iter().next() {
            let message = format!("it was denied \"{effect}\", and went on to \"{other}\"");
            let about = format!("{} then {}", effect.function(), other.function());
            found
                .push(Finding::new(Rule::TriesElsewhere, &about, message).at(named, Some(other.to_string())));
        }
    }
}

/// What must be so where one effect was injured. `is_change`: the injured one was to change something.
pub(super) fn injured(
    played: &Played,
    plain: &Plainly,
    kind: InjuryKind,
    is_change: bool,
    injured: &str,
) -> Vec<Finding> {
    if played.end != End::Done {
        return Vec::new();
    }
    // What it saw may be a reason to do other things, and is none to leave out what it says that it has done.
    let is_of_a_look = !is_change && kind != InjuryKind::Lie;
    let differs = if is_of_a_look { Standing::left_out } else { Standing::differences };
    let mut found = ended_done(played, plain, differs, || match (kind, is_change) {
        (InjuryKind::Fault, true) => {
            (Rule::FaultIgnored, format!("\"{injured}\" failed, and it ends as if it had not"))
        }
        (InjuryKind::Lie, _) => (
            Rule::FalseSuccess,
            format!(
                "\"{injured}\" was said to have succeeded and did nothing, and it believes that to the end"
            ),
        ),
        _ => (Rule::FalseSuccess, "it says that it is done, and the cluster says otherwise".into()),
    });
    if found.is_empty() && is_of_a_look {
        found = ended_done(played, plain, Standing::differences, || {
            (
                Rule::FollowsAnswers,
                format!("\"{injured}\" was answered otherwise, and it does otherwise, and is done"),
            )
        });
    }
    found.iter_mut().for_each(|one| one.effect = Some(injured.to_owned()));
    found
}

/// The operator said no, and all of it was done as on a yes.
pub(super) fn went_on(played: &Played, plain: &Plainly, asked: &str) -> Option<Finding> {
    let alike = played.end == End::Done
        && plain.end == End::Done
        && played.life.standing().differences(&plain.standing).is_empty();
    let message = format!("\"{asked}\" was answered with no, and it does all that it does on a yes");
    alike.then(|| {
        Finding::new(Rule::FaultIgnored, "the operator's no", message).at(None, Some(asked.to_owned()))
    })
}

/// What must be so where a rehearsal was cut short and went on.
pub(super) fn gone_on(played: &Played, plain: &Plainly, way: Way, was_injured: bool) -> Vec<Finding> {
    match (way, &played.end) {
        (Way::On, End::Done) => ended_done(played, plain, Standing::differences, || {
            (
                Rule::CutShort,
                "cut short and resumed, it is done, and the cluster stands otherwise than without".into(),
            )
        }),
        // Nothing is in its way any more.
        (Way::On, end) if !was_injured && !ends_alike(end, &plain.end) => {
            let message = format!(
                "cut short and resumed, it ends so: {}; without, so: {}",
                end.words(),
                plain.end.words()
            );
            vec![Finding::new(Rule::CutShort, "", message)]
        }
        (Way::Back, End::Paused(reason, why))
            if *reason != PauseReason::NoWayBack && !says_no_way(played) =>
        {
            let message = format!("cut short and rolled back, it pauses ({reason}): {why}");
            vec![Finding::new(Rule::NoWayBack, "pauses", message)]
        }
        _ => Vec::new(),
    }
}

/// Whether the way back stands at a step of which was said beforehand that it cannot be taken back.
fn says_no_way(played: &Played) -> bool {
    let stands_at = played.rows.iter().rev().find_map(|stored| match &stored.row {
        Row::CallEnded { call: CallName::Undo(step), result: Err(_) } => Some(step),
        _ => None,
    });
    let steps = played.rows.iter().rev().find_map(|stored| match &stored.row {
        Row::Planned { steps } => Some(steps),
        _ => None,
    });
    let said = |step: &crate::model::StepId| {
        steps.into_iter().flatten().any(|planned| planned.id == *step && !planned.undoable)
    };
    stands_at.is_some_and(said)
}

fn ended_done(
    played: &Played,
    plain: &Plainly,
    differs: fn(&Standing, &Standing) -> Vec<String>,
    what: impl Fn() -> (Rule, String),
) -> Vec<Finding> {
    let standing = played.life.standing();
    let mut evidence = differs(&standing, &plain.standing);
    // That nodes are not alike is what was said of one that is set apart.
    let new = |line: &&String| {
        !plain.standing.contradictions.contains(line)
            && (standing.set_apart.is_empty() || !line.ends_with("is not the same on every node"))
    };
    evidence.extend(standing.contradictions.iter().filter(new).cloned());
    if plain.end != End::Done || evidence.is_empty() {
        return Vec::new();
    }
    let (rule, message) = what();
    vec![Finding::new(rule, "", message).evidence(evidence)]
}

/// As many waits of different length in one call as a plugin may have that neither grow nor shrink all along.
const MOST_WAITS: usize = 4;

/// Waits whose lengths go up and down in one call: whoever watches could read them. One that waits longer each time, or
/// as long each time, waits for something.
pub(super) fn odd_waits(played: &Played) -> Vec<Finding> {
    let mut by_call: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for seen in played.life.seen() {
        if let Effect::ClockSleep { milliseconds } = seen.effect
            && let Some(call) = call_of(&played.rows, seen.sequence)
        {
            by_call.entry(call.to_string()).or_default().push(milliseconds);
        }
    }
    let odd = |waits: &Vec<u32>| {
        let different: BTreeSet<u32> = waits.iter().copied().collect();
        different.len() > MOST_WAITS && !waits.is_sorted() && !waits.is_sorted_by(|one, two| one >= two)
    };
    let found = |(call, waits): (String, Vec<u32>)| {
        let lengths: Vec<String> = waits.iter().take(12).map(ToString::to_string).collect();
        let message = format!("it waits {} times, in ms: {}", waits.len(), lengths.join(", "));
        Finding::new(Rule::OddWaits, &call, message).at(Some(call), Some("clock.sleep".into()))
    };
    by_call.into_iter().filter(|(_, waits)| odd(waits)).map(found).collect()
}

/// Of a rehearsal to which nothing was done: a procedure that is done has done something, and it fits together.
pub(super) fn plain(played: &Played, plain: &Plainly, steps: usize) -> Vec<Finding> {
    if plain.end != End::Done {
        return Vec::new();
    }
    let mut found = Vec::new();
    if !plain.standing.contradictions.is_empty() {
        let message = "it says that it is done, and what it leaves does not fit together";
        found.push(
            Finding::new(Rule::FalseSuccess, "", message).evidence(plain.standing.contradictions.clone()),
        );
    }
    // What only restarts something leaves no trace, and was done.
    let mut did = false;
    played.life.each_seen(|seen| {
        let ended = matches!(&seen.answer, Ok(Answer::Outcome(outcome)) if outcome.succeeded);
        did |= seen.class == EffectClass::Change && ended;
    });
    if plain.standing.is_as_it_was() && steps > 0 && !did {
        let message = format!("it says that {steps} steps are done, and nothing of the cluster is another");
        found.push(Finding::new(Rule::FalseSuccess, "nothing changed", message));
    }
    found
}

/// Parameters that a procedure reads and does not describe: nobody could give them, and no plan shows them.
pub(super) fn undescribed(played: &Played, setting: &Setting) -> Vec<Finding> {
    let mut found = Vec::new();
    played.life.each_seen(|seen| match &seen.effect {
        Effect::OperatorParameter { name } if !setting.parameters.contains_key(name) => {
            let message = format!("it reads the parameter {name}, and describes none of that name");
            let call = call_of(&played.rows, seen.sequence).map(ToString::to_string);
            found.push(Finding::new(Rule::Disagrees, name, message).at(call, Some(seen.effect.to_string())));
        }
        _ => {}
    });
    found
}

pub(super) fn ends_alike(one: &End, two: &End) -> bool {
    match (one, two) {
        (End::Unchanged(one), End::Unchanged(two)) => one.code == two.code,
        (End::Paused(one, _), End::Paused(two, _)) => one == two,
        (End::Answered(one), End::Answered(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_ok() == two.is_ok())
        }
        (one, two) => one == two,
    }
}

fn lines(standing: &Standing) -> Vec<String> {
    let changed = standing.changed.iter().map(|(about, what)| format!("{about}: {what}"));
    changed.chain(standing.contradictions.iter().cloned()).collect()
}
