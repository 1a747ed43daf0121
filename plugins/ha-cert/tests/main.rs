//! The procedure against a simulated pair. No wasm: the SDK's mock host answers.

mod apply;
mod manifest;
mod pair;
mod preflight;
mod repair;
mod undo;
mod verify;
