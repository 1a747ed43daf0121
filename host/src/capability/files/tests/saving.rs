use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

fn target(path: &Path, kind: Kind) -> Target {
    Target { name: "target".into(), path: path.to_str().unwrap().to_owned(), kind }
}

fn key(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

async fn restore(files: &NodeFiles<'_, Shell>, targets: &[Target]) -> Result<(), FilesError> {
    let targets: Vec<_> = targets.iter().map(|target| (target.clone(), None)).collect();
    files.restore(&targets).await
}

/// What there is to see of a tree: kind, mode, owner, content or where a link leads.
fn snapshot(path: &Path) -> BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        let content = if facts.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if facts.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        seen.insert(path, (facts.mode(), facts.uid(), facts.gid(), content));
    }
    seen
}

#[tokio::test]
async fn the_first_save_of_a_run_wins() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let path = shell.root().join("x");
        let target = [target(&path, Kind::File)];
        fs::write(&path, "before").unwrap();
        let first = files.save(&key("one"), &target, SAVE_LIMIT).await.unwrap();
        fs::write(&path, "during").unwrap();
        assert_eq!(files.save(&key("one"), &target, SAVE_LIMIT).await.unwrap(), first);
        assert_eq!(files.save(&key("two"), &target, SAVE_LIMIT).await.unwrap(), first);
        restore(&files, &target).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        for folder in ["", "/runs", "/runs/ha-cert-1/saved", "/runs/ha-cert-1/saved/one"] {
            assert_eq!(mode(format!("{}/.windlass{folder}", shell.home().display())), 0o700, "{folder}");
        }
    }
}

#[tokio::test]
async fn a_file_changed_before_its_folder_was_saved_goes_back_to_the_beginning() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let folder = shell.root().join("cert");
        fs::create_dir(&folder).unwrap();
        let (changed, added, later) = (folder.join("changed"), folder.join("added"), folder.join("later"));
        fs::write(&changed, "before").unwrap();
        fs::write(&later, "before").unwrap();
        let beginning = snapshot(&folder);
        let early = [target(&changed, Kind::File), target(&added, Kind::File)];
        files.save(&key("one"), &early, SAVE_LIMIT).await.unwrap();
        fs::write(&changed, "during").unwrap();
        fs::write(&added, "during").unwrap();

        let whole = [target(&folder, Kind::Folder)];
        let saved = files.save(&key("two"), &whole, SAVE_LIMIT).await.unwrap();
        fs::write(&later, "during").unwrap();
        // Covered by its folder: nothing new is saved, and what would be is too late.
        let late = [target(&later, Kind::File)];
        assert_eq!(files.save(&key("three"), &late, SAVE_LIMIT).await.unwrap(), saved);

        restore(&files, &late).await.unwrap();
        assert_eq!(fs::read(&later).unwrap(), b"before");
        assert_eq!(fs::read(&changed).unwrap(), b"during");
        restore(&files, &whole).await.unwrap();
        assert_eq!(snapshot(&folder), beginning);
    }
}

#[tokio::test]
async fn what_did_not_exist_is_removed_and_what_vanished_comes_back() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let (fresh, gone, folder) = (shell.root().join("a"), shell.root().join("b"), shell.root().join("c"));
        fs::write(&gone, "before").unwrap();
        chmod(&gone, 0o640);
        let targets = [target(&fresh, Kind::File), target(&gone, Kind::File), target(&folder, Kind::Folder)];
        let saved = files.save(&key("one"), &targets, SAVE_LIMIT).await.unwrap();
        assert_eq!(saved.iter().map(|saved| saved.existed).collect::<Vec<_>>(), [false, true, false]);
        fs::write(&fresh, "new").unwrap();
        fs::remove_file(&gone).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("x"), "new").unwrap();
        for _ in 0..2 {
            restore(&files, &targets).await.unwrap();
            assert_eq!(left(&shell), ["b"]);
            assert_eq!((fs::read(&gone).unwrap().as_slice(), mode(&gone)), (b"before".as_slice(), 0o640));
        }
    }
}

