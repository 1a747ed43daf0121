//! Files of a site that change together, or not at all.

use super::lock::LockError;
use camino::{Utf8Path, Utf8PathBuf};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::NamedTempFile;

/// Files that wait beside their places. What can fail for want of room or rights fails while they are gathered, when
/// nothing has changed yet.
#[derive(Debug, Default)]
pub struct Together {
    waiting: Vec<(Utf8PathBuf, Option<NamedTempFile>)>,
}

/// What a place held: bytes, or nothing.
type Before = (Utf8PathBuf, Option<Vec<u8>>);

impl Together {
    /// Adds a file that is to hold these bytes, readable for everybody.
    pub fn write(&mut self, path: Utf8PathBuf, bytes: &[u8]) -> Result<(), LockError> {
        let staged = stage(&path, bytes)?;
        self.waiting.push((path, Some(staged)));
        Ok(())
    }

    /// Adds a file that is to go. One that is not there is gone already.
    pub fn remove(&mut self, path: Utf8PathBuf) {
        self.waiting.push((path, None));
    }

    /// Changes all of them in the order in which they were added. Where one fails, those before it are put back.
    pub fn commit(self) -> Result<(), LockError> {
        let mut done: Vec<Before> = Vec::new();
        for (path, staged) in self.waiting {
            let changed = held(&path).and_then(|before| {
                put(&path, staged)?;
                Ok(before)
            });
            match changed {
                Ok(before) => done.push((path, before)),
                Err(error) => {
                    take_back(done);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn stage(path: &Utf8Path, bytes: &[u8]) -> Result<NamedTempFile, LockError> {
    let failed = |source| written(path, source);
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}

fn put(path: &Utf8Path, staged: Option<NamedTempFile>) -> Result<(), LockError> {
    match staged {
        Some(file) => file.persist(path).map(drop).map_err(|error| written(path, error.error)),
        None => match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LockError::Io { action: "removed", path: path.to_owned(), source: error })
            }
            _ => Ok(()),
        },
    }
}

fn held(path: &Utf8Path) -> Result<Option<Vec<u8>>, LockError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LockError::Io { action: "read", path: path.to_owned(), source }),
    }
}

/// The last first. What cannot be put back does not load: its bytes are not those of the lock, which is written last.
fn take_back(done: Vec<Before>) {
    for (path, before) in done.into_iter().rev() {
        let staged = match before {
            Some(bytes) => stage(&path, &bytes).map(Some),
            None => Ok(None),
        };
        let _ = staged.and_then(|staged| put(&path, staged));
    }
}

fn written(path: &Utf8Path, source: std::io::Error) -> LockError {
    LockError::Io { action: "written", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_change_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let (one, two, three) = (dir.join("a/one"), dir.join("two"), dir.join("three"));
        std::fs::write(&two, "before").unwrap();
        std::fs::write(&three, "before").unwrap();
        let gather = || {
            let mut files = Together::default();
            files.write(one.clone(), b"new").unwrap();
            files.write(two.clone(), b"new").unwrap();
            files.remove(three.clone());
            files
        };
        let text = |path: &Utf8Path| std::fs::read_to_string(path).ok();
        // A folder with something in it is in the way of the last.
        let mut files = gather();
        std::fs::create_dir_all(dir.join("in-the-way/x")).unwrap();
        files.write(dir.join("in-the-way"), b"new").unwrap();
        assert!(files.commit().unwrap_err().to_string().contains("in-the-way"));
        assert_eq!(
            (text(&one), text(&two), text(&three)),
            (None, Some("before".into()), Some("before".into()))
        );
        gather().commit().unwrap();
        assert_eq!((text(&one), text(&two), text(&three)), (Some("new".into()), Some("new".into()), None));
        // Nothing is left beside them.
        let names: Vec<_> = dir.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
        assert!(!names.iter().any(|path| path.as_str().contains(".new-")), "{names:?}");
    }
}
