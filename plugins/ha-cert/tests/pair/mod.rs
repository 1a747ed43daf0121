//! A simulated pair: two nodes whose services present what they loaded when they were last started, and whose
//! link is up only while both trust the same root. Certificates are words (`leaf 3 of 2`), not cryptography.

mod host;
mod product;

use ha_cert::HaCert;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use windlass_sdk::mock::{self, Installed};
use windlass_sdk::procedure::Check;
use windlass_sdk::{Certificate, CertificateSource, Content, Fault, Procedure};

pub const FIRST: &str = "master1";
pub const SECOND: &str = "master2";

/// What can go wrong, by switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// The commands print success and do nothing.
    LyingGenerate,
    LyingReplace,
    LyingRestart,
    /// The leaf is replaced, but by one of the old root.
    LeafOfOldRoot,
    /// The script does its work and exits 1.
    WrongExit,
    RestartFails,
    RestoreLies,
    /// The first restart gives the active role to the other node.
    RoleMoves,
    /// The product's file synchronisation writes the old root back when a leaf is replaced.
    SyncOverwrites,
    KeyFileOpened,
    StandbyDown,
    SecondUnreachable,
    TwoActive,
    NoneActive,
    RolesUnbound,
    RolesSwitched,
    Abnormal,
    ClockOff,
    ClocksApart,
    Full,
    RootKeyMissing,
    NotServing,
    ManagerDown,
    NoManager,
    WeakPassword,
    NobodyToAsk,
    SuppliedRefused,
    NoKeyPassword,
    Denied,
    /// The operator does not acknowledge; there is nobody who could.
    Declines,
    NobodyAcknowledges,
    /// The product's generator makes a root of RSA-1024.
    WeakRoot,
}

#[derive(Debug, Clone, Default)]
pub struct Node {
    /// By name; a value is a certificate in words, or what stands for other content.
    pub files: BTreeMap<String, String>,
    pub staged: BTreeMap<(String, String), String>,
    saved: BTreeMap<String, Option<String>>,
    /// Root and leaf as loaded at the last start.
    pub loaded: (String, String),
    modes: BTreeMap<String, String>,
}

#[derive(Default)]
pub struct Pair {
    pub nodes: BTreeMap<String, Node>,
    pub active: String,
    pub on: BTreeSet<Switch>,
    pub parameters: BTreeMap<String, String>,
    /// Changes, notes and objects, as an operator would read them.
    pub effects: Vec<String>,
    /// Every grant that was made use of, in the syntax of the manifest.
    pub used: BTreeSet<String>,
    state: BTreeMap<String, String>,
    objects: BTreeMap<String, String>,
    made: u32,
    /// The key of a certificate by its number, where it is not `key NUMBER`.
    keys: BTreeMap<u32, String>,
    clock: i64,
    /// The root that the site supplies, in words.
    pub supplied: String,
    /// Until then, by the simulated clock, the health table shows `NULL`.
    null_until: i64,
}

/// A pair with a mock host installed for it.
pub struct Cluster {
    pair: Rc<RefCell<Pair>>,
    _installed: Installed,
}

impl Cluster {
    pub fn new(parameters: &[(&str, &str)]) -> Cluster {
        let mut pair = Pair {
            active: FIRST.into(),
            made: 100,
            clock: NOW * 1_000,
            supplied: "root 50".into(),
            ..Pair::default()
        };
        for (name, leaf) in [(FIRST, "leaf 2 of 1"), (SECOND, "leaf 3 of 1")] {
            let mut node = Node { loaded: ("root 1".into(), leaf.into()), ..Node::default() };
            for (file, content) in [
                ("ha-root-cert", "root 1"),
                ("ha-root-key", "key 1"),
                ("ha-leaf-cert", leaf),
                ("ha-leaf-key", &format!("key {}", number(leaf).unwrap_or_default())),
            ] {
                node.files.insert(file.into(), content.into());
            }
            pair.nodes.insert(name.into(), node);
        }
        pair.parameters.insert("common_name".into(), "HADOOP.COM".into());
        pair.parameters.extend(parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let pair = Rc::new(RefCell::new(pair));
        Cluster { _installed: mock::install(pair.clone()), pair }
    }

    pub fn with(self, switch: Switch) -> Cluster {
        self.change().on.insert(switch);
        self
    }

    pub fn look(&self) -> Ref<'_, Pair> {
        self.pair.borrow()
    }

