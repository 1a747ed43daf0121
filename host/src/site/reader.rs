//! A cursor over a TOML document that records mistakes and goes on.
//!
//! A [`Table`] remembers which keys it was asked for; whatever else stands in it when it is finished is
//! an unknown key. So the set of valid keys is exactly the set that is read, written down nowhere else.

use super::field::{Content, Field};
use super::mistake::{Place, Reading, nearest, shown};
use crate::model::{TOO_DEEP, nests_too_deeply};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use toml_edit::{Item, TableLike, Value};

/// Longest file that is read, in bytes.
pub(super) const LONGEST_FILE: u64 = 1024 * 1024;

/// One file: what places and mistakes need of it.
pub(super) struct Source<'a> {
    pub reading: &'a Reading,
    file: Arc<str>,
    text: &'a str,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

/// Bytes of a line whose characters are counted; what lies further is counted in bytes, or a file of one
/// long line would be read over and over.
const COUNTED: usize = 4096;

impl<'a> Source<'a> {
    pub fn new(reading: &'a Reading, file: impl Into<Arc<str>>, text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { reading, file: file.into(), text, lines }
    }

    pub fn place(&self, span: Option<Range<usize>>) -> Option<Place> {
        let at = span?.start;
        let line = self.lines.partition_point(|start| *start <= at);
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let column = match self.text.get(start..at) {
            Some(before) if before.len() <= COUNTED => before.chars().count(),
            _ => at - start,
        };
        Some(Place { file: self.file.clone(), line: Some(line), column: Some(column + 1) })
    }

    /// Parses the file and hands its top level to `read`; a syntax error is a mistake.
    pub fn read<T>(&self, read: impl FnOnce(Table<'_>) -> T) -> Option<T> {
        if nests_too_deeply(self.text) {
            self.reading.mistake(&Place::file(&self.file), format!("not TOML that can be read: {TOO_DEEP}"));
            return None;
        }
        match toml_edit::Document::parse(self.text) {
            Ok(document) => {
                let place = Place::file(&self.file);
                Some(read(Table::new(self, String::new(), place, document.as_table())))
            }
            Err(error) => {
                let place = self.place(error.span()).unwrap_or_else(|| Place::file(&self.file));
                self.reading.mistake(&place, format!("not TOML: {}", error.message()));
                None
            }
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub value: T,
    pub place: Place,
}

pub(super) struct Table<'a> {
    pub source: &'a Source<'a>,
    /// Dotted, as `nodes.master1`; empty at the top.
    pub path: String,
    pub place: Place,
    table: &'a dyn TableLike,
    asked: Vec<&'static str>,
}

/// How a table is named in a message.
impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str("the top level"),
            // One of an array of tables has no header that could be searched for.
            path if path.ends_with(']') => f.write_str(path),
            path => write!(f, "[{path}]"),
        }
    }
}

impl<'a> Table<'a> {
    pub fn new(source: &'a Source<'a>, path: String, place: Place, table: &'a dyn TableLike) -> Self {
        Self { source, path, place, table, asked: Vec::new() }
    }

    #[track_caller]
    pub fn mistake(&self, what: impl Into<String>) {
        self.source.reading.mistake(&self.place, what);
    }

