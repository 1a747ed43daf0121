//! What must be true of a pair after a run, proven by OpenSSL, keytool, the file system and the process list.

use super::e2e::{KEYS, NODES, Pair, feed, files};
use camino::Utf8Path;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// Fails unless both nodes hold, serve and trust one new root, and nothing is left that should not be; the JDK
/// reads the certificates too.
///
/// `before` is `Pair::content` before the run.
#[track_caller]
pub fn rotated(pair: &Pair, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
    new_consistent(pair, before);
    for node in NODES {
        keytool_reads(&pair.cert_ha(node).join("root-ca.crt"));
        keytool_reads(&pair.cert_ha(node).join("server.crt"));
    }
}

/// [`rotated`], by OpenSSL alone.
#[track_caller]
pub fn new_consistent(pair: &Pair, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
    let after = pair.content();
    for file in ["root-ca.crt", "root-ca.pem"] {
        assert!(
            after[&format!("master1 {file}")].0 != before[&format!("master1 {file}")].0,
            "{file} is the old one"
        );
    }
    for node in NODES {
        assert!(after[&format!("{node} server.crt")].0 != before[&format!("{node} server.crt")].0);
        for key in KEYS {
            let owner = |content: &BTreeMap<String, (Vec<u8>, u32, u32)>| content[&format!("{node} {key}")].2;
            assert_eq!(owner(&after), owner(before), "owner of {key} on {node}");
        }
    }
    on_one_root(pair);
}

/// Fails unless both nodes hold, serve and trust one root that is in date, whichever, and nothing is left that
/// should not be.
#[track_caller]
pub fn on_one_root(pair: &Pair) {
    let after = pair.content();
    for file in ["root-ca.crt", "root-ca.pem"] {
        let [first, second] = NODES.map(|node| &after[&format!("{node} {file}")].0);
        assert!(first == second, "{file} differs between the nodes");
    }
    for node in NODES {
        let cert_ha = pair.cert_ha(node);
        for other in NODES {
            let root = pair.cert_ha(other).join("root-ca.crt");
            let verified =
                openssl(&["verify", "-CAfile", root.as_str(), cert_ha.join("server.crt").as_str()]);
            assert!(verified.trim_end().ends_with(": OK"), "{node} against {other}: {verified}");
        }
        serves_what_it_holds(pair, node);
        for (key, certificate) in KEYS.into_iter().zip(["root-ca.crt", "server.crt"]) {
            opens_and_fits(pair, &cert_ha.join(key), &cert_ha.join(certificate));
            assert_eq!(after[&format!("{node} {key}")].1, 0o600, "{key} on {node}");
        }
        no_leftovers(pair, node);
    }
    pair.wait_normal();
    no_process_left(pair);
}

/// Fails unless certHA is byte for byte, mode for mode, what it was, and the pair serves it.
#[track_caller]
pub fn as_it_was(pair: &Pair, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
    same_files(pair, before);
    for node in NODES {
        serves_what_it_holds(pair, node);
    }
    pair.wait_normal();
}

/// As [`as_it_was`], of a pair that was not well: only what it holds, byte for byte and mode for mode.
#[track_caller]
pub fn same_files(pair: &Pair, before: &BTreeMap<String, (Vec<u8>, u32, u32)>) {
    let after = pair.content();
    let names = |all: &BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(before));
    for (name, was) in before {
        assert!(after[name] == *was, "{name} is not what it was: mode {:o}, {:o}", after[name].1, was.1);
    }
    for node in NODES {
        no_leftovers(pair, node);
    }
    no_process_left(pair);
}

#[track_caller]
fn openssl(arguments: &[&str]) -> String {
    feed(Command::new("openssl").args(arguments), b"").expect(0).out
}

