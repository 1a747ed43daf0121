//! Does one step.

use crate::Settings;
use crate::pair::{
    ANSWER, HA_ROOT, KEY_PASSWORD, LEAF_CERT, LEAF_KEY, NEW, PASSWORD, REQUEST, RESTART, ROOT, Role, SIGN,
    corporate_root, step, unknown, wait_until_served,
};
use windlass_sdk::host::{crypto, operator};
use windlass_sdk::{CertificateSource, Content, Entry, Fault, node};

pub fn apply(id: &str) -> Result<(), Fault> {
    match step(id)? {
        ("root", None) => root(),
        ("leaf", Some(role)) => leaf(role),
        ("stage", None) => stage(),
        ("swap", Some(role)) => NEW.swap(node(&role.node_name()?)),
        ("restart", Some(role)) => restart(role),
        _ => Err(unknown(id)),
    }
}

/// Read again: what preflight saw may not be what is there now.
fn root() -> Result<(), Fault> {
    let settings = Settings::read()?;
    let bytes = corporate_root(&Role::First.node_name()?)?;
    settings.is_expected(&bytes)?;
    if settings.root_fingerprint.is_empty() {
        let says = crypto::inspect(&CertificateSource::from(&bytes[..]))?;
        let impact = format!(
            "both nodes will trust {}, SHA-256 {}, and what it issues",
            says.subject, says.fingerprint
        );
        if !operator::acknowledge("Is this the corporate root?", &impact)? {
            return Err(Fault::new("declined", "nobody vouches for the corporate root"));
        }
    }
    ROOT.accept_ca(&bytes).map(drop)
}

fn leaf(role: Role) -> Result<(), Fault> {
    let settings = Settings::read()?;
    let (first, name) = (Role::First.node_name()?, role.node_name()?);
    let (desk, key, leaf) = (node(&first), role.key(), role.leaf());

    key.generate(&settings.algorithm)?;
    let attributes = [("country", &settings.country), ("company", &settings.company), ("common-name", &name)];
    let given = attributes.iter().filter(|(_, value)| !value.is_empty());
    let subject: Vec<Entry> =
        given.map(|(attribute, value)| Entry::new(*attribute, value.as_str())).collect();
    let request = key.request(&subject, std::slice::from_ref(&name))?;
    desk.put(REQUEST, &Content::Bytes(request))?;
    desk.run(SIGN).succeed()?;

    let issued = leaf.accept(key, &desk.read(ANSWER)?)?;
    leaf.chains_to(ROOT)?;
    operator::note(&format!("{name}: the corporate CA issued {}, serial {}.", issued.subject, issued.serial))
}

/// Both nodes before either is changed, so that what follows is renames.
fn stage() -> Result<(), Fault> {
    for role in Role::BOTH {
        let name = role.node_name()?;
        let node = node(&name);
        NEW.stage(node, HA_ROOT, ROOT)?;
        NEW.stage(node, LEAF_CERT, role.leaf())?;
        NEW.stage(node, LEAF_KEY, role.key().under(PASSWORD))?;
        NEW.stage(node, KEY_PASSWORD, PASSWORD)?;
    }
    Ok(())
}

fn restart(role: Role) -> Result<(), Fault> {
    let patience = Settings::read()?.patience;
    let new = |role: Role| role.leaf().inspect().map(|says| says.fingerprint);
    if role == Role::First {
        // Never the one down while the other is not back.
        wait_until_served(&Role::Second.node_name()?, &new(Role::Second)?, patience)?;
    }
    let name = role.node_name()?;
    node(&name).run(RESTART).succeed()?;
    wait_until_served(&name, &new(role)?, patience)
}
