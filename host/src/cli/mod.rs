//! The command line: arguments in, one command called, an exit code out.

pub mod commands;
pub mod error;
mod harden;
mod log;
#[cfg(test)]
mod reference;
mod session;
pub mod ui;

use crate::plugin::bundle::Embedded;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser, Subcommand};
use error::{Error, Exit};
use std::process::ExitCode;

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    pub ui: ui::Ui,
    /// `-C`, else `WINDLASS_SITE`, else the current folder.
    pub site_dir: Utf8PathBuf,
    /// Where runs and the identity are kept, if there is a place: see [`Context::state_dir`].
    pub state: Option<Utf8PathBuf>,
    /// Where compiled plugins are kept, if there is a place: see [`Context::cache_dir`].
    pub cache: Option<Utf8PathBuf>,
    /// The operator's own configuration, if there is a place: who is trusted to approve.
    pub config: Option<Utf8PathBuf>,
    /// The bundled procedures' images; none in a binary built without them.
    pub bundle: Option<Embedded>,
    /// The digests of the script engines that belong to this binary, as JSON; none where it was built without any.
    pub engines: Option<&'static str>,
}

impl Context {
    /// Returns where runs and the identity are kept: `WINDLASS_STATE_DIR`, else the platform's state folder.
    pub fn state_dir(&self) -> Result<&Utf8Path, Error> {
        self.state.as_deref().ok_or_else(|| {
            Error::new(
                Exit::Usage,
                "there is no place to keep runs: neither WINDLASS_STATE_DIR nor HOME is set",
            )
        })
    }

    /// Returns where compiled plugins are kept: `WINDLASS_CACHE_DIR`, else the platform's cache folder.
    pub fn cache_dir(&self) -> Result<&Utf8Path, Error> {
        self.cache.as_deref().ok_or_else(|| {
            Error::new(
                Exit::Usage,
                "there is no place to keep compiled plugins: neither WINDLASS_CACHE_DIR nor HOME is set",
            )
        })
    }
}

/// Rotates the certificates and keys of a running cluster
#[derive(Debug, Parser)]
#[command(name = "windlass", version, disable_help_subcommand = true, max_term_width = 100)]
struct Arguments {
    /// The site's folder
    #[arg(
        short = 'C',
        long = "site",
        value_name = "SITE",
        env = "WINDLASS_SITE",
        default_value = ".",
        global = true
    )]
    site: Utf8PathBuf,
    /// How results are written to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true)]
    format: ui::Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format", global = true)]
    json: bool,
    /// Never ask; fail where an answer is needed
    #[arg(long, global = true)]
    no_input: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: Color,
    /// Say only what is asked for, and errors
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    quiet: bool,
    /// Say also what is only looked at
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a whole ha-cert run on a practice pair
    Demo(commands::demo::Args),
    /// Make a commented site folder
    Init(commands::init::Args),
    /// Check a site, or explain a name in it
    Site(commands::site::Args),
    /// Show what a procedure would do, and change nothing
    Plan(commands::plan::Args),
    /// Show a plan and sign it
    Approve(commands::approve::Args),
    /// Say what a plugin can do, what it does in rehearsals, and what of that should worry you
    ///
    /// Reaches no node. The plugin is rehearsed on a simulated cluster: as its scenarios have it, and then with every
    /// effect failing in turn, with the controller dying at every effect, with hostile answers, at other times and under
    /// other names.
    Audit(commands::audit::Args),
    /// Run a procedure
    Run(commands::run::Args),
    /// Go on with a run that was interrupted or paused
    Resume(commands::resume::Args),
    /// Take back what a run has done
    Rollback(commands::rollback::Args),
    /// List, show or close runs
    Runs(commands::runs::Args),
    /// Show how a site stands: certificates, keys, services, runs
    Status(commands::status::Args),
    /// Keep a site's passwords sealed under the cluster's root key
    Secret(commands::secret::Args),
    /// Show the versions of the cluster's root key
    Keyring(commands::keyring::Args),
    /// Say which plugins a site has, what each may do, and when it is called
    Plugin(commands::plugin::Args),
    /// Sign what an audit says of a plugin, so that hosts which ask for it load the plugin
    Certify(commands::certify::Args),
    /// Run a practice cluster
    Lab(commands::lab::Args),
    /// Make a root CA and its key, as the product's gen-cert.sh does
    GenCert(commands::gen_cert::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Write the manual pages into a folder
    Man(commands::man::Args),
    /// A service of the practice cluster
    #[command(hide = true)]
    LabService(commands::lab::ServiceArgs),
}

