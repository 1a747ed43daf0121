//! `windlass completions`: a script for a shell, on stdout.

use crate::cli::error::{Exit, Result};
use crate::cli::{Context, tree};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn run(args: Args, _context: &Context) -> Result {
    clap_complete::generate(args.shell, &mut tree(), "windlass", &mut anstream::stdout());
    Ok(Exit::Done)
}
