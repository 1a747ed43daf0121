//! Whether somebody who is trusted with it has audited a plugin, and what it was seen to do then.

use super::admit::{Demand, OwnFile, shown};
use super::ending::approval_error;
use crate::approval::{Certified, OfPlugin, RecordFile, Uncertified, Uncounted, record_beside, record_of};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use crate::model::audit::Envelope;
use crate::plugin::{Kind, Language, Plugin, sha256};
use crate::site::{PROFILE, Site, Trust, folder_of, hook_file};
use camino::{Utf8Path, Utf8PathBuf};

/// How the record beside a plugin's file stands.
#[derive(Debug)]
pub(super) enum Vouched {
    None,
    Of(Box<Certified>),
    Not(Uncertified),
}

/// The plugin that a record is asked of; `file` tells a script, by its ending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub kind: &'a str,
    pub name: &'a PluginName,
    pub file: &'a Utf8Path,
    pub sha256: &'a str,
}

impl Demand {
    /// Judges a record; none is none.
    pub fn vouched(&self, asked: &Asked<'_>, record: Option<&RecordFile>) -> Vouched {
        let Some(record) = record else { return Vouched::None };
        let engine = Language::of(asked.file.as_str()).map(Language::engine);
        let of = OfPlugin {
            kind: asked.kind,
            name: asked.name,
            sha256: asked.sha256,
            engine: engine.map(|name| (name, self.engines.get(name).map(String::as_str))),
        };
        match record.judge(&of, &self.roots, jiff::Timestamp::now().as_second()) {
            Ok(certified) => Vouched::Of(Box::new(certified)),
            Err(why) => Vouched::Not(why),
        }
    }

    /// Lets a plugin of the site through that was certified. A profile is text that is read as it stands: nothing of it
    /// can be rehearsed, and its signature is what vouches for it.
    pub(super) fn certified(&self, dir: &Utf8Path, own: &OwnFile<'_>) -> Result<()> {
        if own.kind == PROFILE {
            return Ok(());
        }
        let record = record_of(own.path).map_err(approval_error)?;
        let digest = sha256(own.bytes);
        let asked = Asked { kind: own.kind, name: own.name, file: own.path, sha256: &digest };
        let vouched = self.vouched(&asked, record.as_ref());
        self.demanded(&asked, &shown(dir, own.path), own.path.as_str(), vouched).map(drop)
    }

    /// Who certified it, where somebody must have. `file`: as it is called in words; `source`: what can be certified.
    pub(super) fn demanded(
        &self,
        asked: &Asked<'_>,
        file: &Utf8Path,
        source: &str,
        vouched: Vouched,
    ) -> Result<Box<Certified>> {
        let (kind, name) = (asked.kind, asked.name);
        let again = format!("windlass certify {source}   by somebody whom {} trusts", self.roots.path);
        match vouched {
            Vouched::Of(certified) => {
                tracing::debug!(%file, by = certified.signer.principal, "certified");
                Ok(certified)
            }
            Vouched::None => Err(self
                .refused(format!(
                    "the {kind} {name} is not certified, and {}: there is no {}",
                    self.says(),
                    record_beside(file)
                ))
                .hint(again)),
            Vouched::Not(why) => {
                let error = self.uncertified(kind, name, file, &why, Some(self.says()));
                Err(error.hint(again))
            }
        }
    }

    /// What is said of a record that does not count.
    pub(super) fn uncertified(
        &self,
        kind: &str,
        name: &PluginName,
        file: &Utf8Path,
        why: &Uncertified,
        says: Option<&str>,
    ) -> Error {
        let says = says.map(|says| format!(", and {says}")).unwrap_or_default();
        let mut error = self
            .refused(format!("the record {} of the {kind} {name} does not count{says}", record_beside(file)));
        error.causes.push(why.to_string());
        match why {
            Uncertified::Signature(why @ Uncounted::Nobody(_)) => {
                self.hint_of(why, crate::approval::Namespace::Audit, error)
            }
            _ => error,
        }
    }
}

/// Where the record of a bundled procedure stands in a site, beside the site's own: as that of a file which is not
/// there, since the binary is.
pub(super) fn place_of_bundled(site: &Utf8Path, name: &PluginName) -> Utf8PathBuf {
    site.join(folder_of(Kind::Procedure.as_str()).unwrap_or_default()).join(format!("{name}.wasm"))
}

/// What a plugin was seen to do when it was certified; none where nobody has certified these bytes.
///
/// A record that does not count is told, and holds nothing: where the site demands one, the plugin was refused before.
/// A bundled procedure needs none, and one that is there holds it all the same.
pub(super) fn certified_envelope(
    context: &Context,
    site: &Site,
    plugin: &Plugin,
) -> Result<Option<Envelope>> {
    let (name, kind) = (plugin.name(), plugin.manifest().kind);
    let file = match kind {
        Kind::Hook => hook_file(&site.dir, name).map_err(|error| Error::from_error(Exit::Usage, &error))?,
        Kind::Procedure => match site.procedures.get(name).and_then(|settings| settings.params.get("plugin"))
        {
            Some(path) => site.dir.join(path),
            None => place_of_bundled(&site.dir, name),
        },
    };
    let asked = Asked { kind: kind.as_str(), name, file: &file, sha256: plugin.digest() };
    envelope(context, site.trust, &site.dir, &asked)
}

pub(super) fn envelope(
    context: &Context,
    trust: Trust,
    dir: &Utf8Path,
    asked: &Asked<'_>,
) -> Result<Option<Envelope>> {
    let Asked { kind, name, file, .. } = *asked;
    // Most sites have none: whom this machine trusts is read only where it matters.
    let Some(record) = record_of(file).map_err(approval_error)? else { return Ok(None) };
    let demand = Demand::of(context, trust)?;
    match demand.vouched(asked, Some(&record)) {
        Vouched::Of(certified) => Ok(Some(certified.record.envelope)),
        Vouched::None => Ok(None),
        Vouched::Not(why) => {
            let error = demand.uncertified(kind, name, &shown(dir, file), &why, None);
            // Somebody put it there to hold the plugin to it: where certification is demanded, that is no warning.
            if demand.trust == Trust::Certified {
                return Err(error.hint(format!("windlass certify {name}   makes it anew")).hint(
                    "a bundled procedure needs none: without the record it runs, held to its grants alone",
                ));
            }
            context.ui.warn(format!("{}: {why}", error.message));
            Ok(None)
        }
    }
}
