//! What is let through, and every flaw of a file, a lock and a signature that is not.

use super::super::certified::{Asked, Vouched, envelope, place_of_bundled};
use super::*;
use crate::approval::RecordFile;
use crate::cli::ui::{Format, Loudness, Ui};
use crate::model::audit::{Envelope, Verdict};
use crate::model::{CERTIFICATION_FORMAT, Certification, Digested};
use crate::plugin::{Kind, Need};
use crate::site::LockedProfile;
use camino::Utf8PathBuf;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

const BYTES: &[u8] = b"whatever a site loads\n";
const KEYS: [(&str, &str); 3] = [("ed25519", "256"), ("ecdsa", "384"), ("rsa", "2048")];

/// A site with one hook that is locked, and people with keys beside it.
struct Desk {
    root: Utf8PathBuf,
    context: Context,
    name: PluginName,
    _folder: tempfile::TempDir,
}

fn manifest() -> Manifest {
    Manifest {
        name: PluginName::new("window").unwrap(),
        version: "1.0.0".into(),
        kind: Kind::Hook,
        api: "0.1".into(),
        summary: "a test".into(),
        approvals: 0,
        needs: vec![Need { reason: "a test".into(), general: vec!["clock".into()], ..Default::default() }],
    }
}

/// None, having said why, where there is no ssh-keygen.
fn desk() -> Option<Desk> {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        println!("skipped: there is no ssh-keygen to make keys with");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    for made in ["site/hooks", "config"] {
        std::fs::create_dir_all(root.join(made)).unwrap();
        std::fs::set_permissions(root.join(made), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let context = Context {
        cache: None,
        ui: Ui::new(Format::Text, Loudness::Quiet, true),
        site_dir: root.join("site"),
        state: None,
        config: Some(root.join("config")),
        bundle: None,
        engines: None,
    };
    let name = PluginName::new("window").unwrap();
    let desk = Desk { root, context, name, _folder: folder };
    desk.write("site/hooks/window.wasm", BYTES);
    let mut lock = Lock::default();
    lock.put(Locked {
        name: desk.name.clone(),
        kind: "hook".into(),
        file: "hooks/window.wasm".into(),
        sha256: sha256(BYTES),
        version: "1.0.0".into(),
        api: "0.1".into(),
        source: "window.wasm".into(),
        signed_by: None,
        needs: [("general".to_owned(), ["clock".to_owned()].into())].into(),
    });
    lock.write(&desk.root.join("site")).unwrap();
    Some(desk)
}

impl Desk {
    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.root.join(file), bytes).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap()
    }

    /// Makes a key; returns its public line.
    fn key(&self, name: &str, kind: (&str, &str)) -> String {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind.0, "-b", kind.1, "-N", "", "-C", "", "-f"])
            .arg(self.root.join(name))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        self.read(&format!("{name}.pub")).trim().to_owned()
    }

    /// `ssh-keygen -Y sign`.
    fn sign(&self, key: &str, namespace: &str, bytes: &[u8]) -> Vec<u8> {
        self.write("message", bytes);
        let _ = std::fs::remove_file(self.root.join("message.sig"));
        let made = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f", self.root.join(key).as_str()])
            .arg(self.root.join("message"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::read(self.root.join("message.sig")).unwrap()
    }

    fn trusts(&self, lines: &str) {
        self.write("config/allowed_signers", format!("{lines}\n"));
    }

    fn signature(&self, bytes: impl AsRef<[u8]>) {
        self.write("site/hooks/window.wasm.sig", bytes);
    }

    /// The record of an audit of some bytes, as it is written.
    fn record(&self, sha256: &str) -> Certification {
        Certification {
            format: CERTIFICATION_FORMAT,
            kind: "hook".into(),
            name: self.name.clone(),
            version: "1.0.0".into(),
            sha256: sha256.into(),
            engine: None,
            verdict: Verdict::NothingFound,
            accepted: Vec::new(),
            rehearsals: 12,
            envelope: Envelope([("window".to_owned(), ["general clock".to_owned()].into())].into()),
            windlass: "0.1.0".into(),
            by: "carol".into(),
            at: 1_700_000_000,
        }
    }

    fn certify(&self, record: impl AsRef<[u8]>, signature: impl AsRef<[u8]>) {
        self.write("site/hooks/window.wasm.audit", record);
        self.write("site/hooks/window.wasm.audit.sig", signature);
    }

    fn admit(&self, trust: Trust, bytes: &[u8]) -> Result<()> {
        let path = self.root.join("site/hooks/window.wasm");
        let own = OwnFile { kind: "hook", name: &self.name, path: &path, bytes };
        Demand::of(&self.context, trust)?.admit(&self.root.join("site"), &own)?.holds(&manifest())
    }

    #[track_caller]
    fn refuses(&self, trust: Trust, bytes: &[u8], says: &str) {
        let error = self.admit(trust, bytes).expect_err(says);
        assert_eq!(error.exit, Exit::Refused, "{}", error.render());
        assert!(error.render().contains(says), "{says:?}: {}", error.render());
    }
}

#[test]
fn what_ssh_keygen_signed_is_let_through_and_each_flaw_of_a_signature_is_not() {
    let Some(desk) = desk() else { return };
    for (at, kind) in KEYS.into_iter().enumerate() {
        let (alice, bob) = (format!("alice{at}"), format!("bob{at}"));
        let public = desk.key(&alice, kind);
        let other = desk.key(&bob, kind);
        let trusted = format!("alice namespaces=\"windlass-plugin\" {public}");
        desk.trusts(&trusted);
        let good = desk.sign(&alice, "windlass-plugin", BYTES);
        desk.signature(&good);
        desk.admit(Trust::Signed, BYTES).unwrap_or_else(|error| panic!("{kind:?}: {}", error.render()));
        desk.refuses(Trust::Certified, BYTES, "the hook window is not certified");

        for (what, says) in [
            (desk.sign(&alice, "windlass-plugin", b"other bytes"), "not a signature of this file"),
            (desk.sign(&alice, "windlass-plan", BYTES), "made for \"windlass-plan\""),
            (desk.sign(&alice, "file", BYTES), "made for \"file\""),
            (desk.sign(&bob, "windlass-plugin", BYTES), "nobody with the key SHA256:"),
            (b"".to_vec(), "no SSH signature"),
            (b"no signature".to_vec(), "no SSH signature"),
            (good[..good.len() / 2].to_vec(), "no SSH signature"),
            (vec![b'A'; 65 * 1024], "no SSH signature"),
        ] {
            desk.signature(what);
            desk.refuses(Trust::Signed, BYTES, says);
            // Where no signature is asked for, none is looked at.
            desk.admit(Trust::Locked, BYTES).unwrap();
        }
        std::fs::remove_file(desk.root.join("site/hooks/window.wasm.sig")).unwrap();
        desk.refuses(Trust::Signed, BYTES, "there is no hooks/window.wasm.sig");
        desk.signature(&good);

        for (line, says) in [
            (String::new(), "nobody with the key"),
            (format!("bob {other}"), "nobody with the key"),
            (format!("alice namespaces=\"windlass-plan\" {public}"), "other namespaces"),
            (format!("alice namespaces=\"windlass-*,!windlass-plugin\" {public}"), "other namespaces"),
            (format!("alice valid-before=\"20200101Z\" {public}"), "not trusted at this time"),
            (format!("alice valid-after=\"29990101Z\" {public}"), "not trusted at this time"),
            (format!("alice cert-authority {public}"), "certificate authority"),
            (format!("*@example.com {public}"), "only a pattern"),
            ("alice nonsense".into(), "allowed_signers"),
        ] {
            desk.trusts(&line);
            desk.refuses(Trust::Signed, BYTES, says);
        }
        std::fs::remove_file(desk.root.join("config/allowed_signers")).unwrap();
        desk.refuses(Trust::Signed, BYTES, "nobody with the key");
        desk.trusts(&trusted);
        desk.admit(Trust::Signed, BYTES).unwrap();
    }
}

#[test]
fn a_signature_with_any_byte_changed_is_refused() {
    let Some(desk) = desk() else { return };
    let public = desk.key("alice", KEYS[0]);
    desk.trusts(&format!("alice {public}"));
    let good = desk.sign("alice", "windlass-plugin", BYTES);
    for at in 0..good.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= change;
            desk.signature(&changed);
            let refused = desk.admit(Trust::Signed, BYTES);
            assert!(refused.is_err(), "byte {at} of the signature changed by {change:#x} is taken");
        }
    }
    desk.signature(&good);
    desk.admit(Trust::Signed, BYTES).unwrap();
    for at in 0..BYTES.len() {
        let mut changed = BYTES.to_vec();
        changed[at] ^= 1;
        desk.refuses(Trust::Locked, &changed, "is not the hook window that was installed");
        desk.refuses(Trust::Signed, &changed, "is not the hook window that was installed");
    }
}

