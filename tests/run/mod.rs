//! The whole of `windlass run ha-cert` on practice pairs: what it leaves, what it never shows, and what happens
//! when it is killed, cut off, interrupted or taken back.

mod adopt;
mod bare;
mod corporate;
mod crash;
pub(crate) mod e2e;
mod exported;
mod faults;
mod keys;
pub(crate) mod leak;
mod lease;
mod matrix;
mod plan;
mod profile;
mod proof;
mod repair;
mod state;
mod states;
mod whole;
