use super::*;
use std::os::unix::fs::symlink;
use std::process::Command;

/// Every byte there is, quotes and escapes among them, and no newline at the end.
fn awkward() -> Vec<u8> {
    (0..=255).chain(*b"'\"`$(id)\\ %s\n\n\\").collect()
}

#[tokio::test]
async fn any_bytes_arrive_as_they_are_and_leave_nothing_beside() {
    for shell in Shell::each() {
        let names = names();
        let target = ResolvedFile {
            path: shell.root().join(" a\\n'\"$(id)` ").to_str().unwrap().to_owned(),
            ..secret(&shell, "target")
        };
        for content in [awkward(), Vec::new(), vec![0; 300_000]] {
            names.files(&shell).put(&target, &content).await.unwrap();
            assert_eq!(fs::read(&target.path).unwrap(), content);
        }
        assert_eq!(left(&shell).len(), 1);
    }
}

#[tokio::test]
async fn mode_and_owner_are_the_declared_ones_or_those_that_were() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let (plain, hidden) = (file(&shell, "plain"), secret(&shell, "hidden"));
        files.put(&plain, b"1").await.unwrap();
        files.put(&hidden, b"1").await.unwrap();
        assert_eq!((mode(&plain.path), mode(&hidden.path)), (0o644, 0o600));

        chmod(&plain.path, 0o751);
        files.put(&plain, b"2").await.unwrap();
        assert_eq!(mode(&plain.path), 0o751);

        let declared = ResolvedFile { mode: Some(0o440), ..plain };
        files.put(&declared, b"3").await.unwrap();
        assert_eq!(mode(&declared.path), 0o440);

        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&hidden.path, Some(4321), Some(4322)).unwrap();
            files.put(&hidden, b"2").await.unwrap();
            let now = fs::metadata(&hidden.path).unwrap();
            assert_eq!((now.uid(), now.gid()), (4321, 4322));
            let declared = ResolvedFile { owner: Some("nobody".into()), ..hidden };
            files.put(&declared, b"3").await.unwrap();
            assert_eq!(fs::metadata(&declared.path).unwrap().uid(), 65534);
        } else {
            println!("skipped: only root can give a file away");
        }
    }
}

#[tokio::test]
async fn an_owner_that_the_service_user_cannot_set_is_said_and_nothing_is_changed() {
    for shell in Shell::each() {
        let Some(shell) = shell.unprivileged() else { return };
        let names = names();
        let files = names.files(&shell);
        let own = file(&shell, "own");
        files.put(&own, b"old").await.unwrap();

        let foreign = ResolvedFile { owner: Some("root".into()), ..own.clone() };
        let error = files.put(&foreign, b"new").await.unwrap_err();
        assert!(matches!(&error.problem, Problem::Owner(owner) if owner == "root"), "{error}");
        assert_eq!(fs::read(&own.path).unwrap(), b"old");
        assert_eq!(left(&shell), ["own"]);

        let same = ResolvedFile { owner: Some("nobody".into()), ..own.clone() };
        files.put(&same, b"new").await.unwrap();
        assert_eq!(fs::read(&own.path).unwrap(), b"new");

        // A folder that may not be entered must not read as "no such file".
        let closed = shell.root().join("closed");
        fs::create_dir(&closed).unwrap();
        chmod(&closed, 0o700);
        let inside = ResolvedFile { path: format!("{}/x", closed.display()), ..own };
        let error = files.stat(&inside).await.unwrap_err();
        assert!(matches!(error.problem, Problem::NotPermitted(_)), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_link_into_a_folder_or_below_a_missing_one() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let elsewhere = file(&shell, "elsewhere");
        fs::write(&elsewhere.path, "untouched").unwrap();
        let link = file(&shell, "link");
        symlink(&elsewhere.path, &link.path).unwrap();
        let dangling = file(&shell, "dangling");
        symlink("nowhere", &dangling.path).unwrap();
        let folder = file(&shell, "folder");
        fs::create_dir(&folder.path).unwrap();
        let missing = ResolvedFile { path: format!("{}/no/x", folder.path), ..file(&shell, "missing") };
        let locked = ResolvedFile { read_only: true, ..elsewhere.clone() };

        for (target, expected) in [
            (&link, "link"),
            (&dangling, "link"),
            (&folder, "kind"),
            (&missing, "exist"),
            (&locked, "read-only"),
        ] {
            for result in [
                files.put(target, b"x").await,
                files.stage(&set(), target, b"x").await.map(drop),
                if target.name == missing.name { continue } else { files.remove(target).await },
            ] {
                let error = result.unwrap_err();
                assert!(error.to_string().contains(expected), "{error}");
                assert!(error.to_string().contains(&target.path), "{error}");
            }
        }
        assert_eq!(fs::read(&elsewhere.path).unwrap(), b"untouched");
        assert_eq!(left(&shell), ["dangling", "elsewhere", "folder", "link"]);
        // A link planted where the temporary goes is not followed either.
        let beside = file(&shell, "beside");
        symlink(&elsewhere.path, format!("{}.windlass-ha-cert-1-new", beside.path)).unwrap();
        files.stage(&set(), &beside, b"new").await.unwrap();
        assert_eq!(fs::read(&elsewhere.path).unwrap(), b"untouched");
    }
}

#[tokio::test]
async fn removing_twice_is_removing_once() {
    for shell in Shell::each() {
        let names = names();
        let target = file(&shell, "x");
        fs::write(&target.path, "x").unwrap();
        names.files(&shell).remove(&target).await.unwrap();
        names.files(&shell).remove(&target).await.unwrap();
        assert!(left(&shell).is_empty());
    }
}

#[tokio::test]
async fn acls_and_extended_attributes_are_kept_where_the_mode_is() {
    let shell = Shell::dash();
    let names = names();
    let target = file(&shell, "x");
    fs::write(&target.path, "old").unwrap();
    let Some(before) = decorate(Path::new(&target.path)) else { return };
    names.files(&shell).put(&target, b"new").await.unwrap();
    assert_eq!(fs::read(&target.path).unwrap(), b"new");
    assert_eq!(attributes(Path::new(&target.path)), before);
}

/// Gives a file an ACL and an extended attribute, and returns what the tools then say of it.
pub(super) fn decorate(path: &Path) -> Option<String> {
    let run = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).arg(path).status().is_ok_and(|status| status.success())
    };
    if !run("setfacl", &["-m", "u:1234:r"]) || !run("setfattr", &["-n", "user.label", "-v", "a b"]) {
        println!("skipped: no ACLs or extended attributes on this file system");
        return None;
    }
    Some(attributes(path))
}

