//! Files before they are part of a site: read whole, checked as loading them would check them, and what they are.

use super::ending::{approval_error, plugin_error};
use crate::approval::{RecordFile, beside, record_beside, record_of, signature_of};
use crate::cli::error::{Error, Exit};
use crate::model::{PluginName, Signer};
use crate::plugin::manifest::LARGEST_COMPONENT;
use crate::plugin::{Kind, Language, Manifest, Plugin, manifest_of, sha256};
use crate::report::harmless;
use crate::site::{
    AUTO, BundleFile, Lock, Locked, LockedNeeds, LockedProfile, PROFILE, ProfileHead, folder_of,
    profile_head, profile_names,
};
use camino::{Utf8Path, Utf8PathBuf};
use std::io::Read as _;

type Result<T> = std::result::Result<T, Error>;

/// A file that is to become part of a site.
pub(super) struct Incoming {
    pub name: PluginName,
    pub what: What,
    /// Its place, relative to the site.
    pub file: Utf8PathBuf,
    pub bytes: Vec<u8>,
    pub signature: Option<Vec<u8>>,
    /// Of its audit; none of a profile.
    pub record: Option<RecordFile>,
    /// Where it was read from.
    pub source: String,
}

pub(super) enum What {
    Plugin(Box<Manifest>),
    Profile(ProfileHead),
}

/// What a file that was named holds.
pub(super) enum Opened {
    One(Box<Incoming>),
    /// Several, and the signature of the bundle as a whole.
    Bundle(Vec<Incoming>, BundleSigned),
}

/// A bundle's own bytes and the signature beside it.
pub(super) struct BundleSigned {
    pub bytes: Vec<u8>,
    pub signature: Option<Vec<u8>>,
}

/// Reads a component, a profile or a bundle. `site` is the site's folder: what lies in it is named from there.
pub(super) fn open(site: &Utf8Path, file: &Utf8Path) -> Result<Opened> {
    let unusable = |why: String| Error::new(Exit::Usage, format!("{file} cannot be installed: {why}"));
    let bytes = read(file).map_err(unusable)?;
    let whole = camino::absolute_utf8(file).unwrap_or_else(|_| file.to_owned());
    let source = whole.strip_prefix(site).unwrap_or(&whole).to_string();
    let signature = signature_of(file).map_err(approval_error)?;
    if BundleFile::looks_like_one(&bytes) {
        let bundle = BundleFile::parse(&bytes).map_err(|error| {
            Error::new(Exit::Refused, format!("{file} cannot be installed: {error}"))
                .hint("ask for the bundle again: it is not as it was made, or something else")
        })?;
        let files = from_bundle(file, bundle, &source)?;
        return Ok(Opened::Bundle(files, BundleSigned { bytes, signature }));
    }
    if bytes.len() > LARGEST_COMPONENT {
        let why = format!("it has {} bytes, and a component at most {LARGEST_COMPONENT}", bytes.len());
        return Err(unusable(why));
    }
    let mut incoming = one(file, bytes, signature, source)?;
    if let What::Plugin(_) = incoming.what {
        incoming.record = record_of(file).map_err(approval_error)?;
    }
    Ok(Opened::One(Box::new(incoming)))
}

