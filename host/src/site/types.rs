//! A site and its profile as the rest of the host sees them: read, merged, validated.

use crate::model::{CommandName, Digested, EndpointName, FileName, Moment, NodeName, PluginName, StepId};
use camino::Utf8PathBuf;
use indexmap::IndexMap;
use std::time::Duration;

/// A validated site folder.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder, absolute.
    pub dir: Utf8PathBuf,
    pub name: String,
    pub trust: Trust,
    pub outside_envelope: OutsideEnvelope,
    /// age recipients that can open what a run seals; empty: the operator's own identity is used.
    pub operators: Vec<String>,
    pub nodes: IndexMap<NodeName, Node>,
    /// Users that commands run as, and how they are reached.
    pub become_users: IndexMap<String, Become>,
    pub manager: Option<Manager>,
    pub secrets: IndexMap<String, SecretSource>,
    pub procedures: IndexMap<PluginName, ProcedureSettings>,
    pub hooks: Vec<HookBinding>,
    /// By plugin, the raw lines of `grants.toml`; `policy` parses the patterns.
    pub grants: IndexMap<PluginName, GrantBlock>,
    pub profile: Profile,
    /// The profile's variables as the site overrides or extends them.
    pub vars: IndexMap<String, Var>,
    pub ssh: SshSettings,
    pub attention: AttentionSettings,
    /// SHA-256 over `site.toml`, `grants.toml` and the profile, lower-case hex.
    pub digest: String,
    /// The same, file by file.
    pub digests: Digests,
    /// Set on a practice cluster: the file that holds the pid whose network namespace is entered.
    pub lab: Option<Utf8PathBuf>,
}

impl Site {
    /// Returns the managers, in name order: who carries the lease and answers for health.
    pub fn managers(&self) -> Vec<&NodeName> {
        let manages = |node: &&Node| node.groups.contains(&self.profile.managers);
        let mut managers: Vec<_> = self.nodes.values().filter(manages).map(|node| &node.name).collect();
        managers.sort();
        managers
    }

    /// Returns the hooks as they are called: in rising order, equals as the file has them.
    pub fn hooks_in_order(&self) -> Vec<&HookBinding> {
        in_order(&self.hooks)
    }
}

pub(super) fn in_order(hooks: &[HookBinding]) -> Vec<&HookBinding> {
    let mut hooks: Vec<_> = hooks.iter().collect();
    hooks.sort_by_key(|hook| hook.order);
    hooks
}

/// What a site was read from, by name and SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    pub site: Option<Digested>,
    /// None: there is no such file.
    pub grants: Option<Digested>,
    /// The profile, then what it extends.
    pub profile: Vec<Digested>,
}

impl Digests {
    /// All of them: the site's own files, then the profile.
    pub fn all(&self) -> impl Iterator<Item = &Digested> {
        self.site.iter().chain(&self.grants).chain(&self.profile)
    }
}

/// From when on `windlass status` says that something wants attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSettings {
    /// Days that a certificate in use must still be valid.
    pub certificate_days: i64,
    /// Days since the key set was written.
    pub key_days: i64,
}

impl Default for AttentionSettings {
    fn default() -> Self {
        // The product itself raises its alarm 30 days before a certificate ends.
        Self { certificate_days: 30, key_days: 365 }
    }
}

/// Which of a site's own files load: all, what is locked, what is locked and signed, what is certified too. Each
/// asks for what the one before it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    Dev,
    Locked,
    Signed,
    Certified,
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Locked => "locked",
            Self::Signed => "signed",
            Self::Certified => "certified",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideEnvelope {
    Pause,
    Warn,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub name: NodeName,
    pub address: Address,
    pub groups: Vec<String>,
    /// Where TLS endpoints of the node are reached from the controller; the ssh host where absent.
    pub host: Option<String>,
    /// The host name the product's health table prints for it, where it differs from the node's name.
    pub alias: Vec<String>,
}

