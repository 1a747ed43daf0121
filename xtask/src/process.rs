//! Other programs: run, captured, limited in time; and how long each stage took.

use crate::error::Error;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Runs a command with this process's own output; anything but success is an error.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = status(command)?;
    check(command, status)
}

/// Runs a command with this process's own output and returns how it ended.
pub fn status(command: &mut Command) -> Result<ExitStatus, Error> {
    command.status().map_err(|source| Error::Start { what: shown(command), source })
}

/// Runs a command and returns what it printed; its complaints go to this process's own.
pub fn capture(command: &mut Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Start { what: shown(command), source })?;
    check(command, output.status)?;
    String::from_utf8(output.stdout)
        .map_err(|_| Error::Answer { what: shown(command), reason: "not UTF-8".into() })
}

/// Runs a command that may wait for a network; it is ended after `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<(), Error> {
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start { what: shown(command), source })?;
    let start = Instant::now();
    loop {
        match child.try_wait().map_err(|source| Error::Start { what: shown(command), source })? {
            Some(status) => return check(command, status),
            None if start.elapsed() > limit => {
                // Already gone is as good as ended.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::TimedOut { what: shown(command), seconds: limit.as_secs() });
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Whether a command can be started and succeeds; what it prints is nobody's.
pub fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program really runs: rustup's stand-ins exist for components that are not installed.
pub fn answers(program: &str) -> bool {
    works(Command::new(program).arg("--version"))
}

fn check(command: &Command, status: ExitStatus) -> Result<(), Error> {
    if status.success() { Ok(()) } else { Err(Error::Failed { what: shown(command), status }) }
}

/// Returns a command as one would type it, the program without its folder.
pub fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Does one stage and prints how long it took, whether it succeeded or not.
pub fn timed<T>(title: &str, stage: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    let result = stage();
    let mark = if result.is_ok() { "" } else { " (failed)" };
    eprintln!("xtask: {:>6.1} s  {title}{mark}", start.elapsed().as_secs_f64());
    result
}
