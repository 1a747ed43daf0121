//! A whole `windlass run ha-cert` on a practice pair, less the product's own scripts.
//!
//! own = wall − what the scripts that change something took in this very run, by their own clock (making an RSA
//! key takes what it takes) − half of the runs of `status-oms.sh`, which is asked of both nodes at once, each as
//! long as when it is run by hand as the service user of the same pair. Runs are counted by the lab's journal, not
//! by Windlass.

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
const SCRIPTS: [&str; 2] = ["replacehaSSLCert", "restart-oms"];
const STATUS: &str = "status-oms";

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
    let status = Times::new((0..COUNT).map(|_| by_hand(lab, STATUS)).collect::<Result<_>>()?).median();
    let state = folder.join("state");
    let (mut walls, mut owns) = (Vec::new(), Vec::new());
    let (mut scripts, mut spent) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..COUNT {
        let before = Taken::read(lab)?;
        let began = Instant::now();
        let ran = Command::new(binary)
            .args(["-C", lab.dir().as_str(), "-q", "run", "ha-cert", "--yes"])
            .env("WINDLASS_STATE_DIR", &state)
            .stdin(Stdio::null())
            .output()?;
        let wall = began.elapsed().as_secs_f64();
        if !ran.status.success() {
            return Err(format!("windlass run ha-cert: {}", String::from_utf8_lossy(&ran.stderr)).into());
        }
        let after = Taken::read(lab)?;
        let mut theirs = 0.0;
        for script in SCRIPTS {
            let seconds = after.seconds(script) - before.seconds(script);
            theirs += seconds;
            *scripts.entry(script).or_insert(0.0) += seconds;
        }
        let asked = f64::from(after.asked - before.asked) / 2.0 * status;
        *scripts.entry(STATUS).or_insert(0.0) += asked;
        walls.push(wall);
        owns.push(wall - theirs - asked);
        crate::spent::add(binary, lab.dir(), &state, &mut spent)?;
    }
    let transport = match lab.transport() {
        Transport::Ssh => "ssh, sudo and su to two nodes",
        Transport::Local => "local folders: no ssh, no sudo",
    };
    tell("whole ha-cert, start to end", &Times::new(walls), None, &format!("{COUNT} runs, {transport}"));
    tell(
        "whole ha-cert less the product's scripts",
        &Times::new(owns),
        Some(1.0),
        &format!("on average the scripts took {}", means(&scripts)),
    );
    println!("    and what it waits for most: {}", means(&crate::spent::most(spent)));
    if lab.transport() == Transport::Ssh {
        beside(lab, folder)?;
    }
    Ok(())
}

/// Means over the runs, the longest first.
fn means(seconds: &BTreeMap<impl std::fmt::Display, f64>) -> String {
    let mut parts: Vec<_> = seconds.iter().collect();
    parts.sort_by(|one, other| other.1.total_cmp(one.1));
    let parts = parts.iter().map(|(what, sum)| format!("{what} {}", shown(**sum / COUNT as f64)));
    parts.collect::<Vec<_>>().join(", ")
}

/// What the pair's own notes say of its scripts so far.
struct Taken {
    lines: Vec<String>,
    /// How often the status was asked for.
    asked: u32,
}

impl Taken {
    fn read(lab: &Lab) -> Result<Self> {
        let (mut lines, mut asked) = (Vec::new(), 0);
        for node in NODES {
            lines.extend(lab.times(node)?);
            asked += u32::try_from(lab.journal(node)?.iter().filter(|line| line.ends_with(STATUS)).count())?;
        }
        Ok(Self { lines, asked })
    }

    fn seconds(&self, script: &str) -> f64 {
        let of_it =
            self.lines.iter().filter_map(|line| line.strip_prefix(script)?.trim().parse::<f64>().ok());
        of_it.sum::<f64>() / 1e9
    }
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
