//! The hook `{{name}}`: lets a run go on only while every manager is well. Make it what you need.

use windlass_sdk::hook::{Answer, Description, Event};
use windlass_sdk::{Fault, Hook, host};

/// The hook `{{name}}`.
pub struct {{type}};

impl Hook for {{type}} {
    fn describe() -> Description {
        Description { title: "Let a run go on only while every manager is well".into() }
    }

    fn handle(event: Event) -> Result<Answer, Fault> {
        // The set of events is open: go on at one that is not known.
        if !event.code.starts_with("before-") {
            return Ok(Answer::GoOn);
        }
        // Every call answers with a value or with a fault, which `?` passes on. Never panic: a panic tells nobody
        // anything.
        for record in host::cluster::health()? {
            if record.state != "normal" {
                return Ok(Answer::Veto(format!(
                    "{} says of {} that it is {}",
                    record.reporter, record.node, record.state
                )));
            }
        }
        let greeting = event.parameter("greeting").unwrap_or("all is well");
        host::operator::note(greeting)?;
        Ok(Answer::GoOn)
    }
}

windlass_sdk::export_hook!({{type}});
