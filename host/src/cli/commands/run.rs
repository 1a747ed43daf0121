//! `windlass run`: a procedure, from preflight to proof.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Start};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The procedure, as `ha-cert`
    procedure: String,
    /// A parameter of the procedure; overrides the site's
    #[arg(short = 'p', long = "param", value_name = "K=V")]
    params: Vec<String>,
    /// Where a secret comes from; overrides the site's source
    #[arg(long = "secret", value_name = "NAME=file:…|fd:…|prompt")]
    secrets: Vec<String>,
    /// Acknowledge the impact that this token stands for; a run that has nobody to ask prints it
    #[arg(long, value_name = "TOKEN")]
    ack: Option<String>,
    /// Go ahead without asking; what must be acknowledged is still asked for
    #[arg(long)]
    yes: bool,
}

pub fn run(args: Args, context: &Context) -> Result {
    let Args { procedure, params, secrets, ack, yes } = args;
    session::start(context, Start { procedure, params, secrets, yes, ack })
}
