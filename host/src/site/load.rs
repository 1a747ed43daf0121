//! A site's folder → a validated [`Site`], or every mistake in it.

use super::bundled::AUTO;
use super::layer::Layer;
use super::mistake::{Place, Reading, SiteErrors, Target, nearest, shown};
use super::reader::{LONGEST_FILE, Located, Source};
use super::types::*;
use super::{bundled, check, compose, grants_file, hooks, layer, site_file};
use crate::model::{Digested, PluginName, hex};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use std::io::Read as _;
use std::sync::Arc;

/// How many profiles may extend each other.
const DEEPEST: usize = 8;

impl Site {
    /// Reads and checks the site in `dir`: `site.toml`, `grants.toml` (none: nothing is granted) and the
    /// profile. Files are at most 1 MiB.
    ///
    /// # Errors
    /// All mistakes at once, in the order of files and lines. One of them is a profile that the site leaves
    /// open: whoever can ask the nodes loads it by [`load_as`](Self::load_as).
    pub fn load(dir: &Utf8Path) -> Result<Self, SiteErrors> {
        Self::read(dir, None)
    }

    /// As [`load`](Self::load), with the bundled profile that the nodes were found to have, where the site
    /// leaves it to them. A site that names its profile keeps it.
    pub fn load_as(dir: &Utf8Path, found: &str) -> Result<Self, SiteErrors> {
        Self::read(dir, Some(found))
    }

    fn read(dir: &Utf8Path, found: Option<&str>) -> Result<Self, SiteErrors> {
        let dir = camino::absolute_utf8(dir).unwrap_or_else(|_| dir.to_owned());
        let mut loading = Loading::new(&dir, found);
        match loading.site() {
            Some(site) if loading.reading.is_clean() => Ok(site),
            _ => Err(SiteErrors { mistakes: loading.reading.into_mistakes(&loading.files), dir }),
        }
    }
}

/// What a site's own files say whatever its profile is, for what reaches no node and may bring the profile itself.
#[derive(Debug)]
pub struct Outline {
    /// The folder, absolute.
    pub dir: Utf8PathBuf,
    pub trust: Trust,
    pub procedures: IndexMap<PluginName, ProcedureSettings>,
    pub hooks: Vec<HookBinding>,
    pub grants: IndexMap<PluginName, GrantBlock>,
    /// As the site names it.
    pub profile: String,
}

impl Outline {
    /// Reads `site.toml` and `grants.toml`, and looks at no profile.
    ///
    /// # Errors
    /// All mistakes at once that show without one.
    pub fn load(dir: &Utf8Path) -> Result<Self, SiteErrors> {
        let dir = camino::absolute_utf8(dir).unwrap_or_else(|_| dir.to_owned());
        let mut loading = Loading::new(&dir, None);
        match loading.outline() {
            Some(outline) if loading.reading.is_clean() => Ok(outline),
            _ => Err(SiteErrors { mistakes: loading.reading.into_mistakes(&loading.files), dir }),
        }
    }

    /// Returns the hooks as they are called: in rising order, equals as the file has them.
    pub fn hooks_in_order(&self) -> Vec<&HookBinding> {
        in_order(&self.hooks)
    }
}

/// What a profile's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileHead {
    pub title: Option<String>,
    pub extends: Option<String>,
}

/// Reads the text of a profile alone: its keys and values. Whether it fits what it extends, loading a site tells.
///
/// # Errors
/// All mistakes at once; `file` names it in them.
pub fn profile_head(file: &Utf8Path, name: &str, text: &str) -> Result<ProfileHead, SiteErrors> {
    let reading = Reading::default();
    let shown: Arc<str> = file.as_str().into();
    let head = Source::new(&reading, shown.clone(), text)
        .read(|top| layer::read(top, name))
        .map(|layer| ProfileHead { title: layer.title, extends: layer.extends.map(|extends| extends.value) });
    reading.take_references();
    match head {
        Some(head) if reading.is_clean() => Ok(head),
        _ => Err(SiteErrors { mistakes: reading.into_mistakes(&[shown]), dir: Utf8PathBuf::new() }),
    }
}

/// Whether the site in `dir` leaves its profile to be found on its nodes. One that cannot be read does not.
pub fn leaves_profile_open(dir: &Utf8Path) -> bool {
    let Ok(text) = read_text(&dir.join("site.toml"), "") else { return false };
    let reading = Reading::default();
    Source::new(&reading, "site.toml", &text)
        .read(|top| site_file::read(top, dir))
        .and_then(|file| file.profile)
        .is_some_and(|profile| profile.value == AUTO)
}

fn digest() -> aws_lc_rs::digest::Context {
    aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)
}

