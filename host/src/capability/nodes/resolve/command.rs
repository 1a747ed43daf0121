//! A command, filled in for one node.

use super::super::error::NodesError;
use super::arguments::{ArgumentValue, check_arguments};
use super::context::NodeContext;
use crate::model::{CommandName, NodeName};
use crate::site::{CommandDeclaration, CommandKind, Parser, Success, Template, TemplatePart};
use indexmap::IndexMap;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A command that is ready to run on one node.
pub struct ResolvedCommand {
    pub name: CommandName,
    pub node: NodeName,
    pub user: String,
    pub argv: Vec<Zeroizing<String>>,
    pub cwd: Option<String>,
    pub env: Vec<(String, String)>,
    pub prompts: Vec<ResolvedPrompt>,
    pub request: Option<ResolvedRequest>,
    pub success: Success,
    pub output: Parser,
    pub timeout: Duration,
    pub terminal: bool,
    /// The secrets it is given: what it prints of them is masked.
    pub secrets: Vec<Zeroizing<Vec<u8>>>,
}

pub struct ResolvedPrompt {
    pub expect: String,
    pub reply: Zeroizing<Vec<u8>>,
}

/// A request of the controller's, for a command of kind `http`.
pub struct ResolvedRequest {
    pub method: String,
    pub url: String,
    pub body: Option<RequestBody>,
    pub expect: Vec<u16>,
    /// Where to ask whether it is finished, and what the answer holds then.
    pub poll: Option<(String, String)>,
}

pub struct RequestBody {
    pub content_type: &'static str,
    pub bytes: Zeroizing<Vec<u8>>,
}

/// By name only: arguments and replies may be secret.
impl fmt::Debug for ResolvedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedCommand")
            .field("name", &self.name)
            .field("node", &self.node)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How a value is written where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Encoding {
    Plain,
    /// Inside a string of JSON.
    Json,
    /// A component of a URL or of a form.
    Percent,
}

impl NodeContext {
    /// Fills a command in for this node. `allow_secret_in_argv` is the site's word for the procedure;
    /// the command's own declaration must say so too.
    pub fn resolve_command(
        &self,
        command: &CommandDeclaration,
        arguments: Vec<(String, ArgumentValue)>,
        allow_secret_in_argv: bool,
    ) -> Result<ResolvedCommand, NodesError> {
        let arguments = check_arguments(command, arguments)?;
        let refuse = |why: &str| NodesError::Declaration {
            command: command.name.clone(),
            node: self.node.clone(),
            why: why.into(),
        };
        let fill = Fill { context: self, command, arguments: &arguments };

        let mut argv = Vec::with_capacity(command.argv.len());
        for template in &command.argv {
            if fill.names_secret(template) {
                if !command.secret_in_argv {
                    return Err(refuse(
                        "a secret stands in its arguments, and the profile does not say `secret_in_argv`",
                    ));
                }
                if !allow_secret_in_argv {
                    return Err(refuse(
                        "a secret stands in its arguments, where every user of the node can see it; the site does not say `allow_secret_in_argv`",
                    ));
                }
            }
            argv.push(fill.text(template)?);
        }
        match (argv.first(), &command.request) {
            (Some(program), _) if program.is_empty() || program.starts_with('-') || program.contains('=') => {
                return Err(refuse("its first word is not the name of a program"));
            }
            (None, None) if command.kind != CommandKind::Manual => {
                return Err(refuse("it has no argument vector"));
            }
            _ => {}
        }

        let cwd = match &command.cwd {
            Some(template) => {
                Some(self.path(&format!("the folder that {} runs in", command.name), template)?)
            }
            None => None,
        };
        let mut env = Vec::with_capacity(command.env.len());
        for (name, template) in &command.env {
            let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !valid {
                return Err(refuse("a variable of its environment has a name that shells do not take"));
            }
            if fill.names_secret(template) {
                return Err(refuse(
                    "a secret stands in its environment, where it could be read and is inherited",
                ));
            }
            env.push((name.clone(), fill.text(template)?.to_string()));
        }
        let mut prompts = Vec::with_capacity(command.prompts.len());
        for prompt in &command.prompts {
            let reply = fill.bytes(&prompt.reply, Encoding::Plain)?;
            prompts.push(ResolvedPrompt { expect: prompt.expect.clone(), reply });
        }
        let request = fill.request()?;
        let secrets = arguments
            .into_values()
            .filter_map(|value| match value {
                ArgumentValue::Secret(bytes) => Some(bytes),
                ArgumentValue::Text(_) | ArgumentValue::Named(_) => None,
            })
            .collect();
        Ok(ResolvedCommand {
            name: command.name.clone(),
            node: self.node.clone(),
            user: command.user.clone(),
            argv,
            cwd,
            env,
            prompts,
            request,
            success: command.success.clone(),
            output: command.output,
            timeout: command.timeout,
            terminal: command.terminal,
            secrets,
        })
    }
}

