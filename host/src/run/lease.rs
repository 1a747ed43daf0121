//! How a run comes by the lease: on every manager, in name order, all or none; from another run only where the
//! operator says so, and never while a job of that one lives.

use super::ground::{GroundError, GroundErrorKind};
use crate::backend::live::LeaseTerms;
use crate::journal::Row;
use crate::model::NodeName;
use crate::site::Site;
use crate::transport::lease::{self, Holder, LeaseError, LeaseRecord};
use crate::transport::mirror::{self, MirrorError};
use crate::transport::{TransportError, Transports};
use futures::future::{join_all, try_join_all};
use std::collections::{BTreeSet, HashMap};

/// A lease that was had, and how.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    pub tokens: Vec<(NodeName, u64)>,
    /// Who had it before, and what the operator said of nodes; for the journal.
    pub story: Vec<Row>,
}

/// Asks the operator whether to take the lease over from these.
pub type Agree<'a> = &'a (dyn Fn(&str) -> bool + Send + Sync);

/// Takes the lease on every manager that is not dead; gives back what it took where one refuses.
pub async fn take(
    transports: &Transports,
    site: &Site,
    record: &LeaseRecord,
    terms: &LeaseTerms,
    agree: Agree<'_>,
) -> Result<Taken, GroundError> {
    let user = &site.profile.service_user;
    let mut taken = Taken::default();
    let managers = living(site, terms)?;
    are_dead(transports, site, terms).await?;
    taken.story.extend(terms.dead.iter().map(|node| Row::DeclaredDead { node: node.clone() }));
    let mut held: HashMap<&NodeName, Holder> = HashMap::new();
    if terms.take_over {
        held = holders(transports, user, &managers).await?;
        let others: Vec<_> = managers
            .iter()
            .filter_map(|manager| held.get(*manager).map(|by| (*manager, by)))
            .filter(|(_, by)| !is_mine(by, record))
            .collect();
        if !others.is_empty() {
            no_job_lives(transports, site, terms, &others).await?;
            let from: Vec<_> = others.iter().map(|(manager, by)| format!("{manager}: {by}")).collect();
            if !agree(&format!("The lease is another's ({}). Take it over?", from.join("; "))) {
                return Err(GroundError::new(GroundErrorKind::Held, "the lease stays where it is"));
            }
        }
    }
    // One after another, in name order: two runs that start together meet at the first manager.
    for manager in managers {
        let before = held.get(manager).filter(|by| !is_mine(by, record));
        let had = match before {
            None => lease::acquire(transports, manager, user, record).await,
            Some(by) => lease::take_over(transports, manager, user, record, by.token).await,
        };
        match had {
            Ok(token) => {
                taken.tokens.push((manager.clone(), token));
                taken.story.extend(before.map(|by| taken_over(manager, by)));
            }
            Err(error) => {
                for (manager, token) in &taken.tokens {
                    // What was this run's before stays so.
                    if held.get(manager).is_some_and(|by| is_mine(by, record)) {
                        continue;
                    }
                    // The other run's business is told; a lease that cannot be given back now is found by name
                    // at the next start.
                    let _ = lease::release(transports, manager, user, &record.run, *token).await;
                }
                return Err(ground_error(error, true));
            }
        }
    }
    Ok(taken)
}

/// What an error of a lease means. `taking`: it is asked for; else it is believed to be this run's.
pub(super) fn ground_error(error: LeaseError, taking: bool) -> GroundError {
    let kind = match &error {
        LeaseError::Held { .. } if taking => GroundErrorKind::Held,
        LeaseError::Held { .. } | LeaseError::NotHeld { .. } => GroundErrorKind::Lost,
        LeaseError::Transport(_) => GroundErrorKind::Unreachable,
        LeaseError::Living { .. } => GroundErrorKind::Held,
    };
    let hint = match &error {
        LeaseError::Held { by: Holder { record, .. }, .. } => {
            let look = record.as_ref().map_or(String::new(), |record| {
                format!("let it end, or look at it with: windlass runs show {}; ", record.run)
            });
            format!("{look}if it is not going on any more: --take-over")
        }
        LeaseError::NotHeld { .. } => "where no other run needed the nodes since: --take-over".into(),
        LeaseError::Transport(TransportError::Unreachable { node, .. }) => out_of_reach(node),
        _ => String::new(),
    };
    GroundError { kind, message: error.to_string(), hint }
}

