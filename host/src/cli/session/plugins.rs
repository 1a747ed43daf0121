//! The plugin of a run, and the gate between it and the site.

use super::admit::{Admitted, Demand, OwnFile};
use super::certified::certified_envelope;
use super::ending::plugin_error;
use crate::capability::secrets::PasswordPolicy;
use crate::cli::Context;
use crate::cli::error::{Error, Exit};
use crate::model::PluginName;
use crate::plugin::{Kind, Need, Plugin, bundle::Bundle, sha256};
use crate::policy::{Bounds, Gate, Rules};
use crate::site::{GrantBlock, OutsideEnvelope, ProcedureSettings, Site};

/// Loads the plugin of a run. One of the digest `begun` was let through when the run began, which is taken back now.
pub(super) fn load_plugin(
    context: &Context,
    site: &Site,
    name: &PluginName,
    settings: &ProcedureSettings,
    begun: Option<&str>,
) -> std::result::Result<Plugin, Error> {
    let engine = crate::plugin::engine(crate::plugin::Profile::Run).map_err(plugin_error)?;
    if let Some(path) = settings.params.get("plugin") {
        let path = site.dir.join(path);
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::new(
                Exit::Usage,
                format!("the plugin {path} of [procedures.{name}] cannot be read: {error}"),
            )
        })?;
        let own = OwnFile { kind: Kind::Procedure.as_str(), name, path: &path, bytes: &bytes };
        let admitted = match Demand::of(context, site.trust)?.admit(&site.dir, &own) {
            Err(error) if begun == Some(sha256(&bytes).as_str()) => {
                context.ui.warn(format!("{}; the run began with it", error.message));
                Admitted::default()
            }
            admitted => admitted?,
        };
        let plugin = Plugin::compile(&engine, path.as_str(), &bytes).map_err(|error| {
            plugin_error(error).hint(format!("the plugin is {path}, from [procedures.{name}] in site.toml"))
        })?;
        if plugin.name() != name {
            return Err(Error::new(
                Exit::Usage,
                format!("{path} is the plugin {}, and [procedures.{name}] wants {name}", plugin.name()),
            ));
        }
        admitted.holds(plugin.manifest())?;
        return Ok(plugin);
    }
    let Some(embedded) = context.bundle else {
        return Err(Error::new(
            Exit::Usage,
            format!("this windlass was built without its procedures, so there is no {name}"),
        )
        .hint("cargo xtask build puts them in"));
    };
    let bundle = Bundle::open(embedded).map_err(|error| Error::from_error(Exit::Fault, &error))?;
    match bundle.get(&engine, name.as_str()).map_err(plugin_error)? {
        Some(plugin) => Ok(plugin),
        None => {
            let known: Vec<_> = bundle.list().map(|(manifest, _)| manifest.name.to_string()).collect();
            Err(Error::new(Exit::Usage, format!("there is no procedure {name}"))
                .hint(format!("there are: {}", known.join(", "))))
        }
    }
}

/// The names of the procedures that a site can run.
pub(super) fn procedures(context: &Context, site: &Site) -> std::result::Result<Vec<String>, Error> {
    let mut names: Vec<String> = match context.bundle {
        Some(embedded) => {
            let bundle = Bundle::open(embedded).map_err(|error| Error::from_error(Exit::Fault, &error))?;
            bundle.list().map(|(manifest, _)| manifest.name.to_string()).collect()
        }
        None => Vec::new(),
    };
    names.extend(site.procedures.keys().map(ToString::to_string));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Needs ∩ grants. A bundled procedure is granted what it needs, unless the site narrows it.
pub(super) fn gate_for(
    site: &Site,
    plugin: &Plugin,
    settings: &ProcedureSettings,
) -> std::result::Result<Gate, Error> {
    let unless_said = match settings.params.contains_key("plugin") {
        true => Rules::default(),
        false => needs(plugin)?,
    };
    gate_of(site, plugin, unless_said, settings.allow_secret_in_argv)
}

pub(super) fn needs(plugin: &Plugin) -> std::result::Result<Rules, Error> {
    let name = plugin.name();
    let mut needs = Rules::default();
    for need in &plugin.manifest().needs {
        needs.extend(rules(&as_grants(need), &format!("the manifest of {name}"))?);
    }
    Ok(needs)
}

/// A need in the words of `grants.toml`.
pub(super) fn as_grants(need: &Need) -> GrantBlock {
    GrantBlock {
        commands: need.commands.clone(),
        files: need.files.clone(),
        endpoints: need.endpoints.clone(),
        crypto: need.crypto.clone(),
        keyring: need.keyring.clone(),
        secrets: need.secrets.clone(),
        general: need.general.clone(),
        digest: None,
    }
}

/// Holds a plugin to what it was seen to do when it was certified, where somebody has certified these bytes.
pub(super) fn hold(
    context: &Context,
    site: &Site,
    plugin: &Plugin,
    parameters: Vec<(String, String)>,
    gate: Gate,
) -> std::result::Result<Gate, Error> {
    let Some(envelope) = certified_envelope(context, site, plugin)? else { return Ok(gate) };
    Ok(gate.held_to(Bounds {
        envelope,
        nodes: site.nodes.keys().cloned().collect(),
        parameters,
        pauses: site.outside_envelope == OutsideEnvelope::Pause,
    }))
}

/// The gate of a plugin; `unless_said`: what is granted to it where the site says nothing.
pub(super) fn gate_of(
    site: &Site,
    plugin: &Plugin,
    unless_said: Rules,
    allow_secret_in_argv: bool,
) -> std::result::Result<Gate, Error> {
    let name = plugin.name();
    let grants = match site.grants.get(name) {
        Some(block) => {
            if let Some(digest) = &block.digest
                && !plugin.digest().starts_with(digest.as_str())
            {
                return Err(Error::new(
                    Exit::Refused,
                    format!(
                        "[grants.{name}] is meant for the digest {digest}, and the plugin's is {}",
                        plugin.digest()
                    ),
                )
                .hint("review the plugin, then write its digest into grants.toml"));
            }
            rules(block, &format!("[grants.{name}] in grants.toml"))?
        }
        None => unless_said,
    };
    Ok(Gate::new(name.clone(), needs(plugin)?, grants, allow_secret_in_argv))
}

pub(super) fn rules(block: &GrantBlock, place: &str) -> std::result::Result<Rules, Error> {
    Rules::parse(block).map_err(|errors| {
        let mut error = Error::new(Exit::Usage, format!("{place} has patterns that cannot be read"));
        error.causes = errors.iter().map(ToString::to_string).collect();
        error
    })
}

pub(super) fn policy_for(site: &Site, name: &PluginName) -> std::result::Result<PasswordPolicy, Error> {
    let named = site.profile.defaults.get(name).and_then(|defaults| defaults.get("password_policy"));
    match named {
        Some(policy) => policy.parse().map_err(|error| Error::from_error(Exit::Usage, &error)),
        None => Ok(PasswordPolicy::mrs_2()),
    }
}
