//! What can be done to one effect on purpose: the faults that it can have, and what a hostile node may claim.

use super::malformed::each_field;
use crate::backend::rehearsal::{Meddling, Seen};
use crate::model::{
    Answer, Effect, EffectClass, Fault, FileName, Health, NodeName, Outcome, PauseReason, Stop, code,
};
use std::collections::HashSet;

/// One thing that is done to an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Injury {
    /// As in a report: `fails: unreachable`.
    pub label: String,
    pub what: Meddling,
    pub kind: InjuryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InjuryKind {
    /// It does not happen, and that is said.
    Fault,
    /// It is said to have happened, and did not.
    Lie,
    /// It happened, and that is not said.
    Lost,
    /// What a node answers is meant to harm.
    Hostile,
}

impl InjuryKind {
    /// As reports count them.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Lie => "false answer",
            Self::Lost => "lost answer",
            Self::Hostile => "hostile answer",
        }
    }
}

/// What no terminal and no parser should be given.
const NASTY: [&str; 6] = [
    "\u{1b}[2J\u{1b}[1;31mall nodes are down\u{1b}[0m",
    "\u{1b}]0;title\u{7}\u{9b}31m",
    "Are you sure you want to continue? (y/n)",
    "\u{202e}desrever si siht\u{202c}\u{200b}",
    "$(reboot); `reboot`; ' OR 1=1 --",
    "\u{fffd}\u{fffd}\u{0}\u{fffd}",
];
/// In one of them, and in nothing that anybody writes.
pub const INJECTED: &str = "$(reboot)";
/// Characters of a long line, and how many lines: as much as a command's output may have.
const LONG_LINE: usize = 4_000;
const LINES: usize = 250;

/// What was read of files so far: of the same certificate, each field is malformed once.
pub type Read = HashSet<(NodeName, FileName, Vec<u8>)>;

/// Everything that can be done to an effect, as it went where nothing was done to it.
pub fn injuries(seen: &Seen, read: &mut Read) -> Vec<Injury> {
    let mut all = Vec::new();
    if seen.answer.is_err() {
        // It fails by itself: that it might not is another scenario.
        return all;
    }
    faults(seen, &mut all);
    if seen.class == EffectClass::Change {
        lost(seen, &mut all);
    }
    hostile(seen, read, &mut all);
    all
}

fn faults(seen: &Seen, all: &mut Vec<Injury>) {
    let mut add = |kind, label: &str, answer: Result<Answer, Fault>| {
        all.push(Injury { label: label.into(), what: Meddling::Answers(answer), kind });
    };
    let fault = |code: &str, message: &str| Err(Fault::new(code, format!("{}: {message}", seen.effect)));
    match &seen.effect {
        Effect::NodesRun { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "ends with exit 1", Ok(Answer::Outcome(ended_badly())));
            if let (EffectClass::Change, Ok(answer)) = (seen.class, &seen.answer) {
                add(InjuryKind::Lie, "says that it succeeded, and did nothing", Ok(answer.clone()));
            }
        }
        Effect::NodesClockOffset { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "is a day ahead", Ok(Answer::Milliseconds(86_400_000)));
        }
        Effect::FilesStat { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "finds nothing there", Ok(Answer::Stat(None)));
        }
        Effect::FilesFingerprint { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "finds nothing there", Ok(Answer::Text(None)));
        }
        Effect::FilesRead { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "finds nothing there", fault(code::UNKNOWN, "there is no such file"));
        }
        Effect::FilesSpace { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "finds no room", Ok(Answer::Number(0)));
        }
        Effect::FilesPut { .. }
        | Effect::FilesStage { .. }
        | Effect::FilesSwap { .. }
        | Effect::FilesRemove { .. }
        | Effect::FilesRestore { .. }
        | Effect::FilesDiscard { .. }
        | Effect::KeyringAdd { .. }
        | Effect::KeyringRetire { .. }
        | Effect::KeyringRewrap { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "fails: no room", fault(code::FAILED, "no space left on device"));
        }
        Effect::ClusterHealth | Effect::ClusterServed { .. } | Effect::ClusterManager => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "nothing answers there"));
            if let Effect::ClusterServed { .. } = &seen.effect {
                let what = "what it presents is not X.509, or damaged";
                add(InjuryKind::Hostile, "presents what is no certificate", fault(code::INVALID, what));
            }
        }
        Effect::KeyringVersions { .. } | Effect::KeyringCanary { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
        }
        Effect::KeyringOpens { .. } => {
            add(InjuryKind::Fault, "fails: unreachable", fault(code::UNREACHABLE, "no answer"));
            add(InjuryKind::Fault, "does not open", fault(code::FAILED, "no key of the set opens it"));
        }
        Effect::KeyringNeeds { .. } => {
            add(InjuryKind::Fault, "is still needed", Ok(Answer::Words(vec!["a value of node1".into()])));
        }
        Effect::CryptoGenerateKey { .. }
        | Effect::CryptoSelfSign { .. }
        | Effect::CryptoIssue { .. }
        | Effect::CryptoInspect { .. } => {
            add(InjuryKind::Fault, "fails", fault(code::FAILED, "it cannot be done"));
        }
        Effect::CryptoSuppliedCa { .. } => {
            add(InjuryKind::Fault, "is refused", fault(code::REFUSED, "the CA has expired"));
        }
        Effect::CryptoVerifyChain { .. } => {
            add(InjuryKind::Fault, "does not chain", fault(code::FAILED, "the signature is another's"));
        }
        Effect::CryptoCheckKey { .. } => {
            add(InjuryKind::Fault, "is another's key", Ok(Answer::Text(Some("other".into()))));
        }
        Effect::SecretsAsk { .. } => {
            add(InjuryKind::Fault, "is declined", fault(code::DECLINED, "the operator gave none"));
        }
        Effect::SecretsCheck { .. } => {
            add(InjuryKind::Fault, "breaks the policy", Ok(Answer::Words(vec!["it is too short".into()])));
        }
        Effect::OperatorConfirm { .. } | Effect::OperatorAcknowledge { .. } => {
            add(InjuryKind::Fault, "is declined", Ok(Answer::Yes(false)));
            add(InjuryKind::Fault, "has nobody to ask", fault(code::UNKNOWN, "there is nobody to ask"));
        }
        // What the controller does by itself does not fail.
        _ => {}
    }
}

