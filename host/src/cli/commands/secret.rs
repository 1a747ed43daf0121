//! `windlass secret`: passwords of a site, sealed under the cluster's root key.

use crate::capability::keyring::{Item, KeyringError, Keyset, Store};
use crate::capability::secrets::source::{self, Wanted};
use crate::capability::secrets::{Secret, SecretError};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{Found, load, on_managers};
use crate::report;
use crate::site::{SecretSource, Site};
use camino::Utf8PathBuf;
use std::io::IsTerminal as _;

/// Keep a site's passwords sealed under the cluster's root key
///
/// A value is sealed with AES-256-GCM under the version that is primary in the cluster's key set, for its name,
/// and kept in `secrets.db` of the site's folder. The key set is read from the managers each time and kept nowhere.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Seal a value under the current version and keep it, in place of the one that the name had
    ///
    /// The value comes from --file, else from standard input, else it is asked for, twice and unseen. One line
    /// ending at its end is dropped. At most 4096 bytes.
    Put {
        /// One line without a slash, at most 200 bytes
        name: String,
        /// Read the value from this file
        #[arg(long, value_name = "PATH")]
        file: Option<Utf8PathBuf>,
    },
    /// Print a value to a pipe or a file, as it is and without a line ending
    Get {
        /// As `secret list` shows it
        name: String,
        /// Print it also to a terminal
        #[arg(long)]
        show: bool,
    },
    /// List the names, and the version that each value is sealed under; no node is asked
    List,
    /// Remove a value; no node is asked
    Remove {
        /// As `secret list` shows it
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Seal every value anew that is not sealed under the current version; interrupted, it goes on at the next call
    Rewrap,
}

/// Runs `secret …`.
pub fn run(args: Args, context: &Context) -> Result {
    let Found { site, .. } = load(context)?;
    match args.command {
        Command::Put { name, file } => put(context, &site, &name, file),
        Command::Get { name, show } => get(context, &site, &name, show),
        Command::List => list(context, &site),
        Command::Remove { name, yes } => remove(context, &site, &name, yes),
        Command::Rewrap => rewrap(context, &site),
    }
}

pub(super) fn store(site: &Site) -> std::result::Result<Store, Error> {
    Store::open(&site.dir).map_err(keyring_error)
}

pub(super) fn keyring_error(error: KeyringError) -> Error {
    let exit = match &error {
        KeyringError::Library { .. } => Exit::Fault,
        KeyringError::UnknownVersion { .. } | KeyringError::Damaged | KeyringError::Disabled { .. } => {
            Exit::Failed
        }
        _ => Exit::Usage,
    };
    let hint = match &error {
        KeyringError::UnknownVersion { .. } => {
            Some("windlass keyring info shows the versions that there are")
        }
        KeyringError::Damaged => Some("put the value anew; nothing of it was changed"),
        _ => None,
    };
    let error = Error::from_error(exit, &error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn put(context: &Context, site: &Site, name: &str, file: Option<Utf8PathBuf>) -> Result {
    // What is wrong with the name or the value is said before any node is asked.
    let store = store(site)?;
    Store::check_name(name).map_err(keyring_error)?;
    let value = read_value(context, site, name, file)?;
    let keyset = on_managers(context, site)?;
    let now = jiff::Timestamp::now().as_millisecond();
    store.put(&keyset, name, &value, now).map_err(keyring_error)?;
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({ "name": name, "version": keyset.primary() }));
    } else {
        context.ui.say(format!("{name} is sealed under version {}", keyset.primary()));
    }
    Ok(Exit::Done)
}

