//! One plugin on one simulated cluster: played from its beginning, or from where an earlier life left it.

use super::events;
use super::fork::{Forking, Forks};
use crate::backend::rehearsal::{Interference, Rehearsal};
use crate::capability::secrets::PasswordPolicy;
use crate::effect::{CallPath, Interrupt, Limits, Replay, Surroundings};
use crate::journal::{CallName, Journal, JournalError, Row, StoredRow};
use crate::model::{BoundHook, Check, Fault, PauseReason, PlannedStep, Roles, RunId, StepId, code};
use crate::plugin::{HookAnswer, Kind, Plugin};
use crate::policy::{Gate, Rules};
use crate::report;
use crate::run::{
    Asker, Breakage, CallError, Ending, GoAhead, Ground as _, HookCalls as _, MOST_EFFECTS, Machine,
    PluginHook, PluginProcedure, Procedure, Settings, Tracked,
};
use crate::site::Scenario;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who plays, in what.
#[derive(Clone)]
pub struct Setting {
    pub plugin: Arc<Plugin>,
    pub needs: Rules,
    pub grants: Rules,
    pub scenario: Scenario,
    /// Settled.
    pub parameters: IndexMap<String, String>,
    pub policy: PasswordPolicy,
    /// What the run is called.
    pub run: RunId,
}

impl Setting {
    /// The places that needs and grants name.
    pub(super) fn named_places(&self) -> Vec<String> {
        let mut places = self.needs.places();
        places.extend(self.grants.places());
        places
    }
}

/// A setting with its cluster, which is furnished once: every rehearsal begins on a copy of it, or where a call of the
/// plain one began.
pub struct Stage {
    setting: Setting,
    gate: Gate,
    furnished: Arc<Rehearsal>,
    forks: Forks,
}

/// What came of it.
pub struct Played {
    pub rows: Vec<StoredRow>,
    /// How many of the rows are of earlier lives.
    pub earlier: usize,
    /// How many of them were not played again: they are the plain rehearsal's.
    pub plain: usize,
    pub end: End,
    /// The cluster as it was left, and what was seen on the way.
    pub life: Arc<Rehearsal>,
    /// How the plugin broke, and in which call.
    pub broke: Vec<Broke>,
}

impl Played {
    /// How many of the rows were looked at with another rehearsal.
    pub fn looked_at(&self) -> usize {
        self.earlier.max(self.plain)
    }
}

/// One breakage of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Broke {
    pub call: CallName,
    pub how: Breakage,
    pub why: String,
}

/// How a rehearsal ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Done,
    NothingToDo,
    /// Nothing was changed, and this is why.
    Unchanged(Fault),
    RolledBack,
    Paused(PauseReason, String),
    /// A hook, asked at each of its moments.
    Answered(Vec<Result<(), Fault>>),
    /// The controller died on purpose.
    Died,
}

impl End {
    pub fn words(&self) -> String {
        match self {
            Self::Done => "done and verified".into(),
            Self::NothingToDo => "nothing to do".into(),
            Self::Unchanged(fault) => format!("nothing was changed: {}", fault.message),
            Self::RolledBack => "rolled back".into(),
            Self::Paused(reason, why) => format!("paused ({}): {why}", reason.word()),
            Self::Answered(answers) => match answers.iter().find_map(|answer| answer.as_ref().err()) {
                None => "went on at each moment".into(),
                Some(fault) if fault.code == code::VETO => format!("vetoed: {}", fault.message),
                Some(fault) => format!("failed: {}", fault.message),
            },
            Self::Died => "the controller died".into(),
        }
    }
}

/// Which way a run goes that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    On,
    Back,
}

/// How a life begins.
enum Begins {
    First,
    /// As the first, and each call that begins is a place to begin from.
    Plain(Forking),
    /// Where a call of the plain one began, with the number of the last row that was on disk then.
    Forked(i64),
    Resumed(Way),
}

impl Stage {
    /// Sets a cluster up as the scenario has it.
    ///
    /// # Errors
    /// What the profile declares cannot be made.
    pub fn set(setting: Setting) -> Result<Self, Fault> {
        let Setting { plugin, needs, grants, scenario, parameters, policy, .. } = &setting;
        let gate =
            Gate::new(plugin.name().clone(), needs.clone(), grants.clone(), scenario.allow_secret_in_argv);
        let furnished = Rehearsal::new(scenario, parameters.clone(), *policy)?;
        Ok(Self { gate, furnished, setting, forks: Forks::default() })
    }

    /// Holds the plugin to what was seen of it, as a run does that is certified.
    #[cfg(test)]
    pub(super) fn held_to(self, bounds: crate::policy::Bounds) -> Self {
        Self { gate: self.gate.held_to(bounds), ..self }
    }

    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Plays it from its beginning.
    ///
    /// # Errors
    /// The journal in memory cannot be written: a fault of windlass.
    pub async fn play(&self, interference: Option<Interference>) -> Result<Played, Fault> {
        let life = self.furnished.next_life(interference);
        self.live(life, Vec::new(), Begins::First).await
    }

