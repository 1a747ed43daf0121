//! From a declaration of the profile to one node: variables, paths, commands with their arguments.
//!
//! Nothing is guessed: a variable without a value is an error, never an empty string, and a value that
//! does not fit its placeholder's declaration is refused before any node hears of it.

use super::error::NodesError;
use crate::capability::files::{Kind, ResolvedFile, Target};
use crate::model::{CommandName, NodeName};
use crate::site::{
    ArgumentDeclaration, CommandDeclaration, FileDeclaration, Parser, Profile, Site, Success, Template,
    TemplatePart, Var, Written,
};
use indexmap::IndexMap;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Named paths may name each other; no honest profile goes deeper.
const DEEPEST: usize = 16;
/// As most systems' `PATH_MAX`, bytes.
const LONGEST_PATH: usize = 4096;

/// What the names of the profile mean on one node. Made once a node and run.
#[derive(Debug, Clone)]
pub struct NodeContext {
    node: NodeName,
    /// The value, or why there is none.
    variables: IndexMap<String, Result<String, String>>,
    paths: IndexMap<String, Template>,
}

/// The value of one argument, as the run has it.
pub enum ArgumentValue {
    Text(String),
    Secret(Zeroizing<Vec<u8>>),
}

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

/// How a value is written where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// Inside a string of JSON.
    Json,
    /// A component of a URL or of a form.
    Percent,
}

/// Returns the variables that each user's login environment is asked for.
pub fn environments_needed(site: &Site) -> IndexMap<String, Vec<String>> {
    let mut needed: IndexMap<String, Vec<String>> = IndexMap::new();
    for variable in variables(site).values() {
        if let Var::LoginEnv { variable, user } = variable {
            let of_user = needed.entry(user.clone()).or_default();
            if !of_user.contains(variable) {
                of_user.push(variable.clone());
            }
        }
    }
    needed
}

/// The profile's variables, with the site's in their place.
fn variables(site: &Site) -> IndexMap<String, Var> {
    let mut variables = site.profile.vars.clone();
    variables.extend(site.vars.clone());
    variables
}

impl NodeContext {
    /// `environments`: by user, what the login environment of the node has of [`environments_needed`].
    /// A variable that is missing is an error only where it is used.
    pub fn new(
        site: &Site,
        node: &NodeName,
        environments: &IndexMap<String, IndexMap<String, String>>,
    ) -> Self {
        let value = |variable: Var| match variable {
            Var::Literal(value) => usable(value, "its value"),
            Var::LoginEnv { variable, user } => {
                let found = environments.get(&user).and_then(|environment| environment.get(&variable));
                let what = format!("{variable} in the login environment of {user}");
                match found {
                    Some(value) => usable(value.clone(), &what),
                    None => Err(format!("{what} is not set")),
                }
            }
        };
        let variables = variables(site).into_iter().map(|(name, variable)| (name, value(variable))).collect();
        Self { node: node.clone(), variables, paths: site.profile.paths.clone() }
    }

    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// Binds a declared file to its path on this node.
    pub fn resolve_file(&self, declaration: &FileDeclaration) -> Result<ResolvedFile, NodesError> {
        let what = format!("the file {}", declaration.name);
        let path = self.path(&what, &declaration.path)?;
        if let Some(owner) = &declaration.owner {
            let valid = !owner.is_empty()
                && !owner.starts_with(['-', ':'])
                && owner.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:$".contains(c));
            if !valid {
                return Err(NodesError::Path {
                    node: self.node.clone(),
                    what,
                    path,
                    why: "its declared owner is not the name of a user, nor USER:GROUP",
                });
            }
        }
        Ok(ResolvedFile {
            name: declaration.name.clone(),
            path,
            mode: declaration.mode,
            owner: declaration.owner.clone(),
            secret: declaration.secret,
            guessable: declaration.guessable,
            read_only: declaration.read_only,
        })
    }

    /// Returns where a named path of the profile lies.
    pub fn resolve_folder(&self, name: &str) -> Result<String, NodesError> {
        let template = Template { parts: vec![TemplatePart::Variable(name.to_owned())] };
        self.path(&format!("the path {name}"), &template)
    }

    /// Returns what a command is declared to write: what is saved before it runs.
    pub fn written(
        &self,
        profile: &Profile,
        command: &CommandDeclaration,
    ) -> Result<Vec<Target>, NodesError> {
        let target = |written: &Written| match written {
            Written::File(name) => {
                let declaration = profile.files.get(name).ok_or_else(|| NodesError::Declaration {
                    command: command.name.clone(),
                    node: self.node.clone(),
                    why: format!("it is declared to write {name}, which is no file of the profile"),
                })?;
                let path = self.resolve_file(declaration)?.path;
                Ok(Target { name: name.to_string(), path, kind: Kind::File })
            }
            Written::Folder(name) => {
                Ok(Target { name: name.clone(), path: self.resolve_folder(name)?, kind: Kind::Folder })
            }
        };
        command.consequences.writes.iter().map(target).collect()
    }

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
            (None, None) => return Err(refuse("it has no argument vector")),
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
                ArgumentValue::Text(_) => None,
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

