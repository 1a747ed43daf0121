//! What we make, OpenSSL and the JDK read; what OpenSSL makes, we read.

use super::testing::{Bench, PASSPHRASE, has, key, now, page_subject, subject};
use super::*;
use crate::capability::secrets::Secret;

fn passphrase() -> Secret {
    Secret::from_text(PASSPHRASE.into())
}

#[test]
fn openssl_opens_our_encrypted_keys_and_finds_the_same_public_key() {
    let Some(bench) = Bench::with_openssl() else { return };
    for algorithm in ["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384"] {
        let key = key(algorithm);
        bench.write("key.pem", key.to_encrypted_pem(&passphrase()).unwrap().as_bytes());
        bench.run("openssl pkey -in key.pem -passin file:pass -check -noout");
        bench.run("openssl pkey -in key.pem -passin file:pass -pubout -outform DER -out public.der");
        assert_eq!(bench.read("public.der"), key.public_key_der(), "{algorithm}");
        bench.write("wrong", "Anchor#2027");
        assert!(bench.try_run("openssl pkey -in key.pem -passin file:wrong -noout").is_err());

        let again = PrivateKey::from_pem(&bench.read("key.pem"), Some(&passphrase())).unwrap();
        assert_eq!(again.to_der(), key.to_der());
    }
    let scheme = bench.run("openssl asn1parse -in key.pem");
    for part in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0186A0"] {
        assert!(scheme.contains(part), "{part} is not in {scheme}");
    }
}

#[test]
fn a_key_under_a_passphrase_is_the_same_file_each_time_and_another_one_otherwise() {
    let (one, other) = (key("ecdsa-p256"), key("ecdsa-p256"));
    let sealed =
        |key: &PrivateKey, words: &str| key.to_encrypted_pem(&Secret::from_text(words.into())).unwrap();
    assert_eq!(sealed(&one, PASSPHRASE), sealed(&one, PASSPHRASE));
    // Salt and vector, that is all but the scheme's first bytes, have nothing in common.
    let salt = |pem: &str| ::pem::parse(pem).unwrap().contents()[35..51].to_vec();
    let salts = [(&one, PASSPHRASE), (&one, "Anchor#2027"), (&other, PASSPHRASE)]
        .map(|(key, words)| salt(&sealed(key, words)));
    assert!(salts[0] != salts[1] && salts[0] != salts[2] && salts[1] != salts[2], "{salts:?}");
}

#[test]
fn we_read_keys_as_openssl_writes_them() {
    let Some(bench) = Bench::with_openssl() else { return };
    bench.run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    bench.run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ec.pem");
    bench.run("openssl ecparam -genkey -name prime256v1 -out ecparam.pem");
    bench.run("openssl rsa -in rsa.pem -traditional -out rsa1.pem");
    for (source, algorithm) in [
        ("rsa.pem", "rsa-2048"),
        ("rsa1.pem", "rsa-2048"),
        ("ec.pem", "ecdsa-p384"),
        ("ecparam.pem", "ecdsa-p256"),
    ] {
        bench.run(&format!("openssl pkey -in {source} -pubout -outform DER -out public.der"));
        let read = PrivateKey::from_pem(&bench.read(source), None).unwrap();
        assert_eq!(read.public_key_der(), bench.read("public.der"), "{source}");
        assert_eq!(read.algorithm().to_string(), algorithm);

        for options in ["", "-v2~aes-128-cbc", "-v2~aes-192-cbc~-v2prf~hmacWithSHA1", "-v2prf~hmacWithSHA512"]
        {
            let options = options.replace('~', " ");
            bench
                .run(&format!("openssl pkcs8 -topk8 -in {source} -passout file:pass {options} -out enc.pem"));
            let read = PrivateKey::from_pem(&bench.read("enc.pem"), Some(&passphrase())).unwrap();
            assert_eq!(read.public_key_der(), bench.read("public.der"), "{source} {options}");
        }
    }
}

