//! Plugins that people certify, end to end: with windlass and with OpenSSH's own tool, and what becomes of those whose
//! record is lacking, damaged, another's, or not trusted any more.

use crate::carry::quiet;
use crate::refuse::Said;
use crate::signed::{Desk, desk};
use camino::Utf8PathBuf;
use windlass::model::PluginName;
use windlass::model::audit::{
    AUDIT_FORMAT, Audit, Coverage, Envelope, Finding, Form, LeastGrants, Rehearsals, Rule, Subject, Verdict,
};
use windlass::plugin::sha256;

const ACCEPT: &str = "odd-waits:sleep=it waits for the load balancer";

/// A report with one finding, of a hook or a procedure.
fn report(kind: &str, name: &str, version: &str, digest: String) -> Audit {
    let finding = Finding::new(Rule::OddWaits, "sleep", "it waits 1, 3, 1 and 2 seconds");
    Audit {
        format: AUDIT_FORMAT,
        windlass: env!("CARGO_PKG_VERSION").into(),
        plugin: Subject {
            name: PluginName::new(name).unwrap(),
            version: version.into(),
            kind: kind.into(),
            summary: "A guest of the tests".into(),
            file: None,
            digest,
            bytes: 1,
            signer: None,
            signature_problem: None,
            api: "0.1".into(),
            loads_on: "windlass 0.1 and later".into(),
            form: Form::Component {
                language: String::new(),
                producers: Vec::new(),
                dependencies: None,
                custom_sections: Vec::new(),
                memories: Vec::new(),
                tables: Vec::new(),
                imports: Vec::new(),
                exports: Vec::new(),
                modules: 1,
            },
        },
        verdict: Verdict::Findings,
        findings: vec![finding],
        capabilities: Vec::new(),
        rehearsals: Rehearsals::default(),
        envelope: Envelope([("before ha-cert/run".to_owned(), ["general clock".to_owned()].into())].into()),
        coverage: Coverage::NotMeasurable { why: "a test".into() },
        grants: LeastGrants::default(),
        comparison: None,
        conformance: None,
    }
}

/// A site that wants certified plugins, with a hook that is signed and bound, and lies elsewhere.
struct Review {
    desk: Desk,
    hook: Utf8PathBuf,
}

impl Review {
    fn begin() -> Option<Self> {
        let desk = desk()?;
        let practice = &desk.practice;
        desk.trusts(&["alice", "bob", "carol"], "namespaces=\"windlass-plugin,windlass-audit\"");
        desk.profile();
        let site = practice.read("site.toml").replacen("trust = \"signed\"", "trust = \"certified\"", 1);
        let bound = "[[hooks]]\nplugin = \"quiet\"\nbefore = \"ha-cert/run\"\n";
        practice.write("site.toml", format!("{site}\n{bound}"));
        let review = Self { hook: practice.dir.join("elsewhere/quiet.wasm"), desk };
        review.version("1.0.0");
        Some(review)
    }

    /// The hook that lies elsewhere, of another version, signed.
    fn version(&self, version: &str) {
        let bytes = quiet("quiet", version, &[]);
        let report = report("hook", "quiet", version, sha256(&bytes));
        self.write("elsewhere/quiet.wasm", bytes);
        self.write("report.json", serde_json::to_string(&report).unwrap());
        self.desk.sign("alice", &self.hook).check(0, &[]);
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        self.desk.practice.write(file, bytes);
    }

    fn certify(&self, who: &str, plugin: &str, accept: &[&str]) -> Said {
        let (report, key) = (self.desk.practice.dir.join("report.json"), self.desk.path(who));
        let mut arguments = vec!["certify", plugin, "--report", report.as_str(), "--key", &key];
        arguments.extend(accept.iter().flat_map(|one| ["--accept", one]));
        self.desk.practice.windlass(&arguments)
    }

    fn plan(&self) -> Said {
        self.desk.practice.windlass(&["plan", "ha-cert"])
    }
}

