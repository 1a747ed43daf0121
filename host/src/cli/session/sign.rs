//! `windlass plugin sign`: files that a site may load, signed by somebody whom other machines trust.

use super::approve::key_for;
use super::authority::trust;
use super::ending::approval_error;
use super::incoming::{describe, read};
use crate::approval::{Namespace, write_signature};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::plugin::sha256;
use camino::Utf8PathBuf;

/// `windlass plugin sign`.
pub struct Sign {
    pub files: Vec<Utf8PathBuf>,
    /// None: the ssh agent's.
    pub key: Option<Utf8PathBuf>,
}

/// Shows files and signs each; the signature is written beside it.
pub fn sign_files(context: &Context, sign: &Sign) -> Result {
    let ui = &context.ui;
    let trust = trust(context)?;
    let mut files = Vec::with_capacity(sign.files.len());
    for file in &sign.files {
        if file.extension() == Some("sig") {
            return Err(Error::new(Exit::Usage, format!("{file} is a signature"))
                .hint("name the file that it is to be of"));
        }
        files.push((
            file,
            read(file).map_err(|why| Error::new(Exit::Usage, format!("{file} cannot be signed: {why}")))?,
        ));
    }
    let key = key_for(context, &trust, sign.key.as_deref(), Namespace::Plugin)?;
    let signed_by = key.signed_by();
    let person = trust.signers.who(&signed_by, Namespace::Plugin, jiff::Timestamp::now().as_second());
    if !ui.is_json() {
        for (file, bytes) in &files {
            ui.out(format!("{file}: {}", describe(file, bytes)));
            ui.out(format!("  sha256  {}", sha256(bytes)));
        }
    }
    let question = if files.len() == 1 { "Sign it?" } else { "Sign them?" };
    if ui.interactive && ui.ask(question) != Some(true) {
        return Err(Error::new(Exit::Failed, "nothing was signed"));
    }
    // All signatures before any file: an agent that refuses the second leaves no half of them.
    let mut signatures = Vec::with_capacity(files.len());
    for (file, bytes) in &files {
        signatures.push((file, key.sign(bytes, Namespace::Plugin).map_err(approval_error)?, sha256(bytes)));
    }
    let fingerprint = signed_by.fingerprint();
    let mut written = Vec::with_capacity(signatures.len());
    for (file, signature, digest) in signatures {
        let path = write_signature(file, &signature).map_err(approval_error)?;
        written.push(serde_json::json!({
            "file": file, "sha256": digest, "signature": path, "key": fingerprint,
            "principal": person.as_ref().ok().map(|person| &person.name),
        }));
        ui.say(format!("signed: {path}"));
    }
    if ui.is_json() {
        ui.json(&written);
    }
    match &person {
        Ok(person) => ui.say(format!("signed by {} ({fingerprint})", person.name)),
        Err(why) => ui.warn(format!("signed, but {why}, says {}", trust.path)),
    }
    Ok(Exit::Done)
}