fn read_value(
    context: &Context,
    site: &Site,
    name: &str,
    file: Option<Utf8PathBuf>,
) -> std::result::Result<Secret, Error> {
    let source = match file {
        // From where the command was typed, not from the site's folder.
        Some(path) => SecretSource::File(
            std::path::absolute(&path).ok().and_then(|p| p.try_into().ok()).unwrap_or(path),
        ),
        None if std::io::stdin().is_terminal() => SecretSource::Prompt,
        None => SecretSource::Descriptor(0),
    };
    let mut ask = source::terminal;
    let prompt = format!("Value of {name}:");
    let wanted = Wanted { name, prompt: &prompt, confirm: true, dir: &site.dir };
    let ask = context.ui.interactive.then_some(&mut ask as source::Ask<'_>);
    let reading = source::read(&source, wanted, ask).map_err(|error| match error {
        SecretError::NobodyToAsk { .. } => Error::new(
            Exit::Usage,
            format!("the value of {name} has to be asked for and there is nobody to ask"),
        )
        .hint(format!("windlass secret put {name} --file PATH, or by way of standard input")),
        SecretError::File { path, source, .. } => {
            Error::new(Exit::Usage, format!("the value of {name} cannot be read from {path}: {source}"))
        }
        other => Error::from_error(Exit::Usage, &other),
    })?;
    reading.warnings.iter().for_each(|warning| context.ui.warn(warning));
    Ok(reading.secret)
}

fn get(context: &Context, site: &Site, name: &str, show: bool) -> Result {
    if context.ui.is_json() {
        return Err(Error::new(Exit::Usage, "get prints the value as it is; leave --json out"));
    }
    if !show && std::io::stdout().is_terminal() {
        return Err(Error::new(
            Exit::Usage,
            "standard output is a terminal, where a value would stay to be read",
        )
        .hint(format!("windlass secret get {name} | …, or --show")));
    }
    let store = store(site)?;
    store.sealed(name).map_err(keyring_error)?;
    let keyset = on_managers(context, site)?;
    let (value, _) = store.get(&keyset, name).map_err(keyring_error)?;
    context.ui.bytes(value.expose()).map_err(|error| {
        Error::new(Exit::Failed, format!("the value could not be written to standard output: {error}"))
    })?;
    Ok(Exit::Done)
}

fn list(context: &Context, site: &Site) -> Result {
    let items = store(site)?.list().map_err(keyring_error)?;
    if context.ui.is_json() {
        let item = |item: &Item| serde_json::json!({ "name": item.name, "version": item.version, "changed": item.changed });
        context.ui.json(&items.iter().map(item).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    if items.is_empty() {
        context.ui.say("there is no secret yet; windlass secret put NAME makes one");
    }
    let width = items.iter().map(|item| item.name.chars().count()).max().unwrap_or_default();
    for Item { name, version, changed, .. } in items {
        // A store that another hand wrote can hold any name, and none steers the terminal.
        let name = report::harmless(&name);
        let version = version.map_or_else(|| "unknown".into(), |version| version.to_string());
        let changed = jiff::Timestamp::from_millisecond(changed)
            .map_or_else(|_| String::new(), |t| t.strftime("%Y-%m-%d").to_string());
        context.ui.out(format!("{name:width$}  version {version:<10}  put {changed}"));
    }
    Ok(Exit::Done)
}

fn remove(context: &Context, site: &Site, name: &str, yes: bool) -> Result {
    let store = store(site)?;
    store.sealed(name).map_err(keyring_error)?;
    if !yes {
        match context.ui.ask(&format!("Remove {name}? Its value is lost.")) {
            Some(true) => {}
            Some(false) => return Err(Error::new(Exit::Failed, format!("{name} stays"))),
            None => {
                return Err(Error::new(
                    Exit::Usage,
                    "removing a value has to be confirmed and there is nobody to ask",
                )
                .hint("add --yes"));
            }
        }
    }
    store.remove(name).map_err(keyring_error)?;
    context.ui.say(format!("{name} is removed"));
    Ok(Exit::Done)
}

fn rewrap(context: &Context, site: &Site) -> Result {
    let mut store = store(site)?;
    let keyset = on_managers(context, site)?;
    let told = store
        .rewrap(&keyset, |told| {
            context.ui.detail(format!("{} of {} values sealed anew", told.done, told.of));
            true
        })
        .map_err(keyring_error)?;
    let all = proven(&store, &keyset)?;
    if context.ui.is_json() {
        let version = keyset.primary();
        context.ui.json(&serde_json::json!({ "version": version, "sealed_anew": told.done, "values": all }));
    } else {
        context.ui.out(format!(
            "{} sealed anew; all {all} are under version {}, none under an older one",
            told.done,
            keyset.primary()
        ));
    }
    Ok(Exit::Done)
}

/// How many values there are, having seen that each is sealed under the primary.
fn proven(store: &Store, keyset: &Keyset) -> std::result::Result<i64, Error> {
    let mut counts = store.by_version().map_err(keyring_error)?;
    let all = counts.remove(&Some(keyset.primary())).unwrap_or_default();
    let left: i64 = counts.values().sum();
    if left > 0 {
        return Err(Error::new(
            Exit::Failed,
            format!("{left} values were put under another version meanwhile"),
        )
        .hint("windlass secret rewrap"));
    }
    Ok(all)
}
