//! An audit put together: what a plugin's file tells, what its rehearsals show, how much of its code they reached.

use super::audited::{self, Audited, Opened};
use super::ending::{fault_error, plugin_error};
use crate::audit::{self, Granted, How, Plainly, Progress, Setting, Side};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::model::audit::{AUDIT_FORMAT, Audit, Conformance, Coverage, Finding, Rule, Subject, Verdict};
use crate::site::{GrantBlock, Outline};
use camino::Utf8PathBuf;

/// `windlass audit`.
#[derive(Debug, Default)]
pub struct Auditing {
    pub plugin: String,
    /// In place of the scenarios that lie beside the plugin.
    pub scenarios: Vec<Utf8PathBuf>,
    /// The version that it is to follow.
    pub against: Option<String>,
    /// The procedure that it is to replace.
    pub like: Option<PluginName>,
}

/// Audits a plugin, and whatever it is to be compared with.
pub fn audit(context: &Context, auditing: &Auditing, progress: Progress<'_>) -> Result<Audit> {
    let of = audited::find(context, &auditing.plugin)?;
    let (mut audit, shown) = one(context, &of, auditing, progress)?;
    if let Some(old) = &auditing.against {
        let old = audited::find(context, old)?;
        let (before, shown_before) = one(context, &old, auditing, progress)?;
        let new = Side { audit: &audit, shown: &shown };
        let comparison = audit::compare(&new, &Side { audit: &before, shown: &shown_before });
        audit.comparison = Some(comparison);
    }
    if let Some(procedure) = &auditing.like {
        conforms(context, procedure, auditing, &shown.plainly, &mut audit)?;
    }
    audit.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    audit.verdict = Verdict::of(&audit.findings);
    Ok(audit)
}

/// Repeats one rehearsal alone, and returns its transcript. `seed`: its number, as findings give it.
pub fn repeat(context: &Context, auditing: &Auditing, scenario: &str, seed: u32) -> Result<Vec<String>> {
    let of = audited::find(context, &auditing.plugin)?;
    let mut settings = of.open(context)?.settings(auditing)?;
    let names: Vec<String> = settings.iter().map(|(name, _)| name.clone()).collect();
    settings.retain(|(name, _)| name == scenario);
    if settings.is_empty() {
        return Err(Error::new(Exit::Usage, format!("{} has no scenario {scenario}", auditing.plugin))
            .hint(format!("there are: {}", names.join(", "))));
    }
    let shown = rehearsed(&settings, &How { threads: 1, only: Some(&[seed]), progress: &|_, _, _| {} })?;
    match shown.alone.is_empty() {
        false => Ok(shown.alone),
        true => Err(Error::new(Exit::Usage, format!("{scenario} has no rehearsal {seed}"))
            .hint("0 is the plain one; findings give the numbers of the others")),
    }
}

fn one(
    context: &Context,
    of: &Audited,
    auditing: &Auditing,
    progress: Progress<'_>,
) -> Result<(Audit, audit::Shown)> {
    let opened = of.open(context)?;
    let plugin = &opened.plugin;
    let nothing = GrantBlock::default();
    let site = Outline::load(&context.site_dir).ok();
    let block = site.as_ref().and_then(|site| site.grants.get(plugin.name()));
    let granted = site.as_ref().map(|_| match (block, &of.path) {
        (Some(block), _) => Granted::Block(block),
        (None, None) => Granted::AsAsked,
        (None, Some(_)) => Granted::Block(&nothing),
    });
    let inspected = audit::inspect(&of.file, &of.bytes, opened.engine(), granted)
        .map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let disagreements =
        super::network::one_thread()?.block_on(audit::disagreements(plugin)).map_err(plugin_error)?;
    let settings = opened.settings(auditing)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let shown = rehearsed(&settings, &How { threads, only: None, progress })?;
    let coverage = coverage(&opened, &settings, &shown, threads)?;

    let mut capabilities = inspected.capabilities;
    for capability in &mut capabilities {
        capability.used = audit::uses(&capability.list, &capability.pattern, &shown.took);
    }
    let mut findings = shown.findings.clone();
    findings.extend(inspected.findings);
    findings.extend(disagreements);
    // Of a need that is no effect nothing can be seen.
    let unused = capabilities
        .iter()
        .filter(|one| one.used == 0 && one.reason.is_some() && one.pattern != crate::policy::UNCLEAR_ROLES);
    findings.extend(unused.map(|one| {
        let message = format!("it asks for what no rehearsal used: {}", one.words);
        let about = format!("{} {}", one.list, one.pattern);
        Finding { place: one.place.clone(), ..Finding::new(Rule::NeedUnused, &about, message) }
    }));
    findings.extend(not_exercised(&coverage));
    let audit = Audit {
        format: AUDIT_FORMAT,
        windlass: env!("CARGO_PKG_VERSION").into(),
        plugin: signed(context, of, inspected.subject)?,
        verdict: Verdict::NothingFound,
        findings,
        capabilities,
        rehearsals: shown.rehearsals.clone(),
        envelope: shown.envelope.clone(),
        coverage,
        grants: audit::least(&inspected.manifest, &shown.took, block),
        comparison: None,
        conformance: None,
    };
    Ok((audit, shown))
}

