//! The mock host's answers: each call changes or looks at the simulated pair.

use super::{FIRST, Pair, SECOND, Switch, holds, number, product, role};
use sha2::{Digest as _, Sha256};
use windlass_sdk::mock::MockHost;
use windlass_sdk::{
    Argument, Certificate, CertificateSource, Content, Entry, Fault, FileStat, HealthRecord, Member, Outcome,
    Value,
};

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
        let found = self.file(node, "stat", file)?.files.get(file).cloned();
        Ok(found.map(|content| {
            Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
        }))
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
        if not_serving || leaf.is_empty() {
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

    fn prepare_key(&mut self, _: &str) -> Result<(), Fault> {
        self.used.insert("generate-key".into());
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
        let made = self.next();
        let words = format!("root {made}");
        let key = self.object(key)?;
        self.keys.insert(made, key);
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
        let own = self.object(key)?;
        let root = self.object(ca)?;
        self.effect(format!("issue {name} for {days} days: {}; names {}", entries(subject), names.join(",")));
        let made = self.next();
        self.keys.insert(made, own);
        let words = format!("leaf {made} of {}", number(&root).unwrap_or_default());
        self.objects.insert(name.into(), words.clone());
        self.certificate(&words)
    }

    fn supplied_ca(&mut self, name: &str, key: &str, passphrase: &str) -> Result<Certificate, Fault> {
        self.used.insert("supplied-ca".into());
        self.used.insert(format!("{passphrase} -> supplied-ca"));
        if self.is(Switch::SuppliedRefused) {
            return Err(Fault::new("refused", "the supplied CA expired"));
        }
        self.effect(format!("open the supplied CA as {name} and {key} by {passphrase}"));
        let words = self.supplied.clone();
        self.objects.insert(key.into(), format!("key {key}"));
        self.keys.insert(number(&words).unwrap_or_default(), format!("key {key}"));
        self.objects.insert(name.into(), words.clone());
        self.certificate(&words)
    }

    fn check_key(
        &mut self,
        node: &str,
        file: &str,
        passphrase: &str,
        certificate: &CertificateSource,
    ) -> Result<String, Fault> {
        self.used.insert("check-key".into());
        self.used.insert(format!("{passphrase} -> check-key"));
        let certificate = self.source(certificate)?;
        let key = self.file(node, "stat", file)?.files.get(file).cloned();
        match key {
            Some(key) => Ok(self.key_fit(&key, &certificate).into()),
            None => Err(Fault::new("unknown", format!("{file} does not exist on {node}"))),
        }
    }

    fn inspect(&mut self, source: &CertificateSource) -> Result<Certificate, Fault> {
        self.used.insert("inspect".into());
        self.certificate(&self.source(source)?)
    }

    fn verify_chain(&mut self, leaf: &CertificateSource, root: &CertificateSource) -> Result<(), Fault> {
        self.used.insert("verify-chain".into());
        let (leaf, root) = (self.source(leaf)?, self.source(root)?);
        if holds(&leaf, &root) {
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

    fn acknowledge(&mut self, question: &str, impact: &str) -> Result<bool, Fault> {
        self.used.insert("confirm".into());
        self.used.insert("unclear-roles".into());
        self.effect(format!("acknowledge {question} {impact}"));
        if self.is(Switch::NobodyAcknowledges) {
            return Err(Fault::new("unknown", "there is nobody to ask").hint("--ack 0123456789ab"));
        }
        Ok(!self.is(Switch::Declines))
    }

    fn now(&mut self) -> Result<i64, Fault> {
        self.used.insert("clock".into());
        Ok(self.clock)
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
        Ok(())
    }
}

fn entries(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect::<Vec<_>>().join(" ")
}
