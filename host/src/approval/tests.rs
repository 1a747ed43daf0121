//! Signatures both ways with OpenSSH's own tool, and who may say yes to a plan.

use super::*;
use crate::model::{Plan, samples};
use camino::{Utf8Path, Utf8PathBuf};
use std::io::Write as _;
use std::process::{Command, Stdio};

const PASSPHRASE: &str = "Long~Enough1";
/// Kind, bits: what ssh-keygen makes.
const KEYS: [(&str, &str); 4] = [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384")];

struct Folder {
    path: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

/// None, having said why, where there is no ssh-keygen.
fn folder() -> Option<Folder> {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        println!("skipped: there is no ssh-keygen to compare with");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    Some(Folder { path, _folder: folder })
}

impl Folder {
    fn at(&self, name: &str) -> Utf8PathBuf {
        self.path.join(name)
    }

    /// Makes a key; returns its public line.
    fn key(&self, name: &str, kind: (&str, &str), passphrase: &str) -> String {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind.0, "-b", kind.1, "-C", "", "-N", passphrase, "-f"])
            .arg(self.at(name))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::read_to_string(self.at(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    fn open(&self, name: &str) -> Result<SigningKey, ApprovalError> {
        SigningKey::open(&self.at(name), &mut |_| Ok(PASSPHRASE.as_bytes().to_vec().into()))
    }

    /// `ssh-keygen -Y sign`: the signature's text.
    fn keygen_sign(&self, key: &str, namespace: &str, message: &[u8]) -> Vec<u8> {
        let file = self.at("message");
        std::fs::write(&file, message).unwrap();
        let _ = std::fs::remove_file(self.at("message.sig"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(self.at(key)).arg(&file);
        let made = command.stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::read(self.at("message.sig")).unwrap()
    }

    /// `ssh-keygen -Y verify`: whether it says that alice signed.
    fn keygen_verifies(&self, public: &str, namespace: &str, message: &[u8], signature: &str) -> bool {
        std::fs::write(self.at("allowed_signers"), format!("alice {public}\n")).unwrap();
        std::fs::write(self.at("signature"), signature).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-I", "alice", "-n", namespace, "-f"]);
        command.arg(self.at("allowed_signers")).arg("-s").arg(self.at("signature"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It may have seen enough before it reads.
        let _ = child.stdin.take().unwrap().write_all(message);
        child.wait().unwrap().success()
    }
}

#[test]
fn what_windlass_signs_ssh_keygen_verifies_and_the_other_way_round() {
    let Some(folder) = folder() else { return };
    let message = b"{\"format\": 1}\n";
    for (at, kind) in KEYS.into_iter().enumerate() {
        let name = format!("key{at}");
        // Every second one is behind a passphrase.
        let passphrase = if at % 2 == 1 { PASSPHRASE } else { "" };
        let public = folder.key(&name, kind, passphrase);
        let key = folder.open(&name).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        for namespace in Namespace::ALL {
            let signature = key.sign(message, namespace).unwrap();
            for other in Namespace::ALL {
                let verifies = folder.keygen_verifies(&public, other.as_str(), message, &signature);
                assert_eq!(verifies, other == namespace, "{kind:?} {namespace} as {other}");
                let verified = verify(message, signature.as_bytes(), other);
                assert_eq!(verified.is_ok(), other == namespace, "{kind:?} {namespace} as {other}");
            }
            assert!(!folder.keygen_verifies(&public, namespace.as_str(), b"edited", &signature));
        }
        if passphrase.is_empty() {
            let signature = folder.keygen_sign(&name, "windlass-plan", message);
            let by = verify(message, &signature, Namespace::Plan).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(by, key.signed_by());
            assert_eq!(verify(b"edited", &signature, Namespace::Plan), Err(SignatureError::Wrong));
            let error = verify(message, &signature, Namespace::Audit).unwrap_err();
            assert!(matches!(error, SignatureError::Namespace { .. }), "{error}");
        }
    }
}

#[test]
fn what_is_no_signature_or_a_weak_one_is_refused() {
    let Some(folder) = folder() else { return };
    for garbage in ["", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", "x"] {
        assert_eq!(verify(b"", garbage.as_bytes(), Namespace::Plan), Err(SignatureError::Garbled));
    }
    folder.key("small", ("rsa", "1024"), "");
    let signature = folder.keygen_sign("small", "windlass-plan", b"plan");
    let error = verify(b"plan", &signature, Namespace::Plan).unwrap_err();
    assert!(error.to_string().contains("2048"), "{error}");
    folder.key("wide", ("ecdsa", "521"), "");
    let signature = folder.keygen_sign("wide", "windlass-plan", b"plan");
    let error = verify(b"plan", &signature, Namespace::Plan).unwrap_err();
    assert!(error.to_string().contains("ed25519"), "{error}");

    // A whole signature, cut or changed anywhere, is none.
    folder.key("good", KEYS[0], "");
    let good = folder.keygen_sign("good", "windlass-plan", b"plan");
    for at in 0..good.len() {
        assert!(
            verify(b"plan", &good[..at], Namespace::Plan).is_err() || at + 1 >= good.len(),
            "cut at {at}"
        );
    }
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let Some(folder) = folder() else { return };
    folder.key("open", KEYS[0], "");
    let set = |name: &str, mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.at(name), mode).unwrap();
    };
    set("open", 0o644);
    folder.key("locked", KEYS[0], "Another~Passphrase1");
    std::fs::write(folder.at("text"), "nothing\n").unwrap();
    set("text", 0o600);
    for (name, says) in [
        ("open", "chmod 600"),
        ("locked", "the passphrase does not open it"),
        ("text", "ssh-keygen -p -f"),
        ("missing", "cannot be read"),
    ] {
        let error = folder.open(name).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

fn plan(requester: &str) -> Plan {
    Plan { requester: requester.into(), nonce: "n".into(), ..samples::plan("p") }
}

/// Who is on which line, who signs, what is asked for; and what is missing then.
#[test]
fn two_people_are_two_and_one_is_one_whatever_keys_and_names_they_have() {
    let Some(folder) = folder() else { return };
    let keys: Vec<String> = ["a", "b", "c"].map(|name| folder.key(name, KEYS[0], "")).to_vec();
    let asked = |approvals, approvers: &[&str]| Asked {
        approvals,
        approvers: approvers.iter().map(|name| (*name).to_owned()).collect(),
    };
    let people = |lines: &[(&str, usize)]| {
        lines.iter().map(|(names, key)| format!("{names} {}\n", keys[*key])).collect::<String>()
    };
    let three = people(&[("alice", 0), ("bob", 1), ("carol", 2)]);
    let requester_twice = people(&[("alice", 0), ("alice", 1)]);
    let one_by_another_name = people(&[("alice,al", 0), ("al", 1)]);
    let one_key_two_names = people(&[("alice", 0), ("bob", 1), ("alice", 1)]);
    let bob_twice = people(&[("alice", 0), ("bob", 1), ("bob", 2)]);
    for (lines, signers, asked, missing) in [
        (&three, "", asked(0, &[]), None),
        (&three, "", asked(1, &[]), Some("its requester, alice, has not signed")),
        (&three, "b", asked(1, &[]), Some("its requester, alice, has not signed")),
        (&three, "a", asked(1, &[]), Some("0 of 1 approvals")),
        (&three, "ab", asked(1, &[]), None),
        (&three, "ab", asked(2, &[]), Some("1 of 2 approvals")),
        (&three, "abc", asked(2, &[]), None),
        (&three, "ab", asked(1, &["carol"]), Some("0 of 1 approvals")),
        (&three, "ac", asked(1, &["carol"]), None),
        (&requester_twice, "ab", asked(1, &[]), Some("0 of 1 approvals")),
        (&one_by_another_name, "ab", asked(1, &[]), Some("0 of 1 approvals")),
        (&one_key_two_names, "ab", asked(1, &[]), Some("0 of 1 approvals")),
        (&bob_twice, "abc", asked(2, &[]), Some("1 of 2 approvals")),
    ] {
        let path = folder.at("plan.json");
        for stale in ["a", "b", "c"] {
            let _ = std::fs::remove_file(format!("{path}.{stale}.sig"));
        }
        write_plan(&path, &plan("alice")).unwrap();
        let file = PlanFile::read(&path).unwrap();
        for name in signers.chars().map(String::from) {
            let signature = folder.open(&name).unwrap().sign(&file.bytes, Namespace::Plan).unwrap();
            file.add_signature(&name, &signature).unwrap();
        }
        let trust = Trust {
            signers: Signers::parse(lines, Utf8Path::new("f")).unwrap(),
            path: Utf8PathBuf::new(),
            exists: true,
            approvals: 0,
            least: None,
        };
        let signatures = file.signatures().unwrap();
        assert_eq!(signatures.len(), signers.len());
        let judged = judge(&file, &signatures, &trust, &asked, 0);
        let found = judged.missing("alice");
        match (&found, missing) {
            (None, None) => {}
            (Some(found), Some(missing)) => assert!(found.contains(missing), "{found}\n{lines}{signers}"),
            _ => panic!("{found:?}, not {missing:?}\n{lines}{signers}"),
        }
        // What a site asks for is never less than what stands outside it.
        let stricter = Trust { approvals: 3, ..trust };
        assert!(judge(&file, &signatures, &stricter, &asked, 0).missing("alice").is_some());
    }
}

#[test]
fn an_edited_plan_and_one_of_a_newer_format_are_told_apart() {
    let Some(folder) = folder() else { return };
    folder.key("a", KEYS[0], "");
    let path = folder.at("plan.json");
    write_plan(&path, &plan("alice")).unwrap();
    let file = PlanFile::read(&path).unwrap();
    let signature = folder.open("a").unwrap().sign(&file.bytes, Namespace::Plan).unwrap();
    verify(&file.bytes, signature.as_bytes(), Namespace::Plan).unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    let read = |from: &str, to: &str| {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        PlanFile::read(&path)
    };
    let edited = read("\"nonce\": \"n\"", "\"nonce\": \"m\"").unwrap();
    assert_eq!(verify(&edited.bytes, signature.as_bytes(), Namespace::Plan), Err(SignatureError::Wrong));
    for (from, to, says) in [
        ("\"format\": 1", "\"format\": 2", "format 2"),
        ("\"format\": 1", "\"format\": \"1\"", "does not say its format"),
        ("\"nonce\"", "\"nonsense\"", "nonsense"),
        ("{", "", "is no plan"),
    ] {
        let error = read(from, to).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