    /// A path from a template without placeholders: absolute, and nothing in it that climbs.
    fn path(&self, what: &str, template: &Template) -> Result<String, NodesError> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                TemplatePart::Text(part) => text.push_str(part),
                TemplatePart::Variable(name) => text.push_str(&self.variable(name, 0)?),
                TemplatePart::Placeholder(_) => {
                    return Err(self.bad_path(what, &text, "it depends on an argument"));
                }
            }
        }
        normalise(&text).map_err(|why| self.bad_path(what, &text, why))
    }

    fn bad_path(&self, what: &str, path: &str, why: &'static str) -> NodesError {
        NodesError::Path { node: self.node.clone(), what: what.into(), path: path.into(), why }
    }

    /// The value of a variable or of a named path.
    fn variable(&self, name: &str, depth: usize) -> Result<String, NodesError> {
        let missing =
            |why: String| NodesError::Variable { node: self.node.clone(), variable: name.to_owned(), why };
        match (self.variables.get(name), self.paths.get(name)) {
            (Some(value), _) => value.clone().map_err(missing),
            (None, Some(_)) if depth == DEEPEST => Err(missing("named paths go in a circle here".into())),
            (None, Some(template)) => template
                .parts
                .iter()
                .map(|part| match part {
                    TemplatePart::Text(text) => Ok(text.clone()),
                    TemplatePart::Variable(inner) => self.variable(inner, depth + 1),
                    TemplatePart::Placeholder(_) => {
                        Err(missing("a named path cannot depend on an argument".into()))
                    }
                })
                .collect(),
            (None, None) => Err(missing("neither the site nor its profile declares it".into())),
        }
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
                matches!(self.arguments.get(name), Some(ArgumentValue::Secret(_)))
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

pub(super) fn encode(value: &[u8], encoding: Encoding) -> Zeroizing<Vec<u8>> {
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

/// Every declared argument with its value or default; nothing else.
fn check_arguments(
    command: &CommandDeclaration,
    given: Vec<(String, ArgumentValue)>,
) -> Result<IndexMap<String, ArgumentValue>, NodesError> {
    let bad = |argument: &str, why: String| NodesError::Argument {
        command: command.name.clone(),
        argument: argument.to_owned(),
        why,
    };
    let mut checked = IndexMap::with_capacity(command.args.len());
    for (name, value) in given {
        let Some(declaration) = command.args.get(&name) else {
            let declared: Vec<&str> = command.args.keys().map(String::as_str).collect();
            return Err(bad(
                &name,
                match declared.is_empty() {
                    true => "the command takes no arguments".into(),
                    false => format!("the command takes {}", declared.join(", ")),
                },
            ));
        };
        check_value(declaration, &value).map_err(|why| bad(&name, why))?;
        if checked.insert(name.clone(), value).is_some() {
            return Err(bad(&name, "it is given twice".into()));
        }
    }
    for (name, declaration) in &command.args {
        if checked.contains_key(name) {
            continue;
        }
        let Some(default) = &declaration.default else {
            return Err(bad(name, "it is missing and has no default".into()));
        };
        let value = ArgumentValue::Text(default.clone());
        check_value(declaration, &value).map_err(|why| bad(name, format!("its default: {why}")))?;
        checked.insert(name.clone(), value);
    }
    Ok(checked)
}

/// The reason never quotes the value: it may be a secret given in the wrong place.
fn check_value(declaration: &ArgumentDeclaration, value: &ArgumentValue) -> Result<(), String> {
    let length = match value {
        ArgumentValue::Text(text) => text.len(),
        ArgumentValue::Secret(secret) => secret.len(),
    };
    if length > declaration.longest {
        return Err(format!("it is {length} bytes long, and at most {} are allowed", declaration.longest));
    }
    match (value, declaration.secret) {
        (ArgumentValue::Text(_), true) => Err("it takes a secret of the run, not text".into()),
        (ArgumentValue::Secret(_), false) => Err("it is not marked secret, so no secret may go there".into()),
        (ArgumentValue::Secret(secret), true) => {
            if secret.is_empty() {
                return Err("the secret is empty".into());
            }
            // A newline would answer the next prompt too.
            match secret.iter().any(u8::is_ascii_control) {
                true => Err("the secret has a control character in it".into()),
                false => Ok(()),
            }
        }
        (ArgumentValue::Text(text), false) => {
            if text.starts_with('-') {
                return Err("it starts with '-' and would read as an option".into());
            }
            let allowed = |c: char| {
                c.is_ascii_alphanumeric() || (declaration.characters.contains(c) && !c.is_control())
            };
            match text.chars().find(|c| !allowed(*c)) {
                Some(c) => Err(format!("the character {c:?} is not allowed there")),
                None => Ok(()),
            }
        }
    }
}

/// A variable's value that can stand in a path or an argument.
fn usable(value: String, what: &str) -> Result<String, String> {
    if value.trim().is_empty() {
        Err(format!("{what} is empty"))
    } else if value.chars().any(char::is_control) {
        Err(format!("{what} has a control character in it"))
    } else {
        Ok(value)
    }
}

/// Slashes made single; everything else that is not plain is refused.
fn normalise(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("it is not absolute");
    }
    if path.len() > LONGEST_PATH {
        return Err("it is longer than 4096 bytes");
    }
    if path.chars().any(char::is_control) {
        return Err("it has a control character in it");
    }
    let mut normal = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == ".." || part == "." {
            return Err("it has '.' or '..' in it");
        }
        normal.push('/');
        normal.push_str(part);
    }
    if normal.is_empty() { Err("it is the root of the file system") } else { Ok(normal) }
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

#[cfg(test)]
pub(super) mod tests;
