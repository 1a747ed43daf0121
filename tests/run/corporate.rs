//! The example that replaces ha-cert: leaves of a corporate CA, which is OpenSSL here, on a request.

use super::e2e::{NODES, PLAIN, Pair, feed, up};
use super::proof;
use crate::refuse::built;
use camino::{Utf8Path, Utf8PathBuf};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use windlass::lab::{Double, Transport};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/procedures/ha-cert-csr");

/// The site's command: signs the request in its first argument into its second.
const SIGN: &str = r#"set -eu
ca=$(dirname "$0")
openssl x509 -req -in "$1" -CA "$ca/root.crt" -CAkey "$ca/ca.key" -days 30 -copy_extensions copy \
    -set_serial "0x$(openssl rand -hex 8)" -out "$2"
"#;

/// A CA that has taken another's request for ours.
const MIX_UP: &str = r#"set -eu
openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=other -addext subjectAltName=DNS:other -out "$2.csr"
set -- "$2.csr" "$2"
"#;

/// The block of the example's README that begins with a comment, as a site's owner copies it.
fn from_readme(comment: &str) -> String {
    let text = std::fs::read_to_string(format!("{EXAMPLE}/README.md")).unwrap();
    let (_, from) = text.split_once(&format!("```toml\n# {comment}")).unwrap();
    let (block, _) = from.split_once("```").unwrap();
    format!("#{block}")
}

fn openssl(arguments: &[&str]) -> String {
    feed(Command::new("openssl").args(arguments), b"").expect(0).out
}

/// The pair's CA, on both managers; returns the folder that it has on one.
fn corporate(pair: &Pair, sign: &str) -> Utf8PathBuf {
    let folder = |node: &str| pair.product_home(node).join("corporate");
    let made = folder("master1");
    std::fs::create_dir(&made).unwrap();
    let (key, root) = (made.join("ca.key"), made.join("root.crt"));
    let request =
        ["req", "-x509", "-nodes", "-newkey", "rsa:3072", "-days", "90", "-subj", "/O=Example/CN=corporate"];
    openssl(&[&request[..], &["-keyout", key.as_str(), "-out", root.as_str()]].concat());
    std::fs::write(made.join("sign.sh"), sign).unwrap();
    std::fs::create_dir(folder("master2")).unwrap();
    for file in ["ca.key", "root.crt", "sign.sh"] {
        // The service user reads it, whoever that is here.
        std::fs::set_permissions(made.join(file), PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::copy(made.join(file), folder("master2").join(file)).unwrap();
    }
    for node in NODES {
        std::fs::set_permissions(folder(node), PermissionsExt::from_mode(0o755)).unwrap();
    }
    made
}

fn edit(path: &Utf8Path, edit: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, edit(text)).unwrap();
}

