//! The binary: the library's command line, and the bundled procedures' images that `cargo xtask` put in.

use std::process::ExitCode;
use windlass::plugin::bundle::Embedded;

// SAFETY: the build made these bytes with `bundle::pack` and put them inside this binary.
#[cfg(windlass_bundle)]
const BUNDLE: Option<Embedded> = Some(unsafe { Embedded::new(include_bytes!(env!("WINDLASS_BUNDLE"))) });
#[cfg(not(windlass_bundle))]
const BUNDLE: Option<Embedded> = None;

fn main() -> ExitCode {
    windlass::cli::main(BUNDLE)
}
