//! `windlass-bench BINARY COMPONENTS [ENGINES]`: what a release costs, measured from outside where that is possible.
//!
//! Started by `cargo xtask bench`. `start` times the program to its plugin's answer, `call` one call from a
//! guest to the gate and back, `hook` one of a hook, `audit` a whole audit, `whole` an ha-cert on a practice pair beside the product's own scripts, `commit`
//! the journal beside bare SQLite, `rewrap` sealing 100,000 values anew beside a bare loop, `members` a new key set on
//! 50 nodes beside pdsh, `simulated` what 2,000 members cost. Each figure is a median, and says how it was come by.

mod audit;
mod call;
mod commit;
mod hook;
mod machine;
mod members;
mod rewrap;
mod simulated;
mod spent;
mod start;
mod times;
mod whole;

use camino::{Utf8Path, Utf8PathBuf};
use std::process::ExitCode;
use times::Times;

/// What went wrong, in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(Utf8PathBuf::from);
    let (Some(binary), Some(components), engines, None) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: windlass-bench BINARY COMPONENTS [ENGINES]");
        return ExitCode::from(2);
    };
    match measure(&binary, &components, engines.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("windlass-bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn measure(binary: &Utf8PathBuf, components: &Utf8PathBuf, engines: Option<&Utf8Path>) -> Result<()> {
    println!("{}\n", machine::describe());
    let folder = tempfile::tempdir()?;
    let folder =
        Utf8PathBuf::from_path_buf(folder.path().to_path_buf()).map_err(|_| "a path is not UTF-8")?;

    start::measure(binary, &folder)?;
    call::measure(components)?;
    hook::measure(components, engines, &folder)?;
    audit::measure(binary, components, engines)?;
    commit::measure(&folder)?;
    rewrap::measure(&folder)?;
    whole::measure(binary, &folder)?;
    members::measure(binary, &folder)?;
    simulated::measure(binary, &folder)
}

/// Prints one figure beside its goal.
fn tell(what: &str, times: &Times, goal: Option<f64>, note: &str) {
    let verdict = match goal {
        Some(goal) if times.median() < goal => format!("  goal {} met", times::shown(goal)),
        Some(goal) => format!("  goal {} MISSED", times::shown(goal)),
        None => String::new(),
    };
    println!("{what:<52} {:>9}  p95 {:>9}{verdict}", times::shown(times.median()), times::shown(times.p95()));
    println!("    {note}");
}
