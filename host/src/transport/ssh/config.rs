//! The ssh_config that every connection uses: our safety first, then the operator's own settings.

use crate::site::SshSettings;
use crate::transport::TransportError;
use camino::{Utf8Path, Utf8PathBuf};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// Of several values ssh takes the first, so nothing included below can undo these lines.
///
/// `UpdateHostKeys no`: a rotation must not write into the operator's known_hosts behind their back.
const SAFETY: &str = "\
Host *
    StrictHostKeyChecking yes
    UpdateHostKeys no
    BatchMode yes
    ForwardAgent no
    ForwardX11 no
    ClearAllForwardings yes
    Tunnel no
    PermitLocalCommand no
    RemoteCommand none
    RequestTTY no
    EscapeChar none
    ServerAliveCountMax 3
";

/// Writes the file into the run's folder, 0600; returns its path.
pub(super) fn write(settings: &SshSettings, run_dir: &Utf8Path) -> Result<Utf8PathBuf, TransportError> {
    let path = run_dir.join("ssh_config");
    let failed =
        |source| TransportError::Setup { what: format!("write the ssh configuration {path}"), source };
    let text = render(settings).map_err(failed)?;
    let written = (|| {
        let absolute = std::path::absolute(&path)?;
        match std::fs::remove_file(&absolute) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&absolute)?.write_all(text.as_bytes())?;
        Utf8PathBuf::from_path_buf(absolute)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8"))
    })();
    written.map_err(failed)
}

fn render(settings: &SshSettings) -> io::Result<String> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let mut text = SAFETY.to_owned();
    text += &format!("    ServerAliveInterval {}\n", settings.keepalive.max(1));
    text += &format!("    ConnectTimeout {}\n", settings.connect_timeout.as_secs().max(1));
    if let Some(kex) = &settings.kex {
        if kex.is_empty() || !kex.chars().all(|c| c.is_ascii_alphanumeric() || "@.,+^-".contains(c)) {
            return Err(invalid(format!("{kex:?} is not a list of key exchange algorithms")));
        }
        text += &format!("    KexAlgorithms {kex}\n");
    }
    if let Some(config) = &settings.config {
        let config = config.as_str();
        if config.contains(|c: char| "\"\\*?[".contains(c) || c.is_control()) {
            return Err(invalid(format!("ssh cannot include {config:?}: its name has a special character")));
        }
        // ssh passes over a file that is not there; the site named this one, so it must be.
        std::fs::metadata(config)
            .map_err(|error| io::Error::new(error.kind(), format!("{config}: {error}")))?;
        text += &format!("Include \"{config}\"\n");
    }
    Ok(text + "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ssh itself makes of a file, for a host of the name `h`.
    fn understood(dir: &Utf8Path, settings: &SshSettings) -> String {
        let path = write(settings, dir).unwrap();
        let out = std::process::Command::new("ssh").args(["-G", "-F", path.as_str(), "h"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    #[test]
    fn an_included_file_cannot_undo_the_safety_and_can_say_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let included = dir.join("site ssh_config");
        std::fs::write(
            &included,
            "Host other\n  Port 1\nHost h\n  HostName 192.0.2.1\n  Port 2222\n  ForwardAgent yes\n  \
             StrictHostKeyChecking no\n  RequestTTY force\n  RemoteCommand evil\n  PermitLocalCommand yes\n  \
             BatchMode no\n  ServerAliveInterval 0\n  LocalForward 1234 localhost:1\n  UpdateHostKeys yes\n",
        )
        .unwrap();
        let settings = SshSettings {
            config: Some(included),
            kex: Some("curve25519-sha256".into()),
            ..SshSettings::default()
        };
        let text = understood(dir, &settings);
        for line in [
            "hostname 192.0.2.1",
            "port 2222",
            "forwardagent no",
            "stricthostkeychecking true",
            "requesttty false",
            "permitlocalcommand no",
            "batchmode yes",
            "serveraliveinterval 5",
            "serveralivecountmax 3",
            "connecttimeout 10",
            "clearallforwardings yes",
            "updatehostkeys false",
            "kexalgorithms curve25519-sha256",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("evil"), "{text}");
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_line() {
        for kex in ["a\n ProxyCommand x", "", "a b"] {
            assert!(render(&SshSettings { kex: Some(kex.into()), ..SshSettings::default() }).is_err());
        }
        for config in ["/a\"b", "/a\nb", "/*", "/nonexistent/ssh_config"] {
            let settings = SshSettings { config: Some(config.into()), ..SshSettings::default() };
            assert!(render(&settings).is_err(), "{config:?}");
        }
    }
}
