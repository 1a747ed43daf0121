//! The update by the product's script where the key set is on no node that the profile knows: where the product keeps
//! its key is not public. What cannot be proven then is acknowledged beforehand, and nothing is claimed that was not
//! seen. What the script said is all there is, so a script that did not say that it is done is for the operator to
//! judge, and is never run a second time by itself.

use crate::memory::{self, UPDATE_SAID};
use crate::names::{KEY, UPDATE};
use crate::parameters::Parameters;
use crate::services;
use key_sets::keys::Compared;
use key_sets::nodes::Nodes;
use windlass_sdk::procedure::Check;
use windlass_sdk::{Fault, host::files, host::operator, node};

/// Added to what is acknowledged.
pub const IMPACT: &str = " Where the product keeps its key is not known here (the profile's cluster-key is on no node): it cannot be proven \
     that a new key was made, that every node has it, and that what was sealed before opens. What the script says, and \
     that the services start, has to do; and the key is not backed up.";

const DONE: &str = "done";

/// The nodes that answer, where none of them has a key set that is known of.
pub fn look(cluster: &Nodes) -> Result<Option<Compared>, Fault> {
    let mut compared = Compared::default();
    for member in files::fingerprint_each(&cluster.all, KEY)? {
        match member.fingerprint {
            Ok(Some(_)) => return Ok(None),
            Ok(None) => compared.same.push(member.node),
            // The profile names no such file.
            Err(fault) if fault.is("unknown") => compared.same.push(member.node),
            Err(fault) if fault.is("unreachable") => compared.away.push(member.node),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(compared))
}

/// Runs the script and keeps what it said, well or not: a step that had failed would be done again.
pub fn update(cluster: &Nodes, parameters: &Parameters) -> Result<(), Fault> {
    services::still_down(cluster, &cluster.present()?, parameters.patience)?;
    let outcome = node(&cluster.first).run(UPDATE).call()?;
    memory::keep(UPDATE_SAID, if outcome.succeeded { DONE } else { &outcome.reason })
}

/// Goes on where the script said that the key is updated and sent; else the operator says whether it is.
pub fn judge(cluster: &Nodes) -> Result<(), Fault> {
    let said = memory::expect(UPDATE_SAID)?;
    if said == DONE {
        return operator::note("The product reports that the key is updated and sent.");
    }
    let impact = format!(
        "{UPDATE} on {} did not say that the root key is updated and sent: {said}. Whether there is a new key, and on \
         which nodes, cannot be seen here, and the cluster is stopped. It must not be started with keys that differ.",
        cluster.first
    );
    match operator::acknowledge("Does every node have the same key, as seen by you?", &impact)? {
        true => Ok(()),
        false => {
            Err(Fault::failed(impact).hint("find out, and resume; rolling back starts the cluster as it is"))
        }
    }
}

/// A key that the script has reported as made and sent cannot be taken away again.
pub fn undo() -> Result<(), Fault> {
    match memory::recall(UPDATE_SAID)?.as_deref() {
        None => Ok(()),
        Some(DONE) => Err(Fault::new(
            "no-way-back",
            "the product reports that the key is updated and sent, and where it is kept is not known here",
        )
        .hint("resume the run: it starts the cluster; the old key is kept by the product")),
        Some(_) => operator::note(
            "What the script has done to the key is not known, and is not taken back; the product keeps the old key.",
        ),
    }
}

/// What the script said, as a check.
pub fn said() -> Result<Check, Fault> {
    let said = memory::expect(UPDATE_SAID)?;
    let check = Check::new("The product's script reports that the key is updated and sent", said == DONE);
    Ok(match said == DONE {
        true => check,
        // The operator has seen to it, and said so.
        false => {
            Check::new("The operator has seen that every node has the same key", true).evidence(UPDATE, said)
        }
    })
}
