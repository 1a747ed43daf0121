//! `windlass run`: a new run.

use super::drive::{LeaseArgs, Opened, controller, drive};
use super::ending::{journal_error, plugin_error};
use super::network::enter;
use super::parameters;
use super::plugins::load_plugin;
use super::runs::runs_dir;
use crate::cli::Context;
use crate::cli::commands::site::load;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, Row};
use crate::model::{Event, PluginName, RunId};
use crate::site::Site;

/// `windlass run`.
pub struct Start {
    pub procedure: String,
    pub params: Vec<String>,
    pub secrets: Vec<String>,
    pub yes: bool,
    pub lease: LeaseArgs,
}

/// Starts a new run.
pub fn start(context: &Context, start: Start) -> Result {
    let site = load(context)?;
    let name =
        PluginName::new(start.procedure.as_str()).map_err(|error| Error::from_error(Exit::Usage, &error))?;
    let settings = site.procedures.get(&name).cloned().unwrap_or_default();
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let plugin = load_plugin(context, &site, &name, &settings)?;
        let described = plugin.procedure_describe().await.map_err(plugin_error)?;
        let parameters = parameters::settle(&name, &described, &site, &settings, &start.params)?;
        let secret_sources = parameters::secret_sources(&start.secrets)?;
        let run = new_run_id(&name)?;
        let journal = Journal::create(&runs_dir(context)?, &run).map_err(journal_error)?;
        let row = Row::Began {
            procedure: name.clone(),
            site: site.name.clone(),
            site_digest: site.digest.clone(),
            plugin_digest: plugin.digest().to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            controller: controller(),
            parameters: parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        journal.commit(&row).map_err(journal_error)?;
        let terms = start.lease.into();
        let opened =
            Opened { site, plugin, settings, parameters, secret_sources, journal, rows: Vec::new(), terms };
        let event = |site: &Site| Event::RunBegan {
            run: run.clone(),
            procedure: name.clone(),
            site: site.name.clone(),
        };
        let began = event(&opened.site);
        drive(context, opened, &described.impact, start.yes, false, began).await
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
