//! Many names in few words, and what is asked of the operator.

use crate::memory::{self, IMPACT};
use windlass_sdk::procedure::Check;
use windlass_sdk::{Fault, host::operator};

/// A few of many names, and how many more there are.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names {
        [] => "none".into(),
        [one] => one.clone(),
        few if few.len() <= SHOWN => {
            let (last, others) = few.split_last().map_or(("", few), |(last, others)| (last.as_str(), others));
            format!("{} and {last}", others.join(", "))
        }
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}

/// `1 node`, `3 nodes`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        several => format!("{several} {what}s"),
    }
}

/// `member1 is`, `member1 and member2 are`.
pub fn are(names: &[String]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}

/// Adds nodes to the evidence of a check, by what was seen of them, where there are any.
#[must_use]
pub fn with_nodes(check: Check, seen: &[(&str, &[String])]) -> Check {
    let some = seen.iter().filter(|(_, nodes)| !nodes.is_empty());
    some.fold(check, |check, (what, nodes)| check.evidence(*what, list(nodes)))
}

/// Has the impact acknowledged that preflight has kept. A fault of the code `declined` where it is not.
pub fn acknowledge(question: &str) -> Result<(), Fault> {
    match operator::acknowledge(question, &memory::expect(IMPACT)?)? {
        true => Ok(()),
        false => Err(Fault::new("declined", "the operator did not acknowledge the impact")),
    }
}
