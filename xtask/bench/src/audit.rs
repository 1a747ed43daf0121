//! A whole audit, of a procedure with all its scenarios and of a hook: process start, compiling and report included. How
//! many rehearsals a second that are is told beyond what one of them alone takes, which is mostly compiling.

use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::process::{Command, Stdio};

const COUNT: usize = 3;

pub fn measure(binary: &Utf8Path, components: &Utf8Path) -> Result<()> {
    one(binary, "ha-cert", 5.0)?;
    one(binary, components.join("health-gate.wasm").as_str(), 1.0)
}

fn one(binary: &Utf8Path, plugin: &str, goal: f64) -> Result<()> {
    let name = Utf8Path::new(plugin).file_stem().unwrap_or(plugin);
    let mut rehearsals = 0;
    let whole = Times::of(COUNT, || {
        let report = audit(binary, plugin, &["--json"])?;
        let report: serde_json::Value = serde_json::from_slice(&report)?;
        rehearsals = report["rehearsals"]["count"].as_u64().ok_or("the report counts no rehearsals")?;
        Ok(())
    })?;
    let scenario = if name == "ha-cert" { "product-root" } else { "every-moment" };
    let alone = Times::of(COUNT, || audit(binary, plugin, &["--only", scenario]).map(drop))?;
    let rest = (whole.median() - alone.median()).max(f64::EPSILON);
    tell(
        &format!("audit of {name}"),
        &whole,
        Some(goal),
        &format!(
            "{rehearsals} rehearsals, {:.0} a second beyond the first, which with compiling takes {}",
            rehearsals as f64 / rest,
            crate::times::shown(alone.median()),
        ),
    );
    Ok(())
}

/// Exit 10 is a report too: it has findings.
fn audit(binary: &Utf8Path, plugin: &str, more: &[&str]) -> Result<Vec<u8>> {
    let ended = Command::new(binary).args(["audit", plugin]).args(more).stdin(Stdio::null()).output()?;
    match ended.status.code() {
        Some(0 | 10) => Ok(ended.stdout),
        _ => Err(format!("windlass audit {plugin}: {}", String::from_utf8_lossy(&ended.stderr)).into()),
    }
}
