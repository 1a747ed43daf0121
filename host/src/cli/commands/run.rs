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
    /// Go ahead without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    lease: session::LeaseArgs,
}

pub fn run(args: Args, context: &Context) -> Result {
    session::start(
        context,
        Start {
            procedure: args.procedure,
            params: args.params,
            secrets: args.secrets,
            yes: args.yes,
            lease: args.lease,
        },
    )
}
