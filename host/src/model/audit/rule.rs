//! What an audit can find, in the words of reports.

use super::Level;
use serde::{Deserialize, Serialize};

/// What an audit can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A byte of a secret, or of a common encoding of one, in something that a plugin makes.
    Leak,
    /// A file that holds a secret can be read by others.
    Readable,
    /// Both nodes of the pair are down at once.
    BothDown,
    /// The old root or key went before the new one was proven.
    OldRemoved,
    /// The only copy of something is gone.
    OnlyCopyLost,
    /// It says that it is done, and the cluster says otherwise.
    FalseSuccess,
    /// An effect failed, and it went on as if it had not.
    FaultIgnored,
    /// A rollback does not bring back what was.
    NoWayBack,
    /// After a crash it does not go on as it began.
    Diverges,
    /// A resumed run does not end as one that was not cut short.
    CutShort,
    /// The same rehearsal has two transcripts.
    NotDeterministic,
    /// What it does depends on the time.
    DependsOnClock,
    /// Its veto, and nothing else, depends on the time.
    VetoesByClock,
    /// What it does depends on what nodes are called.
    DependsOnNames,
    /// What it does depends on how many nodes there are.
    DependsOnSize,
    /// What it does depends on which run it is.
    DependsOnRun,
    /// It asks for what it does not say that it needs.
    Denied,
    /// It was denied something and tried another way.
    TriesElsewhere,
    /// It traps, or answers with what the contract does not allow.
    BreaksOff,
    /// It does not end by itself.
    NoEnd,
    /// It takes more memory than a plugin may.
    TooMuchMemory,
    /// It has more effects than a call may.
    TooManyEffects,
    /// It makes or prints more than anybody could read.
    Floods,
    /// What a node answers goes where the operator or a command reads it.
    PassesOn,
    /// It needs what it never used.
    NeedUnused,
    /// It imports what it does not need.
    ImportNotAsked,
    /// It needs what it does not import.
    NeedNotImported,
    /// The site grants what it does not need.
    GrantNotNeeded,
    /// The manifest and what it says of itself disagree.
    Disagrees,
    /// It does other than the procedure that it replaces.
    DoesNotConform,
    /// Code that can cause an effect was never run.
    NotExercised,
    /// It waits in a measure that could carry a message.
    OddWaits,
    /// What was answered on a look made it do otherwise.
    FollowsAnswers,
}

impl Rule {
    pub const ALL: [Rule; 33] = [
        Self::Leak,
        Self::Readable,
        Self::BothDown,
        Self::OldRemoved,
        Self::OnlyCopyLost,
        Self::FalseSuccess,
        Self::FaultIgnored,
        Self::NoWayBack,
        Self::Diverges,
        Self::CutShort,
        Self::NotDeterministic,
        Self::DependsOnClock,
        Self::VetoesByClock,
        Self::DependsOnNames,
        Self::DependsOnSize,
        Self::DependsOnRun,
        Self::Denied,
        Self::TriesElsewhere,
        Self::BreaksOff,
        Self::NoEnd,
        Self::TooMuchMemory,
        Self::TooManyEffects,
        Self::Floods,
        Self::PassesOn,
        Self::NeedUnused,
        Self::ImportNotAsked,
        Self::NeedNotImported,
        Self::GrantNotNeeded,
        Self::Disagrees,
        Self::DoesNotConform,
        Self::NotExercised,
        Self::OddWaits,
        Self::FollowsAnswers,
    ];

