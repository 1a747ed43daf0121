//! Adoption: another controller goes on with a run, from what the managers hold of its journal.
//!
//! What they hold is judged before anything is taken: every mirror must open, its chain hold from the first row on,
//! and all of them be one chain, some perhaps shorter. Then the lease is taken, which fences whoever had it, and
//! only then is there a journal here: it never speaks of a lease that is still another's.

use super::ground::{GroundError, GroundErrorKind};
use super::lease;
use crate::backend::live::LeaseTerms;
use crate::journal::mirror::{Head, MirrorError as BrokenMirror, unpack};
use crate::journal::sealed::{Identity, SealError};
use crate::journal::{Journal, JournalError, RawRow, Row};
use crate::model::{NodeName, PluginName, RunId};
use crate::site::Site;
use crate::transport::Transports;
use crate::transport::lease::{self as node_lease, Holder, LeaseRecord};
use crate::transport::mirror::{self, JobSeen};
use camino::Utf8Path;
use futures::future::{join_all, try_join_all};
use std::fmt::Write as _;

/// How often the mirrors are fetched again because they grew meanwhile.
const TRIES: usize = 3;

/// What adopting needs.
pub struct Adoption<'a> {
    pub transports: &'a Transports,
    pub site: &'a Site,
    /// Where runs are kept here.
    pub runs: &'a Utf8Path,
    pub identity: &'a Identity,
    /// Who adopts, as the lease names them.
    pub controller: String,
    pub terms: LeaseTerms,
    /// None: the one whose lease the managers hold.
    pub run: Option<RunId>,
    /// Whose mirror to believe, where they disagree.
    pub from: Option<NodeName>,
}

/// A run that was adopted.
#[derive(Debug)]
pub struct Adopted {
    pub run: RunId,
    pub from: NodeName,
    pub rows: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "no manager's lease is held, so there is no run to adopt; name one, where a run ended and is to be taken back"
    )]
    NoRun,
    #[error("the managers hold the lease for different runs: {}", runs.join(", "))]
    SeveralRuns { runs: Vec<String> },
    #[error("no manager holds anything of run {run}: it changed nothing, or it was closed")]
    Nothing { run: RunId },
    #[error("run {run} is here already, with all that the managers hold of it")]
    Here { run: RunId },
    #[error("run {run} was sealed to other operators than {identity}")]
    NotForMe { run: RunId, identity: String },
    /// Nothing was taken.
    #[error("what the managers hold of run {run} cannot be trusted as it is: {why}")]
    Doubtful { run: RunId, why: String, evidence: Vec<String> },
}

/// What one manager holds of a run.
#[derive(Debug)]
struct Held {
    node: NodeName,
    lease: Option<Holder>,
    /// What it says is its last row.
    head: Option<String>,
    rows: Result<Vec<RawRow>, BrokenMirror>,
    jobs: Vec<JobSeen>,
}

impl Held {
    fn last(&self) -> Option<Head> {
        let rows = self.rows.as_ref().ok()?;
        rows.last().map(|row| Head { sequence: row.sequence, hash: row.hash })
    }

    /// Whether it is whole and the beginning of these rows, or all of them.
    fn begins(&self, rows: &[RawRow]) -> bool {
        self.last()
            .is_some_and(|last| rows.get(last.sequence as usize - 1).is_some_and(|row| row.hash == last.hash))
    }

    /// The line of it for an operator who has to judge.
    fn line(&self) -> String {
        let mut line = match &self.lease {
            Some(by) => format!("{}: lease held by {by}, token {}", self.node, by.token),
            None => format!("{}: lease free", self.node),
        };
        // Writing to a String cannot fail.
        let _ = match (&self.head, &self.rows) {
            (None, _) => write!(line, "; no mirror"),
            (Some(head), Ok(rows)) => write!(line, "; mirror whole, {} rows, head {head:.24}…", rows.len()),
            (Some(head), Err(error)) => write!(line, "; mirror NOT whole ({error}), head {head:.24}…"),
        };
        for job in &self.jobs {
            let _ = write!(line, "; job {}: {}", job.id, job.state);
        }
        line
    }
}

