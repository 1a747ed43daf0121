//! The one flag of cargo's that would make a guest's bytes depend on where its sources lie.
//!
//! Cargo hashes a path dependency outside the workspace's own folder (here: the SDK, seen from `plugins`)
//! by its absolute path, and hands the hash to rustc as `-C metadata`, from which symbol names and type ids
//! follow. So while guests are built this program stands in front of rustc (`RUSTC_WRAPPER`) and, for
//! crates of this repository only, derives that one value from the crate's name and its path below the root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Names the repository to the wrapper; its presence is what makes this process one.
const ROOT: &str = "XTASK_STABLE_METADATA";

/// Puts this program in front of the rustc that `cargo` will start.
pub fn wrap(cargo: &mut Command, root: &Path) -> std::io::Result<()> {
    cargo.env("RUSTC_WRAPPER", std::env::current_exe()?).env(ROOT, root);
    Ok(())
}

/// Acts as the wrapper where cargo started this as one; returns only if that failed. `None`: it is not one.
pub fn run_as_wrapper() -> Option<ExitCode> {
    let root = std::env::var_os(ROOT)?;
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        eprintln!("xtask: started as rustc's wrapper without rustc's name");
        return Some(ExitCode::FAILURE);
    }
    let rustc = arguments.remove(0);
    let source = Command::new(&rustc).args(rewrite(arguments, Path::new(&root))).exec();
    eprintln!("xtask: start {rustc}: {source}");
    Some(ExitCode::FAILURE)
}

/// Returns rustc's arguments with a `-C metadata` that does not depend on where `root` is.
fn rewrite(mut arguments: Vec<String>, root: &Path) -> Vec<String> {
    let name = arguments.iter().position(|word| word == "--crate-name").and_then(|at| arguments.get(at + 1));
    let source = arguments.iter().find(|word| word.ends_with(".rs"));
    let (Some(name), Some(source)) = (name.cloned(), source.cloned()) else {
        return arguments;
    };
    // A relative path is one below the workspace that cargo builds, which is in the repository.
    let below = match Path::new(&source).strip_prefix(root) {
        Ok(below) => below.to_path_buf(),
        Err(_) if Path::new(&source).is_relative() => Path::new(&source).to_path_buf(),
        Err(_) => return arguments,
    };
    for word in &mut arguments {
        if word.starts_with("metadata=") {
            *word = format!("metadata={name}:{}", below.display());
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(source: &str, root: &str, hash: &str) -> Vec<String> {
        let words =
            ["--crate-name", "sdk", source, "-C", &format!("metadata={hash}"), "-C", "extra-filename=-1"];
        rewrite(words.map(String::from).to_vec(), Path::new(root))
    }

    #[test]
    fn the_same_crate_in_two_folders_gets_the_same_metadata() {
        let one = rewritten("/a/sdk/src/lib.rs", "/a", "1111");
        let two = rewritten("/b/c/sdk/src/lib.rs", "/b/c", "2222");
        assert_eq!(one[4], two[4]);
        assert_eq!(one[6], "extra-filename=-1", "file names stay cargo's, or it would not find them");
    }

    #[test]
    fn crates_from_elsewhere_keep_cargos_metadata() {
        assert_eq!(rewritten("/registry/serde/src/lib.rs", "/a", "1111")[4], "metadata=1111");
    }

    #[test]
    fn questions_to_rustc_pass_unchanged() {
        assert_eq!(rewrite(vec!["-vV".into()], Path::new("/a")), ["-vV"]);
    }
}
