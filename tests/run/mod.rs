//! The whole of `windlass run ha-cert` on practice pairs: what it leaves, what it never shows, and what happens
//! when it is killed, cut off, interrupted or taken back.

mod crash;
mod e2e;
mod leak;
mod profile;
mod proof;
mod repair;
mod states;
mod whole;
