//! The plugins that a site knows: bundled ones, its own procedures, and what lies in its `hooks/`; and its own
//! profiles. Their files are read and nothing of them is run.

use super::admit::{Demand, Signature, signature};
use super::certified::{Asked, Vouched, place_of_bundled};
use super::ending::approval_error;
use super::plugins::rules;
use crate::approval::{Certified, record_of};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::{Accepted, PluginName, Signer};
use crate::plugin::bundle::Bundle;
use crate::plugin::{Kind, Manifest, PluginError, manifest_of, sha256};
use crate::policy::{Met, Rules};
use crate::site::{HOOK_FILES, HookBinding, HookFileError, Lock, Outline, PROFILE, hook_file, profile_head};
use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It is part of this windlass.
    Bundled,
    /// A file of the site's.
    Site,
}

/// One plugin.
#[derive(Debug, Clone, Serialize)]
pub struct Known {
    pub name: PluginName,
    /// `procedure`, `hook` or `profile`.
    pub kind: &'static str,
    pub origin: Origin,
    /// Relative to the site; none: it is inside the binary.
    pub file: Option<Utf8PathBuf>,
    /// SHA-256 of the component, manifest included; none where the file cannot be read.
    pub digest: Option<String>,
    /// Of the component; none where it is inside the binary.
    pub bytes: Option<usize>,
    pub version: Option<String>,
    pub api: Option<String>,
    pub summary: Option<String>,
    /// A bundled procedure that a file of the site takes the place of: that one's digest.
    pub shadows: Option<String>,
    /// The site's file takes its place.
    pub shadowed: bool,
    pub called: Vec<Called>,
    pub needs: Vec<Needed>,
    /// How a file of the site's stands in `windlass.lock`.
    pub lock: Option<Standing>,
    /// The signature beside a file of the site's.
    pub signature: Option<Signed>,
    /// The record of its audit in the site; never of a profile.
    pub certified: Option<Reviewed>,
    /// Why it cannot be loaded.
    pub problem: Option<String>,
}

/// Whether a signature counts here and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signed {
    By(Signer),
    /// Why not.
    DoesNotCount(String),
}

/// Whether the record of an audit counts here and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reviewed {
    By {
        signer: Signer,
        /// When the record was made, in seconds since 1970.
        at: i64,
        accepted: Vec<Accepted>,
    },
    /// Why not.
    DoesNotCount(String),
}

/// How a file stands in the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is what was installed.
    Locked,
    /// Another file was installed.
    Changed,
    /// It was not installed.
    NotLocked,
}

/// When a hook is called.
#[derive(Debug, Clone, Serialize)]
pub struct Called {
    /// `before`, `after` or `on`.
    pub when: &'static str,
    pub event: String,
    pub order: i64,
    pub on_error: &'static str,
    /// All hooks of that event, in their order.
    pub among: Vec<PluginName>,
}

/// One pattern of what a plugin asks for.
#[derive(Debug, Clone, Serialize)]
pub struct Needed {
    pub reason: String,
    /// The key that it stands under in `grants.toml`.
    pub list: &'static str,
    pub pattern: String,
    pub granted: Met,
}

