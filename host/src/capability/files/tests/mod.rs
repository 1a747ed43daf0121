//! The scripts on real folders, under dash and bash with coreutils, and under busybox alone.

mod marks;
mod saving;
mod swapping;
mod writing;

use super::*;
use crate::capability::testing::Shell;
use crate::model::ObjectName;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

struct Names {
    node: NodeName,
    run: RunId,
}

fn names() -> Names {
    Names { node: NodeName::new("master1").unwrap(), run: RunId::new("ha-cert-1").unwrap() }
}

impl Names {
    fn files<'a>(&'a self, shell: &'a Shell) -> NodeFiles<'a, Shell> {
        NodeFiles { remote: shell, node: &self.node, user: "omm", run: &self.run, token: None }
    }
}

/// A plain file of that name below the shell's root.
fn file(shell: &Shell, name: &str) -> ResolvedFile {
    ResolvedFile {
        name: FileName::new(name).unwrap(),
        path: shell.root().join(name).to_str().unwrap().to_owned(),
        mode: None,
        owner: None,
        secret: false,
        guessable: false,
        read_only: false,
    }
}

fn secret(shell: &Shell, name: &str) -> ResolvedFile {
    ResolvedFile { secret: true, ..file(shell, name) }
}

fn set() -> ObjectName {
    ObjectName::new("new").unwrap()
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Names in the root besides the shell's own folders.
fn left(shell: &Shell) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(shell.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .filter(|name| name != "bin" && name != "home")
        .collect();
    names.sort();
    names
}

fn lease(shell: &Shell, token: &str) {
    fs::create_dir_all(shell.home().join(".windlass/lease")).unwrap();
    fs::write(shell.home().join(".windlass/lease/token"), token).unwrap();
    // What the node's last token was outlives the lease.
    fs::write(shell.home().join(".windlass/token"), "5\n").unwrap();
}

#[tokio::test]
async fn a_fenced_run_changes_nothing() {
    for shell in Shell::each() {
        let names = names();
        let ours = names.files(&shell);
        let old = file(&shell, "old");
        fs::write(&old.path, "old").unwrap();
        let staged = [ours.stage(&set(), &old, b"new").await.unwrap()];
        let target = [Target { name: "old".into(), path: old.path.clone(), kind: Kind::File }];
        ours.save(&set(), &target, SAVE_LIMIT).await.unwrap();

        for (token, lease_token) in
            [(None, "5\n"), (Some(4), "5\n"), (Some(4), "5"), (Some(4), ""), (Some(4), "gone")]
        {
            lease(&shell, lease_token);
            if lease_token == "gone" {
                fs::remove_dir_all(shell.home().join(".windlass/lease")).unwrap();
            }
            let ours = NodeFiles { token, ..names.files(&shell) };
            let results = [
                ours.put(&old, b"new").await,
                ours.stage(&set(), &old, b"newer").await.map(drop),
                ours.swap(&set(), &staged).await,
                ours.discard(&set(), &staged).await,
                ours.remove(&old).await,
                ours.save(&set(), &target, SAVE_LIMIT).await.map(drop),
                ours.restore(&[(target[0].clone(), None)]).await,
            ];
            for result in results {
                let error = result.unwrap_err();
                assert!(matches!(error.problem, Problem::Fenced { ours, .. } if ours == token), "{error}");
                assert!(error.to_string().contains("master1"), "{error}");
            }
            assert_eq!(fs::read(&old.path).unwrap(), b"old");
        }
        lease(&shell, "5\n");
        let ours = NodeFiles { token: Some(5), ..names.files(&shell) };
        ours.put(&old, b"new").await.unwrap();
        assert_eq!(fs::read(&old.path).unwrap(), b"new");
    }
}

#[tokio::test]
async fn looking_tells_what_is_there_and_keeps_secrets() {
    for shell in Shell::each() {
        let names = names();
        let files = names.files(&shell);
        let plain = ResolvedFile {
            path: shell.root().join("a b'$(x)\\n ").to_str().unwrap().to_owned(),
            ..file(&shell, "plain")
        };
        assert_eq!(files.stat(&plain).await.unwrap(), None);
        assert_eq!(files.fingerprint(&plain).await.unwrap(), None);
        assert_eq!(files.read(&plain).await.unwrap(), None);
        let bytes = b"no newline at the end\n\0\xff";
        fs::write(&plain.path, bytes).unwrap();
        chmod(&plain.path, 0o640);

        let stat = files.stat(&plain).await.unwrap().unwrap();
        assert_eq!((stat.size, stat.mode.as_str()), (bytes.len() as u64, "0640"));
        assert_eq!(stat.modified, fs::metadata(&plain.path).unwrap().mtime());
        let digest = files.fingerprint(&plain).await.unwrap().unwrap();
        assert_eq!(digest, sha256(bytes));
        assert_eq!(files.read(&plain).await.unwrap().unwrap(), bytes);
        assert!(files.space(&plain).await.unwrap() > 0);

        let hidden = ResolvedFile { secret: true, guessable: true, ..plain };
        let error = files.read(&hidden).await.unwrap_err();
        assert!(matches!(error.problem, Problem::Refused(_)), "{error}");
        let error = files.fingerprint(&hidden).await.unwrap_err();
        assert!(matches!(error.problem, Problem::Refused(_)), "{error}");
        assert_eq!(files.read_secret(&hidden).await.unwrap().unwrap().as_slice(), bytes);
    }
}

#[tokio::test]
async fn a_file_too_large_to_read_is_refused() {
    for shell in Shell::each() {
        let names = names();
        let large = file(&shell, "large");
        fs::write(&large.path, vec![7; READ_LIMIT as usize]).unwrap();
        let files = names.files(&shell);
        assert_eq!(files.read(&large).await.unwrap().unwrap().len() as u64, READ_LIMIT);
        fs::write(&large.path, vec![7; READ_LIMIT as usize + 1]).unwrap();
        let error = files.read(&large).await.unwrap_err();
        assert!(matches!(error.problem, Problem::TooLarge(_)), "{error}");
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
