//! Takes one step back. Steps are taken back in reverse order, each as far as it got, and a second time after an
//! interruption: restoring what is already restored changes nothing.

use crate::apply::leaf_set;
use crate::evidence::{CertificateFile, seen, succeeded, wait_until_served};
use crate::memory::{Known, Remembered};
use crate::names::{
    ENDPOINT, GENERATE, KEY_PASSWORD, LEAF_CERT, LEAF_KEY, REPLACE, RESTART, ROOT_CERT, ROOT_KEY, ROOT_SET,
};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters};
use crate::steps::Step;
use windlass_sdk::Fault;
use windlass_sdk::host::operator;

pub fn undo(step: Step) -> Result<(), Fault> {
    let parameters = Parameters::read()?;
    let pair = Pair::bound()?;
    match step {
        // Objects of the run go with the run; only the product's generator wrote on a node.
        Step::Root if parameters.ca == Ca::Product => pair.node(Role::First).restore(GENERATE),
        Step::Root => Ok(()),
        Step::Stage => Role::BOTH.into_iter().try_for_each(|role| pair.node(role).discard(ROOT_SET)),
        Step::Copy(role) => restore_root(&pair, role),
        Step::Replace(role) => restore_leaf(&pair, role, &parameters),
        Step::Restart(role) => restart(&pair, role, &parameters),
    }
}

fn restore_root(pair: &Pair, role: Role) -> Result<(), Fault> {
    let node = pair.node(role);
    node.restore(ROOT_CERT)?;
    node.restore(ROOT_KEY)?;
    old_in_place(pair, role, ROOT_CERT, Remembered::OldRoot(role)).map(|_| ())
}

fn restore_leaf(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let node = pair.node(role);
    match parameters.leaf {
        Leaf::Product => node.restore(REPLACE)?,
        Leaf::Host => {
            node.discard(&leaf_set(role))?;
            for file in [LEAF_CERT, LEAF_KEY, KEY_PASSWORD] {
                node.restore(file)?;
            }
        }
    }
    old_in_place(pair, role, LEAF_CERT, Remembered::OldLeaf(role)).map(|_| ())
}

/// A service loads its files when it starts. The steps before this one are taken back after it, so the node's old
/// files are put back here first: else the restart would load the new ones again.
fn restart(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let name = pair.name(role);
    restore_leaf(pair, role, parameters)?;
    restore_root(pair, role)?;
    let old = Remembered::OldLeaf(role).expect()?;
    if seen(pair.node(role).served(ENDPOINT))?.is_ok_and(|served| served.fingerprint == old.fingerprint) {
        // The restart never came so far, or was taken back already.
        return Ok(());
    }
    succeeded(&pair.node(role).run(RESTART).call()?, RESTART, name)?;
    wait_until_served(pair, role, &old, parameters.patience)?;
    operator::note(&format!("{name}: start HA successfully. It presents its old certificate again."))
}

fn old_in_place(pair: &Pair, role: Role, file: &str, old: Remembered) -> Result<Known, Fault> {
    let old = old.expect()?;
    let found = CertificateFile::read(pair, role, file)?;
    if found.certificate.fingerprint == old.fingerprint {
        return Ok(old);
    }
    Err(Fault::failed(format!(
        "{file} on {} is {} after it was restored, not {} as before the run",
        pair.name(role),
        found.certificate.fingerprint,
        old.fingerprint
    ))
    .hint("what was saved stays on the node until `windlass runs close`; compare it by hand"))
}
