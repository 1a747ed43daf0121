//! `windlass runs close`: the end of a run.

use super::ending::{fault_error, journal_error};
use super::network::enter;
use super::profile::{Going, load_for};
use super::runs::runs_dir;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::{Journal, Row};
use crate::model::RunId;
use crate::run::Position;
use crate::transport::Transports;
use std::sync::Arc;

/// Ends a run for good: removes what was saved for it on the nodes.
pub fn close(context: &Context, run: &RunId) -> Result<()> {
    let (journal, rows) = Journal::open(&runs_dir(context)?, run).map_err(journal_error)?;
    let position = Position::of(&rows);
    if !position.is_over() {
        return Err(Error::new(
            Exit::Paused,
            format!("run {run} is not over: what was saved on the nodes may still be needed"),
        )
        .hint(format!("windlass resume {run}, or windlass rollback {run}")));
    }
    let site = Arc::new(load_for(context, &rows, Going::Back)?);
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let transports = Transports::new(&site, journal.folder())
            .map_err(|error| Error::from_error(Exit::Fault, &error))?;
        let mut failed = None;
        for node in site.nodes.keys() {
            let files = crate::capability::files::NodeFiles {
                remote: &transports,
                node,
                user: &site.profile.service_user,
                run,
                token: None,
            };
            if let Err(error) = files.purge().await {
                failed = Some(error.to_fault());
            }
        }
        transports.close().await;
        match failed {
            Some(fault) => Err(fault_error(Exit::Preflight, &fault)
                .hint(format!("windlass runs close {run}, when it can be reached"))),
            None => journal.end(&Row::Closed).map_err(journal_error),
        }
    })
}
