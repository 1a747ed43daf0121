//! The command line: arguments in, one command called, an exit code out.

pub mod commands;
pub mod error;
pub mod ui;

use camino::Utf8PathBuf;

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    pub ui: ui::Ui,
    /// `-C`, else `WINDLASS_SITE`, else the current folder.
    pub site_dir: Utf8PathBuf,
    /// `WINDLASS_STATE_DIR`, else the platform's state folder.
    pub state_dir: Utf8PathBuf,
}