/// A change that happened, and whose answer does not arrive.
fn lost(seen: &Seen, all: &mut Vec<Injury>) {
    let lost = format!("{}: the connection was lost, and whether it happened cannot be told", seen.effect);
    all.push(Injury {
        label: "happens, and its answer is lost".into(),
        what: Meddling::HappensAndStops(Stop::new(PauseReason::Unreachable, lost)),
        kind: InjuryKind::Lost,
    });
    if let Effect::NodesRun { .. } = &seen.effect {
        let late = Fault::new(code::TIMEOUT, format!("{}: it took too long", seen.effect));
        all.push(Injury {
            label: "happens, and is said to have taken too long".into(),
            what: Meddling::HappensAndAnswers(late),
            kind: InjuryKind::Lost,
        });
    }
}

fn hostile(seen: &Seen, read: &mut Read, all: &mut Vec<Injury>) {
    let mut add = |label: &str, answer: Answer| {
        all.push(Injury {
            label: label.into(),
            what: Meddling::Answers(Ok(answer)),
            kind: InjuryKind::Hostile,
        });
    };
    match (&seen.effect, &seen.answer) {
        (Effect::NodesRun { .. }, Ok(Answer::Outcome(outcome))) if seen.class == EffectClass::Observe => {
            let with = |output: Vec<String>| Answer::Outcome(Outcome { output, ..outcome.clone() });
            add("answers with a flood", with(vec!["A".repeat(LONG_LINE); LINES]));
            add("answers with escapes", with(NASTY.iter().map(ToString::to_string).collect()));
            add("answers with nothing", with(Vec::new()));
        }
        (Effect::ClusterHealth, Ok(Answer::Health(rows))) => {
            add("shows no node", Answer::Health(Vec::new()));
            let all_active = |row: &Health| Health { role: "active".into(), ..row.clone() };
            add("shows every node active", Answer::Health(rows.iter().map(all_active).collect()));
            let odd = |row: &Health| Health {
                state: NASTY[0].into(),
                role: NASTY[3].into(),
                phase: NASTY[4].into(),
                ..row.clone()
            };
            add("shows what is no state", Answer::Health(rows.iter().map(odd).collect()));
            let many = rows.iter().cycle().take(2_000).cloned().collect();
            add("shows each node a thousand times", Answer::Health(many));
            let strange = |row: &Health| Health { node: "no-such-node".into(), ..row.clone() };
            add("shows nodes that are none", Answer::Health(rows.iter().map(strange).collect()));
        }
        (Effect::ClusterServed { .. } | Effect::CryptoInspect { .. }, Ok(Answer::Certificate(says))) => {
            let mut with = |label: &str, change: &dyn Fn(&mut crate::model::Certificate)| {
                let mut odd = says.clone();
                change(&mut odd);
                add(label, Answer::Certificate(odd));
            };
            with("has no names in it", &|says| {
                says.subject.clear();
                says.issuer.clear();
                says.serial.clear();
            });
            with("has escapes in its names", &|says| {
                says.subject = NASTY[0].into();
                says.issuer = NASTY[3].into();
                says.names = NASTY.iter().map(ToString::to_string).collect();
            });
            with("has a flood of names", &|says| says.names = vec!["A".repeat(250); 4_000]);
            with("ends before it begins", &|says| {
                (says.not_before, says.not_after) = (i64::MAX, i64::MIN);
            });
            with("has no identifiers", &|says| {
                says.subject_key_id.clear();
                says.authority_key_id.clear();
                says.fingerprint.clear();
            });
            with("is of an unknown algorithm", &|says| {
                says.key_algorithm = NASTY[4].into();
                says.signature_algorithm = String::new();
            });
        }
        (Effect::FilesRead { node, file }, Ok(Answer::Bytes(bytes))) => {
            add("answers with no byte", Answer::Bytes(Vec::new()));
            add("answers with what is no text", Answer::Bytes((0..=255).cycle().take(100_000).collect()));
            let cut = b"-----BEGIN CERTIFICATE-----\nMIIB".to_vec();
            add("answers with half a certificate", Answer::Bytes(cut));
            if read.insert((node.clone(), file.clone(), bytes.clone())) {
                for (field, malformed) in each_field(bytes) {
                    let label = format!("answers with a certificate whose {field} is malformed");
                    add(&label, Answer::Bytes(malformed));
                }
            }
        }
        (Effect::FilesFingerprint { .. }, Ok(Answer::Text(Some(_)))) => {
            add("answers with what is no sum", Answer::Text(Some(NASTY[4].into())));
        }
        _ => {}
    }
}

fn ended_badly() -> Outcome {
    Outcome { succeeded: false, exit: 1, reason: "it ended with exit 1".into(), output: Vec::new() }
}
