//! `windlass certify`: sign what an audit says of a plugin.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Auditing, Certify};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A plugin of the site, or a file
    plugin: String,
    /// The report to certify, as `windlass audit PLUGIN --json` wrote it; without one, the plugin is audited now
    #[arg(long, value_name = "FILE")]
    report: Option<Utf8PathBuf>,
    /// Accept a finding, with the reason; each one above a note must be
    #[arg(long, value_name = "FINDING=WHY")]
    accept: Vec<String>,
    /// The key to sign with, private or public; without it, the one key of the ssh agent that is trusted
    #[arg(long, value_name = "FILE")]
    key: Option<Utf8PathBuf>,
}

pub fn run(args: Args, context: &Context) -> Result {
    let audit = match &args.report {
        Some(report) => session::read_report(report)?,
        None => {
            let auditing = Auditing { plugin: args.plugin.clone(), ..Auditing::default() };
            session::audit(context, &auditing, &|_, _, _| {})?
        }
    };
    session::certify(context, &Certify { plugin: args.plugin, accept: args.accept, key: args.key }, &audit)
}
