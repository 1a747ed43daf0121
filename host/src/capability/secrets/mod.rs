//! Secrets of the controller: where they come from, what a password must look like, and how they are held.
//!
//! A [`Secret`] shows nothing of itself: its bytes are reached only through [`Secret::expose`], so a grep
//! for that name finds every place that handles them. Neighbours: `site` says where a secret comes from
//! ([`source`]), `crypto` encrypts keys under one, `journal::sealed` keeps one for a resume.

mod generate;
mod policy;
pub mod source;

pub use generate::generate;
pub use policy::{PasswordPolicy, UnknownPolicy};

use crate::model::code;
use camino::Utf8PathBuf;
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// Longest secret that is read from anywhere, in bytes.
pub const LONGEST: usize = 4096;

/// Bytes that never show themselves, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller's buffer is the secret's from then on.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Takes text over, and its buffer with it.
    pub fn from_text(text: String) -> Self {
        Self::new(text.into_bytes())
    }

    /// Returns the bytes. They go only into sinks that are marked secret.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether both hold the same bytes, in a time that depends on their lengths only.
    pub fn same_as(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Removes one line ending from the end, as an editor or `echo` leaves it.
    fn strip_newline(&mut self) {
        for ending in [b"\n", b"\r"] {
            if self.0.ends_with(ending) {
                // Wiped before it is cut off: a Vec does not wipe what it truncates.
                let end = self.0.len() - 1;
                self.0[end..].zeroize();
                self.0.truncate(end);
            } else {
                return;
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Why there is no secret. Never carries a byte of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "the secret {name} has to be asked for and there is nobody to ask; run this on a terminal, or add \
         `--secret {name}=file:PATH`"
    )]
    NobodyToAsk { name: String },
    #[error("the two inputs for the secret {name} differ; try again")]
    Differ { name: String },
    #[error("the secret {name} could not be asked for on the terminal")]
    Terminal { name: String, source: std::io::Error },
    #[error("the secret {name} cannot be read from {path}; check [secrets.{name}] in site.toml")]
    File { name: String, path: Utf8PathBuf, source: std::io::Error },
    #[error(
        "the secret {name} cannot be read from descriptor {descriptor}; is it open in the shell that \
         started windlass, as with `{descriptor}<FILE`?"
    )]
    Descriptor { name: String, descriptor: i32, source: std::io::Error },
    #[error("the secret {name} comes from the command {program}, which could not be run")]
    Start { name: String, program: String, source: std::io::Error },
    #[error("the secret {name} comes from the command {program}, which failed ({status}); run it by hand")]
    Command { name: String, program: String, status: std::process::ExitStatus },
    #[error("the secret {name} has an empty command; name a program in [secrets.{name}] in site.toml")]
    NoProgram { name: String },
    #[error("the secret {name} is empty at its source; put it there first")]
    Empty { name: String },
    #[error("the secret {name} is longer than {LONGEST} bytes; is its source the right one?")]
    TooLong { name: String },
    #[error("a password of {length} characters cannot be generated; ask for {least} to {most}")]
    Length { length: usize, least: usize, most: usize },
    #[error("the system's random source failed while {what}")]
    Random { what: &'static str },
}

impl SecretError {
    /// Returns the code of `fault` in the contract that tells a plugin the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NobodyToAsk { .. } => code::UNKNOWN,
            Self::Length { .. } => code::INVALID,
            _ => code::FAILED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_nothing_of_a_secret() {
        let secret = Secret::from_text("Tr0ub4dor&3".into());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "<secret> Some(\n    <secret>,\n)");
    }

    #[test]
    fn one_line_ending_is_stripped_and_no_more() {
        for (given, left) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
            ("a \n", "a "),
            ("\n", ""),
            ("", ""),
            ("a\r", "a\r"),
        ] {
            let mut secret = Secret::from_text(given.into());
            secret.strip_newline();
            assert_eq!(secret.expose(), left.as_bytes(), "{given:?}");
        }
    }
}
