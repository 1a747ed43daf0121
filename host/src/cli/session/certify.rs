//! `windlass certify`: what an audit says of a plugin, taken over by somebody with their reasons and their signature.

use super::approve::key_for;
use super::authority::trust;
use super::certified::place_of_bundled;
use super::ending::{approval_error, plugin_error};
use super::install::lock_error;
use super::known::{Known, Origin, known};
use crate::approval::{Namespace, beside, record_beside};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::audit::{AUDIT_FORMAT, Audit, Finding, Form, Level, Verdict};
use crate::model::{Accepted, CERTIFICATION_FORMAT, Certification, Digested, PluginName};
use crate::plugin::{manifest_of, sha256};
use crate::report::{self, harmless};
use crate::site::{Outline, PROFILE, Together, nearest};
use camino::{Utf8Path, Utf8PathBuf};
use std::io::Read as _;

/// Far more than any report.
const LONGEST_REPORT: u64 = 64 << 20;

/// `windlass certify`.
pub struct Certify {
    /// A plugin of the site by name, or a file.
    pub plugin: String,
    /// Each `FINDING=WHY`.
    pub accept: Vec<String>,
    /// None: the ssh agent's.
    pub key: Option<Utf8PathBuf>,
}

/// What is to be certified, by its own bytes.
struct Subject {
    kind: String,
    name: PluginName,
    version: String,
    sha256: String,
    /// What the record lies beside.
    file: Utf8PathBuf,
}

/// Reads a report that `windlass audit --json` wrote.
pub fn read_report(path: &Utf8Path) -> Result<Audit> {
    let unusable = |why: String| {
        Error::new(Exit::Usage, format!("{path} is no report of an audit: {why}"))
            .hint("windlass audit PLUGIN --json writes one")
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unusable(error.to_string()))?;
    // A device would be read for ever.
    file.take(LONGEST_REPORT + 1).read_to_end(&mut bytes).map_err(|error| unusable(error.to_string()))?;
    if bytes.len() as u64 > LONGEST_REPORT {
        return Err(unusable(format!("it is longer than {} MiB", LONGEST_REPORT >> 20)));
    }
    // The format first: a newer one may have fields that this windlass does not know.
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found == u64::from(AUDIT_FORMAT) => {}
        Some(found) => {
            let why = format!("it has format {found}, and this windlass reads format {AUDIT_FORMAT}");
            return Err(unusable(why));
        }
        None => return Err(unusable("it does not say its format".into())),
    }
    serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))
}

/// Shows an audit, and writes and signs a record of it beside the plugin.
pub fn certify(context: &Context, certify: &Certify, audit: &Audit) -> Result {
    let ui = &context.ui;
    let subject = subject(context, &certify.plugin)?;
    is_of(&subject, audit, &certify.plugin)?;
    let accepted = accepted(audit, &certify.accept)?;
    let trust = trust(context)?;
    let key = key_for(context, &trust, certify.key.as_deref(), Namespace::Audit)?;
    let (signed_by, now) = (key.signed_by(), jiff::Timestamp::now().as_second());
    let person = trust.signers.who(&signed_by, Namespace::Audit, now);
    let fingerprint = signed_by.fingerprint();
    let record = Certification {
        format: CERTIFICATION_FORMAT,
        kind: subject.kind,
        name: subject.name,
        version: subject.version,
        sha256: subject.sha256,
        engine: engine(audit)?,
        verdict: audit.verdict,
        accepted,
        rehearsals: audit.rehearsals.count,
        envelope: audit.envelope.clone(),
        windlass: audit.windlass.clone(),
        by: person.as_ref().map_or_else(|_| fingerprint.clone(), |person| person.name.clone()),
        at: now,
    };
    if !ui.is_json() {
        report::audit::text(audit).iter().for_each(|line| ui.out(line));
        for Accepted { id, reason, .. } in &record.accepted {
            ui.out(format!("accepted: {}, because: {}", harmless(id), harmless(reason)));
        }
    }
    if ui.interactive && ui.ask("Certify it?") != Some(true) {
        return Err(Error::new(Exit::Failed, "nothing was certified"));
    }
    let bytes = record.encode().map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let signature = key.sign(&bytes, Namespace::Audit).map_err(approval_error)?;
    let path = record_beside(&subject.file);
    let mut files = Together::default();
    files.write(beside(&path), signature.as_bytes()).map_err(lock_error)?;
    files.write(path.clone(), &bytes).map_err(lock_error)?;
    files.commit().map_err(lock_error)?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "record": path, "signature": beside(&path), "sha256": record.sha256, "key": fingerprint,
            "principal": person.as_ref().ok().map(|person| &person.name), "accepted": record.accepted,
        }));
    }
    ui.say(format!("certified: {path}"));
    match &person {
        Ok(person) => ui.say(format!("signed by {} ({fingerprint})", person.name)),
        Err(why) => ui.warn(format!("signed, but {why}, says {}", trust.path)),
    }
    Ok(Exit::Done)
}

