//! A plugin that is ready to be called: checked, compiled, linked.

use super::anatomy::anatomy;
use super::bindings::{Hook, HookPre, Procedure, ProcedurePre, Script as ScriptWorld, ScriptPre, script_api};
use super::call::{Boxed, Call, Guest};
use super::coverage::{Lines, Measure, marked};
use super::types::Performed;
use super::{
    CallPath, Description, Engine, HookAnswer, HookDescription, HookEvent, Kind, Limits, Manifest,
    PluginError, Script, ScriptEngine, Usage, convert, inspect, manifest,
};
use crate::model::audit::Coverage;
use crate::model::{Check, Effect, Fault, PlannedStep, PluginName, StepId, code};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::Component;

/// A checked, compiled and linked component with its manifest.
pub struct Plugin {
    manifest: Manifest,
    digest: String,
    exports: Exports,
    engine: Engine,
    limits: Limits,
    usage: Mutex<Usage>,
    /// What of its code ran; or why nobody can say.
    measure: Result<Arc<Measure>, String>,
}

enum Exports {
    Procedure(ProcedurePre<Guest>),
    Hook(HookPre<Guest>),
    Script(ScriptPre<Guest>, script_api::Script),
}

/// Why nobody can say what of a plugin's code ran, where nothing else is known.
const NOT_MEASURED: &str = "it was not measured";

/// What marking a script may take: a few hundred kilobytes of JavaScript can be marked with it.
const MARKING: Limits =
    Limits { memory: 256 << 20, time: Duration::from_secs(4), fuel: 20_000_000_000, copy: 8 << 20 };

/// Makes what enters one export in a fresh instance, and reads afterwards what of its code ran.
macro_rules! export {
    ($plugin:ident, $world:ident $exports:expr, $api:ident.$function:ident($($argument:expr),*)) => {{
        let exports = $exports.clone();
        let measure = $plugin.measure.as_ref().ok().cloned();
        move |store| {
            Box::pin(async move {
                let Some(measure) = measure else {
                    let instance = exports.instantiate_async(&mut *store).await?;
                    return instance.$api().$function(store $(, $argument)*).await;
                };
                let instance = exports.instance_pre().instantiate_async(&mut *store).await?;
                measure.begin(store, &instance).await?;
                let world = $world::new(&mut *store, &instance)?;
                let answer = world.$api().$function(&mut *store $(, $argument)*).await?;
                measure.end(store, &instance).await?;
                Ok(answer)
            })
        }
    }};
}

impl Plugin {
    /// Checks and compiles a component. `file` names it in errors. Takes about 15 ms for a small one, so a
    /// site's own plugins come from [`Cache`](super::cache::Cache) instead.
    pub fn compile(engine: &Engine, file: &str, component: &[u8]) -> Result<Self, PluginError> {
        let manifest = Self::inspect(file, component)?;
        let compiled = Component::from_binary(&engine.wasmtime, component)
            .map_err(|error| PluginError::Compile { plugin: file.into(), why: cause(&error) })?;
        Self::link(engine, manifest, inspect::sha256(component), &compiled)
    }

    /// Checks and compiles a component so that it can be said afterwards what of its code its calls reached. It does
    /// what the component does, and takes more fuel for it; [`Self::coverage`] says where it cannot be measured.
    pub fn compile_measured(engine: &Engine, file: &str, component: &[u8]) -> Result<Self, PluginError> {
        let manifest = Self::inspect(file, component)?;
        let anatomy = anatomy(file, component)?;
        let unmeasured = |why: String| {
            let mut plugin = Self::compile(engine, file, component)?;
            plugin.measure = Err(why);
            Ok(plugin)
        };
        if !anatomy.is_native() {
            return unmeasured(format!("its code is data of the {} engine in it", anatomy.language));
        }
        let (made, marks) = match marked(component) {
            Ok(made) => made,
            Err(why) => return unmeasured(why),
        };
        let Ok(compiled) = Component::from_binary(&engine.wasmtime, &made) else {
            return unmeasured("it cannot be compiled with marks".into());
        };
        let mut plugin = Self::link(engine, manifest, inspect::sha256(component), &compiled)?;
        plugin.measure = Ok(Arc::new(Measure::Marks(marks)));
        Ok(plugin)
    }

    /// Returns how much of its code its calls reached so far.
    pub fn coverage(&self) -> Coverage {
        match &self.measure {
            Ok(measure) => measure.coverage(),
            Err(why) => Coverage::NotMeasurable { why: why.clone() },
        }
    }

    /// Whether what its calls reach is measured.
    pub fn is_measured(&self) -> bool {
        self.measure.is_ok()
    }

    /// Checks all that can be checked of a component without compiling it, and returns its manifest.
    pub fn inspect(file: &str, component: &[u8]) -> Result<Manifest, PluginError> {
        let manifest = manifest::read(component)
            .map_err(|source| PluginError::Manifest { plugin: file.into(), source })?;
        inspect::check_imports(file, component)?;
        Ok(manifest)
    }

