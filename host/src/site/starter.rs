//! A new site's folder: commented files with the addresses left to fill in.

use super::bundled::{self, AUTO};
use super::mistake::nearest;
use crate::model::NodeName;
use camino::{Utf8Path, Utf8PathBuf};
use std::io::Write as _;

const SITE: &str = include_str!("starter/site.toml");
const GRANTS: &str = include_str!("starter/grants.toml");

#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    #[error("there is no bundled profile {name:?}; there are {}", .valid.join(", "))]
    UnknownProfile { name: String, valid: Vec<&'static str>, nearest: Option<&'static str> },
    #[error("{dir} is not empty: a site is made in a new or empty folder")]
    NotEmpty { dir: Utf8PathBuf },
    #[error("make {path} of the new site")]
    Write { path: Utf8PathBuf, source: std::io::Error },
}

/// Writes a new site into `dir`, which must be absent or empty; returns the files, to be edited in order.
/// `profile` is a bundled one, or [`AUTO`], which leaves it to the nodes.
///
/// # Errors
/// As [`StarterError`]; with an unknown profile or a folder in use, nothing was written.
pub fn write(dir: &Utf8Path, profile: &str) -> Result<Vec<Utf8PathBuf>, StarterError> {
    if profile != AUTO && bundled::text(profile).is_none() {
        return Err(StarterError::UnknownProfile {
            name: profile.to_owned(),
            valid: bundled::profile_names().collect(),
            nearest: nearest(profile, bundled::profile_names()),
        });
    }
    let failed = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| StarterError::Write { path, source }
    };
    match dir.read_dir_utf8() {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(StarterError::NotEmpty { dir: dir.to_owned() });
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(dir)(error)),
    }
    for folder in [dir.to_owned(), dir.join("hooks"), dir.join("profiles")] {
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    }
    let bundled = bundled::profile_names().collect::<Vec<_>>().join(", ");
    let site = SITE
        .replace("NEW-SITE", &name_of(dir))
        .replace("NEW-PROFILE", profile)
        .replace("BUNDLED-PROFILES", &bundled);
    let mut written = Vec::new();
    for (file, text) in [("site.toml", site.as_str()), ("grants.toml", GRANTS)] {
        let path = dir.join(file);
        // Never over a file that appeared since the folder was found empty.
        std::fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}

/// The folder's name, where it can be a site's.
fn name_of(dir: &Utf8Path) -> String {
    let dir = camino::absolute_utf8(dir).unwrap_or_else(|_| dir.to_owned());
    dir.file_name()
        .and_then(|name| NodeName::new(name).ok())
        .map_or_else(|| "my-cluster".to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Site, leaves_profile_open};

    fn new_site() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap().join("prod-eu");
        (folder, dir)
    }

    #[test]
    fn a_new_site_lacks_only_the_addresses() {
        let (_folder, dir) = new_site();
        write(&dir, "mrs-2").unwrap();
        let errors = Site::load(&dir).unwrap_err();
        let texts: Vec<String> = errors.mistakes.iter().map(|mistake| mistake.what.clone()).collect();
        assert_eq!(
            texts,
            [
                "nodes.master1.ssh is empty: fill in the node's address, as \"admin@10.0.0.11\"",
                "nodes.master2.ssh is empty: fill in the node's address, as \"admin@10.0.0.11\"",
            ]
        );
        let text = std::fs::read_to_string(dir.join("site.toml")).unwrap();
        let mut number = 10;
        let mut filled = String::new();
        for line in text.lines() {
            if line.starts_with("ssh = \"\"") {
                number += 1;
                filled.push_str(&format!("ssh = \"admin@10.0.0.{number}\"\n"));
            } else {
                filled.push_str(line);
                filled.push('\n');
            }
        }
        std::fs::write(dir.join("site.toml"), filled).unwrap();
        let site = Site::load(&dir).unwrap();
        assert_eq!((site.name.as_str(), site.nodes.len()), ("prod-eu", 2));
    }

    #[test]
    fn a_new_site_that_leaves_its_profile_to_the_nodes_is_one_under_each_bundled_profile() {
        let (_folder, dir) = new_site();
        write(&dir, AUTO).unwrap();
        assert!(leaves_profile_open(&dir));
        let text = std::fs::read_to_string(dir.join("site.toml")).unwrap();
        assert!(text.contains("mrs-2, mrs-3"), "{text}");
        let mut number = 10;
        let filled: Vec<String> = text
            .lines()
            .map(|line| {
                number += 1;
                line.replace("ssh = \"\"", &format!("ssh = \"admin@10.0.0.{number}\""))
            })
            .collect();
        std::fs::write(dir.join("site.toml"), filled.join("\n")).unwrap();
        let mut digests = std::collections::BTreeSet::new();
        for name in bundled::profile_names() {
            let site = Site::load_as(&dir, name).unwrap();
            assert_eq!(site.profile.name, name);
            digests.insert(site.digest);
        }
        assert_eq!(digests.len(), bundled::profile_names().count(), "the digest tells which one it is");
        assert!(Site::load(&dir).unwrap_err().to_string().contains("left to the nodes"));
    }

    #[test]
    fn what_the_new_site_shows_commented_out_is_valid_too() {
        let (_folder, dir) = new_site();
        write(&dir, "mrs-2").unwrap();
        std::fs::write(dir.join("manager-ca.pem"), "x").unwrap();
        for file in ["site.toml", "grants.toml"] {
            let text = std::fs::read_to_string(dir.join(file)).unwrap();
            // A setting that is commented out has no space after its `#`; prose has.
            let all: String = text
                .lines()
                .map(|line| match line.strip_prefix('#') {
                    Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                    _ => format!("{line}\n"),
                })
                .collect();
            assert_ne!(all, text);
            let number = std::cell::Cell::new(10);
            let filled: String = all
                .lines()
                .map(|line| {
                    number.set(number.get() + 1);
                    let line =
                        line.replace("ssh = \"\"", &format!("ssh = \"admin@10.0.0.{}\"", number.get()));
                    format!("{line}\n")
                })
                .collect();
            std::fs::write(dir.join(file), filled).unwrap();
        }
        if let Err(errors) = Site::load(&dir) {
            panic!("{errors}");
        }
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let (_folder, dir) = new_site();
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("x"), "").unwrap();
        assert!(matches!(write(&dir, "mrs-2"), Err(StarterError::NotEmpty { .. })));
        assert_eq!(dir.read_dir_utf8().unwrap().count(), 1);
    }

    #[test]
    fn an_unknown_profile_makes_nothing_and_says_the_nearest() {
        let (_folder, dir) = new_site();
        let error = write(&dir, "mrs2").unwrap_err();
        assert!(matches!(error, StarterError::UnknownProfile { nearest: Some("mrs-2"), .. }), "{error}");
        assert!(!dir.exists());
    }
}