#[test]
fn who_is_trusted_certifies_with_either_tool_and_it_loads() {
    let Some(review) = Review::begin() else { return };
    let (desk, hook) = (&review.desk, &review.hook);
    desk.install(hook).check(
        3,
        &[
            "the hook quiet is not certified",
            "the site says trust = \"certified\"",
            "no hooks/quiet.wasm.audit",
        ],
    );
    assert!(!desk.practice.dir.join("hooks/quiet.wasm").exists());
    let certify = |accept: &[&str]| review.certify("bob", hook.as_str(), accept);
    certify(&[]).check(
        10,
        &[
            "1 finding is not accepted",
            "warning: odd-waits:sleep: it waits",
            "--accept 'odd-waits:sleep=WHY'",
        ],
    );
    certify(&["odd-wait:sleep=x"]).check(2, &["no finding \"odd-wait:sleep\"", "is odd-waits:sleep meant?"]);
    assert!(!desk.practice.dir.join("elsewhere/quiet.wasm.audit").exists());
    certify(&[ACCEPT]).check(
        0,
        &[
            "findings in hook quiet 1.0.0: 1 warning",
            "certified: ",
            "quiet.wasm.audit",
            "signed by bob@example.com (SHA256:",
        ],
    );
    let record = Utf8PathBuf::from(format!("{hook}.audit"));
    assert!(desk.keygen_verifies("bob", "windlass-audit", &record));
    assert!(!desk.keygen_verifies("bob", "windlass-plugin", &record));
    let says = [
        "certified by bob@example.com",
        "accepted: odd-waits:sleep, because: it waits for the load balancer",
    ];
    desk.install(hook).check(0, &[&says[..], &["installed hook quiet"]].concat());
    review.plan().check(0, &["hook quiet, before the run"]);
    desk.install(hook).check(0, &["nothing to do"]);

    // Somebody else vouches for the same record, with OpenSSH's own tool.
    desk.keygen_sign("carol", "windlass-audit", &record);
    desk.install(hook).check(0, &["certified by carol@example.com", "installed hook quiet"]);
    review.plan().check(0, &["hook quiet, before the run"]);
    let practice = &desk.practice;
    practice.windlass(&["plugin", "list"]).check(0, &["certified by carol@example.com"]);
    practice.windlass(&["plugin", "explain", "quiet"]).check(
        0,
        &[
            "certified by carol@example.com (SHA256:",
            "accepted odd-waits:sleep: it waits for the load balancer",
        ],
    );
    let json = practice.windlass(&["--json", "plugin", "explain", "quiet"]);
    let known: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(known[0]["certified"]["by"]["signer"]["principal"], "carol@example.com");

    // In the site, by name; a file that comes again without a record does not take it away.
    review
        .certify("alice", "quiet", &[ACCEPT])
        .check(0, &["hooks/quiet.wasm.audit", "signed by alice@example.com"]);
    std::fs::remove_file(&record).unwrap();
    std::fs::remove_file(format!("{record}.sig")).unwrap();
    desk.install(hook).check(0, &["nothing to do"]);
    practice.windlass(&["plugin", "list"]).check(0, &["certified by alice@example.com"]);
    // Whoever is not trusted can certify, and is told.
    review.certify("mallory", "quiet", &[ACCEPT]).check(0, &["signed, but nobody with the key"]);
    review
        .plan()
        .check(3, &["hooks/quiet.wasm.audit", "nobody with the key", "namespaces=\"windlass-audit\""]);
    // What is removed leaves nothing behind.
    let site = practice.read("site.toml");
    practice.write("site.toml", site.split("[[hooks]]").next().unwrap());
    practice.windlass(&["plugin", "remove", "quiet"]).check(0, &["removed hook quiet"]);
    assert_eq!(practice.dir.join("hooks").read_dir_utf8().unwrap().count(), 0);
}

#[test]
fn a_record_that_does_not_count_is_refused_before_a_node_is_asked() {
    let Some(review) = Review::begin() else { return };
    let (desk, practice) = (&review.desk, &review.desk.practice);
    review.certify("bob", review.hook.as_str(), &[ACCEPT]).check(0, &[]);
    desk.install(&review.hook).check(0, &[]);
    let before = practice.nodes();
    let refused = |says: &[&str]| {
        for command in [&["run", "ha-cert", "--yes"][..], &["plan", "ha-cert"]] {
            let said = practice.windlass(command);
            said.check(3, says);
            assert!(said.err.contains("next: windlass certify"), "no next step: {said:#?}");
            before.check(&practice.nodes());
        }
    };
    let record = "hooks/quiet.wasm.audit";
    let whole = practice.read(record);
    practice.with(record, "it waits for the load balancer", "it waits for its prey", || {
        refused(&[
            "the record hooks/quiet.wasm.audit of the hook quiet does not count",
            "not a signature of this file",
        ]);
    });
    practice.with(record, "odd-waits:sleep\",", "odd-waits:sleep\" ,", || {
        refused(&["not written as windlass writes it"])
    });
    let signature = practice.read(&format!("{record}.sig"));
    desk.keygen_sign("bob", "windlass-plugin", &practice.dir.join(record));
    refused(&["made for \"windlass-plugin\""]);
    practice.write(&format!("{record}.sig"), &signature);
    std::fs::remove_file(practice.dir.join(record)).unwrap();
    refused(&["the hook quiet is not certified", "there is no hooks/quiet.wasm.audit"]);
    practice.write(record, &whole);
    desk.trusts(&["alice", "bob"], "namespaces=\"windlass-plugin\"");
    refused(&["other namespaces than windlass-audit"]);
    desk.trusts(&["alice", "bob"], "namespaces=\"windlass-plugin,windlass-audit\"");
    review.plan().check(0, &["hook quiet, before the run"]);

    // Another version is other bytes: neither is it installed with the record, nor does it load beside it.
    review.version("1.1.0");
    let elsewhere = format!("{}.audit", review.hook);
    practice.write("elsewhere/quiet.wasm.audit", &whole);
    practice.write("elsewhere/quiet.wasm.audit.sig", &signature);
    desk.install(&review.hook)
        .check(3, &["does not carry over", "the record hooks/quiet.wasm.audit of the hook quiet"]);
    practice.with("site.toml", "trust = \"certified\"", "trust = \"signed\"", || {
        // Whatever is asked for: a record of something else is no record.
        desk.install(&review.hook).check(3, &["does not carry over", "or leave the record out"]);
        std::fs::remove_file(&elsewhere).unwrap();
        desk.install(&review.hook).check(0, &["installed hook quiet"]);
        // One that was of other bytes went with them.
        assert!(!practice.dir.join(record).exists() && !practice.dir.join(format!("{record}.sig")).exists());
        // By nobody who is trusted, it is told of, and taken along for where it counts.
        review.certify("mallory", review.hook.as_str(), &[ACCEPT]).check(0, &[]);
        desk.install(&review.hook).check(0, &["warning", "nobody with the key", "installed hook quiet"]);
        practice.windlass(&["plugin", "list"]).check(0, &["its certification does not count"]);
    });
    refused(&["nobody with the key"]);
    // A report of one version certifies no other.
    let old = report("hook", "quiet", "1.0.0", sha256(&quiet("quiet", "1.0.0", &[])));
    practice.write("report.json", serde_json::to_string(&old).unwrap());
    review
        .certify("bob", "quiet", &[ACCEPT])
        .check(3, &["the report is of the hook quiet 1.0.0", "windlass audit quiet"]);
    review.certify("bob", "quite", &[ACCEPT]).check(2, &["neither a file nor a plugin", "is quiet meant?"]);
}