/// Returns every plugin that a site knows: procedures by name, then hooks, then its own profiles.
pub fn known(context: &Context, site: &Outline) -> Result<Vec<Known>> {
    let lock = Lock::read(&site.dir).map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let mut all = Vec::new();
    let bundle = context.bundle.map(Bundle::open).transpose();
    if let Some(bundle) = bundle.map_err(|error| Error::from_error(Exit::Fault, &error))? {
        for (manifest, digest) in bundle.list() {
            let mut one = Known::new(&manifest.name, manifest.kind);
            one.origin = Origin::Bundled;
            one.digest = Some(digest.to_owned());
            one.describe(site, manifest, true)?;
            all.push(one);
        }
    }
    for (name, settings) in &site.procedures {
        let Some(path) = settings.params.get("plugin") else { continue };
        let mut own = from_file(site, name, Kind::Procedure, Utf8Path::new(path))?;
        if let Some(bundled) = all.iter_mut().find(|other| other.name == *name) {
            own.shadows = bundled.digest.clone();
            bundled.shadowed = true;
        }
        all.push(own);
    }
    for name in hooks(site) {
        let mut hook = match hook_file(&site.dir, &name) {
            Ok(path) => {
                let path = path.strip_prefix(&site.dir).map(Utf8Path::to_owned).unwrap_or(path);
                from_file(site, &name, Kind::Hook, &path)?
            }
            Err(error @ (HookFileError::None { .. } | HookFileError::Several { .. })) => {
                Known { problem: Some(error.to_string()), ..Known::new(&name, Kind::Hook) }
            }
        };
        hook.called = called(site, &name);
        all.push(hook);
    }
    all.extend(profiles(site));
    let demand = Demand::of(context, site.trust)?;
    for one in all.iter_mut().filter(|one| one.kind != PROFILE) {
        one.certified = reviewed(&demand, site, one)?;
    }
    for one in all.iter_mut().filter(|one| one.origin == Origin::Site && one.digest.is_some()) {
        if let Some(path) = one.file.as_ref().map(|file| site.dir.join(file)) {
            // What could not be read again has another digest now, and no signature of it counts.
            let bytes = std::fs::read(&path).unwrap_or_default();
            one.signature = match signature(&demand.roots, &path, &bytes)? {
                Signature::None => None,
                Signature::Of(signer) => Some(Signed::By(signer)),
                Signature::Not(why) => Some(Signed::DoesNotCount(why.to_string())),
            };
        }
        one.lock = Some(match lock.file(one.kind, &one.name) {
            Some(locked) if Some(locked.sha256) == one.digest.as_deref() => Standing::Locked,
            Some(_) => Standing::Changed,
            None => Standing::NotLocked,
        });
    }
    all.sort_by(|one, other| {
        // Procedures first; the one that runs before the one whose place it takes.
        let rank = |kind: &str| ["procedure", "hook", PROFILE].iter().position(|known| *known == kind);
        let key = |known: &Known| (rank(known.kind), known.name.clone(), known.shadowed);
        key(one).cmp(&key(other))
    });
    Ok(all)
}

fn reviewed(demand: &Demand, site: &Outline, one: &Known) -> Result<Option<Reviewed>> {
    // A bundled one whose place another takes has no record: that there is the other's.
    let Some(digest) = one.digest.as_deref().filter(|_| !one.shadowed) else { return Ok(None) };
    let file = match &one.file {
        Some(file) => site.dir.join(file),
        None => place_of_bundled(&site.dir, &one.name),
    };
    let record = record_of(&file).map_err(approval_error)?;
    let asked = Asked { kind: one.kind, name: &one.name, file: &file, sha256: digest };
    Ok(match demand.vouched(&asked, record.as_ref()) {
        Vouched::None => None,
        Vouched::Of(certified) => {
            let Certified { record, signer } = *certified;
            Some(Reviewed::By { signer, at: record.at, accepted: record.accepted })
        }
        Vouched::Not(why) => Some(Reviewed::DoesNotCount(why.to_string())),
    })
}

/// The site's own.
fn profiles(site: &Outline) -> Vec<Known> {
    let mut found = Vec::new();
    for entry in site.dir.join("profiles").read_dir_utf8().into_iter().flatten().flatten() {
        let path = entry.into_path();
        let Some(name) = path.file_stem().and_then(|stem| PluginName::new(stem).ok()) else { continue };
        if path.extension() != Some("toml") {
            continue;
        }
        let file = Utf8Path::new("profiles").join(path.file_name().unwrap_or_default());
        let mut one = Known { file: Some(file.clone()), ..Known::of(&name, PROFILE) };
        match std::fs::read(&path) {
            Ok(bytes) => {
                one.digest = Some(sha256(&bytes));
                one.bytes = Some(bytes.len());
                match std::str::from_utf8(&bytes).map(|text| profile_head(&file, name.as_str(), text)) {
                    Ok(Ok(head)) => one.summary = Some(head.title.unwrap_or_default()),
                    Ok(Err(errors)) => one.problem = errors.mistakes.first().map(ToString::to_string),
                    Err(_) => one.problem = Some(format!("{file} is not UTF-8 text")),
                }
            }
            Err(error) => one.problem = Some(format!("{file} cannot be read: {error}")),
        }
        found.push(one);
    }
    found
}

