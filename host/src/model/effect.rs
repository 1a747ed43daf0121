//! The vocabulary: one variant for each function of the contract.

use super::{CommandName, EndpointName, Entry, FileName, NodeName, ObjectName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything a plugin can do. One function of `wit/`, one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", deny_unknown_fields)]
pub enum Effect {
    #[serde(rename = "nodes.members")]
    NodesMembers,
    #[serde(rename = "nodes.run")]
    NodesRun { node: NodeName, command: CommandName, arguments: Vec<Argument> },
    #[serde(rename = "nodes.run-each")]
    NodesRunEach { nodes: Vec<NodeName>, command: CommandName, arguments: Vec<Argument> },
    #[serde(rename = "nodes.clock-offset")]
    NodesClockOffset { node: NodeName },
    #[serde(rename = "nodes.quarantine")]
    NodesQuarantine { node: NodeName, reason: String },
    #[serde(rename = "nodes.release")]
    NodesRelease { node: NodeName },
    #[serde(rename = "nodes.quarantined")]
    NodesQuarantined,

    #[serde(rename = "files.stat")]
    FilesStat { node: NodeName, file: FileName },
    #[serde(rename = "files.fingerprint")]
    FilesFingerprint { node: NodeName, file: FileName },
    #[serde(rename = "files.fingerprint-each")]
    FilesFingerprintEach { nodes: Vec<NodeName>, file: FileName },
    #[serde(rename = "files.read")]
    FilesRead { node: NodeName, file: FileName },
    #[serde(rename = "files.space")]
    FilesSpace { node: NodeName, file: FileName },
    #[serde(rename = "files.put")]
    FilesPut { node: NodeName, file: FileName, content: Content },
    #[serde(rename = "files.put-each")]
    FilesPutEach { nodes: Vec<NodeName>, file: FileName, content: Content },
    #[serde(rename = "files.stage")]
    FilesStage { set: ObjectName, node: NodeName, file: FileName, content: Content },
    #[serde(rename = "files.swap")]
    FilesSwap { set: ObjectName, node: NodeName },
    #[serde(rename = "files.discard")]
    FilesDiscard { set: ObjectName, node: NodeName },
    #[serde(rename = "files.remove")]
    FilesRemove { node: NodeName, file: FileName },
    /// `name` is a file's or a command's.
    #[serde(rename = "files.restore")]
    FilesRestore { node: NodeName, name: String },

    #[serde(rename = "cluster.health")]
    ClusterHealth,
    #[serde(rename = "cluster.served")]
    ClusterServed { node: NodeName, endpoint: EndpointName },
    #[serde(rename = "cluster.manager")]
    ClusterManager,

    #[serde(rename = "crypto.generate-key")]
    CryptoGenerateKey { name: ObjectName, algorithm: String },
    #[serde(rename = "crypto.prepare-key")]
    CryptoPrepareKey { algorithm: String },
    #[serde(rename = "crypto.self-sign")]
    CryptoSelfSign { name: ObjectName, key: ObjectName, subject: Vec<Entry>, days: u32 },
    #[serde(rename = "crypto.issue")]
    CryptoIssue {
        name: ObjectName,
        ca: ObjectName,
        ca_key: ObjectName,
        key: ObjectName,
        subject: Vec<Entry>,
        names: Vec<String>,
        days: u32,
    },
    #[serde(rename = "crypto.request")]
    CryptoRequest { key: ObjectName, subject: Vec<Entry>, names: Vec<String> },
    #[serde(rename = "crypto.accept")]
    CryptoAccept {
        name: ObjectName,
        key: ObjectName,
        // As a content's bytes are called: a plan shows a digest or a symbol in their place.
        #[serde(rename = "bytes", with = "base64_bytes")]
        certificate: Vec<u8>,
    },
    #[serde(rename = "crypto.accept-ca")]
    CryptoAcceptCa {
        name: ObjectName,
        #[serde(rename = "bytes", with = "base64_bytes")]
        certificate: Vec<u8>,
    },
    #[serde(rename = "crypto.supplied-ca")]
    CryptoSuppliedCa { name: ObjectName, key: ObjectName, passphrase: ObjectName },
    #[serde(rename = "crypto.inspect")]
    CryptoInspect { source: CertificateSource },
    #[serde(rename = "crypto.verify-chain")]
    CryptoVerifyChain { leaf: CertificateSource, root: CertificateSource },

    #[serde(rename = "crypto.check-key")]
    CryptoCheckKey { node: NodeName, file: FileName, passphrase: ObjectName, certificate: CertificateSource },

    #[serde(rename = "keyring.versions")]
    KeyringVersions { node: NodeName, file: FileName },
    #[serde(rename = "keyring.add")]
    KeyringAdd { set: ObjectName, node: NodeName, file: FileName },
    #[serde(rename = "keyring.retire")]
    KeyringRetire { set: ObjectName, node: NodeName, file: FileName, version: u32 },
    #[serde(rename = "keyring.canary")]
    KeyringCanary { name: ObjectName, node: NodeName, file: FileName },
    #[serde(rename = "keyring.opens")]
    KeyringOpens { node: NodeName, file: FileName, canary: ObjectName },
    #[serde(rename = "keyring.needs")]
    KeyringNeeds { version: u32 },
    #[serde(rename = "keyring.rewrap")]
    KeyringRewrap { node: NodeName, file: FileName },

    #[serde(rename = "secrets.ask")]
    SecretsAsk { name: ObjectName, prompt: String, confirm: bool },
    #[serde(rename = "secrets.generate")]
    SecretsGenerate { name: ObjectName, length: u32 },
    #[serde(rename = "secrets.check")]
    SecretsCheck { name: ObjectName },

    #[serde(rename = "operator.parameter")]
    OperatorParameter { name: String },
    #[serde(rename = "operator.confirm")]
    OperatorConfirm { question: String, impact: String },
    #[serde(rename = "operator.acknowledge")]
    OperatorAcknowledge { question: String, impact: String },
    #[serde(rename = "operator.note")]
    OperatorNote { text: String },
    #[serde(rename = "operator.progress")]
    OperatorProgress { done: u32, total: u32, text: String },

    #[serde(rename = "state.get")]
    StateGet { name: String },
    #[serde(rename = "state.set")]
    StateSet { name: String, value: String },

    #[serde(rename = "clock.now")]
    ClockNow,
    #[serde(rename = "clock.sleep")]
    ClockSleep { milliseconds: u32 },
}

/// A typed placeholder's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    pub name: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    Text(String),
    /// The name of a secret of the run, never its bytes.
    Secret(ObjectName),
}