    /// A script with the engine that runs it.
    pub fn script(engine: &ScriptEngine, script: Script) -> Self {
        Self {
            manifest: script.manifest,
            digest: script.digest,
            exports: Exports::Script(engine.exports.clone(), script.script),
            engine: engine.engine.clone(),
            limits: Limits::default(),
            usage: Mutex::default(),
            measure: Err(NOT_MEASURED.into()),
        }
    }

    /// A script with the engine that runs it, so that it can be said afterwards which of its lines ran: it is marked
    /// once, in an instance of its own. [`Self::coverage`] says where it cannot be measured.
    pub async fn script_measured(engine: &ScriptEngine, script: Script) -> Self {
        let mut plugin = Self::script(engine, script);
        let measure = plugin.mark_lines(engine).await;
        plugin.measure = measure.map(|lines| Arc::new(Measure::Lines(lines)));
        plugin
    }

    async fn mark_lines(&mut self, engine: &ScriptEngine) -> Result<Lines, String> {
        let (Some(exports), Some(marker)) = (engine.lines, engine.marker.clone()) else {
            return Err(format!("the engine of {} scripts does not tell which lines run", engine.language()));
        };
        let Exports::Script(_, script) = &mut self.exports else { return Err(NOT_MEASURED.into()) };
        let text = script.text.clone();
        let plugin = self.manifest.name.as_str();
        let marking = Call { engine: &self.engine, limits: MARKING, plugin, call: "mark()" };
        let marked = marking
            .run(&mut NoEffects, &Mutex::default(), move |store| {
                Box::pin(async move { marker.mark(store, &text).await })
            })
            .await;
        let (text, lines) = marked.map_err(|error| match error {
            PluginError::Trapped { why, .. } => format!("it cannot be marked: {why}"),
            error => error.to_string(),
        })??;
        script.text = text;
        Ok(Lines::new(exports, lines))
    }

    /// Links what was compiled before, here or in another process of this build.
    pub(super) fn link(
        engine: &Engine,
        manifest: Manifest,
        digest: String,
        component: &Component,
    ) -> Result<Self, PluginError> {
        let plugin = manifest.name.to_string();
        // Every interface of the contract is linked whether the plugin needs it or not: what it may not do
        // is answered with a denial, as a value, which a failed start could not be.
        let linked = engine
            .linker
            .instantiate_pre(component)
            .map_err(|error| PluginError::Link { plugin: plugin.clone(), why: cause(&error) })?;
        let lacking = |error: wasmtime::Error| PluginError::Export {
            plugin: plugin.clone(),
            kind: manifest.kind.as_str(),
            why: cause(&error),
        };
        let exports = match manifest.kind {
            Kind::Procedure => Exports::Procedure(ProcedurePre::new(linked).map_err(lacking)?),
            Kind::Hook => Exports::Hook(HookPre::new(linked).map_err(lacking)?),
        };
        Ok(Self {
            manifest,
            digest,
            exports,
            engine: engine.clone(),
            limits: Limits::default(),
            usage: Mutex::default(),
            measure: Err(NOT_MEASURED.into()),
        })
    }