/// What to do about a manager that does not answer.
pub(super) fn out_of_reach(node: &NodeName) -> String {
    format!(
        "windlass site check --connect tries each node on its own; if {node} is known to be dead: --take-over \
         --node-is-dead {node}"
    )
}

/// The managers that are to carry the lease.
fn living<'a>(site: &'a Site, terms: &LeaseTerms) -> Result<Vec<&'a NodeName>, GroundError> {
    if let Some(unknown) = terms.dead.iter().find(|node| !site.nodes.contains_key(*node)) {
        return Err(GroundError::new(GroundErrorKind::Invalid, format!("the site has no node {unknown}")));
    }
    let managers = site.managers();
    let living: Vec<_> = managers.iter().copied().filter(|manager| !terms.dead.contains(manager)).collect();
    match living.is_empty() && !managers.is_empty() {
        true => Err(GroundError::new(
            GroundErrorKind::Invalid,
            "every manager is said to be dead: there is nobody to carry the lease",
        )),
        false => Ok(living),
    }
}

/// A node that answers is not dead, whatever is said: another run may be working on it.
async fn are_dead(transports: &Transports, site: &Site, terms: &LeaseTerms) -> Result<(), GroundError> {
    let user = &site.profile.service_user;
    let asked = terms.dead.iter().map(async |node| (node, transports.clock_offset(node, user).await));
    match join_all(asked).await.into_iter().find(|(_, answer)| answer.is_ok()) {
        Some((node, _)) => Err(GroundError::new(
            GroundErrorKind::Invalid,
            format!("{node} is said to be dead, and it answers"),
        )
        .hint("leave --node-is-dead out")),
        None => Ok(()),
    }
}

async fn holders<'a>(
    transports: &Transports,
    user: &str,
    managers: &[&'a NodeName],
) -> Result<HashMap<&'a NodeName, Holder>, GroundError> {
    let asked = managers.iter().map(|manager| async move {
        let by = lease::holder(transports, manager, user).await;
        by.map(|by| by.map(|by| (*manager, by))).map_err(|error| ground_error(error, true))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

fn is_mine(by: &Holder, record: &LeaseRecord) -> bool {
    by.record
        .as_ref()
        .is_some_and(|holder| holder.run == record.run && holder.controller == record.controller)
}

/// A job of a run that loses its lease must have ended, on every node: it cannot be taken back.
async fn no_job_lives(
    transports: &Transports,
    site: &Site,
    terms: &LeaseTerms,
    others: &[(&NodeName, &Holder)],
) -> Result<(), GroundError> {
    let runs: BTreeSet<_> =
        others.iter().filter_map(|(_, by)| by.record.as_ref()).map(|record| &record.run).collect();
    let mut users: BTreeSet<&str> =
        site.profile.commands.values().map(|command| command.user.as_str()).collect();
    users.insert(&site.profile.service_user);
    let mut asked = Vec::new();
    for run in runs {
        for node in site.nodes.keys().filter(|node| !terms.dead.contains(node)) {
            for user in &users {
                asked.push(async move { (run, node, mirror::jobs(transports, node, user, run).await) });
            }
        }
    }
    for (run, node, jobs) in join_all(asked).await {
        let jobs = match jobs {
            Ok(jobs) => jobs,
            // Who cannot become that user has started nothing as them.
            Err(MirrorError::Transport(TransportError::Become { .. })) => continue,
            Err(error) => {
                return Err(GroundError::new(
                    GroundErrorKind::Unreachable,
                    format!("whether a job of {run} lives on {node} cannot be told: {error}"),
                )
                .hint(format!("if {node} is known to be dead: --node-is-dead {node}")));
            }
        };
        if let Some(job) = jobs.iter().find(|job| job.lives()) {
            return Err(GroundError::new(
                GroundErrorKind::Held,
                format!("the lease stays where it is: of {run}, the job {} still runs on {node}", job.id),
            )
            .hint("wait for its end, then type the same again"));
        }
    }
    Ok(())
}

fn taken_over(manager: &NodeName, by: &Holder) -> Row {
    Row::LeaseTakenOver {
        manager: manager.clone(),
        run: by.record.as_ref().map(|record| record.run.clone()),
        // As it is shown: the node's own text could hold anything.
        holder: by.to_string(),
        token: by.token,
    }
}
