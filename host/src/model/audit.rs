//! What an audit says of one plugin: its text, its JSON, its SARIF, its page and its certificate are views of this.
//!
//! Two facts, worded so. *Can do*: under these grants no input makes this digest cause any effect outside
//! [`Audit::capabilities`]; the gate enforces it. *Did*: the effects of [`Audit::rehearsals`]. Coverage is evidence,
//! not proof.

mod rule;

pub use rule::Rule;

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
