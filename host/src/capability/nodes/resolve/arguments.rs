//! Arguments against their declarations.

use super::super::error::NodesError;
use crate::model::ObjectName;
use crate::site::{ArgumentDeclaration, CommandDeclaration};
use indexmap::IndexMap;
use zeroize::Zeroizing;

/// The value of one argument, as the run has it.
pub enum ArgumentValue {
    Text(String),
    Secret(Zeroizing<Vec<u8>>),
    /// A secret that is not at hand: a plan shows its name where the value will stand.
    Named(ObjectName),
}

/// Every declared argument with its value or default; nothing else.
pub(super) fn check_arguments(
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
        ArgumentValue::Named(_) => 0,
    };
    if length > declaration.longest {
        return Err(format!("it is {length} bytes long, and at most {} are allowed", declaration.longest));
    }
    match (value, declaration.secret) {
        (ArgumentValue::Text(_), true) => Err("it takes a secret of the run, not text".into()),
        (ArgumentValue::Named(_), true) => Ok(()),
        (ArgumentValue::Secret(_) | ArgumentValue::Named(_), false) => {
            Err("it is not marked secret, so no secret may go there".into())
        }
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