impl Node {
    /// Returns the host that the node's TLS endpoints are reached at from the controller: what the site
    /// says, else the host of its ssh destination, else (a local folder) this machine.
    pub fn endpoint_host(&self) -> String {
        match (&self.host, &self.address) {
            (Some(host), _) => host.clone(),
            (None, Address::Ssh(destination)) => {
                let host = destination.strip_prefix("ssh://").unwrap_or(destination);
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                match host.split_once(':') {
                    // One colon: a port; several: a bare IPv6 address.
                    Some((name, port)) if !port.contains(':') => name.to_string(),
                    _ => host.to_string(),
                }
            }
            (None, Address::Local(_)) => "127.0.0.1".to_string(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Anything ssh accepts as a destination.
    Ssh(String),
    /// A folder of this machine that stands for a node's root.
    Local(Utf8PathBuf),
}

#[derive(Debug, Clone)]
pub struct Become {
    /// The command that becomes the user, as `sudo -n su - omm`; the host appends `-c SCRIPT`.
    pub argv: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct SshSettings {
    /// Seconds; `ServerAliveInterval`.
    pub keepalive: u32,
    pub connect_timeout: Duration,
    /// `KexAlgorithms`, where the site sets it (curve25519 costs a client a sixth of sntrup761's time).
    pub kex: Option<String>,
    /// Nodes worked on at once.
    pub concurrency: usize,
    /// A further ssh_config of the site, included before the operator's own.
    pub config: Option<Utf8PathBuf>,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            keepalive: 5,
            connect_timeout: Duration::from_secs(10),
            kex: None,
            concurrency: 50,
            config: None,
        }
    }
}

/// The manager's page.
#[derive(Debug, Clone)]
pub struct Manager {
    pub url: String,
    /// PEM file the page's certificate is checked against; relative to the site.
    pub ca: Option<Utf8PathBuf>,
    /// HTTP status codes that mean "it can be accessed".
    pub expect: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Prompt,
    File(Utf8PathBuf),
    Descriptor(i32),
    /// A local command whose standard output is the secret.
    Command(Vec<String>),
}

#[derive(Debug, Clone, Default)]
pub struct ProcedureSettings {
    /// Parameters of the procedure by name (`strategy`, `ca`, `country` …), as text.
    pub params: IndexMap<String, String>,
    /// None: as many as the procedure's own manifest asks for.
    pub approvals: Option<u32>,
    /// Whose approval counts; empty: that of everybody who is trusted outside the site.
    pub approvers: Vec<String>,
    pub on_failure: OnFailure,
    pub allow_secret_in_argv: bool,
    /// With `ca = "supplied"`: certificate and key on the controller, relative to the site.
    pub supplied: Option<SuppliedCa>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    #[default]
    Pause,
    Rollback,
}

#[derive(Debug, Clone)]
pub struct SuppliedCa {
    pub certificate: Utf8PathBuf,
    pub key: Utf8PathBuf,
}

/// A hook, and when it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookBinding {
    pub plugin: PluginName,
    pub procedure: PluginName,
    pub at: HookAt,
    /// Rising among the hooks of one moment; equals in the order of the file.
    pub order: i64,
    /// Where it fails the run stops; else that is only told.
    pub stop_on_error: bool,
    /// A strategy that lacks the step does without it; else that is an error.
    pub optional: bool,
    /// Of one call, commands and waits included.
    pub timeout: Duration,
    /// What the hook is told at each call, as text.
    pub params: IndexMap<String, String>,
}

/// The moments of a run that a binding is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAt {
    BeforeRun,
    BeforeStep(Steps),
    AfterStep(Steps),
    AfterRun,
    OnFailure,
    OnRollback,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steps {
    Each,
    One(StepId),
}

impl HookAt {
    /// Whether a moment is one of these.
    pub fn holds(&self, moment: &Moment) -> bool {
        let one = |steps: &Steps, step: &StepId| match steps {
            Steps::Each => true,
            Steps::One(only) => only == step,
        };
        match (self, moment) {
            (Self::BeforeStep(steps), Moment::BeforeStep(step))
            | (Self::AfterStep(steps), Moment::AfterStep(step)) => one(steps, step),
            (Self::BeforeRun, Moment::BeforeRun)
            | (Self::AfterRun, Moment::AfterRun)
            | (Self::OnFailure, Moment::OnFailure)
            | (Self::OnRollback, Moment::OnRollback) => true,
            _ => false,
        }
    }

    /// The one step that it is for.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::BeforeStep(Steps::One(step)) | Self::AfterStep(Steps::One(step)) => Some(step),
            _ => None,
        }
    }
}

