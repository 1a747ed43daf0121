//! What the process gives up before it does anything: core dumps and being looked into.

/// Forbids core dumps and tracing by others of the same user: memory holds keys.
///
/// Best effort: a kernel that refuses leaves the process as any other.
pub fn harden() {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    let _ = nix::sys::prctl::set_dumpable(false);
}