#[tokio::test]
async fn a_saved_copy_that_was_edited_is_refused_before_anything_is_put_back() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let (a, b) = (shell.root().join("a"), shell.root().join("b"));
        fs::write(&a, "before").unwrap();
        fs::write(&b, "before").unwrap();
        let targets = [target(&a, Kind::File), target(&b, Kind::File)];
        let saved = files.save(&key("one"), &targets, SAVE_LIMIT).await.unwrap();
        fs::write(&a, "during").unwrap();
        let known: Vec<_> = targets.iter().cloned().zip(saved.iter().cloned().map(Some)).collect();

        let copy = shell.home().join(".windlass/runs/ha-cert-1/saved/one/1/data");
        fs::write(&copy, "edited").unwrap();
        let error = restore(&files, &targets).await.unwrap_err();
        assert!(matches!(error.problem, Problem::Tampered(_)), "{error}");
        // With its record edited to match, only the journaled digest tells.
        let entry = copy.with_file_name("entry");
        let record = fs::read_to_string(&entry).unwrap();
        fs::write(&entry, record.replace(&sha256(b"before"), &sha256(b"edited"))).unwrap();
        let error = files.restore(&known).await.unwrap_err();
        assert!(matches!(error.problem, Problem::Tampered(_)), "{error}");
        assert_eq!(fs::read(&a).unwrap(), b"during");

        fs::write(&copy, "before").unwrap();
        fs::write(&entry, record).unwrap();
        files.restore(&known).await.unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"before");
    }
}

#[tokio::test]
async fn equal_passwords_give_unequal_digests() {
    let shell = Shell::dash();
    let names = names();
    let (a, b) = (shell.root().join("a"), shell.root().join("b"));
    fs::write(&a, "password").unwrap();
    fs::write(&b, "password").unwrap();
    let targets = [target(&a, Kind::File), target(&b, Kind::File)];
    let saved = names.files(&shell).save(&key("one"), &targets, SAVE_LIMIT).await.unwrap();
    assert_ne!(saved[0].digest, saved[1].digest);
    assert_ne!(saved[0].digest, sha256(b"password"));
}

#[tokio::test]
async fn what_cannot_be_saved_exactly_is_refused() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let folder = shell.root().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("large"), vec![1; 300_000]).unwrap();
        let link = shell.root().join("link");
        symlink(&folder, &link).unwrap();
        for (target, limit, expected) in [
            (target(&folder, Kind::Folder), 200_000, "too large"),
            (target(&folder, Kind::File), SAVE_LIMIT, "kind"),
            (target(&link, Kind::Folder), SAVE_LIMIT, "symbolic link"),
            (target(&folder.join("large"), Kind::Folder), SAVE_LIMIT, "kind"),
        ] {
            let error = files.save(&key("one"), std::slice::from_ref(&target), limit).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            let error = restore(&files, &[target]).await.unwrap_err();
            assert!(matches!(error.problem, Problem::NotSaved), "{error}");
        }
    }
}

#[tokio::test]
async fn an_owner_that_could_not_be_given_back_is_refused_when_saving() {
    for shell in Shell::each() {
        let Some(shell) = shell.unprivileged() else { return };
        let names = names();
        let path = shell.root().join("roots");
        fs::write(&path, "x").unwrap();
        chmod(&path, 0o644);
        let target = [target(&path, Kind::File)];
        let error = names.files(&shell).save(&key("one"), &target, SAVE_LIMIT).await.unwrap_err();
        assert!(matches!(&error.problem, Problem::Owner(owner) if owner == "root:root"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_its_owner_may_not_write_to_is_restored_by_its_owner() {
    for shell in Shell::each() {
        let Some(shell) = shell.unprivileged() else { return };
        let names = names();
        let files = names.files(&shell);
        let folder = shell.root().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("x"), "before").unwrap();
        for path in [&folder, &folder.join("x")] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        }
        chmod(folder.join("x"), 0o400);
        chmod(&folder, 0o500);
        let beginning = snapshot(&folder);
        let target = [target(&folder, Kind::Folder)];
        files.save(&key("one"), &target, SAVE_LIMIT).await.unwrap();
        fs::write(folder.join("x"), "during").unwrap();
        restore(&files, &target).await.unwrap();
        assert_eq!(snapshot(&folder), beginning);
        files.purge().await.unwrap();
        assert!(!shell.home().join(".windlass/runs/ha-cert-1").exists());
    }
}

#[tokio::test]
async fn acls_and_extended_attributes_come_back() {
    let shell = Shell::dash();
    let names = names();
    let files = names.files(&shell);
    let folder = shell.root().join("folder");
    fs::create_dir(&folder).unwrap();
    let inside = folder.join("x");
    fs::write(&inside, "before").unwrap();
    let Some(of_file) = writing::decorate(&inside) else { return };
    let Some(of_folder) = writing::decorate(&folder) else { return };
    let target = [target(&folder, Kind::Folder)];
    files.save(&key("one"), &target, SAVE_LIMIT).await.unwrap();
    fs::remove_file(&inside).unwrap();
    fs::write(&inside, "during").unwrap();
    let cleared = std::process::Command::new("setfacl").arg("-b").arg(&folder).status().unwrap();
    assert!(cleared.success());
    restore(&files, &target).await.unwrap();
    assert_eq!(writing::attributes(&inside), of_file);
    assert_eq!(writing::attributes(&folder), of_folder);
}

#[tokio::test]
async fn purging_leaves_what_other_rooms_keep_of_the_run() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let path = shell.root().join("x");
        fs::write(&path, "x").unwrap();
        files.save(&key("one"), &[target(&path, Kind::File)], SAVE_LIMIT).await.unwrap();
        let run = shell.home().join(".windlass/runs/ha-cert-1");
        fs::create_dir(run.join("jobs")).unwrap();
        files.purge().await.unwrap();
        assert!(!run.join("saved").exists() && run.join("jobs").exists());
        files.purge().await.unwrap();
    }
}

