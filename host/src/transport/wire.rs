//! The one constant line that a node's shell is given, and what goes over its standard input.
//!
//! The script travels as one line of base64, then its input as it is. So a command line on a node never
//! holds a script, an argument or a secret, and no layer of shells has anything to quote but a constant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

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
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns the first line of the standard input: the script.
pub(super) fn header(script: &str) -> Vec<u8> {
    let mut line = BASE64.encode(script).into_bytes();
    line.push(b'\n');
    line
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
