//! Preflight → plan → steps → verification, from wherever the journal says the run is.

use super::ending::{Ending, describe, evidence, next};
use super::ground::{Ground, GroundError, GroundErrorKind};
use super::hooks::Hook;
use super::position::{Position, Tracked};
use super::procedure::{CallError, Procedure};
use crate::effect::{CallPath, Events, Expected, Interrupt, Limits, Replay, Surroundings};
use crate::journal::{CallName, Journal, JournalError, Row, StoredRow};
use crate::model::{
    BoundHook, Check, Event, Fault, Moment, PauseReason, PlannedStep, PluginName, Roles, RunId, Stop, code,
};
use crate::policy::Gate;
use std::sync::Arc;

/// Asks the operator once, with the plan in front of them.
pub trait Asker: Send + Sync {
    /// `hooks`: those that will be called, in order.
    fn go_ahead(&self, roles: Option<&Roles>, steps: &[PlannedStep], hooks: &[BoundHook]) -> GoAhead;
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq)]
pub enum GoAhead {
    Yes,
    No,
    /// There is nobody to ask.
    Nobody,
    /// What is about to be done is not what was approved.
    Refused(Fault),
}

/// What the machine is told besides its parts.
#[derive(Debug, Clone)]
pub struct Settings {
    pub run: RunId,
    pub plugin: PluginName,
    /// The site's name, for hooks.
    pub site: String,
    /// The run, as hooks are told of it: in a plan it has no name yet.
    pub told_run: String,
    /// What would happen is found out: no hook stops that.
    pub planning: bool,
    /// Take back what was done, where a step fails.
    pub roll_back_on_failure: bool,
    /// What a preflight fault's code is; the set of codes is open, this one is the procedures' own.
    pub preflight_code: &'static str,
}

/// One run, being driven.
pub struct Machine {
    pub settings: Settings,
    pub gate: Gate,
    pub procedure: Arc<dyn Procedure>,
    /// In the order in which those of one moment are called.
    pub hooks: Vec<Hook>,
    pub ground: Arc<dyn Ground>,
    pub journal: Arc<Journal>,
    pub events: Events,
    pub interrupt: Interrupt,
    pub asker: Arc<dyn Asker>,
    /// What the plan allows, where the run follows one.
    pub expected: Option<Arc<Expected>>,
    /// What the journal held when it was opened.
    pub rows: Vec<StoredRow>,
    /// Where the run is now.
    pub position: Tracked,
}

/// What ends a drive early.
pub(super) enum Halt {
    /// The cluster is as it was, or is to be left as it is: how it ends is settled.
    End(Ending),
    Stop(Stop),
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Self {
        Halt::Stop(crate::effect::journal_stop(error))
    }
}
impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Halt::Stop(stop)
    }
}

impl Machine {
    /// Goes on from where the journal is until the run ends or stands.
    pub async fn drive(&self) -> Ending {
        let position = self.position.now();
        let going_back = position.undoing;
        let driven =
            if going_back { self.back(position, "it was begun").await } else { self.forward(position).await };
        self.settle(driven).await
    }

    /// Takes back what was done, from wherever the run is.
    pub async fn roll_back(&self) -> Ending {
        let position = self.position.now();
        let driven = match self.take_ground(&position).await {
            Ok(_) => self.back(position, "the operator asked for it").await,
            Err(halt) => Err(halt),
        };
        self.settle(driven).await
    }

    async fn settle(&self, driven: Result<Ending, Halt>) -> Ending {
        let ending = match driven {
            Ok(ending) => ending,
            Err(halt) => match self.halt(&self.position.now(), halt) {
                Halt::End(ending) => ending,
                Halt::Stop(Stop { reason, message }) => {
                    Ending::Paused { reason, message, hint: String::new() }
                }
            },
        };
        let ending = self.whose_doing(ending).await;
        self.tell_failure(&ending).await;
        self.stand(ending).await
    }

