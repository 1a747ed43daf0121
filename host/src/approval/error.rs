//! What is wrong with a plan, a signature, or those who are trusted to sign.

use camino::Utf8PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("{path}, which a plan covers, cannot be read")]
    Covered { path: Utf8PathBuf, source: std::io::Error },
}
