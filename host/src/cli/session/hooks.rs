//! The hooks of a run: those that the site binds to its procedure, loaded, each with the gate of its own grants.

use super::admit::{Demand, OwnFile};
use super::ending::plugin_error;
use super::engines::load_engine;
use super::plugins::{gate_of, hold, procedures};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::{Digested, PluginName};
use crate::plugin::cache::Cache;
use crate::plugin::{Engine, Kind, Language, Plugin, Script, ScriptEngine};
use crate::policy::{Gate, Rules};
use crate::run::{Hook, PluginHook};
use crate::site::{HookBinding, Site, hook_file};
use std::collections::HashMap;
use std::sync::Arc;

/// What a run is told of its hooks.
#[derive(Default)]
pub(super) struct Hooks {
    /// In the order in which those of one moment are called.
    pub bound: Vec<Hook>,
    /// Each hook once, by name.
    pub digests: Vec<Digested>,
}

/// A hook that is bound to a procedure which nobody runs would never be called, and nobody would notice.
pub fn check_bindings(context: &Context, site: &Site) -> Result<()> {
    // A windlass that was built without its procedures cannot tell.
    if site.hooks.is_empty() || context.bundle.is_none() {
        return Ok(());
    }
    let known = procedures(context, site)?;
    // Grants and the objects of a run go by names: such a hook would have the procedure's.
    if let Some(binding) =
        site.hooks.iter().find(|hook| known.iter().any(|name| *name == hook.plugin.as_str()))
    {
        return Err(Error::new(
            Exit::Usage,
            format!(
                "the hook {} has the name of a procedure, whose grants and secrets it would share",
                binding.plugin
            ),
        )
        .hint("give the hook a name of its own: its file's, its manifest's, and in [[hooks]] of site.toml"));
    }
    let lost =
        site.hooks.iter().find(|binding| !known.iter().any(|name| *name == binding.procedure.as_str()));
    let Some(binding) = lost else { return Ok(()) };
    Err(Error::new(
        Exit::Usage,
        format!(
            "the hook {} is bound {} {}, and there is no procedure {}",
            binding.plugin,
            binding.when(),
            binding.event(),
            binding.procedure
        ),
    )
    .hint(format!("in [[hooks]] of site.toml, name one of: {}", known.join(", "))))
}

/// Loads the hooks that the site binds to a procedure.
pub(super) fn load_hooks(context: &Context, site: &Site, procedure: &PluginName) -> Result<Hooks> {
    check_bindings(context, site)?;
    let bindings: Vec<&HookBinding> =
        site.hooks_in_order().into_iter().filter(|binding| binding.procedure == *procedure).collect();
    if bindings.is_empty() {
        return Ok(Hooks::default());
    }
    let mut loader = Loader::new(context, site)?;
    let mut loaded: HashMap<&PluginName, (Arc<Plugin>, Gate)> = HashMap::new();
    let mut hooks = Hooks::default();
    for binding in bindings {
        let name = &binding.plugin;
        if !loaded.contains_key(name) {
            let plugin = loader.load(name)?;
            hooks.digests.push(Digested { name: name.to_string(), sha256: plugin.digest().to_owned() });
            let gate = gate_of(site, &plugin, Rules::default(), false)?;
            let gate = hold(context, site, &plugin, Vec::new(), gate)?;
            loaded.insert(name, (Arc::new(plugin), gate));
        }
        if let Some((plugin, gate)) = loaded.get(name) {
            hooks.bound.push(Hook {
                binding: binding.clone(),
                gate: gate.clone(),
                calls: Arc::new(PluginHook::new(plugin.clone())),
            });
        }
    }
    // What runs a script decides what it does, as its own text does.
    hooks.digests.extend(
        loader.engines.values().map(|engine| Digested {
            name: engine.language().engine().into(),
            sha256: engine.digest().into(),
        }),
    );
    hooks.digests.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(hooks)
}

/// Loads hooks, and the engine of each script language once.
struct Loader<'a> {
    context: &'a Context,
    site: &'a Site,
    demand: Demand,
    engine: Engine,
    cache: Cache,
    engines: HashMap<Language, ScriptEngine>,
}

impl<'a> Loader<'a> {
    fn new(context: &'a Context, site: &'a Site) -> Result<Self> {
        let engine = crate::plugin::engine(crate::plugin::Profile::Run).map_err(plugin_error)?;
        let cache = Cache::open(context.cache_dir()?.as_std_path())
            .map_err(|error| Error::from_error(Exit::Usage, &error))?;
        let demand = Demand::of(context, site.trust)?;
        Ok(Self { context, site, demand, engine, cache, engines: HashMap::new() })
    }

    fn load(&mut self, name: &PluginName) -> Result<Plugin> {
        let file = hook_file(&self.site.dir, name).map_err(|error| {
            Error::from_error(Exit::Usage, &error).hint(format!("[[hooks]] in site.toml binds {name}"))
        })?;
        let bytes = std::fs::read(&file)
            .map_err(|error| Error::new(Exit::Usage, format!("the hook {file} cannot be read: {error}")))?;
        let own = OwnFile { kind: Kind::Hook.as_str(), name, path: &file, bytes: &bytes };
        let admitted = self.demand.admit(&self.site.dir, &own)?;
        let unusable = |error| {
            plugin_error(error).hint(format!(
                "[[hooks]] in site.toml binds {name}: put the right file there, or take the binding out"
            ))
        };
        let plugin = match Language::of(file.as_str()) {
            Some(language) => {
                let script = Script::read(file.as_str(), &bytes).map_err(unusable)?;
                Plugin::script(self.script_engine(language)?, script)
            }
            None => self.cache.load(&self.engine, file.as_str(), &bytes).map_err(unusable)?,
        };
        if plugin.manifest().kind != Kind::Hook {
            return Err(Error::new(
                Exit::Usage,
                format!("{file} is a {}, and [[hooks]] binds hooks", plugin.manifest().kind.as_str()),
            )
            .hint(
                "take the binding out of site.toml; a site's own procedure is named under [procedures.NAME]",
            ));
        }
        if plugin.name() != name {
            return Err(Error::new(
                Exit::Usage,
                format!("{file} is the hook {}, and [[hooks]] binds {name}", plugin.name()),
            )
            .hint(format!("call the file {}.wasm, or the hook {name} in its manifest", plugin.name())));
        }
        admitted.holds(plugin.manifest())?;
        Ok(plugin)
    }

    fn script_engine(&mut self, language: Language) -> Result<&ScriptEngine> {
        use std::collections::hash_map::Entry;
        match self.engines.entry(language) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(free) => {
                let engine =
                    load_engine(self.context, self.demand.trust, &self.engine, &self.cache, language)?;
                Ok(free.insert(engine))
            }
        }
    }
}