    async fn forward(&self, position: Position) -> Result<Ending, Halt> {
        // It takes longer than connecting does, and the plugin can say so only behind that.
        if position.planned.is_none() && self.gate.allows_keys() {
            self.ground.begin_key();
        }
        let roles = self.take_ground(&position).await?;
        let steps = match position.planned.clone() {
            Some(steps) => steps,
            None => self.preflight().await?,
        };
        if steps.is_empty() {
            return Ok(Ending::NothingToDo { why: "every node is already as asked".into() });
        }
        self.check_hooks(&steps)?;
        if !position.confirmed {
            match self.asker.go_ahead(roles.as_ref(), &steps, &self.hook_calls(&steps)) {
                GoAhead::Yes => {
                    self.journal.commit(&Row::Confirmed)?;
                }
                GoAhead::No => return Ok(Ending::Declined),
                GoAhead::Refused(fault) => return Ok(Ending::Denied { fault }),
                GoAhead::Nobody => {
                    return Ok(Ending::Preflight {
                        message: "there is nobody to ask whether to go ahead".into(),
                        hint: "say --yes to go ahead unasked".into(),
                    });
                }
            }
        }
        self.call_hooks(Moment::BeforeRun, None, &[]).await?;
        for step in &steps {
            if !position.done.contains(&step.id) {
                self.call_hooks(Moment::BeforeStep(step.id.clone()), Some(step), &[]).await?;
                self.step(step).await?;
            }
            // Of steps that were done in an earlier life, only the last can have left hooks uncalled.
            if self.position.now().is_last_begun(&step.id) {
                self.call_hooks(Moment::AfterStep(step.id.clone()), Some(step), &[]).await?;
            }
        }
        let checks = self.verify().await?;
        let hooks_failed = self.call_hooks(Moment::AfterRun, None, &[]).await?;
        Ok(Ending::Done { checks, hooks_failed })
    }

    /// The lease and the roles; on resume, what the journal says they were.
    async fn take_ground(&self, position: &Position) -> Result<Option<Roles>, Halt> {
        if position.tokens.is_empty() || position.lease_released || self.ground.takes_over() {
            let tokens =
                self.ground.take_lease(&self.settings.run, &self.settings.plugin).await.map_err(|error| {
                    match position.changed {
                        true => self.lost_ground(position, error),
                        false => Halt::End(preflight(error)),
                    }
                })?;
            for row in self.ground.lease_story() {
                self.journal.note(&row)?;
            }
            for (manager, token) in tokens {
                self.journal.note(&Row::LeaseTaken { manager, token })?;
            }
            self.journal.flush()?;
        } else {
            self.ground
                .hold_lease(&position.tokens)
                .await
                .map_err(|error| self.lost_ground(position, error))?;
        }
        if !self.rows.is_empty() {
            self.check_mirror(position).await?;
        }
        let bound = match &position.roles {
            Some(roles) => Some((roles.clone(), Some("as bound when the run began".into()))),
            None => {
                let seen = self.see_roles().await.map_err(|error| Halt::End(preflight(error)))?;
                if let Some((Roles { first, second }, how)) = seen.clone() {
                    self.journal.note(&Row::RolesBound { first, second, how })?;
                }
                seen
            }
        };
        let roles = bound.as_ref().map(|(roles, _)| roles.clone());
        if let Some((roles, how)) = bound {
            if let Some(expected) = &self.expected {
                expected.admit_roles(&roles).map_err(|stop| self.halt(position, Halt::Stop(stop)))?;
            }
            self.ground.bind_roles(&roles);
            (self.events)(&Event::RolesBound { first: roles.first, second: roles.second, how });
        }
        Ok(roles)
    }

    /// The active and the standby node; a plugin that judges unclear roles by itself gets the pair in an order,
    /// with the reason for it.
    async fn see_roles(&self) -> Result<Option<(Roles, Option<String>)>, GroundError> {
        match self.ground.observe_roles().await {
            Ok(seen) => Ok(seen.map(|roles| (roles, None))),
            Err(unclear) if self.gate.bears_unclear_roles() => {
                self.ground.order_pair(unclear).await.map(|(roles, how)| Some((roles, Some(how))))
            }
            Err(error) => Err(error),
        }
    }

    /// The journal of a resumed run is the one that the managers know, and they know all of it.
    async fn check_mirror(&self, position: &Position) -> Result<(), Halt> {
        if let Err(Stop { reason, message }) = self.ground.compare_mirror(&self.journal).await {
            // Whatever the journal says: it may have lost the changes that it does not speak of.
            let hint =
                format!("windlass runs verify --nodes {} says what each manager holds", self.settings.run);
            return Err(Halt::End(Ending::Paused { reason, message, hint }));
        }
        if position.changed {
            self.ground.mirror(&self.journal).await?;
        }
        Ok(())
    }

