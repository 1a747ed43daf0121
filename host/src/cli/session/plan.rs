//! `windlass plan`: the whole run on the plan backend, with the journal of a run that is thrown away.

use super::approve::{sign, signer};
use super::controller::controller;
use super::ending::{approval_error, fault_error, journal_error};
use super::hooks::{Hooks, load_hooks};
use super::network::enter;
use super::plugins::{gate_for, load_plugin};
use super::prepare::{entries, procedure_name, settle};
use super::profile::{Found, load};
use super::standing::Journals;
use crate::approval;
use crate::backend::plan::Planning;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::effect::Interrupt;
use crate::journal::{CallName, Journal, Row, StoredRow};
use crate::model::{
    BoundHook, Check, HookPlan, PLAN_FORMAT, Plan, PlannedEffect, PlannedStep, Roles, RunId, StepPlan, code,
};
use crate::plugin::{Description, Plugin};
use crate::report;
use crate::run::{Asker, Ending, GoAhead, Machine, PluginProcedure, Settings, Tracked};
use crate::site::{ProcedureSettings, Site};
use crate::transport::Transports;
use camino::Utf8PathBuf;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// `windlass plan`.
pub struct Make {
    pub procedure: String,
    pub params: Vec<String>,
    /// Where the plan is written, for those who approve it.
    pub out: Option<Utf8PathBuf>,
    pub valid_for: Duration,
    /// Whoever makes the plan signs it as its requester.
    pub key: Option<Utf8PathBuf>,
}

/// Makes a plan, shows it, and writes it where one is asked for.
pub fn plan(context: &Context, make: Make) -> Result {
    let Found { site, told: told_profile } = load(context)?;
    let alone = site.operators.is_empty();
    if !told_profile.is_empty() {
        context.ui.say(format!("profile {}: {}", site.profile.name, told_profile.join("; ")));
    }
    let name = procedure_name(&make.procedure)?;
    // Before any work: a key that signs for nobody is of no use.
    let signing = make.key.as_deref().map(|key| signer(context, key)).transpose()?;
    let requester = signing.as_ref().map_or_else(controller, |(person, _)| person.name.clone());
    let runtime = enter(&site)?;
    let made = runtime.block_on(async {
        let settings = site.procedures.get(&name).cloned().unwrap_or_default();
        let plugin = load_plugin(context, &site, &name, &settings, None)?;
        let (described, parameters) = settle(&plugin, &site, &settings, &make.params).await?;
        let hooks = load_hooks(context, &site, &name)?;
        let standing = Arc::new(Journals::of(context, &site)?);
        let wanted = Wanted { settings, plugin, hooks, described, parameters, standing };
        planned(site, wanted, make.valid_for, requester).await
    })?;
    let ui = &context.ui;
    let Some(plan) = made else {
        if ui.is_json() {
            ui.json(&serde_json::json!({ "plan": null, "why": "nothing to do" }));
        } else {
            ui.out("nothing to do: every node is already as asked");
        }
        return Ok(Exit::Done);
    };
    if let Some(out) = &make.out {
        approval::write_plan(out, &plan).map_err(approval_error)?;
        if let Some((person, key)) = &signing {
            sign(out, &person.name, key)?;
        }
    }
    if ui.is_json() {
        ui.json(&plan);
    } else {
        for line in report::plan_lines(&plan, ui.is_verbose()) {
            ui.out(line);
        }
        if alone {
            ui.say(report::ALONE);
        }
        ui.say("nothing was changed: no lease was taken, no secret asked for, no key made");
        if let Some(out) = &make.out {
            ui.say(format!("written to {out}"));
            match &signing {
                Some((person, _)) => {
                    ui.say(format!("signed by {}; next: windlass approve {out}", person.name))
                }
                None => ui.say("not signed: where approvals are needed, --key signs it as you make it"),
            }
        }
    }
    Ok(Exit::Done)
}