/// A file's bytes, of a length that is read, or why there are none.
pub(super) fn read(file: &Utf8Path) -> std::result::Result<Vec<u8>, String> {
    let text = |error: std::io::Error| error.to_string();
    let opened = std::fs::File::open(file).map_err(text)?;
    // A pipe or device would be read for ever.
    if !opened.metadata().map_err(text)?.is_file() {
        return Err("it is not a file".into());
    }
    let mut bytes = Vec::new();
    opened.take(BundleFile::LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(text)?;
    match bytes.len() > BundleFile::LARGEST {
        true => Err(format!("it is longer than {} MiB", BundleFile::LARGEST >> 20)),
        false => Ok(bytes),
    }
}

/// All that loading it would find wrong is found now.
fn one(file: &Utf8Path, bytes: Vec<u8>, signature: Option<Vec<u8>>, source: String) -> Result<Incoming> {
    if file.extension() == Some("toml") {
        return profile(file, bytes, signature, source);
    }
    let manifest = checked(file, &bytes)?;
    let (name, place) = (manifest.name.clone(), place(&manifest, file));
    Ok(Incoming {
        name,
        what: What::Plugin(Box::new(manifest)),
        file: place,
        bytes,
        signature,
        record: None,
        source,
    })
}

fn profile(file: &Utf8Path, bytes: Vec<u8>, signature: Option<Vec<u8>>, source: String) -> Result<Incoming> {
    let unusable = |why: String| Error::new(Exit::Usage, format!("{file} cannot be installed: {why}"));
    let name =
        PluginName::new(file.file_stem().unwrap_or_default()).map_err(|error| unusable(error.to_string()))?;
    if name.as_str() == AUTO || profile_names().any(|bundled| bundled == name.as_str()) {
        return Err(unusable(format!("a profile of a site cannot be called {name}, as a bundled one is"))
            .hint("give the file another name"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("it is not UTF-8 text".into()))?;
    let head = profile_head(file, name.as_str(), text).map_err(|errors| {
        let mut error = unusable("it is not a profile as a site has it".into());
        error.causes.extend(errors.mistakes.iter().map(ToString::to_string));
        error
    })?;
    let place = Utf8PathBuf::from(format!("profiles/{name}.toml"));
    Ok(Incoming { name, what: What::Profile(head), file: place, bytes, signature, record: None, source })
}

fn from_bundle(file: &Utf8Path, mut bundle: BundleFile, source: &str) -> Result<Vec<Incoming>> {
    let places: Vec<Utf8PathBuf> = bundle.lock.files().map(|entry| entry.file.to_owned()).collect();
    let mut files = Vec::with_capacity(places.len());
    for place in places {
        let refused = |why: String| Error::new(Exit::Refused, format!("{file} cannot be installed: {why}"));
        // A bundle that was read has the file of each entry.
        let bytes =
            bundle.files.remove(place.as_str()).ok_or_else(|| refused(format!("{place} is not in it")))?;
        let signature = bundle.files.remove(&format!("{place}.sig"));
        let record = record_beside(&place);
        let signed = bundle.files.remove(beside(&record).as_str());
        let record =
            bundle.files.remove(record.as_str()).map(|bytes| RecordFile { bytes, signature: signed });
        let incoming = Incoming { record, ..one(&place, bytes, signature, source.to_owned())? };
        let locked = bundle.lock.find(incoming.kind(), &incoming.name);
        let differs = match &incoming.what {
            What::Plugin(manifest) => locked.map_or(Some("name"), |locked| entry_differs(locked, manifest)),
            What::Profile(_) => None,
        };
        if let Some(what) = differs {
            return Err(refused(format!("the {what} of {place} is not what the bundle's lock says")));
        }
        if incoming.file != place {
            return Err(refused(format!("{place} is the {} {}", incoming.kind(), incoming.name)));
        }
        files.push(incoming);
    }
    Ok(files)
}

impl Incoming {
    pub fn kind(&self) -> &'static str {
        match &self.what {
            What::Plugin(manifest) => manifest.kind.as_str(),
            What::Profile(_) => PROFILE,
        }
    }

    pub fn needs(&self) -> LockedNeeds {
        match &self.what {
            What::Plugin(manifest) => needs(manifest),
            What::Profile(_) => LockedNeeds::new(),
        }
    }

    /// Puts its entry into a lock.
    pub fn lock_into(&self, lock: &mut Lock, signer: Option<&Signer>) {
        let (name, file, sha256) = (self.name.clone(), self.file.clone(), sha256(&self.bytes));
        let (source, signed_by) =
            (self.source.clone(), signer.map(|signer| format!("{} {}", signer.principal, signer.key)));
        match &self.what {
            What::Plugin(manifest) => lock.put(Locked {
                name,
                kind: manifest.kind.as_str().into(),
                file,
                sha256,
                version: manifest.version.clone(),
                api: manifest.api.clone(),
                source,
                signed_by,
                needs: needs(manifest),
            }),
            What::Profile(_) => lock.put_profile(LockedProfile { name, file, sha256, source, signed_by }),
        }
    }

    /// The record that the site has of these very bytes stays, where none comes with them.
    pub fn keep_record(&mut self, site: &Utf8Path) -> Result<()> {
        let place = site.join(&self.file);
        if self.record.is_none() && std::fs::read(&place).is_ok_and(|there| there == self.bytes) {
            self.record = record_of(&place).map_err(approval_error)?;
        }
        Ok(())
    }

    /// Whether the lock and the site's folder have exactly this already.
    pub fn is_there(&self, site: &Utf8Path, lock: &Lock) -> bool {
        let holds = |path: Utf8PathBuf, wanted: Option<&[u8]>| match std::fs::read(path) {
            Ok(found) => wanted.is_some_and(|wanted| found == wanted),
            Err(_) => wanted.is_none(),
        };
        let record = self.record.as_ref();
        let place = record_beside(&site.join(&self.file));
        let entry = match &self.what {
            What::Plugin(manifest) => lock
                .find(self.kind(), &self.name)
                .is_some_and(|locked| entry_differs(locked, manifest).is_none()),
            What::Profile(_) => true,
        };
        let locked = lock.file(self.kind(), &self.name);
        entry
            && locked.is_some_and(|locked| locked.sha256 == sha256(&self.bytes) && locked.file == self.file)
            && holds(site.join(&self.file), Some(&self.bytes))
            && holds(site.join(beside(&self.file)), self.signature.as_deref())
            && holds(beside(&place), record.and_then(|record| record.signature.as_deref()))
            && holds(place, record.map(|record| record.bytes.as_slice()))
    }

    /// Says what it is in a line.
    pub fn line(&self) -> String {
        match &self.what {
            What::Plugin(manifest) => plugin_line(manifest),
            What::Profile(head) => profile_line(&self.name, head),
        }
    }
}

/// Says what a file is, as far as it is one that a site could load.
pub(super) fn describe(file: &Utf8Path, bytes: &[u8]) -> String {
    if let Ok(bundle) = BundleFile::parse(bytes) {
        let names: Vec<_> =
            bundle.lock.files().map(|entry| format!("{} {}", entry.kind, entry.name)).collect();
        return format!("a bundle: {}", names.join(", "));
    }
    if let Ok(manifest) = manifest_of(file.as_str(), bytes) {
        return plugin_line(&manifest);
    }
    let name = PluginName::new(file.file_stem().unwrap_or_default()).ok();
    match (name, std::str::from_utf8(bytes)) {
        (Some(name), Ok(text)) if file.extension() == Some("toml") => {
            match profile_head(file, name.as_str(), text) {
                Ok(head) => profile_line(&name, &head),
                Err(_) => "no profile that a site could have".into(),
            }
        }
        _ => "nothing that a site could load".into(),
    }
}

fn plugin_line(manifest: &Manifest) -> String {
    let Manifest { kind, name, version, summary, .. } = manifest;
    format!("{} {name} {}: {}", kind.as_str(), harmless(version), harmless(summary))
}

fn profile_line(name: &PluginName, head: &ProfileHead) -> String {
    let title = harmless(head.title.as_deref().unwrap_or("no title"));
    match &head.extends {
        Some(extends) => format!("profile {name}: {title}, laid over {}", harmless(extends)),
        None => format!("profile {name}: {title}"),
    }
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
        Kind::Hook => folder_of("hook"),
        Kind::Procedure => folder_of("procedure"),
    };
    Utf8Path::new(folder.unwrap_or_default()).join(format!("{}.{ending}", manifest.name))
}

fn needs(manifest: &Manifest) -> LockedNeeds {
    let mut needs = LockedNeeds::new();
    for (list, pattern) in manifest.needs.iter().flat_map(|need| need.patterns()) {
        needs.entry(list.to_owned()).or_default().insert(pattern.clone());
    }
    needs
}

/// What a lock's entry says otherwise than the manifest of the bytes that it is of.
pub(super) fn entry_differs(locked: &Locked, manifest: &Manifest) -> Option<&'static str> {
    if locked.kind != manifest.kind.as_str() {
        Some("kind")
    } else if locked.name != manifest.name {
        Some("name")
    } else if locked.version != manifest.version {
        Some("version")
    } else if locked.api != manifest.api {
        Some("api")
    } else if locked.needs != needs(manifest) {
        Some("needs")
    } else {
        None
    }
}
