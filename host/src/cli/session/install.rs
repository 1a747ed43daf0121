//! `windlass plugin install` and `remove`: files that become plugins of a site, by their digests.

use super::ending::plugin_error;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::plugin::manifest::LARGEST_COMPONENT;
use crate::plugin::{Kind, Language, Manifest, Plugin, manifest_of, sha256};
use crate::report::harmless;
use crate::site::{LOCK_FILE, Lock, LockError, Locked, LockedNeeds, Site, replace_file};
use camino::{Utf8Path, Utf8PathBuf};

/// `windlass plugin install`.
pub struct Install {
    pub file: Utf8PathBuf,
    pub yes: bool,
    /// It may ask for more than what was accepted of it before.
    pub accept_needs: bool,
}

/// Copies a plugin into the site and locks it, after showing what it asks for.
pub fn install(context: &Context, site: &Site, install: &Install) -> Result {
    let file = &install.file;
    let unusable = |why: String| Error::new(Exit::Usage, format!("{file} cannot be installed: {why}"));
    let size = file.metadata().map_err(|error| unusable(error.to_string()))?.len();
    if size > LARGEST_COMPONENT as u64 {
        return Err(unusable(format!("it has {size} bytes, and a component at most {LARGEST_COMPONENT}")));
    }
    let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    // All that loading would find wrong is found now.
    let manifest = &checked(file, &bytes)?;
    let mut lock = Lock::read(&site.dir).map_err(lock_error)?;
    let locked = Locked {
        name: manifest.name.clone(),
        kind: manifest.kind.as_str().into(),
        file: place(manifest, file),
        sha256: sha256(&bytes),
        version: manifest.version.clone(),
        api: manifest.api.clone(),
        source: file.to_string(),
        needs: needs(manifest),
    };
    let before = lock.find(&locked.kind, &locked.name).cloned();
    let target = site.dir.join(&locked.file);
    if before.as_ref().is_some_and(|before| before.sha256 == locked.sha256)
        && std::fs::read(&target).is_ok_and(|there| there == bytes)
    {
        context.ui.out(format!("{} {} is installed already: nothing to do", locked.kind, locked.name));
        return Ok(Exit::Done);
    }
    show(context, manifest, &locked, before.as_ref());
    let more = before.as_ref().map(|before| added(&before.needs, &locked.needs)).unwrap_or_default();
    if install.yes && !more.is_empty() && !install.accept_needs {
        return Err(Error::new(
            Exit::Refused,
            format!("{} asks for more than what was accepted of it: {}", locked.name, more.join(", ")),
        )
        .hint("if that is meant: --accept-needs"));
    }
    match install.yes.then_some(true).or_else(|| context.ui.ask("Install it?")) {
        Some(true) => {}
        Some(false) => {
            context.ui.say("declined; nothing was installed");
            return Ok(Exit::Failed);
        }
        None => {
            return Err(Error::new(Exit::Preflight, "there is nobody to ask whether to install it")
                .hint("say --yes to install it unasked"));
        }
    }
    // The lock last: a file without its lock does not load, a lock without its file would be believed.
    replace_file(&target, &bytes).map_err(lock_error)?;
    lock.put(locked.clone());
    lock.write(&site.dir).map_err(lock_error)?;
    context.ui.out(format!("installed {} {} as {}", locked.kind, locked.name, locked.file));
    next(context, site, manifest, &locked);
    Ok(Exit::Done)
}

/// Takes a plugin out of the site.
pub fn remove(context: &Context, site: &Site, name: &PluginName) -> Result {
    let mut lock = Lock::read(&site.dir).map_err(lock_error)?;
    if site.hooks.iter().any(|binding| binding.plugin == *name)
        || site.procedures.get(name).is_some_and(|settings| settings.params.contains_key("plugin"))
    {
        return Err(Error::new(Exit::Usage, format!("site.toml still uses {name}"))
            .hint(format!("take its [[hooks]], or plugin of [procedures.{name}], out first")));
    }
    let removed: Vec<Locked> =
        [Kind::Hook, Kind::Procedure].iter().filter_map(|kind| lock.remove(kind.as_str(), name)).collect();
    if removed.is_empty() {
        let known: Vec<_> = lock.plugins.iter().map(|locked| locked.name.to_string()).collect();
        let error = Error::new(Exit::Usage, format!("{name} is not in {LOCK_FILE}"));
        return Err(match known.is_empty() {
            true => error.hint("nothing is installed in this site"),
            false => error.hint(format!("installed are: {}", known.join(", "))),
        });
    }
    lock.write(&site.dir).map_err(lock_error)?;
    for locked in removed {
        match std::fs::remove_file(site.dir.join(&locked.file)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => context.ui.warn(format!("{} stays: {error}", locked.file)),
        }
        context.ui.out(format!("removed {} {name}", locked.kind));
    }
    if site.grants.contains_key(name) {
        context.ui.say(format!("[grants.{name}] still stands in grants.toml"));
    }
    Ok(Exit::Done)
}