/// Those that are bound, and those that only lie there.
fn hooks(site: &Outline) -> Vec<PluginName> {
    let mut names: Vec<PluginName> = site.hooks.iter().map(|binding| binding.plugin.clone()).collect();
    let entries = site.dir.join("hooks").read_dir_utf8().into_iter().flatten().flatten();
    names.extend(entries.filter_map(|entry| {
        let path = entry.into_path();
        path.extension()
            .is_some_and(|ending| HOOK_FILES.contains(&ending))
            .then(|| PluginName::new(path.file_stem()?).ok())
            .flatten()
    }));
    names.sort();
    names.dedup();
    names
}

fn called(site: &Outline, name: &PluginName) -> Vec<Called> {
    let same =
        |one: &HookBinding, other: &HookBinding| one.procedure == other.procedure && one.at == other.at;
    let of = |binding: &HookBinding| {
        let among = site.hooks_in_order().into_iter().filter(|other| same(binding, other));
        Called {
            when: binding.when(),
            event: binding.event(),
            order: binding.order,
            on_error: binding.on_error(),
            among: among.map(|other| other.plugin.clone()).collect(),
        }
    };
    site.hooks.iter().filter(|binding| binding.plugin == *name).map(of).collect()
}

fn from_file(site: &Outline, name: &PluginName, kind: Kind, path: &Utf8Path) -> Result<Known> {
    let mut one = Known { file: Some(path.to_owned()), ..Known::new(name, kind) };
    let bytes = match std::fs::read(site.dir.join(path)) {
        Ok(bytes) => bytes,
        Err(error) => {
            one.problem = Some(format!("{path} cannot be read: {error}"));
            return Ok(one);
        }
    };
    one.digest = Some(sha256(&bytes));
    one.bytes = Some(bytes.len());
    match manifest_of(path.as_str(), &bytes) {
        Ok(manifest) => {
            if manifest.kind != kind || manifest.name != *name {
                one.problem = Some(format!("{path} is the {} {}", manifest.kind.as_str(), manifest.name));
            }
            one.describe(site, &manifest, false)?;
        }
        Err(error) => one.problem = Some(whole(&error)),
    }
    Ok(one)
}

fn whole(error: &PluginError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Known {
    fn new(name: &PluginName, kind: Kind) -> Self {
        Self::of(name, kind.as_str())
    }

    fn of(name: &PluginName, kind: &'static str) -> Self {
        Self {
            name: name.clone(),
            kind,
            origin: Origin::Site,
            file: None,
            digest: None,
            bytes: None,
            version: None,
            api: None,
            summary: None,
            shadows: None,
            shadowed: false,
            called: Vec::new(),
            needs: Vec::new(),
            lock: None,
            signature: None,
            certified: None,
            problem: None,
        }
    }

    /// `bundled`: where the site says nothing, it has what it asks for.
    fn describe(&mut self, site: &Outline, manifest: &Manifest, bundled: bool) -> Result<()> {
        self.version = Some(manifest.version.clone());
        self.api = Some(manifest.api.clone());
        self.summary = Some(manifest.summary.clone());
        let granted = match site.grants.get(&manifest.name) {
            Some(block) => Some(rules(block, &format!("[grants.{}] in grants.toml", manifest.name))?),
            None if bundled => None,
            None => Some(Rules::default()),
        };
        for need in &manifest.needs {
            for (list, pattern) in need.patterns() {
                let met = granted.as_ref().map_or(Ok(Met::Whole), |granted| granted.meet(list, pattern));
                let granted = met.map_err(|error| Error::from_error(Exit::Usage, &error))?;
                self.needs.push(Needed {
                    reason: need.reason.clone(),
                    list,
                    pattern: pattern.clone(),
                    granted,
                });
            }
        }
        Ok(())
    }
}
