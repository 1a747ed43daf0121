//! The label of a secret: its bytes go into files that are marked secret, and nowhere else.

use super::declared::declaration;
use crate::capability::files::ResolvedFile;
use crate::model::{Content, Fault, code};
use crate::site::Profile;

/// Says whether some content may be written into a file. Copying keeps the label.
pub(super) fn check_label(profile: &Profile, file: &ResolvedFile, content: &Content) -> Result<(), Fault> {
    let secret = match content {
        Content::Bytes(_) if file.secret => {
            return Err(Fault::new(
                code::REFUSED,
                format!("{} is marked secret: it takes keys and secrets of the run, not bytes", file.name),
            ));
        }
        Content::Key { key, .. } => Some(format!("the key {key}")),
        Content::Secret(name) => Some(format!("the secret {name}")),
        Content::File { node, file: from } if declaration(profile, from)?.secret => {
            Some(format!("{from} of {node}"))
        }
        Content::Bytes(_) | Content::Certificate(_) | Content::File { .. } => None,
    };
    match secret {
        Some(what) if !file.secret => Err(Fault::new(
            code::REFUSED,
            format!("{what} is secret, and {} is not marked so in the profile", file.name),
        )),
        _ => Ok(()),
    }
}
