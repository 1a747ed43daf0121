//! One node: its variables, its named paths, its files.

use super::super::error::NodesError;
use crate::capability::files::{Kind, ResolvedFile, Target};
use crate::model::NodeName;
use crate::site::{CommandDeclaration, FileDeclaration, Profile, Site, Template, TemplatePart, Var, Written};
use indexmap::IndexMap;

/// Named paths may name each other; no honest profile goes deeper.
const DEEPEST: usize = 16;
/// As most systems' `PATH_MAX`, bytes.
const LONGEST_PATH: usize = 4096;

/// What the names of the profile mean on one node. Made once a node and run.
#[derive(Debug, Clone)]
pub struct NodeContext {
    pub(super) node: NodeName,
    /// The value, or why there is none.
    variables: IndexMap<String, Result<String, String>>,
    paths: IndexMap<String, Template>,
}

impl NodeContext {
    /// `environments`: by user, what the login environment of the node has of [`vars_needed`](crate::site::vars_needed).
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
        let variables =
            site.vars.clone().into_iter().map(|(name, variable)| (name, value(variable))).collect();
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

    /// A path from a template without placeholders: absolute, and nothing in it that climbs.
    pub(super) fn path(&self, what: &str, template: &Template) -> Result<String, NodesError> {
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
    pub(super) fn variable(&self, name: &str, depth: usize) -> Result<String, NodesError> {
        let missing =
            |why: String| NodesError::Variable { node: self.node.clone(), variable: name.to_owned(), why };
        match (self.variables.get(name), self.paths.get(name)) {
            (Some(value), _) => value.clone().map_err(missing),
            (None, Some(_)) if depth == DEEPEST => Err(missing("named paths go in a circle here".into())),
            (None, Some(template)) => {
                let mut text = String::new();
                for part in &template.parts {
                    match part {
                        TemplatePart::Text(part) => text.push_str(part),
                        TemplatePart::Variable(inner) => text.push_str(&self.variable(inner, depth + 1)?),
                        TemplatePart::Placeholder(_) => {
                            return Err(missing("a named path cannot depend on an argument".into()));
                        }
                    }
                    // Paths that double each other would grow without end.
                    if text.len() > LONGEST_PATH {
                        return Err(missing(format!("it is longer than {LONGEST_PATH} bytes")));
                    }
                }
                Ok(text)
            }
            (None, None) => Err(missing("neither the site nor its profile declares it".into())),
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
pub(super) fn normalise(path: &str) -> Result<String, &'static str> {
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