/// The certificate that the HA port shows is the one on disk.
#[track_caller]
pub fn serves_what_it_holds(pair: &Pair, node: &str) {
    let mut command = pair.lab.command("openssl").unwrap();
    // Not asked for its own verdict: without a client certificate the far side ends the session.
    command.args(["s_client", "-connect", &format!("{}:20012", pair.address(node))]);
    let shown = feed(&mut command, b"").out;
    let begin = shown.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{node}: {shown}"));
    let fingerprint = |pem: &[u8]| {
        feed(Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256"]), pem).expect(0).out
    };
    let held = std::fs::read(pair.cert_ha(node).join("server.crt")).unwrap();
    assert_eq!(fingerprint(&shown.as_bytes()[begin..]), fingerprint(&held), "served by {node}, and its file");
}

/// The password opens the key, nothing else does, and it is the certificate's.
#[track_caller]
pub fn opens_and_fits(pair: &Pair, key: &Utf8Path, certificate: &Utf8Path) {
    let open = |password: &[u8]| {
        let arguments = ["pkey", "-in", key.as_str(), "-passin", "stdin", "-pubout"];
        feed(Command::new("openssl").args(arguments), password)
    };
    let public = open(&pair.password()).expect(0).out;
    assert_eq!(public, openssl(&["x509", "-in", certificate.as_str(), "-noout", "-pubkey"]), "{key}");
    assert_ne!(open(b"Wrong-Password-1").code, Some(0), "{key} is not encrypted");
}

#[track_caller]
fn keytool_reads(certificate: &Utf8Path) {
    match Command::new("keytool").args(["-printcert", "-file", certificate.as_str()]).output() {
        Ok(output) => assert!(output.status.success(), "{certificate}: {output:?}"),
        Err(_) => println!("skipped: keytool is not installed"),
    }
}

/// Nothing beside the product's files, and in `.windlass` only what docs/nodes.md lists for a run that is over.
#[track_caller]
fn no_leftovers(pair: &Pair, node: &str) {
    let product = pair.product_home(node);
    let beside: Vec<_> =
        files(&product).into_iter().filter(|path| path.as_str().contains(".windlass-")).collect();
    // The lab's own folder is called so too.
    let beside: Vec<_> = beside.iter().filter(|path| !path.as_str().contains("/.windlass-lab/")).collect();
    assert!(beside.is_empty(), "{node}: {beside:?}");
    only_what_is_listed(pair, node);
    assert_eq!(pair.home(node).join(".windlass").metadata().unwrap().mode() & 0o777, 0o700);
}

/// In `.windlass` of a node only what docs/nodes.md lists for a run that is over.
#[track_caller]
pub fn only_what_is_listed(pair: &Pair, node: &str) {
    let home = pair.home(node).join(".windlass");
    for entry in files(&home) {
        let name = entry.strip_prefix(&home).unwrap().as_str();
        let parts: Vec<_> = name.split('/').collect();
        let listed =
            matches!(parts.as_slice(), ["token"] | ["runs", _, "swaps" | "marks" | "saved" | "mirror", ..]);
        assert!(listed, "{node}: .windlass/{name} is not listed in docs/nodes.md for a run that is over");
    }
}

/// After `runs close`: only the token, and empty folders.
#[track_caller]
pub fn nothing_saved(pair: &Pair) {
    for node in NODES {
        let home = pair.home(node).join(".windlass");
        let left: Vec<_> = files(&home).into_iter().filter(|path| *path != home.join("token")).collect();
        assert!(left.is_empty(), "{node}: {left:?}");
        let runs: Vec<_> = home.join("runs").read_dir_utf8().into_iter().flatten().flatten().collect();
        assert!(runs.is_empty(), "{node}: {runs:?}");
    }
}

/// No ssh master of this controller, and no folder of one.
#[track_caller]
fn no_process_left(pair: &Pair) {
    let sockets = pair.controller.join("run");
    let left: Vec<String> = Utf8Path::new("/proc")
        .read_dir_utf8()
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " "))
        .filter(|arguments| arguments.contains(sockets.as_str()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
