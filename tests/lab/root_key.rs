//! `updateRootKey.sh`: what it asks, what it does to the cluster's key set on every node, and how it is broken.

use super::*;
use std::os::unix::fs::MetadataExt as _;
use windlass::capability::keyring::{Keyset, version_of};

const UPDATE: &str = r#"cd "$BIGDATA_HOME/om-0.0.1/tools" && sh updateRootKey.sh"#;
const QUESTION: &str = "The root key update is a critical operation.\nDo you want to continue?(y/n):\n";
const STEP_4_1: &str = "Step 4-1: The key save path is obtained successfully.\n";
const STEP_4_3: &str = "Step 4-3: The root key is ready to be sent.\n";
const STEP_4_4: &str = "Step 4-4: The root key is sent successfully.\n";

impl Fixture {
    fn set_of(&self, node: &str) -> Vec<u8> {
        std::fs::read(self.om(node, "security/keyset.json")).unwrap()
    }

    fn keyset(&self, node: &str) -> Keyset {
        Keyset::parse(&self.set_of(node)).unwrap()
    }

    /// Runs it; how it exited, what it said, and what it complained of.
    fn update(&self, node: &str, answer: &str) -> (Option<i32>, String, String) {
        let output = self.as_omm(node, UPDATE, answer);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text(&output), complaint)
    }

    /// Runs it, and it does as the source page says.
    fn updates(&self, node: &str) {
        let before = self.keyset(node);
        let (code, said, complaint) = self.update(node, "y\n");
        assert!(code == Some(0) && complaint.is_empty(), "{said}{complaint}");
        assert!(said.starts_with(&format!("{QUESTION}Step 1: ")) && said.ends_with(STEP_4_4), "{said}");
        assert!(said.find(STEP_4_1) < said.find(STEP_4_3) && said.contains(STEP_4_1), "{said}");

        let after = self.keyset(node);
        let number = |set: &Keyset| -> Vec<u32> { set.versions().iter().map(|v| v.number).collect() };
        let mut expected = number(&before);
        expected.push(after.primary());
        assert_eq!(number(&after), expected, "the older ones are kept, and the primary is new");
        assert_ne!(after.primary(), before.primary());
    }

    /// The nodes whose key set is that of another.
    fn have_set_of(&self, node: &str) -> Vec<String> {
        let set = self.set_of(node);
        let names = self.lab.status().unwrap().into_iter().map(|node| node.name);
        names.filter(|name| self.set_of(name) == set).collect()
    }
}

fn the_key_is_new_everywhere(fixture: &Fixture) {
    let nodes = ["master1", "master2", "member1"];
    let session = |node: &str| {
        version_of(&std::fs::read(fixture.product_home(node, "service/session.sealed")).unwrap())
    };
    let old = fixture.keyset("master1").primary();
    assert_eq!(session("member1"), Some(old));
    assert!(fixture.operate("stop-cluster").contains("succeeded"));
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1"), nodes);
    for node in nodes {
        let set = fixture.om(node, "security/keyset.json").metadata().unwrap();
        assert_eq!(set.mode() & 0o777, 0o600);
        let uid = if fixture.lab.transport() == Transport::Ssh { 2001 } else { set.uid() };
        assert_eq!((set.uid(), set.gid()), (uid, if uid == 2001 { uid } else { set.gid() }));
        let left = fixture.om(node, "security").read_dir_utf8().unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().to_owned()).collect();
        assert!(left.iter().all(|name| ["certHA", "keyset.json"].contains(&name.as_str())), "{left:?}");
    }
    // What the old key sealed still opens, what is sealed now is under the new one.
    assert!(fixture.operate("start-cluster").contains("succeeded"));
    for node in nodes {
        assert_eq!(session(node), Some(fixture.keyset("master1").primary()));
    }
    // Again, on the other manager.
    fixture.updates("master2");
    assert_eq!(fixture.have_set_of("master2"), nodes);
    assert_eq!(fixture.executions("master2", Double::UpdateRootKey), 1);
}

#[test]
fn the_key_of_folders_is_updated_and_what_is_sealed_next_is_under_it() {
    the_key_is_new_everywhere(&up(Transport::Local, 1));
}