#[test]
fn a_lock_with_any_byte_changed_that_means_something_is_refused() {
    let Some(desk) = desk() else { return };
    let good = desk.read("site/windlass.lock");
    desk.admit(Trust::Locked, BYTES).unwrap();
    let (mut refused, mut taken) = (0, Vec::new());
    for at in 0..good.len() {
        for change in [0x01, 0x02, 0x40] {
            let mut changed = good.clone().into_bytes();
            changed[at] ^= change;
            desk.write("site/windlass.lock", &changed);
            match desk.admit(Trust::Locked, BYTES) {
                Err(error) => {
                    assert_eq!(error.exit, Exit::Refused, "byte {at}: {}", error.render());
                    refused += 1;
                }
                Ok(()) => taken.push(line_of(&good, at)),
            }
        }
    }
    // What is only for people to read: the comment, where it came from, and blank space.
    let idle = |line: &String| line.is_empty() || line.starts_with('#') || line.starts_with("source = ");
    let meant: Vec<_> = taken.iter().filter(|line| !idle(line)).collect();
    assert!(meant.is_empty() && refused > 300, "{refused} refused, but not {meant:?}");
}

#[test]
fn a_policy_outside_the_site_raises_what_it_asks_for_and_never_lowers_it() {
    let Some(desk) = desk() else { return };
    desk.admit(Trust::Dev, b"other").unwrap();
    desk.write("config/approval.toml", "trust = \"locked\"\n");
    desk.refuses(Trust::Dev, b"other", "is not the hook window that was installed");
    desk.admit(Trust::Dev, BYTES).unwrap();
    desk.refuses(Trust::Signed, BYTES, "the site says trust = \"signed\"");
    desk.write("config/approval.toml", "trust = \"signed\"\n");
    desk.refuses(Trust::Dev, BYTES, "config/approval.toml asks for trust = \"signed\"");
    desk.refuses(Trust::Locked, BYTES, "has no signature");
    desk.write("config/approval.toml", "trust = \"dev\"\n");
    desk.refuses(Trust::Locked, b"other", "is not the hook window that was installed");
    // One that others could have written says nothing, and lets nothing through.
    std::fs::set_permissions(desk.root.join("config/approval.toml"), std::fs::Permissions::from_mode(0o666))
        .unwrap();
    desk.refuses(Trust::Dev, BYTES, "chmod go-w");
}