impl HookBinding {
    /// The key of `[[hooks]]` that binds it: `before`, `after` or `on`.
    pub fn when(&self) -> &'static str {
        match self.at {
            HookAt::BeforeRun | HookAt::BeforeStep(_) => "before",
            HookAt::AfterRun | HookAt::AfterStep(_) => "after",
            HookAt::OnFailure | HookAt::OnRollback => "on",
        }
    }

    /// The value of that key, as `ha-cert/restart@first`.
    pub fn event(&self) -> String {
        let event = match &self.at {
            HookAt::BeforeRun | HookAt::AfterRun => "run",
            HookAt::BeforeStep(Steps::Each) | HookAt::AfterStep(Steps::Each) => "*",
            HookAt::BeforeStep(Steps::One(step)) | HookAt::AfterStep(Steps::One(step)) => step.as_str(),
            HookAt::OnFailure => "failure",
            HookAt::OnRollback => "rollback",
        };
        format!("{}/{event}", self.procedure)
    }

    /// The value of `on_error`.
    pub fn on_error(&self) -> &'static str {
        if self.stop_on_error { "stop" } else { "warn" }
    }

    /// Whether there is a moment that both are for, with one hook.
    pub(super) fn meets_with(&self, other: &Self) -> bool {
        use HookAt::{AfterStep, BeforeStep};
        let met = match (&self.at, &other.at) {
            (BeforeStep(one), BeforeStep(two)) | (AfterStep(one), AfterStep(two)) => {
                one == two || *one == Steps::Each || *two == Steps::Each
            }
            (one, two) => one == two,
        };
        met && self.plugin == other.plugin && self.procedure == other.procedure
    }
}

/// One plugin's grants as written; a pattern is `NAME`, `NAME@NODE`, `NAME@ROLE` or `NAME@*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantBlock {
    pub commands: Vec<String>,
    /// `VERB FILE@NODE` with the verbs `stat`, `read`, `copy`, `write`.
    pub files: Vec<String>,
    pub endpoints: Vec<String>,
    /// Operation names of `crypto`, as `generate-key`.
    pub crypto: Vec<String>,
    /// Operation names of `keyring`, as `add`.
    pub keyring: Vec<String>,
    /// Secret names; with sinks as `ha-key -> replace-ha-cert.password`.
    pub secrets: Vec<String>,
    /// What has no name of its own: `nodes`, `quarantine`, `health`, `manager`, `parameters`, `confirm`, `note`, `state`, `clock`.
    pub general: Vec<String>,
    /// Digest the block is meant for, lower-case hex; absent: any.
    pub digest: Option<String>,
}

impl GrantBlock {
    /// The patterns by the key that they stand under.
    pub fn lists(&self) -> [(&'static str, &[String]); 7] {
        [
            ("commands", &self.commands),
            ("files", &self.files),
            ("endpoints", &self.endpoints),
            ("crypto", &self.crypto),
            ("keyring", &self.keyring),
            ("secrets", &self.secrets),
            ("general", &self.general),
        ]
    }

    /// Every pattern with the key that it stands under.
    pub fn patterns(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.lists().into_iter().flat_map(|(list, patterns)| patterns.iter().map(move |one| (list, one)))
    }
}

/// What a product calls its commands and files.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    /// One line: which product and versions.
    pub title: String,
    /// The user the product runs as; Windlass keeps its own files on a node in this user's home.
    pub service_user: String,
    pub vars: IndexMap<String, Var>,
    /// Named folders, as templates over the variables.
    pub paths: IndexMap<String, Template>,
    pub files: IndexMap<FileName, FileDeclaration>,
    pub commands: IndexMap<CommandName, CommandDeclaration>,
    pub endpoints: IndexMap<EndpointName, Endpoint>,
    /// The command whose parser gives health records.
    pub health: Option<CommandName>,
    /// The file that holds the cluster's key set, on every node.
    pub keyring: Option<FileName>,
    /// Named paths whose folders every manager of this product has, and no manager of another.
    pub known_by: Vec<String>,
    /// Settings by procedure that are the profile's to give (`leaf_days`, `password_policy` …).
    pub defaults: IndexMap<PluginName, IndexMap<String, String>>,
    /// The group whose nodes carry the lease; `managers`.
    pub managers: String,
}

/// A variable of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Var {
    Literal(String),
    /// From a user's login environment, on each node.
    LoginEnv {
        variable: String,
        user: String,
    },
}

