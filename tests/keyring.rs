//! `windlass secret` and `windlass keyring` on practice nodes, and what they seal opened by Tink as the docs say.

use crate::run::e2e::{Ended, PLAIN, Pair, feed, up};
use camino::Utf8PathBuf;
use std::process::{Command, Stdio};
use windlass::capability::keyring::Keyset;
use windlass::capability::secrets::Secret;
use windlass::lab::{Switch, Transport};

const VALUE: &str = "Anchor#2026-of-the-database";

fn local() -> Pair {
    up(Transport::Local, PLAIN).expect("local nodes need nothing")
}

fn given(pair: &Pair, arguments: &[&str], input: &[u8]) -> Ended {
    feed(&mut pair.command(arguments), input)
}

/// The file of a node that holds its key set.
fn keyset(pair: &Pair, node: &str) -> Utf8PathBuf {
    pair.cert_ha(node).with_file_name("keyset.json")
}

/// The bytes as they are kept.
fn sealed(pair: &Pair, name: &str) -> Vec<u8> {
    let store = rusqlite::Connection::open(pair.dir.join("secrets.db")).unwrap();
    store.query_row("SELECT sealed FROM items WHERE name = ?1", [name], |row| row.get(0)).unwrap()
}

#[test]
fn a_value_is_put_listed_got_and_removed() {
    for transport in [Transport::Local, Transport::Ssh] {
        let Some(pair) = up(transport, PLAIN) else { continue };
        let put = given(&pair, &["secret", "put", "db.password"], format!("{VALUE}\n").as_bytes()).expect(0);
        assert!(put.err.contains("db.password is sealed under version "), "{put:?}");
        assert_eq!(pair.windlass(&["secret", "get", "db.password"]).expect(0).out, VALUE);
        // A file is found from where the command was typed.
        let file = pair.controller.join("value");
        std::fs::write(&file, "another").unwrap();
        pair.windlass(&["secret", "put", "a key's password", "--file", file.as_str()]).expect(0);
        assert_eq!(pair.windlass(&["secret", "get", "a key's password"]).expect(0).out, "another");

        let listed = pair.windlass(&["secret", "list"]).expect(0).out;
        let names: Vec<_> = listed.lines().map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(names, ["a key's password", "db.password"]);
        let info = pair.windlass(&["keyring", "info"]).expect(0).out;
        assert!(
            info.contains("on master1, master2, written 20") && info.contains("primary    2 values"),
            "{info}"
        );
        let set = std::fs::read_to_string(keyset(&pair, "master1"));
        if let Ok(set) = set {
            let key = set.split("\"value\":\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(!info.contains(key));
        }

        pair.windlass(&["secret", "remove", "db.password"]).expect(2);
        pair.windlass(&["secret", "remove", "db.password", "--yes"]).expect(0);
        let gone = pair.windlass(&["secret", "get", "db.password"]).expect(2);
        assert!(gone.err.contains("there is no secret db.password") && gone.out.is_empty(), "{gone:?}");
    }
}

#[test]
fn a_manager_that_is_away_is_warned_of_and_the_other_is_enough() {
    let Some(pair) = up(Transport::Ssh, PLAIN) else { return };
    given(&pair, &["secret", "put", "one"], VALUE.as_bytes()).expect(0);
    let power = |node: &str, off| pair.lab.break_with(Switch::NodeDown, Some(node), off, &[]).unwrap();
    power("master1", false);
    let got = pair.windlass(&["secret", "get", "one"]).expect(0);
    assert!(
        got.out == VALUE && got.err.contains("warning: the key set of master1 cannot be told"),
        "{got:?}"
    );
    power("master2", false);
    let none = pair.windlass(&["secret", "get", "one"]).expect(4);
    assert!(none.out.is_empty() && none.err.contains("windlass site check --connect"), "{none:?}");
}

#[test]
fn a_name_that_another_hand_wrote_does_not_steer_the_terminal() {
    let pair = local();
    given(&pair, &["secret", "put", "one"], VALUE.as_bytes()).expect(0);
    let store = rusqlite::Connection::open(pair.dir.join("secrets.db")).unwrap();
    store.execute("UPDATE items SET name = ?1", ["\u{1b}[2Jgone"]).unwrap();
    let listed = pair.windlass(&["secret", "list"]).expect(0).out;
    assert!(listed.contains("[2Jgone") && !listed.contains('\u{1b}'), "{listed:?}");
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_kept() {
    let pair = local();
    let large = vec![b'x'; 10 * 1024 * 1024];
    let cases: [(&str, &[u8], &str); 5] = [
        ("a/b", b"v", "it has a slash"),
        ("a\nb", b"v", "it has a line break"),
        ("", b"v", "it is empty"),
        ("empty", b"", "is empty at its source"),
        ("large", &large, "longer than 4096 bytes"),
    ];
    for (name, value, why) in cases {
        let refused = given(&pair, &["secret", "put", name], value).expect(2);
        assert!(refused.err.contains(why), "{refused:?}");
    }
    let json = given(&pair, &["--json", "secret", "list"], b"").expect(0);
    assert_eq!(json.out.trim(), "[]");
}

#[test]
fn nodes_that_differ_are_no_cluster_to_seal_for() {
    let pair = local();
    given(&pair, &["secret", "put", "one"], VALUE.as_bytes()).expect(0);
    let (first, second) = (keyset(&pair, "master1"), keyset(&pair, "master2"));
    let whole = std::fs::read(&first).unwrap();
    assert_eq!(std::fs::read(&second).unwrap(), whole);

    let refused = |why: &str, findings: &str, code: i32| {
        let put = given(&pair, &["secret", "put", "one"], b"another").expect(4);
        assert!(put.err.contains(why), "{put:?}");
        pair.windlass(&["secret", "get", "one"]).expect(4);
        let info = pair.windlass(&["keyring", "info"]).expect(code);
        assert!(info.out.contains(findings), "{info:?}");
    };
    let text = String::from_utf8(whole.clone()).unwrap();
    let number = text.split(&[':', ','][..]).nth(1).unwrap();
    std::fs::write(&second, text.replace(number, "77")).unwrap();
    refused("master1 and master2 have different key sets", "version 77", 10);
    std::fs::write(&second, &whole[..whole.len() / 2]).unwrap();
    refused("the key set of master2 cannot be told", "no key set: master2: the key set cannot be read", 10);
    std::fs::remove_file(&second).unwrap();
    refused("master2 has no key set: cluster-key does not exist there", "no key set: master2", 10);

    // All of them another one: what was sealed is not opened, and not lost.
    for path in [&first, &second] {
        std::fs::write(path, text.replace(number, "77")).unwrap();
    }
    let unknown = pair.windlass(&["secret", "get", "one"]).expect(1);
    assert!(unknown.err.contains(&format!("sealed under version {number}")), "{unknown:?}");
    pair.windlass(&["secret", "rewrap"]).expect(1);
    let orphans = pair.windlass(&["keyring", "info"]).expect(10);
    assert!(orphans.out.contains("1 values are sealed under a version that no node has"), "{orphans:?}");
    for path in [&first, &second] {
        std::fs::write(path, &whole).unwrap();
    }
    assert_eq!(pair.windlass(&["secret", "get", "one"]).expect(0).out, VALUE);
}

#[test]
fn sealing_anew_that_is_killed_goes_on_and_ends_with_none_left() {
    const VALUES: usize = 20_000;
    let pair = local();
    given(&pair, &["secret", "put", "first"], VALUE.as_bytes()).expect(0);
    let old = Keyset::parse(&std::fs::read(keyset(&pair, "master1")).unwrap()).unwrap();
    let store = || rusqlite::Connection::open(pair.dir.join("secrets.db")).unwrap();
    let mut raw = store();
    let filling = raw.transaction().unwrap();
    let value = |at: usize| format!("value {at}");
    for at in 0..VALUES {
        let name = format!("n{at}");
        let sealed = old.seal(&Secret::from_text(value(at)), &name).unwrap();
        filling.execute("INSERT INTO items VALUES (?1, ?2, 0)", rusqlite::params![name, sealed]).unwrap();
    }
    filling.commit().unwrap();
    drop(raw);
    let new = old.with_new_primary().unwrap();
    for node in ["master1", "master2"] {
        std::fs::write(keyset(&pair, node), new.to_json().expose()).unwrap();
    }

    let mut killed = 0;
    for after in [200, 300, 400, 500] {
        let mut child = pair.command(&["secret", "rewrap"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(after));
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > 0, "it was over before it was killed");
    let done = pair.windlass(&["secret", "rewrap"]).expect(0);
    let says = format!("all {} are under version {}, none under an older one", VALUES + 1, new.primary());
    assert!(done.out.contains(&says), "{done:?}");
    let store = store();
    let mut all = store.prepare("SELECT name, sealed FROM items").unwrap();
    let mut rows = all.query([]).unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().unwrap() {
        let (name, sealed): (String, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (opened, version) = new.open(&sealed, &name).unwrap();
        let expected = name.strip_prefix('n').map_or(VALUE.into(), |at| value(at.parse().unwrap()));
        assert_eq!((opened.expose(), version), (expected.as_bytes(), new.primary()), "{name}");
        seen += 1;
    }
    assert_eq!(seen, VALUES + 1);
}

#[test]
fn tink_opens_a_sealed_value_as_the_docs_say() {
    let Some(python) = std::env::var_os("WINDLASS_TINK") else {
        println!("skipped: Tink for Python is not installed (cargo xtask test installs it)");
        return;
    };
    let pair = local();
    given(&pair, &["secret", "put", "db.password"], VALUE.as_bytes()).expect(0);
    let file = pair.controller.join("sealed");
    std::fs::write(&file, sealed(&pair, "db.password")).unwrap();
    let page = include_str!("../docs/keyring.md");
    let example = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let opened = |name: &str| {
        let mut python = Command::new(&python);
        python.args(["-c", example, keyset(&pair, "master2").as_str(), file.as_str(), name]);
        python.stderr(Stdio::null()).output().unwrap()
    };
    assert_eq!(opened("db.password").stdout, VALUE.as_bytes());
    assert!(!opened("other").status.success());
}
