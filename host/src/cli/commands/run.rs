//! `windlass run`: a procedure, from preflight to proof.

use crate::cli::Context;
use crate::cli::error::Result;
use crate::cli::session::{self, Start};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The procedure, as `ha-cert`; with --plan, the plan says it
    #[arg(required_unless_present = "plan", conflicts_with = "plan")]
    procedure: Option<String>,
    /// Do what a plan says, and nothing else: a file that `windlass plan -o` wrote
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,
    /// A parameter of the procedure; overrides the site's
    #[arg(short = 'p', long = "param", value_name = "K=V", conflicts_with = "plan")]
    params: Vec<String>,
    /// Where a secret comes from; overrides the site's source
    #[arg(long = "secret", value_name = "NAME=file:…|fd:…|prompt")]
    secrets: Vec<String>,
    /// Acknowledge the impact that this token stands for, and go ahead only if it is still that one; `windlass
    /// plan` prints it, and so does a procedure that asks for an acknowledgement of its own
    #[arg(long, value_name = "TOKEN")]
    ack: Option<String>,
    /// Go ahead without asking; what must be acknowledged is still asked for
    #[arg(long)]
    yes: bool,
    /// Go on without the approvals that the run needs; the reason is in the journal and in the report
    #[arg(long, value_name = "WHY", conflicts_with = "plan")]
    break_glass: Option<String>,
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
            plan: args.plan,
            ack: args.ack,
            break_glass: args.break_glass,
            practice: false,
            lease: args.lease,
        },
    )
}