pub(super) struct Loading<'a> {
    dir: &'a Utf8Path,
    /// The profile for a site that names none.
    found: Option<&'a str>,
    pub reading: Reading,
    /// In the order read, for the order of mistakes.
    pub files: Vec<Arc<str>>,
    digest: aws_lc_rs::digest::Context,
    digests: Digests,
}

impl<'a> Loading<'a> {
    fn new(dir: &'a Utf8Path, found: Option<&'a str>) -> Self {
        Self {
            dir,
            found,
            reading: Reading::default(),
            files: Vec::new(),
            digest: digest(),
            digests: Digests::default(),
        }
    }

    /// For a scenario of the project in `dir`.
    pub fn of_scenario(dir: &'a Utf8Path) -> Self {
        Self::new(dir, None)
    }

    /// How a file of the project is called in mistakes.
    pub fn shown(&self, file: &Utf8Path) -> String {
        file.strip_prefix(self.dir).unwrap_or(file).to_string()
    }

    /// What the site itself says, with mistakes recorded.
    fn own(&mut self) -> Option<(site_file::SiteFile, grants_file::GrantsFile)> {
        let dir = self.dir;
        let text = self.open("site.toml", "there is no site here; `windlass init DIR` makes one")?;
        let file = self.source("site.toml", &text, |top| site_file::read(top, dir));
        let grants = match self.open_optional("grants.toml") {
            Some(text) => self.source("grants.toml", &text, grants_file::read),
            None => None,
        }
        .unwrap_or_default();
        let file = file?;
        check::inventory(&self.reading, &file);
        hooks::check(&self.reading, &file);
        Some((file, grants))
    }

    fn outline(&mut self) -> Option<Outline> {
        let (file, grants) = self.own()?;
        Some(Outline {
            dir: self.dir.to_owned(),
            trust: file.trust,
            procedures: file.procedures,
            hooks: file.hooks.into_iter().map(|hook| hook.value).collect(),
            grants: grants.blocks,
            profile: file.profile?.value,
        })
    }

    /// None, or a site, with mistakes recorded either way.
    fn site(&mut self) -> Option<Site> {
        let dir = self.dir;
        let (file, grants) = self.own()?;
        let wanted = self.wanted(file.profile.as_ref()?)?;
        let layer = self.layers(&wanted)?;
        let composed = compose::profile(&self.reading, layer);
        let profile = &composed.profile;

        let mut vars = profile.vars.clone();
        for (name, var) in &file.vars {
            vars.insert(name.clone(), compose::with_user(var.value.clone(), &profile.service_user));
        }
        compose::check(&self.reading, &composed, &vars);
        let used: Vec<&str> = composed
            .references
            .iter()
            .filter(|reference| reference.target == Target::Variable)
            .map(|reference| reference.name.as_str())
            .collect();
        check::variables(&self.reading, &file, &used, profile);
        check::managers(&self.reading, &file, profile);
        check::users(&self.reading, &file, profile, &vars);
        grants_file::check(&self.reading, &grants.patterns, profile, &file.nodes);

        Some(Site {
            dir: dir.to_owned(),
            name: file.name?,
            trust: file.trust,
            outside_envelope: file.outside_envelope,
            operators: file.operators,
            nodes: file.nodes.into_iter().map(|(name, node)| (name, node.value)).collect(),
            become_users: file.become_users,
            manager: file.manager,
            secrets: file.secrets,
            procedures: file.procedures,
            hooks: file.hooks.into_iter().map(|hook| hook.value).collect(),
            grants: grants.blocks,
            profile: composed.profile,
            vars,
            ssh: file.ssh,
            attention: file.attention,
            digest: hex(self.digest.clone().finish().as_ref()),
            digests: self.digests.clone(),
            lab: file.lab,
        })
    }

    fn wanted(&self, named: &Located<String>) -> Option<Located<String>> {
        if named.value != AUTO {
            return Some(named.clone());
        }
        let own = format!("profiles/{AUTO}.toml");
        if self.dir.join(&own).exists() {
            self.reading.mistake(
                &named.place,
                format!(
                    "{own} cannot be told from {AUTO:?}, which leaves the profile to the nodes; rename it"
                ),
            );
            return None;
        }
        let Some(found) = self.found else {
            self.reading.mistake(
                &named.place,
                format!(
                    "the profile is left to the nodes, which were not asked; name one: {}",
                    self.profile_names().join(", ")
                ),
            );
            return None;
        };
        Some(Located { value: found.to_owned(), place: named.place.clone() })
    }

