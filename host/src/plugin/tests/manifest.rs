use super::guest::*;
use crate::plugin::manifest::{LARGEST, SECTION, append, read};
use crate::plugin::{Kind, ManifestError, Need};
use wasm_encoder::{Component, ComponentSection, CustomSection, Module, ModuleSection};

fn section(json: &str) -> Vec<u8> {
    let mut component = Component::new().finish();
    CustomSection { name: SECTION.into(), data: json.as_bytes().into() }.append_to_component(&mut component);
    component
}

#[track_caller]
fn malformed(json: &str, says: &str) {
    match read(&section(json)) {
        Err(ManifestError::Malformed(why)) => assert!(why.contains(says), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_appended_is_read_back_whatever_its_length() {
    for length in [1, 60, 127, 128, 200] {
        let mut written = a_manifest(Kind::Hook);
        written.summary = "x".repeat(length);
        written.needs = vec![Need {
            reason: "to drain".into(),
            commands: vec!["haproxy-drain@lb1".into()],
            ..Need::default()
        }];
        let component = append(&bare_procedure(""), &written).unwrap();
        assert_eq!(read(&component).unwrap(), written);
    }
}

#[test]
fn a_component_with_a_manifest_gets_no_second_one() {
    let error = append(&procedure(""), &a_manifest(Kind::Procedure)).unwrap_err();
    assert_eq!(error, ManifestError::Twice);
}

#[test]
fn no_manifest_is_said_to_be_missing() {
    assert_eq!(read(&bare_procedure("")).unwrap_err(), ManifestError::Missing);
}

#[test]
fn a_manifest_inside_a_nested_module_does_not_count() {
    let mut module = Module::new();
    module.section(&CustomSection { name: SECTION.into(), data: b"{}"[..].into() });
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    assert_eq!(read(&component.finish()).unwrap_err(), ManifestError::Nested);
}

#[test]
fn what_a_manifest_must_not_be_is_said_in_words() {
    const GOOD: &str = r#"{"name":"a","version":"1.0.0","kind":"hook","api":"0.1","summary":"Drain"}"#;
    read(&section(GOOD)).unwrap();
    malformed("not json", "expected");
    malformed(&GOOD.replace("\"summary\"", "\"sumary\""), "unknown field `sumary`");
    malformed(&GOOD.replace("\"a\"", "\"../a\""), "not a valid name");
    malformed(&GOOD.replace("hook", "daemon"), "unknown variant `daemon`");
    malformed(&GOOD.replace("1.0.0", "one"), "`version`");
    malformed(&GOOD.replace("Drain", "Dr\\u001b[2Jain"), "`summary`");
    malformed(&GOOD.replace('}', r#","needs":[{"reason":"x"}]}"#), "need 1 asks for nothing");
    malformed(&GOOD.replace('}', r#","needs":[{"reason":"","general":["clock"]}]}"#), "`reason` of need 1");
    malformed(&GOOD.replace("0.1", "0.0"), "older than any");
    malformed(&GOOD.replace("0.1", "new"), "`api` is not a version");
    let wanted = read(&section(&GOOD.replace("0.1", "0.2"))).unwrap_err();
    assert!(wanted.to_string().contains("Windlass 0.2 or newer"), "{wanted}");
}

#[test]
fn a_manifest_over_its_size_is_not_parsed() {
    let error = read(&section(&" ".repeat(LARGEST + 1))).unwrap_err();
    assert_eq!(error, ManifestError::SectionTooLarge(LARGEST + 1));
}