    /// Plays it from its beginning with nothing done to it. From then on [`Stage::injure`] begins where it can.
    ///
    /// # Errors
    /// As of [`Stage::play`].
    pub async fn play_plain(&mut self) -> Result<Played, Fault> {
        let life = self.furnished.next_life(None);
        let forking = Forking::default();
        let played = self.live(life, Vec::new(), Begins::Plain(forking.clone())).await?;
        self.forks = Forks::of(&played, forking);
        Ok(played)
    }

    /// Plays it with something done to one effect. What comes before the call of that effect is not played again where it
    /// is as in the plain rehearsal.
    ///
    /// # Errors
    /// As of [`Stage::play`].
    pub async fn injure(&self, interference: Interference) -> Result<Played, Fault> {
        match self.forks.before(interference.at) {
            None => self.play(Some(interference)).await,
            Some((fork, rows)) => {
                let life = fork.life.forked(Some(interference));
                self.live(life, rows.to_vec(), Begins::Forked(fork.durable)).await
            }
        }
    }

    /// Goes on where an earlier life ended or stood.
    ///
    /// # Errors
    /// As of [`Stage::play`].
    pub async fn go_on(
        &self,
        from: &Played,
        way: Way,
        interference: Option<Interference>,
    ) -> Result<Played, Fault> {
        self.live(from.life.next_life(interference), from.rows.clone(), Begins::Resumed(way)).await
    }

    /// The lines of a transcript.
    pub fn transcript(played: &Played) -> Vec<String> {
        report::transcript(&played.rows).iter().map(|line| played.life.shown(line)).collect()
    }

    async fn live(
        &self,
        life: Arc<Rehearsal>,
        rows: Vec<StoredRow>,
        begins: Begins,
    ) -> Result<Played, Fault> {
        let journal = Arc::new(Journal::told_only(&self.setting.run, &rows));
        let followed = Arc::new(Mutex::new(Vec::new()));
        let follow = followed.clone();
        journal.follow(Box::new(move |sequence, row| {
            let stored = StoredRow { sequence, at: 0, row: row.clone() };
            follow.lock().unwrap_or_else(PoisonError::into_inner).push(stored);
        }));
        if matches!(begins, Begins::Resumed(_)) && !rows.is_empty() {
            let resumed = Row::Resumed { controller: "rehearsal".into(), accepted: Vec::new() };
            journal.note(&resumed).map_err(lost)?;
        }
        let way = if let Begins::Resumed(way) = begins { way } else { Way::On };
        let watch = Watch {
            broke: Breakages::default(),
            forking: if let Begins::Plain(forking) = &begins { Some(forking.clone()) } else { None },
            life: life.clone(),
            journal: journal.clone(),
        };
        let end = {
            let lived = async {
                match self.setting.plugin.manifest().kind {
                    Kind::Procedure => Ok(self.procedure(&watch, &rows, way).await),
                    Kind::Hook => self.hook(&watch, &rows).await,
                }
            };
            tokio::select! {
                biased;
                end = lived => end?,
                () = life.death() => End::Died,
            }
        };
        let (earlier, plain, durable) = match begins {
            // Going on from there wrote to disk what at that time was not.
            Begins::Forked(durable) if journal.durable() <= rows.len() as i64 => (0, rows.len(), durable),
            Begins::Forked(_) => (0, rows.len(), journal.durable()),
            _ => (rows.len(), 0, journal.durable()),
        };
        let mut rows = rows;
        rows.append(&mut followed.lock().unwrap_or_else(PoisonError::into_inner));
        if end == End::Died {
            rows.retain(|stored| stored.sequence <= durable);
        }
        Ok(Played { rows, earlier, plain, end, life, broke: watch.broke.taken() })
    }

    async fn procedure(&self, watch: &Watch, rows: &[StoredRow], way: Way) -> End {
        let Watch { life, journal, .. } = watch;
        let machine = Machine {
            settings: Settings {
                run: journal.run().clone(),
                plugin: self.setting.plugin.name().clone(),
                site: life.site().name.clone(),
                told_run: self.setting.run.to_string(),
                planning: false,
                roll_back_on_failure: false,
                preflight_code: code::PREFLIGHT,
            },
            gate: self.gate.clone(),
            procedure: Arc::new(Watched {
                procedure: PluginProcedure::new(self.setting.plugin.clone()),
                watch: watch.clone(),
            }),
            hooks: Vec::new(),
            ground: life.clone(),
            journal: journal.clone(),
            events: Arc::new(|_| {}),
            interrupt: Interrupt::default(),
            asker: Arc::new(GoesOn),
            expected: None,
            rows: rows.to_vec(),
            position: Tracked::of(journal, rows),
        };
        let ending = match way {
            Way::On => machine.drive().await,
            Way::Back => machine.roll_back().await,
        };
        let unchanged = |message: String, hint: String| Fault::new(code::PREFLIGHT, message).hint(hint);
        match ending {
            Ending::Done { .. } => End::Done,
            Ending::NothingToDo { .. } => End::NothingToDo,
            Ending::Declined => End::Unchanged(Fault::new(code::DECLINED, "the operator declined")),
            Ending::Failed { fault } | Ending::Denied { fault } => End::Unchanged(fault),
            Ending::Site { message, hint } | Ending::Preflight { message, hint } => {
                End::Unchanged(unchanged(message, hint))
            }
            Ending::RolledBack { .. } => End::RolledBack,
            Ending::Paused { reason, message, .. } => End::Paused(reason, message),
        }
    }

