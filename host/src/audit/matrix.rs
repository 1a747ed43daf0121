//! All rehearsals of an audit: the plain one of each scenario, and what becomes of it where one thing is otherwise.
//!
//! They are short and many, and each is by itself: threads take them from a list, and what is found does not depend on
//! which thread took which.

use super::courses::{Courses, of_their_own};
use super::injury::{InjuryKind, Read, injuries};
use super::judge::{self, call_of};
use super::leak::Leaks;
use super::made::{Line, first_difference, lines};
use super::stage::{End, Played, Setting, Stage, Way};
use super::vary::{Secrets, Variation};
use super::{How, Plainly};
use crate::backend::rehearsal::{Interference, Meddling, Seen};
use crate::journal::{Row, StoredRow};
use crate::model::audit::{Finding, RehearsalName, RehearsedScenario, Rule, SeenEffect};
use crate::model::{Answer, EffectClass, Fault, code};
use crate::plugin::Kind;
use crate::policy::{Claim, Collecting, Names, Requirement};
use indexmap::IndexSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the rehearsals of one scenario came to.
pub(super) struct Rehearsed {
    pub scenario: RehearsedScenario,
    pub found: Vec<(RehearsalName, Finding)>,
    pub envelope: Collecting,
    /// What was taken of the grants in any of them.
    pub took: IndexSet<Claim>,
    pub count: u32,
    pub plainly: Plainly,
    /// The numbers of those that took a course of their own.
    pub courses: Vec<u32>,
    pub alone: Vec<String>,
}

/// One rehearsal that is to be done.
enum Case {
    Varied(Variation),
    Injured { at: u32, kind: InjuryKind, label: String, what: Meddling, is_change: bool, effect: String },
    Dies { at: u32, what: Meddling, label: String },
}

impl Case {
    fn kind(&self) -> &'static str {
        match self {
            Self::Varied(variation) => variation.word(),
            Self::Injured { kind, .. } => kind.word(),
            Self::Dies { .. } => "crash, resume and rollback",
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Varied(variation) => variation.label(),
            Self::Injured { at, label, effect, .. } => format!("#{at} {effect}: {label}"),
            Self::Dies { label, .. } => label.clone(),
        }
    }
}

/// What is known of the plain rehearsal, for those that are held against it.
struct Known {
    plain: Plainly,
    made: Vec<Line>,
    seen: Vec<Seen>,
    leaks: Leaks,
    /// The first row in which a node showed a secret.
    shown: Option<usize>,
    entries: BTreeSet<String>,
}

/// What one case came to.
#[derive(Default)]
struct CaseResult {
    found: Vec<Finding>,
    envelope: Collecting,
    took: IndexSet<Claim>,
    courses: Courses,
    runs: u32,
    /// It is repeated alone, and told.
    is_told: bool,
    transcript: Vec<String>,
}

/// What is told while it goes on: how many of how many.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// Rehearses one scenario.
///
/// # Errors
/// The scenario's cluster cannot be set up.
pub(super) fn rehearse(name: &str, setting: &Setting, how: &How<'_>) -> Result<Rehearsed, Fault> {
    let mut stage = Stage::set(setting.clone())?;
    let played = block(stage.play_plain())?;
    let leaks = Leaks::of(&setting.scenario.cluster)?;
    let start = setting.scenario.cluster.start;
    let transcript = Stage::transcript(&played);
    let seen = played.life.seen();
    let mut first = CaseResult { runs: 1, ..CaseResult::default() };
    first.note(&played, setting);
    let known = Known {
        plain: Plainly::of(&played),
        made: lines(&played),
        shown: leaks.first_shown(&played.rows, 0),
        leaks,
        entries: first.envelope.clone().finish().0.into_values().flatten().collect(),
        seen,
    };
    let steps = planned(&played);
    first.found = judge::always(&played, &known.leaks);
    first.found.extend(judge::plain(&played, &known.plain, steps));
    first.found.extend(judge::odd_waits(&played));
    if setting.plugin.manifest().kind == Kind::Procedure {
        first.found.extend(judge::undescribed(&played, setting));
    }
    if how.only.is_none() {
        first.runs += 1;
        first.found.extend(again(setting, &transcript, &known)?);
    }
    // One that does not come to its end would not come to it a thousand times.
    let endless = first.found.iter().any(|found| found.rule == Rule::TooManyEffects);
    let broken = !played.broke.is_empty() || endless;
    let mut cases: Vec<(u32, Case)> = match broken {
        true => Vec::new(),
        false => (1..).zip(cases(&played, &known)).collect(),
    };
    if let Some(only) = how.only {
        cases.retain(|(number, _)| only.contains(number));
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    counts.insert("plain".into(), first.runs);

    let done: Mutex<Vec<(usize, Result<CaseResult, Fault>)>> = Mutex::default();
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..how.threads.max(1).min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some((_, case)) = cases.get(at) else { break };
                    let result = block(one(&stage, case, &known, how.only.is_some()));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                    (how.progress)(name, finished.fetch_add(1, Ordering::SeqCst) + 1, cases.len());
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);

    let named = |seed: u32, case: String| RehearsalName { scenario: name.to_owned(), seed, case };
    let mut found: Vec<_> = first.found.into_iter().map(|found| (named(0, "plain".into()), found)).collect();
    let (mut alone, mut courses) = (Vec::new(), Vec::new());
    let (mut envelope, mut took, mut count) = (first.envelope, first.took, first.runs);
    for (at, result) in done {
        let result = result?;
        let Some((number, case)) = cases.get(at) else { continue };
        if how.only.is_some() {
            alone.push(format!("{name} {number}: {}", case.label()));
            alone.extend(result.transcript);
        }
        *counts.entry(case.kind().to_owned()).or_default() += result.runs;
        count += result.runs;
        found.extend(result.found.into_iter().map(|found| (named(*number, case.label()), found)));
        envelope.merge(result.envelope);
        took.extend(result.took);
        courses.push((*number, result.courses));
    }
    let courses = of_their_own(first.courses, &courses);
    let effects = timeline(&played, start);
    let scenario = RehearsedScenario {
        name: name.to_owned(),
        ended: played.end.words(),
        transcript,
        effects,
        cases: counts,
    };
    if how.only == Some(&[0][..]) {
        alone.clone_from(&scenario.transcript);
    }
    Ok(Rehearsed { scenario, found, envelope, took, count, plainly: known.plain, courses, alone })
}