    /// Its name in JSON and SARIF.
    pub fn code(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Readable => "readable",
            Self::BothDown => "both-down",
            Self::OldRemoved => "old-removed",
            Self::OnlyCopyLost => "only-copy-lost",
            Self::FalseSuccess => "false-success",
            Self::FaultIgnored => "fault-ignored",
            Self::NoWayBack => "no-way-back",
            Self::Diverges => "diverges",
            Self::CutShort => "cut-short",
            Self::NotDeterministic => "not-deterministic",
            Self::DependsOnClock => "depends-on-clock",
            Self::VetoesByClock => "vetoes-by-clock",
            Self::DependsOnNames => "depends-on-names",
            Self::DependsOnSize => "depends-on-size",
            Self::DependsOnRun => "depends-on-run",
            Self::Denied => "denied",
            Self::TriesElsewhere => "tries-elsewhere",
            Self::BreaksOff => "breaks-off",
            Self::NoEnd => "no-end",
            Self::TooMuchMemory => "too-much-memory",
            Self::TooManyEffects => "too-many-effects",
            Self::Floods => "floods",
            Self::PassesOn => "passes-on",
            Self::NeedUnused => "need-unused",
            Self::ImportNotAsked => "import-not-asked",
            Self::NeedNotImported => "need-not-imported",
            Self::GrantNotNeeded => "grant-not-needed",
            Self::Disagrees => "disagrees",
            Self::DoesNotConform => "does-not-conform",
            Self::NotExercised => "not-exercised",
            Self::OddWaits => "odd-waits",
            Self::FollowsAnswers => "follows-answers",
        }
    }

    /// What is wrong about it, in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Leak => "a secret, whole or encoded, is in something that the plugin makes",
            Self::Readable => "a file that holds a secret can be read by others",
            Self::BothDown => "both nodes of the pair are down at once",
            Self::OldRemoved => "the old root or key goes before the new one is proven",
            Self::OnlyCopyLost => "the only copy of something is gone",
            Self::FalseSuccess => "it says that it is done, and the cluster says otherwise",
            Self::FaultIgnored => "a change failed, and it ends as if it had not",
            Self::NoWayBack => "a rollback does not bring back what was",
            Self::Diverges => "after a crash it does not do again what it did",
            Self::CutShort => "a run that was cut short and resumed does not end as one that was not",
            Self::NotDeterministic => "the same rehearsal has two transcripts",
            Self::DependsOnClock => "what it does depends on the time",
            Self::VetoesByClock => "it reads the clock, and its veto depends on the time",
            Self::DependsOnNames => "what it does depends on what nodes are called",
            Self::DependsOnSize => "what it does depends on how many nodes there are",
            Self::DependsOnRun => "what it does depends on which run it is",
            Self::Denied => "it asks for what its manifest does not say that it needs",
            Self::TriesElsewhere => "it was denied something and tried another way",
            Self::BreaksOff => "it traps, or answers with what the contract does not allow",
            Self::NoEnd => "it does not end by itself",
            Self::TooMuchMemory => "it takes more memory than a plugin may",
            Self::TooManyEffects => "it has more effects than a call may",
            Self::Floods => "it makes more text than anybody could read",
            Self::PassesOn => "it hands on what a node answered, unchecked",
            Self::NeedUnused => "it asks for what no rehearsal used",
            Self::ImportNotAsked => "it imports functions that it does not ask for",
            Self::NeedNotImported => "it asks for what it cannot do: it does not import it",
            Self::GrantNotNeeded => "the site grants what it does not ask for",
            Self::Disagrees => "its manifest and its own description disagree",
            Self::DoesNotConform => "it does other than the procedure that it replaces",
            Self::NotExercised => "code that can cause an effect was never run",
            Self::OddWaits => "it waits in a measure that could carry a message",
            Self::FollowsAnswers => "where a look is answered otherwise, it does otherwise, and is done",
        }
    }

    /// How much it weighs where nothing else is said.
    pub fn level(self) -> Level {
        match self {
            Self::FollowsAnswers
            | Self::VetoesByClock
            | Self::NeedUnused
            | Self::ImportNotAsked
            | Self::GrantNotNeeded
            | Self::NotExercised => Level::Note,
            Self::NeedNotImported | Self::OddWaits | Self::Disagrees | Self::DoesNotConform => Level::Warning,
            _ => Level::Error,
        }
    }
}
