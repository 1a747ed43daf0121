//! A simulated pair: two nodes whose services present what they loaded when they were last started, and whose
//! link is up only while both trust the same root. Certificates are words (`leaf 3 of 2`), not cryptography.

mod product;

use ha_cert::HaCert;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use windlass_sdk::mock::{self, Installed, MockHost};
use windlass_sdk::procedure::Check;
use windlass_sdk::{
    Argument, Certificate, CertificateSource, Content, Entry, Fault, FileStat, HealthRecord, Member, Outcome,
    Procedure, Value,
};

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
    clock: i64,
    /// The root that the site supplies, in words.
    pub supplied: String,
    /// Health is `NULL` for so many more looks.
    pub transient: u32,
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
            clock: 1_800_000_000_000,
            supplied: "root 50".into(),
            ..Pair::default()
        };
        for (name, leaf) in [(FIRST, "leaf 2 of 1"), (SECOND, "leaf 3 of 1")] {
            let mut node = Node { loaded: ("root 1".into(), leaf.into()), ..Node::default() };
            for (file, content) in [
                ("ha-root-cert", "root 1"),
                ("ha-root-key", "key 1"),
                ("ha-leaf-cert", leaf),
                ("ha-leaf-key", "key"),
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

    /// Returns the ids of the plan.
    pub fn plan(&self) -> Result<Vec<String>, Fault> {
        Ok(HaCert::steps()?.into_iter().map(|step| step.id).collect())
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
        let mut ids = self.plan_ids();
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

    /// Both services trust the same root, and each presents a leaf of it.
    fn linked(&self) -> bool {
        let loaded: Vec<_> = self.nodes.values().map(|node| node.loaded.clone()).collect();
        loaded.iter().all(|(root, leaf)| root == &loaded[0].0 && issuer(leaf) == number(root))
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
        let weak = self.is(Switch::WeakRoot) && words.starts_with("root") && number > 100;
        Ok(Certificate {
            subject: words.into(),
            issuer: issuer(words).map_or(words.into(), |issuer| format!("root {issuer}")),
            serial: format!("{number:02x}"),
            fingerprint: format!("sha-{number}"),
            not_before: 1_800_000_000,
            not_after: 1_800_000_000 + 86_400 * i64::from(number),
            key_algorithm: if weak { "rsa-1024" } else { "rsa-3072" }.into(),
            signature_algorithm: "sha256WithRSAEncryption".into(),
            can_issue: words.starts_with("root"),
            subject_key_id: String::new(),
            authority_key_id: String::new(),
            names: Vec::new(),
        })
    }
}

/// `root 1` and `leaf 2 of 1` have the numbers 1 and 2; the issuer of the second is 1.
fn number(words: &str) -> Option<u32> {
    words.split(' ').nth(1)?.parse().ok()
}

fn issuer(words: &str) -> Option<u32> {
    words.split(' ').nth(3)?.parse().ok()
}

fn role(node: &str) -> &str {
    if node == FIRST { "first" } else { "second" }
}

impl MockHost for Pair {
    fn members(&mut self) -> Result<Vec<Member>, Fault> {
        self.used.insert("nodes".into());
        if self.is(Switch::Denied) {
            return Err(Fault::new("denied", "ha-cert may not list the nodes").hint("general = [\"nodes\"]"));
        }
        let unbound = self.is(Switch::RolesUnbound);
        Ok([FIRST, SECOND, "worker1"]
            .into_iter()
            .map(|name| Member {
                name: name.into(),
                role: if unbound || name == "worker1" { String::new() } else { role(name).into() },
                groups: Vec::new(),
            })
            .collect())
    }

    fn run(&mut self, node: &str, command: &str, arguments: &[Argument]) -> Result<Outcome, Fault> {
        self.used.insert(format!("{command}@{}", role(node)));
        let mut shown = String::new();
        for Argument { name, value } in arguments {
            match value {
                Value::Text(text) => shown += &format!(" {name}={text}"),
                Value::Secret(secret) => {
                    self.used.insert(format!("{secret} -> {command}.{name}"));
                    shown += &format!(" {name}=<{secret}>");
                }
            }
        }
        self.effect(format!("run {command}{shown} on {node}"));
        self.run_product(node, command)
    }

    fn clock_offset(&mut self, node: &str) -> Result<i64, Fault> {
        self.used.insert("nodes".into());
        self.node(node)?;
        Ok(match node {
            SECOND if self.is(Switch::ClockOff) => -25_400,
            SECOND if self.is(Switch::ClocksApart) => -12_000,
            FIRST if self.is(Switch::ClocksApart) => 13_000,
            _ => 40,
        })
    }

    fn stat(&mut self, node: &str, file: &str) -> Result<Option<FileStat>, Fault> {
        let missing = file == "ha-root-key" && self.is(Switch::RootKeyMissing);
        let node = self.file(node, "stat", file)?;
        let mode = node.modes.get(file).cloned().unwrap_or_else(|| "0600".into());
        Ok(node.files.get(file).filter(|_| !missing).map(|content| FileStat {
            size: content.len() as u64,
            mode,
            owner: "omm".into(),
            group: "wheel".into(),
            modified: 0,
        }))
    }

    fn fingerprint(&mut self, node: &str, file: &str) -> Result<Option<String>, Fault> {
        Ok(self.file(node, "stat", file)?.files.get(file).map(|content| format!("digest of {content}")))
    }

    fn read(&mut self, node: &str, file: &str) -> Result<Vec<u8>, Fault> {
        let found = self.file(node, "read", file)?.files.get(file).cloned();
        found
            .map(String::into_bytes)
            .ok_or_else(|| Fault::new("unknown", format!("{file} does not exist on {node}")))
    }

    fn space(&mut self, node: &str, file: &str) -> Result<u64, Fault> {
        self.file(node, "stat", file)?;
        Ok(if self.is(Switch::Full) && node == SECOND { 4 * 1024 } else { 1 << 30 })
    }

    fn stage(&mut self, set: &str, node: &str, file: &str, content: &Content) -> Result<(), Fault> {
        let words = self.content(content, file)?;
        self.effect(format!("stage {file} on {node} in {set}: {words}"));
        self.file(node, "write", file)?.staged.insert((set.into(), file.into()), words);
        Ok(())
    }

    fn swap(&mut self, set: &str, node: &str) -> Result<(), Fault> {
        self.effect(format!("swap {set} in on {node}"));
        let staged: Vec<_> = self.node(node)?.staged.keys().filter(|(of, _)| of == set).cloned().collect();
        if staged.is_empty() {
            return Err(Fault::new("unknown", format!("nothing is staged as {set} on {node}")));
        }
        for key in staged {
            self.save(node, &key.1)?;
            let place = self.node(node)?;
            if let Some(words) = place.staged.remove(&key) {
                place.files.insert(key.1, words);
            }
        }
        Ok(())
    }

    fn discard(&mut self, set: &str, node: &str) -> Result<(), Fault> {
        self.effect(format!("discard {set} on {node}"));
        self.node(node)?.staged.retain(|(of, _), _| of != set);
        Ok(())
    }

    fn restore(&mut self, node: &str, name: &str) -> Result<(), Fault> {
        self.effect(format!("restore {name} on {node}"));
        if self.is(Switch::RestoreLies) {
            return Ok(());
        }
        let written = product::writes(name);
        if written.is_empty() {
            self.file(node, "write", name)?;
        } else {
            self.used.insert(format!("{name}@{}", role(node)));
        }
        let files = if written.is_empty() { vec![name] } else { written.to_vec() };
        let node = self.node(node)?;
        for file in files {
            match node.saved.get(file).cloned() {
                Some(Some(content)) => drop(node.files.insert(file.into(), content)),
                Some(None) => drop(node.files.remove(file)),
                None => {}
            }
        }
        Ok(())
    }

    fn health(&mut self) -> Result<Vec<HealthRecord>, Fault> {
        self.used.insert("health".into());
        Ok(self.health_table())
    }

    fn served(&mut self, node: &str, endpoint: &str) -> Result<Certificate, Fault> {
        self.used.insert(format!("{endpoint}@{}", role(node)));
        let not_serving = self.is(Switch::NotServing) && node == SECOND;
        let leaf = self.node(node)?.loaded.1.clone();
        if not_serving {
            return Err(Fault::new("unreachable", format!("nothing answers at {endpoint} of {node}")));
        }
        self.certificate(&leaf)
    }

    fn manager(&mut self) -> Result<u16, Fault> {
        self.used.insert("manager".into());
        if self.is(Switch::NoManager) {
            return Err(Fault::new("unknown", "the site has no [manager]"));
        }
        if self.is(Switch::ManagerDown) {
            return Err(Fault::new("failed", "the manager's page answers 503"));
        }
        Ok(200)
    }

    fn generate_key(&mut self, name: &str, algorithm: &str) -> Result<(), Fault> {
        self.used.insert("generate-key".into());
        self.effect(format!("generate the {algorithm} key {name}"));
        self.objects.insert(name.into(), format!("key {name}"));
        Ok(())
    }

    fn self_sign(
        &mut self,
        name: &str,
        key: &str,
        subject: &[Entry],
        days: u32,
    ) -> Result<Certificate, Fault> {
        self.used.insert("self-sign".into());
        self.object(key)?;
        self.effect(format!("self-sign {name} for {days} days: {}", entries(subject)));
        let words = format!("root {}", self.next());
        self.objects.insert(name.into(), words.clone());
        self.certificate(&words)
    }

    fn issue(
        &mut self,
        name: &str,
        ca: &str,
        ca_key: &str,
        key: &str,
        subject: &[Entry],
        names: &[String],
        days: u32,
    ) -> Result<Certificate, Fault> {
        self.used.insert("issue".into());
        self.object(ca_key)?;
        self.object(key)?;
        let root = self.object(ca)?;
        self.effect(format!("issue {name} for {days} days: {}; names {}", entries(subject), names.join(",")));
        let words = format!("leaf {} of {}", self.next(), number(&root).unwrap_or_default());
        self.objects.insert(name.into(), words.clone());
        self.certificate(&words)
    }

    fn supplied_ca(&mut self, name: &str, key: &str, passphrase: &str) -> Result<Certificate, Fault> {
        self.used.insert("supplied-ca".into());
        if self.is(Switch::SuppliedRefused) {
            return Err(Fault::new("refused", "the supplied CA expired"));
        }
        self.effect(format!("open the supplied CA as {name} and {key} by {passphrase}"));
        let words = self.supplied.clone();
        self.objects.insert(key.into(), format!("key {key}"));
        self.objects.insert(name.into(), words.clone());
        self.certificate(&words)
    }

    fn inspect(&mut self, source: &CertificateSource) -> Result<Certificate, Fault> {
        self.used.insert("inspect".into());
        self.certificate(&self.source(source)?)
    }

    fn verify_chain(&mut self, leaf: &CertificateSource, root: &CertificateSource) -> Result<(), Fault> {
        self.used.insert("inspect".into());
        let (leaf, root) = (self.source(leaf)?, self.source(root)?);
        if leaf == root || issuer(&leaf) == number(&root) {
            return Ok(());
        }
        Err(Fault::failed(format!("{leaf} was not issued by {root}")))
    }

    fn ask(&mut self, name: &str, _: &str, confirm: bool) -> Result<(), Fault> {
        if self.is(Switch::NobodyToAsk) {
            return Err(Fault::new(
                "unknown",
                format!("the secret {name} has no source and there is nobody to ask"),
            ));
        }
        self.effect(format!("ask for {name}{}", if confirm { ", twice" } else { "" }));
        Ok(())
    }

    fn check(&mut self, _: &str) -> Result<Vec<String>, Fault> {
        let broken: &[&str] =
            if self.is(Switch::WeakPassword) { &["no digit", "shorter than 8"] } else { &[] };
        Ok(broken.iter().map(|rule| (*rule).to_owned()).collect())
    }

    fn parameter(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.used.insert("parameters".into());
        Ok(self.parameters.get(name).cloned())
    }

    fn note(&mut self, text: &str) -> Result<(), Fault> {
        self.used.insert("note".into());
        self.effect(format!("note: {text}"));
        Ok(())
    }

    fn get(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.used.insert("state".into());
        Ok(self.state.get(name).cloned())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        self.used.insert("state".into());
        self.state.insert(name.into(), value.into());
        Ok(())
    }

    fn sleep(&mut self, milliseconds: u32) -> Result<(), Fault> {
        self.used.insert("clock".into());
        self.clock += i64::from(milliseconds);
        self.transient = self.transient.saturating_sub(1);
        Ok(())
    }
}

fn entries(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect::<Vec<_>>().join(" ")
}
