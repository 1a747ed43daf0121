//! What a preflight finds, gathered so that the operator hears all of it at once.

use crate::Fault;

/// Of many problems so many bytes are told, and how many more there are: a host takes 4,096 characters.
const LONGEST: usize = 3_800;

/// Problems with what to do about each.
#[derive(Debug, Default)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    /// Adds a problem and what to do about it (empty where there is nothing to say).
    pub fn add(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push((cut(message.into()), cut(hint.into())));
    }

    /// Adds a problem where a look at something ended in a fault. A fault about what this run may do is no
    /// finding about the cluster, and is passed on at once.
    pub fn take<T>(&mut self, looked: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match looked {
            Ok(seen) => Ok(Some(seen)),
            Err(fault) if is_about_authority(&fault) => Err(fault),
            Err(fault) => {
                self.add(fault.message, fault.hint);
                Ok(None)
            }
        }
    }

    /// Returns the problems as one fault of this code, or that there are none.
    pub fn into_result(self, code: &str) -> Result<(), Fault> {
        // One line: a host may replace the control characters of a message.
        match self.0.as_slice() {
            [] => Ok(()),
            [(message, hint)] => Err(Fault::new(code, message).hint(hint)),
            several => {
                let (messages, told) = numbered(several.iter().map(|(message, _)| message));
                let more = match several.len() - told {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                let (hints, _) = numbered(several.iter().take(told).map(|(_, hint)| hint));
                Err(Fault::new(code, format!("{} problems: {messages}{more}", several.len())).hint(hints))
            }
        }
    }
}

/// A text as far as there is room: what a node answered may be in it, and a node may answer anything.
fn cut(text: String) -> String {
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Numbers texts, the empty ones left out, as far as there is room. Returns how many were told.
fn numbered<'a>(texts: impl Iterator<Item = &'a String>) -> (String, usize) {
    let (mut line, mut told) = (String::new(), 0);
    for text in texts {
        let apart = if line.is_empty() || text.is_empty() { "" } else { "; " };
        let number = if text.is_empty() { String::new() } else { format!("({}) ", told + 1) };
        if told > 0 && line.len() + apart.len() + number.len() + text.len() > LONGEST {
            break;
        }
        line += &format!("{apart}{number}{text}");
        told += 1;
    }
    (line, told)
}

/// Says whether a fault is the site's or the operator's word on what this run may do.
pub fn is_about_authority(fault: &Fault) -> bool {
    ["denied", "not-asked", "declined"].iter().any(|code| fault.is(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_told_as_far_as_there_is_room() {
        for count in [1, 2] {
            let mut problems = Problems::default();
            (0..count).for_each(|_| problems.add("ä".repeat(9_000), "ö".repeat(9_000)));
            let fault = problems.into_result("preflight").unwrap_err();
            assert!(
                fault.message.len() < 4_096 && fault.hint.len() < 4_096,
                "{count}: {}",
                fault.message.len()
            );
            assert!(fault.message.contains("ää…"), "{}", fault.message);
        }
    }

    #[test]
    fn many_problems_are_told_in_part_and_counted_whole() {
        for count in [1, 2, 20, 500] {
            let mut problems = Problems::default();
            (0..count).for_each(|n| {
                problems.add(format!("problem {n}, at some length, as they are: {n:>60}"), "mend it")
            });
            let fault = problems.into_result("preflight").unwrap_err();
            assert!(
                fault.message.len() < 4_096 && fault.hint.len() < 4_096,
                "{count}: {}",
                fault.message.len()
            );
            assert_eq!(fault.message.contains(" more"), count > 100, "{}", fault.message);
            assert_eq!(
                fault.message.starts_with(&format!("{count} problems")),
                count > 1,
                "{}",
                fault.message
            );
        }
    }
}
