//! What the tests of this room and its neighbours share: a clock, subjects, and OpenSSL in a folder.

use super::{LeafRequest, PrivateKey, issue, self_sign};
use crate::model::Entry;
use rustls_pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const PASSPHRASE: &str = "Anchor`$\\'2026#";

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(crate) fn subject(attributes: &[(&str, &str)]) -> Vec<Entry> {
    let entry = |(name, value): &(&str, &str)| Entry { name: (*name).into(), value: (*value).into() };
    attributes.iter().map(entry).collect()
}

/// The source page's example.
pub(crate) fn page_subject() -> Vec<Entry> {
    subject(&[
        ("country", "DE"),
        ("state", "eur"),
        ("city", "ber"),
        ("company", "dt"),
        ("organize", "IT"),
        ("common-name", "HADOOP.COM"),
        ("email", "abc@dt.com"),
    ])
}

pub(crate) fn key(algorithm: &str) -> PrivateKey {
    PrivateKey::generate(algorithm.parse().unwrap()).unwrap()
}

/// A P-256 root with its key.
pub(crate) fn root(common_name: &str) -> (CertificateDer<'static>, PrivateKey) {
    let key = key("ecdsa-p256");
    (self_sign(&key, &subject(&[("common-name", common_name)]), 3650, now()).unwrap(), key)
}

/// A P-256 leaf for the name and the loopback address, with its key.
pub(crate) fn leaf(
    root: &(CertificateDer<'static>, PrivateKey),
    name: &str,
) -> (CertificateDer<'static>, PrivateKey) {
    let key = key("ecdsa-p256");
    let (subject, names) = (subject(&[("common-name", name)]), [name.to_owned(), "127.0.0.1".to_owned()]);
    let request = LeafRequest { key: &key, subject: &subject, names: &names, days: 90 };
    (issue(&root.0, &root.1, request, now()).unwrap(), key)
}

/// Returns whether a tool is there; where not, says that its test is skipped.
pub(crate) fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("-help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// A folder to run tools in.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    /// None, and says so, where there is no OpenSSL.
    pub(crate) fn with_openssl() -> Option<Self> {
        has("openssl").then(|| {
            let bench = Self(tempfile::tempdir().unwrap());
            bench.write("pass", PASSPHRASE);
            bench
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs a command line, split at blanks, in the folder; returns its output, or what it said as it failed.
    pub(crate) fn try_run(&self, line: &str) -> Result<String, String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let output =
            Command::new(words[0]).args(&words[1..]).current_dir(self.dir()).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stdout) + &text(&output.stderr)),
        }
    }

    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        self.try_run(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }
}
