//! A node for tests: a temporary home folder, and the shell and tools that its scripts run under.

use super::remote::Remote;
use crate::transport::{Reply, Request, TransportError};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs scripts on this machine under one shell, as the transports do: umask 077, `LC_ALL=C`, no more.
pub struct Shell {
    folder: tempfile::TempDir,
    program: PathBuf,
    path: String,
    user: Option<u32>,
}

const NOBODY: u32 = 65534;
/// What the scripts call; under busybox each is a link to it.
const TOOLS: &[&str] = &[
    "base64",
    "cat",
    "chmod",
    "chown",
    "cmp",
    "cp",
    "df",
    "du",
    "env",
    "find",
    "head",
    "ln",
    "mkdir",
    "mv",
    "printf",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "sync",
    "touch",
    "true",
    "wc",
];

impl Shell {
    pub fn dash() -> Self {
        Self::with("/usr/bin/dash".into(), "/usr/bin:/bin".into(), tempdir())
    }

    /// Busybox alone: its shell, and its tools in place of coreutils.
    pub fn busybox() -> Option<Self> {
        let busybox = Path::new("/usr/bin/busybox");
        if !busybox.exists() {
            println!("skipped: no busybox on this machine");
            return None;
        }
        let folder = tempdir();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for tool in TOOLS {
            symlink(busybox, bin.join(tool)).unwrap();
        }
        Some(Self::with(bin.join("sh"), bin.display().to_string(), folder))
    }

    /// Bash as most nodes have it: under the name of `sh`.
    pub fn bash() -> Option<Self> {
        let bash = Path::new("/usr/bin/bash");
        if !bash.exists() {
            println!("skipped: no bash on this machine");
            return None;
        }
        let folder = tempdir();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        let sh = folder.path().join("bin/sh");
        symlink(bash, &sh).unwrap();
        Some(Self::with(sh, "/usr/bin:/bin".into(), folder))
    }

    /// All of them, as far as they are here.
    pub fn each() -> Vec<Self> {
        [Some(Self::dash()), Self::bash(), Self::busybox()].into_iter().flatten().collect()
    }

    fn with(program: PathBuf, path: String, folder: tempfile::TempDir) -> Self {
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let path = format!("{}:{path}", folder.path().join("home/.bin").display());
        Self { folder, program, path, user: None }
    }

    /// Runs scripts as somebody who is not root; none where the tests themselves are not root's.
    pub fn unprivileged(mut self) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can become another user");
            return None;
        }
        std::os::unix::fs::chown(self.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        std::os::unix::fs::chown(self.home(), Some(NOBODY), Some(NOBODY)).unwrap();
        self.user = Some(NOBODY);
        Some(self)
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Puts a script in the place of a tool, until `restore_tool`.
    pub fn replace_tool(&self, tool: &str, script: &str) {
        let bin = self.home().join(".bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(tool), script).unwrap();
        std::fs::set_permissions(bin.join(tool), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn restore_tool(&self, tool: &str) {
        std::fs::remove_file(self.home().join(".bin").join(tool)).unwrap();
    }

    /// The tool itself, as a command line.
    pub fn real(&self, tool: &str) -> String {
        let own = self.folder.path().join("bin").join(tool);
        if own.exists() { own.display().to_string() } else { format!("/usr/bin/{tool}") }
    }

    /// A folder that is not the home.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

impl Remote for Shell {
    async fn exec(&self, request: Request<'_>) -> Result<Reply, TransportError> {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(format!("umask 077\n{}", request.script.text));
        command.env_clear().env("HOME", self.home()).env("PATH", &self.path).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = request.input.clone();
        let writer = std::thread::spawn(move || {
            // A script that refuses early does not read on.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let mut stdout = output.stdout;
        let truncated = stdout.len() > request.output_limit;
        stdout.truncate(request.output_limit);
        Ok(Reply { exit: output.status.code().unwrap_or(-1), stdout, stderr: output.stderr, truncated })
    }
}
