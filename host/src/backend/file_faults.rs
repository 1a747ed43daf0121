//! Why a file is not read or written, in the words of every backend.

use crate::capability::files::ResolvedFile;
use crate::model::{Fault, NodeName, code};

pub(super) fn refused(verb: &str, file: &ResolvedFile, node: &NodeName, why: &str) -> Fault {
    Fault::new(code::REFUSED, format!("{verb} {} ({}) on {node}: {why}", file.name, file.path))
}

pub(super) fn refuse_read_only(file: &ResolvedFile, node: &NodeName) -> Result<(), Fault> {
    match file.read_only {
        true => Err(refused("write", file, node, "the profile marks it read-only")),
        false => Ok(()),
    }
}

pub(super) fn missing(file: &ResolvedFile, node: &NodeName) -> Fault {
    Fault::new(code::UNKNOWN, format!("{} ({}) does not exist on {node}", file.name, file.path))
}
