//! What every backend says of key sets in the same words.

use super::standing::Standing;
use crate::capability::files::ResolvedFile;
use crate::capability::keyring::{KeyringError, Keyset, Rewrapped, Status, Store};
use crate::model::{Event, Fault, KeySet, KeyVersion, NodeName, Quarantine, RunId, code};
use crate::site::Site;

/// A key set without its keys.
pub(crate) fn described(keyset: &Keyset) -> KeySet {
    let versions = keyset.versions().into_iter().map(|version| KeyVersion {
        number: version.number,
        primary: version.primary,
        enabled: version.status == Status::Enabled,
    });
    KeySet { fingerprint: keyset.fingerprint(), versions: versions.collect() }
}

/// Whether a key set is another with one version more, which is its primary.
pub(super) fn is_one_more(before: &Keyset, new: &Keyset) -> bool {
    let mut versions = new.versions();
    let last = versions.pop();
    let numbers = |keyset: Vec<crate::capability::keyring::Version>| {
        keyset.into_iter().map(|version| version.number).collect::<Vec<_>>()
    };
    last.is_some_and(|version| version.primary) && numbers(versions) == numbers(before.versions())
}

/// What asking for a key set that cannot be made is answered with.
pub(super) fn refusal(error: &KeyringError) -> Fault {
    let code = match error {
        KeyringError::NoVersion { .. } => code::UNKNOWN,
        KeyringError::Primary { .. } | KeyringError::TooMany(_) => code::REFUSED,
        _ => code::FAILED,
    };
    Fault::new(code, error.to_string())
}

/// Tells how far sealing anew has come since it was last at `told`.
pub(super) fn tell(
    events: &(dyn Fn(&Event) + Send + Sync),
    told: &mut usize,
    Rewrapped { done, of }: Rewrapped,
) {
    let [done, of] = [done, of].map(|number| usize::try_from(number).unwrap_or_default());
    if let Some(event) = Event::advanced(&"seal the site's values anew", *told, done, of) {
        events(&event);
    }
    *told = done;
}

/// Reads a key set that a node holds.
pub(super) fn parse(json: &[u8], file: &ResolvedFile, node: &NodeName) -> Result<Keyset, Fault> {
    Keyset::parse(json).map_err(|error| {
        Fault::new(code::INVALID, format!("{} ({}) on {node}: {error}", file.name, file.path))
    })
}

/// What of a site's values is sealed under a version, in an operator's words.
pub(crate) fn values_need(site: &Site, version: u32) -> Result<Option<String>, Fault> {
    if !Store::is_there(&site.dir) {
        return Ok(None);
    }
    let store = Store::open(&site.dir).map_err(super::fault(code::FAILED))?;
    let (count, names) = store.under(version).map_err(super::fault(code::FAILED))?;
    let more = if count > 3 { ", …" } else { "" };
    Ok(match names.as_slice() {
        [] => None,
        [name] => Some(format!("the site's value {name} is sealed under it")),
        names => {
            Some(format!("{count} of the site's values are sealed under it: {}{more}", names.join(", ")))
        }
    })
}

/// What earlier runs have left that needs every version but the newest, in an operator's words.
pub(crate) fn standing_needs(standing: &dyn Standing, run: &RunId) -> Result<Vec<String>, Fault> {
    let mut needs = Vec::new();
    for Quarantine { node, reason } in standing.quarantined()? {
        needs.push(format!("{node} is in quarantine and may have nothing newer ({reason})"));
    }
    match standing.keepers(run) {
        Ok(keepers) => needs.extend(
            keepers
                .iter()
                .map(|keeper| format!("the run {keeper} is not closed and keeps the key set as it was")),
        ),
        // Whatever cannot be told may need it.
        Err(fault) => needs.push(fault.message),
    }
    Ok(needs)
}
