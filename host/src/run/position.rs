//! Where a run is: a pure function of its journal.

use crate::journal::{CallName, Journal, Row, StoredRow};
use crate::model::{
    Effect, EffectClass, Moment, NodeName, PlannedStep, PluginName, Roles, RunState, StepId, code,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What a journal says a run has done, and so what is left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Position {
    pub tokens: Vec<(NodeName, u64)>,
    pub lease_released: bool,
    pub roles: Option<Roles>,
    pub planned: Option<Vec<PlannedStep>>,
    pub confirmed: bool,
    /// Steps whose `apply` began, in order, each once.
    pub begun: Vec<StepId>,
    pub done: Vec<StepId>,
    /// The way back was begun: only it goes on.
    pub undoing: bool,
    pub undone: Vec<StepId>,
    /// An intent to change a node was recorded on the way back.
    pub changed_back: bool,
    pub verified: bool,
    /// Hooks that let the run go on, and where.
    pub hooked: Vec<(PluginName, Moment)>,
    /// An intent to change a node was recorded.
    pub changed: bool,
    /// The named commands that began to run, for their declarations.
    pub ran: Vec<String>,
    /// How it stands, if it does.
    pub stands: Option<(RunState, Option<String>)>,
    pub closed: bool,
}

impl Position {
    pub fn of(rows: &[StoredRow]) -> Self {
        let mut position = Self::default();
        for stored in rows {
            position.read(&stored.row);
        }
        position
    }

    fn read(&mut self, row: &Row) {
        match row {
            Row::Resumed { .. } | Row::Adopted { .. } => self.stands = None,
            Row::LeaseTaken { manager, token } => {
                self.lease_released = false;
                self.tokens.retain(|(name, _)| name != manager);
                self.tokens.push((manager.clone(), *token));
            }
            // Its lease is no part of the run's any more.
            Row::DeclaredDead { node } => self.tokens.retain(|(name, _)| name != node),
            Row::LeaseReleased => self.lease_released = true,
            Row::RolesBound { first, second, .. } => {
                self.roles = Some(Roles { first: first.clone(), second: second.clone() });
            }
            Row::Planned { steps } => self.planned = Some(steps.clone()),
            Row::Confirmed => self.confirmed = true,
            Row::CallBegan { call } => match call {
                CallName::Apply(step) if !self.begun.contains(step) => self.begun.push(step.clone()),
                CallName::Undo(_) | CallName::Hook { at: Moment::OnRollback, .. } => self.undoing = true,
                _ => {}
            },
            Row::CallEnded { call, result: Ok(()) } => match call {
                CallName::Apply(step) => self.done.push(step.clone()),
                CallName::Undo(step) => self.undone.push(step.clone()),
                CallName::Hook { hook, at } => self.hooked.push((hook.clone(), at.clone())),
                CallName::Verify | CallName::Steps => {}
            },
            // Said before anything was taken back: the way forward is as it was.
            Row::CallEnded { call: CallName::Undo(_), result: Err(fault) }
                if fault.code == code::NO_WAY_BACK && !self.changed_back && self.undone.is_empty() =>
            {
                self.undoing = false;
            }
            Row::Intent { effect, class, .. } => {
                self.changed |= *class == EffectClass::Change;
                self.changed_back |= self.undoing && *class == EffectClass::Change;
                if let Effect::NodesRun { command, .. } | Effect::NodesRunEach { command, .. } = effect {
                    self.ran.push(command.to_string());
                }
            }
            Row::Verified { checks } => self.verified = checks.iter().all(|check| check.passed),
            Row::Stands { state, reason, .. } => self.stands = Some((*state, reason.clone())),
            Row::Closed => self.closed = true,
            Row::Began { .. }
            | Row::SealedTo { .. }
            | Row::LeaseTakenOver { .. }
            | Row::ProfileFound { .. }
            | Row::PlanTaken { .. }
            | Row::GlassBroken { .. }
            | Row::Child { .. }
            | Row::Outcome { .. }
            | Row::Denied { .. }
            | Row::OutsideEnvelope { .. }
            | Row::HookWarned { .. }
            | Row::CallEnded { .. } => {}
        }
    }

    /// Returns the steps that are still to be taken back, last first.
    pub fn left_to_undo(&self) -> Vec<StepId> {
        self.begun.iter().rev().filter(|step| !self.undone.contains(step)).cloned().collect()
    }

    /// Whether a hook has let the run go on at a moment.
    pub fn has_answered(&self, hook: &PluginName, at: &Moment) -> bool {
        self.hooked.iter().any(|(name, moment)| name == hook && moment == at)
    }

    /// Whether no step after this one was begun.
    pub fn is_last_begun(&self, step: &StepId) -> bool {
        self.begun.last() == Some(step)
    }

    /// Whether the run has ended and holds nothing.
    pub fn is_over(&self) -> bool {
        matches!(self.stands, Some((RunState::Done | RunState::NothingToDo | RunState::Unchanged, _)))
    }
}

/// The position of a run, kept beside its journal: what is appended moves it on, and nothing is read again.
#[derive(Debug, Clone)]
pub struct Tracked(Arc<Mutex<Position>>);

impl Tracked {
    /// Begins with the rows that the journal held when it was opened; nothing was appended since.
    pub fn of(journal: &Journal, rows: &[StoredRow]) -> Self {
        let position = Arc::new(Mutex::new(Position::of(rows)));
        let moved = position.clone();
        journal.follow(Box::new(move |_, row| {
            moved.lock().unwrap_or_else(PoisonError::into_inner).read(row);
        }));
        Self(position)
    }

    pub fn now(&self) -> Position {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
