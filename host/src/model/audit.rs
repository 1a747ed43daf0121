//! What an audit says of one plugin: its text, its JSON, its SARIF, its page and its certificate are views of this.
//!
//! Two facts, worded so. *Can do*: under these grants no input makes this digest cause any effect outside
//! [`Audit::capabilities`]; the gate enforces it. *Did*: the effects of [`Audit::rehearsals`]. Coverage is evidence,
//! not proof.

use super::PluginName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the report's shape.
pub const AUDIT_FORMAT: u32 = 1;

/// A whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Audit {
    pub format: u32,
    /// The version of windlass that audited.
    pub windlass: String,
    pub plugin: Subject,
    pub verdict: Verdict,
    /// The gravest first; one for each thing found, however often it was seen.
    pub findings: Vec<Finding>,
    pub capabilities: Vec<Capability>,
    pub rehearsals: Rehearsals,
    pub envelope: Envelope,
    pub coverage: Coverage,
    pub grants: LeastGrants,
    /// With the version that it is to follow.
    pub comparison: Option<Comparison>,
    /// With the bundled procedure that it is to replace.
    pub conformance: Option<Conformance>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No finding above a note.
    NothingFound,
    Findings,
}

/// How much a finding weighs; as SARIF has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing; it decides nothing.
    Note,
    Warning,
    Error,
}

impl Verdict {
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().any(|finding| finding.level > Level::Note) {
            true => Self::Findings,
            false => Self::NothingFound,
        }
    }
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub rule: Rule,
    pub level: Level,
    /// The same for the same finding of any audit of this digest: what `certify --accept` names. The rule, and behind a
    /// colon what it is about where a rule can be found of several things: `leak:secret ha-key`.
    pub id: String,
    /// One sentence, in an operator's words.
    pub message: String,
    /// The effect that it is about, as a transcript writes it.
    pub effect: Option<String>,
    /// The call in which that was: `restart@first`, `preflight`.
    pub call: Option<String>,
    /// The rehearsal that showed it first, to be repeated alone.
    pub rehearsal: Option<RehearsalName>,
    /// A line of the manifest or the script.
    pub place: Option<Place>,
    /// What led to it, line by line.
    pub evidence: Vec<String>,
    /// In how many rehearsals it was seen.
    pub seen: u32,
}

impl Finding {
    /// One of a rule, with nothing said but what it is. `about`: as of [`Finding::id`]; empty: there is one of its rule at
    /// most.
    pub fn new(rule: Rule, about: &str, message: impl Into<String>) -> Self {
        Self {
            rule,
            level: rule.level(),
            id: match about {
                "" => rule.code().into(),
                about => format!("{}:{about}", rule.code()),
            },
            message: message.into(),
            effect: None,
            call: None,
            rehearsal: None,
            place: None,
            evidence: Vec::new(),
            seen: 1,
        }
    }

    pub fn at(self, call: Option<String>, effect: Option<String>) -> Self {
        Self { call, effect, ..self }
    }

    pub fn evidence(self, evidence: Vec<String>) -> Self {
        Self { evidence, ..self }
    }
}

/// What names one rehearsal: `windlass audit PLUGIN --only SCENARIO --seed SEED` repeats it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RehearsalName {
    pub scenario: String,
    pub seed: u32,
    /// What was done to it: `plain`, `nodes.run restart-ha on master1 fails: unreachable`.
    pub case: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// What is audited, as its bytes tell it. Nothing of it is run for this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Subject {
    #[cfg_attr(test, schemars(with = "String"))]
    pub name: PluginName,
    pub version: String,
    /// `procedure` or `hook`.
    pub kind: String,
    pub summary: String,
    /// None: it is part of this windlass.
    pub file: Option<String>,
    /// SHA-256 of the file, lower-case hex.
    pub digest: String,
    pub bytes: u64,
    /// Who signed it; none: nobody, or nobody who is trusted here.
    pub signer: Option<String>,
    /// Why a signature beside it does not count.
    pub signature_problem: Option<String>,
    /// The contract it is built for, as `0.1`.
    pub api: String,
    /// Which hosts load it: `windlass 0.1 and later`.
    pub loads_on: String,
    pub form: Form,
}

