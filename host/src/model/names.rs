//! Names as types, checked once where they enter.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A name that is not one.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{what} {value:?} is not a valid name: {why}")]
pub struct NameError {
    what: &'static str,
    value: String,
    why: &'static str,
}

const LONGEST: usize = 100;

/// Letters, digits and the given others; never a leading `-` (it would read as an option) or `.`.
fn check(what: &'static str, value: &str, others: &str) -> Result<(), NameError> {
    let why = match value.chars().next() {
        None => Some("it is empty"),
        Some('-' | '.') => Some("it starts with '-' or '.'"),
        _ if value.len() > LONGEST => Some("it is longer than 100 bytes"),
        _ if !value.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c)) => {
            Some("it has a character that names do not have")
        }
        _ => None,
    };
    match why {
        None => Ok(()),
        Some(why) => {
            let mut shown: String = value.chars().take(60).collect();
            if shown.len() < value.len() {
                shown.push('…');
            }
            Err(NameError { what, value: shown, why })
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $others:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(value: impl Into<String>) -> Result<Self, NameError> {
                let value = value.into();
                check($what, &value, $others)?;
                Ok(Self(value))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                Self::new(value)
            }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(value: &str) -> Result<Self, NameError> {
                Self::new(value)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(/// A node of the inventory, as the site names it.
    NodeName, "node", "-_.");
name!(/// A named command of the profile.
    CommandName, "command", "-_.");
name!(/// A named file of the profile.
    FileName, "file", "-_.");
name!(/// A named TLS endpoint of the profile.
    EndpointName, "endpoint", "-_.");
name!(/// A key, certificate, secret or staged set of the run.
    ObjectName, "object", "-_.");
name!(/// A plugin: a procedure or a hook.
    PluginName, "plugin", "-_.");
name!(/// A step, as `restart@first`.
    StepId, "step", "-_.@");
name!(/// A run. Starts with its procedure and its time: `ha-cert-20261122-020635-k3f9`.
    RunId, "run", "-_.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_be_an_option_a_path_or_a_terminal_escape() {
        for bad in ["", "-n", "..", "a/b", "a b", "a\n", "a\u{1b}[2J", "ä", &"x".repeat(101)] {
            assert!(NodeName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["master1", "10.0.0.1", "a-b_c"] {
            assert!(NodeName::new(good).is_ok(), "{good:?}");
        }
        assert!(StepId::new("restart@first").is_ok());
        assert!(NodeName::new("restart@first").is_err());
    }
}
