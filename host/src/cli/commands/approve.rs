//! `windlass approve`: sign a plan.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Approve};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan, as `windlass plan -o` wrote it
    plan: Utf8PathBuf,
    /// The key to sign with; a public one, where an ssh agent holds the private; the agent's where none is named
    #[arg(long, value_name = "FILE")]
    key: Option<Utf8PathBuf>,
}

pub fn run(args: Args, context: &Context) -> Result {
    session::approve(context, Approve { plan: args.plan, key: args.key })
}
