//! Writing one file: stage it beside its place, put it there at once, remove it.

use super::error::{Attempt, FilesError, Problem};
use super::script::{self, ANSWER_LIMIT, fail};
use super::swap::Staged;
use super::{LONG, NodeFiles, Remote, ResolvedFile};
use crate::model::ObjectName;
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The longest name of a file on every file system in use.
const LONGEST_NAME: usize = 255;

impl<R: Remote> NodeFiles<'_, R> {
    /// Writes the new content beside the file, checked and synced, and leaves the file as it is.
    /// Staging again replaces what was staged.
    pub async fn stage(
        &self,
        set: &ObjectName,
        file: &ResolvedFile,
        content: &[u8],
    ) -> Result<Staged, FilesError> {
        let attempt = self.attempt("stage", file.name.as_str(), &file.path);
        let sha256 = self.write(&attempt, script::STAGE, &self.suffix(set.as_str()), file, content).await?;
        Ok(Staged { file: file.clone(), sha256: (!file.guessable).then_some(sha256) })
    }

    /// Replaces a file at once: written beside it, checked, synced, renamed.
    pub async fn put(&self, file: &ResolvedFile, content: &[u8]) -> Result<(), FilesError> {
        let attempt = self.attempt("write", file.name.as_str(), &file.path);
        // No set has this name: a set's name has no comma.
        self.write(&attempt, script::PUT, &self.suffix(",put"), file, content).await.map(drop)
    }

    /// Removes a file; nothing to do where there is none.
    pub async fn remove(&self, file: &ResolvedFile) -> Result<(), FilesError> {
        let attempt = self.attempt("remove", file.name.as_str(), &file.path);
        refuse_read_only(&attempt, file)?;
        let input = script::input(&[&self.token(), &file.path], b"");
        self.call(&attempt, script::REMOVE, input, LONG, ANSWER_LIMIT).await.map(drop)
    }

    /// Returns what is appended to a file's path while its new content waits.
    pub(super) fn suffix(&self, set: &str) -> String {
        format!(".windlass-{}-{set}", self.run)
    }

    /// Reads what is staged of a set for a file, or none where nothing is; its caller must keep it secret.
    pub async fn read_staged(
        &self,
        set: &ObjectName,
        file: &ResolvedFile,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FilesError> {
        let path = format!("{}{}", file.path, self.suffix(set.as_str()));
        self.read_secret(&ResolvedFile { path, ..file.clone() }).await
    }

    async fn write(
        &self,
        attempt: &Attempt,
        script: crate::transport::Script,
        suffix: &str,
        file: &ResolvedFile,
        content: &[u8],
    ) -> Result<String, FilesError> {
        refuse_read_only(attempt, file)?;
        let base = file.path.rsplit('/').next().unwrap_or_default();
        if base.len() + suffix.len() > LONGEST_NAME {
            return Err(fail(
                attempt,
                Problem::Refused("with the run's and the set's names its name is too long"),
            ));
        }
        let sha256 = sha256_hex(content);
        let mode = file.mode.map_or_else(|| "keep".into(), |mode| format!("{mode:04o}"));
        let input = script::input(
            &[
                &self.token(),
                &file.path,
                suffix,
                &content.len().to_string(),
                &sha256,
                &mode,
                file.owner.as_deref().unwrap_or("keep"),
                if file.secret { "0600" } else { "0644" },
            ],
            content,
        );
        self.call(attempt, script, input, LONG, ANSWER_LIMIT).await?;
        Ok(String::from(&*sha256))
    }
}

pub(super) fn refuse_read_only(attempt: &Attempt, file: &ResolvedFile) -> Result<(), FilesError> {
    if file.read_only {
        return Err(fail(attempt, Problem::Refused("the profile marks it read-only")));
    }
    Ok(())
}

/// A password's hash is wiped like the password.
fn sha256_hex(content: &[u8]) -> Zeroizing<String> {
    let digest = digest(&SHA256, content);
    Zeroizing::new(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}