#[test]
fn a_profile_is_locked_apart_from_a_hook_of_its_name() {
    let Some(desk) = desk() else { return };
    let (dir, path) = (desk.root.join("site"), desk.root.join("site/profiles/window.toml"));
    let admit = |bytes: &[u8]| {
        let own = OwnFile { kind: crate::site::PROFILE, name: &desk.name, path: &path, bytes };
        Demand::of(&desk.context, Trust::Locked).unwrap().admit(&dir, &own)
    };
    let error = admit(BYTES).unwrap_err().render();
    assert!(error.contains("the profile window is not in windlass.lock"), "{error}");
    assert!(error.contains(&format!("windlass plugin install {path}")), "{error}");
    let mut lock = Lock::read(&dir).unwrap();
    lock.put_profile(LockedProfile {
        name: desk.name.clone(),
        file: "profiles/window.toml".into(),
        sha256: sha256(BYTES),
        source: "x".into(),
        signed_by: None,
    });
    lock.write(&dir).unwrap();
    admit(BYTES).unwrap();
    assert!(admit(b"other").unwrap_err().render().contains("is not the profile window that was installed"));
}

fn line_of(text: &str, at: usize) -> String {
    let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[from..].lines().next().unwrap_or_default().to_owned()
}

/// A hook that is locked, signed by alice and certified by carol; what carol's key may, and the record.
fn certified(desk: &Desk) -> (String, Vec<u8>) {
    let (alice, carol) = (desk.key("alice", KEYS[0]), desk.key("carol", KEYS[0]));
    let trusted =
        format!("alice namespaces=\"windlass-plugin\" {alice}\ncarol namespaces=\"windlass-audit\" {carol}");
    desk.trusts(&trusted);
    desk.signature(desk.sign("alice", "windlass-plugin", BYTES));
    let record = desk.record(&sha256(BYTES)).encode().unwrap();
    desk.certify(&record, desk.sign("carol", "windlass-audit", &record));
    (trusted, record)
}

