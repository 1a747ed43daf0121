//! `windlass init`: a commented site folder.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::site::AUTO;
use crate::site::starter::{self, StarterError};
use camino::Utf8PathBuf;

/// Make a commented site folder
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to make; it must be new or empty
    pub dir: Utf8PathBuf,
    /// What the product calls its commands and files, as mrs-2; auto: the nodes are asked which fits
    #[arg(long, short, value_name = "PROFILE", default_value = AUTO)]
    pub profile: String,
}

pub fn run(args: Args, context: &Context) -> Result {
    let written = starter::write(&args.dir, &args.profile).map_err(|error| site_error(&error, &args))?;
    if context.ui.is_json() {
        context
            .ui
            .json(&serde_json::json!({ "site": args.dir, "profile": args.profile, "written": written }));
        return Ok(Exit::Done);
    }
    for path in &written {
        context.ui.out(path);
    }
    context.ui.say(format!(
        "next: fill in the nodes' addresses in {}, then `windlass -C {} site check`",
        args.dir.join("site.toml"),
        args.dir
    ));
    Ok(Exit::Done)
}

fn site_error(error: &StarterError, args: &Args) -> Error {
    match error {
        StarterError::UnknownProfile { nearest: Some(near), .. } => {
            Error::from_error(Exit::Usage, error).hint(format!("windlass init {} --profile {near}", args.dir))
        }
        StarterError::UnknownProfile { .. } => Error::from_error(Exit::Usage, error).hint(
            "for another product, start from a bundled profile and write profiles/NAME.toml in the site",
        ),
        StarterError::NotEmpty { .. } => {
            Error::from_error(Exit::Usage, error).hint("give the name of a folder that is not there yet")
        }
        StarterError::Write { .. } => Error::from_error(Exit::Failed, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ui::{Format, Loudness, Ui};

    fn init(dir: &camino::Utf8Path, profile: &str) -> Result {
        let context = Context {
            cache: None,
            ui: Ui::new(Format::Json, Loudness::Quiet, true),
            site_dir: dir.to_owned(),
            state: None,
            config: None,
            bundle: None,
            engines: None,
        };
        run(Args { dir: dir.to_owned(), profile: profile.to_owned() }, &context)
    }

    #[test]
    fn init_refuses_a_folder_in_use_and_a_misspelt_profile_as_usage_errors() {
        let folder = tempfile::tempdir().unwrap();
        let dir = camino::Utf8Path::from_path(folder.path()).unwrap().join("new");
        let error = init(&dir, "mrs_2").unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert_eq!(error.hints, [format!("windlass init {dir} --profile mrs-2")]);
        assert_eq!(init(&dir, "mrs-2").unwrap(), Exit::Done);
        assert_eq!(init(&dir, "mrs-2").unwrap_err().exit, Exit::Usage);
        assert_eq!(init(&dir.with_file_name("beside"), AUTO).unwrap(), Exit::Done);
    }
}
