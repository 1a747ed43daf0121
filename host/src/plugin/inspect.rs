//! What is checked of a component before anything of it is compiled, and text that guests made.

use super::PluginError;
pub(super) use crate::model::hex;
use aws_lc_rs::digest;
use std::cmp::Ordering;
use wasmparser::{Parser, Payload};

/// The version of the contract that this host has. A contract's version is that of the first Windlass to be released
/// with it, so naming the one names the other.
pub const API_VERSION: &str = "0.1.1";

/// The version that manifests name, as `0.1`.
pub fn api_series() -> &'static str {
    API_VERSION.rsplit_once('.').map_or(API_VERSION, |(series, _)| series)
}

const PACKAGE: &str = "windlass:plugin/";
/// The interfaces of `wit/` that the worlds import, `types` for the records they share.
const INTERFACES: [&str; 11] = [
    "clock", "cluster", "crypto", "events", "files", "keyring", "nodes", "operator", "secrets", "state",
    "types",
];

/// What stock tools import of WASI. It is linked, and nothing is behind it: see `wasi`.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Checks that this host has every interface that the component imports. That their functions exist and
/// have the right types is found by linking.
pub(super) fn check_imports(plugin: &str, component: &[u8]) -> Result<(), PluginError> {
    let damaged = |error: wasmparser::BinaryReaderError| PluginError::Compile {
        plugin: plugin.into(),
        why: error.to_string(),
    };
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(damaged)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    check_import(plugin, &import.map_err(damaged)?.name.full_name())?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_import(plugin: &str, import: &str) -> Result<(), PluginError> {
    let refuse = |why| Err(PluginError::Import { plugin: plugin.into(), import: shown(import, 100), why });
    if let Some(wasi) = import.strip_prefix("wasi:") {
        let (interface, version) = wasi.split_once('@').unwrap_or((wasi, ""));
        let package = interface.split_once('/').map_or(interface, |(package, _)| package);
        return match WASI.contains(&package) && version.starts_with("0.2.") {
            true => Ok(()),
            false => refuse(
                "of WASI this host has 0.2, and of that cli, clocks, filesystem, io, random and sockets",
            ),
        };
    }
    let Some(rest) = import.strip_prefix(PACKAGE) else {
        return refuse("a plugin may import only interfaces of windlass:plugin");
    };
    let (interface, wanted) = rest.split_once('@').unwrap_or((rest, ""));
    // What a version of the series had, every later one has.
    let older = |wanted: &str| wanted.rsplit_once('.').is_none_or(|(series, _)| series != api_series());
    match compare(wanted, API_VERSION) {
        None => return refuse("it does not say which version of the contract it means"),
        Some(Ordering::Less) if older(wanted) => {
            return refuse("that version is older than any this host has; rebuild it");
        }
        Some(Ordering::Greater) => {
            return Err(PluginError::Version {
                plugin: plugin.into(),
                interface: shown(&format!("{PACKAGE}{interface}"), 100),
                wanted: wanted.into(),
                have: API_VERSION,
            });
        }
        Some(Ordering::Less | Ordering::Equal) => {}
    }
    if !INTERFACES.contains(&interface) {
        return refuse("this version of the contract has no such interface");
    }
    Ok(())
}

/// Compares two versions, of as many numbers each; none where they are not that.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let numbers = |text: &str| text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>();
    let (left, right) = (numbers(left)?, numbers(right)?);
    (left.len() == right.len()).then(|| left.cmp(&right))
}

/// Returns the SHA-256 of bytes in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Returns whether text is one non-empty line of at most `longest` characters that is safe to print.
pub(super) fn plain(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && !text.chars().any(dangerous)
}

/// Returns text that a guest made, safe for a terminal and a log: at most `longest` characters, one line,
/// control characters replaced.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut safe = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == longest {
            safe.push('…');
            break;
        }
        safe.push(match c {
            '\n' | '\r' | '\t' => ' ',
            c if dangerous(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        });
    }
    safe
}

/// Moves the cursor, hides text, or makes a line read in another order than it is.
fn dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
