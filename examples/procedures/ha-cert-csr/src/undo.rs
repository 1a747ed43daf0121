//! Takes one step back, as far as it got. Called in reverse order, and again after an interruption: restoring what
//! is restored changes nothing.

use crate::Settings;
use crate::pair::{
    ENDPOINT, FILES, NEW, REQUEST, RESTART, Role, SIGN, recall_old, step, unknown, wait_until_served,
};
use windlass_sdk::{Fault, is_about_authority, node};

pub fn undo(id: &str) -> Result<(), Fault> {
    match step(id)? {
        // Objects of the run go with the run.
        ("root", None) => Ok(()),
        ("leaf", Some(_)) => {
            let first = Role::First.node_name()?;
            node(&first).restore(SIGN)?;
            node(&first).restore(REQUEST)
        }
        ("stage", None) => Role::BOTH.into_iter().try_for_each(|role| NEW.discard(node(&role.node_name()?))),
        ("swap", Some(role)) => restore(&role.node_name()?),
        ("restart", Some(role)) => restart(role),
        _ => Err(unknown(id)),
    }
}

fn restore(name: &str) -> Result<(), Fault> {
    NEW.discard(node(name))?;
    FILES.into_iter().try_for_each(|file| node(name).restore(file))
}

/// A service loads its files when it starts, and the swap is taken back after this: so the old files are put back
/// here first.
fn restart(role: Role) -> Result<(), Fault> {
    let (name, old) = (role.node_name()?, recall_old(role)?);
    restore(&name)?;
    match node(&name).served(ENDPOINT) {
        // The restart never came so far, or was taken back already.
        Ok(served) if served.fingerprint == old => return Ok(()),
        Err(fault) if is_about_authority(&fault) => return Err(fault),
        _ => {}
    }
    node(&name).run(RESTART).succeed()?;
    wait_until_served(&name, &old, Settings::read()?.patience)
}
