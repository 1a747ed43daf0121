//! Hooks: what a site's own plugins are asked and told at the moments of a run.
//!
//! Each call is a call of the run like a step's: gated by the hook's own grants, journaled, and answered from the
//! journal on resume. What has let the run go on is not asked again.

use super::ending::Ending;
use super::machine::{Halt, Machine};
use super::position::Position;
use super::procedure::CallError;
use crate::effect::{CallPath, Limits};
use crate::journal::{CallName, Row};
use crate::model::{
    BoundHook, Entry, Event, Fault, Moment, NodeName, PauseReason, PlannedStep, PluginName, Stop, code,
};
use crate::plugin::{HookAnswer, HookEvent};
use crate::policy::Gate;
use crate::site::HookBinding;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Effects that one call of a hook may have; a procedure's calls may have ten times as many.
pub const MOST_EFFECTS: u32 = 2_000;

/// The exported calls of a hook. Each runs in a fresh instance, with a call path of its own.
pub trait HookCalls: Send + Sync {
    fn handle<'a>(
        &'a self,
        event: &'a HookEvent,
        path: CallPath,
    ) -> BoxFuture<'a, Result<HookAnswer, CallError>>;
}

/// A hook, bound.
#[derive(Clone)]
pub struct Hook {
    pub binding: HookBinding,
    pub gate: Gate,
    pub calls: Arc<dyn HookCalls>,
}

/// What came of asking one hook.
enum Said {
    GoesOn,
    /// It failed, the site says that this matters, and nothing is left that could be stopped.
    TooLate(Fault),
}

