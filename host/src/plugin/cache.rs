//! Compiled images of a site's own plugins, so that compiling happens once a component.
//!
//! An image runs as native code, so one is loaded only where this host made it: the folder is the user's
//! own (0700, no links), and every image carries a keyed digest over itself, the component it was made
//! from and the engine that made it. What does not check out is not an error but is compiled anew; only a
//! folder that others could write to is refused. An image is mapped through the very descriptor that was checked:
//! that of Python's engine has 40 MB, of which a call touches few. Between the check and the use only the user could
//! change it, who runs this program.

use super::component::cause;
use super::inspect::sha256;
use super::{Engine, Plugin, PluginError};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use nix::fcntl::OFlag;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wasmtime::component::Component;
use zeroize::Zeroizing;

const KEY: usize = 32;
const TAG: usize = 32;
/// Largest image, in bytes: twice what the largest engine of a script takes.
const LARGEST: u64 = 128 << 20;
/// Bytes that are checked at a time.
const PART: usize = 256 << 10;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("cannot use the folder for compiled plugins {}: {why}", folder.display())]
    Unsafe { folder: PathBuf, why: &'static str },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot make a key for the folder of compiled plugins: the system gives no random numbers")]
    Random,
}

/// A folder of images that this host made.
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens the cache in a folder, made where it is missing. Refuses a folder that another user could
    /// have written to.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        match DirBuilder::new().mode(0o700).recursive(true).create(folder) {
            Ok(()) => {}
            // A link to a folder that exists, or a file: the check below says which.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("make the folder", folder, source)),
        }
        check_folder(folder)?;
        let key = key(folder)?;
        Ok(Self { folder: folder.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &key[..]) })
    }

    /// Loads a component, from its image where there is one, else by compiling it. `file` names it in
    /// errors. All checks of [`Plugin::compile`] are made either way.
    pub fn load(&self, engine: &Engine, file: &str, component: &[u8]) -> Result<Plugin, PluginError> {
        let manifest = Plugin::inspect(file, component)?;
        let digest = sha256(component);
        let compiled = self.component(engine, file, &digest, component)?;
        Plugin::link(engine, manifest, digest, &compiled)
    }

    /// Returns what a component of this digest compiles to.
    pub(super) fn component(
        &self,
        engine: &Engine,
        file: &str,
        digest: &str,
        component: &[u8],
    ) -> Result<Component, PluginError> {
        let context = format!("windlass image 1\n{digest}\n{}\n", engine.fingerprint());
        let path = self.folder.join(format!("{}.image", sha256(context.as_bytes())));
        if let Some(image) = self.checked(&path, &context) {
            let descriptor = format!("/proc/self/fd/{}", image.as_raw_fd());
            // SAFETY: the image carries a keyed digest that only this host could have made, for this component and
            // an engine of this fingerprint; the file is open, has one name, and is in a folder that only the user
            // can write to. What stands behind the image in it is the digest, which nothing of the image names.
            if let Ok(compiled) = unsafe { Component::deserialize_file(&engine.wasmtime, descriptor) } {
                return Ok(compiled);
            }
        }
        let compiled = Component::from_binary(&engine.wasmtime, component)
            .map_err(|error| PluginError::Compile { plugin: file.into(), why: cause(&error) })?;
        let image = compiled
            .serialize()
            .map_err(|error| PluginError::Compile { plugin: file.into(), why: cause(&error) })?;
        self.write(&path, &context, &image)?;
        Ok(compiled)
    }

    /// Returns the file of an image that this host made, or none where there is none or it does not check out.
    fn checked(&self, path: &Path, context: &str) -> Option<File> {
        let mut file = open_private(path).ok()?;
        let length = file.metadata().ok()?.len();
        if length > LARGEST {
            return None;
        }
        let mut left = usize::try_from(length).ok()?.checked_sub(TAG)?;
        let mut tag = hmac::Context::with_key(&self.key);
        tag.update(context.as_bytes());
        let mut part = vec![0; PART];
        while left > 0 {
            let part = part.get_mut(..left.min(PART))?;
            file.read_exact(part).ok()?;
            tag.update(part);
            left -= part.len();
        }
        let mut written = [0; TAG];
        file.read_exact(&mut written).ok()?;
        verify_slices_are_equal(tag.sign().as_ref(), &written).ok()?;
        Some(file)
    }

    /// The context ends in a newline and has a fixed number of them, so it cannot run into the image.
    fn tag(&self, context: &str, image: &[u8]) -> hmac::Tag {
        let mut tag = hmac::Context::with_key(&self.key);
        tag.update(context.as_bytes());
        tag.update(image);
        tag.sign()
    }

    fn write(&self, path: &Path, context: &str, image: &[u8]) -> Result<(), CacheError> {
        let tag = self.tag(context, image);
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(&self.folder)
            .map_err(|source| failed("write to", &self.folder, source))?;
        file.write_all(image)
            .and_then(|()| file.write_all(tag.as_ref()))
            .map_err(|source| failed("write", path, source))?;
        file.persist(path).map_err(|error| failed("write", path, error.error))?;
        Ok(())
    }
}

fn check_folder(folder: &Path) -> Result<(), CacheError> {
    let refuse = |why| Err(CacheError::Unsafe { folder: folder.to_owned(), why });
    let metadata = fs::symlink_metadata(folder).map_err(|source| failed("look at", folder, source))?;
    if !metadata.is_dir() {
        return refuse("it is a link or a file; remove it, or name another with WINDLASS_CACHE_DIR");
    }
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return refuse("it belongs to another user; name one of your own with WINDLASS_CACHE_DIR");
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse("others can get into it, so what is in it cannot be trusted; remove it and try again");
    }
    Ok(())
}

/// Returns the folder's key, made where it is missing.
fn key(folder: &Path) -> Result<Zeroizing<[u8; KEY]>, CacheError> {
    let path = folder.join("key");
    match open_private(&path) {
        Ok(file) => read_key(file, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0; KEY]);
            SystemRandom::new().fill(&mut key[..]).map_err(|_| CacheError::Random)?;
            let mut file = tempfile::Builder::new()
                .prefix("new-")
                .tempfile_in(folder)
                .map_err(|source| failed("write to", folder, source))?;
            file.write_all(&key[..]).map_err(|source| failed("write", &path, source))?;
            match file.persist_noclobber(&path) {
                Ok(_) => Ok(key),
                // Another process was first; its key is the one.
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    read_key(open_private(&path).map_err(|source| failed("read", &path, source))?, &path)
                }
                Err(error) => Err(failed("write", &path, error.error)),
            }
        }
        Err(source) => Err(failed("read", &path, source)),
    }
}

fn read_key(mut file: File, path: &Path) -> Result<Zeroizing<[u8; KEY]>, CacheError> {
    let mut key = Zeroizing::new([0; KEY]);
    file.read_exact(&mut key[..]).map_err(|source| failed("read", path, source))?;
    Ok(key)
}

/// Opens a regular file that is the user's own, has one name and that others cannot use. Follows no link.
fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let metadata = file.metadata()?;
    let own = metadata.uid() == nix::unistd::geteuid().as_raw();
    if metadata.is_file() && own && metadata.nlink() == 1 && metadata.mode() & 0o077 == 0 {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is a link, or others can use it; remove the folder and try again",
        ))
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> CacheError {
    CacheError::Io { action, path: path.to_owned(), source }
}
