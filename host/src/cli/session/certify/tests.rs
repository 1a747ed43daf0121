//! What of a report becomes a record, and what does not.

use super::*;
use crate::model::audit::Rule;
use crate::model::samples::audit::{audit, bare, script};

fn refused(audit: &Audit, given: &[&str]) -> Error {
    let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
    accepted(audit, &given).expect_err("it is accepted")
}

/// With these findings and no others.
fn with(ids: &[(&str, Level)]) -> Audit {
    let one = audit().findings.remove(0);
    let finding = |(id, level): &(&str, Level)| Finding { id: (*id).into(), level: *level, ..one.clone() };
    Audit { findings: ids.iter().map(finding).collect(), ..audit() }
}

#[test]
fn each_finding_above_a_note_wants_a_reason_of_its_own() {
    let audit =
        with(&[("leak:a", Level::Error), ("odd-waits", Level::Warning), ("need-unused:b", Level::Note)]);
    let error = refused(&audit, &[]);
    assert_eq!((error.exit, error.causes.len()), (Exit::Findings, 2), "{}", error.render());
    assert!(error.render().contains("next: --accept 'leak:a=WHY'"), "{}", error.render());
    assert!(!error.render().contains("need-unused"), "{}", error.render());
    let error = refused(&audit, &["leak:a=only in a test"]);
    assert_eq!(
        (error.exit, error.message.as_str()),
        (Exit::Findings, "1 finding is not accepted, so nothing was certified")
    );
    for (given, says) in [
        (&["leak:a= "][..], "wants the reason"),
        (&["leak:a"], "wants the reason"),
        (&["leak:a=x", "leak:a=y"], "said twice"),
        (&["leak:b=x"], "is leak:a meant?"),
        (&["something else"], "there are: leak:a, odd-waits, need-unused:b"),
        (&["\u{1b}[31m=x"], "there is no finding"),
    ] {
        let error = refused(&audit, given);
        assert_eq!(error.exit, Exit::Usage, "{given:?}: {}", error.render());
        assert!(
            error.render().contains(says) && !error.render().contains('\u{1b}'),
            "{given:?}: {}",
            error.render()
        );
    }
    let given = ["odd-waits= slow = sure ", "need-unused:b=later", "leak:a=only in a test"].map(String::from);
    let accepted = accepted(&audit, &given).unwrap();
    let said: Vec<_> = accepted.iter().map(|one| (one.id.as_str(), one.reason.as_str(), one.level)).collect();
    assert_eq!(
        said,
        [
            ("leak:a", "only in a test", Level::Error),
            ("need-unused:b", "later", Level::Note),
            ("odd-waits", "slow = sure", Level::Warning)
        ]
    );
}

#[test]
fn what_a_finding_is_about_may_have_an_equals_sign() {
    let audit = with(&[("denied:files", Level::Error), ("denied:files = \"x\"", Level::Error)]);
    let given = ["denied:files = \"x\"=long", "denied:files=short"].map(String::from);
    let reasons: Vec<_> = accepted(&audit, &given).unwrap().into_iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["short", "long"]);
    assert!(accepted(&bare(), &[]).unwrap().is_empty());
    assert!(refused(&bare(), &["leak=x"]).render().contains("the audit has found nothing"));
}

fn subject_of(audit: &Audit) -> Subject {
    let of = &audit.plugin;
    Subject {
        kind: of.kind.clone(),
        name: of.name.clone(),
        version: of.version.clone(),
        sha256: of.digest.clone(),
        file: "hooks/x.wasm".into(),
    }
}

#[test]
fn a_report_is_of_these_bytes_and_its_verdict_of_its_findings() {
    let whole = audit();
    is_of(&subject_of(&whole), &whole, "ha-cert").unwrap();
    let mut others: Vec<Subject> = (0..4).map(|_| subject_of(&whole)).collect();
    others[0].sha256 = "00".repeat(32);
    others[1].kind = "hook".into();
    others[2].name = PluginName::new("other").unwrap();
    others[3].version = "2.0.0".into();
    for other in others {
        let error = is_of(&other, &whole, "ha-cert").unwrap_err();
        assert_eq!(error.exit, Exit::Refused, "{}", error.render());
        assert!(
            error.message.contains("the report is of the procedure ha-cert 1.3.0, 0123456789ab"),
            "{}",
            error.message
        );
    }
    let edited = Audit { findings: Vec::new(), ..whole.clone() };
    assert!(is_of(&subject_of(&whole), &edited, "x").unwrap_err().message.contains("edited"));
    let edited = Audit { verdict: Verdict::NothingFound, ..whole.clone() };
    assert!(is_of(&subject_of(&whole), &edited, "x").unwrap_err().message.contains("edited"));
}

#[test]
fn a_script_is_certified_with_its_engine_or_not_at_all() {
    assert_eq!(engine(&audit()).unwrap(), None);
    let mut script = script();
    assert_eq!(engine(&script).unwrap().unwrap().sha256, "cd".repeat(32));
    for without in ["", "3.14", "not 64 hex digits"] {
        let Form::Script { engine: Some(one), .. } = &mut script.plugin.form else { panic!("a script") };
        one.version = without.into();
        assert_eq!(engine(&script).unwrap_err().exit, Exit::Refused, "{without:?}");
    }
    let Form::Script { engine: none, .. } = &mut script.plugin.form else { panic!("a script") };
    *none = None;
    assert_eq!(engine(&script).unwrap_err().exit, Exit::Refused);
}

#[test]
fn a_report_is_read_as_it_was_written_and_nothing_else_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("report.json");
    let written = serde_json::to_string(&audit()).unwrap();
    std::fs::write(&path, &written).unwrap();
    assert_eq!(read_report(&path).unwrap(), audit());
    for (text, says) in [
        ("".to_owned(), "EOF"),
        ("[]".into(), "does not say its format"),
        (written.replacen("\"format\":1", "\"format\":2", 1), "it has format 2"),
        (written.replacen("\"windlass\":", "\"more\":1,\"windlass\":", 1), "unknown field `more`"),
        (written.replace(Rule::Leak.code(), "leaks"), "leaks"),
        ("[".repeat(100_000), "recursion"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = read_report(&path).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(
            error.render().contains(says) && error.render().contains("windlass audit PLUGIN --json"),
            "{says}: {}",
            error.render()
        );
    }
    assert!(read_report(folder.path().try_into().unwrap()).is_err());
    assert!(
        read_report(Utf8Path::new("/nowhere/report.json")).unwrap_err().render().contains("No such file")
    );
}