impl Machine {
    /// Says which hooks will be called, in order, of a run of these steps; not those of failure and rollback.
    pub(super) fn hook_calls(&self, steps: &[PlannedStep]) -> Vec<BoundHook> {
        let of_steps = steps
            .iter()
            .flat_map(|step| [Moment::BeforeStep(step.id.clone()), Moment::AfterStep(step.id.clone())]);
        std::iter::once(Moment::BeforeRun)
            .chain(of_steps)
            .chain([Moment::AfterRun])
            .flat_map(|moment| {
                let bound = self.bound(&moment);
                bound
                    .map(|hook| BoundHook { hook: hook.binding.plugin.clone(), at: moment.clone() })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// A hook that is bound to a step that there is not is a mistake of the site, unless it says otherwise.
    pub(super) fn check_hooks(&self, steps: &[PlannedStep]) -> Result<(), Halt> {
        let lacking = self.hooks.iter().find(|hook| {
            let step = hook.binding.at.step();
            !hook.binding.optional && step.is_some_and(|step| steps.iter().all(|known| known.id != *step))
        });
        let Some(hook) = lacking else { return Ok(()) };
        let ids: Vec<_> = steps.iter().map(|step| step.id.as_str()).collect();
        let binding = &hook.binding;
        Err(Halt::End(Ending::Site {
            message: format!(
                "the hook {} is bound {} {}, and this run has no such step: its steps are {}",
                binding.plugin,
                binding.when(),
                binding.event(),
                ids.join(", ")
            ),
            hint: "correct it in site.toml, or say optional = true in its [[hooks]], where other strategies have the step"
                .into(),
        }))
    }

    fn bound<'a>(&'a self, moment: &'a Moment) -> impl Iterator<Item = &'a Hook> {
        self.hooks.iter().filter(move |hook| hook.binding.at.holds(moment))
    }

    /// Calls the hooks of a moment that have not let the run go on yet. Returns the faults of those that come too
    /// late to stop anything.
    pub(super) async fn call_hooks(
        &self,
        moment: Moment,
        step: Option<&PlannedStep>,
        why: &[Entry],
    ) -> Result<Vec<Fault>, Halt> {
        let mut too_late = Vec::new();
        let bound: Vec<&Hook> = self.bound(&moment).collect();
        if bound.is_empty() {
            return Ok(too_late);
        }
        let position = self.position.now();
        let told = self.told(&position, step, why);
        for hook in bound {
            if !moment.only_tells() && position.has_answered(&hook.binding.plugin, &moment) {
                continue;
            }
            let event = event(&moment, told.clone(), &hook.binding);
            match self.call_hook(hook, &moment, &event).await {
                Ok(Said::GoesOn) => {}
                Ok(Said::TooLate(fault)) => too_late.push(fault),
                // The next of them is told all the same.
                Err(halt) if moment.only_tells() => self.not_told(hook, &moment, halt),
                Err(halt) => return Err(halt),
            }
        }
        Ok(too_late)
    }

    async fn call_hook(&self, hook: &Hook, moment: &Moment, event: &HookEvent) -> Result<Said, Halt> {
        let name = &hook.binding.plugin;
        let call = CallName::Hook { hook: name.clone(), at: moment.clone() };
        (self.events)(&Event::HookBegan { hook: name.clone(), at: moment.clone() });
        self.journal.note(&Row::CallBegan { call: call.clone() })?;
        let limits = Limits { effects: MOST_EFFECTS, time: Some(hook.binding.timeout) };
        let path = self.path_of(name, &hook.gate, &call, limits);
        let fault = match hook.calls.handle(event, path).await {
            Ok(HookAnswer::GoOn) => return self.goes_on(call),
            Ok(HookAnswer::Warn(text)) => {
                self.warned(name, moment, text)?;
                return self.goes_on(call);
            }
            Ok(HookAnswer::Veto(reason)) if moment.may_veto() => {
                return self.vetoed(hook, call, moment, reason);
            }
            Ok(HookAnswer::Veto(reason)) => Fault::new(
                code::INVALID,
                format!("it vetoed, which it can only before something happens: {reason}"),
            ),
            Err(CallError::Fault(fault)) => fault,
            Err(CallError::Broken(_, why)) => Fault::new(code::FAILED, why),
            Err(CallError::Stop(stop)) => return Err(self.halt(&self.position.now(), Halt::Stop(stop))),
        };
        self.hook_failed(hook, call, moment, fault)
    }

    fn goes_on(&self, call: CallName) -> Result<Said, Halt> {
        self.journal.note(&Row::CallEnded { call, result: Ok(()) })?;
        Ok(Said::GoesOn)
    }

    fn warned(&self, hook: &PluginName, at: &Moment, text: String) -> Result<(), Halt> {
        let (hook, at) = (hook.clone(), at.clone());
        self.journal.note(&Row::HookWarned { hook: hook.clone(), at: at.clone(), text: text.clone() })?;
        (self.events)(&Event::HookWarned { hook, at, text });
        Ok(())
    }

    fn vetoed(&self, hook: &Hook, call: CallName, moment: &Moment, reason: String) -> Result<Said, Halt> {
        let name = &hook.binding.plugin;
        if self.settings.planning {
            self.warned(name, moment, format!("it would veto now: {reason}"))?;
            return self.goes_on(call);
        }
        let fault = Fault::new(code::VETO, reason.clone());
        self.journal.commit(&Row::CallEnded { call, result: Err(fault) })?;
        (self.events)(&Event::HookVetoed { hook: name.clone(), at: moment.clone(), reason: reason.clone() });
        let message = format!("the hook {name} vetoes {moment}: {reason}");
        Err(match self.position.now().changed {
            true => Halt::Stop(Stop::new(PauseReason::Vetoed, message)),
            false => Halt::End(Ending::Denied { fault: Fault::new(code::VETO, message) }),
        })
    }

    fn hook_failed(&self, hook: &Hook, call: CallName, moment: &Moment, fault: Fault) -> Result<Said, Halt> {
        let HookBinding { plugin: name, stop_on_error, .. } = &hook.binding;
        let stops = *stop_on_error && !moment.only_tells() && !self.settings.planning;
        (self.events)(&Event::HookFailed {
            hook: name.clone(),
            at: moment.clone(),
            fault: fault.clone(),
            goes_on: !stops,
        });
        if !stops {
            // It has had its turn: a resumed run does not ask it again.
            let text = format!("it failed, and the run goes on: {}", fault.message);
            self.journal.note(&Row::HookWarned { hook: name.clone(), at: moment.clone(), text })?;
            return self.goes_on(call);
        }
        self.journal.commit(&Row::CallEnded { call, result: Err(fault.clone()) })?;
        let Fault { code, message, hint } = fault;
        let fault = Fault { code, message: format!("the hook {name} failed {moment}: {message}"), hint };
        if *moment == Moment::AfterRun {
            return Ok(Said::TooLate(fault));
        }
        Err(match self.position.now().changed {
            true => Halt::Stop(Stop::new(PauseReason::HookFailed, fault.in_full())),
            false => Halt::End(match fault.code.as_str() {
                code::DENIED | code::NOT_ASKED => Ending::Denied { fault },
                _ => Ending::Failed { fault },
            }),
        })
    }

    /// What could not be told to a hook of failure or rollback.
    fn not_told(&self, hook: &Hook, moment: &Moment, halt: Halt) {
        let why = match halt {
            Halt::Stop(stop) => stop.message,
            Halt::End(_) => "the run ended first".into(),
        };
        let fault = Fault::new(code::FAILED, why);
        (self.events)(&Event::HookFailed {
            hook: hook.binding.plugin.clone(),
            at: moment.clone(),
            fault,
            goes_on: true,
        });
    }

    /// What hooks are told of a failure, where they are: not where another has the nodes, nor where the operator or
    /// the journal allows nothing more.
    pub(super) async fn tell_failure(&self, ending: &Ending) {
        let (reason, message) = match ending {
            Ending::Paused { reason, message, .. } => match reason {
                PauseReason::LeaseLost
                | PauseReason::Journal
                | PauseReason::Disagreement
                | PauseReason::Interrupted => return,
                _ => (reason.word(), message),
            },
            Ending::Failed { fault } | Ending::Denied { fault } => ("failed", &fault.message),
            _ => return,
        };
        if !self.position.now().confirmed {
            return;
        }
        let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
        let why = [entry("reason", reason), entry("message", message)];
        // Whatever came of it was told.
        let _ = self.call_hooks(Moment::OnFailure, None, &why).await;
    }

    /// The details of an event, which are the same for every hook.
    fn told(&self, position: &Position, step: Option<&PlannedStep>, why: &[Entry]) -> Vec<Entry> {
        let mut details = Vec::new();
        let mut add =
            |name: &str, value: &str| details.push(Entry { name: name.into(), value: value.into() });
        add("procedure", self.settings.plugin.as_str());
        add("run", &self.settings.told_run);
        add("site", &self.settings.site);
        if let Some(roles) = &position.roles {
            add("first", roles.first.as_str());
            add("second", roles.second.as_str());
        }
        if let Some(step) = step {
            add("step", step.id.as_str());
            add("title", &step.title);
            if let [node] = step.nodes.as_slice() {
                add("node", node.as_str());
            }
            add("nodes", &step.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" "));
        }
        details.extend(why.iter().cloned());
        details
    }
}

fn event(moment: &Moment, details: Vec<Entry>, binding: &HookBinding) -> HookEvent {
    let entry = |(name, value): (&String, &String)| Entry { name: name.clone(), value: value.clone() };
    HookEvent { code: moment.code().into(), details, parameters: binding.params.iter().map(entry).collect() }
}
