//! `windlass man`: the manual pages, one a command.

use crate::cli::error::{Error, Exit, Result};
use crate::cli::{Context, tree};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write into; it must exist
    folder: Utf8PathBuf,
}

pub fn run(args: Args, context: &Context) -> Result {
    clap_mangen::generate_to(tree(), &args.folder)
        .map_err(|error| Error::from_error(Exit::Usage, &error).hint(format!("mkdir -p {}", args.folder)))?;
    context.ui.say(format!("manual pages written to {}", args.folder));
    Ok(Exit::Done)
}