/// The same once more, on a cluster of its own.
fn again(setting: &Setting, transcript: &[String], known: &Known) -> Result<Option<Finding>, Fault> {
    let played = block(Stage::set(setting.clone())?.play(None))?;
    let told = |lines: &[String]| lines.iter().map(|line| Line::told(line)).collect::<Vec<_>>();
    let difference = first_difference(&told(transcript), &told(&Stage::transcript(&played)))
        .or_else(|| first_difference(&known.made, &lines(&played)));
    let message = "played twice, it has two transcripts";
    Ok(difference.map(|lines| Finding::new(Rule::NotDeterministic, "", message).evidence(lines)))
}

/// Everything that is done to a rehearsal.
fn cases(played: &Played, known: &Known) -> Vec<Case> {
    let mut all: Vec<Case> = Variation::all().into_iter().map(Case::Varied).collect();
    let (mut looked_since, mut read) = (true, Read::new());
    for (at, seen) in (0..).zip(&known.seen) {
        let effect = seen.effect.to_string();
        let is_change = seen.class == EffectClass::Change;
        for injury in injuries(seen, &mut read) {
            all.push(Case::Injured {
                at,
                kind: injury.kind,
                label: injury.label,
                what: injury.what,
                is_change,
                effect: effect.clone(),
            });
        }
        // Outcomes of looks are on disk with the next change: a crash at one of them is a crash at the first of them.
        let stands_out = seen.class != EffectClass::Observe;
        if stands_out || looked_since {
            let call = call_of(&played.rows, seen.sequence).map(ToString::to_string).unwrap_or_default();
            let dies = |when: &str| format!("#{at} the controller dies {when} \"{effect}\" in {call}");
            all.push(Case::Dies { at, what: Meddling::DiesBefore, label: dies("before") });
            if stands_out {
                all.push(Case::Dies { at, what: Meddling::DiesAfter, label: dies("behind") });
            }
        }
        looked_since = stands_out;
    }
    all
}