    /// Hands a hook the events of the scenario, one after another.
    async fn hook(&self, watch: &Watch, rows: &[StoredRow]) -> Result<End, Fault> {
        let Watch { life, journal, .. } = watch;
        let name = self.setting.plugin.name();
        // A pair that is not one active and one standby node has no roles, and a hook is not told of any.
        let roles = life.observe_roles().await.ok().flatten();
        if let Some(roles) = &roles {
            life.bind_roles(roles);
            if rows.is_empty() {
                let Roles { first, second } = roles.clone();
                journal.note(&Row::RolesBound { first, second, how: None }).map_err(lost)?;
            }
        }
        let around = Surroundings {
            plugin: name.clone(),
            gate: self.gate.clone(),
            journal: journal.clone(),
            backend: life.clone(),
            events: Arc::new(|_| {}),
            interrupt: Interrupt::default(),
            expected: None,
        };
        let calls = PluginHook::new(self.setting.plugin.clone());
        let mut answers = Vec::new();
        for event in events::events_of(&self.setting.scenario)? {
            let at = events::moment(&event.at)?;
            let call = CallName::Hook { hook: name.clone(), at: at.clone() };
            if let Some(answered) = events::answered(rows, &call) {
                answers.push(answered);
                continue;
            }
            journal.note(&Row::CallBegan { call: call.clone() }).map_err(lost)?;
            let path = CallPath::new(around.clone(), call.clone(), Replay::of(&call, rows))
                .limited(Limits { effects: MOST_EFFECTS, time: None });
            let told = events::told(&event, &at, roles.as_ref(), &self.setting.scenario, &self.setting.run);
            watch.begins();
            let result = match watch.broke.note(&call, calls.handle(&told, path).await) {
                Ok(HookAnswer::GoOn) => Ok(()),
                Ok(HookAnswer::Warn(text)) => {
                    let row = Row::HookWarned { hook: name.clone(), at: at.clone(), text };
                    journal.note(&row).map_err(lost)?;
                    Ok(())
                }
                Ok(HookAnswer::Veto(reason)) if at.may_veto() => Err(Fault::new(code::VETO, reason)),
                Ok(HookAnswer::Veto(reason)) => Err(Fault::new(
                    code::INVALID,
                    format!("it vetoed, which it can only before something happens: {reason}"),
                )),
                Err(CallError::Fault(fault)) => Err(fault),
                Err(CallError::Broken(_, why)) => Err(Fault::new(code::FAILED, why)),
                Err(CallError::Stop(stop)) => Err(Fault::new(code::FAILED, stop.message)),
            };
            journal.commit(&Row::CallEnded { call, result: result.clone() }).map_err(lost)?;
            answers.push(result);
        }
        Ok(End::Answered(answers))
    }
}

/// Looks at the calls of a life: where they begin, and how they break.
#[derive(Clone)]
struct Watch {
    broke: Breakages,
    forking: Option<Forking>,
    life: Arc<Rehearsal>,
    journal: Arc<Journal>,
}

impl Watch {
    /// Of each call, once its row is there and before anything else is.
    fn begins(&self) {
        if let Some(forking) = &self.forking {
            forking.call_begins(&self.life, &self.journal);
        }
    }
}

#[derive(Clone, Default)]
struct Breakages(Arc<Mutex<Vec<Broke>>>);

impl Breakages {
    fn note<T>(&self, call: &CallName, called: Result<T, CallError>) -> Result<T, CallError> {
        if let Err(CallError::Broken(how, why)) = &called {
            let broke = Broke { call: call.clone(), how: *how, why: why.clone() };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(broke);
        }
        called
    }

    fn taken(&self) -> Vec<Broke> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A procedure, with its calls watched.
struct Watched {
    procedure: PluginProcedure,
    watch: Watch,
}

impl Watched {
    async fn call<T>(
        &self,
        call: CallName,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        self.watch.begins();
        self.watch.broke.note(&call, work.await)
    }
}

impl Procedure for Watched {
    fn steps<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        self.call(CallName::Steps, self.procedure.steps(path)).boxed()
    }
    fn apply<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        self.call(CallName::Apply(step.clone()), self.procedure.apply(step, path)).boxed()
    }
    fn undo<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        self.call(CallName::Undo(step.clone()), self.procedure.undo(step, path)).boxed()
    }
    fn verify<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        self.call(CallName::Verify, self.procedure.verify(path)).boxed()
    }
}

/// Whoever rehearses wants to see all of it.
struct GoesOn;

impl Asker for GoesOn {
    fn go_ahead(&self, _: Option<&Roles>, _: &[PlannedStep], _: &[BoundHook]) -> GoAhead {
        GoAhead::Yes
    }
}

fn lost(error: JournalError) -> Fault {
    Fault::new(code::FAILED, format!("a rehearsal's journal cannot be written: {error}"))
}
