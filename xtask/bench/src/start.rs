//! From the start of the process to the plugin's first instruction.
//!
//! Measured from outside, with nothing in the program that helps: `windlass run ha-cert -p` with a parameter
//! that does not exist ends right after the plugin was asked what parameters it has. Its whole life, its end
//! included, is an upper bound of what is asked for.

use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::process::{Command, Stdio};

const COUNT: usize = 50;

pub fn measure(binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let site = folder.join("start");
    let made = Command::new(binary)
        .args(["-q", "init", "--profile", "mrs-2", site.as_str()])
        .stdin(Stdio::null())
        .output()?;
    if !made.status.success() {
        return Err(format!("windlass init: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    // The starter leaves the nodes' addresses to be filled in.
    let toml = site.join("site.toml");
    let mut text = std::fs::read_to_string(&toml)?;
    for host in 1..=2 {
        text = text.replacen("ssh = \"\"", &format!("ssh = \"admin@192.0.2.{host}\""), 1);
    }
    std::fs::write(&toml, text)?;
    let times = Times::of(COUNT, || {
        let ended = Command::new(binary)
            .args(["-C", site.as_str(), "run", "ha-cert", "-p", "bench=1"])
            .env("WINDLASS_STATE_DIR", folder.join("state"))
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if ended.status.code() != Some(2) || !said.contains("bench") {
            return Err(format!("the plugin was not asked: {said}").into());
        }
        Ok(())
    })?;
    tell(
        "process start to the plugin's answer",
        &times,
        Some(0.030),
        &format!(
            "{COUNT} processes, each from exec to exit: site read, image mapped, `describe` called and refused"
        ),
    );
    Ok(())
}