/// Fetches a run from the managers, takes its lease over, and makes its journal here.
pub async fn adopt(adoption: Adoption<'_>, agree: lease::Agree<'_>) -> Result<Adopted, AdoptError> {
    let managers = lease::living(adoption.site, &adoption.terms)?;
    let run = match &adoption.run {
        Some(run) => run.clone(),
        None => leased(&adoption, &managers).await?,
    };
    let mut held = look(&adoption, &managers, &run).await?;
    for _ in 0..TRIES {
        let chosen = choose(&adoption, &run, &held)?;
        not_here(&adoption, &run, chosen, &held)?;
        let (from, rows) = (chosen.node.clone(), chosen.rows.as_ref().map(Vec::as_slice).unwrap_or_default());
        let procedure = procedure_of(&run, rows, &held)?;
        let others: Vec<_> = held.iter().filter_map(|held| held.lease.as_ref()).collect();
        if let Some(other) =
            others.iter().find(|by| by.record.as_ref().is_none_or(|record| record.run != run))
        {
            let message = format!("the lease is held by {other}, and only that of {run} can be adopted");
            return Err(GroundError::new(GroundErrorKind::Held, message)
                .hint("let that run end, or name it instead")
                .into());
        }
        let record = LeaseRecord {
            run: run.clone(),
            controller: adoption.controller.clone(),
            procedure,
            since: jiff::Timestamp::now().as_second(),
        };
        let terms = LeaseTerms { take_over: true, ..adoption.terms.clone() };
        let taken = lease::take(adoption.transports, adoption.site, &record, &terms, agree).await?;
        // Whoever had the lease may have added rows until it was taken.
        let now = look(&adoption, &managers, &run).await?;
        if now.iter().map(|held| &held.head).ne(held.iter().map(|held| &held.head)) {
            held = now;
            continue;
        }
        set_aside(&adoption, &run, &held, rows, &taken.tokens).await?;
        let journal = Journal::rebuild(adoption.runs, &run, rows)?;
        let (controller, count) = (adoption.controller.clone(), rows.len());
        journal.note(&Row::Adopted { controller, from: from.clone(), rows: count as i64 })?;
        for row in &taken.story {
            journal.note(row)?;
        }
        for (manager, token) in taken.tokens {
            journal.note(&Row::LeaseTaken { manager, token })?;
        }
        journal.flush()?;
        return Ok(Adopted { run, from, rows: count });
    }
    Err(doubtful(&run, "the mirrors grow while they are read".into(), &held))
}

/// What is no beginning of what the run goes on with is kept beside, and the manager is sent the whole anew.
async fn set_aside(
    adoption: &Adoption<'_>,
    run: &RunId,
    held: &[Held],
    rows: &[RawRow],
    tokens: &[(NodeName, u64)],
) -> Result<(), GroundError> {
    let user = &adoption.site.profile.service_user;
    for held in held.iter().filter(|held| held.head.is_some() && !held.begins(rows)) {
        let Some((_, token)) = tokens.iter().find(|(node, _)| *node == held.node) else { continue };
        mirror::set_aside(adoption.transports, &held.node, user, run, *token).await.map_err(|error| {
            GroundError::new(GroundErrorKind::Unreachable, error.to_string())
                .hint("the lease is this controller's now: type the same again")
        })?;
    }
    Ok(())
}

/// The run that has the managers' lease.
async fn leased(adoption: &Adoption<'_>, managers: &[&NodeName]) -> Result<RunId, AdoptError> {
    let user = &adoption.site.profile.service_user;
    let asked = managers.iter().map(|manager| async move {
        node_lease::holder(adoption.transports, manager, user)
            .await
            .map_err(|error| lease::ground_error(error, true))
    });
    let mut runs: Vec<RunId> =
        try_join_all(asked).await?.into_iter().flatten().filter_map(|by| Some(by.record?.run)).collect();
    runs.sort();
    runs.dedup();
    match runs.len() {
        0 => Err(AdoptError::NoRun),
        1 => Ok(runs.remove(0)),
        _ => Err(AdoptError::SeveralRuns { runs: runs.iter().map(ToString::to_string).collect() }),
    }
}