/// A file that is named, or else a plugin of the site: never one whose place another takes.
fn subject(context: &Context, plugin: &str) -> Result<Subject> {
    let path = Utf8Path::new(plugin);
    if path.is_file() {
        let unusable = |why: String| Error::new(Exit::Usage, format!("{path} cannot be certified: {why}"));
        let bytes = super::incoming::read(path).map_err(unusable)?;
        let manifest = manifest_of(plugin, &bytes).map_err(plugin_error)?;
        return Ok(Subject {
            kind: manifest.kind.as_str().into(),
            name: manifest.name,
            version: manifest.version,
            sha256: sha256(&bytes),
            file: camino::absolute_utf8(path).unwrap_or_else(|_| path.to_owned()),
        });
    }
    let site = Outline::load(&context.site_dir).map_err(|errors| {
        let mut error =
            Error::new(Exit::Usage, format!("there is no file {plugin:?}, and no site that could have it"));
        error.causes.extend(errors.mistakes.iter().map(ToString::to_string));
        error.hint("name the plugin's file, or the site: windlass -C SITE certify NAME")
    })?;
    let all = known(context, &site)?;
    let mut all = all.into_iter().filter(|one| one.kind != PROFILE && !one.shadowed);
    let names: Vec<String> = all.clone().map(|one| one.name.to_string()).collect();
    let Some(one) = all.find(|one| one.name.as_str() == plugin) else {
        let error = Error::new(Exit::Usage, format!("there is neither a file nor a plugin {plugin:?}"));
        return Err(match nearest(plugin, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("is {near} meant?")),
            None => error.hint(format!("the site has: {}", names.join(", "))),
        });
    };
    let Known {
        kind, name, origin, file, digest: Some(sha256), version: Some(version), problem: None, ..
    } = one
    else {
        let why = one.problem.unwrap_or_else(|| "its file cannot be read".into());
        return Err(Error::new(Exit::Usage, format!("{plugin} cannot be certified: {}", harmless(&why))));
    };
    let file = match (origin, file) {
        (Origin::Site, Some(file)) => site.dir.join(file),
        _ => place_of_bundled(&site.dir, &name),
    };
    Ok(Subject { kind: kind.into(), name, version, sha256, file })
}

/// Refuses a report of anything else, and one that was edited so that its verdict is not that of its findings.
fn is_of(subject: &Subject, audit: &Audit, plugin: &str) -> Result<()> {
    let Subject { kind, name, version, sha256, .. } = subject;
    let of = &audit.plugin;
    if of.digest != *sha256 || of.kind != *kind || of.name != *name || of.version != *version {
        return Err(Error::new(
            Exit::Refused,
            format!(
                "the report is of the {} {} {}, {:.12}, and {plugin} is the {kind} {name} {}, {sha256:.12}",
                harmless(&of.kind),
                of.name,
                harmless(&of.version),
                harmless(&of.digest),
                harmless(version)
            ),
        )
        .hint(format!("windlass audit {plugin} --json   makes a report of it")));
    }
    if audit.verdict != Verdict::of(&audit.findings) {
        return Err(Error::new(
            Exit::Refused,
            "the report's verdict is not that of its findings: it was edited",
        )
        .hint(format!("windlass audit {plugin} --json   makes a report of it")));
    }
    Ok(())
}

