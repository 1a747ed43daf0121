//! Processes that outlive the command that started them, and how they are found again.
//!
//! A pid alone may belong to a stranger by now, so a pid file holds the start time too.

use super::error::{LabError, Result};
use camino::Utf8Path;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process as its pid file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks after boot.
    started: u64,
}

impl Process {
    /// Returns the running process with this pid, None where there is none or only a zombie.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, also a parenthesis.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    /// Reads `PID STARTTIME`; None where the file is missing, broken, or its process has ended.
    pub fn read(pid_file: &Utf8Path) -> Option<Self> {
        let text = std::fs::read_to_string(pid_file).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let found = Self { pid: pid.parse().ok()?, started: started.parse().ok()? };
        found.is_alive().then_some(found)
    }

    pub fn write(self, pid_file: &Utf8Path) -> Result<()> {
        replace_file(pid_file, format!("{} {}\n", self.pid, self.started).as_bytes())
    }

    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Signals it and waits until it has ended; false where it has not after `patience`.
    pub fn end(self, signal: Signal, patience: Duration) -> bool {
        if self.is_alive() {
            // The check before makes sure that it is still this process; losing the race means it ended.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

/// Writes a file by rename, so that a reader sees the old or the new one.
pub(super) fn replace_file(path: &Utf8Path, content: &[u8]) -> Result<()> {
    let new = path.with_extension(format!("new.{}", std::process::id()));
    std::fs::write(&new, content)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(LabError::file("write", path))
}

/// Starts a service in a session of its own, with no descriptor of the caller; its standard error is appended
/// to its log. [`wait_ready`] says whether it came up.
///
/// With `isolation` it becomes pid 1 of a pid namespace, and has new namespaces of those kinds.
pub(super) fn start_service(
    mut command: Command,
    what: &str,
    log: &Utf8Path,
    isolation: Option<CloneFlags>,
) -> Result<Child> {
    let log_file =
        OpenOptions::new().create(true).append(true).open(log).map_err(LabError::file("open", log))?;
    command.stdout(Stdio::piped()).stderr(log_file).current_dir("/");
    // SAFETY: setsid and close_range are async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            close_inherited()
        });
    }
    match isolation {
        None => command.spawn(),
        Some(kinds) => spawn_isolated(&mut command, kinds),
    }
    .map_err(LabError::system(format!("start {what}")))
}

/// Waits for the line `ready` of a service that [`start_service`] started.
///
/// The service keeps its own deadlines, so it either says so or ends; then the last line of its log is the
/// reason.
pub(super) fn wait_ready(child: &mut Child, what: &str, log: &Utf8Path) -> Result<()> {
    let mut said = [0u8; 6];
    let ready = child.stdout.take().is_some_and(|mut stdout| stdout.read_exact(&mut said).is_ok());
    if ready && &said == b"ready\n" {
        return Ok(());
    }
    let status = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    let why = last.map_or(status, |line| line.trim_start_matches("error: ").to_owned());
    Err(LabError::Start { what: what.to_owned(), why, log: log.to_owned() })
}

/// Marks every descriptor above the standard three to be closed on exec: a daemon that kept its caller's
/// pipes would keep the caller's session waiting.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: a plain system call on numbers. The flag closes at exec, so that std's own pipe, by which
    // it learns of a failed exec, still works.
    let result = unsafe { nix::libc::close_range(3, u32::MAX, nix::libc::CLOSE_RANGE_CLOEXEC as i32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Spawns a command as pid 1 of a pid namespace of its own, and in new namespaces of the other kinds given.
pub(super) fn spawn_isolated(command: &mut Command, kinds: CloneFlags) -> io::Result<Child> {
    // SAFETY: unshare is a system call; nothing is allocated.
    unsafe { command.pre_exec(move || Ok(unshare(kinds)?)) };
    // The pid namespace for children belongs to the thread, so it is changed in one that ends at once.
    in_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWPID)?;
        command.spawn()
    })
}

/// Runs a command inside the namespaces of another process and returns its output. The program is looked up
/// in the filesystem of that process.
pub(super) fn output_inside(pid: i32, command: &mut Command) -> io::Result<std::process::Output> {
    let open = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}"));
    let pid_namespace = open("pid")?;
    let others = [
        (open("uts")?, CloneFlags::CLONE_NEWUTS),
        (open("ipc")?, CloneFlags::CLONE_NEWIPC),
        (open("net")?, CloneFlags::CLONE_NEWNET),
        (open("mnt")?, CloneFlags::CLONE_NEWNS),
    ];
    // SAFETY: setns is a system call; nothing is allocated. The forked child has one thread and a
    // filesystem context of its own, as entering a mount namespace demands.
    unsafe {
        command.pre_exec(move || others.iter().try_for_each(|(file, kind)| Ok(setns(file, *kind)?)));
    }
    in_own_thread(|| {
        setns(&pid_namespace, CloneFlags::CLONE_NEWPID)?;
        command.stdin(Stdio::null()).output()
    })
}

/// Does something in the network of another process.
pub(super) fn in_network_of<T: Send>(pid: i32, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let network = File::open(format!("/proc/{pid}/ns/net"))?;
    in_own_thread(|| {
        setns(&network, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn in_own_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(io::Error::other("the thread that changes namespaces panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8PathBuf;

    #[test]
    fn a_pid_file_names_only_the_process_that_it_was_written_for() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = Utf8PathBuf::from_path_buf(folder.path().join("pid")).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        process.write(&pid_file).unwrap();
        assert_eq!(Process::read(&pid_file), Some(process));

        // The same pid with another start time is a stranger.
        std::fs::write(&pid_file, format!("{} {}\n", process.pid, process.started + 1)).unwrap();
        assert_eq!(Process::read(&pid_file), None);
        for broken in ["", "12", "x y", "-1 0"] {
            std::fs::write(&pid_file, broken).unwrap();
            assert_eq!(Process::read(&pid_file), None, "{broken:?}");
        }

        assert!(process.end(Signal::SIGKILL, Duration::from_secs(5)));
        assert!(!process.is_alive(), "a zombie counts as ended");
        child.wait().unwrap();
    }

    #[test]
    fn a_service_that_ends_without_being_ready_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = Utf8PathBuf::from_path_buf(folder.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo the reason >&2; exit 3"]);
        let mut child = start_service(command, "thing", &log, None).unwrap();
        let error = wait_ready(&mut child, "thing", &log).unwrap_err().to_string();
        assert!(error.contains("the reason") && error.contains(log.as_str()), "{error}");
    }
}
