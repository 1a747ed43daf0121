//! The binary: the library's command line, and the bundled procedures' images that `cargo xtask` put in.

use std::process::ExitCode;

#[cfg(windlass_bundle)]
const BUNDLE: Option<&[u8]> = Some(include_bytes!(env!("WINDLASS_BUNDLE")));
#[cfg(not(windlass_bundle))]
const BUNDLE: Option<&[u8]> = None;

fn main() -> ExitCode {
    windlass::cli::main(BUNDLE)
}
