//! Writes into the report what each node serves after a step. The same small hook is in `scripts` and `compiled` in
//! other languages:
//!
//! ```toml
//! [[hooks]]
//! plugin = "trail"
//! after = "ha-cert/*"
//! ```

use windlass_sdk::hook::{Answer, Description, Event};
use windlass_sdk::{Fault, Hook, host, node};

/// The hook `trail`.
pub struct Trail;

impl Hook for Trail {
    fn describe() -> Description {
        Description { title: "Note what each node serves".into() }
    }

    fn handle(event: Event) -> Result<Answer, Fault> {
        let step = event.detail("step").unwrap_or("-");
        for name in event.detail("nodes").filter(|nodes| !nodes.is_empty()).unwrap_or("-").split(' ') {
            let served = match node(name).served("ha") {
                Ok(certificate) => certificate.fingerprint.chars().take(12).collect(),
                Err(fault) => fault.code,
            };
            host::operator::note(&format!("{} {step}: {name} serves {served}", event.code))?;
        }
        match event.parameter("strict") {
            Some("yes") if event.code == "before-step" => {
                Ok(Answer::Veto(format!("{step} is not to be done")))
            }
            _ => Ok(Answer::GoOn),
        }
    }
}

windlass_sdk::export_hook!(Trail);