/// What a script was run by, by its digest.
fn engine(audit: &Audit) -> Result<Option<Digested>> {
    let Form::Script { engine, .. } = &audit.plugin.form else { return Ok(None) };
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match engine {
        Some(engine) if is_digest(&engine.version) => {
            Ok(Some(Digested { name: engine.name.clone(), sha256: engine.version.clone() }))
        }
        _ => Err(Error::new(
            Exit::Refused,
            "the report does not say by its digest which engine ran the script, so nothing it says would hold elsewhere",
        )
        .hint("audit it where windlass has its engine: cargo xtask engines builds it")),
    }
}

/// The findings that are accepted, each with its reason: all above a note must be.
fn accepted(audit: &Audit, given: &[String]) -> Result<Vec<Accepted>> {
    let usage = |what: String| Error::new(Exit::Usage, what);
    let mut accepted: Vec<Accepted> = Vec::with_capacity(given.len());
    for text in given {
        let (finding, reason) = said(audit, text)?;
        let id = harmless(&finding.id);
        if reason.trim().is_empty() {
            return Err(usage(format!("--accept {id} wants the reason, in words")));
        }
        if accepted.iter().any(|other| other.id == finding.id) {
            return Err(usage(format!("--accept {id} is said twice")));
        }
        accepted.push(Accepted {
            id: finding.id.clone(),
            level: finding.level,
            message: finding.message.clone(),
            reason: reason.trim().to_owned(),
        });
    }
    let open: Vec<&Finding> = audit
        .findings
        .iter()
        .filter(|finding| finding.level > Level::Note && !accepted.iter().any(|one| one.id == finding.id))
        .collect();
    if open.is_empty() {
        accepted.sort_by(|one, other| one.id.cmp(&other.id));
        return Ok(accepted);
    }
    let what = match open.len() {
        1 => "1 finding is not accepted, so nothing was certified".to_owned(),
        several => format!("{several} findings are not accepted, so nothing was certified"),
    };
    let mut error = Error::new(Exit::Findings, what);
    for Finding { id, level, message, .. } in open {
        error.causes.push(format!("{}: {}: {}", level.as_str(), harmless(id), harmless(message)));
        error.hints.push(format!("--accept '{}=WHY'", harmless(id).replace('\'', r"'\''")));
    }
    Err(error)
}

/// Takes `FINDING=WHY` apart. What a finding is about may have an equals sign in it: the longest that fits is meant.
fn said<'a, 't>(audit: &'a Audit, text: &'t str) -> Result<(&'a Finding, &'t str)> {
    let reason =
        |finding: &&'a Finding| Some((*finding, text.strip_prefix(finding.id.as_str())?.strip_prefix('=')?));
    let fitting = audit.findings.iter().filter_map(|finding| reason(&finding));
    if let Some(found) = fitting.max_by_key(|(finding, _)| finding.id.len()) {
        return Ok(found);
    }
    let id = text.split_once('=').map_or(text, |(id, _)| id);
    let known = || audit.findings.iter().map(|finding| finding.id.as_str());
    if known().any(|known| known == text) {
        return Err(Error::new(Exit::Usage, format!("--accept {} wants the reason, in words", harmless(id)))
            .hint(format!("--accept '{}=WHY'", harmless(id))));
    }
    let error = Error::new(Exit::Usage, format!("there is no finding {:?} to accept", harmless(id)));
    Err(match nearest(id, known()) {
        Some(near) => error.hint(format!("is {} meant?", harmless(near))),
        None if audit.findings.is_empty() => error.hint("the audit has found nothing"),
        None => error.hint(format!("there are: {}", known().map(harmless).collect::<Vec<_>>().join(", "))),
    })
}

#[cfg(test)]
mod tests;
