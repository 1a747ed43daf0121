//! Parameters and secret sources: what the profile, the site and the command line say, settled.

use crate::cli::error::{Error, Exit};
use crate::model::PluginName;
use crate::plugin::Description;
use crate::site::{ProcedureSettings, SecretSource, Site};
use indexmap::IndexMap;

type Result<T> = std::result::Result<T, Error>;

/// Words of `[procedures.NAME]` that are the host's and not the procedure's.
const HOSTS_OWN: [&str; 1] = ["plugin"];
/// Words of a profile's defaults that are the host's.
const PROFILES_OWN: [&str; 1] = ["password_policy"];

/// Settles every parameter: command line, else site, else profile, else the procedure's default. `place` is where the
/// site's stand.
pub fn settle(
    procedure: &PluginName,
    described: &Description,
    site: &Site,
    settings: &ProcedureSettings,
    given: &[String],
    place: &str,
) -> Result<IndexMap<String, String>> {
    let mut values: IndexMap<String, String> = IndexMap::new();
    let mut mistakes = Vec::new();
    let known: Vec<&str> = described.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let profile = site.profile.defaults.get(procedure).into_iter().flatten();
    for (name, value) in profile.filter(|(name, _)| !PROFILES_OWN.contains(&name.as_str())) {
        // A profile serves several versions of a procedure: what this one does not know is not for it.
        if known.contains(&name.as_str()) {
            values.insert(name.clone(), value.clone());
        }
    }
    let sites = settings.params.iter().filter(|(name, _)| !HOSTS_OWN.contains(&name.as_str()));
    for (name, value) in sites {
        if !known.contains(&name.as_str()) {
            mistakes.push(unknown(place, name, &known));
        }
        values.insert(name.clone(), value.clone());
    }
    for pair in given {
        match pair.split_once('=') {
            Some((name, value)) if known.contains(&name) => drop(values.insert(name.into(), value.into())),
            Some((name, _)) => mistakes.push(unknown("-p", name, &known)),
            None => mistakes.push(format!("-p {pair:?}: write NAME=VALUE")),
        }
    }
    for parameter in &described.parameters {
        let name = &parameter.name;
        match values.get(name).or(parameter.default.as_ref()) {
            Some(value) => {
                if !parameter.choices.is_empty() && !parameter.choices.contains(value) {
                    mistakes.push(format!(
                        "{name} = {value:?}: {procedure} knows {}",
                        parameter.choices.join(", ")
                    ));
                }
                let value = value.clone();
                values.insert(name.clone(), value);
            }
            None => mistakes.push(format!(
                "{name} is missing ({}): set it under {place}, or say -p {name}=…",
                parameter.summary
            )),
        }
    }
    let hint = match known.as_slice() {
        [] => format!("{procedure} takes no parameters"),
        known => format!("the parameters of {procedure}: {}", known.join(", ")),
    };
    match mistakes.as_slice() {
        [] => Ok(values),
        [only] => Err(Error::new(Exit::Usage, only.clone()).hint(hint)),
        several => {
            let mut error =
                Error::new(Exit::Usage, format!("{} parameters of {procedure} are not right", several.len()));
            error.causes = mistakes;
            Err(error.hint(hint))
        }
    }
}

fn unknown(place: &str, name: &str, known: &[&str]) -> String {
    let nearest =
        known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match nearest {
        Some(nearest) => format!("{place}: there is no parameter {name:?}; did you mean {nearest}?"),
        None => format!("{place}: there is no parameter {name:?}; the procedure takes none"),
    }
}

/// Reads `--secret NAME=file:PATH|fd:N|prompt`. The value itself is never taken from the command line.
pub fn secret_sources(given: &[String]) -> Result<IndexMap<String, SecretSource>> {
    let mut sources = IndexMap::new();
    for pair in given {
        // What stands after the name could be a secret typed by mistake: it is not repeated.
        let Some((name, source)) = pair.split_once('=') else {
            return Err(Error::new(Exit::Usage, "--secret wants NAME=file:PATH, NAME=fd:N or NAME=prompt"));
        };
        let source = match source.split_once(':') {
            None if source == "prompt" => SecretSource::Prompt,
            // As the shell completes it: what the site's own files name is relative to the site instead.
            Some(("file", path)) if !path.is_empty() => {
                let path = camino::absolute_utf8(path).map_err(|error| {
                    Error::new(Exit::Usage, format!("--secret {name}=file:{path} cannot be found: {error}"))
                })?;
                SecretSource::File(path)
            }
            Some(("fd", number)) => match number.parse() {
                Ok(number) => SecretSource::Descriptor(number),
                Err(_) => {
                    return Err(Error::new(
                        Exit::Usage,
                        format!("--secret {name}=fd:N wants the number of an open descriptor"),
                    ));
                }
            },
            _ => {
                return Err(Error::new(
                    Exit::Usage,
                    format!(
                        "--secret {name}=… names where the secret comes from: file:PATH, fd:N or prompt; never the secret itself"
                    ),
                ));
            }
        };
        sources.insert(name.to_string(), source);
    }
    Ok(sources)
}