#[test]
fn what_somebody_certified_is_let_through_and_each_flaw_of_a_record_is_not() {
    let Some(desk) = desk() else { return };
    let (trusted, record) = certified(&desk);
    let admitted = |trust| desk.admit(trust, BYTES).unwrap_or_else(|error| panic!("{}", error.render()));
    admitted(Trust::Certified);
    let signed = |record: &[u8]| desk.sign("carol", "windlass-audit", record);
    let good = signed(&record);
    let text = String::from_utf8(record.clone()).unwrap();
    let of = |change: &dyn Fn(&mut Certification)| {
        let mut other = desk.record(&sha256(BYTES));
        change(&mut other);
        other.encode().unwrap()
    };
    let engine = |name: &str| Some(Digested { name: name.into(), sha256: "ab".repeat(32) });
    desk.key("mallory", KEYS[0]);
    for (bytes, signature, says) in [
        (record.clone(), desk.sign("carol", "windlass-plugin", &record), "made for \"windlass-plugin\""),
        (record.clone(), desk.sign("mallory", "windlass-audit", &record), "nobody with the key SHA256:"),
        (
            record.clone(),
            desk.sign("alice", "windlass-audit", &record),
            "other namespaces than windlass-audit",
        ),
        (record.clone(), signed(b"another"), "not a signature of this file"),
        (record.clone(), Vec::new(), "no SSH signature"),
        // Of the right signer, and of something else.
        (of(&|record| record.sha256 = sha256(b"other")), Vec::new(), "does not carry over"),
        (of(&|record| record.kind = "procedure".into()), Vec::new(), "does not carry over"),
        (of(&|record| record.name = PluginName::new("drain").unwrap()), Vec::new(), "does not carry over"),
        (of(&|record| record.engine = engine("script-js")), Vec::new(), "this runs on none"),
        // Tampered with: its meaning, or only its looks.
        (of(&|record| record.verdict = Verdict::Findings), good.clone(), "not a signature of this file"),
        (
            of(&|record| drop(record.envelope.0.insert("more".into(), Default::default()))),
            good.clone(),
            "not a signature of this file",
        ),
        (text.replace(": ", ":").into_bytes(), Vec::new(), "not written as windlass writes it"),
        (text.replace("\n}", ",\n  \"more\": 1\n}").into_bytes(), Vec::new(), "unknown field"),
        (
            text.replace("\"format\": 1", "\"format\": 2").into_bytes(),
            Vec::new(),
            "format 2, and this windlass reads format 1",
        ),
        (b"{}".to_vec(), Vec::new(), "does not say its format"),
        (Vec::new(), Vec::new(), "it is no record"),
        (vec![b'['; 100_000], Vec::new(), "it is no record"),
    ] {
        // Where nothing is said of it, the right one signs what is there.
        let signature =
            if signature.is_empty() && says != "no SSH signature" { signed(&bytes) } else { signature };
        desk.certify(&bytes, &signature);
        desk.refuses(Trust::Certified, BYTES, says);
        desk.refuses(Trust::Certified, BYTES, "windlass certify");
        // Where no record is asked for, none is looked at.
        admitted(Trust::Signed);
    }
    desk.certify(&record, &good);
    std::fs::remove_file(desk.root.join("site/hooks/window.wasm.audit.sig")).unwrap();
    desk.refuses(Trust::Certified, BYTES, "it has no signature beside it");
    std::fs::remove_file(desk.root.join("site/hooks/window.wasm.audit")).unwrap();
    desk.refuses(Trust::Certified, BYTES, "there is no hooks/window.wasm.audit");
    desk.certify(&record, &good);
    // What is asked for below holds here too.
    std::fs::rename(desk.root.join("site/hooks/window.wasm.sig"), desk.root.join("kept")).unwrap();
    desk.refuses(Trust::Certified, BYTES, "has no signature");
    std::fs::rename(desk.root.join("kept"), desk.root.join("site/hooks/window.wasm.sig")).unwrap();
    desk.refuses(Trust::Certified, b"other", "is not the hook window that was installed");
    for (from, to, says) in [
        ("namespaces=\"windlass-audit\"", "valid-before=\"20200101Z\"", "not trusted at this time"),
        ("windlass-audit", "windlass-report", "other namespaces than windlass-audit"),
        ("carol ", "*@example.com ", "only a pattern"),
    ] {
        desk.trusts(&trusted.replace(from, to));
        desk.refuses(Trust::Certified, BYTES, says);
    }
    desk.trusts(&trusted);
    admitted(Trust::Certified);
}