/// What a command's templates are filled from.
struct Fill<'a> {
    context: &'a NodeContext,
    command: &'a CommandDeclaration,
    arguments: &'a IndexMap<String, ArgumentValue>,
}

impl Fill<'_> {
    fn names_secret(&self, template: &Template) -> bool {
        template.parts.iter().any(|part| match part {
            TemplatePart::Placeholder(name) => {
                matches!(self.arguments.get(name), Some(ArgumentValue::Secret(_) | ArgumentValue::Named(_)))
            }
            TemplatePart::Text(_) | TemplatePart::Variable(_) => false,
        })
    }

    /// Measured before it is written, so that growing leaves no copy of a secret behind.
    fn bytes(&self, template: &Template, encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, NodesError> {
        let mut pieces = Vec::with_capacity(template.parts.len());
        for part in &template.parts {
            pieces.push(match part {
                TemplatePart::Text(text) => Zeroizing::new(text.clone().into_bytes()),
                TemplatePart::Variable(name) => {
                    encode(self.context.variable(name, 0)?.as_bytes(), Encoding::Plain)
                }
                TemplatePart::Placeholder(name) => match self.arguments.get(name) {
                    Some(ArgumentValue::Text(text)) => encode(text.as_bytes(), encoding),
                    Some(ArgumentValue::Secret(secret)) => encode(secret, encoding),
                    // A name for people: whatever stands there later is encoded, this is not.
                    Some(ArgumentValue::Named(secret)) => {
                        Zeroizing::new(format!("<secret {secret}>").into_bytes())
                    }
                    None => {
                        return Err(NodesError::Argument {
                            command: self.command.name.clone(),
                            argument: name.clone(),
                            why: "the command uses it and does not declare it".into(),
                        });
                    }
                },
            });
        }
        let mut whole = Zeroizing::new(Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
        for piece in &pieces {
            whole.extend_from_slice(piece);
        }
        Ok(whole)
    }

    fn text(&self, template: &Template) -> Result<Zeroizing<String>, NodesError> {
        let bytes = self.bytes(template, Encoding::Plain)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => Ok(Zeroizing::new(text.to_owned())),
            _ => Err(NodesError::Declaration {
                command: self.command.name.clone(),
                node: self.context.node.clone(),
                why: "a word of it is not text".into(),
            }),
        }
    }

    fn request(&self) -> Result<Option<ResolvedRequest>, NodesError> {
        let Some(request) = &self.command.request else { return Ok(None) };
        let url = |template: &Template| {
            if self.names_secret(template) {
                return Err(NodesError::Declaration {
                    command: self.command.name.clone(),
                    node: self.context.node.clone(),
                    why: "a secret stands in its URL, which servers log".into(),
                });
            }
            let bytes = self.bytes(template, Encoding::Percent)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let body = match &request.body {
            Some(template) => {
                // The body's own text says what it is, so that a quote in a password stays a quote.
                let first = template.parts.first();
                let json = matches!(first, Some(TemplatePart::Text(text)) if text.trim_start().starts_with(['{', '[']));
                let (encoding, content_type) = match json {
                    true => (Encoding::Json, "application/json"),
                    false => (Encoding::Percent, "application/x-www-form-urlencoded"),
                };
                Some(RequestBody { content_type, bytes: self.bytes(template, encoding)? })
            }
            None => None,
        };
        let poll = match &request.poll {
            Some((template, holds)) => Some((url(template)?, holds.clone())),
            None => None,
        };
        Ok(Some(ResolvedRequest {
            method: request.method.clone(),
            url: url(&request.url)?,
            body,
            expect: request.expect.clone(),
            poll,
        }))
    }
}

pub(in super::super) fn encode(value: &[u8], encoding: Encoding) -> Zeroizing<Vec<u8>> {
    // No encoding makes more than six bytes of one.
    let mut encoded = Zeroizing::new(Vec::with_capacity(value.len() * 6));
    for &byte in value {
        match encoding {
            Encoding::Json if byte == b'"' || byte == b'\\' => encoded.extend_from_slice(&[b'\\', byte]),
            Encoding::Percent if !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte) => {
                const HEX: [u8; 16] = *b"0123456789ABCDEF";
                encoded.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            // Control characters have been refused, so JSON needs no more.
            _ => encoded.push(byte),
        }
    }
    encoded
}