/// One thing done to a tree.
#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>, u32),
    Folder(usize, u32),
    Link(usize, usize),
    Remove(usize),
    Mode(usize, u32),
}

/// Names that break what is not careful: spaces, globs, quotes, newlines, leading dots and dashes.
const PLACES: [&str; 10] =
    ["a", "b c", "-n", ".d", "..e", "new\nline", "*", "sub", "sub/'\"$(x)", "sub/deep/\\ "];

fn change() -> impl Strategy<Value = Change> {
    let place = 0..PLACES.len();
    // The owner may always look, or the snapshot could not.
    let mode = (0u32..0o100).prop_map(|low| low | 0o500);
    prop_oneof![
        3 => (place.clone(), prop::collection::vec(any::<u8>(), 0..20), mode.clone())
            .prop_map(|(place, bytes, mode)| Change::Write(place, bytes, mode)),
        1 => (place.clone(), mode.clone()).prop_map(|(place, mode)| Change::Folder(place, mode)),
        1 => (place.clone(), place.clone()).prop_map(|(place, to)| Change::Link(place, to)),
        2 => place.clone().prop_map(Change::Remove),
        1 => (place, mode).prop_map(|(place, mode)| Change::Mode(place, mode)),
    ]
}

/// Does what can be done there; what cannot is left out.
fn apply(root: &Path, change: &Change) {
    let at = |place: &usize| root.join(PLACES[*place]);
    let clear = |path: &Path| {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    };
    match change {
        Change::Write(place, bytes, bits) => {
            clear(&at(place));
            if fs::write(at(place), bytes).is_ok() {
                chmod(at(place), *bits);
            }
        }
        Change::Folder(place, bits) => {
            if fs::create_dir(at(place)).is_ok() {
                chmod(at(place), *bits);
            }
        }
        Change::Link(place, to) => {
            clear(&at(place));
            let _ = symlink(PLACES[*to], at(place));
        }
        Change::Remove(place) => clear(&at(place)),
        Change::Mode(place, bits) => {
            let plain = fs::symlink_metadata(at(place)).is_ok_and(|facts| !facts.is_symlink());
            if plain {
                chmod(at(place), *bits);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn save_any_changes_restore_is_as_if_nothing_had_happened(
        before in prop::collection::vec(change(), 0..14),
        during in prop::collection::vec(change(), 0..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for shell in Shell::each() {
            let names = names();
            let files = names.files(&shell);
            let tree = shell.root().join("the tree");
            fs::create_dir(&tree).unwrap();
            for change in &before {
                apply(&tree, change);
            }
            let beginning = snapshot(&tree);
            let target = [target(&tree, Kind::Folder)];
            runtime.block_on(files.save(&key("one"), &target, SAVE_LIMIT)).unwrap();
            prop_assert_eq!(&snapshot(&tree), &beginning);
            for change in &during {
                apply(&tree, change);
            }
            runtime.block_on(restore(&files, &target)).unwrap();
            prop_assert_eq!(&snapshot(&tree), &beginning);
        }
    }
}