/// A pair whose site has the example in the place of ha-cert, as its README says.
fn pair(transport: Transport, sign: &str) -> Option<(Pair, Utf8PathBuf)> {
    let component = built("ha-cert-csr")?;
    let pair = up(transport, PLAIN)?;
    let ca = corporate(&pair, sign);
    let file = pair.dir.join("ha-cert-csr.wasm");
    std::fs::write(&file, component).unwrap();
    let profile = std::fs::read_to_string(format!("{EXAMPLE}/profiles/corporate.toml")).unwrap();
    let profile = profile
        .replace("extends = \"mrs-2\"", "extends = \"practice\"")
        .replace("/etc/pki/corporate/", "${bigdata_home}/corporate/")
        .replace("/opt/corporate/", "${bigdata_home}/corporate/");
    std::fs::write(pair.dir.join("profiles/corporate.toml"), profile).unwrap();
    let fingerprint =
        openssl(&["x509", "-in", ca.join("root.crt").as_str(), "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = fingerprint.trim().split_once('=').unwrap().1;
    let table = from_readme("site.toml")
        .replace("root_fingerprint = \"\"", &format!("root_fingerprint = \"{fingerprint}\""));
    edit(&pair.dir.join("site.toml"), |site| {
        let (before, rest) = site.split_once("[procedures.ha-cert]\n").unwrap();
        let (_, after) = rest.split_once("[procedures.retire-key]").unwrap();
        let before = before.replacen("profile = \"practice\"", "profile = \"corporate\"", 1);
        format!("{before}{table}\n[procedures.retire-key]{after}")
    });
    edit(&pair.dir.join("grants.toml"), |grants| format!("{grants}\n{}", from_readme("grants.toml")));
    pair.windlass(&["plugin", "install", file.as_str(), "--yes"]).expect(0);
    let listed = pair.windlass(&["plugin", "list"]).expect(0);
    assert!(listed.out.contains("takes the place of the bundled one"), "{listed:?}");
    Some((pair, ca))
}

/// What the HA port of a node shows, as PEM.
fn shown(pair: &Pair, node: &str) -> String {
    let mut command = pair.lab.command("openssl").unwrap();
    command.args(["s_client", "-connect", &format!("{}:20012", pair.address(node))]);
    let shown = feed(&mut command, b"").out;
    let begin = shown.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{node}: {shown}"));
    shown[begin..].to_owned()
}

fn whole(transport: Transport) {
    let Some((pair, ca)) = pair(transport, SIGN) else { return };
    let (before, root) = (pair.content(), ca.join("root.crt"));
    let planned = pair.windlass(&["plan", "ha-cert", "-o", "plan.json"]).expect(0);
    let assumed = "corporate-answer@master1 will be a certificate of leaf-key.first";
    assert!(planned.out.contains(assumed), "{planned:?}");
    assert_eq!(pair.content(), before, "a plan changes nothing");

    // What the CA answers is in the plan too, as a value that only the run knows.
    let ran = pair.windlass(&["run", "--plan", "plan.json", "--yes"]).expect(0);
    assert!(ran.out.contains("done and verified"), "{ran:?}");
    for node in NODES {
        let leaf = pair.dir.join(format!("{node}.shown"));
        std::fs::write(&leaf, shown(&pair, node)).unwrap();
        let verified = openssl(&["verify", "-purpose", "sslserver", "-CAfile", root.as_str(), leaf.as_str()]);
        assert!(verified.trim_end().ends_with(": OK"), "{node}: {verified}");
        let says = openssl(&["x509", "-in", leaf.as_str(), "-noout", "-subject", "-ext", "subjectAltName"]);
        assert!(says.contains(node) && says.contains(&format!("DNS:{node}")), "{says}");
        proof::serves_what_it_holds(&pair, node);
        let held = std::fs::read(pair.cert_ha(node).join("root-ca.crt")).unwrap();
        assert_eq!(
            openssl(&["x509", "-in", root.as_str()]).as_bytes(),
            held,
            "{node} trusts the corporate root"
        );
        proof::opens_and_fits(
            &pair,
            &pair.cert_ha(node).join("server.pem"),
            &pair.cert_ha(node).join("server.crt"),
        );
        assert_eq!(pair.ran(node, Double::RestartOms), 1);
        assert_eq!(pair.ran(node, Double::ReplaceHaSslCert), 0);
    }
    pair.wait_normal();
    let key = |node: &str| {
        openssl(&["x509", "-in", pair.cert_ha(node).join("server.crt").as_str(), "-noout", "-pubkey"])
    };
    assert_ne!(key("master1"), key("master2"), "each node has a key of its own");
}

#[test]
fn both_nodes_serve_leaves_of_the_corporate_ca() {
    whole(Transport::Local);
}

#[test]
fn both_nodes_serve_leaves_of_the_corporate_ca_over_ssh() {
    whole(Transport::Ssh);
}

#[test]
fn a_certificate_of_another_key_is_refused_before_anything_of_the_pair_changed() {
    let Some((pair, _)) =
        pair(Transport::Local, &format!("{MIX_UP}{}", SIGN.trim_start_matches("set -eu\n")))
    else {
        return;
    };
    let before = pair.content();
    let ran = pair.windlass(&["run", "ha-cert", "--yes"]).expect(5);
    assert!(ran.err.contains("the private key is not the key of CN=other"), "{ran:?}");
    assert_eq!(pair.content(), before);
    assert_eq!(pair.executions(), [[0; 3]; 2]);
    pair.windlass(&["rollback"]).expect(1);
    proof::as_it_was(&pair, &before);
    for file in ["corporate-ha.csr", "corporate-ha.crt"] {
        for node in NODES {
            let left = pair.product_home(node).join("om-0.0.1/security").join(file);
            assert!(!left.exists(), "{left}");
        }
    }
}

#[test]
fn another_root_on_the_node_than_the_site_names_is_refused_in_preflight() {
    let Some((pair, ca)) = pair(Transport::Local, SIGN) else { return };
    for node in NODES {
        let folder = pair.product_home(node).join("corporate");
        std::fs::copy(pair.cert_ha("master1").join("root-ca.crt"), folder.join("root.crt")).unwrap();
    }
    let before = pair.content();
    let ran = pair.windlass(&["run", "ha-cert", "--yes"]).expect(4);
    assert!(ran.err.contains("not the root that the site names"), "{ran:?}");
    assert_eq!(pair.content(), before);
    assert!(ca.join("root.crt").exists());
}

#[test]
fn a_rollback_between_the_restarts_brings_the_old_certificates_back_everywhere() {
    let Some((pair, _)) = pair(Transport::Local, SIGN) else { return };
    let before = pair.content();
    let Some(window) = built("window") else { return };
    std::fs::create_dir_all(pair.dir.join("hooks")).unwrap();
    std::fs::write(pair.dir.join("hooks/window.wasm"), window).unwrap();
    let now = jiff::Timestamp::now();
    let clock = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    let hook = format!(
        "\n[[hooks]]\nplugin = \"window\"\nbefore = \"ha-cert/restart@first\"\nparams = {{ from = \"{}\", until = \"{}\" }}\n",
        clock(2),
        clock(4)
    );
    edit(&pair.dir.join("site.toml"), |site| site + &hook);
    edit(&pair.dir.join("grants.toml"), |grants| grants + "\n[grants.window]\ngeneral = [\"clock\"]\n");
    pair.windlass(&["run", "ha-cert", "--yes"]).expect(5);
    assert!(pair.content()["master1 server.crt"].0 != before["master1 server.crt"].0, "both are swapped");
    assert_eq!(NODES.map(|node| pair.ran(node, Double::RestartOms)).iter().sum::<usize>(), 1);
    pair.windlass(&["rollback"]).expect(1);
    proof::as_it_was(&pair, &before);
    // The one that had loaded its new files was restarted again; the other never was.
    assert_eq!(NODES.map(|node| pair.ran(node, Double::RestartOms)).iter().sum::<usize>(), 2);
}
