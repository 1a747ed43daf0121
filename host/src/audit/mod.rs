//! Auditing: a plugin in isolation, before it is let near a node.
//!
//! [`inspect`] reads a component or a script and runs nothing of it; [`capability`] puts what it asks for, and what it
//! imports, into an operator's words; [`describe`] calls the one export that can have no effect. `stage` plays a plugin on
//! a simulated cluster, with something done to it on purpose or not; what is done is in `matrix`, and what is wrong about
//! it says `judge`. [`least`] makes the smallest grants of what rehearsals were seen to take.
//!
//! Nothing here reaches a node. Neighbours: `cli` asks for an audit, `plugin` reads the bytes, `run` drives rehearsals,
//! `backend::rehearsal` is their cluster; the report that all of it goes into is
//! [`Audit`](crate::model::audit::Audit).

mod capability;
mod compare;
mod courses;
mod describe;
mod events;
mod fork;
mod injury;
mod inspect;
mod judge;
mod leak;
mod least;
mod made;
mod malformed;
mod matrix;
mod stage;
#[cfg(test)]
mod tests;
mod vary;

use crate::backend::rehearsal::Standing;
use crate::model::Fault;
use crate::model::audit::{Envelope, Finding, RehearsalName, Rehearsals};
use crate::policy::{Claim, Collecting, Rules};
use indexmap::{IndexMap, IndexSet};

pub use capability::{functions, words};
pub use compare::{Side, compare, conforms};
pub use describe::disagreements;
pub use inspect::{Granted, InspectError, Inspected, inspect};
pub use least::least;
pub use matrix::Progress;
pub use stage::{Broke, End, Played, Setting, Stage, Way};

/// What the rehearsals of a plugin showed.
pub struct Shown {
    pub rehearsals: Rehearsals,
    pub findings: Vec<Finding>,
    pub envelope: Envelope,
    /// What was taken of the grants.
    pub took: Vec<Claim>,
    /// By scenario, how it was left where nothing was done to it.
    pub plainly: Vec<(String, Plainly)>,
    /// By scenario, the numbers of those that took a course of their own.
    pub courses: Vec<Vec<u32>>,
    /// Of those that were repeated alone: what each was, and its transcript.
    pub alone: Vec<String>,
}

/// How a rehearsal ended to which nothing was done, and how it left the cluster.
#[derive(Debug, Clone)]
pub struct Plainly {
    pub end: End,
    pub standing: Standing,
}

impl Plainly {
    fn of(played: &Played) -> Self {
        Self { end: played.end.clone(), standing: played.life.standing() }
    }
}

/// In how many ways, and who is told of it.
pub struct How<'a> {
    pub threads: usize,
    /// None: in every way. Else in those of these numbers alone, and with nothing done to it; 0 is that one.
    pub only: Option<&'a [u32]>,
    pub progress: Progress<'a>,
}

/// Rehearses a plugin on scenarios, by name.
///
/// # Errors
/// A scenario's cluster cannot be set up: the scenario is named.
pub fn rehearse(scenarios: &[(String, Setting)], how: &How<'_>) -> Result<Shown, Fault> {
    let mut rehearsals = Rehearsals::default();
    let mut found = Vec::new();
    let mut envelope = Collecting::default();
    let mut took: IndexSet<Claim> = IndexSet::new();
    let (mut plainly, mut courses, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for (name, setting) in scenarios {
        let rehearsed = matrix::rehearse(name, setting, how)
            .map_err(|fault| Fault { message: format!("scenario {name}: {}", fault.message), ..fault })?;
        rehearsals.count += rehearsed.count;
        rehearsals.seed = setting.scenario.cluster.seed;
        rehearsals.scenarios.push(rehearsed.scenario);
        found.extend(rehearsed.found);
        plainly.push((name.clone(), rehearsed.plainly));
        courses.push(rehearsed.courses);
        alone.extend(rehearsed.alone);
        envelope.merge(rehearsed.envelope);
        took.extend(rehearsed.took);
    }
    Ok(Shown {
        rehearsals,
        findings: findings(found),
        envelope: envelope.finish(),
        took: took.into_iter().collect(),
        plainly,
        courses,
        alone,
    })
}

/// Plays again what took a course of its own, of each scenario, and the plain one: for whoever looks at the plugin
/// meanwhile. Returns the transcripts of the plain ones.
///
/// # Errors
/// As of [`rehearse`].
pub fn walk_through(
    scenarios: &[(String, Setting)],
    courses: &[Vec<u32>],
    threads: usize,
) -> Result<Vec<Vec<String>>, Fault> {
    let again = |((name, setting), courses): (&(String, Setting), &Vec<u32>)| {
        let how = How { threads, only: Some(courses), progress: &|_, _, _| {} };
        matrix::rehearse(name, setting, &how).map(|rehearsed| rehearsed.scenario.transcript)
    };
    scenarios.iter().zip(courses).map(again).collect()
}

/// In how many of what was taken a pattern was made use of.
pub fn uses(list: &str, pattern: &str, took: &[Claim]) -> u32 {
    let Ok(rules) = Rules::one(list, pattern) else { return 0 };
    let used = took.iter().filter(|claim| rules.allow(&claim.requirement, &claim.places)).count();
    u32::try_from(used).unwrap_or(u32::MAX)
}

/// One finding for each thing found, however often it was seen.
fn findings(found: Vec<(RehearsalName, Finding)>) -> Vec<Finding> {
    let mut by_id: IndexMap<String, Finding> = IndexMap::new();
    for (rehearsal, one) in found {
        match by_id.get_mut(&one.id) {
            Some(known) => known.seen += 1,
            None => drop(by_id.insert(one.id.clone(), Finding { rehearsal: Some(rehearsal), ..one })),
        }
    }
    by_id.into_values().collect()
}