#[test]
fn keys_that_will_not_do_are_refused_each_with_its_own_words() {
    let Some(bench) = Bench::with_openssl() else { return };
    bench.run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.pem");
    bench.run("openssl rsa -in short.pem -traditional -out short1.pem");
    bench.run("openssl genpkey -algorithm ED25519 -out ed.pem");
    bench.run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.pem");
    bench.run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    bench.run("openssl rsa -in rsa.pem -traditional -aes256 -passout file:pass -out old.pem");
    bench.run("openssl pkcs8 -topk8 -in rsa.pem -passout file:pass -v2 des3 -out des3.pem");
    bench.run("openssl pkcs8 -topk8 -in rsa.pem -passout file:pass -scrypt -out scrypt.pem");
    bench.run("openssl pkcs8 -topk8 -in rsa.pem -passout file:pass -out enc.pem");
    bench.run("openssl pkey -in rsa.pem -pubout -out public.pem");

    let error = |file: &str, passphrase: Option<&str>| {
        let passphrase = passphrase.map(|text| Secret::from_text(text.into()));
        PrivateKey::from_pem(&bench.read(file), passphrase.as_ref()).unwrap_err()
    };
    for weak in ["short.pem", "short1.pem"] {
        assert!(matches!(error(weak, None), CryptoError::Weak { .. }), "{weak}");
    }
    for other in ["ed.pem", "p521.pem"] {
        assert!(matches!(error(other, None), CryptoError::Unusable { .. }), "{other}");
    }
    for foreign in ["old.pem", "des3.pem", "scrypt.pem", "public.pem"] {
        let error = error(foreign, Some(PASSPHRASE)).to_string();
        assert!(error.contains("openssl pkcs8 -topk8"), "{foreign}: {error}");
        assert!(!error.contains(PASSPHRASE));
    }
    assert!(matches!(error("enc.pem", None), CryptoError::PassphraseMissing));
    assert!(matches!(error("enc.pem", Some("Anchor#2027")), CryptoError::Passphrase));
    assert!(matches!(error("enc.pem", Some("")), CryptoError::Passphrase));
}

