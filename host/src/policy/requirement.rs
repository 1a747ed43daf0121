//! What an effect needs to be allowed, piece by piece.

use crate::model::{
    Argument, CommandName, Content, Effect, EndpointName, FileName, NodeName, ObjectName, Value,
};
use std::fmt;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Stat,
    Read,
    Copy,
    Write,
}

impl Verb {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "stat" => Self::Stat,
            "read" => Self::Read,
            "copy" => Self::Copy,
            "write" => Self::Write,
            _ => return None,
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stat => "stat",
            Self::Read => "read",
            Self::Copy => "copy",
            Self::Write => "write",
        })
    }
}

/// One thing that must be granted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// `arguments`: each placeholder's plain value; none for a secret.
    Command {
        command: CommandName,
        node: NodeName,
        arguments: Vec<(String, Option<String>)>,
    },
    File {
        verb: Verb,
        file: FileName,
        node: NodeName,
    },
    Endpoint {
        endpoint: EndpointName,
        node: NodeName,
    },
    Crypto(&'static str),
    Keyring(&'static str),
    /// `sink`: where it goes; none: it is asked for or checked.
    Secret {
        secret: ObjectName,
        sink: Option<String>,
    },
    General(&'static str),
}

impl Requirement {
    /// Returns the node the requirement is about.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Command { node, .. } | Self::File { node, .. } | Self::Endpoint { node, .. } => Some(node),
            Self::Crypto(_) | Self::Keyring(_) | Self::Secret { .. } | Self::General(_) => None,
        }
    }
}

/// The line of `grants.toml` that would allow it.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { command, node, .. } => write!(f, "commands = [\"{command}@{node}\"]"),
            Self::File { verb, file, node } => write!(f, "files = [\"{verb} {file}@{node}\"]"),
            Self::Endpoint { endpoint, node } => write!(f, "endpoints = [\"{endpoint}@{node}\"]"),
            Self::Crypto(operation) => write!(f, "crypto = [\"{operation}\"]"),
            Self::Keyring(operation) => write!(f, "keyring = [\"{operation}\"]"),
            Self::Secret { secret, sink: None } => write!(f, "secrets = [\"{secret}\"]"),
            Self::Secret { secret, sink: Some(sink) } => write!(f, "secrets = [\"{secret} -> {sink}\"]"),
            Self::General(word) => write!(f, "general = [\"{word}\"]"),
        }
    }
}

