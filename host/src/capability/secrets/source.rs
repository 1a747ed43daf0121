//! Reads a secret from where the site says it is: a prompt, a file, a descriptor, or a local command.

use super::{LONGEST, Secret, SecretError};
use crate::site::SecretSource;
use camino::{Utf8Path, Utf8PathBuf};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use zeroize::{Zeroize as _, Zeroizing};

/// Which secret is wanted, and how to ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The secret's name in the site, for messages.
    pub name: &'a str,
    /// What a prompt shows.
    pub prompt: &'a str,
    /// Ask twice and compare.
    pub confirm: bool,
    /// Relative paths and programs are the site folder's.
    pub dir: &'a Utf8Path,
}

/// A secret, and what its owner should know about where it was.
#[derive(Debug)]
pub struct Reading {
    pub secret: Secret,
    pub warnings: Vec<String>,
}

/// Asks a person for a line that is not shown.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> io::Result<Secret>;

/// Reads the secret `wanted` from `source`. `ask` is None where there is nobody to ask. One line ending at
/// the end is dropped; what is longer than [`LONGEST`] bytes or empty is an error.
pub fn read(source: &SecretSource, wanted: Wanted<'_>, ask: Option<Ask<'_>>) -> Result<Reading, SecretError> {
    let name = || wanted.name.to_owned();
    let mut warnings = Vec::new();
    let mut secret = match source {
        SecretSource::Prompt => {
            let ask = ask.ok_or_else(|| SecretError::NobodyToAsk { name: name() })?;
            prompted(wanted, ask)?
        }
        SecretSource::File(path) => {
            let path = wanted.dir.join(path);
            let failed = |source| SecretError::File { name: name(), path: path.clone(), source };
            let file = File::open(&path).map_err(failed)?;
            warnings.extend(exposure(&file, &path).map_err(failed)?);
            capped(file).map_err(failed)?.ok_or_else(|| SecretError::TooLong { name: name() })?
        }
        SecretSource::Descriptor(descriptor) => {
            let failed = |source| SecretError::Descriptor { name: name(), descriptor: *descriptor, source };
            // Opened anew through the folder of the process's own descriptors: taking the number itself
            // over could not be checked, and would close somebody else's file.
            let file = File::open(format!("/dev/fd/{descriptor}")).map_err(failed)?;
            capped(file).map_err(failed)?.ok_or_else(|| SecretError::TooLong { name: name() })?
        }
        SecretSource::Command(argv) => from_command(argv, wanted)?,
    };
    if !matches!(source, SecretSource::Prompt) {
        secret.strip_newline();
    }
    match secret.expose().len() {
        0 => Err(SecretError::Empty { name: name() }),
        length if length > LONGEST => Err(SecretError::TooLong { name: name() }),
        _ => Ok(Reading { secret, warnings }),
    }
}

/// Asks on the controlling terminal, with echo off.
pub fn terminal(prompt: &str) -> io::Result<Secret> {
    rpassword::prompt_password(prompt).map(Secret::from_text)
}

fn prompted(wanted: Wanted<'_>, ask: Ask<'_>) -> Result<Secret, SecretError> {
    let failed = |source| SecretError::Terminal { name: wanted.name.to_owned(), source };
    // A plugin words the prompt: it must not steer the terminal.
    let prompt: String =
        wanted.prompt.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let first = ask(&format!("{prompt} ")).map_err(failed)?;
    if wanted.confirm && !ask(&format!("{prompt} (again) ")).map_err(failed)?.same_as(&first) {
        return Err(SecretError::Differ { name: wanted.name.to_owned() });
    }
    Ok(first)
}

/// Returns a warning where others than its owner may read a secret's file.
fn exposure(file: &File, path: &Utf8Path) -> io::Result<Option<String>> {
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o7777;
    let exposed = metadata.is_file() && mode & 0o044 != 0;
    Ok(exposed.then(|| format!("{path} can be read by others (mode {mode:04o}): chmod 600 {path}")))
}