#[test]
fn the_key_of_nodes_is_updated_and_what_is_sealed_next_is_under_it() {
    let Some(fixture) = ssh(1) else { return };
    the_key_is_new_everywhere(&fixture);
    // On a terminal it asks too.
    let said = text(&feed(&mut fixture.ssh("master1", &["-tt"], UPDATE), "n\n")).replace('\r', "");
    assert!(said.contains("(y/n):") && said.contains("is cancelled."), "{said}");
}

#[test]
fn the_key_of_3_x_is_updated() {
    let fixture = up_as(Product::Mrs3, Transport::Local, 0);
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1"), ["master1", "master2"]);
}

#[test]
fn any_answer_but_y_changes_nothing() {
    let fixture = up(Transport::Local, 0);
    let before = fixture.set_of("master1");
    for answer in ["n\n", "", "yes\n", "\n"] {
        let (code, said, complaint) = fixture.update("master1", answer);
        assert_eq!((code, complaint.as_str()), (Some(1), ""));
        assert_eq!(said, format!("{QUESTION}The root key update is cancelled.\n"));
    }
    assert_eq!(fixture.set_of("master1"), before);
    assert_eq!(fixture.have_set_of("master1"), ["master1", "master2"]);
}

#[test]
fn a_set_that_others_wrote_is_understood_and_a_broken_one_is_left_alone() {
    let fixture = up(Transport::Local, 0);
    let path = fixture.om("master1", "security/keyset.json");
    let write = |text: &[u8]| std::fs::write(&path, text).unwrap();
    write(fixture.keyset("master1").with_new_primary().unwrap().to_json().expose());
    fixture.updates("master1");
    let set: serde_json::Value = serde_json::from_slice(&fixture.set_of("master1")).unwrap();
    write(serde_json::to_string_pretty(&set).unwrap().as_bytes());
    fixture.updates("master1");
    let keys = fixture.keyset("master1").versions().len();
    assert_eq!(keys, 4);
    // Another order of the members.
    let text = String::from_utf8(fixture.set_of("master1")).unwrap();
    let (head, keys) = text.split_once(",\"key\":").unwrap();
    let keys = keys.strip_suffix('}').unwrap();
    write(format!("{{\"key\":{keys},{}}}", head.strip_prefix('{').unwrap()).as_bytes());
    fixture.updates("master1");

    for broken in ["", "{}", "not a set", "{\"primaryKeyId\":1,\"key\":[]}"] {
        write(broken.as_bytes());
        let (code, said, complaint) = fixture.update("master1", "y\n");
        assert!(code == Some(1) && complaint.starts_with("[ERROR] "), "{said}{complaint}");
        assert_eq!(fixture.set_of("master1"), broken.as_bytes());
    }
}

#[test]
fn switches_of_the_key_do_what_they_say() {
    let fixture = up(Transport::Local, 1);
    let before = fixture.set_of("master1");

    fixture.set(Switch::KeyDiesAfterY);
    let (code, said, _) = fixture.update("master1", "y\n");
    assert_ne!(code, Some(0));
    assert_eq!(said, QUESTION);
    assert_eq!(fixture.set_of("master1"), before);
    fixture.heal(Switch::KeyDiesAfterY);

    assert_eq!(fixture.set(Switch::KeyStopsAt43), ["master1", "master2"]);
    let (code, said, complaint) = fixture.update("master1", "y\n");
    assert_eq!((code, complaint.as_str()), (Some(1), "[ERROR] The root key could not be sent.\n"));
    assert!(said.contains(STEP_4_1) && said.ends_with(STEP_4_3), "{said}");
    assert_ne!(fixture.set_of("master1"), before);
    assert_eq!(fixture.have_set_of("master2"), ["master2", "member1"], "the others have the old one");
    fixture.heal(Switch::KeyStopsAt43);

    assert_eq!(fixture.set(Switch::MissesKey), ["member1"]);
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1"), ["master1", "master2"]);
    assert_eq!(fixture.set_of("member1"), before);
    fixture.heal(Switch::MissesKey);
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1").len(), 3);
    fixture.lab.break_with(Switch::MissesKey, Some("master2"), false, &[]).unwrap();
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1"), ["master1", "member1"]);
    assert_eq!(fixture.lab.break_with(Switch::MissesKey, None, true, &[]).unwrap(), ["master2"]);
}

