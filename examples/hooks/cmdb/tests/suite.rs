//! Against a pair that serves what a test wants.

use cmdb::Cmdb;
use std::cell::RefCell;
use std::rc::Rc;
use windlass_sdk::hook::{Answer, Event};
use windlass_sdk::mock::{self, MockHost};
use windlass_sdk::{Certificate, Content, Entry, Fault, Hook as _};

#[derive(Default)]
struct Pair {
    written: Vec<(String, String, String)>,
}

impl MockHost for Pair {
    fn served(&mut self, node: &str, _: &str) -> Result<Certificate, Fault> {
        Ok(Certificate {
            subject: format!("CN=\"{node}\"\\"),
            issuer: String::new(),
            serial: String::new(),
            fingerprint: "ab".into(),
            not_before: 0,
            not_after: 4_102_444_800,
            key_algorithm: String::new(),
            signature_algorithm: String::new(),
            can_issue: false,
            subject_key_id: String::new(),
            authority_key_id: String::new(),
            names: Vec::new(),
        })
    }
    fn put(&mut self, node: &str, file: &str, content: &Content) -> Result<(), Fault> {
        let Content::Bytes(bytes) = content else { panic!("not bytes") };
        self.written.push((node.into(), file.into(), String::from_utf8(bytes.clone()).unwrap()));
        Ok(())
    }
}

fn handle(code: &str, parameters: Vec<Entry>) -> (Result<Answer, Fault>, Rc<RefCell<Pair>>) {
    let pair = Rc::new(RefCell::new(Pair::default()));
    let _installed = mock::install(pair.clone());
    let details = [("run", "ha-cert-1"), ("first", "master1"), ("second", "master2")];
    let details = details.map(|(name, value)| Entry::new(name, value)).into();
    (Cmdb::handle(Event { code: code.into(), details, parameters }), pair)
}

#[test]
fn what_both_serve_is_written_as_json() {
    let (answer, pair) = handle("after-run", vec![Entry::new("node", "master1")]);
    assert!(matches!(answer, Ok(Answer::GoOn)));
    let expected = r#"{
  "run": "ha-cert-1",
  "served": [
    { "node": "master1", "fingerprint": "ab", "subject": "CN=\"master1\"\\", "not_after": 4102444800 },
    { "node": "master2", "fingerprint": "ab", "subject": "CN=\"master2\"\\", "not_after": 4102444800 }
  ]
}
"#;
    assert_eq!(pair.borrow().written, [("master1".into(), "cmdb".into(), expected.to_owned())]);
}

#[test]
fn another_event_writes_nothing_and_a_missing_node_is_an_error() {
    let (answer, pair) = handle("before-run", Vec::new());
    assert!(matches!(answer, Ok(Answer::GoOn)) && pair.borrow().written.is_empty());
    let (answer, pair) = handle("after-run", Vec::new());
    assert!(answer.unwrap_err().message.contains("node") && pair.borrow().written.is_empty());
}