    pub fn source<T>(
        &mut self,
        file: &str,
        text: &str,
        read: impl FnOnce(super::reader::Table<'_>) -> T,
    ) -> Option<T> {
        let file: Arc<str> = file.into();
        self.files.push(file.clone());
        let source = Source::new(&self.reading, file, text);
        let value = source.read(read);
        // What one file refers to is the profile's business only while an entry of it is read.
        self.reading.take_references();
        value
    }

    /// Returns the profile with all that it extends laid under it.
    pub fn layers(&mut self, wanted: &Located<String>) -> Option<Layer> {
        let mut chain: Vec<Layer> = Vec::new();
        let mut next = Some(wanted.clone());
        while let Some(wanted) = next.take() {
            if chain.len() >= DEEPEST || chain.iter().any(|layer| layer.name == wanted.value) {
                self.reading.mistake(
                    &wanted.place,
                    format!(
                        "the profile {} extends itself, or more than {DEEPEST} others",
                        shown(&wanted.value)
                    ),
                );
                return None;
            }
            let layer = self.layer(&wanted)?;
            next = layer.extends.clone();
            chain.push(layer);
        }
        let mut below = chain.pop()?;
        compose::refuse_overrides(&self.reading, &below);
        while let Some(over) = chain.pop() {
            below = compose::lay(&self.reading, below, over);
        }
        Some(below)
    }

    fn layer(&mut self, wanted: &Located<String>) -> Option<Layer> {
        let name = &wanted.value;
        // A name is a part of a path: it must not lead out of the folder.
        if let Err(error) = crate::model::PluginName::new(name.as_str()) {
            self.reading.mistake(&wanted.place, format!("the profile: {error}"));
            return None;
        }
        let own = format!("profiles/{name}.toml");
        let is_own = self.dir.join(&own).exists();
        let (file, text) = match (bundled::text(name), is_own) {
            (Some(_), true) => {
                self.reading.mistake(
                    &wanted.place,
                    format!(
                        "{own} has the name of a bundled profile; give it another name, and say \
                         extends = {name:?} in it"
                    ),
                );
                return None;
            }
            (Some(text), false) => {
                self.add_to_digest(name, text.as_bytes());
                (format!("{name}.toml (bundled)"), text.to_owned())
            }
            (None, true) => {
                let text = self.open(&own, "there is no such file")?;
                (own, text)
            }
            (None, false) => {
                let valid = self.profile_names();
                let what = format!("there is no profile {}; there are {}", shown(name), valid.join(", "));
                let near = nearest(name, valid.iter().map(String::as_str));
                self.reading.mistake_near(&wanted.place, what, near);
                return None;
            }
        };
        let name = name.clone();
        self.source(&file, &text, |top| layer::read(top, &name))
    }

    /// Bundled ones and the site's own.
    fn profile_names(&self) -> Vec<String> {
        let mut own: Vec<String> = self
            .dir
            .join("profiles")
            .read_dir_utf8()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().strip_suffix(".toml")?.to_owned()))
            .collect();
        own.sort();
        bundled::profile_names().map(str::to_owned).chain(own).collect()
    }

    fn open_optional(&mut self, file: &str) -> Option<String> {
        // A link that leads nowhere is a mistake, not an absent file.
        match self.dir.join(file).symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.hash(file, &[]);
                None
            }
            _ => self.open(file, "there is no such file"),
        }
    }

    fn open(&mut self, file: &str, absent: &str) -> Option<String> {
        match read_text(&self.dir.join(file), absent) {
            Ok(text) => {
                self.add_to_digest(file, text.as_bytes());
                Some(text)
            }
            Err(why) => {
                self.reading.mistake(&Place::file(&file.into()), why);
                None
            }
        }
    }

    /// Counts a file in: alone, and with the others.
    fn add_to_digest(&mut self, name: &str, bytes: &[u8]) {
        let mut alone = digest();
        alone.update(bytes);
        let digested = Digested { name: name.to_owned(), sha256: hex(alone.finish().as_ref()) };
        match name {
            "site.toml" => self.digests.site = Some(digested),
            "grants.toml" => self.digests.grants = Some(digested),
            _ => self.digests.profile.push(digested),
        }
        self.hash(name, bytes);
    }

    /// Names and lengths are part of it, so that no text can be moved from one file to the next unseen.
    fn hash(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            self.digest.update(&(part.len() as u64).to_be_bytes());
            self.digest.update(part);
        }
    }
}

pub(super) fn read_text(path: &Utf8Path, absent: &str) -> Result<String, String> {
    let why = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => absent.to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    let metadata = path.metadata().map_err(why)?;
    // A pipe or device would be read for ever.
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(why)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err("it is longer than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })
}

/// Returns every key that reading asks for, by section, after reading `files` (name and text).
#[cfg(test)]
pub(super) fn keys_asked(site: &str, grants: &str, profile: &str) -> Vec<(&'static str, &'static str)> {
    let reading = Reading::default();
    let source = |file: &str, text| Source::new(&reading, file, text);
    source("site.toml", site).read(|top| site_file::read(top, Utf8Path::new("/")));
    source("grants.toml", grants).read(grants_file::read);
    source("profile", profile).read(|top| layer::read(top, "p"));
    reading.keys.into_inner().into_iter().collect()
}
