//! What this room and its callers exchange, in the host's own types.

use crate::model::{Answer, Effect, Entry, Fault, Stop};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What performing an effect comes to: an answer or a fault for the guest, or the end of the run.
///
/// With a [`Stop`] the guest is dropped where it stands and never learns of it; the exported call hands
/// the stop back unchanged, as [`PluginError::Stopped`](super::PluginError::Stopped).
pub type Performed = Result<Result<Answer, Fault>, Stop>;

/// Where a guest's effects go: gate, journal, act, record.
///
/// One effect at a time, in the order the guest asks; the guest stands still meanwhile, and that time is
/// not counted as the guest's. Time-outs are the implementation's: nothing here interrupts an effect.
pub trait CallPath: Send {
    /// What decides the random numbers that the guest may draw: the same whenever this call is made again.
    fn seed(&self) -> [u8; 32];

    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>>;

    /// What the guest printed in the call, when that has ended.
    fn printed(&mut self, _text: String) {}
}

/// What a procedure says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub title: String,
    /// What the cluster's users notice.
    pub impact: String,
    pub parameters: Vec<Parameter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub summary: String,
    /// None: a value must be given.
    pub default: Option<String>,
    /// Empty: any text.
    pub choices: Vec<String>,
}

/// What a hook says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookDescription {
    pub title: String,
}

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEvent {
    /// `before-step` …, as `wit/hook.wit` lists them.
    pub code: String,
    pub details: Vec<Entry>,
    /// What the site gives the hook.
    pub parameters: Vec<Entry>,
}

/// What a hook answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    GoOn,
    Veto(String),
    Warn(String),
}

/// What a plugin's exported calls took so far, those that failed included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub calls: u64,
    /// Time in the guest's code, time in effects not counted.
    pub guest: Duration,
    /// Functions of the contract that the guest called.
    pub host_calls: u64,
    /// The largest sum of linear memories of one call, in bytes.
    pub memory: usize,
    /// Fuel used; only with [`Profile::Rehearse`](super::Profile::Rehearse).
    pub fuel: u64,
}
