//! `windlass plugin build`.

use crate::cli::Context;
use crate::cli::error::{Exit, Result};
use crate::cli::session::build;
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the plugin's project
    #[arg(default_value = ".")]
    folder: Utf8PathBuf,
}

pub fn run(args: &Args, context: &Context) -> Result {
    let file = build(context, &args.folder)?;
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({ "file": file }));
    } else {
        context.ui.out(&file);
        context.ui.say(format!("next: windlass plugin test {}", args.folder));
    }
    Ok(Exit::Done)
}
