//! A plan's file, and the signatures beside it: `PLAN.sig` as `ssh-keygen -Y sign` writes it, and
//! `PLAN.NAME.sig`, so that several people can sign.

use super::error::ApprovalError;
use crate::model::{PLAN_FORMAT, Plan, hex};
use aws_lc_rs::digest::{SHA256, digest};
use camino::{Utf8Path, Utf8PathBuf};
use std::io::{Read as _, Write as _};

/// Far more than any plan.
const LONGEST_PLAN: u64 = 64 * 1024 * 1024;
pub(super) const LONGEST_SIGNATURE: u64 = 64 * 1024;
/// More people than will ever sign one plan.
const MOST_SIGNATURES: usize = 64;

/// A plan as it was read: what people signed are its bytes.
#[derive(Debug)]
pub struct PlanFile {
    pub path: Utf8PathBuf,
    pub bytes: Vec<u8>,
    pub plan: Plan,
    /// SHA-256 of the bytes, lower-case hex.
    pub digest: String,
}

impl PlanFile {
    pub fn read(path: &Utf8Path) -> Result<Self, ApprovalError> {
        let not = |why: String| ApprovalError::NotAPlan { path: path.to_owned(), why };
        let bytes = read(path, LONGEST_PLAN, "plan")?.ok_or_else(|| not("it is too long".into()))?;
        // The format first: a newer plan has fields that would only be called unknown.
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| not(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(PLAN_FORMAT) => {
                return Err(ApprovalError::NewerPlan { path: path.to_owned(), found, known: PLAN_FORMAT });
            }
            Some(found) if found == u64::from(PLAN_FORMAT) => {}
            _ => return Err(not("it does not say its format".into())),
        }
        let plan = serde_json::from_slice(&bytes).map_err(|error| not(error.to_string()))?;
        let digest = hex(digest(&SHA256, &bytes).as_ref());
        Ok(Self { path: path.to_owned(), bytes, plan, digest })
    }

    /// Returns every signature beside the plan, in the order of their names.
    pub fn signatures(&self) -> Result<Vec<(Utf8PathBuf, Vec<u8>)>, ApprovalError> {
        let name = self.path.file_name().unwrap_or_default();
        let folder = folder_of(&self.path);
        let unreadable = |source| ApprovalError::Read { what: "folder", path: folder.to_owned(), source };
        let mut paths: Vec<Utf8PathBuf> = folder
            .read_dir_utf8()
            .map_err(unreadable)?
            .flatten()
            .filter(|entry| {
                let after = entry.file_name().strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
                after.is_some_and(|rest| rest == "sig" || rest.ends_with(".sig"))
            })
            .map(|entry| entry.into_path())
            .collect();
        paths.sort();
        paths.truncate(MOST_SIGNATURES);
        let mut signatures = Vec::with_capacity(paths.len());
        for path in paths {
            // What is too long is no signature, and counts as none.
            let bytes = read(&path, LONGEST_SIGNATURE, "signature")?.unwrap_or_default();
            signatures.push((path, bytes));
        }
        Ok(signatures)
    }

    /// Writes a signature beside the plan, under the name of who made it; the same person's earlier one goes.
    pub fn add_signature(&self, by: &str, signature: &str) -> Result<Utf8PathBuf, ApprovalError> {
        let safe: String = by
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "@._-".contains(c) { c } else { '-' })
            .take(80)
            .collect();
        let path = Utf8PathBuf::from(format!("{}.{safe}.sig", self.path));
        write(&path, signature.as_bytes())?;
        Ok(path)
    }
}

/// Writes a plan whole or not at all.
pub fn write_plan(path: &Utf8Path, plan: &Plan) -> Result<(), ApprovalError> {
    let failed = |source| ApprovalError::Write { path: path.to_owned(), source };
    let mut text = serde_json::to_string_pretty(plan).map_err(|error| failed(error.into()))?;
    text.push('\n');
    write(path, text.as_bytes())
}

pub(super) fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), ApprovalError> {
    let written = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder_of(path))
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error).map(drop)
        });
    written.map_err(|source| ApprovalError::Write { path: path.to_owned(), source })
}

fn folder_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    }
}

/// None: it is longer than `longest`.
pub(super) fn read(
    path: &Utf8Path,
    longest: u64,
    what: &'static str,
) -> Result<Option<Vec<u8>>, ApprovalError> {
    let unreadable = |source| ApprovalError::Read { what, path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // A pipe or device would be read for ever.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a file")));
    }
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok((bytes.len() as u64 <= longest).then_some(bytes))
}
