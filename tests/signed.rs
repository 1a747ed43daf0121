//! Plugins and profiles that people sign, end to end: with windlass and with OpenSSH's own tool, and what becomes of
//! those whose signature is lacking, damaged, another's, or not trusted any more.

use crate::refuse::{Practice, Said, built, make_key, with_people};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::{Command, Stdio};
use windlass::plugin::sha256;

const PEOPLE: [(&str, &str); 4] =
    [("alice", "ed25519"), ("bob", "ecdsa"), ("carol", "rsa"), ("mallory", "ed25519")];

/// A practice pair whose site wants signatures, and people with a key each; all but mallory are trusted.
pub struct Desk {
    pub practice: Practice,
    folder: Utf8PathBuf,
    config: Utf8PathBuf,
}

pub fn desk() -> Option<Desk> {
    let (practice, folder, config) = with_people()?;
    let site = practice.read("site.toml").replacen("trust = \"dev\"", "trust = \"signed\"", 1);
    practice.write("site.toml", site);
    let desk = Desk { practice, folder, config };
    for (name, kind) in PEOPLE {
        make_key(&desk.folder.join(name), kind);
    }
    desk.trusts(&["alice", "bob", "carol"], "namespaces=\"windlass-plugin\"");
    Some(desk)
}

impl Desk {
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).into_string()
    }

    pub fn trusts(&self, people: &[&str], options: &str) {
        let mut signers = String::new();
        for name in people {
            let public = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
            signers += &format!("{name}@example.com {options} {public}");
        }
        std::fs::write(self.config.join("allowed_signers"), signers).unwrap();
    }

    /// Signs as somebody does who has no windlass.
    pub fn keygen_sign(&self, who: &str, namespace: &str, file: &Utf8Path) {
        let _ = std::fs::remove_file(format!("{file}.sig"));
        let signed = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f", &self.path(who), file.as_str()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    pub fn sign(&self, who: &str, file: &Utf8Path) -> Said {
        self.practice.windlass(&["plugin", "sign", file.as_str(), "--key", &self.path(who)])
    }

    /// `ssh-keygen -Y verify`.
    pub fn keygen_verifies(&self, who: &str, namespace: &str, file: &Utf8Path) -> bool {
        Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", namespace, "-I", &format!("{who}@example.com"), "-f"])
            .arg(self.config.join("allowed_signers"))
            .args(["-s", &format!("{file}.sig")])
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap()
            .status
            .success()
    }

    pub fn install(&self, file: &Utf8Path) -> Said {
        self.practice.windlass(&["plugin", "install", file.as_str(), "--yes"])
    }

    /// Signs and installs the site's own profile.
    pub fn profile(&self) {
        let profile = self.practice.dir.join("profiles/practice.toml");
        self.sign("alice", &profile).check(0, &["profile practice", "signed by alice@example.com"]);
        self.install(&profile).check(0, &["signed by alice@example.com", "installed profile practice"]);
    }

    /// A hook that vetoes, bound and granted; where it lies before it is installed.
    fn hook(&self) -> Option<Utf8PathBuf> {
        let practice = &self.practice;
        practice.write("elsewhere/window.wasm", built("window")?);
        let (site, grants) = (practice.read("site.toml"), practice.read("grants.toml"));
        let never = "params = { from = \"00:00\", until = \"00:00\" }";
        practice.write(
            "site.toml",
            format!("{site}\n[[hooks]]\nplugin = \"window\"\nbefore = \"ha-cert/run\"\n{never}\n"),
        );
        practice.write("grants.toml", format!("{grants}\n[grants.window]\ngeneral = [\"clock\"]\n"));
        Some(practice.dir.join("elsewhere/window.wasm"))
    }
}