    fn field_at(&self, key: &str) -> Option<Field<'a>> {
        let (key, item) = self.table.get_key_value(key)?;
        let key_place = self.source.place(key.span());
        let value_place = self.source.place(item.span());
        let content = match item {
            Item::None => return None,
            Item::Value(value) => match value {
                Value::InlineTable(table) => Content::Table(table),
                value => Content::Value(value),
            },
            Item::Table(table) => Content::Table(table),
            Item::ArrayOfTables(tables) => Content::Tables(tables),
        };
        Some(Field {
            source: self.source,
            key: key.get().to_owned(),
            path: join(&self.path, key.get()),
            // A table made by a dotted key or a deeper header has no place of its own.
            place: value_place.or_else(|| key_place.clone()).unwrap_or_else(|| self.place.clone()),
            key_place: key_place.unwrap_or_else(|| self.place.clone()),
            content,
        })
    }

    /// Returns the field of a key; None where it is absent.
    pub fn field(&mut self, key: &'static str) -> Option<Field<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.field_at(key)
    }

    /// As [`Table::field`]; its absence is a mistake. `why` says what it is for.
    pub fn required(&mut self, key: &'static str, why: &str) -> Option<Field<'a>> {
        let field = self.field(key);
        if field.is_none() {
            self.mistake(format!("{self} lacks {key:?}: {why}"));
        }
        field
    }

    pub fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        self.field(key)?.text()
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.field(key)?.flag()
    }

    pub fn texts(&mut self, key: &'static str) -> Vec<Located<String>> {
        self.field(key).map(|field| field.texts()).unwrap_or_default()
    }

    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.field(key)?.word(words)
    }

    /// Returns the tables under a key by their names, as `[nodes.NAME]`.
    pub fn named(&mut self, key: &'static str) -> Vec<(Field<'a>, Table<'a>)> {
        let Some(tables) = self.field(key).and_then(|field| field.table()) else { return Vec::new() };
        tables.all().into_iter().filter_map(|field| field.table().map(|table| (field, table))).collect()
    }

    /// Returns every field, for tables whose keys are names.
    pub fn all(&self) -> Vec<Field<'a>> {
        self.table.iter().filter_map(|(key, _)| self.field_at(key)).collect()
    }

    /// Returns the fields not asked for so far, for tables that take further keys.
    pub fn others(&self) -> Vec<Field<'a>> {
        self.all().into_iter().filter(|field| !self.asked.contains(&field.key.as_str())).collect()
    }

    /// Returns the keys asked for so far.
    pub fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// Records the keys that were asked for as the documented ones of `section`.
    pub fn note_keys(&self, section: &'static str) {
        #[cfg(test)]
        self.source.reading.keys.borrow_mut().extend(self.asked.iter().map(|key| (section, *key)));
        #[cfg(not(test))]
        let _ = section;
    }

    /// Ends the reading of a table: any key it was not asked for is unknown.
    pub fn finish(self, section: &'static str) {
        self.note_keys(section);
        for field in self.others() {
            let near = nearest(&field.key, self.asked.iter().copied());
            let what = format!("unknown key {} in {self}", shown(&field.key));
            let what = match near {
                Some(_) => what,
                None => format!("{what}; its keys are {}", self.asked.join(", ")),
            };
            self.source.reading.mistake_near(&field.key_place, what, near);
        }
    }
}

/// A key that is no plain word is quoted: what a file holds cannot write to a terminal.
fn join(path: &str, key: &str) -> String {
    let plain = (1..=100).contains(&key.len())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    let key = if plain { key.to_owned() } else { shown(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

pub(super) fn parse_name<T>(reading: &Reading, text: &str, place: &Place) -> Option<T>
where
    T: std::str::FromStr<Err = crate::model::NameError>,
{
    match text.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            reading.mistake(place, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_no_control_character_of_a_key_or_value() {
        let reading = Reading::default();
        let text = "[\"\\u001b[2J\"]\n\"\\u0007\" = \"\\u001b[2J\"\n";
        let source = Source::new(&reading, "x.toml", text);
        source.read(|top| {
            for field in top.all() {
                let table = field.table().unwrap();
                for field in table.all() {
                    field.number(0..=1);
                    field.duration();
                    field.word(&[("a", 1)]);
                }
                table.finish("test");
            }
            top.finish("test");
        });
        let mistakes = reading.into_mistakes(&[]);
        assert_eq!(mistakes.len(), 5);
        for mistake in mistakes {
            assert!(!mistake.to_string().chars().any(char::is_control), "{:?}", mistake.to_string());
        }
    }

    #[test]
    fn a_place_counts_characters_and_lines_from_one() {
        let reading = Reading::default();
        let source = Source::new(&reading, "x.toml", "a = 1\nä = 2\n\"é\" = 3");
        source.read(|table| table.finish("test"));
        let places: Vec<String> =
            reading.into_mistakes(&[]).iter().map(|mistake| mistake.place.to_string()).collect();
        // A bare key is ASCII in TOML 1.0: the second line is a syntax error, and the only mistake.
        assert_eq!(places, ["x.toml:2:1"]);
    }
}
