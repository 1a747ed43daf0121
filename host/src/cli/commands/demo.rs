//! `windlass demo`: a practice pair, the whole ha-cert run, and everything taken down again. With `--kill` the run is
//! killed while a script of the product is under way, and resumed.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Again, Start};
use crate::lab::{Double, Lab, Plan, Product, Transport, best_transport};
use camino::Utf8PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How nodes are reached; ssh for root, else local
    #[arg(long)]
    transport: Option<Transport>,
    /// Kill the run, as SIGKILL does, while the product's script replaces the first certificate; then resume it
    #[arg(long)]
    kill: bool,
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
    let plan = Plan { transport, product: Product::default(), members: 0, binary: None };
    let lab = Lab::up(&dir, &plan).map_err(|error| {
        Error::from_error(Exit::Fault, &error).hint("windlass demo --transport local needs no root")
    })?;
    let on_pair = Context { site_dir: dir.clone(), state: Some(dir.join("state")), ..context.clone() };
    let start = Start { procedure: Some("ha-cert".into()), yes: true, practice: true, ..Start::default() };
    let ran = match args.kill {
        false => session::start(&on_pair, start),
        true => killed(&on_pair, &lab)
            .and_then(|()| session::again(&on_pair, Again { yes: true, ..Again::default() })),
    };
    let down = lab.down();
    if ran.is_ok() {
        ui.say("the practice pair is taken down. To try next:");
        ui.say("  windlass lab up practice                      a pair that stays, with a site of its own");
        ui.say("  windlass -C practice run ha-cert              the same run, asking first");
        ui.say("  windlass -C practice run root-key             the cluster stopped, its root key updated, started again");
        ui.say(
            "  windlass lab break practice lying-success     then run it again: success text is not believed",
        );
    }
    down.map_err(|error| Error::from_error(Exit::Fault, &error).hint(format!("windlass lab down {dir}")))?;
    ran
}

/// How long the script may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Begins a run in a process of its own, and kills it while the product's script is under way.
fn killed(context: &Context, lab: &Lab) -> Result<()> {
    let fault =
        |what: &str, error: &dyn std::fmt::Display| Error::new(Exit::Fault, format!("{what}: {error}"));
    let program = std::env::current_exe().map_err(|error| fault("find this program", &error))?;
    let mut command = Command::new(program);
    command.arg("-C").arg(&context.site_dir);
    if context.ui.is_json() {
        command.arg("--json");
    }
    command.args(["run", "ha-cert", "--yes"]);
    if let Some(state) = &context.state {
        command.env("WINDLASS_STATE_DIR", state);
    }
    let mut run = command.stdin(Stdio::null()).spawn().map_err(|error| fault("start the run", &error))?;
    let began = Instant::now();
    let script = format!(" {}", Double::ReplaceHaSslCert.as_str());
    loop {
        // Before the first script of a node there is no journal of it.
        if lab.journal("master1").unwrap_or_default().iter().any(|line| line.ends_with(&script)) {
            break;
        }
        match run.try_wait() {
            Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            ended => {
                let _ = run.kill();
                let why = ended.map_or_else(
                    |error| error.to_string(),
                    |ended| ended.map_or("it took too long".into(), |status| status.to_string()),
                );
                return Err(fault("the run did not come to the product's script", &why));
            }
        }
    }
    run.kill().and_then(|()| run.wait()).map_err(|error| fault("kill the run", &error))?;
    context.ui.say("");
    context.ui.say(
        "killed, as by SIGKILL, while replacehaSSLCert.sh runs on master1. The script goes on without us.",
    );
    context.ui.say("windlass resume: what is done is not done again, and the script is asked for its end");
    context.ui.say("");
    Ok(())
}
