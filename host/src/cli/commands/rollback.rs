//! `windlass rollback`: take back what a run has done, last step first.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Again};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run's id, or the beginning of one; the newest that is not over where none is named
    run: Option<String>,
    /// Go on although this changed since the run began
    #[arg(long, value_name = "DIFFERENCE")]
    accept: Vec<session::Difference>,
    #[command(flatten)]
    lease: session::LeaseArgs,
}

pub fn run(args: Args, context: &Context) -> Result {
    session::again(
        context,
        Again {
            run: args.run,
            ack: None,
            yes: true,
            accept: args.accept,
            lease: args.lease,
            secrets: Vec::new(),
            break_glass: None,
            back: true,
        },
    )
}
