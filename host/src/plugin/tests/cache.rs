use super::guest::*;
use crate::plugin::cache::{Cache, CacheError};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Returns a cache folder below a temporary one, with one image in it.
fn warm() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("plugins");
    Cache::open(&folder).unwrap().load(run_engine(), "guest.wasm", &procedure("")).unwrap();
    (home, folder)
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut images: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "image")).collect();
    images.sort();
    images
}

fn image(folder: &Path) -> PathBuf {
    let mut images = images(folder);
    assert_eq!(images.len(), 1, "{images:?}");
    images.remove(0)
}

/// Loads again and returns whether the image was made anew.
fn remade(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let before = fs::symlink_metadata(image(folder)).unwrap().ino();
    let plugin = Cache::open(folder).unwrap().load(run_engine(), "guest.wasm", &procedure("")).unwrap();
    assert_eq!(plugin.digest(), load(&procedure("")).digest());
    fs::symlink_metadata(image(folder)).unwrap().ino() != before
}

#[tokio::test]
async fn a_second_load_takes_the_image_of_the_first_and_runs() {
    let (_home, folder) = warm();
    assert!(!remade(&folder));
    let plugin = Cache::open(&folder).unwrap().load(run_engine(), "guest.wasm", &procedure("")).unwrap();
    assert_eq!(plugin.procedure_apply(&mut unreached(), &step("a")).await.unwrap(), Ok(()));
}

#[test]
fn a_poisoned_image_is_never_loaded() {
    let (_home, folder) = warm();
    let path = image(&folder);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(remade(&folder));
    // Cut short, empty, too short to hold a tag: the same.
    for length in [100, 31, 0] {
        fs::File::options().write(true).open(image(&folder)).unwrap().set_len(length).unwrap();
        assert!(remade(&folder));
    }
}

#[test]
fn the_image_of_another_component_is_never_loaded_in_its_place() {
    const TRAPS: &str = "(func $apply (param i32 i32) (result i32) (unreachable))";
    let (_home, folder) = warm();
    let cache = Cache::open(&folder).unwrap();
    cache.load(run_engine(), "guest.wasm", &procedure(TRAPS)).unwrap();
    // One valid image of this host under the name of another.
    let images = images(&folder);
    fs::copy(&images[0], &images[1]).unwrap();
    for text in ["", TRAPS] {
        let plugin = cache.load(run_engine(), "guest.wasm", &procedure(text)).unwrap();
        let result = block_on(plugin.procedure_apply(&mut unreached(), &step("a")));
        assert_eq!(result.is_err(), text == TRAPS);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn an_image_of_another_host_is_never_loaded() {
    let (_home, folder) = warm();
    fs::remove_file(folder.join("key")).unwrap();
    assert!(remade(&folder));
}

#[test]
fn an_image_that_is_a_link_is_never_loaded() {
    let (home, folder) = warm();
    let path = image(&folder);
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(remade(&folder));
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let (_home, folder) = warm();
    fs::set_permissions(&folder, Permissions::from_mode(0o750)).unwrap();
    let error = Cache::open(&folder).unwrap_err();
    assert!(matches!(error, CacheError::Unsafe { .. }), "{error}");
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let (home, folder) = warm();
    let link = home.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(matches!(Cache::open(&link), Err(CacheError::Unsafe { .. })));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (_home, folder) = warm();
    fs::set_permissions(folder.join("key"), Permissions::from_mode(0o644)).unwrap();
    let error = Cache::open(&folder).unwrap_err();
    assert!(matches!(error, CacheError::Io { .. }), "{error}");
}

#[test]
fn what_is_written_is_for_its_owner_only() {
    let (_home, folder) = warm();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}
