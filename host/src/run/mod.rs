//! The step machine: preflight, plan, steps, verification; what is left after a crash; the way back.
//!
//! What remains of a run is a pure function of its journal ([`Position`]); the [`Machine`] does it. It
//! knows a procedure only as [`Procedure`] and a cluster only as [`Ground`], so both can be played in
//! tests without wasm or nodes.
//!
//! Neighbours: `cli` starts and resumes runs; `plugin` is the procedure, `backend` the ground.

mod adopt;
mod ending;
mod ground;
mod hooks;
mod lease;
mod live;
mod looks;
mod machine;
mod planning;
mod plugin;
mod position;
mod procedure;
mod rehearsing;
#[cfg(test)]
mod tests;

pub use adopt::{AdoptError, Adopted, Adoption, adopt};
pub use ending::{Ending, done};
pub use ground::{Ground, GroundError, GroundErrorKind};
pub use hooks::{Hook, HookCalls, MOST_EFFECTS};
pub use machine::{Asker, GoAhead, Machine, Settings};
pub use plugin::{PluginHook, PluginProcedure};
pub use position::{Position, Tracked};
pub use procedure::{Breakage, CallError, Procedure};
