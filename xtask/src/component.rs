//! Core module → component → component with its manifest.

use crate::error::Error;
use std::path::Path;

/// The name of the top-level custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "windlass:manifest";

/// Returns the component made from a core module, with the manifest appended as one custom section.
pub fn make(module_path: &Path, module: &[u8], manifest: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::Input {
        path: module_path.into(),
        reason: format!("cannot be made a component: {error}"),
    };
    let mut component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| refused(&format!("{error:#}")))?;
    if let Some(manifest) = manifest {
        append(&mut component, manifest);
    }
    Ok(component)
}

/// Appends a manifest to a component that has none.
pub fn append(component: &mut Vec<u8>, manifest: &[u8]) {
    use wasm_encoder::ComponentSection;
    wasm_encoder::CustomSection { name: MANIFEST_SECTION.into(), data: manifest.into() }
        .append_to_component(component);
}

/// Reads a `manifest.toml` and returns it as JSON bytes, its order kept. What it means is the host's to
/// judge: this only turns one notation into the other.
pub fn manifest(path: &Path, text: &str) -> Result<Vec<u8>, Error> {
    let wrong = |reason: String| Error::Input { path: path.into(), reason };
    let value: serde_json::Value = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    serde_json::to_vec(&value).map_err(|error| wrong(error.to_string()))
}

/// Returns which of the machine's paths occur in a component.
pub fn paths_within(component: &[u8], paths: &[String]) -> Vec<String> {
    let holds = |path: &&String| component.windows(path.len()).any(|window| window == path.as_bytes());
    paths.iter().filter(|path| !path.is_empty()).filter(holds).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_exactly_one_top_level_section() {
        let empty_module = b"\0asm\x01\0\0\0";
        let component = make(Path::new("x.wasm"), empty_module, Some(b"{\"name\":\"x\"}")).unwrap();
        let mut depth = 0;
        let mut found = Vec::new();
        for payload in wasmparser::Parser::new(0).parse_all(&component) {
            match payload.unwrap() {
                wasmparser::Payload::Version { .. } => depth += 1,
                wasmparser::Payload::End(_) => depth -= 1,
                wasmparser::Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                    found.push((depth, section.data().to_vec()));
                }
                _ => {}
            }
        }
        assert_eq!(found, [(1, b"{\"name\":\"x\"}".to_vec())]);
    }

    #[test]
    fn something_else_than_a_module_is_refused_by_name() {
        let error = make(Path::new("broken.wasm"), b"\0asm\x01\0", None).unwrap_err();
        assert!(error.to_string().starts_with("broken.wasm: cannot be made a component: "), "{error}");
    }

    #[test]
    fn a_manifest_keeps_its_order_and_names_its_mistakes() {
        let json = manifest(Path::new("m.toml"), "name = 'b'\napi = '0.1'\n[[needs]]\nfiles = []\n").unwrap();
        assert_eq!(json, br#"{"name":"b","api":"0.1","needs":[{"files":[]}]}"#);
        let error = manifest(Path::new("m.toml"), "name = ").unwrap_err().to_string();
        assert!(error.starts_with("m.toml: ") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_path_of_the_machine_is_found_wherever_it_is() {
        let paths = ["/home/me/".to_string(), "/opt/cargo/".to_string()];
        assert_eq!(paths_within(b"\0\x01/home/me/src/lib.rs\0", &paths), ["/home/me/"]);
        assert!(paths_within(b"/windlass/sdk/lib.rs", &paths).is_empty());
    }
}