/// What to write into a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
    Certificate(ObjectName),
    Key { key: ObjectName, passphrase: ObjectName },
    Secret(ObjectName),
    File { node: NodeName, file: FileName },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    Object(ObjectName),
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
}

/// How the journal treats an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// Looks, changes nothing; durable before the next change.
    Observe,
    /// Makes a run object or takes an operator's answer; its outcome is committed at once.
    Keep,
    /// Changes a node; its intent is committed before it acts.
    Change,
}

impl Effect {
    /// Returns the function's name in the contract, as `nodes.run`.
    pub fn function(&self) -> &'static str {
        use Effect::*;
        match self {
            NodesMembers => "nodes.members",
            NodesRun { .. } => "nodes.run",
            NodesRunEach { .. } => "nodes.run-each",
            NodesClockOffset { .. } => "nodes.clock-offset",
            NodesQuarantine { .. } => "nodes.quarantine",
            NodesRelease { .. } => "nodes.release",
            NodesQuarantined => "nodes.quarantined",
            FilesStat { .. } => "files.stat",
            FilesFingerprint { .. } => "files.fingerprint",
            FilesFingerprintEach { .. } => "files.fingerprint-each",
            FilesRead { .. } => "files.read",
            FilesSpace { .. } => "files.space",
            FilesPut { .. } => "files.put",
            FilesPutEach { .. } => "files.put-each",
            FilesStage { .. } => "files.stage",
            FilesSwap { .. } => "files.swap",
            FilesDiscard { .. } => "files.discard",
            FilesRemove { .. } => "files.remove",
            FilesRestore { .. } => "files.restore",
            ClusterHealth => "cluster.health",
            ClusterServed { .. } => "cluster.served",
            ClusterManager => "cluster.manager",
            CryptoGenerateKey { .. } => "crypto.generate-key",
            CryptoPrepareKey { .. } => "crypto.prepare-key",
            CryptoSelfSign { .. } => "crypto.self-sign",
            CryptoIssue { .. } => "crypto.issue",
            CryptoRequest { .. } => "crypto.request",
            CryptoAccept { .. } => "crypto.accept",
            CryptoAcceptCa { .. } => "crypto.accept-ca",
            CryptoSuppliedCa { .. } => "crypto.supplied-ca",
            CryptoInspect { .. } => "crypto.inspect",
            CryptoVerifyChain { .. } => "crypto.verify-chain",
            CryptoCheckKey { .. } => "crypto.check-key",
            KeyringVersions { .. } => "keyring.versions",
            KeyringAdd { .. } => "keyring.add",
            KeyringRetire { .. } => "keyring.retire",
            KeyringCanary { .. } => "keyring.canary",
            KeyringOpens { .. } => "keyring.opens",
            KeyringNeeds { .. } => "keyring.needs",
            KeyringRewrap { .. } => "keyring.rewrap",
            SecretsAsk { .. } => "secrets.ask",
            SecretsGenerate { .. } => "secrets.generate",
            SecretsCheck { .. } => "secrets.check",
            OperatorParameter { .. } => "operator.parameter",
            OperatorConfirm { .. } => "operator.confirm",
            OperatorAcknowledge { .. } => "operator.acknowledge",
            OperatorNote { .. } => "operator.note",
            OperatorProgress { .. } => "operator.progress",
            StateGet { .. } => "state.get",
            StateSet { .. } => "state.set",
            ClockNow => "clock.now",
            ClockSleep { .. } => "clock.sleep",
        }
    }

    /// Returns the interface of the function, as `nodes`.
    pub fn interface(&self) -> &'static str {
        // The name has a dot by construction; without one the whole name is the interface.
        self.function().split_once('.').map_or(self.function(), |(interface, _)| interface)
    }

    /// Returns the nodes of an effect that is done on each of them by itself; none for every other effect.
    pub fn each(&self) -> Option<&[NodeName]> {
        match self {
            Self::NodesRunEach { nodes, .. }
            | Self::FilesFingerprintEach { nodes, .. }
            | Self::FilesPutEach { nodes, .. } => Some(nodes),
            _ => None,
        }
    }

    /// Returns what an effect that is done on each of its nodes is on one of them; none for every other effect.
    pub fn child(&self, node: &NodeName) -> Option<Effect> {
        let node = node.clone();
        match self.clone() {
            Self::NodesRunEach { command, arguments, .. } => {
                Some(Self::NodesRun { node, command, arguments })
            }
            Self::FilesFingerprintEach { file, .. } => Some(Self::FilesFingerprint { node, file }),
            Self::FilesPutEach { file, content, .. } => Some(Self::FilesPut { node, file, content }),
            _ => None,
        }
    }

    /// Returns the set, the node and the file of an effect that stages something.
    pub fn stages(&self) -> Option<(&ObjectName, &NodeName, &FileName)> {
        match self {
            Self::FilesStage { set, node, file, .. }
            | Self::KeyringAdd { set, node, file }
            | Self::KeyringRetire { set, node, file, .. } => Some((set, node, file)),
            _ => None,
        }
    }

    /// Returns the nodes the effect touches, in the order named.
    pub fn nodes(&self) -> Vec<&NodeName> {
        use Effect::*;
        match self {
            NodesRun { node, .. }
            | NodesClockOffset { node }
            | FilesStat { node, .. }
            | FilesFingerprint { node, .. }
            | FilesRead { node, .. }
            | FilesSpace { node, .. }
            | FilesSwap { node, .. }
            | FilesDiscard { node, .. }
            | FilesRemove { node, .. }
            | FilesRestore { node, .. }
            | NodesQuarantine { node, .. }
            | NodesRelease { node }
            | KeyringVersions { node, .. }
            | KeyringAdd { node, .. }
            | KeyringRetire { node, .. }
            | KeyringCanary { node, .. }
            | KeyringOpens { node, .. }
            | KeyringRewrap { node, .. }
            | CryptoCheckKey { node, .. }
            | ClusterServed { node, .. } => vec![node],
            FilesPut { node, content, .. } | FilesStage { node, content, .. } => match content {
                Content::File { node: from, .. } if from != node => vec![node, from],
                _ => vec![node],
            },
            NodesRunEach { nodes, .. } | FilesFingerprintEach { nodes, .. } => nodes.iter().collect(),
            FilesPutEach { nodes, content, .. } => {
                let from = match content {
                    Content::File { node, .. } if !nodes.contains(node) => Some(node),
                    _ => None,
                };
                nodes.iter().chain(from).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// One line in an operator's words: what, on which node.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Effect::*;
        match self {
            NodesMembers => write!(f, "list the nodes"),
            NodesRun { node, command, arguments } => {
                write!(f, "run {command}")?;
                write_arguments(f, arguments)?;
                write!(f, " on {node}")
            }
            NodesRunEach { nodes, command, arguments } => {
                write!(f, "run {command}")?;
                write_arguments(f, arguments)?;
                write!(f, " on {} nodes", nodes.len())
            }
            NodesClockOffset { node } => write!(f, "compare the clock of {node}"),
            NodesQuarantine { node, reason } => write!(f, "quarantine {node}: {reason}"),
            NodesRelease { node } => write!(f, "release {node} from its quarantine"),
            NodesQuarantined => write!(f, "list the nodes in quarantine"),
            FilesStat { node, file } => write!(f, "look at {file} on {node}"),
            FilesFingerprint { node, file } => write!(f, "fingerprint {file} on {node}"),
            FilesFingerprintEach { nodes, file } => {
                write!(f, "fingerprint {file} on {} nodes", nodes.len())
            }
            FilesRead { node, file } => write!(f, "read {file} on {node}"),
            FilesSpace { node, file } => write!(f, "ask the room for {file} on {node}"),
            FilesPut { node, file, content } => write!(f, "write {file} on {node} from {content}"),
            FilesPutEach { nodes, file, content } => {
                write!(f, "write {file} on {} nodes from {content}", nodes.len())
            }
            FilesStage { set, node, file, content } => {
                write!(f, "stage {file} on {node} in {set} from {content}")
            }
            FilesSwap { set, node } => write!(f, "swap {set} in on {node}"),
            FilesDiscard { set, node } => write!(f, "discard {set} on {node}"),
            FilesRemove { node, file } => write!(f, "remove {file} on {node}"),
            FilesRestore { node, name } => write!(f, "restore {name} on {node}"),
            ClusterHealth => write!(f, "ask the managers for their health"),
            ClusterServed { node, endpoint } => write!(f, "ask {endpoint} on {node} for its certificate"),
            ClusterManager => write!(f, "access the manager's page"),
            CryptoGenerateKey { name, algorithm } => write!(f, "generate the {algorithm} key {name}"),
            CryptoPrepareKey { algorithm } => write!(f, "begin to make a key ({algorithm})"),
            CryptoSelfSign { name, .. } => write!(f, "self-sign the CA certificate {name}"),
            CryptoIssue { name, ca, .. } => write!(f, "issue {name} from {ca}"),
            CryptoRequest { key, .. } => write!(f, "make a signing request for {key}"),
            CryptoAccept { name, key, .. } => write!(f, "accept the certificate {name} for {key}"),
            CryptoAcceptCa { name, .. } => write!(f, "accept the CA certificate {name}"),
            CryptoSuppliedCa { name, .. } => write!(f, "open the supplied CA as {name}"),
            CryptoInspect { source } => write!(f, "inspect {source}"),
            CryptoVerifyChain { leaf, root } => write!(f, "verify {leaf} against {root}"),
            CryptoCheckKey { node, file, .. } => {
                write!(f, "see whether {file} on {node} is its certificate's key")
            }
            KeyringVersions { node, file } => write!(f, "inspect the key set {file} of {node}"),
            KeyringAdd { set, node, file } => {
                write!(f, "add a version to the key set {file} of {node}, staged in {set}")
            }
            KeyringRetire { set, node, file, version } => {
                write!(f, "take version {version} out of the key set {file} of {node}, staged in {set}")
            }
            KeyringCanary { name, node, file } => write!(f, "seal the canary {name} under {file} of {node}"),
            KeyringOpens { node, file, canary } => write!(f, "open {canary} with {file} of {node}"),
            KeyringNeeds { version } => write!(f, "see what needs version {version}"),
            KeyringRewrap { node, file } => write!(f, "seal the site's values anew under {file} of {node}"),
            SecretsAsk { name, .. } => write!(f, "ask for the secret {name}"),
            SecretsGenerate { name, .. } => write!(f, "generate the secret {name}"),
            SecretsCheck { name } => write!(f, "check {name} against the password policy"),
            OperatorParameter { name } => write!(f, "read the parameter {name}"),
            OperatorConfirm { .. } => write!(f, "ask the operator to confirm"),
            OperatorAcknowledge { .. } => write!(f, "ask the operator to acknowledge the impact"),
            OperatorNote { .. } => write!(f, "note"),
            OperatorProgress { done, total, .. } => write!(f, "progress {done}/{total}"),
            StateGet { name } => write!(f, "recall {name}"),
            StateSet { name, .. } => write!(f, "keep {name}"),
            ClockNow => write!(f, "read the clock"),
            ClockSleep { milliseconds } => write!(f, "wait {milliseconds} ms"),
        }
    }
}

fn write_arguments(f: &mut fmt::Formatter<'_>, arguments: &[Argument]) -> fmt::Result {
    for Argument { name, value } in arguments {
        match value {
            Value::Text(text) => write!(f, " {name}={text:?}")?,
            Value::Secret(secret) => write!(f, " {name}=<secret {secret}>")?,
        }
    }
    Ok(())
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Content::Certificate(name) => write!(f, "the certificate {name}"),
            Content::Key { key, passphrase } => write!(f, "the key {key} (encrypted with {passphrase})"),
            Content::Secret(name) => write!(f, "the secret {name}"),
            Content::File { node, file } => write!(f, "{file} of {node}"),
        }
    }
}

impl fmt::Display for CertificateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateSource::Object(name) => write!(f, "{name}"),
            CertificateSource::Bytes(_) => write!(f, "a certificate"),
        }
    }
}

pub(super) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
