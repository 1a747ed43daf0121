//! manifest.toml, read for its author: what is wrong, and what to write instead.

use super::super::plugins::as_grants;
use crate::cli::error::{Error, Exit, Result};
use crate::model::{TOO_DEEP, nests_too_deeply};
use crate::plugin::{Manifest, ManifestError, api_series, manifest};
use crate::policy::Rules;
use camino::Utf8Path;

/// Reads and checks the manifest of a project.
pub fn manifest_of(folder: &Utf8Path) -> Result<Manifest> {
    let file = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Error::new(Exit::Usage, format!("the manifest {file} cannot be read: {error}"))
            .hint("name the folder of a plugin's project; windlass plugin new NAME --lang rust begins one")
    })?;
    read(&text).map_err(|mut error| {
        error.message = format!("{file}: {}", error.message);
        error
    })
}

fn read(text: &str) -> Result<Manifest> {
    let wrong = |why: String| Error::new(Exit::Usage, why);
    if nests_too_deeply(text) {
        return Err(wrong(TOO_DEEP.into()));
    }
    let table: toml::Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    // Said before anything else, since it is forgotten most: what a person is asked to agree to.
    for (at, need) in table.get("needs").and_then(|needs| needs.as_array()).into_iter().flatten().enumerate()
    {
        let reason = need.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
        if reason.trim().is_empty() {
            let asks: Vec<_> = need.as_table().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            return Err(wrong(format!("need {} ({}) has no reason", at + 1, asks.join(", ")))
                .hint("say why, in words that an operator can judge: reason = \"Know what time it is\""));
        }
    }
    let made: Manifest = toml::from_str(text).map_err(|error| {
        wrong(error.to_string())
            .hint("a manifest has name, version, kind, api, summary, and [[needs]] with a reason each")
    })?;
    manifest::check(&made).map_err(|error| {
        let api = api_series();
        let about_api = matches!(error, ManifestError::Api { .. }) || made.api != api;
        let error = wrong(error.to_string());
        if about_api { error.hint(format!("write api = {api:?}")) } else { error }
    })?;
    for need in &made.needs {
        Rules::parse(&as_grants(need)).map_err(|errors| {
            let mut error = wrong(format!("the need \"{}\" has patterns that cannot be read", need.reason));
            error.causes = errors.iter().map(ToString::to_string).collect();
            error.hint("they are those of grants.toml, as commands = [\"restart-ha@second\"]")
        })?;
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"a\"\nversion = \"1.0.0\"\nkind = \"hook\"\napi = \"0.1\"\nsummary = \"Drain\"\n\
                        [[needs]]\nreason = \"Tell what is done\"\ngeneral = [\"note\"]\n";

    #[track_caller]
    fn check(from: &str, to: &str, says: &[&str]) {
        assert!(GOOD.contains(from));
        let said = read(&GOOD.replace(from, to)).unwrap_err().render();
        for word in says {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_first_manifests_mistakes_say_what_to_write() {
        read(GOOD).unwrap();
        check("reason = \"Tell what is done\"\n", "", &["need 1 (general) has no reason", "say why"]);
        check("Tell what is done", " ", &["has no reason"]);
        check("api = \"0.1\"", "api = \"0.2\"", &["0.2 of the plugin API", "write api = \"0.1\""]);
        check("api = \"0.1\"", "api = \"one\"", &["not a version", "write api = \"0.1\""]);
        check("kind = \"hook\"", "kind = \"hok\"", &["line 3", "procedure"]);
        check("kind = \"hook\"\n", "", &["kind", "a manifest has name"]);
        check("[\"note\"]", "[\"nots\"]", &["Tell what is done", "nots"]);
        check("general =", "generals =", &["generals", "general"]);
        check("\"Drain\"", "\"\"", &["summary"]);
    }
}
