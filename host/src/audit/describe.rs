//! Whether a plugin says of itself what its manifest says of it.

use crate::model::audit::{Finding, Rule};
use crate::plugin::{Kind, Manifest, Plugin, PluginError};
use std::collections::BTreeSet;

/// Calls `describe` of a plugin, in which every effect is refused, and returns where it disagrees with the manifest.
///
/// The two are written by one author in other words, so what must agree is little: they share a word, and a plugin
/// that takes parameters asks for them.
pub async fn disagreements(plugin: &Plugin) -> Result<Vec<Finding>, PluginError> {
    let manifest = plugin.manifest();
    let (title, parameters) = match manifest.kind {
        Kind::Procedure => {
            let described = plugin.procedure_describe().await?;
            (described.title, described.parameters.into_iter().map(|one| one.name).collect())
        }
        Kind::Hook => (plugin.hook_describe().await?.title, Vec::new()),
    };
    Ok(compare(manifest, &title, &parameters))
}

fn compare(manifest: &Manifest, title: &str, parameters: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if stems(&manifest.summary).is_disjoint(&stems(title)) {
        let message =
            format!("its manifest says {:?}, and it describes itself as {title:?}", manifest.summary);
        findings.push(Finding::new(Rule::Disagrees, "title", message).at(Some("describe".into()), None));
    }
    let asks = manifest.needs.iter().any(|need| need.general.iter().any(|word| word == "parameters"));
    if !parameters.is_empty() && !asks {
        let message = format!(
            "it describes parameters ({}), and its manifest does not ask for any",
            parameters.join(", ")
        );
        findings.push(Finding::new(Rule::Disagrees, "parameters", message).at(Some("describe".into()), None));
    }
    findings
}

/// The longer words of a text, by how they begin: `Replaces` and `replace` are one.
fn stems(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 3);
    words.map(|word| word.to_lowercase().chars().take(5).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PluginName;
    use crate::plugin::Need;

    #[test]
    fn a_title_in_other_words_agrees_and_one_about_something_else_does_not() {
        let mut manifest = Manifest {
            name: PluginName::new("ha-cert").unwrap(),
            version: "1.0.0".into(),
            kind: Kind::Procedure,
            api: "0.1".into(),
            summary: "Replaces the HA certificates of a pair".into(),
            approvals: 0,
            needs: Vec::new(),
        };
        let ids = |manifest: &Manifest, title: &str, parameters: &[&str]| -> Vec<String> {
            let parameters: Vec<String> = parameters.iter().map(ToString::to_string).collect();
            compare(manifest, title, &parameters).into_iter().map(|finding| finding.id).collect()
        };
        assert!(ids(&manifest, "Replace certificates", &[]).is_empty());
        assert_eq!(ids(&manifest, "Delete everything on the node", &[]), ["disagrees:title"]);
        assert_eq!(ids(&manifest, "replace it", &["ca"]), ["disagrees:parameters"]);
        manifest.needs.push(Need { general: vec!["parameters".into()], ..Need::default() });
        assert!(ids(&manifest, "replace it", &["ca"]).is_empty());
    }
}
