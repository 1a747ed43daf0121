//! What a command's declaration says of it, for the backends that have nothing else to go by.

use crate::capability::nodes::NodeContext;
use crate::model::{CommandName, EndpointName, Fault, FileName, Outcome, code};
use crate::site::{CommandDeclaration, Endpoint, FileDeclaration, Parser, Profile, Written, nearest};

/// The files that a command changes, with their paths, each path once. A folder stands for the profile's
/// files below it, unless the command names any of them: then it is what else may change, and those that
/// are not named stay as they are.
pub(super) fn written_files(
    context: &NodeContext,
    profile: &Profile,
    command: &CommandDeclaration,
) -> Result<Vec<(FileName, String)>, Fault> {
    let mut files: Vec<(FileName, String)> = Vec::new();
    let mut add = |name: &FileName, path: String| {
        if files.iter().all(|(_, known)| *known != path) {
            files.push((name.clone(), path));
        }
    };
    let mut folders = Vec::new();
    let mut named = Vec::new();
    for written in &command.consequences.writes {
        match written {
            Written::File(name) => {
                let declaration = declaration(profile, name)?;
                let path = context.resolve_file(declaration).map_err(|error| error.to_fault())?.path;
                named.push(path.clone());
                add(name, path);
            }
            Written::Folder(name) => {
                folders.push(context.resolve_folder(name).map_err(|error| error.to_fault())?);
            }
        }
    }
    for folder in folders {
        let below = format!("{folder}/");
        if named.iter().any(|path| path.starts_with(&below)) {
            continue;
        }
        for (name, file) in &profile.files {
            // A file whose place is not known on this node is no file of this folder.
            let Ok(resolved) = context.resolve_file(file) else { continue };
            if resolved.path.starts_with(&below) {
                add(name, resolved.path);
            }
        }
    }
    Ok(files)
}

/// The outcome of a command that succeeds: it prints what its success is declared to print.
pub(super) fn as_declared(declaration: &CommandDeclaration) -> Outcome {
    let output = match declaration.output {
        Parser::Lines => declaration.success.contains.clone(),
        Parser::None | Parser::Json | Parser::OmsStatus => Vec::new(),
    };
    let exit = declaration.success.exit.first().copied().unwrap_or(0);
    Outcome { succeeded: true, exit, reason: String::new(), output }
}

/// The declaration of a file of the profile.
pub(super) fn declaration<'a>(profile: &'a Profile, file: &FileName) -> Result<&'a FileDeclaration, Fault> {
    let names = || profile.files.keys().map(FileName::as_str);
    profile.files.get(file).ok_or_else(|| not_declared(profile, "file", file.as_str(), names()))
}

/// The declaration of a command of the profile.
pub(super) fn command<'a>(profile: &'a Profile, name: &CommandName) -> Result<&'a CommandDeclaration, Fault> {
    let names = || profile.commands.keys().map(CommandName::as_str);
    profile.commands.get(name).ok_or_else(|| not_declared(profile, "command", name.as_str(), names()))
}

/// The declaration of an endpoint of the profile.
pub(super) fn endpoint<'a>(profile: &'a Profile, name: &EndpointName) -> Result<&'a Endpoint, Fault> {
    let names = || profile.endpoints.keys().map(EndpointName::as_str);
    profile.endpoints.get(name).ok_or_else(|| not_declared(profile, "endpoint", name.as_str(), names()))
}

/// What a name is answered with that the profile does not have.
fn not_declared<'a>(
    profile: &Profile,
    what: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Fault {
    let fault = Fault::new(code::UNKNOWN, format!("profile {} has no {what} {name}", profile.name));
    match nearest(name, names) {
        Some(near) => fault.hint(format!("did you mean {near}?")),
        None => fault,
    }
}
