//! Decides by evidence: which root both nodes are brought to, and what each of them needs for it. No calls.
//!
//! The newer of the roots on disk is the one that somebody was bringing in last. Where it is good and a node has
//! its key, the pair is brought to it; else it gets a new one. An older root is never gone back to: it was being
//! replaced, and why is not known here.

use crate::pair::Role;

/// A certificate that ends sooner than this is not worth bringing a pair to: the product raises an alarm then.
const LEAST_LEFT: i64 = 30 * 86_400;

/// A certificate file of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Missing,
    /// Why it is no certificate.
    Unreadable(String),
    Certificate(Certificate),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub fingerprint: String,
    pub issuer: String,
    pub not_before: i64,
    pub not_after: i64,
    /// Why it could not be a root.
    pub unfit: Option<&'static str>,
}

/// What the key file beside a certificate is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Fits,
    /// Another certificate's.
    Other,
    /// The password does not open it, so it cannot be told.
    Shut,
    Missing,
}

/// What one node has on disk and presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub root: Found,
    pub root_key: Key,
    pub leaf: Found,
    /// Whether the leaf holds now against the root of the first node, of the second, and the supplied one.
    pub leaf_of: [bool; 3],
    pub leaf_key: Key,
    /// The fingerprint that the service presents, or why it presents none.
    pub served: Result<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of the first and of the second node.
    pub nodes: [Seen; 2],
    /// The product finds the pair normal: its link is up.
    pub normal: bool,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

/// Where the one root comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is made, by whoever the parameter `ca` says.
    New,
    /// A node has it.
    Node(Role),
    /// The site supplies it.
    Supplied,
}

/// What a node needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    pub copy: bool,
    pub replace: bool,
    pub restart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub source: Source,
    /// Of the first and of the second node.
    pub work: [Work; 2],
}

/// What the parameters say, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted<'a> {
    /// The fingerprint of the root that the site supplies.
    pub supplied: Option<&'a str>,
    /// Leaves are issued by Windlass, which needs the root's key as an object of the run.
    pub leaves_by_host: bool,
}

impl Evidence {
    pub fn of(&self, role: Role) -> &Seen {
        &self.nodes[role as usize]
    }

    fn in_date(&self, certificate: &Certificate) -> bool {
        (certificate.not_before..=certificate.not_after).contains(&self.now)
    }
}

impl Plan {
    pub fn of(&self, role: Role) -> Work {
        self.work[role as usize]
    }
}

impl Found {
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Found::Certificate(certificate) => Some(certificate),
            Found::Missing | Found::Unreadable(_) => None,
        }
    }

    pub fn is(&self, fingerprint: &str) -> bool {
        self.certificate().is_some_and(|certificate| certificate.fingerprint == fingerprint)
    }
}

/// Returns what to do; none where there is nothing to repair.
pub fn decide(evidence: &Evidence, wanted: Wanted<'_>) -> Option<Plan> {
    if is_well(evidence) {
        return None;
    }
    if let Some(supplied) = wanted.supplied {
        return Some(bring_to(evidence, Source::Supplied, supplied));
    }
    let complete = newest(evidence).and_then(|(role, root)| {
        let holder = holder(evidence, role, root)?;
        let plan = bring_to(evidence, Source::Node(holder), &root.fingerprint);
        // The key of a root on a node never becomes an object of the run.
        let can_issue = !(wanted.leaves_by_host && plan.work.iter().any(|work| work.replace));
        can_issue.then_some(plan)
    });
    let all = Work { copy: true, replace: true, restart: true };
    Some(complete.unwrap_or(Plan { source: Source::New, work: [all; 2] }))
}

/// One root in date on both, leaves of it in date and presented, keys that fit as far as can be seen, a link.
fn is_well(evidence: &Evidence) -> bool {
    let [first, second] = &evidence.nodes;
    let well = |role: Role| {
        let node = evidence.of(role);
        let (Some(root), Some(leaf)) = (node.root.certificate(), node.leaf.certificate()) else {
            return false;
        };
        evidence.in_date(root)
            && leaf_holds(evidence, node, role as usize)
            && node.served.as_ref() == Ok(&leaf.fingerprint)
            && matches!(node.root_key, Key::Fits | Key::Shut)
    };
    let one_root = first.root.certificate().is_some_and(|root| second.root.is(&root.fingerprint));
    // A key that opens on one node only is not the same key on both.
    evidence.normal && one_root && first.root_key == second.root_key && Role::BOTH.into_iter().all(well)
}

/// Whether a node's leaf can stay under the root that is number `root` of its `leaf_of`.
fn leaf_holds(evidence: &Evidence, node: &Seen, root: usize) -> bool {
    node.leaf.certificate().is_some_and(|leaf| evidence.in_date(leaf))
        && node.leaf_of.get(root) == Some(&true)
        && matches!(node.leaf_key, Key::Fits | Key::Shut)
}

/// The root on disk that was made last, and a node that has it; of two as new as each other, the first's.
pub fn newest(evidence: &Evidence) -> Option<(Role, &Certificate)> {
    let root = |role: Role| evidence.of(role).root.certificate().map(|root| (role, root));
    match (root(Role::First), root(Role::Second)) {
        (Some(first), Some(second)) if second.1.not_before > first.1.not_before => Some(second),
        (first, second) => first.or(second),
    }
}

/// A node from which a root can be taken, with its key.
fn holder(evidence: &Evidence, role: Role, root: &Certificate) -> Option<Role> {
    let good = root.unfit.is_none()
        && evidence.in_date(root)
        && root.not_after.saturating_sub(evidence.now) >= LEAST_LEFT;
    let has = |role: &Role| {
        let node = evidence.of(*role);
        node.root.is(&root.fingerprint) && node.root_key == Key::Fits
    };
    // The other node may have the same root with a key that is the root's, where this one's is not.
    [role, role.other()].into_iter().find(has).filter(|_| good)
}

fn bring_to(evidence: &Evidence, source: Source, root: &str) -> Plan {
    let number = match source {
        Source::Node(role) => role as usize,
        Source::Supplied | Source::New => 2,
    };
    let mut work = Role::BOTH.map(|role| {
        let node = evidence.of(role);
        let has_root = node.root.is(root);
        let replace = !leaf_holds(evidence, node, number);
        let presents =
            node.leaf.certificate().is_some_and(|leaf| node.served.as_ref() == Ok(&leaf.fingerprint));
        Work {
            copy: !has_root || node.root_key != Key::Fits,
            replace,
            restart: replace || !has_root || !presents,
        }
    });
    // Every file is as it should be, and yet there is no link: a service may still run on what it loaded before.
    if !evidence.normal && work.iter().all(|work| !work.restart) {
        for work in &mut work {
            work.restart = true;
        }
    }
    Plan { source, work }
}

#[cfg(test)]
mod tests;