    async fn preflight(&self) -> Result<Vec<PlannedStep>, Halt> {
        let call = CallName::Steps;
        self.journal.note(&Row::CallBegan { call: call.clone() })?;
        let steps = match self.procedure.steps(self.path(&call)).await {
            Ok(steps) => steps,
            Err(error) => return Err(self.call_failed(&call, error, false)?),
        };
        self.journal.note(&Row::CallEnded { call, result: Ok(()) })?;
        self.journal.commit(&Row::Planned { steps: steps.clone() })?;
        Ok(steps)
    }

    async fn step(&self, step: &PlannedStep) -> Result<(), Halt> {
        self.guard(step).await?;
        (self.events)(&Event::StepBegan {
            step: step.id.clone(),
            title: step.title.clone(),
            nodes: step.nodes.clone(),
        });
        let call = CallName::Apply(step.id.clone());
        let path = self.path(&call);
        self.journal.note(&Row::CallBegan { call: call.clone() })?;
        match self.procedure.apply(&step.id, path).await {
            Ok(()) => {
                self.journal.note(&Row::CallEnded { call, result: Ok(()) })?;
                (self.events)(&Event::StepDone { step: step.id.clone() });
                Ok(())
            }
            Err(error) => {
                if let CallError::Fault(fault) = &error {
                    (self.events)(&Event::StepFailed { step: step.id.clone(), fault: fault.clone() });
                }
                let asked = matches!(&error, CallError::Fault(fault) if fault.code == code::GO_BACK);
                let halt = self.call_failed(&call, error, true)?;
                if let (true, Halt::Stop(stop)) = (asked || self.settings.roll_back_on_failure, &halt)
                    && stop.reason == PauseReason::StepFailed
                {
                    let why = stop.message.clone();
                    let position = self.position.now();
                    return Err(Halt::End(self.back(position, &why).await?));
                }
                Err(halt)
            }
        }
    }

    /// What must still be true before a step begins; checked live, whatever the journal says.
    async fn guard(&self, step: &PlannedStep) -> Result<(), Halt> {
        let position = self.position.now();
        let pause = |reason, message: String| Halt::Stop(Stop::new(reason, message));
        let guards = |name: &str| step.guards.iter().any(|guard| guard == name);
        // The set of guards is open; one this host does not know cannot be promised.
        if let Some(unknown) =
            step.guards.iter().find(|guard| !["reachable", "clocks", "roles"].contains(&guard.as_str()))
        {
            let message =
                format!("step {} asks for the guard {unknown:?}, which this windlass does not know", step.id);
            return Err(self.halt(&position, pause(PauseReason::StepFailed, message)));
        }
        // A command that may move the role has run: it may be anywhere now.
        let moved = position.ran.iter().any(|command| self.ground.may_switch_roles(command));
        let lost = |error| self.lost_ground(&position, error);
        // The short questions one after another, beside the long one: a shell more on each node would take longer to
        // start. Judged in the order of what matters most.
        let ((held, reached, apart), seen) = futures::join!(
            async {
                let held = self.ground.hold_lease(&position.tokens).await;
                // Reading its clock reaches a node.
                let reached = match guards("reachable") && !guards("clocks") {
                    true => self.ground.reach(&step.nodes).await,
                    false => Ok(()),
                };
                let apart = match guards("clocks") {
                    true => self.ground.compare_clocks(&step.nodes).await,
                    false => Ok(None),
                };
                (held, reached, apart)
            },
            async {
                if guards("roles") && !moved {
                    return self.ground.observe_roles().await;
                }
                Ok(None)
            }
        );
        held.map_err(lost)?;
        reached.map_err(lost)?;
        if let Some(apart) = apart.map_err(lost)? {
            return Err(self.halt(&position, pause(PauseReason::ClocksApart, apart)));
        }
        if let (Some(seen), Some(bound)) = (seen.map_err(lost)?, &position.roles)
            && seen != *bound
        {
            let message = format!(
                "{} is active now and {} is standby; the run began with {} active, and nothing that it did may move the role",
                seen.first, seen.second, bound.first
            );
            return Err(self.halt(&position, pause(PauseReason::RolesChanged, message)));
        }
        Ok(())
    }