async fn look(
    adoption: &Adoption<'_>,
    managers: &[&NodeName],
    run: &RunId,
) -> Result<Vec<Held>, GroundError> {
    let user = &adoption.site.profile.service_user;
    let asked = managers.iter().map(|manager| async move {
        let transports = adoption.transports;
        let unread = |error: mirror::MirrorError| {
            GroundError::new(
                GroundErrorKind::Unreachable,
                format!("what {manager} holds of {run} cannot be read: {error}"),
            )
            .hint(lease::out_of_reach(manager))
        };
        let lease = node_lease::holder(transports, manager, user)
            .await
            .map_err(|error| lease::ground_error(error, true))?;
        let fetched = mirror::fetch(transports, manager, user, run).await.map_err(unread)?;
        let jobs = mirror::jobs(transports, manager, user, run).await.map_err(unread)?;
        let (head, rows) = match fetched {
            None => (None, Ok(Vec::new())),
            Some((text, bytes)) => {
                let rows = match text.parse::<Head>() {
                    Ok(head) => unpack(&bytes, head, adoption.identity),
                    Err(()) => {
                        Err(BrokenMirror::Garbled { from: 0, to: 0, why: "its head is damaged".into() })
                    }
                };
                (Some(text), rows)
            }
        };
        Ok(Held { node: (*manager).clone(), lease, head, rows, jobs })
    });
    join_all(asked).await.into_iter().collect()
}

/// Judges what the managers hold; returns the one whose mirror is the run's journal.
fn choose<'a>(adoption: &Adoption<'_>, run: &RunId, held: &'a [Held]) -> Result<&'a Held, AdoptError> {
    let doubt = |why: String| doubtful(run, why, held);
    if held.iter().all(|held| held.head.is_none()) {
        return Err(AdoptError::Nothing { run: run.clone() });
    }
    let others = |held: &Held| {
        matches!(&held.rows, Err(BrokenMirror::Sealed { source: SealError::WrongIdentity { .. }, .. }))
    };
    if held.iter().filter(|held| held.head.is_some()).all(others) {
        let identity = adoption.identity.public();
        return Err(AdoptError::NotForMe { run: run.clone(), identity });
    }
    if let Some(from) = &adoption.from {
        return match held.iter().find(|held| held.node == *from) {
            Some(chosen) if chosen.last().is_some() => Ok(chosen),
            Some(_) => Err(doubt(format!("{from} holds no whole mirror of it"))),
            None => Err(GroundError::new(
                GroundErrorKind::Invalid,
                format!("{from} is no manager of the site, or is said to be dead"),
            )
            .into()),
        };
    }
    if let Some((node, error)) = held.iter().find_map(|held| Some((&held.node, held.rows.as_ref().err()?))) {
        return Err(doubt(format!("the mirror on {node} is not whole: {error}")));
    }
    let longest = held.iter().max_by_key(|held| held.rows.as_ref().map_or(0, Vec::len));
    let Some(longest) = longest else { return Err(AdoptError::Nothing { run: run.clone() }) };
    let rows = longest.rows.as_ref().map(Vec::as_slice).unwrap_or_default();
    for other in held.iter().filter(|held| held.head.is_some()) {
        if !other.begins(rows) {
            return Err(doubt(format!("{} and {} hold different rows", longest.node, other.node)));
        }
    }
    Ok(longest)
}

fn doubtful(run: &RunId, why: String, held: &[Held]) -> AdoptError {
    AdoptError::Doubtful { run: run.clone(), why, evidence: held.iter().map(Held::line).collect() }
}

/// A journal here that is whole and has all that the managers hold needs no adoption, unless another controller
/// has the lease; anything less is set aside.
fn not_here(adoption: &Adoption<'_>, run: &RunId, chosen: &Held, held: &[Held]) -> Result<(), AdoptError> {
    let elsewhere =
        |by: &Holder| by.record.as_ref().is_none_or(|record| record.controller != adoption.controller);
    if held.iter().filter_map(|held| held.lease.as_ref()).any(elsewhere) {
        return Ok(());
    }
    let Ok(here) = Journal::examine(adoption.runs, run) else { return Ok(()) };
    let Some(last) = chosen.last() else { return Ok(()) };
    let same = here.rows.get(last.sequence as usize - 1).is_some_and(|row| row.hash == last.hash);
    match here.damage.is_none() && same {
        true => Err(AdoptError::Here { run: run.clone() }),
        false => Ok(()),
    }
}

fn procedure_of(run: &RunId, rows: &[RawRow], held: &[Held]) -> Result<PluginName, AdoptError> {
    match rows.first().and_then(|raw| serde_json::from_str(&raw.body).ok()) {
        Some(Row::Began { procedure, .. }) => Ok(procedure),
        _ => Err(doubtful(run, "it does not begin as a run does, or a newer windlass wrote it".into(), held)),
    }
}