#[test]
fn openssl_and_the_jdk_take_our_root_for_what_it_is() {
    let Some(bench) = Bench::with_openssl() else { return };
    for (algorithm, signature) in [
        ("rsa-3072", "sha256WithRSAEncryption"),
        ("ecdsa-p256", "ecdsa-with-SHA256"),
        ("ecdsa-p384", "ecdsa-with-SHA384"),
    ] {
        let key = key(algorithm);
        let root = self_sign(&key, &page_subject(), 3650, now()).unwrap();
        bench.write("root.crt", to_pem(&root));
        let text = bench.run("openssl x509 -in root.crt -noout -text");
        for part in [
            "Version: 3 (0x2)",
            "X509v3 Basic Constraints: critical\n                CA:TRUE",
            "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
            "X509v3 Subject Key Identifier:",
            "X509v3 Authority Key Identifier:",
            "C = DE, ST = eur, L = ber, O = dt, OU = IT, CN = HADOOP.COM, emailAddress = abc@dt.com",
            signature,
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert_eq!(bench.run("openssl verify -x509_strict -CAfile root.crt root.crt"), "root.crt: OK\n");

        let said = inspect(&root).unwrap();
        assert_eq!(said, inspect(&bench.read("root.crt")).unwrap());
        agrees_with_openssl(&bench, "root.crt", &said);
        assert_eq!(said.key_algorithm, algorithm);
        assert_eq!(said.signature_algorithm, signature);
        assert_eq!(said.not_after - said.not_before, 3650 * 86_400 + 3600);
        assert!(said.can_issue && !said.subject_key_id.is_empty());
        assert_eq!(said.subject_key_id, said.authority_key_id);
        assert!(key.matches(&root).unwrap());
        verify_chain(&root, &root, now()).unwrap();

        if has("keytool") {
            let text = bench.run("keytool -J-Duser.language=en -printcert -file root.crt");
            for part in ["EMAILADDRESS=abc@dt.com, CN=HADOOP.COM", "CA:true", "Key_CertSign"] {
                assert!(text.contains(part), "{part:?} is not in {text}");
            }
            let fingerprint = text.replace(':', "").to_lowercase();
            assert!(fingerprint.contains(&said.fingerprint), "{} is not in {text}", said.fingerprint);
        }
    }
}

/// Subject, issuer, serial, fingerprint and dates, as OpenSSL gives them.
#[track_caller]
fn agrees_with_openssl(bench: &Bench, file: &str, said: &crate::model::Certificate) {
    let ask = |what: &str| {
        let answer =
            bench.run(&format!("openssl x509 -in {file} -noout {what} -nameopt RFC2253,-esc_msb,utf8"));
        answer.trim_end().split_once('=').unwrap().1.to_owned()
    };
    assert_eq!(said.subject, ask("-subject"));
    assert_eq!(said.issuer, ask("-issuer"));
    assert_eq!(said.serial, ask("-serial").to_lowercase());
    assert_eq!(said.fingerprint, ask("-fingerprint -sha256").replace(':', "").to_lowercase());
    let date = |text: String| text.replace(' ', "T").parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(said.not_before, date(ask("-startdate -dateopt iso_8601")));
    assert_eq!(said.not_after, date(ask("-enddate -dateopt iso_8601")));
}

const CA_CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
string_mask = MASK
x509_extensions = ca
multivalue-rdn = yes
[dn]
0.DC = com
1.DC = example
O = Müller, Söhne + Co
0.OU = One
+1.OU = Two
CN = \\ Issuing \"CA\"
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
";

#[test]
fn a_leaf_of_an_openssl_ca_carries_its_name_byte_for_byte_and_verifies_everywhere() {
    let Some(bench) = Bench::with_openssl() else { return };
    for mask in ["utf8only", "MASK:0x4", "MASK:0x800"] {
        // 0x4 is T61String, 0x800 BMPString: an older CA's.
        bench.write("ca.cnf", CA_CONFIG.replace("MASK", mask));
        bench.run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ca.key");
        bench.run("openssl req -x509 -new -utf8 -key ca.key -config ca.cnf -days 100 -out ca.crt");
        let ca_key = PrivateKey::from_pem(&bench.read("ca.key"), None).unwrap();
        let ca = bench.read("ca.crt");
        check_supplied_ca(&ca, &ca_key, now()).unwrap();

        let key = key("ecdsa-p384");
        let names = ["master1.example", "10.0.0.11", "2001:db8::1"].map(String::from);
        let subject = subject(&[("common-name", "master1")]);
        let request = LeafRequest { key: &key, subject: &subject, names: &names, days: 90 };
        let leaf = issue(&ca, &ca_key, request, now()).unwrap();
        bench.write("leaf.crt", to_pem(&leaf));

        for purpose in ["sslserver", "sslclient"] {
            let line = format!("openssl verify -x509_strict -purpose {purpose} -CAfile ca.crt leaf.crt");
            assert_eq!(bench.run(&line), "leaf.crt: OK\n");
        }
        let said = inspect(&leaf).unwrap();
        agrees_with_openssl(&bench, "leaf.crt", &said);
        assert_eq!(said.names, names);
        assert_eq!(said.authority_key_id, inspect(&ca).unwrap().subject_key_id);
        assert!(!said.can_issue);
        verify_chain(&leaf, &ca, now()).unwrap();
        assert!(key.matches(&leaf).unwrap() && !ca_key.matches(&leaf).unwrap());

        let text = bench.run("openssl x509 -in leaf.crt -noout -text");
        for part in [
            "CA:FALSE",
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "DNS:master1.example, IP Address:10.0.0.11, IP Address:2001:DB8:0:0:0:0:0:1",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        if has("keytool") {
            let text = bench.run("keytool -J-Duser.language=en -printcert -file leaf.crt");
            assert!(text.contains("IPAddress: 10.0.0.11"), "{text}");
        }
    }
}

#[test]
fn leaves_that_openssl_issues_verify_and_so_do_old_ones_without_extensions() {
    let Some(bench) = Bench::with_openssl() else { return };
    let root_key = key("rsa-2048");
    let root = self_sign(&root_key, &page_subject(), 3650, now()).unwrap();
    bench.write("root.crt", to_pem(&root));
    bench.write("root.key", root_key.to_encrypted_pem(&passphrase()).unwrap().as_bytes());
    bench.write("v3.ext", "authorityKeyIdentifier=keyid\nsubjectAltName=DNS:a.example\n");
    bench.run("openssl req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
    let sign = "openssl x509 -req -in leaf.csr -CA root.crt -CAkey root.key -passin file:pass -days 9";

    bench.run(&format!("{sign} -extfile v3.ext -out v3.crt"));
    verify_chain(&bench.read("v3.crt"), &root, now()).unwrap();
    assert_eq!(inspect(&bench.read("v3.crt")).unwrap().names, ["a.example"]);

    bench.run(&format!("{sign} -out v1.crt"));
    verify_chain(&bench.read("v1.crt"), &root, now()).unwrap();

    bench.run(&format!("{sign} -sha1 -out sha1.crt"));
    let error = verify_chain(&bench.read("sha1.crt"), &root, now()).unwrap_err();
    assert!(matches!(error, CryptoError::Weak { .. }), "{error}");

    // A root of version 1: `openssl x509 -req -signkey` without an extension file makes one.
    bench.run("openssl req -new -newkey rsa:2048 -nodes -keyout old.key -subj /CN=old -out old.csr");
    bench.run("openssl x509 -req -in old.csr -signkey old.key -days 9 -out old.crt");
    bench.run("openssl x509 -req -in leaf.csr -CA old.crt -CAkey old.key -days 9 -out old-leaf.crt");
    verify_chain(&bench.read("old-leaf.crt"), &bench.read("old.crt"), now()).unwrap();
    assert!(!inspect(&bench.read("old.crt")).unwrap().can_issue);
}

#[test]
fn a_supplied_ca_that_will_not_do_is_refused_with_what_to_supply_instead() {
    let Some(bench) = Bench::with_openssl() else { return };
    let make = |name: &str, options: &str| {
        bench.run(&format!(
            "openssl req -x509 -nodes -subj /CN={name} -keyout {name}.key -out {name}.crt {options}"
        ));
    };
    make("good", "-newkey rsa:2048 -days 9");
    make("other", "-newkey rsa:2048 -days 9");
    make("short", "-newkey rsa:1024 -days 9");
    make("sha1", "-newkey rsa:2048 -days 9 -sha1");
    make("plain", "-newkey rsa:2048 -days 9 -addext basicConstraints=critical,CA:FALSE");
    make("usage", "-newkey rsa:2048 -days 9 -addext keyUsage=digitalSignature");
    bench.run("openssl req -new -key good.key -subj /CN=old -out old.csr");
    bench.run("openssl x509 -req -in old.csr -signkey good.key -days 9 -out old.crt");

    let good = PrivateKey::from_pem(&bench.read("good.key"), None).unwrap();
    let check = |certificate: &str, key: &str, at: i64, parts: &[&str]| {
        let key = PrivateKey::from_pem(&bench.read(key), None);
        let key = key.as_ref().unwrap_or(&good);
        let error = check_supplied_ca(&bench.read(certificate), key, at).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{certificate}: {part:?} is not in {error:?}");
        }
    };
    let now = now();
    check_supplied_ca(&bench.read("good.crt"), &good, now).unwrap();
    check("good.crt", "other.key", now, &["is not the key of CN=good", "supply the key"]);
    check("short.crt", "short.key", now, &["rsa-1024", "3072 bits"]);
    check("sha1.crt", "sha1.key", now, &["sha1WithRSAEncryption", "SHA-256"]);
    check("plain.crt", "plain.key", now, &["CA:FALSE", "CA:TRUE"]);
    check("usage.crt", "usage.key", now, &["key usage does not allow", "keyCertSign"]);
    check("old.crt", "good.key", now, &["no basic constraints", "CA:TRUE"]);
    check("good.crt", "good.key", now + 10 * 86_400, &["CN=good expired at", "valid now"]);
    check("good.crt", "good.key", now - 86_400, &["CN=good is not valid before", "valid now"]);
    check("good.key", "good.key", now, &["CERTIFICATE block", "supply the CA certificate"]);
}

#[test]
fn openssl_verifies_our_request_and_what_it_issues_on_it_is_accepted_for_that_key_alone() {
    let Some(bench) = Bench::with_openssl() else { return };
    let make_ca =
        "openssl req -x509 -nodes -newkey rsa:2048 -days 9 -subj /CN=corporate -keyout ca.key -out ca.crt";
    bench.run(make_ca);
    let names = ["ha.example".to_owned(), "10.0.0.9".to_owned()];
    for algorithm in ["rsa-2048", "ecdsa-p256", "ecdsa-p384"] {
        let (mine, other) = (key(algorithm), key(algorithm));
        let made = request(&mine, &page_subject(), &names).unwrap();
        assert!(mine.requested(made.as_bytes()) && !other.requested(made.as_bytes()), "{algorithm}");
        let (subject, asked) = inspect_request(made.as_bytes()).unwrap();
        assert!(subject.contains("CN=HADOOP.COM") && asked == names, "{subject} {asked:?}");
        bench.write("my.csr", &made);
        bench.run("openssl req -in my.csr -verify -noout");
        let text = bench.run("openssl req -in my.csr -noout -text");
        for part in ["CN = HADOOP.COM", "DNS:ha.example", "IP Address:10.0.0.9"] {
            let apart = part.replace(" = ", "=");
            assert!(text.contains(part) || text.contains(&apart), "{part} is not in {text}");
        }
        bench.run("openssl req -in my.csr -noout -pubkey -out my.pub");
        bench.run("openssl pkey -pubin -in my.pub -outform DER -out my.der");
        assert_eq!(bench.read("my.der"), mine.public_key_der());

        bench.run(
            "openssl x509 -req -in my.csr -CA ca.crt -CAkey ca.key -days 5 -copy_extensions copy -out my.crt",
        );
        let (issued, now) = (bench.read("my.crt"), now());
        check_issued(&issued, &mine, now).unwrap();
        verify_chain(&issued, &bench.read("ca.crt"), now).unwrap();
        assert_eq!(inspect(&issued).unwrap().names, names);
        let refusal = |key: &PrivateKey, at| check_issued(&issued, key, at).unwrap_err();
        assert!(matches!(refusal(&other, now), CryptoError::KeyMismatch { .. }));
        assert!(matches!(refusal(&mine, now + 6 * 86_400), CryptoError::Expired { .. }));
        assert!(matches!(refusal(&mine, now - 86_400), CryptoError::NotYetValid { .. }));
        bench.run("openssl x509 -req -sha1 -in my.csr -CA ca.crt -CAkey ca.key -days 5 -out weak.crt");
        let weak = check_issued(&bench.read("weak.crt"), &mine, now).unwrap_err();
        assert!(matches!(weak, CryptoError::Weak { .. }), "{weak}");
    }

    let now = now();
    check_ca(&bench.read("ca.crt"), now).unwrap();
    let leaf = check_ca(&bench.read("my.crt"), now).unwrap_err();
    assert!(matches!(leaf, CryptoError::NotACa { .. }), "{leaf}");
    assert!(matches!(check_ca(&bench.read("ca.crt"), now + 10 * 86_400), Err(CryptoError::Expired { .. })));
    bench.run(&make_ca.replace("rsa:2048", "rsa:1024").replace("ca.", "short."));
    assert!(matches!(check_ca(&bench.read("short.crt"), now), Err(CryptoError::Weak { .. })));
    bench.run(&format!("{make_ca} -sha1").replace("ca.", "sha1."));
    assert!(matches!(check_ca(&bench.read("sha1.crt"), now), Err(CryptoError::Weak { .. })));
    let wrong = request(&key("ecdsa-p256"), &subject(&[("common-name", "a")]), &["-".to_owned()]);
    assert!(matches!(wrong, Err(CryptoError::Argument { .. })), "{wrong:?}");
}

#[test]
fn escapes_in_a_name_cannot_reach_a_terminal() {
    let Some(bench) = Bench::with_openssl() else { return };
    let names = "CN=a\u{1b}[2Jb\u{202e}c\nserialNumber=17\n0.1.2.3.4=x\n";
    bench.write("x.cnf", format!("[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n{names}"));
    bench.run("openssl req -x509 -new -utf8 -newkey rsa:2048 -nodes -keyout x.key -config x.cnf -out x.crt");
    let said = inspect(&bench.read("x.crt")).unwrap();
    assert_eq!(said.subject, r"1.2.3.4=#0c0178,serialNumber=17,CN=a\1B[2Jb\E2\80\AEc");
    let text = bench.run("openssl x509 -in x.crt -noout -subject -nameopt RFC2253");
    assert_eq!(format!("subject={}", said.subject), text.trim_end().replace("#0C0178", "#0c0178"));
}
