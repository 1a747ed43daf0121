//! `windlass plugin install`, `update` and `remove`: files that become part of a site, by their digests.

use super::bring::{Terms, all_beside, bring, judge_bundle};
use super::incoming::{Incoming, Opened, open};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::site::{Installing, LOCK_FILE, Lock, LockError, LockedFile, Outline, PROFILE, Together};
use camino::{Utf8Path, Utf8PathBuf};

/// `windlass plugin install`.
pub struct Install {
    pub file: Utf8PathBuf,
    pub yes: bool,
    /// It may ask for more than what was accepted of it before.
    pub accept_needs: bool,
}

/// `windlass plugin update`.
pub struct Update {
    pub name: PluginName,
    /// None: where it was installed from.
    pub file: Option<Utf8PathBuf>,
    pub yes: bool,
    pub accept_needs: bool,
}

/// Copies plugins and profiles into the site and locks them, after showing what they are and ask for.
pub fn install(context: &Context, site: &Outline, install: &Install) -> Result {
    let _alone = Installing::begin(&site.dir).map_err(lock_error)?;
    let terms = Terms { yes: install.yes, accept_needs: install.accept_needs };
    let files = opened(context, site, &install.file)?;
    bring(context, site, files, &terms)
}

/// Brings what is installed already, from where it came or from a file that is named.
pub fn update(context: &Context, site: &Outline, update: &Update) -> Result {
    let _alone = Installing::begin(&site.dir).map_err(lock_error)?;
    let name = &update.name;
    let lock = Lock::read(&site.dir).map_err(lock_error)?;
    let known: Vec<LockedFile<'_>> = lock.files().filter(|locked| locked.name == name).collect();
    let (first, file) = match (known.as_slice(), &update.file) {
        ([], _) => return Err(not_installed(&lock, name)),
        ([first, ..], Some(file)) => (first, file.clone()),
        ([only], None) => (only, site.dir.join(only.source)),
        ([first, second, ..], None) => {
            return Err(Error::new(Exit::Usage, format!("{name} is a {} and a {}", first.kind, second.kind))
                .hint(format!("say which by its file: windlass plugin update {name} FILE")));
        }
    };
    if update.file.is_none() && !file.is_file() {
        return Err(Error::new(
            Exit::Usage,
            format!("{name} cannot be updated: it was installed from {file}, which is not there"),
        )
        .hint(format!("name the new file: windlass plugin update {name} FILE")));
    }
    let mut files = opened(context, site, &file)?;
    let held: Vec<_> = files.iter().map(|file| format!("the {} {}", file.kind(), file.name)).collect();
    files.retain(|file| known.iter().any(|locked| locked.name == &file.name && locked.kind == file.kind()));
    if files.is_empty() {
        return Err(Error::new(
            Exit::Usage,
            format!("{file} does not update the {} {name}: it is {}", first.kind, held.join(", ")),
        )
        .hint(format!("windlass plugin install {file} installs what it is")));
    }
    let terms = Terms { yes: update.yes, accept_needs: update.accept_needs };
    bring(context, site, files, &terms)
}

fn opened(context: &Context, site: &Outline, file: &Utf8Path) -> Result<Vec<Incoming>> {
    match open(&site.dir, file)? {
        Opened::One(one) => Ok(vec![*one]),
        Opened::Bundle(files, signed) => {
            judge_bundle(context, site, file, &signed)?;
            Ok(files)
        }
    }
}

/// Takes a plugin or profile out of the site.
pub fn remove(context: &Context, site: &Outline, name: &PluginName) -> Result {
    let _alone = Installing::begin(&site.dir).map_err(lock_error)?;
    let mut lock = Lock::read(&site.dir).map_err(lock_error)?;
    if site.hooks.iter().any(|binding| binding.plugin == *name)
        || site.procedures.get(name).is_some_and(|settings| settings.params.contains_key("plugin"))
    {
        return Err(Error::new(Exit::Usage, format!("site.toml still uses {name}"))
            .hint(format!("take its [[hooks]], or plugin of [procedures.{name}], out first")));
    }
    let known: Vec<(String, Utf8PathBuf)> = lock
        .files()
        .filter(|locked| locked.name == name)
        .map(|locked| (locked.kind.to_owned(), locked.file.to_owned()))
        .collect();
    if known.is_empty() {
        return Err(not_installed(&lock, name));
    }
    if site.profile == name.as_str() && known.iter().any(|(kind, _)| kind == PROFILE) {
        return Err(Error::new(Exit::Usage, format!("site.toml still uses {name}"))
            .hint("name another profile under [site] first"));
    }
    for (kind, _) in &known {
        lock.remove(kind, name);
    }
    // The lock first: what is not in it does not load.
    let mut files = Together::default();
    let text = lock.text().map_err(lock_error)?;
    files.write(site.dir.join(LOCK_FILE), text.as_bytes()).map_err(lock_error)?;
    for (_, file) in &known {
        all_beside(&site.dir.join(file)).into_iter().for_each(|path| files.remove(path));
    }
    files.commit().map_err(lock_error)?;
    for (kind, _) in &known {
        context.ui.out(format!("removed {kind} {name}"));
    }
    if site.grants.contains_key(name) {
        context.ui.say(format!("[grants.{name}] still stands in grants.toml"));
    }
    Ok(Exit::Done)
}

pub(super) fn not_installed(lock: &Lock, name: &PluginName) -> Error {
    let known: Vec<_> = lock.files().map(|locked| locked.name.to_string()).collect();
    let error = Error::new(Exit::Usage, format!("{name} is not in {LOCK_FILE}"));
    match known.is_empty() {
        true => error.hint("nothing is installed in this site"),
        false => error.hint(format!("installed are: {}", known.join(", "))),
    }
}

pub(super) fn lock_error(error: LockError) -> Error {
    let exit = match error {
        // As with a lease that somebody else has.
        LockError::Busy { .. } => Exit::Preflight,
        _ => Exit::Usage,
    };
    let made = Error::from_error(exit, &error);
    match error {
        LockError::Busy { .. } => made.hint("try again when it has ended; it may be waiting for an answer"),
        LockError::Damaged { .. } => {
            made.hint("put a copy of it back, or remove it and install the site's plugins anew")
        }
        _ => made,
    }
}
