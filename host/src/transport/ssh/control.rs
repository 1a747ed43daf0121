//! Where the sockets of ssh masters lie, and how a master ends when its Windlass was killed.
//!
//! A master is a daemon, so no signal follows the death of the process that wanted it. Instead the folder
//! of its socket holds a file that the living owner keeps locked: the kernel lets go of the lock however
//! the owner dies, and the next start ends every master whose folder nobody has locked. One that even
//! that does not find ends by itself when it has had no session for ten minutes.

use crate::transport::TransportError;
use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::geteuid;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

const PREFIX: &str = "c-";
/// Longest path of a folder under which a socket's still fits: of 108 bytes ssh and its library take
/// `/c-XXXXXX/.ssh-connectionXXXXXX/master.` and 16 random characters.
const LONGEST: usize = 108 - 58;

/// A folder for the sockets of one process.
#[derive(Debug)]
pub(super) struct ControlDir {
    dir: tempfile::TempDir,
    /// Locked as long as this process lives.
    _owner: File,
}

impl ControlDir {
    pub fn make() -> Result<Self, TransportError> {
        let mut last = None;
        for base in bases() {
            match Self::make_in(&base) {
                Ok(made) => return Ok(made),
                Err(error) => last = Some((base, error)),
            }
        }
        let (base, source) = last.unwrap_or_else(|| {
            ("/tmp".into(), io::Error::new(io::ErrorKind::NotFound, "no folder has a path short enough"))
        });
        Err(TransportError::Setup { what: format!("make a folder for ssh's sockets in {base}"), source })
    }

    fn make_in(base: &Utf8Path) -> io::Result<Self> {
        own_folder(base)?;
        let _making = lock_base(base)?;
        let dir = tempfile::Builder::new().prefix(PREFIX).rand_bytes(6).tempdir_in(base)?;
        let owner = File::create_new(dir.path().join("owner"))?;
        owner.lock()?;
        Ok(Self { dir, _owner: owner })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Ends the ssh masters that a killed Windlass of this user left behind; returns how many.
///
/// Call it at start, before connecting. What it cannot read or end it leaves: nothing depends on it.
pub async fn reap_orphans() -> usize {
    let mut ended = 0;
    for base in bases() {
        ended += reap_in(&base).await;
    }
    ended
}

pub(in crate::transport) async fn reap_in(base: &Utf8Path) -> usize {
    let mut ended = 0;
    if !is_own_folder(base) {
        return ended;
    }
    // No folder is half made while this is held: one without a locked owner is an orphan's.
    let (Ok(_making), Ok(entries)) = (lock_base(base), fs::read_dir(base)) else { return ended };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let dir = entry.path();
        let locked = File::open(dir.join("owner"))
            .is_ok_and(|owner| matches!(owner.try_lock(), Err(TryLockError::WouldBlock)));
        if locked {
            continue;
        }
        for connection in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let socket = connection.path().join("master");
            if socket.exists() && end_master(&socket).await {
                ended += 1;
            }
        }
        let _ = fs::remove_dir_all(&dir);
    }
    ended
}

/// Tells a master to end at once; false where there was none.
pub(super) async fn end_master(socket: &Path) -> bool {
    let mut ssh = tokio::process::Command::new("ssh");
    // The destination is required and not looked at.
    ssh.args(["-F", "none", "-O", "exit", "-S"]).arg(socket).arg("windlass");
    ssh.stdin(std::process::Stdio::null());
    ssh.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(Duration::from_secs(5), ssh.status()).await;
    matches!(status, Ok(Ok(status)) if status.success())
}

/// The folders that may hold sockets, the preferred one first.
fn bases() -> Vec<Utf8PathBuf> {
    let runtime = std::env::var("XDG_RUNTIME_DIR").ok().filter(|dir| dir.starts_with('/'));
    let mut bases: Vec<Utf8PathBuf> =
        runtime.map(|dir| Utf8Path::new(&dir).join("windlass")).into_iter().collect();
    bases.push(format!("/tmp/windlass-{}", geteuid()).into());
    bases.retain(|base| base.as_str().len() <= LONGEST);
    bases
}

/// Makes a folder that is this user's alone, or checks that it is: `/tmp` is everybody's.
fn own_folder(base: &Utf8Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(base) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if is_own_folder(base) => Ok(()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is there and not a folder of this user with mode 0700: remove it, or set XDG_RUNTIME_DIR",
        )),
    }
}

fn is_own_folder(base: &Utf8Path) -> bool {
    // Of the link itself, should it be one.
    fs::symlink_metadata(base)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0)
}

fn lock_base(base: &Utf8Path) -> io::Result<File> {
    let lock = File::options().create(true).truncate(false).write(true).open(base.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_folder_that_others_can_enter_or_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let open = root.join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(ControlDir::make_in(&open).is_err());
        let own = root.join("own");
        drop(ControlDir::make_in(&own).unwrap());
        let link = root.join("link");
        symlink(&own, &link).unwrap();
        assert!(ControlDir::make_in(&link).is_err());
    }

    #[tokio::test]
    async fn reaping_leaves_the_folder_of_a_living_owner_and_removes_a_dead_ones() {
        let dir = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(dir.path()).unwrap().join("b");
        let living = ControlDir::make_in(&base).unwrap();
        let dead = base.join("c-000000");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join("owner")).unwrap();
        reap_in(&base).await;
        assert!(living.path().join("owner").exists());
        assert!(!dead.exists());
    }
}
