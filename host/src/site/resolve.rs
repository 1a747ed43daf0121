//! Templates → text, for one node. Pure: variables come in as the node's transport read them.

use super::types::{Template, TemplatePart, Var};
use crate::model::NodeName;
use indexmap::IndexMap;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// How deep named paths may be made of each other; `Site::load` refuses circles before.
const DEEPEST: usize = 32;
/// Paths that double each other grow without end: no real template has that many pieces.
const MOST_PIECES: usize = 4096;

/// What a node gives to templates.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub node: &'a NodeName,
    /// The site's variables: where each value should come from.
    pub declared: &'a IndexMap<String, Var>,
    /// The values read on the node, by the site's name of the variable. Literals need not be in it.
    pub values: &'a IndexMap<String, String>,
    pub paths: &'a IndexMap<String, Template>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("${{{name}}} is not set on {node}: {source_of_it}")]
    Unset { name: String, node: NodeName, source_of_it: String },
    #[error("the placeholder {{{name}}} has no value")]
    NoArgument { name: String },
    #[error("the path ${{{name}}} is made of itself")]
    Circle { name: String },
    #[error("a template on {node} grows beyond {MOST_PIECES} pieces: its paths hold each other too often")]
    TooLong { node: NodeName },
}

/// Returns the text of a template. It may hold secrets, so it is made in one allocation and wiped.
///
/// # Errors
/// An unset or empty variable is an error, never an empty string: `/om-0.0.1` is nobody's folder.
pub fn expand(
    template: &Template,
    scope: Scope<'_>,
    args: &IndexMap<String, Zeroizing<String>>,
) -> Result<Zeroizing<String>, ExpandError> {
    let mut pieces = Vec::new();
    collect(template, scope, args, 0, &mut pieces)?;
    let mut text = Zeroizing::new(String::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
    for piece in pieces {
        text.push_str(&piece);
    }
    Ok(text)
}

fn collect<'t>(
    template: &'t Template,
    scope: Scope<'t>,
    args: &'t IndexMap<String, Zeroizing<String>>,
    depth: usize,
    pieces: &mut Vec<Cow<'t, str>>,
) -> Result<(), ExpandError> {
    for part in &template.parts {
        if pieces.len() >= MOST_PIECES {
            return Err(ExpandError::TooLong { node: scope.node.clone() });
        }
        match part {
            TemplatePart::Text(text) => pieces.push(text.into()),
            TemplatePart::Placeholder(name) => match args.get(name) {
                Some(value) => pieces.push(value.as_str().into()),
                None => return Err(ExpandError::NoArgument { name: name.clone() }),
            },
            TemplatePart::Variable(name) => match scope.paths.get(name) {
                Some(_) if depth >= DEEPEST => return Err(ExpandError::Circle { name: name.clone() }),
                Some(path) => collect(path, scope, args, depth + 1, pieces)?,
                None => pieces.push(variable(name, scope)?.into()),
            },
        }
    }
    Ok(())
}

fn variable<'a>(name: &str, scope: Scope<'a>) -> Result<&'a str, ExpandError> {
    let declared = scope.declared.get(name);
    let value = match declared {
        Some(Var::Literal(value)) => Some(value),
        _ => scope.values.get(name),
    };
    value.map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| ExpandError::Unset {
        name: name.to_owned(),
        node: scope.node.clone(),
        source_of_it: match declared {
            Some(Var::LoginEnv { variable, user }) => format!(
                "the login environment of {user} there has no {variable}; set it in that user's profile, \
                 or give {name} in [vars] of site.toml"
            ),
            _ => format!("give {name} in [vars] of site.toml"),
        },
    })
}

/// Returns the login variables to read, by user.
pub fn vars_needed(vars: &IndexMap<String, Var>) -> IndexMap<&str, Vec<&str>> {
    let mut needed: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for var in vars.values() {
        if let Var::LoginEnv { variable, user } = var {
            let names = needed.entry(user).or_default();
            if !names.contains(&variable.as_str()) {
                names.push(variable);
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        node: NodeName,
        declared: IndexMap<String, Var>,
        values: IndexMap<String, String>,
        paths: IndexMap<String, Template>,
    }

    fn fixture() -> Fixture {
        let login = |variable: &str| Var::LoginEnv { variable: variable.into(), user: "omm".into() };
        Fixture {
            node: NodeName::new("master1").unwrap(),
            declared: IndexMap::from([
                ("home".into(), login("BIGDATA_HOME")),
                ("empty".into(), login("EMPTY")),
                ("fixed".into(), Var::Literal("/srv".into())),
            ]),
            values: IndexMap::from([("home".into(), "/opt/B".into()), ("empty".into(), String::new())]),
            paths: IndexMap::from([
                ("om".into(), Template::parse("${home}/om").unwrap()),
                ("cert".into(), Template::parse("${om}/cert").unwrap()),
                ("loop".into(), Template::parse("${loop}/x").unwrap()),
                ("twice".into(), Template::parse("${fixed}${fixed}").unwrap()),
                ("bomb".into(), Template::parse(&"${twice}".repeat(4096)).unwrap()),
            ]),
        }
    }

    fn check(template: &str) -> Result<String, String> {
        let fixture = fixture();
        let scope = Scope {
            node: &fixture.node,
            declared: &fixture.declared,
            values: &fixture.values,
            paths: &fixture.paths,
        };
        let args = IndexMap::from([("password".to_owned(), Zeroizing::new("a'\"$`\\{x}".to_owned()))]);
        expand(&Template::parse(template).unwrap(), scope, &args)
            .map(|text| text.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn paths_are_made_of_paths_and_variables() {
        assert_eq!(check("${cert}/root-ca.crt").unwrap(), "/opt/B/om/cert/root-ca.crt");
        assert_eq!(check("${fixed}/$$x").unwrap(), "/srv/$x");
    }

    #[test]
    fn an_argument_is_never_read_as_a_template() {
        assert_eq!(check("-p={password}").unwrap(), "-p=a'\"$`\\{x}");
    }

    #[test]
    fn an_unset_or_empty_variable_is_an_error_that_names_node_and_source() {
        let error = check("${empty}/om-0.0.1").unwrap_err();
        assert_eq!(
            error,
            "${empty} is not set on master1: the login environment of omm there has no EMPTY; \
             set it in that user's profile, or give empty in [vars] of site.toml"
        );
        assert!(check("${nowhere}").unwrap_err().contains("give nowhere in [vars]"));
    }

    #[test]
    fn a_circle_and_a_missing_argument_are_errors() {
        assert_eq!(check("${loop}").unwrap_err(), "the path ${loop} is made of itself");
        assert!(check("${bomb}").unwrap_err().contains("too often"));
        assert_eq!(check("{other}").unwrap_err(), "the placeholder {other} has no value");
    }

    #[test]
    fn vars_needed_asks_each_login_once() {
        let mut fixture = fixture();
        fixture
            .declared
            .insert("again".into(), Var::LoginEnv { variable: "EMPTY".into(), user: "omm".into() });
        let needed = vars_needed(&fixture.declared);
        assert_eq!(needed, IndexMap::from([("omm", vec!["BIGDATA_HOME", "EMPTY"])]));
    }
}
