//! `windlass-pack BUNDLE COMPONENT…`: precompiles components with the host's own engine into one bundle.
//!
//! Started by `cargo xtask build`. It links the library without a bundle, so that the library can make it.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((bundle, components)) = arguments.split_first().filter(|(_, components)| !components.is_empty())
    else {
        eprintln!("usage: windlass-pack BUNDLE COMPONENT…");
        return ExitCode::from(2);
    };
    match pack(Path::new(bundle), components) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("windlass-pack: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn pack(bundle: &Path, components: &[String]) -> Result<(), String> {
    let mut named = Vec::new();
    for component in components {
        let path = Path::new(component);
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a component without a name")?;
        let bytes = std::fs::read(path).map_err(|error| format!("read {component}: {error}"))?;
        named.push((name.to_string(), bytes));
    }
    let packed =
        windlass::plugin::bundle::pack(&named).map_err(|error| format!("make images: {}", chain(&error)))?;
    // Written only where it changes: the binary includes this file and is rebuilt when it is newer.
    if std::fs::read(bundle).is_ok_and(|present| present == packed) {
        return Ok(());
    }
    if let Some(folder) = bundle.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("create {}: {error}", folder.display()))?;
    }
    std::fs::write(bundle, &packed).map_err(|error| format!("write {}: {error}", bundle.display()))
}

/// Returns an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
