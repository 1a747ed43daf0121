//! What the file of a plugin tells, with nothing of it run.

use super::capability::{functions, words};
use crate::model::audit::{Capability, Finding, Form, Granted as Has, Level, Place, Producer, Rule, Subject};
use crate::plugin::{Anatomy, Language, Manifest, PluginError, anatomy, api_series, manifest_of, sha256};
use crate::policy::{Met, PatternError, Rules};
use crate::site::GrantBlock;
use std::collections::BTreeSet;

/// The package of the contract's interfaces.
const PACKAGE: &str = "windlass:plugin/";

/// What a site grants a plugin.
#[derive(Debug, Clone, Copy)]
pub enum Granted<'a> {
    /// All that it asks for: it is bundled, and the site says nothing of it.
    AsAsked,
    Block(&'a GrantBlock),
}

/// What a file tells. Who signed it is left open: that is not in the file.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub manifest: Manifest,
    pub subject: Subject,
    pub capabilities: Vec<Capability>,
    pub findings: Vec<Finding>,
}

/// Why a file cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Plugin(#[from] PluginError),
    #[error("{plugin} asks for what cannot be read, so no grant could meet it")]
    Needs { plugin: String, source: PatternError },
    #[error("what the site grants {plugin} cannot be read")]
    Grants { plugin: String, source: PatternError },
}

/// Reads a component or a script. `file` is its path, and names it; `engine` is what a script is run by, with its
/// digest as its version; `granted` what the site grants it, where there is a site.
pub fn inspect(
    file: &str,
    bytes: &[u8],
    engine: Option<Producer>,
    granted: Option<Granted<'_>>,
) -> Result<Inspected, InspectError> {
    let manifest = manifest_of(file, bytes)?;
    let digest = sha256(bytes);
    let mut findings = Vec::new();
    let (form, mut capabilities) = match Language::of(file) {
        Some(language) => {
            let source: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
            let capabilities = asked(file, &manifest, &source)?;
            (script(language, engine, source), capabilities)
        }
        None => {
            let anatomy = anatomy(file, bytes)?;
            let mut capabilities = asked(file, &manifest, &[])?;
            imports(&anatomy, &mut capabilities, &mut findings);
            exports(&anatomy, &manifest, &mut findings);
            (component(anatomy), capabilities)
        }
    };
    if let Some(granted) = granted {
        grants(&manifest, &digest, granted, &mut capabilities, &mut findings)?;
    }
    let subject = Subject {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        kind: manifest.kind.as_str().into(),
        summary: manifest.summary.clone(),
        file: Some(file.into()),
        digest,
        bytes: bytes.len() as u64,
        signer: None,
        signature_problem: None,
        api: manifest.api.clone(),
        loads_on: format!("windlass {} and later", api_series()),
        form,
    };
    Ok(Inspected { manifest, subject, capabilities, findings })
}

fn component(anatomy: Anatomy) -> Form {
    let mut imports = Vec::new();
    for import in &anatomy.imports {
        let name = import.interface.strip_prefix(PACKAGE).map_or(import.interface.as_str(), unversioned);
        match import.functions.is_empty() {
            true => imports.push(name.to_owned()),
            false => imports.extend(import.functions.iter().map(|function| format!("{name}/{function}"))),
        }
    }
    imports.sort();
    Form::Component {
        language: anatomy.language,
        producers: anatomy.producers,
        dependencies: anatomy.dependencies,
        custom_sections: anatomy.custom_sections,
        memories: anatomy.memories,
        tables: anatomy.tables,
        imports,
        exports: anatomy.exports,
        modules: anatomy.modules,
    }
}

fn script(language: Language, engine: Option<Producer>, source: Vec<String>) -> Form {
    let language = match language {
        Language::Python => "python",
        Language::JavaScript => "js",
    };
    Form::Script { language: language.into(), engine, source }
}

/// What it asks for, pattern by pattern, in the order of its manifest.
fn asked(file: &str, manifest: &Manifest, source: &[String]) -> Result<Vec<Capability>, InspectError> {
    let mut all = Vec::new();
    for (number, need) in manifest.needs.iter().enumerate() {
        for (list, pattern) in need.patterns() {
            Rules::one(list, pattern)
                .map_err(|source| InspectError::Needs { plugin: manifest.name.to_string(), source })?;
            all.push(Capability {
                list: list.into(),
                pattern: pattern.clone(),
                words: words(list, pattern),
                reason: Some(need.reason.clone()),
                place: line(source, number, pattern).map(|line| Place { file: file.into(), line }),
                imported: None,
                granted: None,
                used: 0,
            });
        }
    }
    Ok(all)
}

/// The line of a script's head in which a need has a pattern.
fn line(source: &[String], need: usize, pattern: &str) -> Option<u32> {
    let begins = |line: &&String| line.trim_start_matches(['#', '/', ' ']).starts_with("[[needs]]");
    let first = source.iter().enumerate().filter(|(_, line)| begins(line)).nth(need)?.0;
    let quoted = [format!("\"{pattern}\""), format!("'{pattern}'")];
    let mut lines = source.iter().enumerate().skip(first);
    let found = lines.find(|(_, line)| quoted.iter().any(|quoted| line.contains(quoted)))?.0;
    u32::try_from(found + 1).ok()
}

