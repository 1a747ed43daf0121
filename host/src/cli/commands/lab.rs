//! `windlass lab`: a practice cluster in a folder, to run procedures on and to break.
//!
//! `windlass lab-service` is the same room's processes; it is hidden.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::lab::{
    Double, Lab, LabError, NULL_SECONDS, NodeStatus, Plan, Product, Role, Service, Switch, Transport,
    best_transport,
};
use camino::Utf8PathBuf;
use std::error::Error as _;

/// Start, break and end a practice cluster
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// Start a practice cluster in a folder, which becomes its site
    Up {
        /// Folder to make; it holds the nodes and a complete site
        dir: Utf8PathBuf,
        /// Nodes besides the pair
        #[arg(long, default_value_t = 0)]
        members: usize,
        /// How nodes are reached; ssh for root, else local
        #[arg(long)]
        transport: Option<Transport>,
        /// Which product the nodes have, as the profile that fits it
        #[arg(long, value_name = "PROFILE", default_value = "mrs-2")]
        profile: Product,
    },
    /// Show its nodes, their roles, and the switches that are on
    Status {
        /// The folder that `lab up` was given
        dir: Utf8PathBuf,
    },
    /// Set a switch that breaks something, or heal it
    Break {
        /// The folder that `lab up` was given
        dir: Utf8PathBuf,
        /// What to break
        switch: Switch,
        /// The node to break; where absent, each manager or the standby, as the switch has it
        #[arg(long)]
        node: Option<String>,
        /// Only in these scripts, for a switch that scripts look at
        #[arg(long = "script", value_name = "SCRIPT")]
        scripts: Vec<Double>,
        /// How long, for a switch that lasts
        #[arg(long, default_value_t = NULL_SECONDS)]
        seconds: u32,
        /// Heal it
        #[arg(long)]
        off: bool,
    },
    /// End it and remove what it wrote
    Down {
        /// The folder that `lab up` was given
        dir: Utf8PathBuf,
    },
}

/// A process of a practice cluster
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceArgs {
    #[command(subcommand)]
    service: Service,
}

pub fn run(args: &Args, context: &Context) -> Result {
    let ui = &context.ui;
    match &args.action {
        Action::Up { dir, members, transport, profile } => {
            let transport = transport.unwrap_or_else(best_transport);
            let started = std::time::Instant::now();
            let plan = Plan { transport, product: *profile, members: *members, binary: None };
            let lab = Lab::up(dir, &plan).map_err(edge)?;
            let status = lab.status().map_err(edge)?;
            if ui.is_json() {
                ui.json(&serde_json::json!({
                    "dir": lab.dir(), "transport": transport, "profile": profile, "manager": lab.manager_url(), "nodes": status,
                }));
                return Ok(Exit::Done);
            }
            ui.out(format!("{} nodes are up after {:.2} s", status.len(), started.elapsed().as_secs_f64()));
            if transport == Transport::Local {
                ui.say(
                    "Nodes are folders of this machine: ssh, sudo and separate networks are not exercised.",
                );
            }
            ui.say(format!(
                "next: windlass -C {0} run ha-cert\n      windlass lab status {0}\n      windlass lab down {0}",
                dir
            ));
        }
        Action::Status { dir } => {
            let lab = Lab::open(dir).map_err(edge)?;
            let status = lab.status().map_err(edge)?;
            if ui.is_json() {
                ui.json(&serde_json::json!({ "manager": lab.manager_url(), "nodes": status }));
                return Ok(Exit::Done);
            }
            for node in &status {
                ui.out(line(node));
            }
            ui.out(format!("manager    {}", lab.manager_url()));
        }
        Action::Break { dir, switch, node, scripts, seconds, off } => {
            let lab = Lab::open(dir).map_err(edge)?;
            let nodes = lab.break_for(*switch, node.as_deref(), *off, scripts, *seconds).map_err(edge)?;
            if ui.is_json() {
                ui.json(&serde_json::json!({ "switch": switch, "off": off, "nodes": nodes }));
            } else if nodes.is_empty() {
                ui.out(format!("{} was on nowhere", switch.as_str()));
            } else {
                let what = if *off { "off" } else { "on" };
                ui.out(format!("{} is {what}: {}", switch.as_str(), nodes.join(", ")));
            }
        }
        Action::Down { dir } => {
            Lab::open(dir).and_then(|lab| lab.down()).map_err(edge)?;
            ui.say("The practice cluster is down.");
        }
    }
    Ok(Exit::Done)
}

/// Runs a process of a practice cluster; what goes wrong is a line of its log.
pub async fn run_service(args: &ServiceArgs) -> Result {
    args.service.run().await.map(|()| Exit::Done).map_err(|error| {
        // In one line, because whoever waits for this process shows the last one of its log.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Error::new(Exit::Failed, text)
    })
}

fn line(node: &NodeStatus) -> String {
    let role = match node.role {
        _ if !node.manager => "member",
        _ if !node.running => "stopped",
        None => "NULL",
        Some(role) => Role::as_str(role),
    };
    let health = match node.all_normal {
        Some(true) => "normal",
        Some(false) => "abnormal",
        None => "-",
    };
    let switches: Vec<_> = node.switches.iter().map(|switch| switch.as_str()).collect();
    let row = format!("{:<10} {:<15} {role:<8} {health:<9} {}", node.name, node.address, switches.join(" "));
    row.trim_end().to_owned()
}

fn edge(error: LabError) -> Error {
    let exit = match error {
        LabError::NotALab { .. }
        | LabError::AlreadyUp { .. }
        | LabError::Occupied { .. }
        | LabError::NeedsRoot { .. }
        | LabError::UnknownNode { .. }
        | LabError::Switch { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    Error::from_error(exit, &error)
}
