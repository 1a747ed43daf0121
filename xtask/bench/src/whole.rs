//! A whole `windlass run ha-cert` on a practice pair, less the product's own scripts.
//!
//! own = wall − Σ over scripts of (runs in this run × the script's median), where the median is the node's own
//! clock around the script, run by hand as the service user of the same pair. `status-oms.sh` is asked of both
//! nodes at once, so half of its runs count. Runs are counted by the lab's journal, not by Windlass.

use crate::times::{Times, shown};
use crate::{Result, tell};
use camino::Utf8Path;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;
use windlass::lab::{Lab, Plan, Product, Transport, best_transport};

const COUNT: usize = 7;
const NODES: [&str; 2] = ["master1", "master2"];
const SCRIPTS: [&str; 3] = ["replacehaSSLCert", "restart-oms", "status-oms"];

pub fn measure(binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let site = folder.join("whole");
    let plan = Plan {
        transport: best_transport(),
        product: Product::Mrs2,
        members: 0,
        binary: Some(binary.to_path_buf()),
    };
    let lab = Lab::up(&site, &plan)?;
    let measured = on(&lab, binary, folder);
    let down = lab.down();
    measured.and(down.map_err(Into::into))
}

fn on(lab: &Lab, binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let (mut walls, mut counts) = (Vec::new(), BTreeMap::new());
    for _ in 0..COUNT {
        let before = counted(lab)?;
        let began = Instant::now();
        let ran = Command::new(binary)
            .args(["-C", lab.dir().as_str(), "-q", "run", "ha-cert", "--yes"])
            .env("WINDLASS_STATE_DIR", folder.join("state"))
            .stdin(Stdio::null())
            .output()?;
        walls.push(began.elapsed().as_secs_f64());
        if !ran.status.success() {
            return Err(format!("windlass run ha-cert: {}", String::from_utf8_lossy(&ran.stderr)).into());
        }
        let after = counted(lab)?;
        counts =
            after.into_iter().map(|(name, count)| (name, count - before.get(name).unwrap_or(&0))).collect();
    }
    let transport = match lab.transport() {
        Transport::Ssh => "ssh, sudo and su to two nodes",
        Transport::Local => "local folders: no ssh, no sudo",
    };

    let mut scripts = 0.0;
    let mut parts = Vec::new();
    for script in SCRIPTS {
        let times = Times::new((0..COUNT).map(|_| by_hand(lab, script)).collect::<Result<_>>()?);
        let together = if script == "status-oms" { 2 } else { 1 };
        let count = counts.get(script).copied().unwrap_or(0) / together;
        scripts += f64::from(count) * times.median();
        parts.push(format!("{count} × {script} {}", shown(times.median())));
    }
    tell(
        "whole ha-cert, start to end",
        &Times::new(walls.clone()),
        None,
        &format!("{COUNT} runs, {transport}"),
    );
    let own = Times::new(walls.iter().map(|wall| wall - scripts).collect());
    tell(
        "whole ha-cert less the product's scripts",
        &own,
        Some(1.0),
        &format!("scripts by hand: {} = {}", parts.join(" + "), shown(scripts)),
    );
    if lab.transport() == Transport::Ssh {
        beside(lab, folder)?;
    }
    Ok(())
}

/// How often each script has run on the pair.
fn counted(lab: &Lab) -> Result<BTreeMap<&'static str, u32>> {
    let mut counts = BTreeMap::new();
    for node in NODES {
        for line in lab.journal(node)? {
            if let Some(script) = SCRIPTS.iter().find(|script| line.ends_with(**script)) {
                *counts.entry(*script).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// Runs a script on a node as its operator would; returns the seconds that it took there.
fn by_hand(lab: &Lab, script: &str) -> Result<f64> {
    let timed = format!(
        "a=$(date +%s%N); sh \"$BIGDATA_HOME/om-0.0.1/sbin/{script}.sh\" >&2; b=$(date +%s%N); echo $((b - a))"
    );
    let mut command = match lab.transport() {
        Transport::Ssh => {
            let mut ssh = lab.command("ssh")?;
            let config = lab.ssh_config();
            ssh.args(["-F", config.as_str(), "admin@master1", "sudo", "-n", "su", "-", "omm", "-c"]);
            ssh.arg(format!("'{}'", timed.replace('\'', r"'\''")));
            ssh
        }
        Transport::Local => {
            let environment = std::fs::read_to_string(lab.node_root(NODES[0])?.join("login-env"))?;
            let mut sh = lab.command("sh")?;
            sh.env_clear().envs(environment.lines().filter_map(|line| line.split_once('=')));
            sh.args(["-c", &timed]);
            sh
        }
    };
    // The password of the practice site; only one script asks for it.
    let password = std::fs::read(lab.dir().join("ha-key.secret"))?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A script that asks nothing may have ended.
        let _ = stdin.write_all(&password);
        let _ = stdin.write_all(b"\n");
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let nanoseconds: f64 =
        text.trim().parse().map_err(|_| format!("{script} by hand said {text:?}, not how long it took"))?;
    Ok(nanoseconds / 1e9)
}

/// The peer: the operator's own ssh over one master connection, becoming the service user the same way.
fn beside(lab: &Lab, folder: &Utf8Path) -> Result<()> {
    let config = lab.ssh_config();
    let socket = format!("ControlPath={}", folder.join("cm"));
    let ssh = |arguments: &[&str]| -> Result<()> {
        let mut ssh = lab.command("ssh")?;
        ssh.args(["-F", config.as_str(), "-o", &socket]).args(arguments);
        let output = ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if output.success() { Ok(()) } else { Err(format!("ssh {arguments:?}: {output}").into()) }
    };
    ssh(&["-o", "ControlMaster=yes", "-o", "ControlPersist=60", "-fN", "admin@master1"])?;
    let times = Times::of(30, || ssh(&["admin@master1", "sudo -n su - omm -c true"]));
    ssh(&["-O", "exit", "admin@master1"])?;
    tell(
        "  beside it: one round trip of bare ssh",
        &times?,
        None,
        "ControlMaster, `sudo -n su - omm -c true`",
    );
    Ok(())
}