#[test]
fn who_is_trusted_signs_with_either_tool_and_it_loads() {
    let Some(desk) = desk() else { return };
    let Some(hook) = desk.hook() else { return };
    desk.profile();
    let practice = &desk.practice;
    desk.install(&hook).check(3, &["the hook window has no signature", "the site says trust = \"signed\""]);
    assert!(!practice.dir.join("hooks/window.wasm").exists());
    for (who, _) in &PEOPLE[..3] {
        let by = format!("signed by {who}@example.com (SHA256:");
        desk.sign(who, &hook).check(0, &["hook window 0.1.0", "sha256", "window.wasm.sig", &by]);
        assert!(desk.keygen_verifies(who, "windlass-plugin", &hook), "{who}");
        assert!(!desk.keygen_verifies(who, "windlass-plan", &hook), "{who}");
        desk.install(&hook).check(0, &[&by, "installed hook window"]);
        practice.windlass(&["plan", "ha-cert"]).check(0, &["hook window, before the run"]);

        desk.keygen_sign(who, "windlass-plugin", &hook);
        // What has no chance in it, ed25519 and RSA, is the same signature by either.
        desk.install(&hook).check(0, &[if *who == "bob" { &by } else { "nothing to do" }]);
        practice.windlass(&["plan", "ha-cert"]).check(0, &["hook window, before the run"]);
        assert!(practice.read("windlass.lock").contains(&format!("signed_by = \"{who}@example.com SHA256:")));
        desk.install(&hook).check(0, &["nothing to do"]);
    }
    practice.windlass(&["plugin", "list"]).check(0, &["signed by carol@example.com"]);
    practice
        .windlass(&["plugin", "explain", "window"])
        .check(0, &["signed by", "carol@example.com (SHA256:"]);
    let json = practice.windlass(&["--json", "plugin", "explain", "window"]);
    let known: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(known[0]["signature"]["by"]["principal"], "carol@example.com");
    // Whoever is not trusted can sign, and is told.
    desk.sign("mallory", &hook).check(0, &["signed, but nobody with the key"]);
    desk.install(&hook).check(3, &["does not count", "nobody with the key", "allowed_signers"]);
}

/// A component that is still one, and says another letter in its manifest.
fn one_letter_changed(component: &[u8]) -> Vec<u8> {
    const AT: &[u8] = b"\"summary\":\"";
    let at = component.windows(AT.len()).position(|part| part == AT).unwrap() + AT.len();
    let mut changed = component.to_vec();
    changed[at] ^= 0x20;
    changed
}

#[test]
fn a_signature_that_does_not_count_is_refused_before_a_node_is_asked() {
    let Some(desk) = desk() else { return };
    let Some(hook) = desk.hook() else { return };
    desk.profile();
    desk.sign("alice", &hook).check(0, &[]);
    desk.install(&hook).check(0, &[]);
    let practice = &desk.practice;
    let before = practice.nodes();
    let refused = |says: &[&str]| {
        for command in [&["run", "ha-cert", "--yes"][..], &["plan", "ha-cert"]] {
            let said = practice.windlass(command);
            said.check(3, says);
            assert!(said.err.contains("next:"), "no next step: {said:#?}");
            before.check(&practice.nodes());
        }
    };
    let good = practice.read("hooks/window.wasm.sig");
    let other = practice.dir.join("elsewhere/other");
    practice.write("elsewhere/other", "other bytes");
    let made = |who: &str, namespace: &str, file: &Utf8Path| {
        desk.keygen_sign(who, namespace, file);
        std::fs::read_to_string(format!("{file}.sig")).unwrap()
    };
    for (signature, says) in [
        (made("alice", "windlass-plugin", &other), "it is not a signature of this file"),
        (made("alice", "windlass-plan", &hook), "made for \"windlass-plan\""),
        (made("mallory", "windlass-plugin", &hook), "nobody with the key SHA256:"),
        (good.replacen("U1NIU0lH", "U1NIU0lI", 1), "no SSH signature"),
        (String::new(), "no SSH signature"),
    ] {
        practice.write("hooks/window.wasm.sig", signature);
        refused(&["hooks/window.wasm.sig of the hook window does not count", says, "windlass plugin sign"]);
    }
    std::fs::remove_file(practice.dir.join("hooks/window.wasm.sig")).unwrap();
    refused(&["there is no hooks/window.wasm.sig", "windlass plugin sign"]);
    practice.windlass(&["plugin", "list"]).check(0, &["hook       window"]);
    practice.write("hooks/window.wasm.sig", &good);
    // Of a right signature with other bytes under it, the lock speaks first.
    let whole = std::fs::read(practice.dir.join("hooks/window.wasm")).unwrap();
    practice.write("hooks/window.wasm", [&whole[..], b"\0"].concat());
    refused(&["is not the hook window that was installed"]);
    practice.write("hooks/window.wasm", &whole);
    practice.with("windlass.lock", "[[profiles]]", "[[profile]]", || {
        refused(&["not a lock that windlass wrote"])
    });
    // Of one letter changed, and locked anew by a careless hand, it is the signature that speaks.
    let changed = one_letter_changed(&whole);
    practice.write("hooks/window.wasm", &changed);
    practice.with("windlass.lock", &sha256(&whole), &sha256(&changed), || {
        refused(&[
            "hooks/window.wasm.sig of the hook window does not count",
            "it is not a signature of this file",
        ]);
    });
    practice.write("hooks/window.wasm", &whole);
    practice.write("elsewhere/window.wasm", &changed);
    desk.install(&hook).check(3, &["it is not a signature of this file"]);
    practice.write("elsewhere/window.wasm", &whole);
    practice.with("site.toml", "trust = \"signed\"", "trust = \"certified\"", || {
        refused(&["the hook window is not certified", "windlass certify"]);
    });
    desk.trusts(&["alice", "bob"], "namespaces=\"windlass-plan\"");
    refused(&["other namespaces than windlass-plugin"]);
    desk.trusts(&["alice", "bob"], "valid-before=\"20200101Z\"");
    refused(&["not trusted at this time"]);
    desk.trusts(&["bob"], "");
    refused(&["nobody with the key", "PRINCIPAL namespaces=\"windlass-plugin\" KEY"]);
    desk.trusts(&["alice"], "");
    practice.windlass(&["plan", "ha-cert"]).check(0, &["hook window"]);
}