    async fn verify(&self) -> Result<Vec<Check>, Halt> {
        let call = CallName::Verify;
        let path = self.path(&call);
        self.journal.note(&Row::CallBegan { call: call.clone() })?;
        let checks = match self.procedure.verify(path).await {
            Ok(checks) => checks,
            Err(error) => return Err(self.call_failed(&call, error, true)?),
        };
        self.journal.note(&Row::CallEnded { call, result: Ok(()) })?;
        self.journal.commit(&Row::Verified { checks: checks.clone() })?;
        (self.events)(&Event::Verified { checks: checks.clone() });
        // Another run may have had the nodes while this one looked.
        let position = self.position.now();
        self.ground.hold_lease(&position.tokens).await.map_err(|error| self.lost_ground(&position, error))?;
        let failed: Vec<_> =
            checks.iter().filter(|check| !check.passed).map(|check| check.title.clone()).collect();
        if failed.is_empty() {
            Ok(checks)
        } else {
            Err(Halt::Stop(Stop::new(
                PauseReason::NotVerified,
                format!("every step is done, but this could not be proven: {}", failed.join("; ")),
            )))
        }
    }

    /// Undoes every step that began, last first.
    async fn back(&self, position: Position, why: &str) -> Result<Ending, Halt> {
        self.ground.wait_for_jobs(&self.rows).await?;
        for step in position.left_to_undo() {
            let call = CallName::Undo(step.clone());
            let path = self.path(&call);
            self.journal.commit(&Row::CallBegan { call: call.clone() })?;
            match self.procedure.undo(&step, path).await {
                Ok(()) => {
                    self.journal.note(&Row::CallEnded { call, result: Ok(()) })?;
                    (self.events)(&Event::StepUndone { step });
                }
                Err(error) => return Err(self.call_failed(&call, error, true)?),
            }
        }
        if position.confirmed {
            // Whatever came of it was told.
            let _ = self.call_hooks(Moment::OnRollback, None, &[]).await;
        }
        Ok(Ending::RolledBack { why: why.to_string() })
    }

    /// Records that a call failed, and says what that means: nothing changed, or a pause.
    fn call_failed(&self, call: &CallName, error: CallError, pause: bool) -> Result<Halt, Halt> {
        let fault = match error {
            CallError::Stop(stop) => return Ok(self.halt(&self.position.now(), Halt::Stop(stop))),
            CallError::Fault(fault) => fault,
            CallError::Broken(_, why) => Fault::new(code::FAILED, why),
        };
        self.journal.commit(&Row::CallEnded { call: call.clone(), result: Err(fault.clone()) })?;
        let position = self.position.now();
        if let CallName::Undo(_) = call
            && fault.code == code::NO_WAY_BACK
            && !position.undoing
        {
            let Fault { message, hint, .. } = fault;
            return Ok(Halt::End(Ending::Paused { reason: PauseReason::NoWayBack, message, hint }));
        }
        if position.changed && pause {
            let message = format!("{call}: {}", fault.in_full());
            return Ok(Halt::Stop(Stop::new(PauseReason::StepFailed, message)));
        }
        Ok(Halt::End(match fault.code.as_str() {
            code::DENIED | code::NOT_ASKED => Ending::Denied { fault },
            code::DECLINED => Ending::Declined,
            preflight if preflight == self.settings.preflight_code => {
                Ending::Preflight { message: fault.message, hint: fault.hint }
            }
            code::UNREACHABLE => Ending::Preflight { message: fault.message, hint: fault.hint },
            _ => Ending::Failed { fault },
        }))
    }

    /// A stop before anything changed ends the run instead of leaving it standing.
    pub(super) fn halt(&self, position: &Position, halt: Halt) -> Halt {
        match halt {
            Halt::Stop(stop) if !position.changed => Halt::End(match stop.reason {
                PauseReason::Interrupted => Ending::Declined,
                PauseReason::NotApproved => {
                    let hint = "make a new plan with `windlass plan`, and have it approved";
                    Ending::Denied { fault: Fault::new(code::REFUSED, stop.message).hint(hint) }
                }
                PauseReason::OutsideEnvelope => {
                    let hint = "audit the plugin on a scenario in which it does this, and certify it anew";
                    Ending::Denied { fault: Fault::new(code::REFUSED, stop.message).hint(hint) }
                }
                PauseReason::RolesChanged
                | PauseReason::ClocksApart
                | PauseReason::Unreachable
                | PauseReason::LeaseLost => Ending::Preflight { message: stop.message, hint: String::new() },
                _ => Ending::Failed { fault: Fault::new(code::FAILED, stop.message) },
            }),
            halt => halt,
        }
    }

