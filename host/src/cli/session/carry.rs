//! `windlass plugin bundle`: what is installed in a site, as one file for another one.

use super::admit::{Demand, Signature, signature};
use super::certified::{Asked, Vouched};
use super::ending::approval_error;
use super::install::{lock_error, not_installed};
use crate::approval::{RecordFile, Uncounted, beside, record_beside, record_of, signature_of};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::plugin::sha256;
use crate::site::{BundleFile, LOCK_FILE, Lock, Outline, PROFILE, Together};
use camino::Utf8PathBuf;

/// `windlass plugin bundle`.
pub struct Carry {
    pub output: Utf8PathBuf,
    /// None: all that is installed.
    pub names: Vec<PluginName>,
}

/// Writes what is installed into one file: the same bytes wherever it is made.
pub fn carry(context: &Context, site: &Outline, carry: &Carry) -> Result {
    let lock = Lock::read(&site.dir).map_err(lock_error)?;
    if let Some(lost) = carry.names.iter().find(|name| !lock.files().any(|locked| locked.name == *name)) {
        return Err(not_installed(&lock, lost));
    }
    let wanted = |name: &PluginName| carry.names.is_empty() || carry.names.contains(name);
    let demand = Demand::of(context, site.trust)?;
    let mut bundle = BundleFile { lock: Lock::default(), files: Default::default() };
    for locked in lock.files().filter(|locked| wanted(locked.name)) {
        let (kind, name, file) = (locked.kind, locked.name, locked.file);
        let path = site.dir.join(file);
        let refused = |what: String| Error::new(Exit::Refused, what);
        let bytes = super::incoming::read(&path)
            .map_err(|why| Error::new(Exit::Usage, format!("{file} cannot be bundled: {why}")))?;
        if sha256(&bytes) != locked.sha256 {
            return Err(refused(format!(
                "{file} is not the {kind} {name} that was installed, says {LOCK_FILE}"
            ))
            .hint("put the file back that was installed, or, if the change is meant:")
            .hint(format!("windlass plugin install {path}")));
        }
        match signature(&demand.roots, &path, &bytes)? {
            Signature::Not(why @ Uncounted::Bad(_)) => {
                let mut error = refused(format!("the signature of {file} does not count"));
                error.causes.push(why.to_string());
                return Err(error.hint(format!("windlass plugin sign {path}   signs it anew")));
            }
            // Where the bundle goes to, others may be trusted than here.
            Signature::Not(Uncounted::Nobody(_)) | Signature::Of(_) => {
                let signature = signature_of(&path).map_err(approval_error)?;
                bundle.files.extend(signature.map(|signature| (format!("{file}.sig"), signature)));
            }
            Signature::None => context.ui.detail(format!("{file} has no signature")),
        }
        let record = match kind {
            PROFILE => None,
            _ => record_of(&path).map_err(approval_error)?,
        };
        let asked = Asked { kind, name, file, sha256: locked.sha256 };
        if let Vouched::Not(why) = demand.vouched(&asked, record.as_ref())
            && why.is_bad()
        {
            let error = demand.uncertified(kind, name, file, &why, None);
            return Err(error.hint(format!("windlass certify {name}   makes it anew")));
        }
        if let Some(RecordFile { bytes, signature }) = record {
            let place = record_beside(file);
            bundle.files.extend(signature.map(|signature| (beside(&place).into_string(), signature)));
            bundle.files.insert(place.into_string(), bytes);
        }
        bundle.files.insert(file.to_string(), bytes);
    }
    // Neither where they came from nor whom this machine trusts goes with them.
    for mut locked in lock.plugins.iter().filter(|locked| wanted(&locked.name)).cloned() {
        locked.source = locked.file.to_string();
        locked.signed_by = None;
        bundle.lock.put(locked);
    }
    for mut locked in lock.profiles.iter().filter(|locked| wanted(&locked.name)).cloned() {
        locked.source = locked.file.to_string();
        locked.signed_by = None;
        bundle.lock.put_profile(locked);
    }
    if bundle.files.is_empty() {
        return Err(Error::new(
            Exit::Usage,
            "nothing is installed in this site, so there is nothing to bundle",
        )
        .hint("windlass plugin install FILE"));
    }
    let output = &carry.output;
    let bytes = bundle
        .encode()
        .map_err(|error| Error::new(Exit::Usage, format!("{output} cannot be written: {error}")))?;
    if bytes.len() > BundleFile::LARGEST {
        let most = BundleFile::LARGEST >> 20;
        return Err(Error::new(
            Exit::Usage,
            format!("{output} would be longer than the {most} MiB that are read"),
        )
        .hint("name some of the plugins, and bundle the others apart"));
    }
    let mut together = Together::default();
    let whole = camino::absolute_utf8(output).unwrap_or_else(|_| output.clone());
    together.write(whole, &bytes).and_then(|()| together.commit()).map_err(lock_error)?;
    for path in bundle.files.keys() {
        context.ui.say(path);
    }
    let digest = sha256(&bytes);
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({
            "bundle": output, "sha256": digest, "files": bundle.files.keys().collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    context.ui.out(format!("{output}  sha256 {digest}"));
    context.ui.say(format!("windlass plugin install {output} brings it into another site"));
    Ok(Exit::Done)
}
