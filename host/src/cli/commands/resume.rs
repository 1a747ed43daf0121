//! `windlass resume`: go on with a run that was interrupted or paused.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Again};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run's id, or the beginning of one; the newest that is not over where none is named
    run: Option<String>,
    /// Acknowledge the impact that this token stands for, where the run had not asked for it yet
    #[arg(long, value_name = "TOKEN")]
    ack: Option<String>,
    /// Go ahead without asking, where the run had not been confirmed yet
    #[arg(long)]
    yes: bool,
    /// Go on although this changed since the run began
    #[arg(long, value_name = "DIFFERENCE")]
    accept: Vec<session::Difference>,
    #[command(flatten)]
    lease: session::LeaseArgs,
    /// Go on without the approval of what is different now; the reason is in the journal and in the report
    #[arg(long, value_name = "WHY")]
    break_glass: Option<String>,
    /// Where a secret comes from, where the run had not asked for it yet
    #[arg(long = "secret", value_name = "NAME=file:…|fd:…|prompt")]
    secrets: Vec<String>,
}

pub fn run(args: Args, context: &Context) -> Result {
    session::again(
        context,
        Again {
            run: args.run,
            ack: args.ack,
            yes: args.yes,
            accept: args.accept,
            lease: args.lease,
            secrets: args.secrets,
            break_glass: args.break_glass,
            back: false,
        },
    )
}
