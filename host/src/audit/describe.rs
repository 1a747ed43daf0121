//! Whether a plugin says of itself what its manifest says of it.

use crate::model::audit::{Finding, Rule};
use crate::plugin::{Kind, Manifest, Parameter, Plugin, PluginError};
use std::collections::BTreeSet;

/// Calls `describe` of a plugin, in which every effect is refused, and returns where it disagrees with the manifest.
///
/// The two are written by one author in other words, so what must agree is little: they share a word, and a procedure
/// describes parameters where it asks for them, each once and so that its default is a value that it takes. That it
/// exports what its kind says is seen where it is loaded.
pub async fn disagreements(plugin: &Plugin) -> Result<Vec<Finding>, PluginError> {
    let manifest = plugin.manifest();
    Ok(match manifest.kind {
        Kind::Procedure => {
            let described = plugin.procedure_describe().await?;
            compare(manifest, &described.title, &described.parameters)
        }
        Kind::Hook => compare(manifest, &plugin.hook_describe().await?.title, &[]),
    })
}

fn compare(manifest: &Manifest, title: &str, parameters: &[Parameter]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |about: &str, message: String| {
        findings.push(Finding::new(Rule::Disagrees, about, message).at(Some("describe".into()), None));
    };
    if stems(&manifest.summary).is_disjoint(&stems(title)) {
        let message =
            format!("its manifest says {:?}, and it describes itself as {title:?}", manifest.summary);
        add("title", message);
    }
    let asks = manifest.needs.iter().any(|need| need.general.iter().any(|word| word == "parameters"));
    let names: Vec<&str> = parameters.iter().map(|one| one.name.as_str()).collect();
    match (asks, names.is_empty()) {
        (false, false) => {
            let names = names.join(", ");
            add(
                "parameters",
                format!("it describes parameters ({names}), and its manifest does not ask for any"),
            );
        }
        // A hook asks for those of the procedure.
        (true, true) if manifest.kind == Kind::Procedure => {
            add("parameters", "its manifest asks for parameters, and it describes none".into());
        }
        _ => {}
    }
    for (at, parameter) in parameters.iter().enumerate() {
        let Parameter { name, default, choices, .. } = parameter;
        if names.iter().take(at).any(|earlier| earlier == name) {
            add(name, format!("it describes the parameter {name} twice"));
        }
        if let Some(default) =
            default.as_ref().filter(|default| !choices.is_empty() && !choices.contains(default))
        {
            add(
                name,
                format!("the parameter {name} is {default:?} where nothing is given, which it does not take"),
            );
        }
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
        let parameter = |name: &str, default: Option<&str>, choices: &[&str]| Parameter {
            name: name.into(),
            summary: "for the test".into(),
            default: default.map(Into::into),
            choices: choices.iter().map(ToString::to_string).collect(),
        };
        let ids = |manifest: &Manifest, title: &str, parameters: &[Parameter]| -> Vec<String> {
            compare(manifest, title, parameters).into_iter().map(|finding| finding.id).collect()
        };
        let ca = parameter("ca", None, &[]);
        assert!(ids(&manifest, "Replace certificates", &[]).is_empty());
        assert_eq!(ids(&manifest, "Delete everything on the node", &[]), ["disagrees:title"]);
        assert_eq!(ids(&manifest, "replace it", std::slice::from_ref(&ca)), ["disagrees:parameters"]);
        manifest.needs.push(Need { general: vec!["parameters".into()], ..Need::default() });
        assert!(
            ids(&manifest, "replace it", &[ca.clone(), parameter("days", Some("1"), &["1", "2"])]).is_empty()
        );
        assert_eq!(ids(&manifest, "replace it", &[]), ["disagrees:parameters"]);
        assert_eq!(ids(&manifest, "replace it", &[ca.clone(), ca]), ["disagrees:ca"]);
        assert_eq!(
            ids(&manifest, "replace it", &[parameter("days", Some("3"), &["1", "2"])]),
            ["disagrees:days"]
        );
        manifest.kind = Kind::Hook;
        assert!(ids(&manifest, "replace it", &[]).is_empty(), "they are the procedure's");
    }
}