/// Holds what it asks for against what it imports, and the other way round.
fn imports(anatomy: &Anatomy, capabilities: &mut Vec<Capability>, findings: &mut Vec<Finding>) {
    let (mut imported, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for import in &anatomy.imports {
        if let Some(interface) = import.interface.strip_prefix(PACKAGE).map(unversioned) {
            imported.extend(import.functions.iter().map(|function| format!("{interface}.{function}")));
            if import.whole {
                whole.insert(interface.to_owned());
            }
        } else if import.interface.starts_with("wasi:clocks/") {
            // What a program's own library reads and waits by becomes these effects.
            imported.extend(["clock.now".to_owned(), "clock.sleep".to_owned()]);
        }
    }
    let is_imported = |function: &String| {
        imported.contains(function)
            || function.split_once('.').is_some_and(|(interface, _)| whole.contains(interface))
    };
    let mut covered: BTreeSet<String> = BTreeSet::new();
    for capability in capabilities.iter_mut() {
        let can = functions(&capability.list, &capability.pattern);
        // A word that stands for no function is not imported either.
        if can.is_empty() {
            continue;
        }
        let there = can.iter().any(is_imported);
        capability.imported = Some(there);
        if !there {
            let about = format!("{} {}", capability.list, capability.pattern);
            let message = format!("it asks to {}, and imports no function that could", capability.words);
            let place = capability.place.clone();
            findings.push(Finding { place, ..Finding::new(Rule::NeedNotImported, &about, message) });
        }
        covered.extend(can);
    }
    let of = |interface: &str| {
        covered.iter().any(|function| function.split_once('.').is_some_and(|(of, _)| of == interface))
    };
    let mut foreign: Vec<&String> = imported.iter().filter(|function| !covered.contains(*function)).collect();
    foreign.extend(whole.iter().filter(|interface| !of(interface) && *interface != "types"));
    if anatomy.is_native() {
        for function in foreign {
            capabilities.push(unasked(function));
            let message = format!(
                "it imports {function}, and its manifest asks for nothing that it could do; it is denied"
            );
            let one = Finding::new(Rule::ImportNotAsked, function, message);
            findings.push(Finding { level: Level::Warning, ..one });
        }
    } else if !foreign.is_empty() {
        let message = format!(
            "its tool for {} imports whole interfaces, so it has more than it asks for; that is denied",
            anatomy.language
        );
        let one = Finding::new(Rule::ImportNotAsked, "whole interfaces", message);
        findings.push(one.evidence(foreign.into_iter().cloned().collect()));
    }
}

/// What it exports that its kind has not: nobody calls it, and nobody has rehearsed it.
fn exports(anatomy: &Anatomy, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let own = format!("{}-api", manifest.kind.as_str());
    let named = anatomy.exports.iter().filter_map(|export| export.strip_prefix(PACKAGE).map(unversioned));
    for other in named.filter(|export| *export != own) {
        let message =
            format!("its manifest says that it is a {}, and it exports {other}", manifest.kind.as_str());
        findings.push(Finding::new(Rule::Disagrees, other, message));
    }
}

/// What it imports and asks for nowhere.
fn unasked(function: &str) -> Capability {
    Capability {
        list: String::new(),
        pattern: function.into(),
        words: format!("call {function}, which is denied"),
        reason: None,
        place: None,
        imported: Some(true),
        granted: None,
        used: 0,
    }
}

/// Holds what it asks for against what the site grants, and the other way round.
fn grants(
    manifest: &Manifest,
    digest: &str,
    granted: Granted<'_>,
    capabilities: &mut [Capability],
    findings: &mut Vec<Finding>,
) -> Result<(), InspectError> {
    let name = &manifest.name;
    let unreadable = |source| InspectError::Grants { plugin: name.to_string(), source };
    let none = GrantBlock::default();
    let block = match granted {
        Granted::AsAsked => None,
        Granted::Block(block) => match block.digest.as_deref().filter(|meant| !digest.starts_with(meant)) {
            Some(meant) => {
                let message = format!(
                    "[grants.{name}] is meant for the digest {meant:.12}, and this is {digest:.12}: none of it counts"
                );
                let one = Finding::new(Rule::GrantNotNeeded, "digest", message);
                findings.push(Finding { level: Level::Warning, ..one });
                Some(&none)
            }
            None => Some(block),
        },
    };
    // Where there are mistakes there is a first.
    let held = block.map(Rules::parse).transpose().map_err(|mut errors| unreadable(errors.remove(0)))?;
    for capability in capabilities.iter_mut().filter(|one| one.reason.is_some()) {
        let met = match &held {
            None => Met::Whole,
            Some(held) => held.meet(&capability.list, &capability.pattern).map_err(unreadable)?,
        };
        capability.granted = Some(match met {
            Met::Whole => Has::Yes,
            Met::Part => Has::Partly,
            Met::No => Has::No,
        });
    }
    for (list, pattern) in block.into_iter().flat_map(GrantBlock::patterns) {
        let one = Rules::one(list, pattern).map_err(unreadable)?;
        let meets = |asked: &Capability| {
            asked.list == list && one.meet(list, &asked.pattern).is_ok_and(|met| met != Met::No)
        };
        if !capabilities.iter().any(meets) {
            let about = format!("{list} {pattern}");
            let message = format!("the site lets it {}, and it does not ask for that", words(list, pattern));
            findings.push(Finding::new(Rule::GrantNotNeeded, &about, message));
        }
    }
    Ok(())
}

fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(interface, _)| interface)
}
