//! Reads one profile file: a layer, which another one may extend.

use super::command;
use super::field::Field;
use super::mistake::{Place, Reference, Target, shown};
use super::reader::{Located, Table};
use super::site_file::{literal, read_var_table, user_name, valid_variable_name};
use super::template::TemplateError;
use super::types::*;
use crate::model::{CommandName, EndpointName, FileName, NodeName, PluginName};
use indexmap::IndexMap;

/// One named entry of a layer.
pub(super) struct Entry<T> {
    pub value: T,
    pub place: Place,
    /// It says `override = true`.
    pub overrides: bool,
    /// What it names elsewhere; goes with it where it is replaced.
    pub references: Vec<Reference>,
}

pub(super) type Entries<K, T> = IndexMap<K, Entry<T>>;

pub(super) struct Layer {
    pub name: String,
    pub place: Place,
    pub title: Option<String>,
    pub extends: Option<Located<String>>,
    pub service_user: Option<String>,
    pub managers: Option<String>,
    pub health: Option<Located<CommandName>>,
    pub keyring: Option<Located<FileName>>,
    pub known_by: Vec<Located<String>>,
    pub vars: Entries<String, Var>,
    pub paths: Entries<String, Template>,
    pub files: Entries<FileName, FileDeclaration>,
    pub commands: Entries<CommandName, CommandDeclaration>,
    pub endpoints: Entries<EndpointName, Endpoint>,
    pub defaults: Entries<PluginName, IndexMap<String, String>>,
}

pub(super) fn read(mut top: Table<'_>, name: &str) -> Layer {
    let layer = Layer {
        name: name.to_owned(),
        place: top.place.clone(),
        title: top.text("title").map(|title| title.value),
        extends: top.text("extends"),
        service_user: top.field("service_user").and_then(|field| user_name(&field)),
        managers: top.field("managers").and_then(|field| field.name::<NodeName>()).map(String::from),
        health: top.field("health").and_then(|field| {
            Some(Located { value: field.name::<CommandName>()?, place: field.place.clone() })
        }),
        keyring: top
            .field("keyring")
            .and_then(|field| Some(Located { value: field.name::<FileName>()?, place: field.place.clone() })),
        known_by: top.texts("known_by"),
        vars: read_vars(&mut top),
        paths: read_paths(&mut top),
        files: read_entries(&mut top, "files", |name: &FileName, table| read_file(name.clone(), table)),
        commands: read_entries(&mut top, "commands", |name: &CommandName, table| {
            command::read(name.clone(), table)
        }),
        endpoints: read_entries(&mut top, "endpoints", |name: &EndpointName, table| {
            read_endpoint(name.clone(), table)
        }),
        defaults: read_entries(&mut top, "defaults", |_: &PluginName, table| {
            let defaults =
                table.others().into_iter().filter_map(|field| Some((field.key.clone(), field.scalar()?)));
            let defaults = defaults.collect();
            table.note_keys("[defaults.PROCEDURE]");
            defaults
        }),
    };
    top.finish("profiles/NAME.toml");
    layer
}

/// Reads the named tables under a key. `override` is asked for here, so `read` gets the table with it done.
fn read_entries<'a, K, T>(
    top: &mut Table<'a>,
    key: &'static str,
    read: impl Fn(&K, Table<'a>) -> T,
) -> Entries<K, T>
where
    K: std::str::FromStr<Err = crate::model::NameError> + std::hash::Hash + Eq,
{
    let reading = top.source.reading;
    let mut entries = IndexMap::new();
    for (field, mut table) in top.named(key) {
        let Some(name) = field.key_name::<K>() else { continue };
        let place = table.place.clone();
        let overrides = table.flag("override").unwrap_or(false);
        let value = read(&name, table);
        let references = reading.take_references();
        entries.insert(name, Entry { value, place, overrides, references });
    }
    entries
}

/// `NAME = "value"`, or a table with `login_env` or `value`.
fn read_vars(top: &mut Table<'_>) -> Entries<String, Var> {
    let mut vars = IndexMap::new();
    let Some(table) = top.field("vars").and_then(|field| field.table()) else { return vars };
    for field in table.all() {
        if !valid_variable_name(&field) {
            continue;
        }
        let mut overrides = false;
        let value = if field.is_text() {
            literal(&field)
        } else if let Some(mut table) = field.table_or("text or a table") {
            overrides = table.flag("override").unwrap_or(false);
            let value = match table.field("value") {
                Some(value) => literal(&value),
                None => read_var_table(&mut table).map(|(var, _)| var),
            };
            table.finish("[vars.NAME]");
            value
        } else {
            None
        };
        if let Some(value) = value {
            let place = field.key_place.clone();
            vars.insert(field.key, Entry { value, place, overrides, references: Vec::new() });
        }
    }
    vars
}

/// `NAME = "/folder"`, or `{ path = "/folder", override = true }`.
fn read_paths(top: &mut Table<'_>) -> Entries<String, Template> {
    let mut paths = IndexMap::new();
    let Some(table) = top.field("paths").and_then(|field| field.table()) else { return paths };
    for field in table.all() {
        if !valid_variable_name(&field) {
            continue;
        }
        let mut overrides = false;
        let value = if field.is_text() {
            path_template(&field)
        } else if let Some(mut table) = field.table_or("text or a table") {
            overrides = table.flag("override").unwrap_or(false);
            let path = table.required("path", "the folder").and_then(|field| path_template(&field));
            table.finish("[paths]");
            path
        } else {
            None
        };
        let references = top.source.reading.take_references();
        if let Some(value) = value {
            paths.insert(field.key.clone(), Entry { value, place: field.key_place, overrides, references });
        }
    }
    paths
}