async fn one(stage: &Stage, case: &Case, known: &Known, is_told: bool) -> Result<CaseResult, Fault> {
    let mut result = CaseResult { is_told, ..CaseResult::default() };
    let setting = stage.setting();
    let Lives { first: played, then } = match case {
        Case::Varied(variation) => {
            let Some(other) = variation.of(setting) else { return Ok(result) };
            let stage = Stage::set(other)?;
            let played = stage.play(None).await?;
            result.take(&played, stage.setting(), known);
            varied(variation, &played, stage.setting(), setting, known, &mut result.found);
            return Ok(result);
        }
        case => Lives::of(stage, case, known).await?,
    };
    result.take(&played, setting, known);
    let was_injured = match case {
        Case::Injured { kind, what, is_change, effect, .. } => {
            result.found.extend(judge::injured(&played, &known.plain, *kind, *is_change, effect));
            if *what == Meddling::Answers(Ok(Answer::Yes(false))) {
                result.found.extend(judge::went_on(&played, &known.plain, effect));
            }
            if *kind == InjuryKind::Hostile {
                result.found.extend(judge::passed_on(&played));
            }
            true
        }
        _ => {
            if played.end != End::Died {
                let message = "played again, it did not come to an effect that it came to before";
                result.found.push(Finding::new(Rule::NotDeterministic, "", message));
            }
            false
        }
    };
    for (way, on) in &then {
        result.take(on, setting, known);
        result.found.extend(judge::gone_on(on, &known.plain, *way, was_injured));
    }
    // Where no node shows a secret, nothing that is done can tell of one.
    let lives = || std::iter::once(&played).chain(then.iter().map(|(_, on)| on));
    let was_shown = |life: &Played| {
        known.shown.is_some_and(|at| at < life.plain)
            || known.leaks.first_shown(&life.rows, life.looked_at()).is_some()
    };
    if lives().any(was_shown) {
        let variation = Variation::Secrets(Secrets::Longer);
        let Some(other) = variation.of(setting) else { return Ok(result) };
        let there = Lives::of(&Stage::set(other.clone())?, case, known).await?;
        let there = std::iter::once(&there.first).chain(there.then.iter().map(|(_, on)| on));
        for (here, there) in lives().zip(there) {
            result.runs += 1;
            let difference = variation.difference(&lines(here), &lines(there), &other, setting);
            result.found.extend(difference.map(|lines| otherwise(&variation, lines)));
        }
    }
    Ok(result)
}

/// A rehearsal in which something happens, and how it went on from where that ended, each way that there is.
struct Lives {
    first: Played,
    then: Vec<(Way, Played)>,
}

impl Lives {
    async fn of(stage: &Stage, case: &Case, known: &Known) -> Result<Self, Fault> {
        let first = match case {
            Case::Injured { at, what, .. } | Case::Dies { at, what, .. } => {
                stage.injure(Interference { at: *at, what: what.clone() }).await?
            }
            Case::Varied(_) => stage.play(None).await?,
        };
        let ways: &[Way] = match (case, &first.end, &known.plain.end) {
            (Case::Injured { is_change: true, .. }, End::Paused(..), _) => &[Way::On, Way::Back],
            (Case::Dies { .. }, End::Died, End::Answered(_)) => &[Way::On],
            (Case::Dies { .. }, End::Died, _) => &[Way::On, Way::Back],
            _ => &[],
        };
        let mut then = Vec::new();
        for way in ways {
            then.push((*way, stage.go_on(&first, *way, None).await?));
        }
        Ok(Self { first, then })
    }
}

/// Holds a rehearsal in another world against the plain one.
fn varied(
    variation: &Variation,
    played: &Played,
    setting: &Setting,
    plain: &Setting,
    known: &Known,
    found: &mut Vec<Finding>,
) {
    if *variation == Variation::Size {
        let mut here = Collecting::default();
        note(&mut here, &mut IndexSet::new(), played, setting);
        let anywhere = |entry: &String| match (entry.find(" on "), entry.find(", ")) {
            (Some(at), Some(behind)) if behind > at => format!("{}{}", &entry[..at], &entry[behind..]),
            (Some(at), _) => entry[..at].to_owned(),
            (None, _) => entry.clone(),
        };
        // The same on more nodes is what more nodes are for.
        let entries: BTreeSet<String> = here.finish().0.values().flatten().map(anywhere).collect();
        let before: BTreeSet<String> = known.entries.iter().map(anywhere).collect();
        let lines: Vec<String> = entries.symmetric_difference(&before).cloned().collect();
        if !lines.is_empty() {
            let effect = lines.first().cloned();
            found.push(otherwise(variation, lines).at(None, effect));
        }
        return;
    }
    let Some(lines) = variation.difference(&known.made, &lines(played), setting, plain) else { return };
    if matches!(variation, Variation::Clock(..)) && only_vetoes(played, known, setting) {
        let message =
            format!("it reads the clock, and at another time ({}) its answer is another", variation.label());
        found.push(Finding::new(Rule::VetoesByClock, "", message).evidence(lines));
        return;
    }
    found.push(otherwise(variation, lines));
}

/// The finding that a plugin does otherwise in another world.
fn otherwise(variation: &Variation, lines: Vec<String>) -> Finding {
    let (rule, about, message) = match variation {
        Variation::Clock(..) => {
            (Rule::DependsOnClock, "", format!("at another time ({}) it does otherwise", variation.label()))
        }
        Variation::Names => {
            (Rule::DependsOnNames, "", "where nodes have other names it does otherwise".into())
        }
        Variation::Size => {
            (Rule::DependsOnSize, "", "with three nodes more it takes other things of its grants".into())
        }
        Variation::Run => {
            (Rule::DependsOnRun, "", "in a run or a site of another name it does otherwise".into())
        }
        Variation::Secrets(_) => {
            let message = "where secrets are other ones it does otherwise: what it does tells of them";
            (Rule::Leak, "what it does", message.into())
        }
    };
    Finding::new(rule, about, message).at(None, done_otherwise(&lines)).evidence(lines)
}