impl Command {
    /// Says what alone is written in a format, where that is not this command.
    fn misses(&self, format: ui::Format) -> Option<&'static str> {
        match format {
            ui::Format::Text | ui::Format::Json => None,
            ui::Format::Prometheus => {
                (!matches!(self, Self::Status(_))).then_some("only status is written for Prometheus")
            }
            ui::Format::Scenario => {
                let exports = matches!(self, Self::Runs(args) if args.exports());
                (!exports).then_some("only a run that is exported is written as a scenario")
            }
            ui::Format::Sarif | ui::Format::Html => {
                (!matches!(self, Self::Audit(_))).then_some("only an audit is written as SARIF or HTML")
            }
        }
    }
}

/// Runs the command line; `bundle` and `engines` are what `cargo xtask` put into the binary.
pub fn main(bundle: Option<Embedded>, engines: Option<&'static str>) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help to stdout and mistakes to stderr; a closed stream is no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done } as u8);
        }
    };
    // The practice cluster's services hold practice keys only, and must be able to look at themselves.
    if !matches!(arguments.command, Command::LabService(_)) {
        harden::harden();
    }
    log::begin();
    match arguments.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let format = if arguments.json { ui::Format::Json } else { arguments.format };
    let loudness = match (arguments.quiet, arguments.verbose) {
        (true, _) => ui::Loudness::Quiet,
        (_, true) => ui::Loudness::Verbose,
        _ => ui::Loudness::Normal,
    };
    let ui = ui::Ui::new(format, loudness, arguments.no_input);
    if let Some(only) = arguments.command.misses(format) {
        ui.error(&Error::new(Exit::Usage, only).hint("--format text or json"));
        return ExitCode::from(Exit::Usage as u8);
    }
    let ended =
        context(ui.clone(), arguments.site, bundle, engines).and_then(|context| match arguments.command {
            Command::Demo(args) => commands::demo::run(args, &context),
            Command::Init(args) => commands::init::run(args, &context),
            Command::Site(args) => session::site(args, &context),
            Command::Plan(args) => commands::plan::run(args, &context),
            Command::Approve(args) => commands::approve::run(args, &context),
            Command::Audit(args) => commands::audit::run(args, &context),
            Command::Run(args) => commands::run::run(args, &context),
            Command::Resume(args) => commands::resume::run(args, &context),
            Command::Rollback(args) => commands::rollback::run(args, &context),
            Command::Runs(args) => commands::runs::run(args, &context),
            Command::Status(args) => commands::status::run(&args, &context),
            Command::Secret(args) => commands::secret::run(args, &context),
            Command::Keyring(args) => commands::keyring::run(&args, &context),
            Command::Plugin(args) => commands::plugin::run(&args, &context),
            Command::Certify(args) => commands::certify::run(args, &context),
            Command::Lab(args) => commands::lab::run(&args, &context),
            Command::GenCert(args) => commands::gen_cert::run(args, &context),
            Command::Completions(args) => commands::completions::run(args, &context),
            Command::Man(args) => commands::man::run(args, &context),
            Command::LabService(args) => session::one_thread()?.block_on(commands::lab::run_service(&args)),
        });
    let exit = ended.unwrap_or_else(|error| {
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "error": error.message, "causes": error.causes, "next": error.hints, "exit": error.exit as u8,
            }));
        }
        ui.error(&error);
        error.exit
    });
    ExitCode::from(exit as u8)
}

/// The whole tree of commands, for completions, manual pages and the reference.
pub(crate) fn tree() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

fn context(
    ui: ui::Ui,
    site: Utf8PathBuf,
    bundle: Option<Embedded>,
    engines: Option<&'static str>,
) -> error::Result<Context> {
    let here = std::env::current_dir()
        .ok()
        .and_then(|here| Utf8PathBuf::from_path_buf(here).ok())
        .ok_or_else(|| {
            Error::new(Exit::Usage, "the current folder cannot be used: it is gone or its path is not UTF-8")
        })?;
    let folder = |variable: &str| {
        std::env::var(variable).ok().filter(|value| !value.is_empty()).map(Utf8PathBuf::from)
    };
    let state = folder("WINDLASS_STATE_DIR")
        .or_else(|| folder("XDG_STATE_HOME").map(|state| state.join("windlass")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/windlass")));
    let config = folder("XDG_CONFIG_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".config")))
        .map(|config| here.join(config).join("windlass"));
    let cache = folder("WINDLASS_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("windlass")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/windlass")));
    let place = |folder: Option<Utf8PathBuf>| folder.map(|folder| here.join(folder));
    let (state, cache) = (place(state), place(cache));
    Ok(Context { ui, site_dir: here.join(site), state, cache, config, bundle, engines })
}
