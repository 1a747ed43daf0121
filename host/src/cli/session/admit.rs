//! Whether a file of the site's own may be loaded, by what the site trusts: its bytes must be those that were locked,
//! and, where signatures are asked for, somebody who is trusted must have signed them. Whether somebody must have
//! audited them is judged in `certified`.

use super::authority::trust;
use super::ending::approval_error;
use super::engines::own as own_engines;
use super::install::lock_error;
use crate::approval::{self, Namespace, Uncounted, beside, signature_of, signer_of};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::{PluginName, Signer};
use crate::plugin::{Manifest, sha256};
use crate::site::{LOCK_FILE, Lock, Locked, Trust};
use camino::Utf8Path;
use std::collections::BTreeMap;

/// What a site's own files must have to be loaded, and who says so.
pub(super) struct Demand {
    pub trust: Trust,
    says: String,
    pub roots: approval::Trust,
    /// The digests of the script engines that belong to this binary, by their names.
    pub engines: BTreeMap<String, String>,
}

/// A file of the site's own, as it was read.
pub(super) struct OwnFile<'a> {
    /// `procedure`, `hook` or `profile`.
    pub kind: &'static str,
    pub name: &'a PluginName,
    /// The whole path.
    pub path: &'a Utf8Path,
    pub bytes: &'a [u8],
}

/// What was locked of a file that may be loaded; none where nothing has to be.
#[derive(Debug, Default)]
pub(super) struct Admitted(Option<Locked>);

impl Demand {
    /// What the site asks for, or what no site goes below.
    pub fn of(context: &Context, site: Trust) -> Result<Self> {
        let roots = trust(context)?;
        let (trust, says) = match &roots.least {
            Some((least, path)) if *least > site => (*least, format!("{path} asks for")),
            _ => (site, "the site says".to_owned()),
        };
        let says = format!("{says} trust = {:?}", trust.as_str());
        Ok(Self { trust, says, roots, engines: own_engines(context)? })
    }

    /// Lets a file of the site in `dir` through, or says what is in its way.
    pub fn admit(&self, dir: &Utf8Path, own: &OwnFile<'_>) -> Result<Admitted> {
        let path = own.path;
        if self.trust == Trust::Dev {
            return Ok(Admitted(None));
        }
        let locked = self.locked(dir, own)?;
        match self.trust {
            Trust::Dev | Trust::Locked => {}
            Trust::Signed => self.signed(dir, own)?,
            Trust::Certified => {
                self.signed(dir, own)?;
                self.certified(dir, own)?;
            }
        }
        tracing::debug!(%path, trust = self.trust.as_str(), "admitted");
        Ok(Admitted(locked))
    }

    /// Who asks for what, as a part of a sentence.
    pub fn says(&self) -> &str {
        &self.says
    }

    pub(super) fn refused(&self, what: String) -> Error {
        Error::new(Exit::Refused, what)
    }

    fn locked(&self, dir: &Utf8Path, own: &OwnFile<'_>) -> Result<Option<Locked>> {
        let OwnFile { kind, name, path, bytes } = *own;
        let lock = Lock::read(dir).map_err(|error| Error { exit: Exit::Refused, ..lock_error(error) })?;
        let digest = sha256(bytes);
        match lock.file(kind, name) {
            Some(locked) if locked.file != shown(dir, path) => Err(self
                .refused(format!(
                    "the {kind} {name} is installed as {}, and {} is to be loaded",
                    locked.file,
                    shown(dir, path)
                ))
                .hint(format!("name {} in site.toml, or windlass plugin install {path}", locked.file))),
            Some(locked) if locked.sha256 == digest => Ok(lock.find(kind, name).cloned()),
            Some(locked) => Err(self
                .refused(format!(
                    "{} is not the {kind} {name} that was installed: {:.12} in {LOCK_FILE}, {digest:.12} now",
                    shown(dir, path),
                    locked.sha256
                ))
                .hint("put the file back that was installed, or, if the change is meant:")
                .hint(format!("windlass plugin install {path}"))),
            None => Err(self
                .refused(format!("the {kind} {name} is not in {LOCK_FILE}, and {}", self.says))
                .hint(format!("windlass plugin install {path} shows what it is, and locks it"))),
        }
    }

    fn signed(&self, dir: &Utf8Path, own: &OwnFile<'_>) -> Result<()> {
        let (kind, name, file) = (own.kind, own.name, shown(dir, own.path));
        match signature(&self.roots, own.path, own.bytes)? {
            Signature::Of(signer) => {
                tracing::debug!(%file, by = signer.principal, key = signer.key, "signed");
                Ok(())
            }
            Signature::None => Err(self
                .refused(format!("{file} has no signature, and {}: there is no {}", self.says, beside(&file)))
                .hint(format!(
                    "windlass plugin sign {}   by somebody whom {} trusts",
                    own.path, self.roots.path
                ))),
            Signature::Not(why) => {
                let mut error = self.refused(format!(
                    "the signature {} of the {kind} {name} does not count, and {}",
                    beside(&file),
                    self.says
                ));
                error.causes.push(why.to_string());
                Err(self
                    .hint_of(&why, Namespace::Plugin, error)
                    .hint(format!("windlass plugin sign {}   signs it anew", own.path)))
            }
        }
    }

    /// What can be done where somebody signed who does not count.
    pub fn hint_of(&self, why: &Uncounted, namespace: Namespace, error: Error) -> Error {
        match why {
            Uncounted::Bad(_) => error,
            Uncounted::Nobody(_) => error.hint(format!(
                "whom to trust stands in {}: PRINCIPAL namespaces=\"{namespace}\" KEY",
                self.roots.path
            )),
        }
    }
}

impl Admitted {
    /// The rest of what was locked must be what the file itself says: else the lock was edited, and what was accepted
    /// would not be what the file asks for.
    pub fn holds(&self, manifest: &Manifest) -> Result<()> {
        let Some(locked) = &self.0 else { return Ok(()) };
        let differs = super::incoming::entry_differs(locked, manifest);
        match differs {
            None => Ok(()),
            Some(what) => Err(Error::new(
                Exit::Refused,
                format!(
                    "the {what} of the {} {} in {LOCK_FILE} is not what {} says: the lock was edited",
                    locked.kind, locked.name, locked.file
                ),
            )
            .hint(format!("put {LOCK_FILE} back as it was, or install it anew:"))
            .hint(format!("windlass plugin update {}", locked.name))),
        }
    }
}

/// How the signature beside a file stands.
#[derive(Debug)]
pub(super) enum Signature {
    None,
    Of(Signer),
    Not(Uncounted),
}

pub(super) fn signature(roots: &approval::Trust, path: &Utf8Path, bytes: &[u8]) -> Result<Signature> {
    Ok(match signature_of(path).map_err(approval_error)? {
        None => Signature::None,
        Some(signature) => judged(roots, bytes, &signature),
    })
}

pub(super) fn judged(roots: &approval::Trust, bytes: &[u8], signature: &[u8]) -> Signature {
    let now = jiff::Timestamp::now().as_second();
    match signer_of(bytes, signature, Namespace::Plugin, roots, now) {
        Ok(signer) => Signature::Of(signer),
        Err(why) => Signature::Not(why),
    }
}

pub(super) fn shown(dir: &Utf8Path, path: &Utf8Path) -> camino::Utf8PathBuf {
    path.strip_prefix(dir).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests;
