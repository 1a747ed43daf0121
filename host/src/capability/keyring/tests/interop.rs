//! Google's own Tink: what it seals and writes we open and read, and the other way round.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

const TINK: &str = include_str!("tink.py");

/// Tink in a process of its own: a JSON document a line, and its answer.
struct Tink(Child, BufReader<std::process::ChildStdout>);

impl Tink {
    fn start() -> Option<Tink> {
        let Some(python) = std::env::var_os("WINDLASS_TINK") else {
            println!("skipped: Tink for Python is not installed (cargo xtask test installs it)");
            return None;
        };
        let mut command = Command::new(python);
        command.args(["-c", TINK]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Tink(child, answers))
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.0.stdin.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {question}"))
    }

    fn keyset(&mut self, template: &str) -> Keyset {
        let set = self.ask(&json!({"do": "new", "template": template}));
        Keyset::parse(set["keyset"].as_str().unwrap().as_bytes()).unwrap()
    }
}

impl Drop for Tink {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_thousand_values_open_on_the_other_side_both_ways() {
    let Some(mut tink) = Tink::start() else { return };
    let mut sets = vec![
        Keyset::generate().unwrap(),
        Keyset::generate().unwrap().with_new_primary().unwrap(),
        tink.keyset("AES256_GCM"),
        tink.keyset("AES256_GCM_RAW"),
    ];
    sets.push(sets[2].with_new_primary().unwrap());
    for at in 0..1_000 {
        let keyset = &sets[at % sets.len()];
        let json = String::from_utf8(keyset.to_json().expose().to_vec()).unwrap();
        let name = format!("name {at} é");
        let value = random(1 + at * 7 % 3_000);

        let sealed = keyset.seal(&Secret::new(value.clone()), &name).unwrap();
        let question = json!({"do": "open", "keyset": json, "sealed": BASE64.encode(sealed), "name": name});
        assert_eq!(tink.ask(&question)["value"], BASE64.encode(&value), "{at}");

        let question = json!({"do": "seal", "keyset": json, "value": BASE64.encode(&value), "name": name});
        let sealed = BASE64.decode(tink.ask(&question)["sealed"].as_str().unwrap()).unwrap();
        let (opened, version) = keyset.open(&sealed, &name).unwrap();
        assert_eq!((opened.expose(), version), (&value[..], keyset.primary()), "{at}");
    }
}

#[test]
fn a_set_that_tink_rotated_is_read_and_ours_is_rotated_by_tink() {
    let Some(mut tink) = Tink::start() else { return };
    let ours = Keyset::generate().unwrap();
    let sealed = ours.seal(&secret("old"), "n").unwrap();
    let json = String::from_utf8(ours.to_json().expose().to_vec()).unwrap();
    let set = tink.ask(&json!({"do": "rotate", "keyset": json}));
    let rotated = Keyset::parse(set["keyset"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(rotated.versions().len(), 2);
    assert_ne!(rotated.primary(), ours.primary());
    assert_eq!(rotated.open(&sealed, "n").unwrap().1, ours.primary());
}

#[test]
fn what_we_refuse_tink_refuses_too() {
    let Some(mut tink) = Tink::start() else { return };
    let keyset = Keyset::generate().unwrap();
    let json = String::from_utf8(keyset.to_json().expose().to_vec()).unwrap();
    let sealed = keyset.seal(&secret("x"), "n").unwrap();
    for bit in (0..sealed.len() * 8).step_by(7) {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let question = json!({"do": "open", "keyset": json, "sealed": BASE64.encode(&changed), "name": "n"});
        assert!(tink.ask(&question)["error"].is_string(), "{bit}");
        assert!(keyset.open(&changed, "n").is_err(), "{bit}");
    }
}
