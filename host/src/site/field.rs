//! One key of a table and what stands under it, read as the kind of value that is wanted.

use super::mistake::{Place, nearest, shown};
use super::reader::{Located, Source, Table, parse_name};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml_edit::{TableLike, Value};

pub(super) enum Content<'a> {
    Value(&'a Value),
    Table(&'a dyn TableLike),
    Tables(&'a toml_edit::ArrayOfTables),
}

/// A key with what stands under it.
pub(super) struct Field<'a> {
    pub source: &'a Source<'a>,
    pub key: String,
    /// Dotted, as `commands.restart-ha.settle`.
    pub path: String,
    pub key_place: Place,
    /// Of the value.
    pub place: Place,
    pub content: Content<'a>,
}

impl<'a> Field<'a> {
    #[track_caller]
    pub fn mistake(&self, what: impl Into<String>) {
        self.source.reading.mistake(&self.place, what);
    }

    fn kind(&self) -> &'static str {
        match &self.content {
            Content::Value(value) => kind(value),
            Content::Table(_) => "a table",
            Content::Tables(_) => "an array of tables",
        }
    }

    #[track_caller]
    fn wrong_kind(&self, wanted: &str) {
        self.mistake(format!("{} is {}; it must be {wanted}", self.path, self.kind()));
    }

    pub fn is_text(&self) -> bool {
        matches!(self.content, Content::Value(Value::String(_)))
    }

    pub fn is_array(&self) -> bool {
        matches!(self.content, Content::Value(Value::Array(_)) | Content::Tables(_))
    }

    pub fn text(&self) -> Option<Located<String>> {
        match self.content {
            Content::Value(Value::String(text)) => {
                Some(Located { value: text.value().clone(), place: self.place.clone() })
            }
            _ => {
                self.wrong_kind("text");
                None
            }
        }
    }

    /// Returns a text, number or truth value as text, for parameters.
    pub fn scalar(&self) -> Option<String> {
        match self.content {
            Content::Value(Value::String(text)) => Some(text.value().clone()),
            Content::Value(Value::Integer(number)) => Some(number.value().to_string()),
            Content::Value(Value::Boolean(flag)) => Some(flag.value().to_string()),
            _ => {
                self.wrong_kind("text, a whole number, true or false");
                None
            }
        }
    }

    pub fn flag(&self) -> Option<bool> {
        match self.content {
            Content::Value(Value::Boolean(flag)) => Some(*flag.value()),
            _ => {
                self.wrong_kind("true or false");
                None
            }
        }
    }

    pub fn number(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let wanted = || format!("a whole number from {} to {}", range.start(), range.end());
        match self.content {
            Content::Value(Value::Integer(number)) if range.contains(number.value()) => Some(*number.value()),
            Content::Value(Value::Integer(number)) => {
                self.mistake(format!("{} is {}; it must be {}", self.path, number.value(), wanted()));
                None
            }
            _ => {
                self.wrong_kind(&wanted());
                None
            }
        }
    }

    /// Returns whole numbers, from one number or an array of them.
    pub fn numbers(&self, range: RangeInclusive<i64>) -> Vec<i64> {
        match self.content {
            Content::Value(Value::Array(_)) => {
                self.items().iter().filter_map(|item| item.number(range.clone())).collect()
            }
            _ => self.number(range).into_iter().collect(),
        }
    }

    /// Returns a time such as `90s`, `5m` or `1h30m`: from one second to a day.
    pub fn duration(&self) -> Option<Duration> {
        let text = self.text()?;
        match parse_duration(&text.value) {
            Some(duration) if (1..=86_400).contains(&duration.as_secs()) => Some(duration),
            Some(_) => {
                self.mistake(format!("{} is {}; it must be from 1s to 24h", self.path, shown(&text.value)));
                None
            }
            None => {
                self.mistake(format!(
                    "{} is {}; a time is written as \"90s\", \"5m\" or \"1h30m\"",
                    self.path,
                    shown(&text.value)
                ));
                None
            }
        }
    }

    /// Returns what stands for one of a set of words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let valid: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        self.source.reading.mistake_near(
            &self.place,
            format!("{} is {}; it is one of {}", self.path, shown(&text.value), valid.join(", ")),
            nearest(&text.value, words.iter().map(|(word, _)| *word)),
        );
        None
    }

    /// Returns a checked name.
    pub fn name<T>(&self) -> Option<T>
    where
        T: std::str::FromStr<Err = crate::model::NameError>,
    {
        let text = self.text()?;
        parse_name(self.source.reading, &text.value, &text.place)
    }

    /// Returns the field's own key as a checked name.
    pub fn key_name<T>(&self) -> Option<T>
    where
        T: std::str::FromStr<Err = crate::model::NameError>,
    {
        parse_name(self.source.reading, &self.key, &self.key_place)
    }

    /// Returns the texts of an array.
    pub fn texts(&self) -> Vec<Located<String>> {
        match self.content {
            Content::Value(Value::Array(_)) => self.items().iter().filter_map(|item| item.text()).collect(),
            _ => {
                self.wrong_kind("an array of texts");
                Vec::new()
            }
        }
    }

    /// Returns the texts of an array, or the one text.
    pub fn text_or_texts(&self) -> Vec<Located<String>> {
        if self.is_text() {
            return self.text().into_iter().collect();
        }
        if !self.is_array() {
            self.wrong_kind("text or an array of texts");
            return Vec::new();
        }
        self.texts()
    }

    fn items(&self) -> Vec<Field<'a>> {
        let Content::Value(Value::Array(array)) = self.content else { return Vec::new() };
        let item = |(index, value): (usize, &'a Value)| Field {
            source: self.source,
            key: index.to_string(),
            path: format!("{}[{index}]", self.path),
            key_place: self.place.clone(),
            place: self.source.place(value.span()).unwrap_or_else(|| self.place.clone()),
            content: match value {
                Value::InlineTable(table) => Content::Table(table),
                value => Content::Value(value),
            },
        };
        array.iter().enumerate().map(item).collect()
    }

    pub fn table(&self) -> Option<Table<'a>> {
        self.table_or("a table")
    }

    /// As [`Field::table`], where a plain text would have done too: `wanted` says so.
    #[track_caller]
    pub fn table_or(&self, wanted: &str) -> Option<Table<'a>> {
        match self.content {
            Content::Table(table) => {
                Some(Table::new(self.source, self.path.clone(), self.key_place.clone(), table))
            }
            _ => {
                self.wrong_kind(wanted);
                None
            }
        }
    }

    /// Returns the tables of an array, however it is written.
    pub fn tables(&self) -> Vec<Table<'a>> {
        match self.content {
            Content::Tables(tables) => tables
                .iter()
                .enumerate()
                .map(|(index, table)| {
                    let place = self.source.place(table.span()).unwrap_or_else(|| self.place.clone());
                    Table::new(self.source, format!("{}[{index}]", self.path), place, table)
                })
                .collect(),
            Content::Value(Value::Array(_)) => {
                let items = self.items();
                items
                    .iter()
                    .filter_map(|item| {
                        let mut table = item.table()?;
                        table.place = item.place.clone();
                        Some(table)
                    })
                    .collect()
            }
            _ => {
                self.wrong_kind("an array of tables");
                Vec::new()
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::InlineTable(_) => "a table",
    }
}

/// Reads `1h30m`, `5m`, `90s`; units in falling order, each at most once.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut largest = u64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= largest {
            return None;
        }
        largest = unit;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        // The unit is one ASCII byte, so this stays on a character boundary.
        rest = &rest[digits + 1..];
    }
    (largest != u64::MAX).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_falling_units_and_nothing_else() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1h30m"), Some(5400));
        for bad in ["", "5", "m", "5 m", "5ms", "30m1h", "1m1m", "-1s", "1.5h", "99999999999999999999s", "5µ"]
        {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }
}
