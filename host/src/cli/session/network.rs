//! From a site to its nodes: the practice cluster's network, threads, and the question whether each answers.

use crate::capability::nodes::NodeContexts;
use crate::cli::Context;
use crate::cli::commands::site::{Args, Reached, run};
use crate::cli::error::{Error, Exit, Result};
use crate::model::NodeName;
use crate::site::Site;
use crate::transport::Transports;
use camino::Utf8PathBuf;
use std::os::unix::fs::DirBuilderExt as _;

/// `windlass site`; with `--connect`, each node is asked for its variables.
pub fn site(args: Args, context: &Context) -> Result {
    run(args, context, |site| Ok(enter(site)?.block_on(connect(context, site))))
}

/// A private folder for connections that belong to no run.
pub(super) fn check_folder(context: &Context) -> std::result::Result<Utf8PathBuf, String> {
    let dir = context.state_dir().map_err(|error| error.message)?.join("check");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| format!("{dir}: {error}"))?;
    Ok(dir)
}

/// Ways to a site's nodes that belong to no run.
pub(super) fn connections(context: &Context, site: &Site) -> std::result::Result<Transports, Error> {
    let folder = check_folder(context).map_err(|why| Error::new(Exit::Fault, why))?;
    Transports::new(site, &folder).map_err(|error| Error::from_error(Exit::Preflight, &error))
}

/// Asks every node, side by side, for what its commands and files need.
async fn connect(context: &Context, site: &Site) -> Vec<Reached> {
    let problem = |node: &NodeName, message: String, hint: String| Reached {
        node: node.clone(),
        problem: Some(message),
        hint: (!hint.is_empty()).then_some(hint),
    };
    let opened =
        check_folder(context).and_then(|dir| Transports::new(site, &dir).map_err(|error| error.to_string()));
    let transports = match opened {
        Ok(transports) => transports,
        Err(why) => {
            return site.nodes.keys().map(|node| problem(node, why.clone(), String::new())).collect();
        }
    };
    let reached = futures::future::join_all(site.nodes.keys().map(|node| {
        let transports = &transports;
        async move {
            match NodeContexts::default().of(transports, site, node).await {
                Ok(context) => match crate::backend::unfit(transports, site, node, &context).await {
                    None => Reached { node: node.clone(), problem: None, hint: None },
                    Some(fault) => problem(node, fault.message, fault.hint),
                },
                Err(error) => {
                    let fault = error.to_fault();
                    problem(node, fault.message, fault.hint)
                }
            }
        }
    }))
    .await;
    transports.close().await;
    reached
}

/// Enters the practice cluster's network where the site is one, and only then starts threads.
pub fn enter(site: &Site) -> std::result::Result<tokio::runtime::Runtime, Error> {
    if let Some(pid) = &site.lab {
        crate::lab::enter(&site.dir.join(pid)).map_err(|error| {
            Error::from_error(Exit::Preflight, &error).hint(format!("windlass lab up {}", site.dir))
        })?;
    }
    threads()
}

/// For what enters namespaces of its own: they are a thread's, not the process's.
pub fn one_thread() -> std::result::Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Exit::Fault, format!("the runtime cannot be started: {error}")))
}

pub fn threads() -> std::result::Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Exit::Fault, format!("threads cannot be started: {error}")))
}
