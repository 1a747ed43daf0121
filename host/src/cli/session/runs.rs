//! Finds runs on this controller.

use super::ending::journal_error;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, RunRecord};
use crate::model::RunId;
use camino::Utf8PathBuf;

/// Where runs are kept on this controller.
pub fn runs_dir(context: &Context) -> Result<Utf8PathBuf> {
    Ok(context.state_dir()?.join("runs"))
}

/// Finds one run by the beginning of its id; the newest that `fits` where none is named.
/// `what` says what there is none of, then.
pub fn find_run(
    context: &Context,
    wanted: Option<&str>,
    what: &str,
    fits: impl Fn(&RunRecord) -> bool,
) -> std::result::Result<RunId, Error> {
    let dir = runs_dir(context)?;
    let names = Journal::names(&dir).map_err(journal_error)?;
    let Some(wanted) = wanted else {
        let mut error = Error::new(Exit::Usage, format!("there is {what} in {dir}"));
        // One after the other: where there are many, the first mostly is the one.
        for run in names {
            match Journal::record(&dir, &run) {
                Ok(record) if fits(&record) => return Ok(run),
                Ok(_) => {}
                // One that cannot be read may be the one that was meant.
                Err(why) => error.causes.push(format!("run {run} cannot be read: {why}")),
            }
        }
        return Err(error.hint("windlass runs list shows how each ended"));
    };
    let found: Vec<_> = names.iter().filter(|run| run.as_str().starts_with(wanted)).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            Err(Error::new(Exit::Usage, format!("no run's id begins with {wanted:?}"))
                .hint("windlass runs list"))
        }
        several if several.iter().any(|run| run.as_str() == wanted) => {
            RunId::new(wanted).map_err(|error| Error::from_error(Exit::Usage, &error))
        }
        several => {
            let several: Vec<_> = several.iter().map(|run| run.as_str()).collect();
            Err(Error::new(
                Exit::Usage,
                format!("{} runs begin with {wanted:?}: {}", several.len(), several.join(", ")),
            ))
        }
    }
}

/// Returns one run by the beginning of its id; the newest, readable or not, where none is named.
pub fn newest_or(context: &Context, wanted: Option<&str>) -> Result<RunId> {
    if wanted.is_none()
        && let Some(newest) = Journal::names(&runs_dir(context)?).map_err(journal_error)?.into_iter().next()
    {
        return Ok(newest);
    }
    find_run(context, wanted, "no run", |_| true)
}
