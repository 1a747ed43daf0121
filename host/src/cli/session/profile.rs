//! Which profile a site has. Where it leaves that to its nodes they are asked, once: a run's journal keeps the
//! answer, and what goes on with the run asks no more.

use super::admit::{Demand, OwnFile};
use super::network::{check_folder, enter};
use crate::capability::nodes::{Looked, NodesError, look_for, recognise};
use crate::cli::Context;
use crate::cli::commands::site::site_error;
use crate::cli::error::{Error, Exit};
use crate::journal::{Row, StoredRow};
use crate::model::{Digested, PluginName};
use crate::plugin::sha256;
use crate::report::SiteFacts;
use crate::site::{PROFILE, Site, SiteErrors, count, leaves_profile_open, profile_names};
use crate::transport::Transports;

type Result<T> = std::result::Result<T, Error>;

/// A site under its profile.
pub struct Found {
    pub site: Site,
    /// What told its profile, a line a manager; empty where the site names it.
    pub told: Vec<String>,
}

/// Loads the site that the context names. Not from within a runtime: it may have to start one.
pub fn load(context: &Context) -> Result<Found> {
    if leaves_profile_open(&context.site_dir) {
        return ask(context);
    }
    let site = Site::load(&context.site_dir).map_err(|errors| site_error(context, &errors))?;
    admit_profiles(context, &site, &[])?;
    Ok(Found { site, told: Vec::new() })
}

/// Lets a site's own profiles through by what it trusts, as its plugins: a profile says what commands are. Those of
/// `begun` were let through when a run began.
fn admit_profiles(context: &Context, site: &Site, begun: &[Digested]) -> Result<()> {
    let own: Vec<_> =
        site.digests.profile.iter().filter(|digested| digested.name.starts_with("profiles/")).collect();
    if own.is_empty() {
        return Ok(());
    }
    let demand = Demand::of(context, site.trust)?;
    let mut first: Option<Error> = None;
    for digested in own {
        let path = site.dir.join(&digested.name);
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::new(Exit::Usage, format!("the profile {path} cannot be read: {error}"))
        })?;
        if sha256(&bytes) != digested.sha256 {
            return Err(Error::new(
                Exit::Refused,
                format!("{} was changed while it was read", digested.name),
            )
            .hint("do it again"));
        }
        let name = PluginName::new(path.file_stem().unwrap_or_default())
            .map_err(|error| Error::from_error(Exit::Usage, &error))?;
        let own = OwnFile { kind: PROFILE, name: &name, path: &path, bytes: &bytes };
        if let Err(error) = demand.admit(&site.dir, &own) {
            if begun.contains(digested) {
                context.ui.warn(format!("{}; the run began with it", error.message));
                continue;
            }
            // What is to be typed for all of them is said at once.
            match &mut first {
                None => first = Some(error),
                Some(first) => first.hints.extend(error.hints),
            }
        }
    }
    first.map_or(Ok(()), Err)
}

/// What a run that has begun is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    On,
    /// It is taken back, closed or looked at. What it began with is enough for that: whose key has expired since, or
    /// what was taken out of the lock, holds nobody up on the way back.
    Back,
}

/// What a scenario of a run takes from its site; without one, nothing.
pub fn site_facts(context: &Context, rows: &[StoredRow]) -> SiteFacts {
    match load_for(context, rows, Going::Back) {
        Ok(site) => SiteFacts {
            own_profile: !profile_names().any(|name| name == site.profile.name),
            profile: Some(site.profile.name.clone()),
            groups: site.nodes.values().map(|node| (node.name.clone(), node.groups.clone())).collect(),
        },
        Err(_) => SiteFacts::default(),
    }
}