#[test]
fn a_site_asks_for_no_less_than_the_machine_does() {
    let Some(desk) = desk() else { return };
    let practice = &desk.practice;
    let site = practice.read("site.toml").replacen("trust = \"signed\"", "trust = \"dev\"", 1);
    practice.write("site.toml", site);
    practice.windlass(&["site", "check"]).check(0, &[]);
    let policy = desk.config.join("approval.toml");
    std::fs::write(&policy, "trust = \"signed\"\n").unwrap();
    let says = format!("{policy} asks for trust = \"signed\"");
    practice.windlass(&["site", "check"]).check(3, &["the profile practice is not in windlass.lock", &says]);
    desk.profile();
    practice.windlass(&["site", "check"]).check(0, &[]);
    std::fs::remove_file(practice.dir.join("profiles/practice.toml.sig")).unwrap();
    practice.windlass(&["site", "check"]).check(3, &["no profiles/practice.toml.sig", &says]);
    std::fs::write(&policy, "trust = \"sined\"\n").unwrap();
    practice.windlass(&["site", "check"]).check(3, &["approval.toml", "sined"]);
}

#[test]
fn whose_key_has_expired_since_holds_nobody_up_on_the_way_back() {
    let Some(desk) = desk() else { return };
    let Some(hook) = desk.hook() else { return };
    desk.profile();
    desk.sign("alice", &hook).check(0, &[]);
    desk.install(&hook).check(0, &[]);
    let practice = &desk.practice;
    let site = practice.read("site.toml").replace("ha-cert/run", "ha-cert/restart@second");
    practice.write("site.toml", site);
    practice.run(&[]).check(5, &["(vetoed)"]);
    desk.trusts(&["alice"], "valid-before=\"20200101Z\"");
    practice.windlass(&["resume"]).check(3, &["profiles/practice.toml.sig", "not trusted at this time"]);
    // Other bytes than the run began with are no way back either.
    let profile = practice.read("profiles/practice.toml");
    practice.write("profiles/practice.toml", format!("{profile}\n# edited\n"));
    practice.windlass(&["rollback"]).check(3, &["is not the profile practice that was installed"]);
    practice.write("profiles/practice.toml", profile);
    let said = practice.windlass(&["rollback", "--accept", "hook"]);
    said.check(1, &["the run began with it", "no hook is called", "rolled back"]);
}
