//! The order that nothing but a crash in the middle would show: a host that writes down what it is asked.

use ha_cert_csr::HaCertCsr;
use std::cell::RefCell;
use std::rc::Rc;
use windlass_sdk::mock::{MockHost, install};
use windlass_sdk::{Argument, Certificate, Fault, Member, Outcome, Procedure};

#[derive(Default)]
struct Pair {
    did: Vec<String>,
    /// The service has loaded new files.
    restarted: bool,
}

fn served(fingerprint: &str) -> Certificate {
    Certificate {
        subject: "CN=a".into(),
        issuer: "CN=b".into(),
        serial: "01".into(),
        fingerprint: fingerprint.into(),
        not_before: 0,
        not_after: 1,
        key_algorithm: "rsa-3072".into(),
        signature_algorithm: "sha256WithRSAEncryption".into(),
        can_issue: false,
        subject_key_id: String::new(),
        authority_key_id: String::new(),
        names: Vec::new(),
    }
}

impl MockHost for Pair {
    fn members(&mut self) -> Result<Vec<Member>, Fault> {
        let member =
            |name: &str, role: &str| Member { name: name.into(), role: role.into(), groups: Vec::new() };
        Ok(vec![member("one", "first"), member("two", "second")])
    }
    fn get(&mut self, _: &str) -> Result<Option<String>, Fault> {
        Ok(Some("old".into()))
    }
    fn parameter(&mut self, _: &str) -> Result<Option<String>, Fault> {
        Ok(None)
    }
    fn served(&mut self, _: &str, _: &str) -> Result<Certificate, Fault> {
        Ok(served(if self.restarted { "new" } else { "old" }))
    }
    fn discard(&mut self, _: &str, node: &str) -> Result<(), Fault> {
        self.did.push(format!("discard on {node}"));
        Ok(())
    }
    fn restore(&mut self, node: &str, name: &str) -> Result<(), Fault> {
        self.did.push(format!("restore {name} on {node}"));
        Ok(())
    }
    fn run(&mut self, node: &str, command: &str, _: &[Argument]) -> Result<Outcome, Fault> {
        self.did.push(format!("{command} on {node}"));
        self.restarted = false;
        Ok(Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() })
    }
}

#[test]
fn a_restart_is_taken_back_with_the_old_files_and_not_where_it_never_happened() {
    let restored = ["ha-root-cert", "ha-leaf-cert", "ha-leaf-key", "ha-key-password"];
    for restarted in [true, false] {
        let pair = Rc::new(RefCell::new(Pair { restarted, ..Pair::default() }));
        let _installed = install(pair.clone());
        HaCertCsr::undo("restart@second").unwrap();
        let mut expected = vec!["discard on two".to_owned()];
        expected.extend(restored.map(|file| format!("restore {file} on two")));
        expected.extend(restarted.then(|| "restart-ha on two".into()));
        assert_eq!(pair.borrow().did, expected);
    }
}

#[test]
fn a_step_that_there_is_not_is_a_fault() {
    for id in ["leaf", "leaf@third", "root@first", "telepathy", ""] {
        assert!(HaCertCsr::apply(id).unwrap_err().is("invalid"), "{id}");
        assert!(HaCertCsr::undo(id).unwrap_err().is("invalid"), "{id}");
    }
}
