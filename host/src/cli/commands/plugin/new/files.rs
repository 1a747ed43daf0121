//! The files of a new plugin. A Rust project gets the SDK and the contract that this windlass was built with, so that
//! it is built with nothing but crates of the registry; `vendor/` is laid out as this repository is, since the SDK
//! finds the contract from where it lies.

/// Path and text, with room for the plugin's words in both.
type Files = Vec<(String, &'static str)>;

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/", $path))
    };
}
macro_rules! repository {
    ($($path:literal)+) => {
        &[$(($path, include_str!(concat!("../../../../../../", $path)))),+]
    };
}

/// What goes into `vendor/` as it is.
const VENDORED: &[(&str, &str)] = repository! {
    "sdk/rust/src/bindings.rs" "sdk/rust/src/hook.rs" "sdk/rust/src/host.rs" "sdk/rust/src/lib.rs"
    "sdk/rust/src/mock.rs" "sdk/rust/src/node.rs" "sdk/rust/src/parameters.rs" "sdk/rust/src/problems.rs"
    "sdk/rust/src/procedure.rs" "sdk/rust/src/records.rs" "sdk/rust/src/run.rs"
    "wit/clock.wit" "wit/cluster.wit" "wit/crypto.wit" "wit/files.wit" "wit/hook.wit" "wit/keyring.wit"
    "wit/nodes.wit" "wit/operator.wit" "wit/procedure.wit" "wit/script.wit" "wit/secrets.wit" "wit/state.wit"
    "wit/types.wit" "wit/worlds.wit"
};

pub(super) fn rust_hook() -> Files {
    rust([
        ("src/lib.rs", template!("rust-hook/lib.rs")),
        ("manifest.toml", template!("rust-hook/manifest.toml")),
        ("scenarios/well.toml", template!("rust-hook/well.toml")),
        ("scenarios/well.transcript", template!("rust-hook/well.transcript")),
        ("scenarios/unwell.toml", template!("rust-hook/unwell.toml")),
        ("scenarios/unwell.transcript", template!("rust-hook/unwell.transcript")),
    ])
}

pub(super) fn rust_procedure() -> Files {
    rust([
        ("src/lib.rs", template!("rust-procedure/lib.rs")),
        ("manifest.toml", template!("rust-procedure/manifest.toml")),
        ("scenarios/well.toml", template!("rust-procedure/well.toml")),
        ("scenarios/well.transcript", template!("rust-procedure/well.transcript")),
        ("scenarios/unwell.toml", template!("rust-procedure/unwell.toml")),
        ("scenarios/unwell.transcript", template!("rust-procedure/unwell.transcript")),
    ])
}

fn rust(own: [(&str, &'static str); 6]) -> Files {
    let shared = [
        ("Cargo.toml", template!("Cargo.toml")),
        ("README.md", template!("README.md")),
        (".gitignore", "target/\n"),
        ("vendor/sdk/rust/Cargo.toml", template!("sdk-Cargo.toml")),
    ];
    let own = own.into_iter().chain(shared).map(|(path, text)| (path.to_owned(), text));
    own.chain(VENDORED.iter().map(|(path, text)| (format!("vendor/{path}"), *text))).collect()
}

pub(super) fn script(ending: &str) -> Files {
    let text = match ending {
        "py" => template!("script/hook.py"),
        _ => template!("script/hook.js"),
    };
    vec![
        (format!("{{{{name}}}}.{ending}"), text),
        ("scenarios/unwell.toml".to_owned(), template!("rust-hook/unwell.toml")),
        ("scenarios/unwell.transcript".to_owned(), template!("rust-hook/unwell.transcript")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_whole_sdk_and_the_whole_contract_are_vendored() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut there = BTreeSet::new();
        for folder in ["sdk/rust/src", "wit"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".rs") || name.ends_with(".wit") {
                    there.insert(format!("{folder}/{name}"));
                }
            }
        }
        let vendored: BTreeSet<String> = VENDORED.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(vendored, there);
    }

    #[test]
    fn the_vendored_crate_has_the_dependencies_of_the_sdk() {
        let dependencies = |text: &str| -> toml::Table {
            let whole: toml::Table = text.parse().unwrap();
            whole["dependencies"].as_table().cloned().unwrap()
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
        let ours = dependencies(template!("sdk-Cargo.toml"));
        let sdk = dependencies(&read("sdk/rust/Cargo.toml"));
        assert_eq!(ours.keys().collect::<Vec<_>>(), sdk.keys().collect::<Vec<_>>());
        for (name, version) in &ours {
            assert_eq!(*version, workspace["workspace"]["dependencies"][name], "{name}");
        }
    }
}