fn rehearsed(settings: &[(String, Setting)], how: &How<'_>) -> Result<audit::Shown> {
    audit::rehearse(settings, how).map_err(|fault| fault_error(Exit::Usage, &fault))
}

fn not_exercised(coverage: &Coverage) -> Option<Finding> {
    let Coverage::Functions { unreached, .. } = coverage else { return None };
    let able: Vec<_> = unreached.iter().filter(|one| !one.effects.is_empty()).collect();
    let named =
        |one: &&crate::model::audit::Unreached| format!("{}: {}", one.function, one.effects.join(", "));
    let message = format!("{} functions that can cause an effect were never run", able.len());
    let evidence = able.iter().take(5).map(named).collect();
    (!able.is_empty()).then(|| Finding::new(Rule::NotExercised, "", message).evidence(evidence))
}

/// Says who signed the file, and whether that counts here.
fn signed(context: &Context, of: &Audited, subject: Subject) -> Result<Subject> {
    use super::admit::{Signature, signature};
    let Some(path) = &of.path else { return Ok(Subject { file: None, ..subject }) };
    let trust = super::authority::trust(context)?;
    Ok(match signature(&trust, path, &of.bytes)? {
        Signature::None => subject,
        Signature::Of(signer) => Subject { signer: Some(signer.principal), ..subject },
        Signature::Not(why) => Subject { signature_problem: Some(why.to_string()), ..subject },
    })
}

/// How much of the code is reached by the plain rehearsals and by those that took a course of their own. They are played
/// once more for it, with marks in the code: one that does otherwise then, as it sees them or has not the fuel for both,
/// is not measured by that.
fn coverage(
    opened: &Opened<'_>,
    settings: &[(String, Setting)],
    shown: &audit::Shown,
    threads: usize,
) -> Result<Coverage> {
    let measured = opened.measured()?;
    if measured.is_measured() {
        let with = |setting: &Setting| Setting { plugin: measured.clone(), ..setting.clone() };
        let settings: Vec<_> = settings.iter().map(|(name, setting)| (name.clone(), with(setting))).collect();
        let marked = audit::walk_through(&settings, &shown.courses, threads)
            .map_err(|fault| fault_error(Exit::Usage, &fault))?;
        let plain = shown.rehearsals.scenarios.iter().map(|scenario| &scenario.transcript);
        if !marked.iter().eq(plain) {
            return Ok(Coverage::NotMeasurable { why: "with marks in its code it does otherwise".into() });
        }
    }
    Ok(measured.coverage())
}

/// Holds a replacement to the bundled procedure, on the same scenarios.
fn conforms(
    context: &Context,
    procedure: &PluginName,
    auditing: &Auditing,
    ours: &[(String, Plainly)],
    audit: &mut Audit,
) -> Result<()> {
    let replaced = audited::bundled(context, procedure.as_str())?;
    let opened = replaced.open(context)?;
    let settings = opened.settings(auditing)?;
    let digest = opened.plugin.digest().to_owned();
    let theirs = rehearsed(&settings, &How { threads: 1, only: Some(&[0]), progress: &|_, _, _| {} })?;
    let scenarios = audit::conforms(ours, &theirs.plainly);
    for one in scenarios.iter().filter(|one| !one.differs.is_empty()) {
        let message = format!("in {} it does other than the {procedure} of windlass", one.scenario);
        let found = Finding::new(Rule::DoesNotConform, &one.scenario, message);
        audit.findings.push(found.evidence(one.differs.clone()));
    }
    audit.conformance = Some(Conformance { procedure: procedure.clone(), digest, scenarios });
    Ok(())
}
