//! A pattern of a plugin's needs in an operator's words, and the functions that could make use of it.

use crate::site::{CRYPTO, GENERAL, KEYRING};

/// Returns the functions of the contract that a pattern can be used by, as `nodes.run`; `list` is the key that it
/// stands under in `grants.toml`. None of them for a word that stands for no function.
pub fn functions(list: &str, pattern: &str) -> Vec<String> {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    match list {
        // A name that is restored may be a command's as well as a file's.
        "commands" => named(&["nodes.run", "nodes.run-each", "files.restore"]),
        "files" => match pattern.split_whitespace().next() {
            Some("stat") => named(&[
                "files.stat",
                "files.fingerprint",
                "files.fingerprint-each",
                "files.space",
                "crypto.check-key",
                "keyring.versions",
                "keyring.canary",
                "keyring.opens",
                "keyring.rewrap",
            ]),
            Some("read") => named(&["files.read"]),
            Some("copy") => named(&["files.put", "files.put-each", "files.stage"]),
            Some("write") => named(&[
                "files.put",
                "files.put-each",
                "files.stage",
                "files.swap",
                "files.discard",
                "files.remove",
                "files.restore",
                "keyring.add",
                "keyring.retire",
            ]),
            _ => Vec::new(),
        },
        "endpoints" => named(&["cluster.served"]),
        "crypto" if pattern == "generate-key" => named(&["crypto.generate-key", "crypto.prepare-key"]),
        "crypto" | "keyring" => vec![format!("{list}.{pattern}")],
        "secrets" => {
            // A secret that may go somewhere may be asked for.
            let mut all = named(&["secrets.ask", "secrets.generate", "secrets.check"]);
            all.extend(named(match sink(pattern).1 {
                None => &[],
                Some("supplied-ca") => &["crypto.supplied-ca"],
                Some("check-key") => &["crypto.check-key"],
                Some(file) if file.starts_with("file:") => &["files.put", "files.put-each", "files.stage"],
                Some(_) => &["nodes.run", "nodes.run-each"],
            }));
            all
        }
        "general" => match pattern {
            "nodes" => named(&["nodes.members", "nodes.clock-offset", "nodes.quarantined"]),
            "quarantine" => named(&["nodes.quarantine", "nodes.release"]),
            "health" => named(&["cluster.health"]),
            "manager" => named(&["cluster.manager"]),
            "parameters" => named(&["operator.parameter"]),
            "confirm" => named(&["operator.confirm", "operator.acknowledge"]),
            "note" => named(&["operator.note", "operator.progress"]),
            "state" => named(&["state.get", "state.set"]),
            "clock" => named(&["clock.now", "clock.sleep"]),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Returns what a pattern allows, in an operator's words: `run restart-ha on second`.
pub fn words(list: &str, pattern: &str) -> String {
    let operation = |known: &[&str], said: &[&str]| {
        let index = known.iter().position(|word| *word == pattern);
        index.and_then(|index| said.get(index)).map_or_else(|| pattern.to_owned(), |said| (*said).to_owned())
    };
    match list {
        "commands" => {
            let (command, on) = placed(pattern);
            match command.split_once('(') {
                None => format!("run {command} {on}"),
                Some((command, values)) => {
                    let values = values.trim_end_matches(')').replace('|', " or ").replace('=', " ");
                    format!("run {command} with {values} {on}")
                }
            }
        }
        "files" => {
            let (verb, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
            let (file, on) = placed(rest.trim());
            let says = match verb {
                "stat" => "look at",
                verb => verb,
            };
            format!("{says} {file} {on}")
        }
        "endpoints" => {
            let (endpoint, on) = placed(pattern);
            format!("see what {endpoint} serves {on}")
        }
        "crypto" => operation(&CRYPTO, &CRYPTO_WORDS),
        "keyring" => operation(&KEYRING, &KEYRING_WORDS),
        "secrets" => match sink(pattern) {
            (secret, None) => format!("ask for secret {secret}"),
            (secret, Some("supplied-ca")) => {
                format!("open the CA that the site supplies with secret {secret}")
            }
            (secret, Some("check-key")) => format!("open a key in a file with secret {secret}, to check it"),
            (secret, Some(sink)) => match (sink.strip_prefix("file:"), sink.split_once('.')) {
                (Some(file), _) => format!("write secret {secret}, or a key under it, into {file}"),
                (None, Some((command, placeholder))) => {
                    format!("give secret {secret} to {command} as its {placeholder}")
                }
                (None, None) => format!("give secret {secret} to {sink}"),
            },
        },
        _ => operation(&GENERAL, &GENERAL_WORDS),
    }
}

/// In the order of [`CRYPTO`].
const CRYPTO_WORDS: [&str; CRYPTO.len()] = [
    "have a key made",
    "have a CA certificate made that signs itself",
    "have a certificate issued",
    "have a signing request made",
    "take in a certificate that a CA elsewhere issued",
    "take in the certificate of a CA elsewhere",
    "open the CA that the site supplies",
    "read certificates",
    "check that a certificate comes from a CA",
    "check whether a key in a file is a certificate's",
];
/// In the order of [`KEYRING`].
const KEYRING_WORDS: [&str; KEYRING.len()] = [
    "see which versions a key set has",
    "add a version to a key set",
    "take a version out of a key set",
    "seal a canary under a key set",
    "see whether a key set opens a canary",
    "see what still needs a version of a key",
    "seal a file anew under a key set",
];
/// In the order of [`GENERAL`].
const GENERAL_WORDS: [&str; GENERAL.len()] = [
    "see which nodes there are",
    "put nodes into quarantine, and take them out",
    "ask the managers how the cluster is",
    "ask for the manager's page",
    "read its parameters",
    "ask the operator",
    "write into the report",
    "keep small values for the run",
    "read the clock, and wait",
    "begin where the roles of the pair are unclear",
];

/// A name and where it is allowed: `restart-ha@second` is `restart-ha` and `on second`.
fn placed(pattern: &str) -> (&str, String) {
    // A value in brackets may hold the sign.
    let behind = pattern.rfind(')').unwrap_or(0);
    match pattern[behind..].split_once('@') {
        Some((_, place)) => {
            let name = &pattern[..pattern.len() - place.len() - 1];
            match place {
                "*" => (name, "on any node".into()),
                place => (name, format!("on {place}")),
            }
        }
        None => (pattern, "on any node".into()),
    }
}

/// A secret and where it goes.
fn sink(pattern: &str) -> (&str, Option<&str>) {
    match pattern.split_once("->") {
        Some((secret, sink)) => (secret.trim(), Some(sink.trim())),
        None => (pattern.trim(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_in_an_operators_words() {
        for (list, pattern, says) in [
            ("commands", "restart-ha@second", "run restart-ha on second"),
            ("commands", "restart-ha", "run restart-ha on any node"),
            ("commands", "set(state=drain|ready)@lb1", "run set with state drain or ready on lb1"),
            ("commands", "set(to=a@b)@*", "run set with to a@b on any node"),
            ("files", "write ha-root-cert@first", "write ha-root-cert on first"),
            ("files", "stat ha-root-cert@*", "look at ha-root-cert on any node"),
            ("endpoints", "ha@second", "see what ha serves on second"),
            ("secrets", "ha-key", "ask for secret ha-key"),
            ("secrets", "ha-key -> replace.password", "give secret ha-key to replace as its password"),
            ("secrets", "k -> file:leaf", "write secret k, or a key under it, into leaf"),
            ("crypto", "issue", "have a certificate issued"),
            ("keyring", "rewrap", "seal a file anew under a key set"),
            ("general", "unclear-roles", "begin where the roles of the pair are unclear"),
        ] {
            assert_eq!(words(list, pattern), says);
        }
    }

    #[test]
    fn every_function_of_the_contract_is_of_some_pattern_and_no_pattern_has_another() {
        let mut known: Vec<String> = Vec::new();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let mut interface = "";
            for line in text.lines() {
                if let Some(name) = line.strip_prefix("interface ") {
                    interface = name.trim_end_matches(" {");
                }
                if let Some((name, _)) = line.trim().split_once(": func(")
                    && !interface.ends_with("-api")
                {
                    known.push(format!("{interface}.{name}"));
                }
            }
        }
        known.sort();
        let mut used: Vec<String> = Vec::new();
        for word in CRYPTO {
            used.extend(functions("crypto", word));
        }
        for word in KEYRING {
            used.extend(functions("keyring", word));
        }
        for word in GENERAL {
            used.extend(functions("general", word));
        }
        used.extend(functions("commands", "a"));
        used.extend(functions("endpoints", "a"));
        for verb in ["stat", "read", "copy", "write"] {
            used.extend(functions("files", &format!("{verb} a")));
        }
        for secret in ["a", "a -> supplied-ca", "a -> check-key", "a -> file:b", "a -> b.c"] {
            used.extend(functions("secrets", secret));
        }
        used.sort();
        used.dedup();
        assert_eq!(used, known);
    }
}
