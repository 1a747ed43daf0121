//! The binary: the library's command line, and the bundled procedures' images that `cargo xtask` put in.

use std::process::ExitCode;
use windlass::plugin::bundle::Embedded;

// SAFETY: the build made these bytes with `bundle::pack` and put them inside this binary.
#[cfg(windlass_bundle)]
const BUNDLE: Option<Embedded> = Some(unsafe { Embedded::new(include_bytes!(env!("WINDLASS_BUNDLE"))) });
#[cfg(not(windlass_bundle))]
const BUNDLE: Option<Embedded> = None;

/// The digests of the script engines that belong to this binary.
#[cfg(windlass_engines)]
const ENGINES: Option<&str> = Some(include_str!(env!("WINDLASS_ENGINES_INDEX")));
#[cfg(not(windlass_engines))]
const ENGINES: Option<&str> = None;

/// An audit makes and drops values by the million, on every core.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    windlass::cli::main(BUNDLE, ENGINES)
}