pub(super) fn attributes(path: &Path) -> String {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(path).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    run("getfacl", &["-cpn"]) + &run("getfattr", &["--absolute-names", "-d"])
}

#[tokio::test]
async fn a_full_disk_is_called_one_and_the_file_stays() {
    let shell = Shell::dash();
    let small = shell.root().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&small) else { return };
    let names = names();
    let files = names.files(&shell);
    let target = ResolvedFile { path: format!("{}/x", small.display()), ..file(&shell, "x") };
    files.put(&target, b"old").await.unwrap();
    assert!(files.space(&target).await.unwrap() <= 64 * 1024);

    let error = files.put(&target, &vec![1; 200_000]).await.unwrap_err();
    assert!(matches!(error.problem, Problem::DiskFull), "{error}");
    let fault = error.to_fault();
    assert!(
        fault.hint.contains("free some room on master1") && fault.hint.contains(&target.path),
        "{fault:?}"
    );
    assert_eq!(fs::read(&target.path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&small).unwrap().count(), 1);
}

/// A tiny file system, in a mount namespace of this thread and its children only.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn tmpfs(at: &Path) -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        let nothing = None::<&str>;
        let mounted = unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing))
            .and_then(|()| mount(Some("test"), at, Some("tmpfs"), MsFlags::empty(), Some("size=64k")));
        if let Err(why) = mounted {
            println!("skipped: a file system cannot be mounted here ({why})");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Else the temporary folder above could not be removed.
        let _ = nix::mount::umount(&self.0);
    }
}

#[tokio::test]
async fn secret_bytes_are_in_no_argument_no_environment_and_no_other_file() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let hidden = ResolvedFile { guessable: true, ..secret(&shell, "hidden") };
        let password = b"S3cret-of-the-test@";
        // `sync` runs while every variable is set: it looks into all processes of this test.
        let seen = shell.root().join("seen");
        let watch = format!(
            "#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null >>{}\nexec {} \"$@\"\n",
            seen.display(),
            shell.real("sync"),
        );
        shell.replace_tool("sync", &watch);
        files.put(&hidden, password).await.unwrap();
        let staged = [files.stage(&set(), &hidden, password).await.unwrap()];
        let target = Target::from(&hidden);
        files.save(&set(), std::slice::from_ref(&target), SAVE_LIMIT).await.unwrap();
        files.swap(&set(), &staged).await.unwrap();
        files.restore(&[(target, None)]).await.unwrap();
        shell.restore_tool("sync");

        let holds = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        let seen = fs::read(seen).unwrap();
        assert!(holds(&seen, hidden.path.as_bytes()), "the watch saw nothing");
        let digest = sha256(password);
        for wanted in [password.as_slice(), digest.as_bytes()] {
            assert!(!holds(&seen, wanted));
        }
        let mut open = vec![shell.root().to_owned()];
        let mut holders = Vec::new();
        while let Some(path) = open.pop() {
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if holds(&fs::read(&path).unwrap(), password) {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                holders.push(path.file_name().unwrap().to_owned());
            }
        }
        // The file, and the copy that was saved before it was swapped.
        holders.sort();
        assert_eq!(holders, ["data", "hidden"]);
    }
}
