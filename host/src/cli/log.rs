//! `WINDLASS_LOG`: what is done below the effects, for whoever looks for a fault or for time.

use tracing_subscriber::EnvFilter;

/// Writes the log to stderr where `WINDLASS_LOG` asks for one, as `debug` or `windlass::transport=debug`.
///
/// What is logged are names, sizes and times: never what went over a connection. A filter that cannot be read
/// is said, and logs nothing.
pub fn begin() {
    let Ok(filter) = std::env::var("WINDLASS_LOG") else { return };
    match EnvFilter::try_new(&filter) {
        Ok(filter) => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init(),
        Err(error) => anstream::eprintln!("warning: WINDLASS_LOG={filter} cannot be read: {error}"),
    }
}
