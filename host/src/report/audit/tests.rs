//! Reports of every sample: as they were, valid by their schemas, and of hostile texts nothing but text.

use super::*;
use crate::model::audit::Rule;
use crate::model::samples::audit::{HOSTILE, audit, bare, hostile, script};
use std::path::{Path, PathBuf};

mod browser;
mod schema;

fn samples() -> [(&'static str, Audit); 3] {
    [("whole", audit()), ("script", script()), ("bare", bare())]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn each_sample_reads_as_it_did() {
    let cases = root().join("tests/cases/audit");
    insta::with_settings!({ snapshot_path => cases, prepend_module_to_snapshot => false, omit_expression => true }, {
    for (name, audit) in samples() {
        let plain = anstream::adapter::strip_str(&text(&audit).join("\n")).to_string();
        insta::assert_snapshot!(format!("text-{name}"), plain);
    }
    insta::assert_snapshot!("sarif-whole", serde_json::to_string_pretty(&sarif(&audit())).unwrap());
    insta::assert_snapshot!("html-whole", html(&audit()));
    });
}

#[test]
fn the_first_screen_is_one_and_says_what_there_is() {
    for (name, audit) in samples() {
        for audit in [&audit, &hostile(&audit)] {
            let plain = anstream::adapter::strip_str(&text(audit).join("\n")).to_string();
            // The details begin at the first heading behind the summary.
            let details = plain
                .lines()
                .position(|line| line.starts_with("Findings:") || line.starts_with("Can do:"))
                .unwrap();
            assert!(details <= 25, "{name}: {details}");
            for line in plain.lines().take(details) {
                assert!(line.chars().count() <= 100, "{name}: {line}");
            }
        }
    }
    let plain = anstream::adapter::strip_str(&text(&audit()).join("\n")).to_string();
    assert!(
        plain.starts_with("FINDINGS in procedure ha-cert 1.3.0: 23 errors, 4 warnings, 6 notes\n"),
        "{plain}"
    );
    assert!(
        plain.contains("windlass audit plugins/ha-cert.wasm --as ha-cert --only 'odd hours' --seed 1\n"),
        "{plain}"
    );
}

#[test]
fn no_text_of_a_guest_or_a_node_gets_out_of_where_it_is_shown() {
    for (name, audit) in samples() {
        let audit = hostile(&audit);
        let bad = |c: char| {
            (c.is_control() && c != '\n')
                || ('\u{200b}'..='\u{200f}').contains(&c)
                || ('\u{202a}'..='\u{202e}').contains(&c)
        };
        let plain = anstream::adapter::strip_str(&text(&audit).join("\n")).to_string();
        assert!(plain.contains("owned") && !text(&audit).iter().any(|line| line.contains('\n')), "{name}");
        let page = html(&audit);
        for shown in [&plain, &page, &serde_json::to_string(&sarif(&audit)).unwrap()] {
            assert!(!shown.contains(bad), "{name}: {:?}", shown.chars().find(|c| bad(*c)));
        }
        assert!(page.contains("&lt;script&gt;"), "{name}");
        for tag in ["<script", "<img", "onerror=\""] {
            assert!(!page.contains(tag), "{name}: {tag}");
        }
        // One of each, and not one more, whatever stands in them.
        for once in ["<style>", "</style>", "<title>Audit", "http-equiv"] {
            assert_eq!(page.matches(once).count(), 1, "{name}: {once}");
        }
    }
    assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    assert_eq!(
        (quoted("--all").as_str(), quoted("").as_str(), quoted("hooks/a.py").as_str()),
        ("'--all'", "''", "hooks/a.py")
    );
    assert!(!quoted(HOSTILE).contains('\u{1b}'));
}

#[test]
fn every_rule_has_its_finding_in_the_sample() {
    let found: Vec<Rule> = audit().findings.iter().map(|finding| finding.rule).collect();
    assert!(Rule::ALL.iter().all(|rule| found.contains(rule)));
    // Their names in reports are those in JSON.
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.code());
    }
}

#[test]
fn lines_that_follow_each_other_are_ranges() {
    assert_eq!(ranges(&[]), "");
    assert_eq!(ranges(&[3]), "3");
    assert_eq!(ranges(&[1, 2, 3, 5, 7, 8, u32::MAX]), "1-3, 5, 7-8, 4294967295");
}
