//! What was found and what is done about it, in an operator's words: the notes of preflight, and the impact that
//! is to be acknowledged.

use super::decide::{Certificate, Evidence, Found, Key, Plan, Source, Work, newest};
use crate::evidence::date;
use crate::pair::{Pair, Role};

/// Returns what one node has and presents, as one sentence.
pub fn found(pair: &Pair, role: Role, evidence: &Evidence) -> String {
    let node = evidence.of(role);
    let mut said = format!("{}: {}", pair.name(role), certificate("root", &node.root, evidence.now));
    said += match node.root_key {
        Key::Fits => ", with its key",
        Key::Other => ", and a key that is another root's",
        Key::Shut => ", and a key that the password does not open",
        Key::Missing => ", and no key",
    };
    said += &format!("; {}", certificate("leaf", &node.leaf, evidence.now));
    if let Found::Certificate(leaf) = &node.leaf {
        said += &format!(", issued by {}", leaf.issuer);
        let other = role.other();
        said += &match (node.leaf_of[role as usize], node.leaf_of[other as usize]) {
            (true, _) => String::new(),
            (false, true) => {
                format!(", which holds under the root of {}, not under its own", pair.name(other))
            }
            (false, false) => ", which does not hold under the root beside it".into(),
        };
    }
    said += match node.leaf_key {
        Key::Fits | Key::Shut => "",
        Key::Other => ", and a key that is another certificate's",
        Key::Missing => ", and no key",
    };
    said += &match &node.served {
        Ok(served) if node.leaf.is(served) => "; it presents that leaf".into(),
        Ok(served) => format!("; it presents {} instead", short(served)),
        Err(why) => format!("; it presents nothing ({why})"),
    };
    said + "."
}

fn certificate(what: &str, found: &Found, now: i64) -> String {
    match found {
        Found::Missing => format!("no {what} certificate"),
        Found::Unreadable(why) => format!("no readable {what} certificate ({why})"),
        Found::Certificate(certificate) => {
            format!("{what} {} ({})", short(&certificate.fingerprint), validity(certificate, now))
        }
    }
}

fn validity(certificate: &Certificate, now: i64) -> String {
    let Certificate { not_before, not_after, .. } = certificate;
    match now {
        now if now < *not_before => format!("not valid before {}", date(*not_before)),
        now if now > *not_after => format!("expired on {}", date(*not_after)),
        _ => format!("valid until {}", date(*not_after)),
    }
}

/// Returns which root both nodes are brought to, and why that one.
pub fn decision(pair: &Pair, evidence: &Evidence, plan: &Plan) -> String {
    match plan.source {
        Source::Supplied => "Both nodes are brought to the root that the site supplies.".into(),
        Source::Node(role) => {
            let (node, other) = (pair.name(role), pair.name(role.other()));
            let root =
                evidence.of(role).root.certificate().map(|root| short(&root.fingerprint)).unwrap_or_default();
            let alike = evidence.of(role).root == evidence.of(role.other()).root;
            if alike {
                format!("Both nodes have the root {root}, and {node} its key: it stays.")
            } else {
                format!(
                    "{node} has the newer root, {root}, with its key: {other} is brought to it, and no further root is made."
                )
            }
        }
        Source::New => format!("A new root is made for both nodes: {}.", why_new(pair, evidence)),
    }
}

fn why_new(pair: &Pair, evidence: &Evidence) -> String {
    let Some((role, root)) = newest(evidence) else {
        return "neither has a root certificate that can be read".into();
    };
    let on = format!("the newest root on disk, {} on {},", short(&root.fingerprint), pair.name(role));
    let keys = Role::BOTH
        .into_iter()
        .filter(|role| evidence.of(*role).root.is(&root.fingerprint))
        .map(|role| evidence.of(role).root_key);
    if let Some(unfit) = root.unfit {
        format!("{on} {unfit}")
    } else if evidence.now < root.not_before {
        format!("{on} is {}", validity(root, evidence.now))
    } else if evidence.now > root.not_after {
        format!("{on} {}", validity(root, evidence.now))
    } else if keys.clone().any(|key| key == Key::Fits) {
        // Its key is there: what speaks against it is its end, or the leaves.
        let days = root.not_after.saturating_sub(evidence.now) / 86_400;
        match days {
            0..30 => format!("{on} ends in {days} days"),
            _ => format!("{on} has its key on the nodes, and leaf = \"host\" needs it in Windlass"),
        }
    } else if keys.clone().any(|key| key == Key::Shut) {
        format!("{on} has a key that the password does not open")
    } else {
        format!("{on} has its key on no node")
    }
}

/// Returns what is done on each node and what is noticed of it.
pub fn work(pair: &Pair, plan: &Plan) -> String {
    let of = |role: Role| {
        let Work { copy, replace, restart } = plan.of(role);
        let parts: Vec<&str> =
            [(copy, "the root and its key"), (replace, "a new leaf"), (restart, "a restart")]
                .into_iter()
                .filter_map(|(wanted, what)| wanted.then_some(what))
                .collect();
        let parts = if parts.is_empty() { "nothing".into() } else { parts.join(", ") };
        format!("{} gets {parts}", pair.name(role))
    };
    let restarted: Vec<&str> =
        Role::BOTH.into_iter().filter(|role| plan.of(*role).restart).map(|role| pair.name(role)).collect();
    let noticed = if restarted.is_empty() {
        "Nothing is restarted.".into()
    } else {
        format!(
            "While OMS restarts on {}, MRS Manager may be out of reach and the active role may move; until the end a failure of the active node is not taken over.",
            restarted.join(" and then on ")
        )
    };
    format!(
        "{}; {}. {noticed} What is there now is saved on its node first, and a rollback puts it back as it is, broken or not.",
        of(Role::First),
        of(Role::Second)
    )
}

/// As much of a fingerprint as people compare.
fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(12).collect()
}
