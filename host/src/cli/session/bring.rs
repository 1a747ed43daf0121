//! What comes into a site is judged, shown, asked about and put in place: one file, or all of a bundle.

use super::admit::{Demand, Signature, judged};
use super::certified::{Asked, Vouched};
use super::incoming::{BundleSigned, Incoming, What};
use super::install::lock_error;
use crate::approval::{Certified, Namespace, Uncounted, beside, record_beside};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::{Accepted, Signer};
use crate::plugin::{Kind, sha256};
use crate::report::{harmless, moment};
use crate::site::{LOCK_FILE, Lock, Locked, LockedNeeds, Outline, Together, Trust};
use camino::{Utf8Path, Utf8PathBuf};

/// What the operator has said beforehand.
pub(super) struct Terms {
    pub yes: bool,
    pub accept_needs: bool,
}

/// Puts files into the site and into its lock, all or none, after showing what they are and what they ask for.
pub(super) fn bring(context: &Context, site: &Outline, mut files: Vec<Incoming>, terms: &Terms) -> Result {
    let ui = &context.ui;
    let mut lock = Lock::read(&site.dir).map_err(lock_error)?;
    let before = lock.clone();
    let demand = Demand::of(context, site.trust)?;
    for file in &mut files {
        file.keep_record(&site.dir)?;
    }
    let (there, coming): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.is_there(&site.dir, &before));
    for file in there.iter().filter(|_| !ui.is_json()) {
        ui.out(format!("{} {} is installed already: nothing to do", file.kind(), file.name));
    }
    if coming.is_empty() {
        told(context, &there, &[]);
        return Ok(Exit::Done);
    }
    let (mut signers, mut more) = (Vec::with_capacity(coming.len()), Vec::new());
    for file in &coming {
        let signer = signer(context, &demand, file)?;
        let certified = certified(context, &demand, file)?;
        let old = before.find(file.kind(), &file.name);
        show(context, &before, file, signer.as_ref(), certified.as_deref());
        let added = old.map(|old| added(&old.needs, &file.needs())).unwrap_or_default();
        if !added.is_empty() {
            more.push(format!(
                "{} asks for more than what was accepted of it: {}",
                file.name,
                added.join(", ")
            ));
        }
        signers.push(signer);
    }
    if terms.yes && !more.is_empty() && !terms.accept_needs {
        return Err(Error::new(Exit::Refused, more.join("; ")).hint("if that is meant: --accept-needs"));
    }
    let question = match coming.as_slice() {
        [_] => "Install it?".to_owned(),
        several => format!("Install these {}?", several.len()),
    };
    match terms.yes.then_some(true).or_else(|| ui.ask(&question)) {
        Some(true) => {}
        Some(false) => {
            ui.say("declined; nothing was installed");
            return Ok(Exit::Failed);
        }
        None => {
            return Err(Error::new(Exit::Preflight, "there is nobody to ask whether to install it")
                .hint("say --yes to install it unasked"));
        }
    }
    // The lock last: a file without its lock does not load, a lock without its file would be believed.
    let mut together = Together::default();
    for (file, signer) in coming.iter().zip(&signers) {
        let old = before.file(file.kind(), &file.name).map(|old| old.file.to_owned());
        if let Some(old) = old.filter(|old| *old != file.file) {
            all_beside(&site.dir.join(old)).into_iter().for_each(|path| together.remove(path));
        }
        let target = site.dir.join(&file.file);
        match &file.signature {
            Some(signature) => together.write(beside(&target), signature).map_err(lock_error)?,
            // One that is there is of other bytes.
            None => together.remove(beside(&target)),
        }
        let place = record_beside(&target);
        match file.record.as_ref().and_then(|record| record.signature.as_ref()) {
            Some(signature) => together.write(beside(&place), signature).map_err(lock_error)?,
            None => together.remove(beside(&place)),
        }
        match &file.record {
            Some(record) => together.write(place, &record.bytes).map_err(lock_error)?,
            None => together.remove(place),
        }
        together.write(target, &file.bytes).map_err(lock_error)?;
        file.lock_into(&mut lock, signer.as_ref());
    }
    let text = lock.text().map_err(lock_error)?;
    together.write(site.dir.join(LOCK_FILE), text.as_bytes()).map_err(lock_error)?;
    together.commit().map_err(lock_error)?;
    for file in coming.iter().filter(|_| !ui.is_json()) {
        ui.out(format!("installed {} {} as {}", file.kind(), file.name, file.file));
    }
    told(context, &there, &coming);
    for file in &coming {
        next(context, site, file);
    }
    Ok(Exit::Done)
}

