//! The one constant line that a node's shell is given, and what goes over its standard input.
//!
//! A shell runs one script, or is kept and runs one after another: then it is itself such a script.
//! The script travels as one line of base64, then its input as it is. So a command line on a node never
//! holds a script, an argument or a secret, and no layer of shells has anything to quote but a constant.

use super::word::push_base64;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Printed on stdout and stderr once the whole script has arrived, right before its first line: what
/// comes earlier is the noise of login shells, and without it nothing has run.
pub(super) const MARKER: &[u8] = b"\nwindlass-begin\n";

/// Reads a script from stdin and runs it. Without a `'`, for it is quoted in one, and without `!`, which
/// a csh expands even there. A script cut short is not run: `read` fails without the newline, `base64`
/// on the half of a group. `read` takes a pipe byte by byte, so that the rest is left for the script.
const INNER: &str = concat!(
    r#"login_umask=$(umask); umask 077; LC_ALL=C TMOUT=0; export LC_ALL TMOUT; cd "$HOME" 2>/dev/null; "#,
    r#"IFS= read -r w && s=$(printf %s "$w" | base64 -d) && "#,
    r#"{ printf "\nwindlass-begin\n" >&2; printf "\nwindlass-begin\n"; eval "$s"; }"#,
);

/// Returns the constant line for a shell that runs as the right user already.
///
/// `exec sh`: whatever the login shell is, the script is POSIX `sh`, and a variable that a login script
/// made read-only (`TMOUT`) is an ordinary one again.
pub(super) fn boot() -> String {
    format!("exec sh -c '{INNER}'")
}

/// Returns the line for a remote login shell that must become another user first.
pub(super) fn boot_through(argv: &[String]) -> String {
    let mut line = String::new();
    for word in argv {
        line.push_str(&quote(word));
        line.push(' ');
    }
    line + "-c " + &quote(&boot())
}

/// Quotes a word for a POSIX shell.
pub(super) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns the first line of the standard input: the script.
pub(super) fn header(script: &str) -> Vec<u8> {
    let mut line = BASE64.encode(script).into_bytes();
    line.push(b'\n');
    line
}

/// The script of a shell that is kept and runs others (`scripts/serve.sh`).
pub(super) static SERVE: LazyLock<String> = LazyLock::new(|| lean(include_str!("scripts/serve.sh")));
/// How it ends where the user's `printf` is a program: then no shell may be kept.
pub(super) const CANNOT_SERVE: i32 = 97;

/// Returns what a kept shell is sent for one script; `new` where it has not had that number's yet.
pub(super) fn call(token: &str, number: usize, new: Option<&str>, input: &[u8]) -> Zeroizing<Vec<u8>> {
    let head = format!("{token} {number} {}\n", new.map(|script| BASE64.encode(script)).unwrap_or_default());
    let longer = input.iter().filter(|byte| matches!(byte, b'\n' | b'\\')).count();
    let plain = !input.contains(&0);
    // Room for all of it from the start: growing would leave a copy of what may be secret.
    let room = if plain { input.len() + longer } else { input.len().div_ceil(3) * 4 };
    let mut bytes = Zeroizing::new(Vec::with_capacity(head.len() + room + 2));
    bytes.extend_from_slice(head.as_bytes());
    match plain {
        _ if input.is_empty() => {}
        true => {
            bytes.push(b'=');
            for byte in input {
                match byte {
                    b'\n' => bytes.extend_from_slice(b"\\n"),
                    b'\\' => bytes.extend_from_slice(b"\\\\"),
                    byte => bytes.push(*byte),
                }
            }
        }
        false => {
            bytes.push(b':');
            push_base64(&mut bytes, input);
        }
    }
    bytes.push(b'\n');
    bytes
}

/// What stands around the output of one script in a kept shell: the token keeps what a script prints from
/// ending it.
pub(super) fn begin(token: &str) -> Vec<u8> {
    format!("\nwindlass-begin {token}\n").into_bytes()
}
pub(super) fn end(token: &str) -> Vec<u8> {
    format!("\nwindlass-end {token} ").into_bytes()
}

/// Drops what is for readers only: a script is sent over a line, and a shell reads it byte by byte.
pub(super) fn lean(script: &str) -> String {
    let lines = script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_survives_a_csh_and_single_quotes() {
        assert!(!INNER.contains(['\'', '!', '\n']));
    }

    #[test]
    fn a_word_with_quotes_is_one_word_to_a_shell() {
        let word = r#"a'b "c" $d `e` \ f"#;
        let out = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quote(word))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), word);
    }
}
