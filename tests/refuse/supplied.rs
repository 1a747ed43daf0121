//! A CA that the site supplies and that cannot be used, made by OpenSSL.

use super::*;

const PASSWORD: &str = "Good~Pass1word";

/// One way to make the pair `ca.crt` and `ca.pem` of a folder.
struct Supplied {
    key: &'static [&'static str],
    request: &'static [&'static str],
    says: &'static [&'static str],
}

const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const CA: &[&str] = &["-sha256", "-days", "365", "-addext", "basicConstraints=critical,CA:TRUE"];

fn cases() -> Vec<(&'static str, Supplied)> {
    vec![
        ("good", Supplied { key: RSA_2048, request: CA, says: &[] }),
        (
            "no authority",
            Supplied {
                key: RSA_2048,
                request: &["-sha256", "-days", "365", "-addext", "basicConstraints=critical,CA:FALSE"],
                says: &["supplied", "ha-cert"],
            },
        ),
        (
            "cannot sign",
            Supplied {
                key: RSA_2048,
                request: &[
                    "-sha256",
                    "-days",
                    "365",
                    "-addext",
                    "basicConstraints=critical,CA:TRUE",
                    "-addext",
                    "keyUsage=critical,digitalSignature",
                ],
                says: &["sign"],
            },
        ),
        (
            "small key",
            Supplied {
                key: &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                request: CA,
                says: &["1024", "2048"],
            },
        ),
        (
            "weak signature",
            Supplied {
                key: RSA_2048,
                request: &["-sha1", "-days", "365", "-addext", "basicConstraints=critical,CA:TRUE"],
                says: &["sha1", "SHA-256"],
            },
        ),
        ("expired", Supplied { key: RSA_2048, request: &[], says: &["expired"] }),
    ]
}

fn make(folder: &Utf8Path, supplied: &Supplied) {
    let mut key = vec!["genpkey"];
    key.extend(supplied.key);
    key.extend(["-aes-256-cbc", "-pass", "stdin", "-out", "ca.pem"]);
    openssl(folder, &key, &format!("{PASSWORD}\n")).check(0, &[]);
    // A configuration of ours: an installed one may add extensions.
    std::fs::write(folder.join("ca.cnf"), CONFIGURATION).unwrap();
    if supplied.request.is_empty() {
        return make_expired(folder);
    }
    let mut request = vec!["req", "-x509", "-new", "-config", "ca.cnf", "-subj", "/O=Supplied/CN=Root"];
    request.extend(["-key", "ca.pem", "-passin", "stdin", "-out", "ca.crt"]);
    request.extend(supplied.request);
    openssl(folder, &request, &format!("{PASSWORD}\n")).check(0, &[]);
}

const CONFIGURATION: &str = "[req]\ndistinguished_name=dn\n[dn]\n[ca]\ndefault_ca=own\n\
    [own]\ndatabase=index.txt\nnew_certs_dir=.\npolicy=any\nserial=serial.txt\n\
    [any]\norganizationName=optional\ncommonName=supplied\n[v3]\nbasicConstraints=critical,CA:TRUE\n";

/// `req` takes no date that is past; `ca` does.
fn make_expired(folder: &Utf8Path) {
    let request = ["req", "-new", "-config", "ca.cnf", "-subj", "/O=Supplied/CN=Root", "-key", "ca.pem"];
    let request = [&request[..], &["-passin", "stdin", "-out", "ca.csr"]].concat();
    openssl(folder, &request, &format!("{PASSWORD}\n")).check(0, &[]);
    std::fs::write(folder.join("index.txt"), "").unwrap();
    std::fs::write(folder.join("serial.txt"), "01\n").unwrap();
    let sign = ["ca", "-config", "ca.cnf", "-selfsign", "-batch", "-notext", "-md", "sha256"];
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-extensions", "v3"];
    let files = ["-keyfile", "ca.pem", "-passin", "stdin", "-in", "ca.csr", "-out", "ca.crt"];
    openssl(folder, &[&sign[..], &dates, &files].concat(), &format!("{PASSWORD}\n")).check(0, &[]);
}

#[test]
fn a_supplied_ca_that_cannot_be_used_is_refused_before_any_change() {
    let Some(practice) = local() else { return };
    practice.write("ha-key.secret", PASSWORD);
    let site = practice.read("site.toml").replace("ca = \"host\"", "ca = \"supplied\"")
        + "\n[procedures.ha-cert.supplied]\ncertificate = \"ca.crt\"\nkey = \"ca.pem\"\n";
    practice.write("site.toml", site);
    practice.refuses(&[], 4, &["ca.crt"]);

    for (name, supplied) in cases() {
        make(&practice.dir, &supplied);
        if supplied.says.is_empty() {
            practice.is_free();
            continue;
        }
        let said = practice.refuses(&[], 4, supplied.says);
        assert!(!said.err.contains(PASSWORD), "{name}: {said:#?}");
    }

    // A key of another certificate, a password that opens nothing, and files that are neither.
    let good = &cases()[0].1;
    make(&practice.dir, good);
    let certificate = practice.read("ca.crt");
    make(&practice.dir, good);
    let own = practice.read("ca.crt");
    practice.write("ca.crt", certificate);
    practice.refuses(&[], 4, &["the private key is not the key of", "supply the key"]);
    practice.write("ca.crt", &own);
    practice.with("ha-key.secret", PASSWORD, "Other~Pass1word", || {
        drop(practice.refuses(&[], 4, &["private key does not open", "passphrase is wrong"]));
    });
    for garbage in ["", "garbage\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        practice.with("ca.crt", &own, garbage, || drop(practice.refuses(&[], 4, &["certificate"])));
    }
    practice.runs_well();
    let served = std::fs::read_to_string(practice.cert_ha("master2").join("root-ca.crt")).unwrap();
    assert_eq!(served.trim(), own.trim(), "the supplied root is the one in use");
}
