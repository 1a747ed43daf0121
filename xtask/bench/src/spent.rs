//! What a run waited for, by its own journal: the time from an effect's intent to its outcome.

use crate::Result;
use camino::Utf8Path;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::process::Command;

/// So many are worth a look.
const MOST: usize = 6;

/// Adds the seconds that the latest run of a state folder spent on each kind of effect.
pub fn add(
    binary: &Utf8Path,
    site: &Utf8Path,
    state: &Utf8Path,
    spent: &mut BTreeMap<String, f64>,
) -> Result<()> {
    let ask = |arguments: &[&str]| -> Result<Vec<Value>> {
        let mut windlass = Command::new(binary);
        windlass.args(["-C", site.as_str(), "--json"]).args(arguments).env("WINDLASS_STATE_DIR", state);
        let output = windlass.output()?;
        if !output.status.success() {
            return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(serde_json::from_slice).collect::<std::result::Result<_, _>>()?)
    };
    let runs = ask(&["runs", "list"])?;
    let latest = runs.iter().filter_map(|run| run["run"].as_str()).max().ok_or("there is no run")?;
    let mut began = HashMap::new();
    for line in ask(&["runs", "show", latest])? {
        let (row, at) = (&line["row"], line["at"].as_f64().unwrap_or(0.0));
        match row["row"].as_str() {
            Some("intent") => {
                let effect = row["effect"]["effect"].as_str().unwrap_or("?").to_owned();
                began.insert(line["sequence"].as_i64(), (effect, at));
            }
            Some("outcome") => {
                if let Some((effect, since)) = began.remove(&row["of"].as_i64()) {
                    *spent.entry(effect).or_insert(0.0) += (at - since) / 1000.0;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Keeps those that took longest.
pub fn most(spent: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut sorted: Vec<_> = spent.into_iter().collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
    sorted.into_iter().take(MOST).collect()
}
