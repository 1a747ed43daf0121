//! The store of sealed values.

use super::*;
use camino::{Utf8Path, Utf8PathBuf};
use std::os::unix::fs::PermissionsExt as _;

struct Place {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("site");
    Place { _folder: folder, path }
}

#[test]
fn a_value_is_kept_listed_changed_and_removed() {
    let place = place();
    let (keyset, store) = (Keyset::generate().unwrap(), Store::open(&place.path).unwrap());
    store.put(&keyset, "db.password", &secret("one"), 5).unwrap();
    store.put(&keyset, "db.password", &secret("two"), 6).unwrap();
    store.put(&keyset, "a key's password", &secret("three"), 7).unwrap();
    assert_eq!(store.get(&keyset, "db.password").unwrap().0.expose(), b"two");
    let listed = store.list().unwrap();
    let names: Vec<_> = listed.iter().map(|item| (item.name.as_str(), item.changed)).collect();
    assert_eq!(names, [("a key's password", 7), ("db.password", 6)]);
    assert!(listed.iter().all(|item| item.version == Some(keyset.primary())));
    store.remove("db.password").unwrap();
    for missing in [store.remove("db.password"), store.get(&keyset, "db.password").map(drop)] {
        assert!(matches!(missing, Err(KeyringError::NoItem { .. })));
    }
    for (path, mode) in [(place.path.clone(), 0o700), (place.path.join("secrets.db"), 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn no_value_is_in_any_file_of_the_store() {
    let place = place();
    let (keyset, store) = (Keyset::generate().unwrap(), Store::open(&place.path).unwrap());
    store.put(&keyset, "n", &secret("Anchor#2026-is-nowhere"), 5).unwrap();
    let key = BASE64.encode(keyset.to_json().expose());
    for entry in place.path.read_dir_utf8().unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Anchor#2026") && !text.contains(&key[..40]));
    }
}

#[test]
fn a_wrong_name_is_refused_before_anything_is_written() {
    let place = place();
    let (keyset, store) = (Keyset::generate().unwrap(), Store::open(&place.path).unwrap());
    let long = "x".repeat(201);
    for name in ["", "a/b", "../x", "a\nb", "a\0b", "-n", ".n", " n", "n ", "\u{1b}[2J", long.as_str()] {
        let refused = store.put(&keyset, name, &secret("v"), 1).unwrap_err();
        assert!(matches!(refused, KeyringError::Name { .. }), "{name:?}: {refused}");
        assert!(!refused.to_string().contains(['\n', '\u{1b}', '\0']), "{refused}");
    }
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn a_value_moved_to_another_name_does_not_open() {
    let place = place();
    let (keyset, store) = (Keyset::generate().unwrap(), Store::open(&place.path).unwrap());
    store.put(&keyset, "admin", &secret("one"), 5).unwrap();
    let raw = rusqlite::Connection::open(place.path.join("secrets.db")).unwrap();
    raw.execute("UPDATE items SET name = 'guest'", []).unwrap();
    assert!(matches!(store.get(&keyset, "guest"), Err(KeyringError::Damaged)));
}

#[test]
fn sealing_anew_stopped_anywhere_goes_on_and_ends_with_none_left() {
    let place = place();
    let old = Keyset::generate().unwrap();
    let mut store = Store::open(&place.path).unwrap();
    for at in 0..1_000 {
        store.put(&old, &format!("n{at}"), &secret(&format!("value {at}")), at).unwrap();
    }
    let new = old.with_new_primary().unwrap();
    let mut stops = 0;
    loop {
        let told = store.rewrap(&new, |_| false).unwrap();
        let by = store.by_version().unwrap();
        assert_eq!(by.values().sum::<i64>(), 1_000);
        // Whatever was done so far: every value opens.
        for at in 0..1_000 {
            let name = format!("n{at}");
            assert_eq!(store.get(&new, &name).unwrap().0.expose(), format!("value {at}").as_bytes());
        }
        if told.of == 0 {
            assert_eq!(by.into_keys().collect::<Vec<_>>(), [Some(new.primary())]);
            break;
        }
        stops += 1;
        store = Store::open(&place.path).unwrap();
    }
    assert_eq!(stops, 4);
    // When a value was put there is not when it was sealed.
    assert_eq!(
        store.list().unwrap().iter().filter(|item| item.name == "n7").map(|i| i.changed).sum::<i64>(),
        7
    );
}

#[test]
fn a_value_that_does_not_open_stops_it_and_is_left_as_it_is() {
    let place = place();
    let (keyset, foreign) = (Keyset::generate().unwrap(), Keyset::generate().unwrap());
    let mut store = Store::open(&place.path).unwrap();
    store.put(&keyset, "a", &secret("one"), 1).unwrap();
    store.put(&foreign, "b", &secret("two"), 1).unwrap();
    let before = store.sealed("b").unwrap();
    let error = store.rewrap(&keyset.with_new_primary().unwrap(), |_| true).unwrap_err();
    assert!(matches!(error, KeyringError::UnknownVersion { .. }), "{error}");
    assert_eq!(store.sealed("b").unwrap(), before);
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let place = place();
    std::fs::create_dir_all(&place.path).unwrap();
    let file = place.path.join("secrets.db");
    std::fs::write(&file, b"this is no database at all, and long enough to be read as one").unwrap();
    assert!(matches!(Store::open(&place.path), Err(KeyringError::Store { .. })));
    std::fs::remove_file(&file).unwrap();
    drop(Store::open(&place.path).unwrap());
    let raw = rusqlite::Connection::open(&file).unwrap();
    raw.pragma_update(None, "user_version", 9).unwrap();
    drop(raw);
    assert!(matches!(Store::open(&place.path), Err(KeyringError::Format { found: 9, .. })));
}
