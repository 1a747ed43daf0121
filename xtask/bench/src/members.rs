//! A new key set on 50 nodes over real sshd, beside `pdsh` putting and checking the same bytes on the same nodes.
//!
//! Windlass reads the key set of the first node and puts it on the 49 others, whole or not at all, each saved before,
//! each intent on disk and on both managers first; then it asks all 50 for the digest. `pdsh` is given the bytes on its
//! command line, where every user of this machine can read them, since it hands no input on.

use crate::times::{Times, shown};
use crate::{Result, tell};
use camino::Utf8Path;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use windlass::lab::{Lab, Plan, Product, Transport, best_transport};

const MEMBERS: usize = 48;
const COUNT: usize = 3;

pub fn measure(binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    if best_transport() != Transport::Ssh {
        println!("50 nodes: skipped, a practice cluster over ssh needs root");
        return Ok(());
    }
    let plan = Plan {
        transport: Transport::Ssh,
        product: Product::Mrs2,
        members: MEMBERS,
        binary: Some(binary.to_path_buf()),
    };
    let lab = Lab::up(&folder.join("members"), &plan)?;
    let measured = on(&lab, binary, folder);
    let down = lab.down();
    measured.and(down.map_err(Into::into))
}

fn on(lab: &Lab, binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let windlass = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(binary);
        command
            .args(["-C", lab.dir().as_str()])
            .args(arguments)
            .env("WINDLASS_STATE_DIR", folder.join("fifty"));
        let output = command.stdin(Stdio::null()).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => {
                Err(format!("windlass {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    };
    let native = ["root-key", "-p", "update=native"];
    let planned = windlass(&[&["plan"][..], &native].concat())?;
    let token = planned.split_once("unasked with --ack ").and_then(|(_, rest)| rest.split(')').next());
    let token = token.ok_or("the plan names no token")?;
    let (mut whole, mut spent) = (Vec::new(), BTreeMap::new());
    for _ in 0..COUNT {
        let began = std::time::Instant::now();
        windlass(&[&["-q", "run"][..], &native, &["--yes", "--ack", token]].concat())?;
        whole.push(began.elapsed().as_secs_f64());
        crate::spent::add(binary, lab.dir(), &folder.join("fifty"), &mut spent)?;
    }
    let mean = |effect: &str, times: usize| spent.get(effect).map_or(0.0, |sum| sum / (COUNT * times) as f64);
    tell(
        "root-key of 50 nodes, start to end",
        &Times::new(whole),
        None,
        &format!("{COUNT} runs, update = native"),
    );
    // It is asked for in preflight, before the start, and at the end.
    let (put, checked) = (mean("files.put-each", 1), mean("files.fingerprint-each", 3));
    println!(
        "    of it: put on 49 nodes {}, checked on 50 {}, on average; connections are there by then, what is replaced is \
         saved first, every intent is on disk and on both managers",
        shown(put),
        shown(checked)
    );

    let status = lab.status()?;
    let others: Vec<&str> = status.iter().skip(1).map(|node| node.name.as_str()).collect();
    let home = lab.node_root("master1")?.join(Product::Mrs2.bigdata_home().trim_start_matches('/'));
    let file = "$BIGDATA_HOME/om-0.0.1/security/keyset.json";
    let bytes = std::fs::read(home.join("om-0.0.1/security/keyset.json"))?;
    let text = String::from_utf8(bytes)?;
    let put = format!(
        "umask 077; printf %s \"{}\" >\"{file}.pdsh\" && mv \"{file}.pdsh\" \"{file}\" && sha256sum \"{file}\"",
        text.replace('"', "\\\"")
    );
    let Some(peer) = pdsh(lab, &others, &put)? else {
        println!("    pdsh: skipped, it is not installed");
        return Ok(());
    };
    let mut times = vec![peer];
    for _ in 1..COUNT {
        times.extend(pdsh(lab, &others, &put)?);
    }
    tell(
        "  beside it: pdsh, the same bytes put and checked on 49",
        &Times::new(times),
        None,
        "makes its own connections; secret on the command line, nothing saved or journaled",
    );
    Ok(())
}

/// Runs a script as the service user of every node, all at once; None where there is no pdsh.
fn pdsh(lab: &Lab, nodes: &[&str], script: &str) -> Result<Option<f64>> {
    let Ok(mut command) = lab.command("pdsh") else { return Ok(None) };
    let quoted = script.replace('\'', r"'\''");
    command
        .args(["-S", "-R", "ssh", "-l", "admin", "-f", "50", "-w", &nodes.join(",")])
        .arg(format!("sudo -n su - omm -c '{quoted}'"))
        .env("PDSH_SSH_ARGS_APPEND", format!("-F {}", lab.ssh_config()))
        .stdin(Stdio::null());
    let began = std::time::Instant::now();
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    let took = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.success() && said.lines().count() == nodes.len() {
        true => Ok(Some(took)),
        false => Err(format!("pdsh: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
