//! What a preflight finds, gathered so that the operator hears all of it at once.

use crate::Fault;

/// Problems with what to do about each.
#[derive(Debug, Default)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    /// Adds a problem and what to do about it (empty where there is nothing to say).
    pub fn add(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push((message.into(), hint.into()));
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
                let numbered = |texts: Vec<(usize, &String)>| -> String {
                    texts.iter().map(|(n, text)| format!("({n}) {text}")).collect::<Vec<_>>().join("; ")
                };
                let messages =
                    several.iter().enumerate().map(|(at, (message, _))| (at + 1, message)).collect();
                let hints = several
                    .iter()
                    .enumerate()
                    .filter(|(_, (_, hint))| !hint.is_empty())
                    .map(|(at, (_, hint))| (at + 1, hint))
                    .collect();
                Err(Fault::new(code, format!("{} problems: {}", several.len(), numbered(messages)))
                    .hint(numbered(hints)))
            }
        }
    }
}

/// Says whether a fault is the site's or the operator's word on what this run may do.
pub fn is_about_authority(fault: &Fault) -> bool {
    ["denied", "not-asked", "declined"].iter().any(|code| fault.is(code))
}