/// Takes an effect apart. `members` are the files of a staged set on a node.
pub(super) fn requirements(
    effect: &Effect,
    members: &dyn Fn(&ObjectName, &NodeName) -> Vec<FileName>,
    is_command: &dyn Fn(&str) -> bool,
) -> Vec<Requirement> {
    use Effect::*;
    let general = |word| vec![Requirement::General(word)];
    let file = |verb, file: &FileName, node: &NodeName| Requirement::File {
        verb,
        file: file.clone(),
        node: node.clone(),
    };
    match effect {
        NodesMembers | NodesClockOffset { .. } | NodesQuarantined => general("nodes"),
        NodesQuarantine { .. } | NodesRelease { .. } => general("quarantine"),
        NodesRun { node, command, arguments } => run(std::slice::from_ref(node), command, arguments),
        NodesRunEach { nodes, command, arguments } => run(nodes, command, arguments),
        FilesStat { node, file: name }
        | FilesFingerprint { node, file: name }
        | FilesSpace { node, file: name } => vec![file(Verb::Stat, name, node)],
        FilesFingerprintEach { nodes, file: name } => {
            nodes.iter().map(|node| file(Verb::Stat, name, node)).collect()
        }
        FilesRead { node, file: name } => vec![file(Verb::Read, name, node)],
        FilesPut { node, file: name, content } | FilesStage { node, file: name, content, .. } => {
            written(std::slice::from_ref(node), name, content)
        }
        FilesPutEach { nodes, file: name, content } => written(nodes, name, content),
        FilesSwap { set, node } | FilesDiscard { set, node } => {
            members(set, node).iter().map(|name| file(Verb::Write, name, node)).collect()
        }
        FilesRemove { node, file: name } => vec![file(Verb::Write, name, node)],
        FilesRestore { node, name } => match (is_command(name), CommandName::new(name.as_str())) {
            (true, Ok(command)) => run(std::slice::from_ref(node), &command, &[]),
            // A name that is neither is answered `unknown` by the backend.
            _ => {
                FileName::new(name.as_str()).map(|name| file(Verb::Write, &name, node)).into_iter().collect()
            }
        },
        ClusterHealth => general("health"),
        ClusterServed { node, endpoint } => {
            vec![Requirement::Endpoint { endpoint: endpoint.clone(), node: node.clone() }]
        }
        ClusterManager => general("manager"),
        CryptoGenerateKey { .. } | CryptoPrepareKey { .. } => vec![Requirement::Crypto("generate-key")],
        CryptoSelfSign { .. } => vec![Requirement::Crypto("self-sign")],
        CryptoIssue { .. } => vec![Requirement::Crypto("issue")],
        CryptoSuppliedCa { passphrase, .. } => vec![
            Requirement::Crypto("supplied-ca"),
            Requirement::Secret { secret: passphrase.clone(), sink: Some("supplied-ca".into()) },
        ],
        CryptoInspect { .. } => vec![Requirement::Crypto("inspect")],
        CryptoVerifyChain { .. } => vec![Requirement::Crypto("verify-chain")],
        CryptoCheckKey { node, file: name, passphrase, .. } => vec![
            Requirement::Crypto("check-key"),
            file(Verb::Stat, name, node),
            Requirement::Secret { secret: passphrase.clone(), sink: Some("check-key".into()) },
        ],
        KeyringVersions { node, file: name } => {
            vec![Requirement::Keyring("versions"), file(Verb::Stat, name, node)]
        }
        KeyringAdd { node, file: name, .. } => {
            vec![Requirement::Keyring("add"), file(Verb::Write, name, node)]
        }
        KeyringRetire { node, file: name, .. } => {
            vec![Requirement::Keyring("retire"), file(Verb::Write, name, node)]
        }
        KeyringCanary { node, file: name, .. } => {
            vec![Requirement::Keyring("canary"), file(Verb::Stat, name, node)]
        }
        KeyringOpens { node, file: name, .. } => {
            vec![Requirement::Keyring("opens"), file(Verb::Stat, name, node)]
        }
        KeyringNeeds { .. } => vec![Requirement::Keyring("needs")],
        KeyringRewrap { node, file: name } => {
            vec![Requirement::Keyring("rewrap"), file(Verb::Stat, name, node)]
        }
        SecretsAsk { name, .. } | SecretsGenerate { name, .. } | SecretsCheck { name } => {
            vec![Requirement::Secret { secret: name.clone(), sink: None }]
        }
        OperatorParameter { .. } => general("parameters"),
        OperatorConfirm { .. } | OperatorAcknowledge { .. } => general("confirm"),
        OperatorNote { .. } | OperatorProgress { .. } => general("note"),
        StateGet { .. } | StateSet { .. } => general("state"),
        ClockNow | ClockSleep { .. } => general("clock"),
    }
}

/// Writing a file on some nodes, and taking what is written from where it is.
fn written(nodes: &[NodeName], name: &FileName, content: &Content) -> Vec<Requirement> {
    let file = |verb, file: &FileName, node: &NodeName| Requirement::File {
        verb,
        file: file.clone(),
        node: node.clone(),
    };
    let mut all: Vec<_> = nodes.iter().map(|node| file(Verb::Write, name, node)).collect();
    let sink = Some(format!("file:{name}"));
    match content {
        Content::File { node, file: from } => all.push(file(Verb::Copy, from, node)),
        Content::Key { passphrase, .. } => {
            all.push(Requirement::Secret { secret: passphrase.clone(), sink });
        }
        Content::Secret(secret) => all.push(Requirement::Secret { secret: secret.clone(), sink }),
        Content::Bytes(_) | Content::Certificate(_) => {}
    }
    all
}

fn run(nodes: &[NodeName], command: &CommandName, arguments: &[Argument]) -> Vec<Requirement> {
    let plain: Vec<_> = arguments
        .iter()
        .map(|argument| match &argument.value {
            Value::Text(text) => (argument.name.clone(), Some(text.clone())),
            Value::Secret(_) => (argument.name.clone(), None),
        })
        .collect();
    let mut all: Vec<_> = nodes
        .iter()
        .map(|node| Requirement::Command {
            command: command.clone(),
            node: node.clone(),
            arguments: plain.clone(),
        })
        .collect();
    all.extend(arguments.iter().filter_map(|argument| match &argument.value {
        Value::Secret(secret) => Some(Requirement::Secret {
            secret: secret.clone(),
            sink: Some(format!("{command}.{}", argument.name)),
        }),
        Value::Text(_) => None,
    }));
    all
}
