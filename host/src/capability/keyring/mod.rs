//! Versioned root keys, as a Google Tink AES-256-GCM key set (JSON): made, read, used, told apart; and the store of
//! values that are sealed under them.
//!
//! A key set lives on the nodes. The controller holds one for as long as it works with it and writes it nowhere:
//! what is here is pure but for randomness, and the store keeps sealed bytes only. Everything read may come from a
//! hostile node: input is capped, parsing never panics, and no error carries a byte of a key. Neighbours: `files`
//! brings a key set to and from its nodes, `secrets` holds what is sealed and opened.

mod error;
mod keyset;
mod material;
mod store;
mod tink;

pub use error::KeyringError;
pub use keyset::{Keyset, LONGEST_VALUE, Status, Version, version_of};
pub use store::{Item, Rewrapped, Store};

#[cfg(test)]
mod tests;