    /// Bounds each exported call by other limits than the default ones.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn name(&self) -> &PluginName {
        &self.manifest.name
    }
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
    /// SHA-256 of the component, manifest included, or of the script, in lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }
    /// Returns what the exported calls took so far.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `procedure-api.describe`. The guest gets nothing done meanwhile: every effect is refused.
    pub async fn procedure_describe(&self) -> Result<Description, PluginError> {
        let exports = self.procedure()?;
        let call = "describe()";
        let answer = self
            .call(
                call,
                &mut NoEffects,
                export!(self, Procedure exports, windlass_plugin_procedure_api.call_describe()),
            )
            .await?;
        self.checked(call, convert::description(answer))
    }

    /// `procedure-api.steps`: the steps in order (none: nothing to do), or why preflight refused.
    pub async fn procedure_steps(
        &self,
        path: &mut dyn CallPath,
    ) -> Result<Result<Vec<PlannedStep>, Fault>, PluginError> {
        let exports = self.procedure()?;
        let call = "steps()";
        let answer = self
            .call(call, path, export!(self, Procedure exports, windlass_plugin_procedure_api.call_steps()))
            .await;
        self.answered(call, answer, convert::steps)
    }

    /// `procedure-api.apply`.
    pub async fn procedure_apply(
        &self,
        path: &mut dyn CallPath,
        step: &StepId,
    ) -> Result<Result<(), Fault>, PluginError> {
        let exports = self.procedure()?;
        let call = format!("apply({step})");
        let step = step.to_string();
        let answer = self
            .call(
                &call,
                path,
                export!(self, Procedure exports, windlass_plugin_procedure_api.call_apply(&step)),
            )
            .await;
        self.answered(&call, answer, Ok)
    }

    /// `procedure-api.undo`.
    pub async fn procedure_undo(
        &self,
        path: &mut dyn CallPath,
        step: &StepId,
    ) -> Result<Result<(), Fault>, PluginError> {
        let exports = self.procedure()?;
        let call = format!("undo({step})");
        let step = step.to_string();
        let answer = self
            .call(
                &call,
                path,
                export!(self, Procedure exports, windlass_plugin_procedure_api.call_undo(&step)),
            )
            .await;
        self.answered(&call, answer, Ok)
    }

    /// `procedure-api.verify`.
    pub async fn procedure_verify(
        &self,
        path: &mut dyn CallPath,
    ) -> Result<Result<Vec<Check>, Fault>, PluginError> {
        let exports = self.procedure()?;
        let call = "verify()";
        let answer = self
            .call(call, path, export!(self, Procedure exports, windlass_plugin_procedure_api.call_verify()))
            .await;
        self.answered(call, answer, convert::checks)
    }

    /// `hook-api.describe`. The guest gets nothing done meanwhile: every effect is refused.
    pub async fn hook_describe(&self) -> Result<HookDescription, PluginError> {
        if let Exports::Script(..) = &self.exports {
            return Ok(HookDescription { title: self.manifest.summary.clone() });
        }
        let exports = self.hook()?;
        let call = "describe()";
        let answer = self
            .call(call, &mut NoEffects, export!(self, Hook exports, windlass_plugin_hook_api.call_describe()))
            .await?;
        self.checked(call, convert::hook_description(answer))
    }

    /// `hook-api.handle`, or `script-api.handle` of the engine.
    pub async fn hook_handle(
        &self,
        path: &mut dyn CallPath,
        event: &HookEvent,
    ) -> Result<Result<HookAnswer, Fault>, PluginError> {
        let call = format!("handle({})", event.code);
        let event = convert::event(event);
        if let Exports::Script(engine, script) = &self.exports {
            let script = script.clone();
            let answer = self
                .call(&call, path, export!(self, ScriptWorld engine, windlass_plugin_script_api.call_handle(&script, &event)))
                .await;
            return self.answered(&call, answer, convert::hook_answer);
        }
        let exports = self.hook()?;
        let answer = self
            .call(&call, path, export!(self, Hook exports, windlass_plugin_hook_api.call_handle(&event)))
            .await;
        self.answered(&call, answer, convert::hook_answer)
    }

    fn procedure(&self) -> Result<&ProcedurePre<Guest>, PluginError> {
        match &self.exports {
            Exports::Procedure(exports) => Ok(exports),
            Exports::Hook(_) | Exports::Script(..) => Err(self.not_a("procedure")),
        }
    }

    fn hook(&self) -> Result<&HookPre<Guest>, PluginError> {
        match &self.exports {
            Exports::Hook(exports) => Ok(exports),
            Exports::Procedure(_) | Exports::Script(..) => Err(self.not_a("hook")),
        }
    }

    fn not_a(&self, wanted: &'static str) -> PluginError {
        PluginError::Kind { plugin: self.name().to_string(), is: self.manifest.kind.as_str(), wanted }
    }

    async fn call<T: Send>(
        &self,
        call: &str,
        path: &mut dyn CallPath,
        enter: impl for<'s> FnOnce(&'s mut Store<Guest>) -> Boxed<'s, wasmtime::Result<T>> + Send,
    ) -> Result<T, PluginError> {
        Call { engine: &self.engine, limits: self.limits, plugin: self.name().as_str(), call }
            .run(path, &self.usage, enter)
            .await
    }

    fn answered<G, T>(
        &self,
        call: &str,
        answer: Result<Result<G, super::bindings::types::Fault>, PluginError>,
        convert: impl FnOnce(G) -> Result<T, String>,
    ) -> Result<Result<T, Fault>, PluginError> {
        match answer {
            Ok(Ok(value)) => self.checked(call, convert(value)).map(Ok),
            Ok(Err(fault)) => self.checked(call, convert::fault(fault)).map(Err),
            Err(PluginError::Faulted(fault)) => Ok(Err(fault)),
            Err(error) => Err(error),
        }
    }

    fn checked<T>(&self, call: &str, checked: Result<T, String>) -> Result<T, PluginError> {
        checked.map_err(|why| PluginError::Garbage {
            plugin: self.name().to_string(),
            call: call.into(),
            why,
        })
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", self.name())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A description is asked for where no run is, so nothing can happen.
struct NoEffects;

impl CallPath for NoEffects {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(async move {
            Ok(Err(Fault::new(code::REFUSED, format!("a plugin cannot {effect} while it describes itself"))))
        })
    }
}

pub(super) fn cause(error: &wasmtime::Error) -> String {
    inspect::shown(&format!("{error:#}"), 500)
}