#[test]
fn without_a_member_the_standby_misses_the_key() {
    let fixture = up(Transport::Local, 0);
    assert_eq!(fixture.set(Switch::MissesKey), ["master2"]);
}

#[test]
fn a_failure_may_exit_with_0() {
    let fixture = up(Transport::Local, 0);
    let before = fixture.set_of("master1");
    fixture.set(Switch::ZeroExit);
    let (code, said, _) = fixture.update("master1", "n\n");
    assert!(code == Some(0) && said.contains("cancelled"), "{said}");
    fixture.set(Switch::KeyStopsAt43);
    let (code, said, complaint) = fixture.update("master1", "y\n");
    assert!(
        code == Some(0) && !said.contains(STEP_4_4) && complaint.contains("[ERROR]"),
        "{said}{complaint}"
    );
    assert_ne!(fixture.set_of("master1"), before);
    // Every script that changes something can.
    let output = fixture.as_omm("master1", REPLACE, "wrong\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    fixture.heal(Switch::ZeroExit);
    assert_eq!(fixture.as_omm("master1", REPLACE, "wrong\n").status.code(), Some(1));
}

#[test]
fn the_scripts_switches_hold_for_the_key_too() {
    let fixture = up(Transport::Local, 0);
    let only = [Double::UpdateRootKey];
    let set = |switch| fixture.lab.break_with(switch, None, false, &only).unwrap();
    let before = fixture.set_of("master1");

    set(Switch::LyingSuccess);
    let (code, said, _) = fixture.update("master1", "y\n");
    assert!(code == Some(0) && said.contains(STEP_4_1) && said.ends_with(STEP_4_4), "{said}");
    assert_eq!(fixture.set_of("master1"), before);
    fixture.heal(Switch::LyingSuccess);

    set(Switch::PromptMissing);
    let (_, said, _) = fixture.update("master1", "n\n");
    assert!(!said.contains("continue"), "{said}");
    fixture.heal(Switch::PromptMissing);
    set(Switch::PromptDifferent);
    let (_, said, _) = fixture.update("master1", "n\n");
    assert!(!said.contains("continue") && said.contains("Are you sure?"), "{said}");
    fixture.heal(Switch::PromptDifferent);

    set(Switch::WrongExit);
    let (code, said, _) = fixture.update("master1", "y\n");
    assert!(code == Some(3) && said.ends_with(STEP_4_4), "{said}");
    fixture.heal(Switch::WrongExit);
    assert_ne!(fixture.set_of("master1"), before);

    set(Switch::Slow);
    let began = Instant::now();
    fixture.updates("master1");
    assert!(began.elapsed() >= Duration::from_secs(2));
    fixture.heal(Switch::Slow);

    set(Switch::Hang);
    let before = fixture.set_of("master1");
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| fixture.update("master1", "y\n"));
        std::thread::sleep(Duration::from_secs(1));
        assert!(!hanging.is_finished());
        assert_eq!(fixture.set_of("master1"), before);
        fixture.heal(Switch::Hang);
        assert_eq!(hanging.join().unwrap().0, Some(0));
    });
    assert_eq!(fixture.have_set_of("master1"), ["master1", "master2"]);
}

#[test]
fn nodes_that_cannot_be_reached_are_named_and_the_others_have_the_key() {
    let Some(fixture) = ssh(1) else { return };
    fixture.lab.break_with(Switch::LinkDown, Some("master2"), false, &[]).unwrap();
    let (code, said, complaint) = fixture.update("master1", "y\n");
    assert_eq!(code, Some(1));
    assert!(said.ends_with(STEP_4_3), "{said}");
    assert_eq!(complaint, "[ERROR] The root key could not be sent to master2.\n");
    assert_eq!(fixture.have_set_of("master1"), ["master1", "member1"]);
    fixture.heal(Switch::LinkDown);
    fixture.updates("master1");

    fixture.lab.break_with(Switch::NodeDown, Some("member1"), false, &[]).unwrap();
    let (code, _, complaint) = fixture.update("master1", "y\n");
    assert_eq!((code, complaint.as_str()), (Some(1), "[ERROR] The root key could not be sent to member1.\n"));
    fixture.heal(Switch::NodeDown);
    assert_eq!(fixture.have_set_of("master1"), ["master1", "master2"]);
    fixture.updates("master1");
    assert_eq!(fixture.have_set_of("master1").len(), 3);
}
