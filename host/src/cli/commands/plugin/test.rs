//! `windlass plugin test`.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{build, is_stale, load_tested, rehearse, scenario_at, scenarios_of, sources_of};
use crate::plugin::Plugin;
use crate::report;
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a plugin's project, the file of a component, or a script
    #[arg(default_value = ".")]
    path: Utf8PathBuf,
    /// A scenario, in place of all in the folder scenarios/ beside the plugin; may be given again
    #[arg(long, value_name = "FILE")]
    scenario: Vec<Utf8PathBuf>,
    /// Record what is seen now as what is expected
    #[arg(long)]
    bless: bool,
    /// Test again whenever the plugin or a scenario changes, until interrupted
    #[arg(long)]
    watch: bool,
}

/// Between two looks at what is watched.
const EVERY: Duration = Duration::from_millis(300);

pub fn run(args: &Args, context: &Context) -> Result {
    if !args.watch {
        return once(args, context);
    }
    loop {
        // Before: what is saved meanwhile is a change.
        let seen = marks(&args.path, &args.scenario);
        if let Err(error) = once(args, context) {
            context.ui.error(&error);
        }
        context.ui.say("waiting for a change; interrupt to end");
        while marks(&args.path, &args.scenario) == seen {
            std::thread::sleep(EVERY);
        }
    }
}

fn once(args: &Args, context: &Context) -> Result {
    if is_stale(&args.path) {
        build(context, &args.path)?;
    }
    let plugin = Arc::new(load_tested(context, &args.path)?);
    let scenarios = match args.scenario.as_slice() {
        [] => scenarios_of(&args.path)?,
        given => given.to_vec(),
    };
    let mut failed = 0;
    for file in &scenarios {
        failed += usize::from(!one(args, context, &plugin, file)?);
    }
    let ui = &context.ui;
    if failed == 0 {
        return Ok(Exit::Done);
    }
    ui.say(format!("{failed} of {} scenarios did not go as recorded", scenarios.len()));
    ui.say("next: where that is right, record it: windlass plugin test --bless");
    Ok(Exit::Failed)
}

/// Returns whether a scenario went as it is recorded.
fn one(args: &Args, context: &Context, plugin: &Arc<Plugin>, file: &Utf8Path) -> Result<bool> {
    let scenario = scenario_at(file)?;
    let now = rehearse(plugin, &scenario)?;
    let record = file.with_extension("transcript");
    let cannot = |attempted: &str, error: std::io::Error| {
        Error::new(Exit::Usage, format!("the transcript {record} cannot be {attempted}: {error}"))
    };
    let before: Option<Vec<String>> = match std::fs::read_to_string(&record) {
        Ok(text) => Some(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot("read", error)),
    };
    let as_recorded = before.as_ref() == Some(&now);
    if args.bless && !as_recorded {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&record, text).map_err(|error| cannot("written", error))?;
    }
    let difference = before.as_ref().map(|before| report::difference(before, &now)).unwrap_or_default();
    let verdict = match (&before, as_recorded, args.bless) {
        (_, true, _) => "as recorded",
        (_, false, true) => "recorded",
        (None, ..) => "nothing is recorded yet",
        (Some(_), false, false) => "NOT as recorded",
    };
    let ui = &context.ui;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "scenario": file, "verdict": verdict, "transcript": now, "difference": difference,
        }));
    } else {
        ui.out(format!("scenario {file}"));
        now.iter().for_each(|line| ui.out(format!("  {line}")));
        ui.out(format!("{file}: {verdict}"));
        difference.iter().for_each(|line| ui.out(line));
    }
    Ok(as_recorded || args.bless)
}

/// When each file that counts was last written.
fn marks(path: &Utf8Path, scenarios: &[Utf8PathBuf]) -> BTreeMap<Utf8PathBuf, SystemTime> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let mut marks = BTreeMap::new();
    let mut mark = |file: &Utf8Path| {
        if let Ok(modified) = file.metadata().and_then(|metadata| metadata.modified()) {
            marks.insert(file.to_owned(), modified);
        }
    };
    // A folder's own mark moves with what is written into it.
    if path.is_file() {
        mark(path);
    }
    // The component of a project that is built here is no change of its author's.
    let is_built = path.join("Cargo.toml").exists();
    let counts = |file: &Utf8Path| match file.extension() {
        Some("wasm") => !is_built,
        extension => matches!(extension, Some("toml" | "py" | "js")),
    };
    for folder in [folder.to_owned(), folder.join("scenarios"), folder.join("profiles")] {
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            if counts(entry.path()) {
                mark(entry.path());
            }
        }
    }
    scenarios.iter().for_each(|file| mark(file));
    sources_of(folder).iter().for_each(|file| mark(file));
    marks
}