/// A file of a site and all that stands beside it, the file last.
pub(super) fn all_beside(file: &Utf8Path) -> [Utf8PathBuf; 4] {
    let record = record_beside(file);
    [beside(file), beside(&record), record, file.to_owned()]
}

/// The same for programs.
fn told(context: &Context, there: &[Incoming], come: &[Incoming]) {
    if !context.ui.is_json() {
        return;
    }
    let list = |files: &[Incoming]| -> Vec<serde_json::Value> {
        let one = |file: &Incoming| {
            serde_json::json!({
                "kind": file.kind(), "name": file.name, "file": file.file, "sha256": sha256(&file.bytes),
            })
        };
        files.iter().map(one).collect()
    };
    context.ui.json(&serde_json::json!({ "installed": list(come), "unchanged": list(there) }));
}

/// The signature beside a bundle is not asked for, as each of its files has its own; one that is there must be right.
pub(super) fn judge_bundle(
    context: &Context,
    site: &Outline,
    file: &Utf8Path,
    signed: &BundleSigned,
) -> Result<()> {
    let Some(signature) = &signed.signature else { return Ok(()) };
    let demand = Demand::of(context, site.trust)?;
    let signer = counted(context, &demand, file, judged(&demand.roots, &signed.bytes, signature))?;
    if let Some(Signer { principal, key }) = signer {
        context.ui.say(format!("bundle {file}, signed by {} ({key})", harmless(&principal)));
    }
    Ok(())
}

/// Who has signed a file; an error where the site wants somebody, or where a signature is none of this file.
fn signer(context: &Context, demand: &Demand, file: &Incoming) -> Result<Option<Signer>> {
    let Some(signature) = &file.signature else {
        if demand.trust < Trust::Signed {
            return Ok(None);
        }
        return Err(Error::new(
            Exit::Refused,
            format!("the {} {} has no signature, and {}", file.kind(), file.name, demand.says()),
        )
        .hint(format!(
            "windlass plugin sign {}   by somebody whom {} trusts",
            file.source, demand.roots.path
        )));
    };
    counted(context, demand, &file.file, judged(&demand.roots, &file.bytes, signature))
}

/// Who has audited a plugin; an error where the site wants somebody, or where a record is none of this file.
fn certified(context: &Context, demand: &Demand, file: &Incoming) -> Result<Option<Box<Certified>>> {
    let What::Plugin(_) = &file.what else { return Ok(None) };
    let digest = sha256(&file.bytes);
    let asked = Asked { kind: file.kind(), name: &file.name, file: &file.file, sha256: &digest };
    let vouched = demand.vouched(&asked, file.record.as_ref());
    if demand.trust >= Trust::Certified {
        return demand.demanded(&asked, &file.file, &file.source, vouched).map(Some);
    }
    match vouched {
        Vouched::None => Ok(None),
        Vouched::Of(certified) => Ok(Some(certified)),
        Vouched::Not(why) => {
            let error = demand.uncertified(file.kind(), &file.name, &file.file, &why, None);
            if why.is_bad() {
                return Err(error.hint("ask for the file and its record again, or leave the record out"));
            }
            context.ui.warn(format!("{}: {why}", error.message));
            Ok(None)
        }
    }
}