/// Loads the site of a run that has begun: under the profile that was found then, whatever the nodes would say now.
pub fn load_for(context: &Context, rows: &[StoredRow], going: Going) -> Result<Site> {
    let found = rows.iter().find_map(|stored| match &stored.row {
        Row::ProfileFound { profile, .. } => Some(profile),
        _ => None,
    });
    match found {
        Some(profile) => {
            Site::load_as(&context.site_dir, profile).map_err(|errors| site_error(context, &errors))
        }
        None if going == Going::On || leaves_profile_open(&context.site_dir) => {
            load(context).map(|found| found.site)
        }
        None => {
            let site = Site::load(&context.site_dir).map_err(|errors| site_error(context, &errors))?;
            let begun = rows.iter().find_map(|stored| match &stored.row {
                Row::Began { files, .. } => Some(files.as_slice()),
                _ => None,
            });
            admit_profiles(context, &site, begun.unwrap_or_default())?;
            Ok(site)
        }
    }
}

/// A site under each bundled profile that it has no mistake under, and its mistakes under the others.
type Candidates = (Vec<Site>, Vec<(&'static str, SiteErrors)>);

/// Loads a site that leaves its profile to its nodes under each that they may have.
///
/// # Errors
/// Where it has mistakes under all of them.
pub fn candidates(context: &Context) -> std::result::Result<Candidates, SiteErrors> {
    let (mut sites, mut wrong) = (Vec::new(), Vec::new());
    for name in profile_names() {
        match Site::load_as(&context.site_dir, name) {
            Ok(site) => sites.push(site),
            Err(errors) => wrong.push((name, errors)),
        }
    }
    if sites.is_empty() {
        return Err(in_common(&wrong));
    }
    Ok((sites, wrong))
}

/// What is wrong whichever profile it is; where that is nothing, what is wrong under the first.
fn in_common(wrong: &[(&'static str, SiteErrors)]) -> SiteErrors {
    let Some(((_, first), rest)) = wrong.split_first() else {
        // There are bundled profiles.
        return SiteErrors { dir: Default::default(), mistakes: Vec::new() };
    };
    let everywhere = |mistake| rest.iter().all(|(_, errors)| errors.mistakes.contains(mistake));
    let common: Vec<_> = first.mistakes.iter().filter(|mistake| everywhere(*mistake)).cloned().collect();
    let mistakes = if common.is_empty() { first.mistakes.clone() } else { common };
    SiteErrors { dir: first.dir.clone(), mistakes }
}

fn ask(context: &Context) -> Result<Found> {
    let (sites, wrong) = candidates(context).map_err(|errors| site_error(context, &errors))?;
    // Nodes and ways to them are the site's own, the same under every profile.
    let Some(any) = sites.first() else { return Err(Error::new(Exit::Fault, "no profile is bundled")) };
    let folder = check_folder(context).map_err(|why| Error::new(Exit::Usage, why))?;
    let runtime = enter(any)?;
    let looked = runtime.block_on(async {
        let transports =
            Transports::new(any, &folder).map_err(|error| Error::from_error(Exit::Fault, &error))?;
        let each = futures::future::try_join_all(sites.iter().map(|site| look_for(&transports, site))).await;
        transports.close().await;
        each.map(|each| each.concat()).map_err(|error| nodes_error(&error))
    })?;
    let profile = recognise(&looked).map_err(|error| {
        let mut error = nodes_error(&error);
        error.causes.extend(wrong.iter().map(|(name, errors)| {
            format!("{name} was not tried: under it the site has {}", count(errors.mistakes.len(), "mistake"))
        }));
        error
    })?;
    let told: Vec<String> = looked
        .iter()
        .filter(|looked| looked.profile == profile)
        .map(|looked: &Looked| format!("{}: {looked}", looked.node))
        .collect();
    for line in &told {
        context.ui.detail(line);
    }
    match sites.into_iter().find(|site| site.profile.name == profile) {
        Some(site) => Ok(Found { site, told }),
        // It was recognised among them.
        None => Err(Error::new(Exit::Fault, "the profile that was found is not bundled")),
    }
}

fn nodes_error(error: &NodesError) -> Error {
    let fault = error.to_fault();
    let made = Error::new(Exit::Preflight, fault.message);
    if fault.hint.is_empty() {
        made.hint("windlass site check --connect tries each node on its own")
    } else {
        made.hint(fault.hint)
    }
}
