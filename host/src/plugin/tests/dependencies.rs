//! What a component says that it was built from.

use super::guest::*;
use crate::model::audit::Dependency;
use crate::plugin::anatomy;
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::time::{Duration, Instant};

/// The section as cargo-auditable 0.7.7 left it in `examples/hooks/trail`, built for wasm32-unknown-unknown.
const REAL: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dep-v0.zlib"));

/// What is read of a component in whose module a linker left this section.
fn read(section: &[u8]) -> Option<Vec<Dependency>> {
    let escaped: String = section.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let component = hook(&format!("(@custom \".dep-v0\" \"{escaped}\")"));
    let found = anatomy("guest.wasm", &component).unwrap();
    let named = |one: &&crate::model::audit::CustomSection| one.name == ".dep-v0";
    assert_eq!(found.custom_sections.iter().find(named).map(|one| one.bytes), Some(section.len() as u64));
    found.dependencies
}

fn packed(json: &str) -> Vec<u8> {
    compress_to_vec_zlib(json.as_bytes(), 9)
}

#[test]
fn what_cargo_auditable_left_is_read_back() {
    let found = read(REAL).unwrap();
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    for expected in [
        "anyhow 1.0.105 (crates.io)",
        "indexmap 2.14.2 (crates.io)",
        "trail 0.1.0 (local)",
        "windlass-sdk 0.1.0 (local)",
    ] {
        assert!(said.iter().any(|one| one == expected), "{expected}: {said:#?}");
    }
    // What only built it is not in it.
    assert!(found.iter().all(|one| one.name != "serde_derive"), "{said:#?}");
    assert_eq!(found.len(), 34);
}

#[test]
fn a_list_from_elsewhere_says_so_and_shows_nothing_that_is_no_text() {
    let found = read(&packed(
        r#"{"packages":[{"name":"a\u001b[2J","version":"1.0.0","source":"git"},{"name":"b","version":"2"}],"format":9}"#,
    ));
    let said: Vec<String> = found.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(said, ["a\u{fffd}[2J 1.0.0 (git)", "b 2"]);
}

#[test]
fn a_list_that_cannot_be_read_is_none() {
    for length in (0..REAL.len()).step_by(11) {
        assert_eq!(read(&REAL[..length]), None, "{length}");
    }
    for wrong in ["", "{}", "[1]", r#"{"packages":[{"name":1}]}"#, r#"{"packages":"many"}"#] {
        assert_eq!(read(&packed(wrong)), None, "{wrong}");
        assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn a_list_that_would_fill_the_memory_is_not_unpacked() {
    let began = Instant::now();
    let bomb = compress_to_vec_zlib(&vec![b' '; 256 << 20], 9);
    assert!(bomb.len() < 1 << 20);
    let began_to_read = began.elapsed();
    assert_eq!(read(&bomb), None);
    assert!(began.elapsed() - began_to_read < Duration::from_secs(5));
    let one = r#"{"name":"a","version":"1"},"#;
    let many = format!("{{\"packages\":[{}{}]}}", one.repeat(200_000), one.trim_end_matches(','));
    assert_eq!(read(&packed(&many)).map(|all| all.len()), Some(2_000));
}