/// The line of a difference that says what is done otherwise: rather an effect than an answer, rather of the other world.
fn done_otherwise(lines: &[String]) -> Option<String> {
    let first = |sign: &str| lines.iter().find_map(|line| Some(line.strip_prefix(sign)?.trim_start()));
    let both = [first("+ "), first("- ")];
    let effect = both.into_iter().flatten().find(|line| !line.starts_with("= "));
    let line = effect.or(both.into_iter().flatten().next())?;
    Some(line.trim_start_matches(['*', '!', '=', ' ']).to_owned())
}

/// Whether a plugin that says that it reads the clock does nothing else by it than stop.
fn only_vetoes(played: &Played, known: &Known, setting: &Setting) -> bool {
    let declared = setting.needs.allow(&Requirement::General("clock"), &[]);
    let stops = |end: &End| match end {
        End::Unchanged(_) => true,
        End::Answered(answers) => {
            answers.iter().any(|answer| matches!(answer, Err(fault) if fault.code == code::VETO))
        }
        _ => false,
    };
    let changes = |seen: &[Seen]| -> Vec<String> {
        let changes = seen.iter().filter(|seen| seen.class == EffectClass::Change);
        changes.map(|seen| seen.effect.to_string()).collect()
    };
    let (here, there) = (changes(&played.life.seen()), changes(&known.seen));
    let part = |one: &[String], all: &[String]| all.len() >= one.len() && all[..one.len()] == *one;
    declared
        && ((stops(&played.end) && part(&here, &there)) || (stops(&known.plain.end) && part(&there, &here)))
}

impl CaseResult {
    /// Takes in what was seen, and what must not be in any rehearsal.
    fn take(&mut self, played: &Played, setting: &Setting, known: &Known) {
        self.runs += 1;
        if self.is_told {
            self.transcript.extend(Stage::transcript(played));
            self.transcript.push(format!("it ended: {}", played.end.words()));
        }
        self.found.extend(judge::always(played, &known.leaks));
        self.note(played, setting);
    }

    fn note(&mut self, played: &Played, setting: &Setting) {
        note(&mut self.envelope, &mut self.took, played, setting);
        self.courses.take(&played.rows, played.looked_at());
    }
}

fn note(envelope: &mut Collecting, took: &mut IndexSet<Claim>, played: &Played, setting: &Setting) {
    let nodes: Vec<_> = setting.scenario.site.nodes.keys().cloned().collect();
    let parameters: Vec<_> =
        setting.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let names = Names { nodes: &nodes, parameters: &parameters, facts: &*played.life };
    let calls = Calls::of(&played.rows);
    played.life.each_seen(|seen| {
        let Some(call) = calls.at(seen.sequence) else { return };
        for claim in &seen.took {
            envelope.add(call, claim, &names);
            if !took.contains(claim) {
                took.insert(claim.clone());
            }
        }
    });
}

/// The calls of a rehearsal as envelopes name them, by where they began.
struct Calls(Vec<(i64, String)>);

impl Calls {
    fn of(rows: &[StoredRow]) -> Self {
        let began = |stored: &StoredRow| match &stored.row {
            Row::CallBegan { call } => Some((stored.sequence, call.in_envelope())),
            _ => None,
        };
        Self(rows.iter().filter_map(began).collect())
    }

    fn at(&self, sequence: i64) -> Option<&str> {
        let began = self.0.partition_point(|(began, _)| *began <= sequence);
        began.checked_sub(1).and_then(|at| self.0.get(at)).map(|(_, call)| call.as_str())
    }
}

fn planned(played: &Played) -> usize {
    let steps = played.rows.iter().filter_map(|stored| match &stored.row {
        Row::Planned { steps } => Some(steps.len()),
        _ => None,
    });
    steps.sum()
}

fn timeline(played: &Played, start: i64) -> Vec<SeenEffect> {
    let one = |seen: Seen| SeenEffect {
        call: call_of(&played.rows, seen.sequence).map(ToString::to_string).unwrap_or_default(),
        effect: played.life.shown(&seen.effect.to_string()),
        is_change: seen.class == EffectClass::Change,
        nodes: seen.effect.nodes().into_iter().map(ToString::to_string).collect(),
        at: seen.at - start,
        fault: seen.answer.err().map(|fault| fault.code).unwrap_or_default(),
    };
    played.life.seen().into_iter().map(one).collect()
}

/// Drives what never waits for anything but itself.
fn block<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Fault::new(code::FAILED, format!("a rehearsal cannot be begun: {error}"))),
    }
}