#[test]
fn records_travel_with_their_plugins_and_are_judged_where_they_come_to() {
    let Some(review) = Review::begin() else { return };
    let (desk, practice) = (&review.desk, &review.desk.practice);
    review.certify("bob", review.hook.as_str(), &[ACCEPT]).check(0, &[]);
    desk.install(&review.hook).check(0, &[]);
    let bundle = practice.dir.join("all.bundle");
    practice
        .windlass(&["plugin", "bundle", "-o", bundle.as_str()])
        .check(0, &["hooks/quiet.wasm.audit", "hooks/quiet.wasm.audit.sig"]);
    let record = practice.read("hooks/quiet.wasm.audit");
    for file in ["hooks/quiet.wasm", "hooks/quiet.wasm.audit", "hooks/quiet.wasm.audit.sig"] {
        std::fs::remove_file(practice.dir.join(file)).unwrap();
    }
    desk.install(&bundle).check(0, &["certified by bob@example.com", "installed hook quiet"]);
    assert_eq!(practice.read("hooks/quiet.wasm.audit"), record);
    review.plan().check(0, &["hook quiet, before the run"]);
    desk.install(&bundle).check(0, &["nothing to do"]);
    // Whom its maker trusts does not count here.
    std::fs::remove_file(practice.dir.join("hooks/quiet.wasm")).unwrap();
    desk.trusts(&["alice"], "namespaces=\"windlass-plugin,windlass-audit\"");
    desk.install(&bundle).check(3, &["hooks/quiet.wasm.audit", "nobody with the key"]);
    // What is damaged is not passed on.
    desk.install(&review.hook).check(3, &["nobody with the key"]);
    desk.trusts(&["alice", "bob"], "namespaces=\"windlass-plugin,windlass-audit\"");
    desk.install(&review.hook).check(0, &[]);
    practice.with("hooks/quiet.wasm.audit", "load balancer", "locksmith", || {
        let said = practice.windlass(&["plugin", "bundle", "-o", bundle.as_str()]);
        said.check(
            3,
            &["the record hooks/quiet.wasm.audit", "not a signature of this file", "windlass certify quiet"],
        );
    });
}

#[test]
fn a_bundled_procedure_needs_no_record_and_may_have_one() {
    let Some(review) = Review::begin() else { return };
    let practice = &review.desk.practice;
    let site = practice.read("site.toml");
    practice.write("site.toml", site.split("[[hooks]]").next().unwrap());
    review.plan().check(0, &["plan of ha-cert"]);
    let json = practice.windlass(&["--json", "plugin", "explain", "ha-cert"]);
    let known: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let (digest, version) = (known[0]["digest"].as_str().unwrap(), known[0]["version"].as_str().unwrap());
    let report = report("procedure", "ha-cert", version, digest.to_owned());
    practice.write("report.json", serde_json::to_string(&report).unwrap());
    review.certify("bob", "ha-cert", &[ACCEPT]).check(0, &["plugins/ha-cert.wasm.audit"]);
    practice.windlass(&["plugin", "list"]).check(0, &["certified by bob@example.com"]);
    review.plan().check(0, &["plan of ha-cert"]);
}