/// Who a plugin is, after all that can be found wrong with it before it is called.
fn checked(file: &Utf8Path, bytes: &[u8]) -> Result<Manifest> {
    if Language::of(file.as_str()).is_some() {
        return manifest_of(file.as_str(), bytes).map_err(plugin_error);
    }
    let engine = crate::plugin::engine(crate::plugin::Profile::Run).map_err(plugin_error)?;
    let plugin = Plugin::compile(&engine, file.as_str(), bytes).map_err(plugin_error)?;
    Ok(plugin.manifest().clone())
}

fn place(manifest: &Manifest, file: &Utf8Path) -> Utf8PathBuf {
    let ending = Language::of(file.as_str()).map_or("wasm", Language::extension);
    let folder = match manifest.kind {
        Kind::Hook => "hooks",
        Kind::Procedure => "plugins",
    };
    Utf8Path::new(folder).join(format!("{}.{ending}", manifest.name))
}

fn needs(manifest: &Manifest) -> LockedNeeds {
    let mut needs = LockedNeeds::new();
    for (list, pattern) in manifest.needs.iter().flat_map(|need| need.patterns()) {
        needs.entry(list.to_owned()).or_default().insert(pattern.clone());
    }
    needs
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

fn show(context: &Context, manifest: &Manifest, locked: &Locked, before: Option<&Locked>) {
    let say = |line: String| context.ui.say(line);
    say(format!(
        "{} {} {}: {}",
        locked.kind,
        locked.name,
        harmless(&locked.version),
        harmless(&manifest.summary)
    ));
    say(format!("  sha256  {}", locked.sha256));
    if let Some(before) = before {
        say(format!("  in the place of {}, {}", harmless(&before.version), before.sha256));
    }
    for need in &manifest.needs {
        say(format!("  asks for, because: {}", harmless(&need.reason)));
        for (list, pattern) in need.patterns() {
            say(format!("    {list} = [{:?}]", harmless(pattern)));
        }
    }
    let Some(before) = before else { return };
    for line in added(&before.needs, &locked.needs) {
        say(format!("  NEW       {line}"));
    }
    for line in added(&locked.needs, &before.needs) {
        say(format!("  no more   {line}"));
    }
}

/// What is still to be written into the site.
fn next(context: &Context, site: &Site, manifest: &Manifest, locked: &Locked) {
    let name = &locked.name;
    let say = |line: String| context.ui.say(line);
    let used = site.hooks.iter().any(|binding| binding.plugin == *name)
        || site.procedures.get(name).is_some_and(|settings| settings.params.contains_key("plugin"));
    if !used {
        say("not used yet; in site.toml:".into());
        match manifest.kind {
            Kind::Hook => say(format!("  [[hooks]]\n  plugin = \"{name}\"\n  before = \"PROCEDURE/STEP\"")),
            Kind::Procedure => say(format!("  [procedures.{name}]\n  plugin = \"{}\"", locked.file)),
        }
    }
    if !site.grants.contains_key(name) && !locked.needs.is_empty() {
        say(format!(
            "nothing is granted to it yet; for all that it asks for, in grants.toml:\n  [grants.{name}]"
        ));
        for (list, patterns) in &locked.needs {
            let patterns: Vec<_> =
                patterns.iter().map(|pattern| format!("{:?}", harmless(pattern))).collect();
            say(format!("  {list} = [{}]", patterns.join(", ")));
        }
    }
}

fn lock_error(error: LockError) -> Error {
    let hint = match &error {
        LockError::Damaged { .. } => {
            Some("put a copy of it back, or remove it and install the site's plugins anew")
        }
        _ => None,
    };
    let made = Error::from_error(Exit::Usage, &error);
    hint.map_or_else(|| Error::from_error(Exit::Usage, &error), |hint| made.hint(hint))
}
