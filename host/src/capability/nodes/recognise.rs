//! Which bundled profile the managers fit, where the site leaves it to them: what each profile is known by is
//! looked for on each manager, and the answer must be one, and the same everywhere.

use super::contexts::NodeContexts;
use super::error::NodesError;
use crate::capability::remote::Remote;
use crate::model::NodeName;
use crate::site::Site;
use crate::transport::{Request, Script, TransportError, Transports};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

const FOLDERS: Script = Script { name: "looking for folders", text: include_str!("scripts/folders.sh") };

/// What one manager has of what one profile is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub node: NodeName,
    pub profile: String,
    pub marks: Vec<Mark>,
}

/// One folder that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it is looked for; or why that has no place on this node.
    pub place: Result<String, String>,
    pub there: bool,
}

impl Looked {
    fn fits(&self) -> bool {
        !self.marks.is_empty() && self.marks.iter().all(|mark| mark.there)
    }
}

/// `mrs-2 is known by /opt/Bigdata/om-0.0.1 (there) and …`.
impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is known by ", self.profile)?;
        for (at, mark) in self.marks.iter().enumerate() {
            let and = if at == 0 { "" } else { " and " };
            match (&mark.place, mark.there) {
                (Ok(place), true) => write!(f, "{and}{place} (there)")?,
                (Ok(place), false) => write!(f, "{and}{place} (not there)")?,
                (Err(why), _) => write!(f, "{and}a folder without a place ({why})")?,
            }
        }
        Ok(())
    }
}

/// Looks for what the profile of `site` is known by on every manager.
///
/// # Errors
/// Where a manager cannot be asked.
pub async fn look_for(transports: &Transports, site: &Site) -> Result<Vec<Looked>, NodesError> {
    let managers = site
        .nodes
        .values()
        .filter(|node| node.groups.contains(&site.profile.managers))
        .map(|node| &node.name);
    futures::future::try_join_all(managers.map(|node| async move {
        let context = NodeContexts::default().of(transports, site, node).await?;
        let places: Vec<Result<String, String>> = site
            .profile
            .known_by
            .iter()
            .map(|path| context.resolve_folder(path).map_err(|error| error.to_string()))
            .collect();
        let folders: Vec<&str> = places.iter().filter_map(|place| place.as_deref().ok()).collect();
        let mut there = are_there(transports, node, &site.profile.service_user, &folders).await?.into_iter();
        let marks = places
            .into_iter()
            .map(|place| Mark { there: place.is_ok() && there.next().unwrap_or(false), place })
            .collect();
        Ok(Looked { node: node.clone(), profile: site.profile.name.clone(), marks })
    }))
    .await
}

async fn are_there<R: Remote>(
    remote: &R,
    node: &NodeName,
    user: &str,
    folders: &[&str],
) -> Result<Vec<bool>, NodesError> {
    let request = Request {
        node,
        user,
        script: FOLDERS,
        // A resolved path has no newline: control characters are refused there.
        input: Zeroizing::new(
            folders.iter().flat_map(|folder| [*folder, "\n"]).collect::<String>().into_bytes(),
        ),
        timeout: Duration::from_secs(30),
        output_limit: 64 * 1024,
    };
    let failed = |cause| NodesError::Folders { node: node.clone(), cause };
    let reply = remote.exec(request).await.map_err(failed)?;
    let there: Vec<bool> = String::from_utf8_lossy(&reply.stdout).lines().map(|line| line == "yes").collect();
    if reply.exit != 0 || there.len() != folders.len() {
        let why = format!("it ended with {} after {} answers", reply.exit, there.len());
        return Err(failed(TransportError::Unexpected { node: node.clone(), script: FOLDERS.name, why }));
    }
    Ok(there)
}

