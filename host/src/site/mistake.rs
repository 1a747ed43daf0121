//! What is wrong in a site's files, where, and which valid word was probably meant.

use camino::Utf8PathBuf;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Where something stands. Lines and columns count from 1; a column is a character, not a byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: Arc<str>,
    /// None: the file as a whole.
    pub line: Option<usize>,
    pub column: Option<usize>,
}

impl Place {
    pub(super) fn file(file: &Arc<str>) -> Self {
        Self { file: file.clone(), line: None, column: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, and what would be right.
    pub what: String,
    /// The nearest valid word, where one is near.
    pub nearest: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest:?}?")?;
        }
        Ok(())
    }
}

/// Every mistake of a site at once, in the order of the files and their lines. Never empty.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the site {dir} has {}:\n{}", count(.mistakes.len(), "mistake"), lines(.mistakes))]
pub struct SiteErrors {
    pub dir: Utf8PathBuf,
    pub mistakes: Vec<Mistake>,
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

/// Returns `1 mistake`, `2 mistakes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A name that must be declared somewhere, possibly in another file or a later layer.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub target: Target,
    pub name: String,
    pub place: Place,
    /// Who names it, as `settle of [commands.restart-ha]`.
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A variable or a named path.
    Variable,
    File,
    Folder,
    Endpoint,
    Command,
    /// A command of kind `observe`.
    Observation,
}

#[cfg(test)]
thread_local! {
    /// The lines of this room's source that found a mistake on this thread: each needs a case.
    pub static MADE_AT: RefCell<std::collections::BTreeSet<&'static std::panic::Location<'static>>> =
        const { RefCell::new(std::collections::BTreeSet::new()) };
}

/// What reading leaves behind besides the values: cursors share it, so that a mistake never stops them.
#[derive(Debug, Default)]
pub(super) struct Reading {
    mistakes: RefCell<Vec<Mistake>>,
    references: RefCell<Vec<Reference>>,
    /// Every key that was asked for, by section: the documentation is held against it.
    #[cfg(test)]
    pub keys: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>>,
}

impl Reading {
    #[track_caller]
    pub fn mistake(&self, place: &Place, what: impl Into<String>) {
        self.mistake_near(place, what, None);
    }

    #[track_caller]
    pub fn mistake_near(&self, place: &Place, what: impl Into<String>, nearest: Option<&str>) {
        #[cfg(test)]
        {
            let caller = std::panic::Location::caller();
            MADE_AT.with_borrow_mut(|made| made.insert(caller));
        }
        self.mistakes.borrow_mut().push(Mistake {
            place: place.clone(),
            what: what.into(),
            nearest: nearest.map(str::to_owned),
        });
    }

    pub fn refer(&self, target: Target, name: &str, place: &Place, by: impl Into<String>) {
        self.references.borrow_mut().push(Reference {
            target,
            name: name.to_owned(),
            place: place.clone(),
            by: by.into(),
        });
    }

    /// Returns the references made since the last call: they belong to the entry that was just read, and
    /// go with it where another layer replaces it.
    pub fn take_references(&self) -> Vec<Reference> {
        self.references.take()
    }

    pub fn is_clean(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    /// Returns the mistakes, file by file in the order given, each by line.
    pub fn into_mistakes(self, files: &[Arc<str>]) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        let rank = |file: &Arc<str>| files.iter().position(|known| known == file).unwrap_or(files.len());
        mistakes.sort_by_key(|mistake| {
            (rank(&mistake.place.file), mistake.place.line.unwrap_or(0), mistake.place.column.unwrap_or(0))
        });
        mistakes.dedup();
        mistakes
    }
}

/// Returns the candidate that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing is quadratic in length: nothing that long is a misspelt name.
    if word.len() > 100 {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= (word.chars().count().min(candidate.chars().count()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns a value as it can be shown: quoted, escaped, at most 60 characters.
pub(crate) fn shown(value: &str) -> String {
    let mut start: String = value.chars().take(60).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_a_slip_and_not_another_word() {
        let keys = ["groups", "host", "alias", "ssh", "local"];
        assert_eq!(nearest("grups", keys), Some("groups"));
        assert_eq!(nearest("Hots", keys), Some("host"));
        assert_eq!(nearest("port", keys), None);
        assert_eq!(nearest("completely-different", keys), None);
        assert_eq!(nearest(&"g".repeat(10_000), keys), None);
    }

    #[test]
    fn shown_values_are_short_and_carry_no_escape() {
        assert_eq!(shown("a\u{1b}[2J"), "\"a\\u{1b}[2J\"");
        assert!(shown(&"x".repeat(1000)).chars().count() < 70);
    }
}
