//! A plan: what a run would do, as data. It is printed, signed, and compared with the run that follows it.
//!
//! What only the run itself can know stands in it as a symbol, `<new-root.fingerprint>`; a secret as
//! `<secret ha-key>`. Its JSON is what people sign: a change of these types is a change of [`PLAN_FORMAT`].

use super::{EffectClass, Entry, Moment, NodeName, PlannedStep, PluginName};
use serde::{Deserialize, Serialize};

/// The version of a plan's format.
pub const PLAN_FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub format: u32,
    /// The version of the windlass that made it.
    pub windlass: String,
    pub procedure: PluginName,
    pub title: String,
    pub impact: String,
    /// The impact's token, for `--ack`.
    pub ack: String,
    /// Who asks for the run: a principal, where the plan is signed.
    pub requester: String,
    /// Seconds since 1970 UTC.
    pub made: i64,
    pub expires: i64,
    /// A plan serves one run.
    pub nonce: String,
    pub covers: Covers,
    pub preflight: Vec<PlannedEffect>,
    pub steps: Vec<StepPlan>,
    pub verification: Vec<PlannedEffect>,
    /// What hooks do, in the order in which they are called; not those of failure and rollback.
    pub hooks: Vec<HookPlan>,
    /// What is proven at the end.
    pub checks: Vec<String>,
    /// What is known after apply.
    pub symbols: Vec<Symbol>,
    /// What the plan takes for granted and only the run can find out.
    pub assumed: Vec<String>,
}

impl Plan {
    /// Returns the plan without what only looks: what a run that follows it is held to.
    pub fn without_looks(&self) -> Self {
        let mut plan = self.clone();
        let steps = plan.steps.iter_mut().map(|planned| &mut planned.effects);
        let hooks = plan.hooks.iter_mut().map(|planned| &mut planned.effects);
        for effects in steps.chain(hooks).chain([&mut plan.preflight, &mut plan.verification]) {
            effects.retain(|effect| effect.class != EffectClass::Observe);
        }
        plan
    }
}

/// Everything outside the plan that it was made from: none of it may differ when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covers {
    pub site: Digested,
    /// The profile, then what it extends.
    pub profile: Vec<Digested>,
    /// None: there is no such file.
    pub grants: Option<Digested>,
    pub lock: Option<Digested>,
    /// Other files that the site names: the manager's CA, ssh's configuration.
    pub files: Vec<Digested>,
    pub plugins: Vec<Digested>,
    /// In their order.
    pub hooks: Vec<HookCover>,
    pub supplied: Option<SuppliedCover>,
    pub roles: Option<RolesCover>,
    pub parameters: Vec<Entry>,
}

/// A name with the SHA-256 of what it stood for, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digested {
    pub name: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookCover {
    pub plugin: PluginName,
    /// `before`, `after` or `on`.
    pub when: String,
    pub event: String,
    pub order: i64,
    pub on_error: String,
    /// Its file; none where there is no such file.
    pub file: Option<Digested>,
}

/// The CA that the site supplies, by its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppliedCover {
    pub certificate: Digested,
    pub key: Digested,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesCover {
    pub first: NodeName,
    pub second: NodeName,
}

/// A hook's call with its effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookPlan {
    pub hook: PluginName,
    pub at: Moment,
    pub effects: Vec<PlannedEffect>,
}

/// A step with its effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPlan {
    pub step: PlannedStep,
    pub effects: Vec<PlannedEffect>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedEffect {
    /// The effect as the journal has it, symbols in place of what is not known. Bytes stand as their SHA-256,
    /// or as text where a symbol is in them.
    pub effect: serde_json::Value,
    /// The same in an operator's words.
    pub words: String,
    pub class: EffectClass,
    #[serde(default, skip_serializing_if = "Detail::is_empty")]
    pub detail: Detail,
    /// What it makes that is known after apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub born: Vec<String>,
}

/// What an effect's names stand for, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<PlannedCommand>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PlannedFile>,
    /// `HOST:PORT` or a URL that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<String>,
}

impl Detail {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A command as it will run on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCommand {
    pub node: NodeName,
    pub command: String,
    /// `observe`, `change`, `manual` or `http`.
    pub kind: String,
    pub user: String,
    pub argv: Vec<String>,
    /// A secret stands in `argv`, where every user of the node can read it.
    pub secret_in_argv: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<PlannedPrompt>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub terminal: bool,
    /// What its success must print, and its exit status.
    pub contains: Vec<String>,
    pub exit: Vec<i32>,
    /// `none`, `lines`, `json`, `oms-status`.
    pub parser: String,
    /// Seconds.
    pub timeout: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<PlannedRequest>,
    /// Paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_switch_roles: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub everywhere: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPrompt {
    pub expect: String,
    pub reply: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRequest {
    pub method: String,
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    pub expect: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
}

/// A named file as it lies on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFile {
    pub node: NodeName,
    pub file: String,
    pub path: String,
    /// None: as it is.
    pub mode: Option<String>,
    pub owner: Option<String>,
    pub secret: bool,
}

/// Something that is known after apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symbol {
    /// As `new-root.fingerprint`; it stands in texts between `<` and `>`.
    pub name: String,
    pub shape: Shape,
}

/// What the value of a symbol will look like: nothing else is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// 64 lower-case hex digits.
    Sha256,
    /// Up to 64 lower-case hex digits.
    Hex,
    /// A number of seconds or milliseconds.
    Number,
    /// A line of a certificate: a name, an algorithm.
    Text,
    /// A certificate's file.
    Pem,
}

impl Shape {
    pub fn fits(self, value: &str) -> bool {
        let hex = || value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match self {
            Self::Sha256 => value.len() == 64 && hex(),
            Self::Hex => (1..=64).contains(&value.len()) && hex(),
            Self::Number => {
                (1..=19).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Text => value.len() <= 4096 && !value.chars().any(char::is_control),
            // Or a request for one; some CAs write what it says before it.
            Self::Pem => value.contains("-----BEGIN CERTIFICATE"),
        }
    }
}

/// Who signed a plan, and with which key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    pub principal: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub key: String,
}

fn is_false(value: &bool) -> bool {
    !value
}