struct Wanted {
    settings: ProcedureSettings,
    plugin: Plugin,
    hooks: Hooks,
    described: Description,
    parameters: IndexMap<String, String>,
    standing: Arc<Journals>,
}

/// None: there is nothing to do.
async fn planned(
    site: Site,
    wanted: Wanted,
    valid_for: Duration,
    requester: String,
) -> std::result::Result<Option<Plan>, Error> {
    let Wanted { settings, plugin, hooks, described, parameters, standing } = wanted;
    let (name, entries) = (plugin.name().clone(), entries(&parameters));
    let site = Arc::new(site);
    let gate = gate_for(&site, &plugin, &settings)?;
    let digest = plugin.digest().to_owned();
    crate::transport::reap_orphans().await;
    let scratch = scratch()?;
    let run = RunId::new("plan").map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let journal = Arc::new(Journal::create(&scratch.path, &run).map_err(journal_error)?);
    let transports =
        Transports::new(&site, journal.folder()).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    let planning = Planning::new(site.clone(), settings.clone(), parameters, transports, standing);
    let machine = Machine {
        settings: Settings {
            run,
            plugin: name.clone(),
            site: site.name.clone(),
            // A symbol that nobody could use would stand in every plan.
            told_run: if hooks.bound.is_empty() { String::new() } else { planning.run_to_be() },
            planning: true,
            roll_back_on_failure: false,
            preflight_code: code::PREFLIGHT,
        },
        gate,
        procedure: Arc::new(PluginProcedure::new(Arc::new(plugin))),
        hooks: hooks.bound,
        ground: planning.clone(),
        journal: journal.clone(),
        events: Arc::new(|_| {}),
        interrupt: Interrupt::default(),
        asker: Arc::new(GoesOn),
        expected: None,
        rows: Vec::new(),
        position: Tracked::of(&journal, &[]),
    };
    let ending = machine.drive().await;
    drop(machine);
    journal.flush().map_err(journal_error)?;
    let rows = Journal::read(&scratch.path, journal.run()).map_err(journal_error)?;
    let told = Told::of(&planning, &rows);
    let (symbols, assumed, roles) = (planning.symbols(), planning.assumed(), planning.roles());
    let checks = match ending {
        Ending::Done { checks, .. } => Ok(Some(checks)),
        Ending::NothingToDo { .. } => Ok(None),
        other => Err(cannot(other, |text| planning.shown(text))),
    };
    planning.close().await;
    let Some(checks) = checks? else { return Ok(None) };
    let covers = approval::covers(&site, &settings, &name, &digest, &entries, roles.as_ref())
        .map_err(approval_error)?;
    let now = jiff::Timestamp::now().as_second();
    let valid_for = i64::try_from(valid_for.as_secs()).unwrap_or(i64::MAX);
    Ok(Some(Plan {
        format: PLAN_FORMAT,
        windlass: env!("CARGO_PKG_VERSION").into(),
        procedure: name.clone(),
        title: described.title,
        ack: approval::ack(&name, &covers, &described.impact, &told.steps),
        impact: described.impact,
        requester,
        made: now,
        expires: now.saturating_add(valid_for),
        nonce: nonce()?,
        covers,
        preflight: told.effects(&CallName::Steps),
        steps: told
            .steps
            .iter()
            .map(|step| StepPlan {
                step: step.clone(),
                effects: told.effects(&CallName::Apply(step.id.clone())),
            })
            .collect(),
        verification: told.effects(&CallName::Verify),
        hooks: told.hooks,
        checks: checks.into_iter().map(|Check { title, .. }| title).collect(),
        symbols,
        assumed: assumed.into_iter().chain(told.warned).collect(),
    }))
}

/// A plan asks nobody, nor does a rehearsal.
pub(super) struct GoesOn;

impl Asker for GoesOn {
    fn go_ahead(&self, _: Option<&Roles>, _: &[PlannedStep], _: &[BoundHook]) -> GoAhead {
        GoAhead::Yes
    }
}

