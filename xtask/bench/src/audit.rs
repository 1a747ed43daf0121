//! A whole audit, of a procedure with all its scenarios and of a hook: process start, compiling and report included. How
//! many rehearsals a second that are is told beyond what one of them alone takes, which is mostly starting.

use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::process::{Command, Stdio};

const COUNT: usize = 3;

pub fn measure(binary: &Utf8Path, components: &Utf8Path, engines: Option<&Utf8Path>) -> Result<()> {
    one(binary, "ha-cert", "sequential", 5.0)?;
    one(binary, components.join("health-gate.wasm").as_str(), "every-moment", 1.0)?;
    if engines.is_none() {
        println!("scripts: not audited, as their engines were not built; cargo xtask engines builds them");
        return Ok(());
    }
    for (script, scenario) in [("notify/notify.js", "told"), ("drain/drain.py", "restart")] {
        let script = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scripts").join(script);
        // Compiling an engine takes seconds, and happens once a machine.
        audit(binary, script.as_str(), &["--only", scenario])?;
        one(binary, script.as_str(), scenario, 1.0)?;
    }
    Ok(())
}

fn one(binary: &Utf8Path, plugin: &str, scenario: &str, goal: f64) -> Result<()> {
    let name = Utf8Path::new(plugin).file_name().unwrap_or(plugin);
    let mut rehearsals = 0;
    let whole = Times::of(COUNT, || {
        let report = audit(binary, plugin, &["--json"])?;
        let report: serde_json::Value = serde_json::from_slice(&report)?;
        rehearsals = report["rehearsals"]["count"].as_u64().ok_or("the report counts no rehearsals")?;
        Ok(())
    })?;
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