fn counted(
    context: &Context,
    demand: &Demand,
    file: &Utf8Path,
    signature: Signature,
) -> Result<Option<Signer>> {
    match signature {
        Signature::None => Ok(None),
        Signature::Of(signer) => Ok(Some(signer)),
        Signature::Not(Uncounted::Nobody(why)) if demand.trust < Trust::Signed => {
            context.ui.warn(format!("{file} is signed, but {why}, says {}", demand.roots.path));
            Ok(None)
        }
        Signature::Not(why) => {
            let mut error = Error::new(Exit::Refused, format!("the signature of {file} does not count"));
            error.causes.push(why.to_string());
            Err(demand
                .hint_of(&why, Namespace::Plugin, error)
                .hint("ask for the file and its signature again"))
        }
    }
}

fn show(
    context: &Context,
    before: &Lock,
    file: &Incoming,
    signer: Option<&Signer>,
    certified: Option<&Certified>,
) {
    let say = |line: String| context.ui.say(line);
    say(file.line());
    say(format!("  sha256  {}", sha256(&file.bytes)));
    if let Some(Signer { principal, key }) = signer {
        say(format!("  signed by {} ({key})", harmless(principal)));
    }
    if let Some(Certified { record, signer }) = certified {
        say(format!(
            "  certified by {} on {}",
            harmless(&signer.principal),
            moment(record.at.saturating_mul(1_000))
        ));
        for Accepted { id, reason, .. } in &record.accepted {
            say(format!("    accepted: {}, because: {}", harmless(id), harmless(reason)));
        }
    }
    let old = before.find(file.kind(), &file.name);
    match (old, before.file(file.kind(), &file.name)) {
        (Some(Locked { version, sha256, .. }), _) => {
            say(format!("  in the place of {}, {sha256}", harmless(version)));
        }
        (None, Some(locked)) => say(format!("  in the place of {}", locked.sha256)),
        (None, None) => {}
    }
    let What::Plugin(manifest) = &file.what else { return };
    for need in &manifest.needs {
        say(format!("  asks for, because: {}", harmless(&need.reason)));
        for (list, pattern) in need.patterns() {
            say(format!("    {list} = [{:?}]", harmless(pattern)));
        }
    }
    let Some(old) = old else { return };
    for line in added(&old.needs, &file.needs()) {
        say(format!("  NEW       {line}"));
    }
    for line in added(&file.needs(), &old.needs) {
        say(format!("  no more   {line}"));
    }
}

/// What of the new is not in the old, as lines of `grants.toml`.
fn added(old: &LockedNeeds, new: &LockedNeeds) -> Vec<String> {
    let is_new =
        |list: &String, pattern: &String| !old.get(list).is_some_and(|known| known.contains(pattern));
    new.iter()
        .flat_map(|(list, patterns)| patterns.iter().map(move |pattern| (list, pattern)))
        .filter(|(list, pattern)| is_new(list, pattern))
        .map(|(list, pattern)| format!("{list} = [{:?}]", harmless(pattern)))
        .collect()
}

/// What is still to be written into the site.
fn next(context: &Context, site: &Outline, file: &Incoming) {
    let name = &file.name;
    let say = |line: String| context.ui.say(line);
    let What::Plugin(manifest) = &file.what else { return };
    let used = site.hooks.iter().any(|binding| binding.plugin == *name)
        || site.procedures.get(name).is_some_and(|settings| settings.params.contains_key("plugin"));
    if !used {
        say("not used yet; in site.toml:".into());
        match manifest.kind {
            Kind::Hook => say(format!("  [[hooks]]\n  plugin = \"{name}\"\n  before = \"PROCEDURE/STEP\"")),
            Kind::Procedure => say(format!("  [procedures.{name}]\n  plugin = \"{}\"", file.file)),
        }
    }
    let needs = file.needs();
    if !site.grants.contains_key(name) && !needs.is_empty() {
        say(format!(
            "nothing is granted to it yet; for all that it asks for, in grants.toml:\n  [grants.{name}]"
        ));
        for (list, patterns) in &needs {
            let patterns: Vec<_> =
                patterns.iter().map(|pattern| format!("{:?}", harmless(pattern))).collect();
            say(format!("  {list} = [{}]", patterns.join(", ")));
        }
    }
}
