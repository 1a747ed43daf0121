//! Takes one step back. Steps are taken back in reverse order, each as far as it got, and a second time after an
//! interruption: restoring what is already restored changes nothing.

use crate::apply::leaf_set;
use crate::evidence::{date, seen, wait_until_normal, wait_until_served};
use crate::health::is_away;
use crate::memory::{Known, Remembered, is_as_before, is_going_back, keep_going_back, was_in_date};
use crate::names::{
    ENDPOINT, GENERATE, KEY_PASSWORD, LEAF_CERT, LEAF_KEY, NO_WAY_BACK, REPLACE, RESTART, ROOT_CERT,
    ROOT_KEY, ROOT_SET,
};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters, Strategy};
use crate::steps::Step;
use windlass_sdk::Fault;
use windlass_sdk::host::{clock, operator};
use windlass_sdk::run::StagedSet;

pub fn undo(step: Step) -> Result<(), Fault> {
    let parameters = Parameters::read()?;
    let pair = Pair::bound()?;
    if matches!(step, Step::Copy(_) | Step::Replace(_) | Step::Restart(_)) {
        way_back(&pair)?;
    }
    match step {
        Step::Acknowledge => Ok(()),
        // Objects of the run go with the run; only the product's generator wrote on a node.
        Step::Root if parameters.ca == Ca::Product => pair.node(Role::First).restore(GENERATE),
        Step::Root => Ok(()),
        Step::Stage => Role::BOTH.into_iter().try_for_each(|role| ROOT_SET.discard(pair.node(role))),
        Step::Copy(role) => {
            restore_root(&pair, role)?;
            // The first step that puts anything in place is the last that takes anything back.
            if role == Role::First && parameters.strategy == Strategy::Sequential {
                linked_again(&pair, &parameters)?;
            }
            Ok(())
        }
        Step::Replace(role) => restore_leaf(&pair, role, &parameters),
        Step::Restart(role) => restart(&pair, role, &parameters),
    }
}

/// Says so where what would come back is good no longer: the old certificates were in date when the run began, and
/// are not now. Judged before anything is taken back, so that the run can still go forward.
fn way_back(pair: &Pair) -> Result<(), Fault> {
    if is_going_back()? {
        return Ok(());
    }
    let now = clock::now()?.div_euclid(1_000);
    for role in Role::BOTH {
        if !was_in_date(role)? {
            continue;
        }
        for (what, old) in [("root", Remembered::OldRoot(role)), ("leaf", Remembered::OldLeaf(role))] {
            if let Some(old) = old.recall()?
                && old.not_after <= now
            {
                let name = pair.name(role);
                return Err(Fault::new(
                    NO_WAY_BACK,
                    format!(
                        "the {what} certificate that {name} had before the run expired on {}, while the run stood: put back, it would be of no use",
                        date(old.not_after)
                    ),
                )
                .hint("going forward gives both nodes new certificates, which are in date"));
            }
        }
    }
    keep_going_back()
}

fn restore_root(pair: &Pair, role: Role) -> Result<(), Fault> {
    let node = pair.node(role);
    node.restore(ROOT_CERT)?;
    node.restore(ROOT_KEY)?;
    [ROOT_CERT, ROOT_KEY].into_iter().try_for_each(|file| as_before(pair, role, file))
}

fn restore_leaf(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let node = pair.node(role);
    match parameters.leaf {
        Leaf::Product => node.restore(REPLACE)?,
        Leaf::Host => {
            StagedSet::named(&leaf_set(role)).discard(node)?;
            for file in [LEAF_CERT, LEAF_KEY, KEY_PASSWORD] {
                node.restore(file)?;
            }
        }
    }
    [LEAF_CERT, LEAF_KEY].into_iter().try_for_each(|file| as_before(pair, role, file))
}

/// A service loads its files when it starts. The steps before this one are taken back after it, so the node's old
/// files are put back here first: else the restart would load the new ones again.
fn restart(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let name = pair.name(role);
    restore_leaf(pair, role, parameters)?;
    restore_root(pair, role)?;
    let old = match parameters.strategy {
        Strategy::Sequential => Remembered::OldLeaf(role).expect()?,
        Strategy::Repair => match Remembered::Served(role).recall()? {
            Some(served) => served,
            None => {
                return operator::note(&format!(
                    "{name}: its old files are back. It did not present them when the repair began, so its service is left as it is."
                ));
            }
        },
    };
    if seen(pair.node(role).served(ENDPOINT))?.is_ok_and(|served| served.fingerprint == old.fingerprint) {
        // The restart never came so far, or was taken back already.
        return Ok(());
    }
    load_old_files(pair, role, &old, parameters)
}

/// A node that started by itself meanwhile, after a power cut perhaps, has loaded new files that no step made it load,
/// and keeps to them: it is restarted with its old ones. Asked once all files are back. What the pair itself says
/// decides, for a service shows its leaf and never the root that it trusts.
fn linked_again(pair: &Pair, parameters: &Parameters) -> Result<(), Fault> {
    for role in Role::BOTH {
        let old = Remembered::OldLeaf(role).expect()?;
        if seen(pair.node(role).served(ENDPOINT))?.is_ok_and(|served| served.fingerprint != old.fingerprint) {
            load_old_files(pair, role, &old, parameters)?;
        }
    }
    let mut health = wait_until_normal(pair, parameters.patience)?;
    // A node that started again is standby where the other went on.
    let standby =
        |role: &Role| health.rows.iter().any(|row| row.role == "standby" && row.node == pair.name(*role));
    let mut order = Role::BOTH;
    order.sort_by_key(|role| !standby(role));
    for role in order {
        let Err(problem) = &health.judged else { return Ok(()) };
        if let Some(away) =
            Role::BOTH.map(|role| pair.name(role)).into_iter().find(|name| is_away(&health.rows, name))
        {
            return operator::note(&format!(
                "The old files are back, and will be loaded by {away} when it starts. Until then: {}",
                problem.message
            ));
        }
        let old = Remembered::OldLeaf(role).expect()?;
        load_old_files(pair, role, &old, parameters)?;
        health = wait_until_normal(pair, parameters.patience)?;
    }
    health.judged.map_err(|fault| Fault {
        message: format!("the old files are back and loaded on both nodes, and still {}", fault.message),
        ..fault
    })
}

fn load_old_files(pair: &Pair, role: Role, old: &Known, parameters: &Parameters) -> Result<(), Fault> {
    let name = pair.name(role);
    pair.node(role).run(RESTART).succeed()?;
    wait_until_served(pair, role, old, parameters.patience)?;
    operator::note(&format!("{name}: start HA successfully. It presents its old certificate again."))
}

/// Byte for byte, or as absent, as it was.
fn as_before(pair: &Pair, role: Role, file: &str) -> Result<(), Fault> {
    let name = pair.name(role);
    let digest = pair.node(role).fingerprint(file)?;
    let Some(as_before) = is_as_before(file, role, digest.as_deref())? else {
        return Err(Fault::failed(format!("the run has not kept what {file} on {name} was"))
            .hint("the run's journal may have been changed; see `windlass runs verify`"));
    };
    if as_before {
        return Ok(());
    }
    let now = digest.map_or_else(|| "does not exist".into(), |digest| format!("has the digest {digest}"));
    Err(Fault::failed(format!("{file} on {name} is not what it was before the run: restored, it {now}"))
        .hint("what was saved stays on the node until `windlass runs close`; compare it by hand"))
}