#[test]
fn a_record_with_any_byte_changed_is_refused() {
    let Some(desk) = desk() else { return };
    let (_, record) = certified(&desk);
    let signature = desk.read("site/hooks/window.wasm.audit.sig");
    for at in 0..record.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = record.clone();
            changed[at] ^= change;
            desk.certify(&changed, &signature);
            let refused = desk.admit(Trust::Certified, BYTES);
            assert!(refused.is_err(), "byte {at} of the record changed by {change:#x} is taken");
        }
    }
    desk.certify(&record, &signature);
    desk.admit(Trust::Certified, BYTES).unwrap();
}

#[test]
fn the_record_of_a_script_holds_for_the_engine_that_it_was_audited_with() {
    let Some(mut desk) = desk() else { return };
    certified(&desk);
    let mut record = desk.record(&sha256(BYTES));
    record.engine = Some(Digested { name: "script-python".into(), sha256: "ab".repeat(32) });
    let bytes = record.encode().unwrap();
    let signature = desk.sign("carol", "windlass-audit", &bytes);
    let file = RecordFile { bytes, signature: Some(signature) };
    let mut judged = |engines: &'static str, file_name: &str| {
        desk.context.engines = Some(engines);
        let demand = Demand::of(&desk.context, Trust::Certified).unwrap();
        let digest = sha256(BYTES);
        let asked = Asked { kind: "hook", name: &desk.name, file: file_name.into(), sha256: &digest };
        match demand.vouched(&asked, Some(&file)) {
            Vouched::Of(_) => String::new(),
            Vouched::Not(why) => why.to_string(),
            Vouched::None => panic!("there is a record"),
        }
    };
    let same = concat!(
        r#"{"script-python":"abababababababababababababababab"#,
        r#"abababababababababababababababab"}"#
    );
    assert_eq!(judged(same, "hooks/window.py"), "");
    assert!(judged("{}", "hooks/window.py").contains("built without script-python"));
    let changed = judged(r#"{"script-python":"cdcdcdcdcdcdcdcd"}"#, "hooks/window.py");
    assert!(
        changed.contains(
            "audited with script-python abababababab, and this windlass has script-python cdcdcdcdcdcd"
        ),
        "{changed}"
    );
    assert!(judged(same, "hooks/window.js").contains("built without script-js"));
    assert!(judged(same, "hooks/window.wasm").contains("runs on none"));
}

#[test]
fn the_envelope_is_that_of_a_record_which_counts() {
    let Some(desk) = desk() else { return };
    let (trusted, record) = certified(&desk);
    let digest = sha256(BYTES);
    let envelope = |trust, sha256: &str, path: &str| {
        let (dir, file) = (desk.root.join("site"), desk.root.join("site").join(path));
        let asked = Asked { kind: "hook", name: &desk.name, file: &file, sha256 };
        envelope(&desk.context, trust, &dir, &asked)
    };
    let expected = desk.record(&digest).envelope;
    for trust in [Trust::Dev, Trust::Locked, Trust::Signed, Trust::Certified] {
        assert_eq!(
            envelope(trust, &digest, "hooks/window.wasm").unwrap(),
            Some(expected.clone()),
            "{trust:?}"
        );
        assert_eq!(envelope(trust, &digest, "plugins/window.wasm").unwrap(), None, "{trust:?}");
    }
    // Of other bytes, or by nobody who is trusted, it holds nothing; where one is demanded, that is refused.
    desk.trusts(&trusted.replace("windlass-audit", "windlass-plan"));
    assert_eq!(envelope(Trust::Signed, &digest, "hooks/window.wasm").unwrap(), None);
    assert_eq!(envelope(Trust::Certified, &digest, "hooks/window.wasm").unwrap_err().exit, Exit::Refused);
    desk.trusts(&trusted);
    let other = sha256(b"other");
    assert_eq!(envelope(Trust::Locked, &other, "hooks/window.wasm").unwrap(), None);
    let error = envelope(Trust::Certified, &other, "hooks/window.wasm").unwrap_err();
    assert!(error.render().contains("does not carry over"), "{}", error.render());
    // The place of a bundled procedure's, which is no file of the site.
    let place = place_of_bundled(&desk.root.join("site"), &desk.name);
    assert_eq!(place, desk.root.join("site/plugins/window.wasm"));
    std::fs::create_dir(desk.root.join("site/plugins")).unwrap();
    let signature = desk.read("site/hooks/window.wasm.audit.sig");
    desk.write("site/plugins/window.wasm.audit", &record);
    desk.write("site/plugins/window.wasm.audit.sig", signature);
    assert_eq!(envelope(Trust::Certified, &digest, "plugins/window.wasm").unwrap(), Some(expected));
}