    pub fn change(&self) -> RefMut<'_, Pair> {
        self.pair.borrow_mut()
    }

    pub fn days_pass(&self, days: i64) {
        self.change().clock += days * DAY * 1_000;
    }

    /// Returns the ids of the plan.
    pub fn plan(&self) -> Result<Vec<String>, Fault> {
        Ok(HaCert::steps()?.into_iter().map(|step| step.id).collect())
    }

    /// Puts a file into the place that a test wants it in.
    pub fn put(&self, node: &str, file: &str, words: &str) {
        let mut pair = self.change();
        let Some(node) = pair.nodes.get_mut(node) else { panic!("no node {node}") };
        match words {
            "" => drop(node.files.remove(file)),
            words => drop(node.files.insert(file.into(), words.into())),
        }
    }

    /// What a service has loaded: root and leaf; both empty where it does not run.
    pub fn load(&self, node: &str, root: &str, leaf: &str) {
        if let Some(node) = self.change().nodes.get_mut(node) {
            node.loaded = (root.into(), leaf.into());
        }
    }

    /// The node loses its power and has it again: its service loads the files of now.
    pub fn starts_again(&self, node: &str) {
        if let Some(node) = self.change().nodes.get_mut(node) {
            let file = |name: &str| node.files.get(name).cloned().unwrap_or_default();
            node.loaded = (file("ha-root-cert"), file("ha-leaf-cert"));
        }
    }

    /// Plans and applies until the first failure, which is returned with the id of its step.
    pub fn apply_all(&self) -> Result<Vec<String>, (String, Fault)> {
        let plan = self.plan().map_err(|fault| ("preflight".to_owned(), fault))?;
        for id in &plan {
            self.change().effects.push(format!("-- {id}"));
            HaCert::apply(id).map_err(|fault| (id.clone(), fault))?;
        }
        Ok(plan)
    }

    /// Takes back a step and all before it, in reverse order.
    pub fn undo_from(&self, last: &str) -> Result<(), Fault> {
        self.undo_of(self.plan_ids(), last)
    }

    /// As [`undo_from`](Self::undo_from), of a plan that is not that of `sequential`.
    pub fn undo_of(&self, mut ids: Vec<String>, last: &str) -> Result<(), Fault> {
        while ids.pop_if(|id| id != last).is_some() {}
        for id in ids.iter().rev() {
            self.change().effects.push(format!("-- undo {id}"));
            HaCert::undo(id)?;
        }
        Ok(())
    }

    fn plan_ids(&self) -> Vec<String> {
        [
            "root@first",
            "stage",
            "copy@first",
            "copy@second",
            "replace@first",
            "restart@first",
            "replace@second",
            "restart@second",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    pub fn verify(&self) -> Vec<Check> {
        HaCert::verify().expect("verify must answer")
    }

    /// The health table shows `NULL` for so long from now.
    pub fn show_null(&self, milliseconds: i64) {
        let mut pair = self.change();
        pair.null_until = pair.clock + milliseconds;
    }

    pub fn effects(&self) -> String {
        self.look().effects.join("\n")
    }

    pub fn clear_effects(&self) {
        self.change().effects.clear();
    }
}

impl Pair {
    fn is(&self, switch: Switch) -> bool {
        self.on.contains(&switch)
    }

    fn node(&mut self, name: &str) -> Result<&mut Node, Fault> {
        if name == SECOND && self.is(Switch::SecondUnreachable) {
            return Err(Fault::new("unreachable", format!("{name} does not answer")));
        }
        self.nodes.get_mut(name).ok_or_else(|| Fault::new("unknown", format!("no node {name}")))
    }

    fn file(&mut self, node: &str, verb: &str, file: &str) -> Result<&mut Node, Fault> {
        self.used.insert(format!("{verb} {file}@{}", role(node)));
        if file == "ha-key-password" && self.is(Switch::NoKeyPassword) {
            return Err(Fault::new("unknown", "the profile declares no file ha-key-password"));
        }
        self.node(node)
    }

    fn effect(&mut self, text: String) {
        self.effects.push(text);
    }

    fn next(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    fn save(&mut self, node: &str, file: &str) -> Result<(), Fault> {
        let node = self.node(node)?;
        let before = node.files.get(file).cloned();
        node.saved.entry(file.into()).or_insert(before);
        Ok(())
    }

    /// Both services trust the same root, and each presents a leaf of it, all in date.
    fn linked(&self) -> bool {
        let loaded: Vec<_> = self.nodes.values().map(|node| node.loaded.clone()).collect();
        loaded.iter().all(|(root, leaf)| root == &loaded[0].0 && holds(leaf, root))
    }

    /// What a key file is to a certificate, both in words, with the password `ha-key`.
    fn key_fit(&self, key: &str, certificate: &str) -> &'static str {
        let (base, under) = key.split_once(" under ").unwrap_or((key, "ha-key"));
        let Some(number) = number(certificate) else { return "shut" };
        match self.keys.get(&number) {
            _ if !base.starts_with("key") => "none",
            _ if under.trim_matches(['<', '>']) != "ha-key" => "shut",
            Some(own) if own == base => "fits",
            None if base == format!("key {number}") => "fits",
            _ => "other",
        }
    }

    fn content(&mut self, content: &Content, file: &str) -> Result<String, Fault> {
        Ok(match content {
            Content::Certificate(name) => self.object(name)?,
            Content::Key(key) => {
                self.used.insert(format!("{} -> file:{file}", key.passphrase));
                format!("{} under {}", self.object(&key.key)?, key.passphrase)
            }
            Content::Secret(name) => {
                self.used.insert(format!("{name} -> file:{file}"));
                format!("<{name}>")
            }
            Content::File(source) => {
                let bytes = self.file(&source.node, "copy", &source.file)?.files.get(&source.file).cloned();
                bytes.ok_or_else(|| Fault::new("unknown", "no such file"))?
            }
            Content::Bytes(_) => return Err(Fault::new("refused", "no step writes bytes of its own")),
        })
    }

    fn object(&self, name: &str) -> Result<String, Fault> {
        self.objects.get(name).cloned().ok_or_else(|| Fault::new("unknown", format!("no object {name}")))
    }

    fn source(&self, source: &CertificateSource) -> Result<String, Fault> {
        match source {
            CertificateSource::Object(name) => self.object(name),
            CertificateSource::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    fn certificate(&self, words: &str) -> Result<Certificate, Fault> {
        let Some(number) = number(words) else { return Err(Fault::new("invalid", "not a certificate")) };
        let from = NOW - 365 * DAY + i64::from(number);
        let until = if expired(words) { NOW - DAY } else { NOW + DAY * i64::from(number) };
        let weak = self.is(Switch::WeakRoot) && words.starts_with("root") && number > 100;
        Ok(Certificate {
            subject: words.into(),
            issuer: issuer(words).map_or(words.into(), |issuer| format!("root {issuer}")),
            serial: format!("{number:02x}"),
            fingerprint: format!("sha-{number}"),
            not_before: from,
            not_after: until,
            key_algorithm: if weak { "rsa-1024" } else { "rsa-3072" }.into(),
            signature_algorithm: "sha256WithRSAEncryption".into(),
            can_issue: words.starts_with("root"),
            subject_key_id: String::new(),
            authority_key_id: String::new(),
            names: Vec::new(),
        })
    }
}

/// Now, in seconds, when a pair is made.
pub const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// `root 7 expired` and `leaf 8 of 7 expired` have ended.
fn expired(words: &str) -> bool {
    words.ends_with(" expired")
}

/// A leaf of this root, both in date; a root holds under itself.
pub fn holds(leaf: &str, root: &str) -> bool {
    let by = leaf == root || (issuer(leaf).is_some() && issuer(leaf) == number(root));
    by && !expired(leaf) && !expired(root)
}

/// `root 1` and `leaf 2 of 1` have the numbers 1 and 2; the issuer of the second is 1.
pub fn number(words: &str) -> Option<u32> {
    words.split(' ').nth(1)?.parse().ok()
}

fn issuer(words: &str) -> Option<u32> {
    words.split(' ').nth(3)?.parse().ok()
}

fn role(node: &str) -> &str {
    if node == FIRST { "first" } else { "second" }
}
