//! `windlass plugin list | explain | install | remove`.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Found, Known, Origin, Standing, known, load};
use crate::model::PluginName;
use crate::policy::Met;
use crate::report::harmless;
use camino::Utf8PathBuf;

/// Say which plugins a site has, what each may do, and when it is called
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List procedures and hooks: where each comes from, its digest, when it is called
    List,
    /// Say all that is known of one: its file, what it asks for and why, what of that the site grants
    Explain {
        /// A procedure or a hook
        name: String,
    },
    /// Copy a component into the site, and write its digest into windlass.lock
    ///
    /// Shows what it asks for, and asks. An update that asks for more than was accepted before says what.
    Install {
        /// The component's file
        file: Utf8PathBuf,
        /// Install it unasked
        #[arg(long)]
        yes: bool,
        /// With --yes: also where it asks for more than was accepted before
        #[arg(long, requires = "yes")]
        accept_needs: bool,
    },
    /// Take an installed plugin out of the site and out of windlass.lock
    Remove {
        /// A procedure or a hook
        name: PluginName,
    },
}

/// Runs `plugin …`.
pub fn run(args: &Args, context: &Context) -> Result {
    let Found { site, .. } = load(context)?;
    match &args.command {
        Command::Install { file, yes, accept_needs } => {
            let install = session::Install { file: file.clone(), yes: *yes, accept_needs: *accept_needs };
            session::install(context, &site, &install)
        }
        Command::Remove { name } => session::remove(context, &site, name),
        Command::List => {
            let all = known(context, &site)?;
            if context.ui.is_json() {
                context.ui.json(&all);
            } else {
                list(context, &all);
            }
            Ok(Exit::Done)
        }
        Command::Explain { name } => {
            let all = known(context, &site)?;
            let found: Vec<&Known> = all.iter().filter(|known| known.name.as_str() == name).collect();
            if found.is_empty() {
                let names: Vec<_> = all.iter().map(|known| known.name.as_str()).collect();
                return Err(Error::new(Exit::Usage, format!("the site has no plugin {name:?}"))
                    .hint(format!("there are: {}", names.join(", "))));
            }
            if context.ui.is_json() {
                context.ui.json(&found);
            } else {
                found.iter().for_each(|known| explain(context, known));
            }
            Ok(Exit::Done)
        }
    }
}

fn from(known: &Known) -> String {
    match (&known.origin, &known.file) {
        (Origin::Bundled, _) => "bundled".into(),
        (Origin::Site, Some(file)) => file.to_string(),
        (Origin::Site, None) => "no file".into(),
    }
}

/// What there is to say of one in a line.
fn remark(known: &Known) -> String {
    if let Some(problem) = &known.problem {
        return format!("cannot be loaded: {}", harmless(problem));
    }
    if known.shadowed {
        return "not used: a file of the site takes its place".into();
    }
    let lacking = known.needs.iter().filter(|need| need.granted != Met::Whole).count();
    let called: Vec<_> =
        known.called.iter().map(|called| format!("{} {}", called.when, called.event)).collect();
    let mut remarks = Vec::new();
    remarks.extend(match known.lock {
        Some(Standing::NotLocked) => Some("not locked".to_owned()),
        Some(Standing::Changed) => Some("NOT what was installed".to_owned()),
        Some(Standing::Locked) | None => None,
    });
    if known.shadows.is_some() {
        remarks.push("takes the place of the bundled one".into());
    }
    if known.kind == "hook" {
        remarks.push(if called.is_empty() {
            "never called: bound nowhere".into()
        } else {
            called.join(", ")
        });
    }
    if lacking > 0 {
        remarks.push(format!("{lacking} of its {} needs not granted as a whole", known.needs.len()));
    }
    remarks.join("; ")
}

fn list(context: &Context, all: &[Known]) {
    let width = |text: &dyn Fn(&Known) -> usize| all.iter().map(text).max().unwrap_or_default();
    let (names, files) = (width(&|known| known.name.as_str().len()), width(&|known| from(known).len()));
    for known in all {
        let line = format!(
            "{:<9}  {:<names$}  {:<8}  {:<files$}  {:<12.12}  {}",
            known.kind,
            known.name,
            harmless(known.version.as_deref().unwrap_or("-")),
            from(known),
            known.digest.as_deref().unwrap_or("-"),
            remark(known)
        );
        context.ui.out(line.trim_end());
    }
}

fn explain(context: &Context, known: &Known) {
    let out = |line: String| context.ui.out(line);
    let summary = known.summary.as_deref().map(harmless).unwrap_or_default();
    let version = known.version.as_deref().map(harmless).unwrap_or_default();
    out(format!("{} {} {version}: {summary}", known.kind, known.name));
    let fact = |name: &str, text: String| out(format!("  {name:<9} {text}"));
    let size = known.bytes.map(|bytes| format!(", {} KiB", bytes.div_ceil(1024))).unwrap_or_default();
    fact("from", format!("{}{size}", from(known)));
    if let Some(digest) = &known.digest {
        fact("sha256", digest.clone());
    }
    if let Some(api) = &known.api {
        fact("api", harmless(api));
    }
    if let Some(lock) = known.lock {
        let standing = match lock {
            Standing::Locked => "as it was installed",
            Standing::Changed => {
                "another file was installed; where trust is not \"dev\", this one does not load"
            }
            Standing::NotLocked => "not in it; where trust is not \"dev\", it does not load",
        };
        fact("lock", standing.into());
    }
    if let Some(problem) = &known.problem {
        fact("problem", harmless(problem));
    }
    if known.shadowed {
        fact("not used", "a file of the site takes its place, as [procedures.NAME] plugin says".into());
    }
    if let Some(bundled) = &known.shadows {
        fact("shadows", format!("the bundled {} {bundled}", known.name));
    }
    for called in &known.called {
        let among: Vec<_> = called.among.iter().map(ToString::to_string).collect();
        let order = match among.len() {
            1 => String::new(),
            _ => format!(", in the order {}", among.join(", ")),
        };
        fact("called", format!("{} {}, on error {}{order}", called.when, called.event, called.on_error));
    }
    if known.kind == "hook" && known.called.is_empty() {
        fact("called", "never: it is bound nowhere in site.toml".into());
    }
    let mut reason = "";
    for need in &known.needs {
        if need.reason != reason {
            reason = &need.reason;
            fact("needs", harmless(reason));
        }
        let granted = match need.granted {
            Met::Whole => "granted",
            Met::Part => "granted in part",
            Met::No => "NOT granted",
        };
        out(format!("            {granted:<15}  {} = [{:?}]", need.list, harmless(&need.pattern)));
    }
    if known.needs.is_empty() && known.problem.is_none() {
        fact("needs", "nothing".into());
    }
}