/// Returns the one profile that every manager fits.
///
/// # Errors
/// [`NodesError::NoProfile`], naming what was looked for: where a manager fits none or several, or where two
/// fit different ones.
pub fn recognise(looked: &[Looked]) -> Result<&str, NodesError> {
    let mut nodes: Vec<&NodeName> = looked.iter().map(|one| &one.node).collect();
    nodes.sort();
    nodes.dedup();
    let unclear = |why: String| Err(NodesError::NoProfile { why });
    let mut found: Vec<(&NodeName, &str)> = Vec::new();
    for node in nodes {
        let here = || looked.iter().filter(move |one| one.node == *node);
        let told = || here().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let fitting: Vec<&str> = here().filter(|one| one.fits()).map(|one| one.profile.as_str()).collect();
        match fitting.as_slice() {
            [one] => found.push((node, one)),
            [] => return unclear(format!("{node} fits no bundled profile: {}", told())),
            several => return unclear(format!("{node} fits {}: {}", several.join(" and "), told())),
        }
    }
    match found.as_slice() {
        [] => unclear("the site has no manager to ask".into()),
        [(first, profile), rest @ ..] => match rest.iter().find(|(_, other)| other != profile) {
            None => Ok(profile),
            Some((node, other)) => unclear(format!("{first} fits {profile}, and {node} fits {other}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::testing::Shell;

    /// What one node has of two profiles, each known by `marks` folders.
    fn looked(node: &str, has: [bool; 2]) -> Vec<Looked> {
        let looked = |(profile, there): (&str, bool)| Looked {
            node: NodeName::new(node).unwrap(),
            profile: profile.into(),
            marks: vec![
                Mark { place: Ok(format!("/opt/{profile}")), there },
                Mark { place: Ok("/opt/oms".into()), there: true },
            ],
        };
        ["mrs-2", "mrs-3"].into_iter().zip(has).map(looked).collect()
    }

    /// Every combination of what two managers have: one answer, or an error that names what was looked for.
    #[test]
    fn a_profile_is_taken_only_where_both_managers_fit_it_alone() {
        let all = || [[false, false], [false, true], [true, false], [true, true]].into_iter();
        for (first, second) in all().flat_map(|first| all().map(move |second| (first, second))) {
            let looked = [looked("m1", first), looked("m2", second)].concat();
            match (recognise(&looked), first, second) {
                (Ok(profile), _, _) => {
                    let expected = if first == [true, false] { "mrs-2" } else { "mrs-3" };
                    assert!(first == second && first[0] != first[1] && profile == expected, "{looked:?}");
                }
                (Err(error), [a, b], _) if a == b => {
                    let what = if a { "m1 fits mrs-2 and mrs-3" } else { "m1 fits no bundled profile" };
                    let there = if a { "there" } else { "not there" };
                    let error = error.to_string();
                    assert!(error.contains(what), "{error}");
                    assert!(error.contains(&format!("/opt/mrs-3 ({there})")), "{error}");
                }
                (Err(error), _, [a, b]) if a == b => {
                    assert!(error.to_string().contains("m2 fits"), "{error}");
                }
                (Err(error), _, _) => {
                    assert_ne!(first, second);
                    assert!(error.to_string().contains("and m2 fits mrs-"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_folder_whose_variable_is_not_set_is_not_there_and_says_why() {
        let place = Err("BIGDATA_HOME in the login environment of omm is not set".to_owned());
        let looked = Looked {
            node: NodeName::new("m1").unwrap(),
            profile: "mrs-2".into(),
            marks: vec![Mark { place, there: false }],
        };
        let error = recognise(&[looked]).unwrap_err().to_string();
        assert!(error.contains("BIGDATA_HOME in the login environment of omm is not set"), "{error}");
    }

    #[test]
    fn a_profile_that_is_known_by_nothing_is_never_found_and_no_manager_is_no_answer() {
        let nothing = Looked { node: NodeName::new("m1").unwrap(), profile: "p".into(), marks: Vec::new() };
        assert!(recognise(&[nothing]).is_err());
        assert!(recognise(&[]).unwrap_err().to_string().contains("no manager"));
    }

    #[tokio::test]
    async fn folders_are_found_under_every_shell_and_files_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(path("a folder")).unwrap();
        std::fs::write(path("file"), "").unwrap();
        let asked = [path("a folder"), path("file"), path("absent")];
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let node = NodeName::new("m1").unwrap();
        for shell in Shell::each() {
            assert_eq!(are_there(&shell, &node, "omm", &asked).await.unwrap(), [true, false, false]);
            assert_eq!(are_there(&shell, &node, "omm", &[]).await.unwrap(), [false; 0]);
        }
    }
}
