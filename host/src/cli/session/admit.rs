//! Whether a file of the site's may be loaded as a plugin, by what the site trusts.

use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::plugin::Kind;
use crate::site::{LOCK_FILE, Lock, Site, Trust};
use camino::Utf8Path;

/// Lets the bytes of this digest through, which were read from `file` of the site, or says what is in their way.
pub(super) fn admit(site: &Site, kind: Kind, name: &PluginName, file: &Utf8Path, digest: &str) -> Result<()> {
    let (kind, shown) = (kind.as_str(), file.strip_prefix(&site.dir).unwrap_or(file));
    let refused = |what: String| Error::new(Exit::Refused, what);
    match site.trust {
        Trust::Dev => return Ok(()),
        Trust::Locked => {}
        Trust::Signed | Trust::Certified => {
            let word = if site.trust == Trust::Signed { "signed" } else { "certified" };
            return Err(refused(format!(
                "the {kind} {name} is a file of the site, and the site says trust = {word:?}, which this windlass \
                 cannot check of a plugin yet"
            ))
            .hint("with trust = \"locked\" it loads what `windlass plugin install` has installed"));
        }
    }
    let lock = Lock::read(&site.dir).map_err(|error| Error::from_error(Exit::Refused, &error))?;
    match lock.find(kind, name) {
        Some(locked) if locked.sha256 == digest => Ok(()),
        Some(locked) => Err(refused(format!(
            "{shown} is not the {kind} {name} that was installed: {:.12} in {LOCK_FILE}, {digest:.12} now",
            locked.sha256
        ))
        .hint("put the file back that was installed, or, if the change is meant:")
        .hint(format!("windlass plugin install {file}"))),
        None => Err(refused(format!(
            "the {kind} {name} is not in {LOCK_FILE}, and the site says trust = \"locked\""
        ))
        .hint(format!("windlass plugin install {file} shows what it asks for, and locks it"))),
    }
}