/// Text with `${variable}` and `{placeholder}` in it, checked when read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub parts: Vec<TemplatePart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    Text(String),
    /// `${name}`: a variable or a named path.
    Variable(String),
    /// `{name}`: an argument of the command.
    Placeholder(String),
}

#[derive(Debug, Clone)]
pub struct FileDeclaration {
    pub name: FileName,
    pub path: Template,
    /// None: keep what is there (0600 for a new secret file, 0644 for another).
    pub mode: Option<u32>,
    /// None: keep.
    pub owner: Option<String>,
    pub secret: bool,
    /// Its bytes could be guessed from a hash (a password): no fingerprint is taken.
    pub guessable: bool,
    /// Windlass may look, and never writes.
    pub read_only: bool,
    /// What a rehearsal puts there.
    pub holds: Holds,
}

/// What a file of the product is: what a simulated cluster has there at first, and what a command that writes it
/// makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Holds {
    /// Bytes that nobody reads.
    #[default]
    Bytes,
    /// A certificate: issued by the one in another file of its node, or signed by itself; and for the request in a
    /// further file, or for a key of its own.
    Certificate { issuer: Option<FileName>, request: Option<FileName> },
    /// The private key of the certificate in another file of its node.
    Key { of: FileName },
    /// A key set, the same on every node.
    KeySet,
}

#[derive(Debug, Clone)]
pub struct CommandDeclaration {
    pub name: CommandName,
    pub kind: CommandKind,
    pub argv: Vec<Template>,
    /// The user it runs as; the profile's service user where absent.
    pub user: String,
    pub cwd: Option<Template>,
    pub env: IndexMap<String, Template>,
    pub prompts: Vec<Prompt>,
    pub success: Success,
    pub timeout: Duration,
    pub output: Parser,
    pub args: IndexMap<String, ArgumentDeclaration>,
    /// Run it with a terminal of its own (some programs prompt only there).
    pub terminal: bool,
    pub consequences: Consequences,
    /// Kind `manual`: what the operator is told to do.
    pub instruction: Option<String>,
    /// Kind `http`.
    pub request: Option<HttpRequest>,
    /// A placeholder marked secret stands in `argv`; needs the site's `allow_secret_in_argv`.
    pub secret_in_argv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    Observe,
    Change,
    Manual,
    Http,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Literal text that the command prints when it waits.
    pub expect: String,
    pub reply: Template,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// Each must appear in the output, in this order.
    pub contains: Vec<String>,
    pub exit: Vec<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parser {
    /// Nothing of the output reaches a guest.
    None,
    Lines,
    Json,
    /// The health table of `status-oms.sh`, both spellings.
    OmsStatus,
}

#[derive(Debug, Clone)]
pub struct ArgumentDeclaration {
    pub secret: bool,
    /// Longest value, bytes.
    pub longest: usize,
    /// Characters allowed besides letters and digits.
    pub characters: String,
    pub default: Option<String>,
}

/// What a `change` says of itself; plan, rollback, resume and audit follow from it.
#[derive(Debug, Clone, Default)]
pub struct Consequences {
    pub writes: Vec<Written>,
    pub restarts: Vec<String>,
    pub serves: Vec<EndpointName>,
    /// What tells whether it happened.
    pub settle: Option<Settle>,
    pub undo: Option<CommandName>,
    pub may_switch_roles: bool,
    /// What it does it does on every node of the site, not only on the one that it runs on.
    pub everywhere: bool,
    pub rerun: Rerun,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    File(FileName),
    /// A named path, whole.
    Folder(String),
}

/// What tells whether a change happened, when its own record does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settle {
    /// An observing command: its success means yes.
    Command(CommandName),
    /// `served:ENDPOINT`: the endpoint presents the certificate of its declared file.
    Served(EndpointName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rerun {
    #[default]
    Never,
    IfSettleSaysNo,
    Always,
}

#[derive(Debug, Clone)]
pub struct HttpRequest {
    pub method: String,
    pub url: Template,
    pub body: Option<Template>,
    pub expect: Vec<u16>,
    /// Where to ask whether it is finished, and what the answer holds then.
    pub poll: Option<(Template, String)>,
}

/// A TLS endpoint of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: EndpointName,
    pub port: u16,
    /// The file that it serves, on disk.
    pub file: Option<FileName>,
}
