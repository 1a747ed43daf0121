//! Who goes on with a run, and where: in words for people, and so that a lease tells two controllers apart.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

/// `user@host`: who ran it, for the journal.
pub(super) fn controller() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    format!("{}@{}", user.as_deref().unwrap_or("?"), host.as_deref().unwrap_or("?"))
}

/// `user@host (NUMBER)`: whose the lease is. The number is the state folder's, for ever: a second laptop may have
/// the same name, and who adopts a run must not be taken for whom it is adopted from.
pub(super) fn holder(context: &Context) -> Result<String> {
    let state = context.state_dir()?;
    let path = state.join("controller");
    let failed =
        |error: std::io::Error| Error::new(Exit::Usage, format!("the controller's number {path}: {error}"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(failed)?;
    if !path.exists() {
        let mut random = [0; 4];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| Error::new(Exit::Fault, "the operating system gives no random bytes"))?;
        // Whole at once, and the first of two stays.
        let beside = state.join(format!(".controller-{:08x}", u32::from_ne_bytes(random)));
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| write!(file, "{:08x}", u32::from_ne_bytes(random)))
            .map_err(failed)?;
        // Where another process was first, its number counts.
        let _ = std::fs::hard_link(&beside, &path);
        let _ = std::fs::remove_file(&beside);
    }
    let number = std::fs::read_to_string(&path).map_err(failed)?;
    let number: String = number.trim().chars().take(16).filter(char::is_ascii_alphanumeric).collect();
    if number.is_empty() {
        return Err(Error::new(Exit::Usage, format!("the controller's number {path} is empty"))
            .hint(format!("rm {path}, then type the same again")));
    }
    Ok(format!("{} ({number})", controller()))
}
