//! The plugins that a site knows: bundled ones, its own procedures, and what lies in its `hooks/`. Their files are
//! read and nothing of them is run.

use super::plugins::rules;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::plugin::bundle::Bundle;
use crate::plugin::{Kind, Manifest, PluginError, manifest_of, sha256};
use crate::policy::{Met, Rules};
use crate::site::{HOOK_FILES, HookBinding, HookFileError, Lock, Site, hook_file};
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
    /// `procedure` or `hook`.
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
    /// Why it cannot be loaded.
    pub problem: Option<String>,
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

/// Returns every plugin that a site knows: procedures by name, then hooks by name.
pub fn known(context: &Context, site: &Site) -> Result<Vec<Known>> {
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
    for one in all.iter_mut().filter(|one| one.origin == Origin::Site && one.digest.is_some()) {
        one.lock = Some(match lock.find(one.kind, &one.name) {
            Some(locked) if Some(&locked.sha256) == one.digest.as_ref() => Standing::Locked,
            Some(_) => Standing::Changed,
            None => Standing::NotLocked,
        });
    }
    all.sort_by(|one, other| {
        // Procedures first; the one that runs before the one whose place it takes.
        let key = |known: &Known| (known.kind != "procedure", known.name.clone(), known.shadowed);
        key(one).cmp(&key(other))
    });
    Ok(all)
}

/// Those that are bound, and those that only lie there.
fn hooks(site: &Site) -> Vec<PluginName> {
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

fn called(site: &Site, name: &PluginName) -> Vec<Called> {
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

fn from_file(site: &Site, name: &PluginName, kind: Kind, path: &Utf8Path) -> Result<Known> {
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
        Self {
            name: name.clone(),
            kind: kind.as_str(),
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
            problem: None,
        }
    }

    /// `bundled`: where the site says nothing, it has what it asks for.
    fn describe(&mut self, site: &Site, manifest: &Manifest, bundled: bool) -> Result<()> {
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