/// What the journal of the plan's run says was asked for.
struct Told {
    steps: Vec<PlannedStep>,
    effects: HashMap<CallName, Vec<PlannedEffect>>,
    hooks: Vec<HookPlan>,
    /// What hooks said beside going on.
    warned: Vec<String>,
}

impl Told {
    fn of(planning: &Planning, rows: &[StoredRow]) -> Self {
        let mut told =
            Self { steps: Vec::new(), effects: HashMap::new(), hooks: Vec::new(), warned: Vec::new() };
        let mut call = None;
        for stored in rows {
            match &stored.row {
                Row::CallBegan { call: began } => call = Some(began.clone()),
                Row::Planned { steps } => told.steps = steps.clone(),
                Row::HookWarned { hook, at, text } => {
                    told.warned.push(planning.shown(&format!("the hook {hook}, {at}: {text}")));
                }
                Row::Intent { effect, .. } => {
                    let of = |row: &StoredRow| match &row.row {
                        Row::Child { of, .. } if *of == stored.sequence => Some(row.sequence),
                        _ => None,
                    };
                    let children: Vec<i64> = match effect.each() {
                        Some(_) => rows.iter().filter_map(of).collect(),
                        None => Vec::new(),
                    };
                    let planned = planning.planned(stored.sequence, effect, &children);
                    if let (Some(call), Some(planned)) = (&call, planned) {
                        told.effects.entry(call.clone()).or_default().push(planned);
                    }
                }
                _ => {}
            }
        }
        for stored in rows {
            if let Row::CallBegan { call: call @ CallName::Hook { hook, at } } = &stored.row {
                let effects = told.effects(call);
                told.hooks.push(HookPlan { hook: hook.clone(), at: at.clone(), effects });
            }
        }
        told
    }

    fn effects(&self, call: &CallName) -> Vec<PlannedEffect> {
        self.effects.get(call).cloned().unwrap_or_default()
    }
}

/// Why there is no plan, with the exit code that a run would have ended with before it changed anything.
fn cannot(ending: Ending, shown: impl Fn(&str) -> String) -> Error {
    let mut error = match ending {
        Ending::Denied { fault } => fault_error(Exit::Refused, &fault),
        Ending::Failed { fault } => fault_error(Exit::Failed, &fault),
        Ending::Site { message, hint } => Error::new(Exit::Usage, message).hint(hint),
        Ending::Preflight { message, hint } => {
            let error = Error::new(Exit::Preflight, message);
            if hint.is_empty() { error } else { error.hint(hint) }
        }
        Ending::Paused { message, .. } => {
            Error::new(Exit::Failed, format!("the run cannot be planned to its end: {message}"))
                .hint("what commands are declared to do in the profile may be too little for this procedure")
        }
        Ending::Declined | Ending::RolledBack { .. } | Ending::Done { .. } | Ending::NothingToDo { .. } => {
            Error::new(Exit::Fault, "the plan ended as no plan does")
        }
    };
    // A plugin's message may hold what only stands in for a value.
    error.message = shown(&error.message);
    error.hint("nothing was changed")
}

/// A private folder that goes with the plan: what ssh needs, and a journal of symbols.
pub(super) struct Scratch {
    pub path: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

pub(super) fn scratch() -> std::result::Result<Scratch, Error> {
    let fault = |why: String| {
        Error::new(Exit::Fault, format!("a folder for what is thrown away again cannot be made: {why}"))
    };
    let folder = tempfile::Builder::new()
        .prefix("windlass-plan-")
        .tempdir()
        .map_err(|error| fault(error.to_string()))?;
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned())
        .map_err(|path| fault(format!("{} is not UTF-8", path.display())))?;
    Ok(Scratch { path, _folder: folder })
}

/// 128 random bits.
fn nonce() -> std::result::Result<String, Error> {
    let mut random = [0u8; 16];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| Error::new(Exit::Fault, "the operating system gives no random bytes"))?;
    Ok(crate::capability::crypto::hex(&random))
}
