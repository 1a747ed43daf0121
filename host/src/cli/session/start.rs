//! `windlass run`: a new run.

use super::ask::Given;
use super::authority::{self, Taken};
use super::controller::controller;
use super::drive::{LeaseArgs, Opened, drive};
use super::ending::journal_error;
use super::follow::{self, Follows};
use super::hooks::load_hooks;
use super::network::enter;
use super::parameters;
use super::plugins::load_plugin;
use super::prepare::{procedure_name, settle};
use super::profile::{Found, load};
use super::runs::runs_dir;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, Row};
use crate::model::{Event, PluginName, RunId};
use crate::plugin::API_VERSION;
use camino::Utf8PathBuf;

/// `windlass run`.
#[derive(Debug, Default)]
pub struct Start {
    /// None: the plan's.
    pub procedure: Option<String>,
    pub params: Vec<String>,
    pub secrets: Vec<String>,
    pub yes: bool,
    pub lease: LeaseArgs,
    /// A plan to follow.
    pub plan: Option<Utf8PathBuf>,
    /// The impact's token.
    pub ack: Option<String>,
    /// Why to go on without approvals.
    pub break_glass: Option<String>,
    /// On a pair of this process's own making, which nobody depends on and no approval is needed for.
    pub practice: bool,
}

/// Starts a new run.
pub fn start(context: &Context, start: Start) -> Result {
    let Found { site, told } = load(context)?;
    let file = start.plan.as_deref().map(authority::read).transpose()?;
    let name = match (&file, &start.procedure) {
        (Some(file), _) => file.plan.procedure.clone(),
        (None, Some(procedure)) => procedure_name(procedure)?,
        (None, None) => return Err(Error::new(Exit::Usage, "name a procedure, or a plan with --plan")),
    };
    let settings = site.procedures.get(&name).cloned().unwrap_or_default();
    let plugin = load_plugin(context, &site, &name, &settings, None)?;
    let taken = match start.practice {
        true => Taken::Nothing,
        false => authority::taken(context, &plugin, &settings, file, start.break_glass)?,
    };
    let secret_sources = parameters::secret_sources(&start.secrets)?;
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let given = match taken.plan() {
            Some(plan) => {
                follow::hold(plan, &site, &settings, &plugin)?;
                follow::given(plan)
            }
            None => start.params,
        };
        let hooks = load_hooks(context, &site, &name)?;
        let (described, parameters) = settle(&plugin, &site, &settings, &given).await?;
        if let Some(plan) = taken.plan() {
            follow::hold_parameters(plan, &parameters)?;
        }
        let run = new_run_id(&name)?;
        let runs = runs_dir(context)?;
        // Two that start with one plan meet here.
        let turn = taken.plan().map(|plan| authority::turn(context, &runs, plan)).transpose()?;
        let journal = Journal::create(&runs, &run).map_err(journal_error)?;
        journal
            .note(&Row::Began {
                procedure: name.clone(),
                site: site.name.clone(),
                site_digest: site.digest.clone(),
                files: site.digests.all().cloned().collect(),
                plugin_digest: plugin.digest().to_string(),
                hooks: hooks.digests.clone(),
                api: API_VERSION.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                controller: controller(),
                parameters: parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            })
            .map_err(journal_error)?;
        let rows: Vec<Row> = taken.rows();
        if !told.is_empty() {
            let found = Row::ProfileFound { profile: site.profile.name.clone(), told: told.clone() };
            journal.note(&found).map_err(journal_error)?;
            context.ui.say(format!("profile {}: {}", site.profile.name, told.join("; ")));
        }
        for row in &rows {
            journal.note(row).map_err(journal_error)?;
        }
        journal.flush().map_err(journal_error)?;
        drop(turn);
        let began = Event::RunBegan { run: run.clone(), procedure: name.clone(), site: site.name.clone() };
        let follows = Follows::of(&rows);
        let opened = Opened {
            site,
            plugin,
            hooks,
            settings,
            parameters,
            secret_sources,
            journal,
            rows: Vec::new(),
            accepted: Vec::new(),
            follows,
            terms: start.lease.into(),
        };
        let given = Given { yes: start.yes, ack: start.ack };
        drive(context, opened, &described.impact, given, false, began).await
    })
}

/// `ha-cert-20261122-020635-k3f9`: sorts by time, and two in a second differ.
fn new_run_id(procedure: &PluginName) -> std::result::Result<RunId, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0u8; 4];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| Error::new(Exit::Fault, "the operating system gives no random bytes"))?;
    let tail: String = random.iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect();
    let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    RunId::new(format!("{procedure}-{time}-{tail}")).map_err(|error| Error::from_error(Exit::Usage, &error))
}