/// Runs a local command without a shell; its standard output is the secret.
fn from_command(argv: &[String], wanted: Wanted<'_>) -> Result<Secret, SecretError> {
    let name = || wanted.name.to_owned();
    let (program, arguments) = argv.split_first().ok_or_else(|| SecretError::NoProgram { name: name() })?;
    let failed = |source| SecretError::Start { name: name(), program: program.clone(), source };
    // A program named by a relative path is the site's; a bare name is looked up in PATH.
    let path = if program.contains('/') { wanted.dir.join(program) } else { Utf8PathBuf::from(program) };
    let mut child = Command::new(&path)
        .args(arguments)
        .current_dir(wanted.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    let read = match child.stdout.take() {
        Some(stdout) => capped(stdout),
        None => Err(io::Error::other("its output is not connected")),
    };
    if !matches!(read, Ok(Some(_))) {
        // It may still be writing; what it says no longer matters, nor whether it is gone already.
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    let secret = read.map_err(failed)?.ok_or_else(|| SecretError::TooLong { name: name() })?;
    if !status.success() {
        return Err(SecretError::Command { name: name(), program: program.clone(), status });
    }
    Ok(secret)
}

/// Reads to the end; None where there is more than [`LONGEST`] bytes and a line ending.
fn capped(mut from: impl Read) -> io::Result<Option<Secret>> {
    // One buffer of the full size: one that grew would leave unwiped copies behind.
    let mut buffer = Zeroizing::new(vec![0u8; LONGEST + 3]);
    let mut length = 0;
    while length < buffer.len() {
        match from.read(&mut buffer[length..]) {
            Ok(0) => {
                let secret = Secret::new(buffer[..length].to_vec());
                buffer.zeroize();
                return Ok(Some(secret));
            }
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    fn wanted(dir: &Utf8Path) -> Wanted<'_> {
        Wanted { name: "ha-key", prompt: "Password:", confirm: false, dir }
    }

    fn put(dir: &Utf8Path, bytes: &[u8], mode: u32) -> SecretSource {
        let path = dir.join("secret");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        SecretSource::File("secret".into())
    }

    #[test]
    fn a_file_gives_its_bytes_without_the_last_line_ending() {
        let (_keep, dir) = folder();
        let source = put(&dir, b"a`\"$b \\\n", 0o600);
        let reading = read(&source, wanted(&dir), None).unwrap();
        assert_eq!(reading.secret.expose(), b"a`\"$b \\");
        assert_eq!(reading.warnings, Vec::<String>::new());
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_about() {
        let (_keep, dir) = folder();
        for mode in [0o640, 0o604] {
            let reading = read(&put(&dir, b"x", mode), wanted(&dir), None).unwrap();
            assert!(reading.warnings[0].contains("chmod 600"), "{:?}", reading.warnings);
        }
    }

    #[test]
    fn empty_long_and_absent_sources_are_told_apart() {
        let (_keep, dir) = folder();
        let error = |source| read(&source, wanted(&dir), None).unwrap_err();
        assert!(matches!(error(put(&dir, b"\n", 0o600)), SecretError::Empty { .. }));
        assert!(matches!(error(put(&dir, &[b'x'; LONGEST + 1], 0o600)), SecretError::TooLong { .. }));
        assert!(matches!(error(put(&dir, &[b'x'; LONGEST * 4], 0o600)), SecretError::TooLong { .. }));
        assert!(matches!(error(SecretSource::File("none".into())), SecretError::File { .. }));
        assert!(matches!(error(SecretSource::Descriptor(9999)), SecretError::Descriptor { .. }));
        let mut longest = vec![b'x'; LONGEST];
        longest.extend(b"\r\n");
        let reading = read(&put(&dir, &longest, 0o600), wanted(&dir), None).unwrap();
        assert_eq!(reading.secret.expose().len(), LONGEST);
    }

    #[test]
    fn a_descriptor_is_read_to_its_end() {
        let (_keep, dir) = folder();
        let (reader, mut writer) = io::pipe().unwrap();
        io::Write::write_all(&mut writer, b"from a pipe\n").unwrap();
        drop(writer);
        let reading = read(&SecretSource::Descriptor(reader.as_raw_fd()), wanted(&dir), None).unwrap();
        assert_eq!(reading.secret.expose(), b"from a pipe");
    }

    #[test]
    fn a_command_gets_its_arguments_unread_by_any_shell() {
        let (_keep, dir) = folder();
        let argv = ["printf", "%s\\n", "$(id) `id` 'x"].map(String::from).to_vec();
        let reading = read(&SecretSource::Command(argv), wanted(&dir), None).unwrap();
        assert_eq!(reading.secret.expose(), b"$(id) `id` 'x");
    }

    #[test]
    fn a_command_of_the_site_is_found_beside_site_toml() {
        let (_keep, dir) = folder();
        std::fs::create_dir(dir.join("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/echo", dir.join("bin/give")).unwrap();
        let source = SecretSource::Command(vec!["bin/give".into(), "word".into()]);
        assert_eq!(read(&source, wanted(&dir), None).unwrap().secret.expose(), b"word");
    }

    #[test]
    fn commands_that_fail_flood_or_do_not_exist_are_errors() {
        let (_keep, dir) = folder();
        let error = |argv: &[&str]| {
            let argv = argv.iter().map(|word| (*word).to_owned()).collect();
            read(&SecretSource::Command(argv), wanted(&dir), None).unwrap_err()
        };
        assert!(matches!(error(&["sh", "-c", "echo secret; exit 3"]), SecretError::Command { .. }));
        assert!(matches!(error(&["yes"]), SecretError::TooLong { .. }));
        assert!(matches!(error(&["no-such-program-here"]), SecretError::Start { .. }));
        assert!(matches!(error(&[]), SecretError::NoProgram { .. }));
        assert!(!error(&["sh", "-c", "echo Hunter2; exit 3"]).to_string().contains("Hunter2"));
    }

    #[test]
    fn a_prompt_is_confirmed_where_asked_and_cannot_steer_the_terminal() {
        let (_keep, dir) = folder();
        let mut shown = Vec::new();
        let mut answers = ["one", "one", "one", "two"].into_iter();
        let mut ask = |prompt: &str| {
            shown.push(prompt.to_owned());
            Ok(Secret::from_text(answers.next().unwrap_or_default().to_owned()))
        };
        let wanted = Wanted { confirm: true, prompt: "Pass\u{1b}[2Jword:", ..wanted(&dir) };
        let reading = read(&SecretSource::Prompt, wanted, Some(&mut ask)).unwrap();
        assert_eq!(reading.secret.expose(), b"one");
        let error = read(&SecretSource::Prompt, wanted, Some(&mut ask)).unwrap_err();
        assert!(matches!(error, SecretError::Differ { .. }));
        assert_eq!(shown[0], "Pass\u{fffd}[2Jword: ");
        assert_eq!(shown[1], "Pass\u{fffd}[2Jword: (again) ");
    }

    #[test]
    fn nobody_to_ask_names_the_argument_that_would_help() {
        let (_keep, dir) = folder();
        let error = read(&SecretSource::Prompt, wanted(&dir), None).unwrap_err().to_string();
        assert!(error.contains("--secret ha-key=file:PATH"), "{error}");
    }
}
