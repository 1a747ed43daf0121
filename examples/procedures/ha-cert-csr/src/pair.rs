//! The two nodes, what is kept of each, and the names that procedure and profile agree on.

use std::fmt;
use windlass_sdk::host::{clock, state};
use windlass_sdk::run::{Certificate, Key, Secret, StagedSet};
use windlass_sdk::{Fault, bound, node};

/// Files of the certHA folder.
pub const HA_ROOT: &str = "ha-root-cert";
pub const LEAF_CERT: &str = "ha-leaf-cert";
pub const LEAF_KEY: &str = "ha-leaf-key";
pub const KEY_PASSWORD: &str = "ha-key-password";
pub const FILES: [&str; 4] = [HA_ROOT, LEAF_CERT, LEAF_KEY, KEY_PASSWORD];

/// What stands between the first node and the CA.
pub const ROOT_FILE: &str = "corporate-root";
pub const REQUEST: &str = "corporate-request";
pub const ANSWER: &str = "corporate-answer";
pub const SIGN: &str = "corporate-sign";

pub const RESTART: &str = "restart-ha";
pub const ENDPOINT: &str = "ha";

/// Objects of the run.
pub const ROOT: Certificate = Certificate::named("corporate-root");
pub const PASSWORD: Secret = Secret::named("ha-key");
pub const NEW: StagedSet = StagedSet::named("new");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Active when the run began, whatever its role becomes meanwhile.
    First,
    Second,
}

impl Role {
    pub const BOTH: [Role; 2] = [Role::First, Role::Second];

    pub fn node_name(self) -> Result<String, Fault> {
        bound(&self.to_string())
    }

    pub fn leaf(self) -> Certificate<'static> {
        Certificate::named(match self {
            Role::First => "leaf.first",
            Role::Second => "leaf.second",
        })
    }

    pub fn key(self) -> Key<'static> {
        Key::named(match self {
            Role::First => "leaf-key.first",
            Role::Second => "leaf-key.second",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::First => "first",
            Role::Second => "second",
        })
    }
}

/// Takes a step's id apart: what it does, and on which of the two.
pub fn step(id: &str) -> Result<(&str, Option<Role>), Fault> {
    let (what, role) = id.split_once('@').map_or((id, None), |(what, role)| (what, Some(role)));
    match role.map(|role| Role::BOTH.into_iter().find(|known| known.to_string() == role)) {
        None => Ok((what, None)),
        Some(Some(role)) => Ok((what, Some(role))),
        Some(None) => Err(unknown(id)),
    }
}

pub fn unknown(id: &str) -> Fault {
    Fault::new("invalid", format!("this ha-cert has no step {id:?}"))
}

pub fn corporate_root(first: &str) -> Result<Vec<u8>, Fault> {
    node(first).read(ROOT_FILE)
}

/// Under which name the fingerprint is kept that a node presented when the run began.
pub fn old(role: Role) -> String {
    format!("old.{role}")
}

pub fn recall_old(role: Role) -> Result<String, Fault> {
    state::get(&old(role))?.ok_or_else(|| Fault::failed("the run has not kept what was served before it"))
}

/// Waits until a node presents a certificate. One that does not answer is still starting.
pub fn wait_until_served(name: &str, fingerprint: &str, patience: u32) -> Result<(), Fault> {
    const PAUSE: u32 = 500;
    let mut left = patience;
    loop {
        let seen = match node(name).served(ENDPOINT) {
            Ok(served) if served.fingerprint == fingerprint => return Ok(()),
            Ok(served) => format!("it presents {}", served.fingerprint),
            Err(fault) if fault.is("unreachable") || fault.is("timeout") => fault.message,
            Err(fault) => return Err(fault),
        };
        if left == 0 {
            let seconds = patience / 1_000;
            return Err(Fault::failed(format!(
                "after {seconds} s {name} does not present {fingerprint}: {seen}"
            ))
            .hint(format!("look at the HA service's log on {name}; patience sets how long is waited")));
        }
        let wait = PAUSE.min(left);
        clock::sleep(wait)?;
        left -= wait;
    }
}
