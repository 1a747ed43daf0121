//! The suite: what only the whole can show. One binary; each module is a group with its own time in
//! `cargo xtask test`, which also fails on a file here that no `mod` line reaches.

mod architecture;
mod contract;
