//! Pairs that are not well, made as people and time make them: by the product's scripts, by copying, by dates.

use super::e2e::{NODES, Pair, feed};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

const GENERATE: &str = r#"sh "$OMS_RUN_PATH/workspace/ha/module/hacom/script/gen-cert.sh" --root-ca --country=DE --state=eur --city=ber --company=dt --organize=IT --common-name=HADOOP.COM --email=abc@dt.com"#;
/// A password that no site knows.
const FORGOTTEN: &[u8] = b"Forgotten#2019\n";

impl Pair {
    fn om(&self) -> &'static str {
        match self.lab.product() {
            windlass::lab::Product::Mrs2 => "om-0.0.1",
            windlass::lab::Product::Mrs3 => "om-server/om",
        }
    }

    fn line(&self) -> Vec<u8> {
        [self.password(), b"\n".to_vec()].concat()
    }

    /// The documented first steps on one node: a new root, put into certHA.
    pub fn new_root_by_hand(&self, node: &str) {
        self.root_by_hand(node, &self.line());
    }

    fn root_by_hand(&self, node: &str, password: &[u8]) {
        let made = match self.lab.product() {
            windlass::lab::Product::Mrs2 => {
                self.by_hand(node, &format!(r#"{GENERATE} "--password=$(cat)""#), password.trim_ascii_end())
            }
            windlass::lab::Product::Mrs3 => self.by_hand(node, GENERATE, password),
        };
        made.expect(0);
        let om = self.om();
        let copy = format!(
            r#"cd "$OMS_RUN_PATH/workspace0/ha/local/cert" && cp root-ca.crt root-ca.pem "$BIGDATA_HOME/{om}/security/certHA""#
        );
        self.by_hand(node, &copy, b"").expect(0);
    }

    pub fn replace_by_hand(&self, node: &str) {
        let om = self.om();
        self.by_hand(node, &format!(r#"sh "$BIGDATA_HOME/{om}/sbin/replacehaSSLCert.sh""#), &self.line())
            .expect(0);
    }

    pub fn restart_by_hand(&self, node: &str) -> super::e2e::Ended {
        let om = self.om();
        self.by_hand(node, &format!(r#"sh "$BIGDATA_HOME/{om}/sbin/restart-oms.sh""#), b"")
    }

    /// Over a file of certHA, in place, so that it keeps its owner.
    pub fn write(&self, node: &str, file: &str, content: &[u8]) {
        std::fs::write(self.cert_ha(node).join(file), content).unwrap();
    }

    pub fn remove(&self, node: &str, file: &str) {
        std::fs::remove_file(self.cert_ha(node).join(file)).unwrap();
    }

    /// Both nodes on one root, whose key the site's password opens.
    pub fn on_known_root(&self) {
        let authority = Authority::new(self, GOOD);
        for node in NODES {
            authority.install(self, node, GOOD);
        }
        self.wait_normal();
    }

    /// The root and the leaves of these dates.
    pub fn dated(&self, root: Dates, leaves: [Dates; 2]) {
        let authority = Authority::new(self, root);
        for (node, leaf) in NODES.into_iter().zip(leaves) {
            authority.install(self, node, leaf);
        }
    }

    /// A root of which nobody knows the password any more.
    pub fn forgotten_root_by_hand(&self, node: &str) {
        self.root_by_hand(node, FORGOTTEN);
    }
}

/// From and until, as `openssl ca` takes them.
pub type Dates = (&'static str, &'static str);
pub const GOOD: Dates = ("20240101000000Z", "20400101000000Z");
pub const PAST: Dates = ("20190101000000Z", "20210101000000Z");

/// An authority of a chosen time, by OpenSSL; its keys are under the site's password.
struct Authority {
    folder: tempfile::TempDir,
    password: Vec<u8>,
}

const CONFIGURATION: &str = "\
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

impl Authority {
    fn new(pair: &Pair, dates: Dates) -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap(), password: pair.line() };
        let path = |name: &str| authority.path().join(name);
        std::fs::write(path("configuration"), CONFIGURATION).unwrap();
        std::fs::write(path("index"), "").unwrap();
        std::fs::write(path("serial"), "01\n").unwrap();
        authority.request("root", "HADOOP.COM");
        authority.sign("root", &["-selfsign", "-keyfile", "root.pem", "-extensions", "root"], dates);
        authority
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) {
        feed(Command::new("openssl").args(arguments).current_dir(self.path()), &self.password).expect(0);
    }

    fn request(&self, name: &str, common_name: &str) {
        let (key, request) = (format!("{name}.pem"), format!("{name}.csr"));
        let algorithm = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-256-cbc"];
        let mut arguments = vec!["genpkey", "-pass", "stdin", "-out", &key];
        arguments.extend(algorithm);
        self.openssl(&arguments);
        let subject = format!("/CN={common_name}");
        self.openssl(&["req", "-new", "-key", &key, "-passin", "stdin", "-subj", &subject, "-out", &request]);
    }

    fn sign(&self, name: &str, by: &[&str], (from, until): Dates) {
        let (request, certificate) = (format!("{name}.csr"), format!("{name}.crt"));
        let mut arguments = vec!["ca", "-batch", "-notext", "-config", "configuration", "-passin", "stdin"];
        arguments.extend(["-startdate", from, "-enddate", until, "-in", &request, "-out", &certificate]);
        arguments.extend(by);
        self.openssl(&arguments);
    }

    /// Issues a leaf, puts all of it into certHA, and has the service load it.
    fn install(&self, pair: &Pair, node: &str, leaf: Dates) {
        self.request(node, node);
        self.sign(node, &["-cert", "root.crt", "-keyfile", "root.pem", "-extensions", "leaf"], leaf);
        let read = |name: String| std::fs::read(self.path().join(name)).unwrap();
        for (file, from) in [
            ("root-ca.crt", "root.crt".to_owned()),
            ("root-ca.pem", "root.pem".into()),
            ("server.crt", format!("{node}.crt")),
            ("server.pem", format!("{node}.pem")),
            ("server.key", format!("{node}.pem")),
        ] {
            pair.write(node, file, &read(from));
        }
        pair.write(node, ".ha_pass", self.password.trim_ascii_end());
        pair.restart_by_hand(node).expect(0);
    }
}

/// A key of its own, under the site's password.
pub fn another_key(pair: &Pair) -> Vec<u8> {
    let authority = Authority::new(pair, GOOD);
    let path: Utf8PathBuf = authority.path().join("root.pem");
    std::fs::read(path).unwrap()
}
