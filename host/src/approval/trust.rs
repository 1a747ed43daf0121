//! Where trust comes from: files outside every site, so that whoever may edit a site cannot approve by it.
//!
//! `/etc/windlass` is the machine's. Where it has an `allowed_signers`, that alone counts: nobody on the
//! machine adds a second self in their own folder. Else it is the operator's, in their configuration folder.
//! Beside it `approval.toml` says what every site must at least ask for, of plans and of plugins; a site can ask for
//! more.

use super::error::ApprovalError;
use super::signers::Signers;
use crate::site::Trust as Least;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use std::os::unix::fs::MetadataExt as _;

/// The machine's folder.
pub const MACHINE: &str = "/etc/windlass";
const SIGNERS: &str = "allowed_signers";
const POLICY: &str = "approval.toml";

/// Whom to trust, and what to ask for at least.
#[derive(Debug)]
pub struct Trust {
    pub signers: Signers,
    /// The file that said so, or the one that would.
    pub path: Utf8PathBuf,
    pub exists: bool,
    /// Approvals that no site goes below.
    pub approvals: u32,
    /// The `trust` that no site goes below, and the file that says so.
    pub least: Option<(Least, Utf8PathBuf)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(default)]
    approvals: u32,
    trust: Option<Least>,
}

impl Trust {
    /// Reads what the machine and the operator say. `site` is the folder that must not say anything.
    pub fn load(machine: &Utf8Path, own: Option<&Utf8Path>, site: &Utf8Path) -> Result<Self, ApprovalError> {
        let folders: Vec<&Utf8Path> = [Some(machine), own].into_iter().flatten().collect();
        let mut approvals = 0;
        let mut least: Option<(Least, Utf8PathBuf)> = None;
        for path in folders.iter().map(|folder| folder.join(POLICY)) {
            if let Some(text) = read(&path, site)? {
                let policy = policy(&text, &path)?;
                approvals = approvals.max(policy.approvals);
                let said = policy.trust.map(|trust| (trust, path));
                least = match (least, said) {
                    (Some(first), Some(second)) => Some(if second.0 > first.0 { second } else { first }),
                    (first, second) => first.or(second),
                };
            }
        }
        for folder in &folders {
            let path = folder.join(SIGNERS);
            if let Some(text) = read(&path, site)? {
                let signers = Signers::parse(&text, &path)?;
                return Ok(Self { signers, path, exists: true, approvals, least });
            }
        }
        let path = folders.last().map(|folder| folder.join(SIGNERS)).unwrap_or_default();
        Ok(Self { signers: Signers::default(), path, exists: false, approvals, least })
    }
}

fn policy(text: &str, path: &Utf8Path) -> Result<Policy, ApprovalError> {
    toml::from_str(text).map_err(|error| ApprovalError::Trusted {
        path: path.to_owned(),
        mistakes: vec![error.message().to_owned()],
    })
}

/// None: there is no such file. A file that others could have written says nothing.
fn read(path: &Utf8Path, site: &Utf8Path) -> Result<Option<String>, ApprovalError> {
    let unreadable = |source| ApprovalError::Read { what: "file", path: path.to_owned(), source };
    let whole = match path.canonicalize_utf8() {
        Ok(whole) => whole,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let unsafe_ = |why: String| ApprovalError::Unsafe { path: path.to_owned(), why };
    let site = site.canonicalize_utf8().unwrap_or_else(|_| site.to_owned());
    if whole.starts_with(&site) {
        return Err(unsafe_(format!(
            "it lies in the site's folder {site}, and a site cannot approve its own runs or plugins"
        )));
    }
    let user = nix::unistd::geteuid().as_raw();
    for place in [Some(whole.as_path()), whole.parent()].into_iter().flatten() {
        let metadata = place.metadata().map_err(unreadable)?;
        if metadata.uid() != 0 && metadata.uid() != user {
            return Err(unsafe_(format!("{place} belongs to another user")));
        }
        // A folder that all may write to is no matter where nobody may rename what is another's.
        let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        if metadata.mode() & 0o022 != 0 && !sticky {
            return Err(unsafe_(format!("others can write to {place}: chmod go-w {place}")));
        }
    }
    std::fs::read_to_string(&whole).map(Some).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const LINE: &str =
        "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICd+s2HWa//qvl9eG2/wSzO6Oy3f5nh7dqziuAIeIHTD\n";

    struct Folders {
        machine: Utf8PathBuf,
        own: Utf8PathBuf,
        site: Utf8PathBuf,
        _folder: tempfile::TempDir,
    }

    fn folders() -> Folders {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let [machine, own, site] = ["machine", "own", "site"].map(|name| {
            std::fs::create_dir(root.join(name)).unwrap();
            std::fs::set_permissions(root.join(name), PermissionsExt::from_mode(0o755)).unwrap();
            root.join(name)
        });
        Folders { machine, own, site, _folder: folder }
    }

    fn write(path: &Utf8Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    impl Folders {
        fn load(&self) -> Result<Trust, ApprovalError> {
            Trust::load(&self.machine, Some(&self.own), &self.site)
        }
    }

    #[test]
    fn the_machines_signers_are_the_only_ones_where_it_has_any() {
        let folders = folders();
        let none = folders.load().unwrap();
        assert!(!none.exists && none.approvals == 0);
        assert_eq!(none.path, folders.own.join("allowed_signers"));
        write(&folders.own.join("allowed_signers"), LINE, 0o644);
        assert_eq!(folders.load().unwrap().path, folders.own.join("allowed_signers"));
        write(&folders.machine.join("allowed_signers"), "", 0o644);
        let trust = folders.load().unwrap();
        assert!(trust.exists && trust.path == folders.machine.join("allowed_signers"));
    }

    #[test]
    fn the_higher_of_both_policies_holds() {
        let folders = folders();
        write(&folders.own.join("approval.toml"), "approvals = 1\n", 0o600);
        assert_eq!(folders.load().unwrap().approvals, 1);
        write(&folders.machine.join("approval.toml"), "approvals = 2\n", 0o644);
        assert_eq!(folders.load().unwrap().approvals, 2);
        write(&folders.own.join("approval.toml"), "trust = \"signed\"\n", 0o600);
        write(&folders.machine.join("approval.toml"), "trust = \"locked\"\n", 0o644);
        let (least, from) = folders.load().unwrap().least.unwrap();
        assert_eq!((least, from), (Least::Signed, folders.own.join("approval.toml")));
        write(&folders.machine.join("approval.toml"), "trust = \"some\"\n", 0o644);
        assert!(folders.load().unwrap_err().to_string().contains("some"));
        write(&folders.machine.join("approval.toml"), "aprovals = 2\n", 0o644);
        assert!(folders.load().unwrap_err().to_string().contains("aprovals"));
    }

    #[test]
    fn what_others_can_write_or_lies_in_the_site_is_not_believed() {
        let folders = folders();
        let own = folders.own.join("allowed_signers");
        write(&own, LINE, 0o664);
        assert!(folders.load().unwrap_err().to_string().contains("chmod go-w"));
        write(&own, LINE, 0o644);
        std::fs::set_permissions(&folders.own, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(folders.load().unwrap_err().to_string().contains("chmod go-w"));
        std::fs::set_permissions(&folders.own, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::remove_file(&own).unwrap();
        write(&folders.site.join("signers"), LINE, 0o644);
        std::os::unix::fs::symlink(folders.site.join("signers"), &own).unwrap();
        assert!(folders.load().unwrap_err().to_string().contains("cannot approve its own runs"));
    }
}