/// Reads a template and refers to its variables.
pub(super) fn template(field: &Field<'_>) -> Option<Template> {
    let text = field.text()?;
    located_template(field, &text)
}

/// As [`template`], for one text of an array.
pub(super) fn located_template(field: &Field<'_>, text: &Located<String>) -> Option<Template> {
    match Template::parse(&text.value) {
        Ok(template) => {
            for variable in template.variables() {
                field.source.reading.refer(Target::Variable, variable, &text.place, &field.path);
            }
            Some(template)
        }
        Err(error) => {
            let error: TemplateError = error;
            field.source.reading.mistake(&text.place, format!("{}: {error}", field.path));
            None
        }
    }
}

/// A template of an absolute path, without placeholders: no argument chooses a path.
fn path_template(field: &Field<'_>) -> Option<Template> {
    let template = template(field)?;
    if let Some(placeholder) = template.placeholders().next() {
        field.mistake(format!(
            "{} has the placeholder {{{placeholder}}}; a path has only ${{variables}}",
            field.path
        ));
        return None;
    }
    let absolute = match template.parts.first() {
        Some(TemplatePart::Variable(_)) => true,
        Some(TemplatePart::Text(text)) => text.starts_with('/'),
        _ => false,
    };
    let written = template.to_string();
    if !absolute || written.split('/').any(|segment| segment == "..") {
        field.mistake(format!(
            "{} is {}; a path begins with / or a ${{variable}} and has no ..",
            field.path,
            shown(&written)
        ));
        return None;
    }
    Some(template)
}

fn read_file(name: FileName, mut table: Table<'_>) -> FileDeclaration {
    let path = table.required("path", "where the file is on a node").and_then(|field| path_template(&field));
    let mode_field = table.field("mode");
    let mode = mode_field.as_ref().and_then(read_mode);
    let owner = table
        .field("owner")
        .filter(|field| field.text().is_none_or(|text| text.value != "keep"))
        .and_then(|field| user_name(&field));
    let secret = table.flag("secret").unwrap_or(false);
    let guessable = table.flag("guessable").unwrap_or(false);
    if guessable && !secret {
        table.mistake(format!("{table} is guessable and not secret; say secret = true as well"));
    }
    if let (Some(field), Some(mode)) = (&mode_field, mode)
        && secret
        && mode & 0o007 != 0
    {
        field.mistake(format!("{} is {mode:04o}: everybody could use a secret file", field.path));
    }
    let read_only = table.flag("read_only").unwrap_or(false);
    let holds = read_holds(&mut table);
    table.finish("[files.NAME]");
    // Where the path is missing or wrong, a mistake is recorded, and the value is never used.
    let path = path.unwrap_or(Template { parts: Vec::new() });
    FileDeclaration { name, path, mode, owner, secret, guessable, read_only, holds }
}

/// What a file is, with the other file that this hangs on.
fn read_holds(table: &mut Table<'_>) -> Holds {
    #[derive(Clone, Copy)]
    enum Word {
        Bytes,
        Certificate,
        Key,
        KeySet,
    }
    const WORDS: &[(&str, Word)] = &[
        ("bytes", Word::Bytes),
        ("certificate", Word::Certificate),
        ("key", Word::Key),
        ("key-set", Word::KeySet),
    ];
    let word = table.word("holds", WORDS).unwrap_or(Word::Bytes);
    let by = table.to_string();
    let mut named = |key: &'static str| {
        let field = table.field(key)?;
        let file = field.name::<FileName>()?;
        field.source.reading.refer(Target::File, file.as_str(), &field.place, format!("{key} of {by}"));
        Some((field, file))
    };
    let (issuer, request, of) = (named("issuer"), named("request"), named("of"));
    for (given, fits, of_what) in [
        (&issuer, matches!(word, Word::Certificate), "a certificate"),
        (&request, matches!(word, Word::Certificate), "a certificate"),
        (&of, matches!(word, Word::Key), "a key"),
    ] {
        if let (Some((field, _)), false) = (given, fits) {
            field.mistake(format!("{} is for what holds {of_what}", field.path));
        }
    }
    match (word, of) {
        (Word::Bytes, _) => Holds::Bytes,
        (Word::KeySet, _) => Holds::KeySet,
        (Word::Certificate, _) => Holds::Certificate {
            issuer: issuer.map(|(_, file)| file),
            request: request.map(|(_, file)| file),
        },
        (Word::Key, Some((_, of))) => Holds::Key { of },
        (Word::Key, None) => {
            table
                .mistake(format!("{table} holds a key and does not say of which certificate: of = \"FILE\""));
            Holds::Bytes
        }
    }
}

/// Octal, as `"0600"`; `"keep"` is none.
fn read_mode(field: &Field<'_>) -> Option<u32> {
    let text = field.text()?.value;
    if text == "keep" {
        return None;
    }
    let octal = (3..=4).contains(&text.len()) && text.chars().all(|c| ('0'..='7').contains(&c));
    match u32::from_str_radix(&text, 8) {
        Ok(mode) if octal && mode <= 0o777 => Some(mode),
        _ => {
            field.mistake(format!(
                "{} is {}; it must be \"keep\" or octal, as \"0600\"",
                field.path,
                shown(&text)
            ));
            None
        }
    }
}

fn read_endpoint(name: EndpointName, mut table: Table<'_>) -> Endpoint {
    let port = table
        .required("port", "the TCP port it listens on")
        .and_then(|field| field.number(1..=65_535))
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or_default();
    let file = table.field("file").and_then(|field| {
        let file = field.name::<FileName>()?;
        field.source.reading.refer(Target::File, file.as_str(), &field.place, &field.path);
        Some(file)
    });
    table.finish("[endpoints.NAME]");
    Endpoint { name, port, file }
}
