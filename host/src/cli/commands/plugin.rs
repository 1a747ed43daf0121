//! `windlass plugin list | explain | install | update | remove | sign | bundle`; what an author types has a file each.

mod build;
mod new;
mod test;

use crate::cli::Context;
use crate::cli::commands::site::site_error;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{self, Known, Origin, Reviewed, Signed, Standing, known};
use crate::model::{Accepted, PluginName};
use crate::policy::Met;
use crate::report::{harmless, moment};
use crate::site::Outline;
use camino::Utf8PathBuf;

/// Say which plugins a site has, what each may do, and when it is called
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List procedures, hooks and the site's own profiles: where each comes from, its digest, who signed it
    List,
    /// Say all that is known of one: its file, what it asks for and why, what of that the site grants
    Explain {
        /// A procedure, a hook or a profile
        name: String,
    },
    /// Copy a plugin, a profile or a bundle of them into the site, and write digests into windlass.lock
    ///
    /// Shows what comes and what it asks for, and asks. An update that asks for more than was accepted before says
    /// what. The signature beside the file, FILE.sig, comes with it.
    Install {
        /// A component, a profile (NAME.toml), or what `plugin bundle` wrote
        file: Utf8PathBuf,
        /// Install it unasked
        #[arg(long)]
        yes: bool,
        /// With --yes: also where it asks for more than was accepted before
        #[arg(long, requires = "yes")]
        accept_needs: bool,
    },
    /// Bring an installed plugin or profile anew, from where it came or from a file
    ///
    /// Shows both versions and digests, and what it asks for more or less than before; more must be accepted.
    Update {
        /// A procedure, a hook or a profile
        name: PluginName,
        /// The new file, or a bundle that has it; else the one that windlass.lock names
        file: Option<Utf8PathBuf>,
        /// Update it unasked
        #[arg(long)]
        yes: bool,
        /// With --yes: also where it asks for more than was accepted before
        #[arg(long, requires = "yes")]
        accept_needs: bool,
    },
    /// Take an installed plugin or profile out of the site and out of windlass.lock
    Remove {
        /// A procedure, a hook or a profile
        name: PluginName,
    },
    /// Sign files for sites that say trust = "signed"; each signature is written beside its file
    ///
    /// It is an SSH signature in the namespace windlass-plugin, as `ssh-keygen -Y sign` makes it.
    Sign {
        /// A component, a script, a profile or a bundle
        #[arg(required = true)]
        files: Vec<Utf8PathBuf>,
        /// The key's file, private or public; without it, the one key of the ssh agent that is trusted
        #[arg(long, value_name = "FILE")]
        key: Option<Utf8PathBuf>,
    },
    /// Write what is installed, with signatures and lock, into one file for a site without a network
    Bundle {
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: Utf8PathBuf,
        /// What goes in; without names, all that is installed
        names: Vec<PluginName>,
    },
    /// Rehearse a plugin on a simulated cluster, and compare what it does with what was recorded
    Test(test::Args),
    /// Begin a plugin of your own: a project that builds, with scenarios and what it does on them
    New(new::Args),
    /// Build a plugin's project into a component with its manifest, and check it as installing would
    Build(build::Args),
}

/// Runs `plugin …`.
pub fn run(args: &Args, context: &Context) -> Result {
    // An author needs no site.
    match &args.command {
        Command::Test(args) => return test::run(args, context),
        Command::New(args) => return new::run(args, context),
        Command::Build(args) => return build::run(args, context),
        _ => {}
    }
    if let Command::Sign { files, key } = &args.command {
        return session::sign_files(context, &session::Sign { files: files.clone(), key: key.clone() });
    }
    // No node is asked, and no profile needed: it may be what is installed.
    let site = Outline::load(&context.site_dir).map_err(|errors| site_error(context, &errors))?;
    match &args.command {
        Command::Sign { .. } => Ok(Exit::Done),
        Command::Update { name, file, yes, accept_needs } => {
            let (name, file) = (name.clone(), file.clone());
            let update = session::Update { name, file, yes: *yes, accept_needs: *accept_needs };
            session::update(context, &site, &update)
        }
        Command::Bundle { output, names } => {
            let carry = session::Carry { output: output.clone(), names: names.clone() };
            session::carry(context, &site, &carry)
        }
        Command::Install { file, yes, accept_needs } => {
            let install = session::Install { file: file.clone(), yes: *yes, accept_needs: *accept_needs };
            session::install(context, &site, &install)
        }
        Command::Remove { name } => session::remove(context, &site, name),
        // Done above.
        Command::Test(_) | Command::New(_) | Command::Build(_) => Ok(Exit::Done),
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
    remarks.extend(known.signature.as_ref().map(|signed| match signed {
        Signed::By(signer) => format!("signed by {}", harmless(&signer.principal)),
        Signed::DoesNotCount(_) => "its signature does not count".to_owned(),
    }));
    remarks.extend(known.certified.as_ref().map(|reviewed| match reviewed {
        Reviewed::By { signer, .. } => format!("certified by {}", harmless(&signer.principal)),
        Reviewed::DoesNotCount(_) => "its certification does not count".to_owned(),
    }));
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
    let version = if version.is_empty() { version } else { format!(" {version}") };
    out(format!("{} {}{version}: {summary}", known.kind, known.name));
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
    match &known.signature {
        Some(Signed::By(signer)) => {
            fact("signed by", format!("{} ({})", harmless(&signer.principal), harmless(&signer.key)));
        }
        Some(Signed::DoesNotCount(why)) => fact("signature", format!("does not count: {}", harmless(why))),
        None => {}
    }
    match &known.certified {
        Some(Reviewed::By { signer, at, accepted }) => {
            let by = format!("{} ({})", harmless(&signer.principal), harmless(&signer.key));
            fact("certified", format!("by {by}, {}", moment(at.saturating_mul(1_000))));
            for Accepted { id, reason, .. } in accepted {
                fact("", format!("  accepted {}: {}", harmless(id), harmless(reason)));
            }
        }
        Some(Reviewed::DoesNotCount(why)) => fact("certified", format!("does not count: {}", harmless(why))),
        None => {}
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
    if known.needs.is_empty() && known.problem.is_none() && known.kind != "profile" {
        fact("needs", "nothing".into());
    }
}
