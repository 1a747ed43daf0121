//! What holds for every chain, every request and every damaged byte.

use super::testing::{key, leaf, now, root, subject};
use super::*;
use crate::capability::secrets::Secret;
use proptest::prelude::*;
use std::sync::LazyLock;

type Made = (rustls_pki_types::CertificateDer<'static>, PrivateKey);

static ROOT: LazyLock<Made> = LazyLock::new(|| root("root"));
static LEAF: LazyLock<Made> = LazyLock::new(|| leaf(&ROOT, "master1.example"));
const DAY: i64 = 86_400;

#[test]
fn each_way_a_chain_can_break_has_its_own_error() {
    let other = root("another");
    let at = |now| verify_chain(&LEAF.0, &ROOT.0, now).unwrap_err();
    verify_chain(&LEAF.0, &ROOT.0, now()).unwrap();

    let error = verify_chain(&LEAF.0, &other.0, now()).unwrap_err();
    assert!(matches!(error, CryptoError::OtherIssuer { .. }), "{error}");
    assert_eq!(error.to_string(), "CN=master1.example was issued by CN=root, not by CN=another");

    let namesake = root("root");
    let error = verify_chain(&LEAF.0, &namesake.0, now()).unwrap_err();
    assert!(matches!(error, CryptoError::OtherKey { .. }), "{error}");

    let error = verify_chain(&LEAF.0, &LEAF.0, now()).unwrap_err();
    assert!(matches!(error, CryptoError::NotACa { .. }), "{error}");

    assert!(matches!(at(now() + 91 * DAY), CryptoError::Expired { .. }));
    assert!(matches!(at(now() - 2 * 3600), CryptoError::NotYetValid { .. }));
    assert!(at(now() + 91 * DAY).to_string().starts_with("CN=master1.example expired at 2"));
    assert!(at(now() + 3651 * DAY).to_string().starts_with("CN=root expired at 2"));
    verify_chain(&LEAF.0, &ROOT.0, now() + 90 * DAY - 60).unwrap();
    verify_chain(&LEAF.0, &ROOT.0, now() - 3500).unwrap();
}

#[test]
fn a_forged_signature_is_told_from_another_key() {
    let mut forged = LEAF.0.to_vec();
    // Inside the signature's second number, which ends the certificate.
    let last = forged.len() - 5;
    forged[last] ^= 1;
    let error = verify_chain(&forged, &ROOT.0, now()).unwrap_err();
    assert!(matches!(error, CryptoError::Signature { .. }), "{error}");
}

#[test]
fn what_a_key_file_is_to_a_certificate_is_told_in_every_case() {
    let (right, wrong) = (Secret::from_text("right".into()), Secret::from_text("wrong".into()));
    let (root, other) = (&*ROOT, root("another"));
    let sealed = |key: &PrivateKey| key.to_encrypted_pem(&right).unwrap().as_bytes().to_vec();
    let traditional = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (file, passphrase, expected) in [
        (sealed(&root.1), &right, KeyFit::Fits),
        (sealed(&other.1), &right, KeyFit::Other),
        (sealed(&root.1), &wrong, KeyFit::Shut),
        (traditional.to_vec(), &right, KeyFit::Shut),
        (to_pem(&root.0).into_bytes(), &right, KeyFit::NoKey),
        (b"garbage".to_vec(), &right, KeyFit::NoKey),
        (Vec::new(), &right, KeyFit::NoKey),
        (vec![b'x'; MAX_INPUT + 1], &right, KeyFit::NoKey),
    ] {
        assert_eq!(key_fit(&file, passphrase, &root.0).unwrap(), expected, "{}", file.len());
        // What cannot be compared with is no verdict on the key.
        assert!(key_fit(&file, passphrase, b"no certificate").is_err());
    }
}

#[test]
fn issue_refuses_what_would_not_verify() {
    let key = key("ecdsa-p256");
    let subject = subject(&[("common-name", "leaf")]);
    let request = LeafRequest { key: &key, subject: &subject, names: &[], days: 90 };
    let error = |ca: &[u8], ca_key, request, now| issue(ca, ca_key, request, now).unwrap_err();

    let e = error(&LEAF.0, &LEAF.1, request, now());
    assert!(matches!(e, CryptoError::NotACa { .. }), "{e}");
    let e = error(&ROOT.0, &LEAF.1, request, now());
    assert!(matches!(e, CryptoError::KeyMismatch { .. }), "{e}");
    let e = error(&ROOT.0, &ROOT.1, LeafRequest { days: 3651, ..request }, now());
    assert!(matches!(e, CryptoError::OutlivesCa { days: 3649 | 3650, .. }), "{e}");
    let e = error(&ROOT.0, &ROOT.1, request, now() + 4000 * DAY);
    assert!(matches!(e, CryptoError::Expired { .. }), "{e}");

    for name in ["", "a b", "-a", "a..b", "a.*.b", "ä.example", "10.0.0.256/8", &"a".repeat(64)] {
        let names = [name.to_owned()];
        let e = issue(&ROOT.0, &ROOT.1, LeafRequest { names: &names, ..request }, now()).unwrap_err();
        assert!(matches!(e, CryptoError::Argument { .. }), "{name:?}: {e}");
    }
}

#[test]
fn a_leaf_may_last_exactly_as_long_as_its_ca() {
    let made = now();
    let (root_key, leaf_key) = (key("ecdsa-p256"), key("rsa-2048"));
    let subject = subject(&[("common-name", "x")]);
    let root = self_sign(&root_key, &subject, 10, made).unwrap();
    let request = LeafRequest { key: &leaf_key, subject: &subject, names: &[], days: 10 };
    let leaf = issue(&root, &root_key, request, made).unwrap();
    verify_chain(&leaf, &root, made + 10 * DAY).unwrap();
    assert!(issue(&root, &root_key, request, made + 1).is_err());
}

#[test]
fn a_certificate_may_last_a_century() {
    let made = self_sign(&key("ecdsa-p256"), &subject(&[("common-name", "x")]), 36_525, now()).unwrap();
    verify_chain(&made, &made, now() + 36_524 * DAY).unwrap();
}

#[test]
fn subjects_are_refused_attribute_by_attribute() {
    let key = key("ecdsa-p256");
    let check = |attributes: &[(&str, &str)], part: &str| {
        let error = self_sign(&key, &subject(attributes), 9, now()).unwrap_err().to_string();
        assert!(error.contains(part), "{attributes:?}: {error}");
    };
    check(&[], "it is empty");
    check(&[("country", "DEU")], "more than 2");
    check(&[("country", "D1")], "two letters");
    check(&[("country", "ß")], "two letters");
    check(&[("common-name", " ")], "it is empty");
    check(&[("common-name", "a\nb")], "control character");
    check(&[("common-name", &"x".repeat(65))], "more than 64");
    check(&[("email", "abc")], "not an address");
    check(&[("email", "ä@b.de")], "not an address");
    check(&[("company", "a"), ("company", "b")], "given twice");
    check(&[("town", "x")], "there are country, state, city, company");
    for days in [0, 36_526, u32::MAX] {
        assert!(self_sign(&key, &subject(&[("common-name", "x")]), days, now()).is_err(), "{days}");
    }
    for at in [i64::MIN, i64::MAX] {
        assert!(self_sign(&key, &subject(&[("common-name", "x")]), 9, at).is_err(), "{at}");
    }
}

#[test]
fn a_key_shows_its_algorithm_and_nothing_else() {
    assert_eq!(format!("{:?}", LEAF.1), "<ecdsa-p256 key>");
}

#[test]
fn a_sealed_key_that_asks_for_endless_rounds_is_refused_at_once() {
    use pkcs8::der::Encode as _;
    use pkcs8::pkcs5::pbes2::Parameters;
    let scheme = Parameters::pbkdf2_sha256_aes256cbc(10_000_001, &[1; 16], &[2; 16]).unwrap();
    let der =
        pkcs8::EncryptedPrivateKeyInfo { encryption_algorithm: scheme.into(), encrypted_data: &[0; 64] }
            .to_der()
            .unwrap();
    let text = ::pem::encode(&::pem::Pem::new("ENCRYPTED PRIVATE KEY", der));
    let passphrase = Secret::from_text("Anchor#2026".into());
    let error = PrivateKey::from_pem(text.as_bytes(), Some(&passphrase)).unwrap_err().to_string();
    assert!(error.contains("10,000,000 rounds"), "{error}");
}

#[test]
fn input_above_the_cap_is_refused_unread() {
    let mut long = to_pem(&LEAF.0).into_bytes();
    long.resize(MAX_INPUT, b'\n');
    inspect(&long).unwrap();
    long.push(b'\n');
    assert!(inspect(&long).unwrap_err().to_string().contains("larger than 1 MiB"));
    assert!(PrivateKey::from_pem(&long, None).unwrap_err().to_string().contains("larger than 1 MiB"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Any change of a leaf is either unreadable or does not verify; nothing panics.
    #[test]
    fn a_changed_leaf_never_verifies(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = LEAF.0.to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = inspect(&bytes);
        let _ = verify_chain(&LEAF.0, &bytes, now());
        let _ = LEAF.1.matches(&bytes);
        let _ = check_supplied_ca(&bytes, &LEAF.1, now());
        let _ = (check_ca(&bytes, now()), check_issued(&bytes, &LEAF.1, now()));
        prop_assert_eq!(verify_chain(&bytes, &ROOT.0, now()).is_ok(), bytes == LEAF.0.as_ref());
    }

    /// Whatever is damaged in a root, a certificate that it issues still reads.
    #[test]
    fn a_changed_root_issues_something_readable_or_nothing(
        index in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = ROOT.0.to_vec();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        let subject = subject(&[("common-name", "leaf")]);
        let request = LeafRequest { key: &LEAF.1, subject: &subject, names: &[], days: 9 };
        if let Ok(made) = issue(&bytes, &ROOT.1, request, now()) {
            inspect(&made).unwrap();
        }
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let passphrase = Secret::from_text("Anchor#2026".into());
        let _ = inspect(&bytes);
        let _ = PrivateKey::from_pem(&bytes, Some(&passphrase));
        let request = ::pem::encode(&::pem::Pem::new("CERTIFICATE REQUEST", bytes.clone()));
        prop_assert!(!LEAF.1.requested(request.as_bytes()));
        for label in ["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let text = ::pem::encode(&::pem::Pem::new(label, bytes.clone()));
            let _ = inspect(text.as_bytes());
            let _ = PrivateKey::from_pem(text.as_bytes(), Some(&passphrase));
        }
    }

    #[test]
    fn no_change_of_a_key_makes_its_reader_panic(index in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut der = LEAF.1.to_der();
        let index = index.index(der.len());
        der[index] = byte;
        if let Ok(key) = PrivateKey::from_der(der) {
            let _ = key.public_key_der();
        }
    }
}
