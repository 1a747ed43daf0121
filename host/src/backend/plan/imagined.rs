//! What a run would have made of the cluster so far.

use super::symbols::Symbols;
use crate::backend::staged::Sets;
use crate::capability::files::ResolvedFile;
use crate::model::{
    Certificate, Detail, EndpointName, Fault, KeySet, NodeName, ObjectName, PlannedEffect, PluginName, code,
};
use indexmap::IndexSet;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What a path would hold.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Absent,
    /// Bytes that are known now.
    Known(Arc<Vec<u8>>),
    /// Something that is born in the run, by its name.
    Born(String),
    /// What lies at this place now: nothing has changed there yet.
    Live {
        node: NodeName,
        file: ResolvedFile,
    },
}

/// Something at a path, and who would have put it there.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub held: Held,
    /// By a command, which gives modes and owners as it likes; else as the file is declared.
    pub by_command: bool,
}

/// A certificate: its DER, or the name under which it is born.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paper {
    Known(Vec<u8>),
    Born(String),
}

/// An object of the run.
#[derive(Debug, Clone)]
pub(super) enum Made {
    Key { born: String, algorithm: String },
    Certificate(Paper),
    Secret,
    Canary { under: u32 },
}

impl Made {
    fn word(&self) -> &'static str {
        match self {
            Self::Key { .. } => "a key",
            Self::Certificate(_) => "a certificate",
            Self::Secret => "a secret",
            Self::Canary { .. } => "a canary",
        }
    }
}

/// Who will have signed a certificate that is born.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Itself,
    Issued(Paper),
    /// A command makes it, and only its declaration is known.
    Command,
}

#[derive(Debug, Clone)]
pub(super) struct BornCertificate {
    pub says: Certificate,
    pub origin: Origin,
}

#[derive(Default)]
pub(super) struct Imagined {
    pub symbols: Symbols,
    files: HashMap<(NodeName, String), Laid>,
    pub sets: Sets<Held>,
    served: HashMap<(NodeName, EndpointName), Held>,
    objects: HashMap<(PluginName, ObjectName), Made>,
    pub certificates: HashMap<String, BornCertificate>,
    /// What a key set that is born is.
    pub keysets: HashMap<String, KeySet>,
    /// Nodes that would have been put in quarantine, or with none as the reason released.
    pub quarantined: BTreeMap<NodeName, Option<String>>,
    /// The site's values would have been sealed anew.
    pub rewrapped: bool,
    /// Commands that would have run, by node: what settles them is true from then on.
    pub ran: HashSet<(NodeName, String)>,
    /// A command that restarts something would have run: what is not well now may be well by then.
    pub restarted: bool,
    /// By intent: the effect as the plan shows it.
    pub told: BTreeMap<i64, PlannedEffect>,
    /// What the effect under way makes.
    pub born: Vec<String>,
    pub assumed: IndexSet<String>,
    /// Milliseconds that were waited for.
    pub waited: i64,
}

impl Imagined {
    pub fn at(&self, node: &NodeName, path: &str) -> Option<Laid> {
        self.files.get(&(node.clone(), path.to_owned())).cloned()
    }

    pub fn lay(&mut self, node: &NodeName, path: &str, held: Held, by_command: bool) {
        self.files.insert((node.clone(), path.to_owned()), Laid { held, by_command });
    }

    /// Makes a path what it is on the node; with all below it, where it is a folder.
    pub fn forget(&mut self, node: &NodeName, path: &str) {
        let below = format!("{path}/");
        self.files.retain(|(on, at), _| on != node || (at != path && !at.starts_with(&below)));
    }

    pub fn served(&self, node: &NodeName, endpoint: &EndpointName) -> Option<Held> {
        self.served.get(&(node.clone(), endpoint.clone())).cloned()
    }

    pub fn serve(&mut self, node: &NodeName, endpoint: &EndpointName, held: Held) {
        self.served.insert((node.clone(), endpoint.clone()), held);
    }

