//! A wasm procedure and a wasm hook as the machine sees them.

use super::hooks::HookCalls;
use super::procedure::{Breakage, CallError, Procedure};
use crate::effect::CallPath;
use crate::model::{Check, PlannedStep, StepId};
use crate::plugin::{HookAnswer, HookEvent, Performed, Plugin, PluginError};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub struct PluginProcedure(Arc<Plugin>);

impl PluginProcedure {
    pub fn new(plugin: Arc<Plugin>) -> Self {
        Self(plugin)
    }
}

impl crate::plugin::CallPath for CallPath {
    fn seed(&self) -> [u8; 32] {
        CallPath::seed(self)
    }
    fn perform<'a>(
        &'a mut self,
        effect: crate::model::Effect,
    ) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(CallPath::perform(self, effect))
    }
    fn printed(&mut self, text: String) {
        CallPath::printed(self, text);
    }
}

impl Procedure for PluginProcedure {
    fn steps<'a>(&'a self, mut path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        async move { flat(self.0.procedure_steps(&mut path).await) }.boxed()
    }
    fn apply<'a>(&'a self, step: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move { flat(self.0.procedure_apply(&mut path, step).await) }.boxed()
    }
    fn undo<'a>(&'a self, step: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move { flat(self.0.procedure_undo(&mut path, step).await) }.boxed()
    }
    fn verify<'a>(&'a self, mut path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        async move { flat(self.0.procedure_verify(&mut path).await) }.boxed()
    }
}

pub struct PluginHook(Arc<Plugin>);

impl PluginHook {
    pub fn new(plugin: Arc<Plugin>) -> Self {
        Self(plugin)
    }
}

impl HookCalls for PluginHook {
    fn handle<'a>(
        &'a self,
        event: &'a HookEvent,
        mut path: CallPath,
    ) -> BoxFuture<'a, Result<HookAnswer, CallError>> {
        async move { flat(self.0.hook_handle(&mut path, event).await) }.boxed()
    }
}

fn flat<T>(called: Result<Result<T, crate::model::Fault>, PluginError>) -> Result<T, CallError> {
    match called {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(CallError::Fault(fault)),
        Err(PluginError::Stopped(stop)) => Err(CallError::Stop(stop)),
        Err(error) => {
            let how = match &error {
                PluginError::OutOfTime { .. } | PluginError::OutOfFuel { .. } => Breakage::Time,
                PluginError::OutOfMemory { .. } => Breakage::Memory,
                PluginError::TooMuch { .. } => Breakage::Output,
                _ => Breakage::Trap,
            };
            Err(CallError::Broken(how, error.to_string()))
        }
    }
}