/// What a plugin is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "form", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Form {
    Component {
        /// As its producers say: `Rust`, `Python`; empty where they do not.
        language: String,
        producers: Vec<Producer>,
        /// None: it does not say what it was built from.
        dependencies: Option<Vec<Dependency>>,
        custom_sections: Vec<CustomSection>,
        memories: Vec<Extent>,
        tables: Vec<Extent>,
        /// Interfaces, and behind a slash their functions where the component names them.
        imports: Vec<String>,
        exports: Vec<String>,
        modules: u32,
    },
    Script {
        /// `python` or `js`.
        language: String,
        /// What it is run by, with its digest.
        engine: Option<Producer>,
        source: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// `language`, `processed-by`, `sdk` or `engine`.
    pub role: String,
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    /// Where it came from, as its builder says: `crates.io`, `registry`, `git`, `local` or another word.
    pub source: String,
}

impl std::fmt::Display for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, version, source } = self;
        match source.is_empty() {
            true => write!(f, "{name} {version}"),
            false => write!(f, "{name} {version} ({source})"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CustomSection {
    pub name: String,
    pub bytes: u64,
    /// How often it is there.
    pub count: u32,
}

/// A memory in pages of 64 KiB, or a table in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Extent {
    pub minimum: u64,
    pub maximum: Option<u64>,
}

/// One line of what a plugin can do under the grants it has: a pattern of its needs, or something that it imports and
/// asks for nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// The key that it stands under in `grants.toml`: `commands`, `files`, `secrets` …
    pub list: String,
    pub pattern: String,
    /// In an operator's words: `run restart-ha on second`.
    pub words: String,
    /// Why, as the manifest says; none: it is not asked for.
    pub reason: Option<String>,
    pub place: Option<Place>,
    /// Whether the component imports a function that could do it; none: it cannot be told, as for a script.
    pub imported: Option<bool>,
    /// None: there is no site to ask.
    pub granted: Option<Granted>,
    /// In how many rehearsals it was used.
    pub used: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Granted {
    Yes,
    /// Some of what the pattern covers.
    Partly,
    No,
}

/// What was rehearsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rehearsals {
    /// In all.
    pub count: u32,
    pub seed: u32,
    pub scenarios: Vec<RehearsedScenario>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RehearsedScenario {
    pub name: String,
    /// How the plain rehearsal ended.
    pub ended: String,
    /// Of the plain rehearsal.
    pub transcript: Vec<String>,
    /// Of the plain rehearsal, in order.
    pub effects: Vec<SeenEffect>,
    /// How many rehearsals of each kind: `plain`, `fault`, `crash and resume`, …
    pub cases: BTreeMap<String, u32>,
}

/// One effect of a plain rehearsal, for a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeenEffect {
    pub call: String,
    pub effect: String,
    pub is_change: bool,
    /// The nodes that it is on, as the run binds them: `first`, `second`, or by name.
    pub nodes: Vec<String>,
    /// Milliseconds of the simulated clock since the rehearsal began.
    pub at: i64,
    /// Empty: it succeeded.
    pub fault: String,
}

/// The effects that rehearsals produced: by call, what each takes of the grants, with roles in place of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Envelope(pub BTreeMap<String, BTreeSet<String>>);

/// How much of its code the rehearsals reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "coverage", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Coverage {
    Functions {
        functions: u32,
        reached: u32,
        /// Of a hundred, in tenths: 873 is 87.3 %. By the instructions of the blocks that were entered.
        instructions_permille: u32,
        /// Those that can call an effect first.
        unreached: Vec<Unreached>,
    },
    Lines {
        lines: u32,
        reached: u32,
        /// Numbers of lines, from 1.
        unreached: Vec<u32>,
    },
    NotMeasurable {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Unreached {
    pub function: String,
    pub instructions: u32,
    /// The imported functions that it can reach, by whatever way.
    pub effects: Vec<String>,
}

/// The smallest grants under which every rehearsal goes as it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeastGrants {
    /// Lines of `grants.toml`, ready to be pasted.
    pub block: Vec<String>,
    /// Patterns that the site grants and no rehearsal used, as `list = "pattern"`; none: there is no site to ask.
    pub exceeded_by: Option<Vec<String>>,
}

/// What changed since another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub version: String,
    pub digest: String,
    /// What a person reads first: `also restarts HA on second`.
    pub summary: Vec<String>,
    pub needs: Difference,
    pub imports: Difference,
    pub envelope: Difference,
    /// By scenario, the lines of a transcript that differ, as a unified difference.
    pub transcripts: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Difference {
    pub more: Vec<String>,
    pub less: Vec<String>,
}

/// How a replacement stands to the procedure that it replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conformance {
    #[cfg_attr(test, schemars(with = "String"))]
    pub procedure: PluginName,
    pub digest: String,
    pub scenarios: Vec<Conforms>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conforms {
    pub scenario: String,
    /// What differs in the end state; empty: nothing.
    pub differs: Vec<String>,
}

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
