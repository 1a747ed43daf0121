//! Auditing a plugin before it is let near a node: what it can do, and what it takes of the grants.
//!
//! [`inspect`] reads a component or a script and runs nothing of it; [`capability`] puts what it asks for, and what it
//! imports, into an operator's words. [`describe`] calls the one export that can have no effect. [`least`] makes the
//! smallest grants of what rehearsals were seen to take.
//!
//! Neighbours: `plugin` reads the bytes, `policy` says what a pattern allows; the report that all of it goes into is
//! [`Audit`](crate::model::audit::Audit).

mod capability;
mod describe;
mod inspect;
mod least;

#[cfg(test)]
mod tests;

pub use capability::{functions, words};
pub use describe::disagreements;
pub use inspect::{Granted, InspectError, Inspected, inspect};
pub use least::least;

use crate::model::audit::{Finding, Level, Rule};

/// A finding that needs no rehearsal: seen once, in the file itself.
fn finding(rule: Rule, level: Level, about: &str, message: String) -> Finding {
    Finding {
        rule,
        level,
        id: match about {
            "" => rule.code().into(),
            about => format!("{}:{about}", rule.code()),
        },
        message,
        effect: None,
        call: None,
        rehearsal: None,
        place: None,
        evidence: Vec::new(),
        seen: 1,
    }
}
