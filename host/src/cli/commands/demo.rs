//! `windlass demo`: a practice pair, the whole ha-cert run, and everything taken down again.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Start};
use crate::lab::{Lab, Plan, Transport, best_transport};
use camino::Utf8PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How nodes are reached; ssh for root, else local
    #[arg(long)]
    transport: Option<Transport>,
}

pub fn run(args: Args, context: &Context) -> Result {
    let ui = &context.ui;
    let folder = tempfile::Builder::new()
        .prefix("windlass-demo-")
        .tempdir()
        .map_err(|error| Error::new(Exit::Fault, format!("a folder for the demo cannot be made: {error}")))?;
    let dir = Utf8PathBuf::from_path_buf(folder.path().join("site")).map_err(|path| {
        Error::new(Exit::Usage, format!("the temporary folder's path is not UTF-8: {}", path.display()))
    })?;
    let transport = args.transport.unwrap_or_else(best_transport);
    match transport {
        Transport::Ssh => ui.say("a practice pair: two nodes with a file system, an address and an sshd each"),
        Transport::Local => ui.say(
            "a practice pair: two folders of this machine (without root there is no ssh, no sudo and no network of its own; \
             those are not exercised)",
        ),
    }
    let plan = Plan { transport, members: 0, binary: None };
    let lab = Lab::up(&dir, &plan).map_err(|error| {
        Error::from_error(Exit::Fault, &error).hint("windlass demo --transport local needs no root")
    })?;
    let ran = session::start(
        &Context { site_dir: dir.clone(), state: Some(dir.join("state")), ..context.clone() },
        Start {
            procedure: "ha-cert".into(),
            params: Vec::new(),
            secrets: Vec::new(),
            yes: true,
            lease: session::LeaseArgs::default(),
        },
    );
    let down = lab.down();
    if ran.is_ok() {
        ui.say("the practice pair is taken down. To try next:");
        ui.say("  windlass lab up practice                      a pair that stays, with a site of its own");
        ui.say("  windlass -C practice run ha-cert              the same run, asking first");
        ui.say(
            "  windlass lab break practice lying-success     then run it again: success text is not believed",
        );
    }
    down.map_err(|error| Error::from_error(Exit::Fault, &error).hint(format!("windlass lab down {dir}")))?;
    ran
}