    fn lost_ground(&self, position: &Position, error: GroundError) -> Halt {
        let reason = match error.kind {
            GroundErrorKind::Held | GroundErrorKind::Lost => PauseReason::LeaseLost,
            GroundErrorKind::Health => PauseReason::RolesChanged,
            GroundErrorKind::Unreachable | GroundErrorKind::Invalid => PauseReason::Unreachable,
        };
        let message =
            if error.hint.is_empty() { error.message } else { format!("{} ({})", error.message, error.hint) };
        self.halt(position, Halt::Stop(Stop::new(reason, message)))
    }

    fn path(&self, call: &CallName) -> CallPath {
        self.path_of(&self.settings.plugin, &self.gate, call, Limits::default())
    }

    /// The path of one call of one of the run's plugins.
    pub(super) fn path_of(
        &self,
        plugin: &PluginName,
        gate: &Gate,
        call: &CallName,
        limits: Limits,
    ) -> CallPath {
        let around = Surroundings {
            plugin: plugin.clone(),
            gate: gate.clone(),
            journal: self.journal.clone(),
            backend: self.ground.clone().as_backend(),
            events: self.events.clone(),
            interrupt: self.interrupt.clone(),
            expected: self.expected.clone(),
        };
        CallPath::new(around, call.clone(), Replay::of(call, &self.rows)).limited(limits)
    }

    /// Writes down how the run stands, and gives the lease back where it is over.
    async fn stand(&self, ending: Ending) -> Ending {
        let over = !matches!(ending, Ending::Paused { .. });
        if over {
            // What cannot be tidied or released now is told, and found again by the next run's preflight.
            for done in [self.ground.tidy().await, self.ground.release_lease().await] {
                if let Err(error) = done {
                    (self.events)(&Event::Note { text: error.to_string() });
                }
            }
            let _ = self.journal.note(&Row::LeaseReleased);
        }
        let (state, reason, summary) = describe(&ending);
        let stands = Row::Stands { state, reason: reason.map(str::to_string), summary: summary.clone() };
        if let Err(error) = self.journal.commit(&stands) {
            (self.events)(&Event::Note {
                text: format!("how the run stands could not be recorded: {error}"),
            });
        }
        self.mirror_end(&ending).await;
        (self.events)(&Event::RunEnded {
            run: self.settings.run.clone(),
            state,
            summary,
            evidence: evidence(&ending),
            next: next(&ending, &self.settings.run),
        });
        ending
    }
}

impl Machine {
    /// What a run finds wrong on nodes that another took over is that one's doing.
    async fn whose_doing(&self, ending: Ending) -> Ending {
        let Ending::Paused { reason, message, .. } = &ending else { return ending };
        if !matches!(reason, PauseReason::StepFailed | PauseReason::NotVerified | PauseReason::RolesChanged) {
            return ending;
        }
        match self.ground.hold_lease(&self.position.now().tokens).await {
            Err(GroundError { kind: GroundErrorKind::Lost, message: lost, hint }) => Ending::Paused {
                reason: PauseReason::LeaseLost,
                message: format!("{lost}; what this run found since may be that one's doing: {message}"),
                hint,
            },
            _ => ending,
        }
    }

    /// Whoever adopts the run finds how it stands; where that cannot be told now, they find what led to it.
    async fn mirror_end(&self, ending: &Ending) {
        let told = match ending {
            Ending::Paused { reason, .. } => match reason {
                PauseReason::LeaseLost | PauseReason::Disagreement | PauseReason::Unreachable => return,
                _ if !self.position.now().changed => return,
                _ => self.ground.mirror(&self.journal).await,
            },
            _ => self.ground.end_mirror(&self.journal).await,
        };
        if let (Err(stop), Ending::Paused { .. }) = (told, ending) {
            (self.events)(&Event::Note {
                text: format!("the managers do not know how the run stands: {stop}"),
            });
        }
    }
}

fn preflight(error: GroundError) -> Ending {
    Ending::Preflight { message: error.message, hint: error.hint }
}