    /// Takes an object in, as a run does: a name that is taken is refused.
    pub fn make(&mut self, plugin: &PluginName, name: &ObjectName, made: Made) -> Result<(), Fault> {
        self.free(plugin, name)?;
        self.objects.insert((plugin.clone(), name.clone()), made);
        Ok(())
    }

    pub fn free(&self, plugin: &PluginName, name: &ObjectName) -> Result<(), Fault> {
        if self.has(plugin, name) {
            return Err(Fault::new(
                code::INVALID,
                format!("{plugin} already has an object {name} in this run"),
            ));
        }
        Ok(())
    }

    pub fn has(&self, plugin: &PluginName, name: &ObjectName) -> bool {
        self.objects.contains_key(&(plugin.clone(), name.clone()))
    }

    /// Returns the name under which a key is born, and its algorithm.
    pub fn key(&self, plugin: &PluginName, name: &ObjectName) -> Result<(String, String), Fault> {
        match self.find(plugin, name)? {
            Made::Key { born, algorithm } => Ok((born.clone(), algorithm.clone())),
            other => Err(wrong_kind(name, "a key", other)),
        }
    }

    pub fn certificate(&self, plugin: &PluginName, name: &ObjectName) -> Result<Paper, Fault> {
        match self.find(plugin, name)? {
            Made::Certificate(paper) => Ok(paper.clone()),
            other => Err(wrong_kind(name, "a certificate", other)),
        }
    }

    pub fn secret(&self, plugin: &PluginName, name: &ObjectName) -> Result<(), Fault> {
        match self.find(plugin, name)? {
            Made::Secret => Ok(()),
            other => Err(wrong_kind(name, "a secret", other)),
        }
    }

    /// Returns the version that a canary is sealed under.
    pub fn canary(&self, plugin: &PluginName, name: &ObjectName) -> Result<u32, Fault> {
        match self.find(plugin, name)? {
            Made::Canary { under } => Ok(*under),
            other => Err(wrong_kind(name, "a canary", other)),
        }
    }

    fn find(&self, plugin: &PluginName, name: &ObjectName) -> Result<&Made, Fault> {
        self.objects
            .get(&(plugin.clone(), name.clone()))
            .ok_or_else(|| Fault::new(code::UNKNOWN, format!("{plugin} has no object {name} in this run")))
    }

    /// Returns what a certificate that is born says. One that a command makes says nothing that is known.
    pub fn says(&mut self, born: &str, now: i64) -> BornCertificate {
        if let Some(known) = self.certificates.get(born) {
            return known.clone();
        }
        let symbols = &mut self.symbols;
        let name = |part: &str| format!("{born}.{part}");
        // A day of its own for the end: a decade from now, as the roots of most products.
        let says = Certificate {
            subject: symbols.text(name("subject")),
            issuer: symbols.text(name("issuer")),
            serial: symbols.identifier(name("serial"), 16),
            fingerprint: symbols.sha256(name("fingerprint")),
            not_before: symbols.number(name("not-before"), now - 3_600),
            not_after: symbols.number(name("not-after"), now + 3_650 * 86_400),
            key_algorithm: symbols.text(name("key-algorithm")),
            signature_algorithm: symbols.text(name("signature-algorithm")),
            can_issue: true,
            subject_key_id: symbols.identifier(name("subject-key-id"), 20),
            authority_key_id: symbols.identifier(name("authority-key-id"), 20),
            names: Vec::new(),
        };
        let made = BornCertificate { says, origin: Origin::Command };
        self.certificates.insert(born.to_owned(), made.clone());
        made
    }

    /// Writes symbols for the stand-ins in what an effect stands for: an argument may hold one.
    pub fn shown_detail(&self, detail: Detail) -> Detail {
        let Ok(value) = serde_json::to_value(&detail) else { return detail };
        serde_json::from_value(self.symbols.shown_in(value)).unwrap_or(detail)
    }
}

fn wrong_kind(name: &ObjectName, wanted: &str, found: &Made) -> Fault {
    Fault::new(code::INVALID, format!("{name} is {}, not {wanted}", found.word()))
}
