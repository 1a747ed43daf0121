//! Finds secrets in anything: a password whole, private key components by any sixteen bytes in a row; plain, in
//! hexadecimal of either case, in base64 however it is aligned.

use std::collections::HashMap;
use std::process::Command;

/// Bytes of a key component in a row that count as a find.
const WINDOW: usize = 16;

pub struct Scanner {
    /// Whole secrets with their names, in each spelling that is looked for as it is.
    whole: Vec<(String, Vec<u8>)>,
    windows: HashMap<[u8; WINDOW], String>,
    /// Which first two bytes a window can have: most of what is read has none.
    begins: Vec<bool>,
}

impl Scanner {
    pub fn new(password: &[u8]) -> Self {
        let text = String::from_utf8(password.to_vec()).unwrap();
        let quoted = serde_json::to_string(&text).unwrap();
        let whole = vec![
            ("the password".to_owned(), password.to_vec()),
            ("the password, as JSON".to_owned(), quoted.trim_matches('"').as_bytes().to_vec()),
        ];
        Self { whole, windows: HashMap::new(), begins: vec![false; 1 << 16] }
    }

    /// Looks for the private components of a key file, as OpenSSL tells them.
    pub fn add_key(&mut self, name: &str, pem: &[u8], password: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, pem).unwrap();
        let mut command = Command::new("openssl");
        command.args(["pkey", "-noout", "-text", "-passin", "stdin", "-in"]).arg(file);
        let text = super::super::e2e::feed(&mut command, password).expect(0).out;
        let components = private_components(&text);
        assert_eq!(components.len(), 6, "RSA has six private numbers: {:?}", components.keys());
        for (component, bytes) in components {
            self.add(&format!("{component} of {name}"), &bytes);
        }
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        for window in bytes.windows(WINDOW) {
            self.begins[usize::from(u16::from_be_bytes([window[0], window[1]]))] = true;
            self.windows.insert(window.try_into().unwrap(), name.to_owned());
        }
    }

    /// What was found in some bytes: which secret, and how it was spelt.
    pub fn find(&self, bytes: &[u8]) -> Option<String> {
        if let Some(name) = self.plain(bytes) {
            return Some(format!("{name}, plain"));
        }
        let hexadecimal = |byte: u8| byte.is_ascii_hexdigit();
        for run in bytes.split(|byte| !hexadecimal(*byte)).filter(|run| run.len() >= 2 * WINDOW) {
            for start in 0..2 {
                let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
                let decoded: Vec<u8> =
                    run[start..].chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
                if let Some(name) = self.plain(&decoded) {
                    return Some(format!("{name}, in hexadecimal"));
                }
            }
        }
        // Lines of base64 belong together.
        let text: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        for run in text.split(|byte| value(*byte).is_none()).filter(|run| run.len() >= 20) {
            for start in 0..4 {
                if let Some(name) = self.plain(&base64(&run[start..])) {
                    return Some(format!("{name}, in base64"));
                }
            }
        }
        None
    }

    fn plain(&self, bytes: &[u8]) -> Option<&str> {
        for (name, secret) in &self.whole {
            if contains(bytes, secret) {
                return Some(name);
            }
        }
        bytes.windows(WINDOW).find_map(|window| {
            let possible = self.begins[usize::from(u16::from_be_bytes([window[0], window[1]]))];
            possible.then(|| self.windows.get(window).map(String::as_str)).flatten()
        })
    }
}

pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(wanted) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

/// Decodes leniently: what is left over at the end is dropped.
fn base64(run: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(run.len() * 3 / 4);
    for group in run.chunks(4).filter(|group| group.len() > 1) {
        let bits = group.iter().fold(0, |bits, byte| bits << 6 | value(*byte).unwrap_or(0));
        let bits = bits << (6 * (4 - group.len()));
        decoded.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    decoded
}

/// Reads `name:` lines followed by indented `xx:xx:…` lines; the public ones are left out.
fn private_components(text: &str) -> HashMap<String, Vec<u8>> {
    let mut all: HashMap<String, Vec<u8>> = HashMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            let bytes = line.trim().split(':').filter(|byte| !byte.is_empty());
            let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap());
            all.entry(current.clone()).or_default().extend(bytes);
        } else {
            current = line.trim_end_matches(':').to_owned();
        }
    }
    all.retain(|name, _| {
        ["privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"]
            .contains(&name.as_str())
    });
    all
}

/// A secret planted in each spelling, at each alignment, is found; and nothing is found where there is none.
#[test]
fn the_scanner_finds_each_spelling_wherever_it_lies() {
    use base64::Engine as _;
    let password = br#"a'b"c`d$HO\n%s&|;9A"#;
    let component: Vec<u8> = (0..=255u8).map(|byte| byte.wrapping_mul(73) ^ 0x5a).collect();
    let mut scanner = Scanner::new(password);
    scanner.add("a component", &component);
    assert_eq!(scanner.find(&b"nothing to be found here, 0123456789abcdef".repeat(100)), None);
    assert_eq!(scanner.find(&component[..WINDOW - 1]), None);
    let secrets: Vec<&[u8]> =
        std::iter::once(&password[..]).chain(component.windows(WINDOW).step_by(7)).collect();
    for secret in secrets {
        for before in 0..4 {
            let planted = [&b"=-*!"[..before], secret, b"?"].concat();
            let hexadecimal: String = planted.iter().map(|byte| format!("{byte:02x}")).collect();
            let base64 = base64::engine::general_purpose::STANDARD.encode(&planted);
            let wrapped = format!("{}\n{}", &base64[..11], &base64[11..]);
            let spellings = [
                planted.clone(),
                hexadecimal.clone().into_bytes(),
                format!("0{}", hexadecimal.to_uppercase()).into_bytes(),
                base64.into_bytes(),
                wrapped.into_bytes(),
            ];
            for spelt in spellings {
                let hidden = [b"some log line: ", &spelt[..], b"; and on"].concat();
                assert!(scanner.find(&hidden).is_some(), "{}", String::from_utf8_lossy(&hidden));
            }
        }
    }
    let quoted = serde_json::json!({ "a": String::from_utf8(password.to_vec()).unwrap() }).to_string();
    assert!(scanner.find(quoted.as_bytes()).is_some());
}
