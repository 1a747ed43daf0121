//! Reads one `[commands.NAME]`, and checks it for what needs no other entry.

use super::field::Field;
use super::layer::{located_template, template};
use super::mistake::{Target, nearest, shown};
use super::reader::{Table, parse_name};
use super::site_file::{statuses, user_name};
use super::types::*;
use crate::model::{CommandName, EndpointName, FileName};
use indexmap::IndexMap;
use std::time::Duration;

const KINDS: &[(&str, CommandKind)] = &[
    ("observe", CommandKind::Observe),
    ("change", CommandKind::Change),
    ("manual", CommandKind::Manual),
    ("http", CommandKind::Http),
];
const PARSERS: &[(&str, Parser)] = &[
    ("none", Parser::None),
    ("lines", Parser::Lines),
    ("json", Parser::Json),
    ("oms-status", Parser::OmsStatus),
];
const RERUNS: &[(&str, Rerun)] =
    &[("never", Rerun::Never), ("if-settle-says-no", Rerun::IfSettleSaysNo), ("always", Rerun::Always)];

const OBSERVE_TIMEOUT: Duration = Duration::from_secs(60);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest value of a placeholder where its declaration says nothing, bytes.
const LONGEST: usize = 256;
/// Characters of a plain placeholder, besides letters and digits, where its declaration says nothing.
const CHARACTERS: &str = "-_.";

pub(super) fn read(name: CommandName, mut table: Table<'_>) -> CommandDeclaration {
    let kind = table
        .required("kind", "\"observe\", \"change\", \"manual\" or \"http\"")
        .and_then(|field| field.word(KINDS));
    let args = table.field("args").and_then(|field| field.table()).map(|t| read_args(&t)).unwrap_or_default();
    let used = Placeholders { args: &args };

    let argv_field = table.field("argv");
    let argv = argv_field.as_ref().map(|field| read_argv(field, &used)).unwrap_or_default();
    let secret_in_argv = table.field("secret_in_argv");
    check_secret_in_argv(argv_field.as_ref(), secret_in_argv.as_ref(), &argv, &args);

    let user = table.field("user").and_then(|field| user_name(&field)).unwrap_or_default();
    let cwd = table.field("cwd").and_then(|field| used.plain(&field));
    let mut env = IndexMap::new();
    for field in table.field("env").and_then(|field| field.table()).map(|t| t.all()).unwrap_or_default() {
        let fits = field.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !field.key.starts_with(|c: char| c.is_ascii_digit());
        if !fits {
            field.mistake(format!("{} is not the name of an environment variable", shown(&field.key)));
        } else if let Some(value) = used.plain(&field) {
            env.insert(field.key, value);
        }
    }
    let prompts = table.field("prompts").map(|field| read_prompts(&field, &used)).unwrap_or_default();
    let success_field = table.field("success");
    let success = success_field
        .as_ref()
        .and_then(|field| field.table())
        .map(read_success)
        .unwrap_or(Success { contains: Vec::new(), exit: vec![0] });
    let timeout = table.field("timeout").and_then(|field| field.duration()).unwrap_or(match kind {
        Some(CommandKind::Change) => CHANGE_TIMEOUT,
        _ => OBSERVE_TIMEOUT,
    });
    let output = table.word("output", PARSERS).unwrap_or(Parser::None);
    let terminal = table.flag("terminal").unwrap_or(false);
    let instruction = table.text("instruction").map(|text| text.value);
    let request = table.field("request").and_then(|field| field.table()).and_then(|t| read_request(t, &used));
    let consequences = read_consequences(&mut table, kind);
    check_kind(&mut table, kind);
    let secret_in_argv = secret_in_argv.and_then(|field| field.flag()).unwrap_or(false);
    table.finish("[commands.NAME]");
    CommandDeclaration {
        name,
        // Where it is missing or wrong, a mistake is recorded, and the value is never used.
        kind: kind.unwrap_or(CommandKind::Observe),
        argv,
        user,
        cwd,
        env,
        prompts,
        success,
        timeout,
        output,
        args,
        terminal,
        consequences,
        instruction,
        request,
        secret_in_argv,
    }
}

/// Checks the placeholders of a command's templates against its `args`.
struct Placeholders<'a> {
    args: &'a IndexMap<String, ArgumentDeclaration>,
}

impl Placeholders<'_> {
    /// A template that may take secrets.
    fn any(&self, field: &Field<'_>) -> Option<Template> {
        let template = template(field)?;
        self.declared(field, &template);
        Some(template)
    }

    /// A template that takes no secret: a folder, an environment variable, an address.
    fn plain(&self, field: &Field<'_>) -> Option<Template> {
        let template = self.any(field)?;
        if let Some(secret) = first_secret(&template, self.args) {
            field.mistake(format!(
                "{} has the secret placeholder {{{secret}}}; secrets go into prompts' replies and bodies of requests",
                field.path
            ));
        }
        Some(template)
    }

    fn declared(&self, field: &Field<'_>, template: &Template) {
        for name in template.placeholders() {
            if !self.args.contains_key(name) {
                field.source.reading.mistake_near(
                    &field.place,
                    format!("{} has the placeholder {{{name}}}, which its args do not declare", field.path),
                    nearest(name, self.args.keys().map(String::as_str)),
                );
            }
        }
    }
}

fn first_secret<'t>(template: &'t Template, args: &IndexMap<String, ArgumentDeclaration>) -> Option<&'t str> {
    template.placeholders().find(|name| args.get(*name).is_some_and(|argument| argument.secret))
}

fn read_argv(field: &Field<'_>, used: &Placeholders<'_>) -> Vec<Template> {
    let texts = field.texts();
    if field.is_array() && texts.first().is_none_or(|program| program.value.is_empty()) {
        field.mistake(format!("{} names no program", field.path));
    }
    let mut argv = Vec::new();
    for text in &texts {
        if let Some(template) = located_template(field, text) {
            used.declared(field, &template);
            argv.push(template);
        }
    }
    if argv.first().is_some_and(|program| program.placeholders().next().is_some()) {
        field.mistake(format!(
            "{} has a placeholder as its program; no argument chooses what runs",
            field.path
        ));
    }
    argv
}

fn check_secret_in_argv(
    argv_field: Option<&Field<'_>>,
    flag: Option<&Field<'_>>,
    argv: &[Template],
    args: &IndexMap<String, ArgumentDeclaration>,
) {
    let Some(argv_field) = argv_field else { return };
    let secret = argv.iter().find_map(|template| first_secret(template, args));
    let allowed = flag.and_then(|field| field.flag()) == Some(true);
    match (secret, allowed, flag) {
        (Some(secret), false, _) => argv_field.mistake(format!(
            "{} has the secret placeholder {{{secret}}}, where every user of the node can read it; \
             let the command prompt for it, or say secret_in_argv = true",
            argv_field.path
        )),
        (None, true, Some(flag)) => {
            flag.mistake(format!("{} is true, and argv has no secret placeholder", flag.path));
        }
        _ => {}
    }
}

fn read_args(table: &Table<'_>) -> IndexMap<String, ArgumentDeclaration> {
    let mut args = IndexMap::new();
    for field in table.all() {
        if field.key.is_empty() || !field.key.chars().all(super::template::is_name_character) {
            field.mistake(format!(
                "{} is not a placeholder's name: letters, digits, '_' and '-'",
                shown(&field.key)
            ));
            continue;
        }
        let Some(mut table) = field.table() else { continue };
        let secret = table.flag("secret").unwrap_or(false);
        let longest = table
            .field("longest")
            .and_then(|field| field.number(1..=65_536))
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(LONGEST);
        let characters = table
            .text("characters")
            .map(|text| text.value)
            .unwrap_or_else(|| if secret { printable_specials() } else { CHARACTERS.to_owned() });
        if characters.chars().any(char::is_control) {
            table.mistake(format!("characters of {table} has control characters, which no value may hold"));
        }
        let default = table.field("default");
        if let (Some(default), true) = (&default, secret) {
            default.mistake(format!("{} would be a secret in a file that everybody reads", default.path));
        }
        let default_text = default.as_ref().and_then(|field| field.text()).map(|text| text.value);
        if let (Some(field), Some(text), false) = (&default, &default_text, secret)
            && (text.len() > longest
                || !text.chars().all(|c| c.is_ascii_alphanumeric() || characters.contains(c)))
        {
            field.mistake(format!(
                "{} is {}, which its own length and characters refuse",
                field.path,
                shown(text)
            ));
        }
        table.finish("[commands.NAME.args.PLACEHOLDER]");
        args.insert(field.key, ArgumentDeclaration { secret, longest, characters, default: default_text });
    }
    args
}

/// A password's kinds of characters are its policy's business, not the placeholder's.
fn printable_specials() -> String {
    (' '..='~').filter(|c| !c.is_ascii_alphanumeric()).collect()
}

fn read_prompts(field: &Field<'_>, used: &Placeholders<'_>) -> Vec<Prompt> {
    let mut prompts = Vec::new();
    for mut table in field.tables() {
        let expect = table.required("expect", "what the command prints when it waits").and_then(|field| {
            let text = field.text()?.value;
            if text.is_empty() {
                field.mistake(format!("{} is empty: any output would be taken for the prompt", field.path));
            }
            Some(text)
        });
        let reply = table.required("reply", "what to answer, as \"{password}\"").and_then(|field| {
            let reply = used.any(&field)?;
            if reply.parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if text.contains('\n')))
            {
                field.mistake(format!("{} has a line break, which would answer two prompts", field.path));
            }
            Some(reply)
        });
        table.finish("[commands.NAME.prompts]");
        if let (Some(expect), Some(reply)) = (expect, reply) {
            prompts.push(Prompt { expect, reply });
        }
    }
    prompts
}

fn read_success(mut table: Table<'_>) -> Success {
    let contains = table.texts("contains").into_iter().map(|text| text.value).collect();
    let exit = table.field("exit").map(|field| field.numbers(0..=255)).unwrap_or_else(|| vec![0]);
    table.finish("[commands.NAME.success]");
    // The range keeps the conversion exact.
    Success { contains, exit: exit.into_iter().filter_map(|exit| i32::try_from(exit).ok()).collect() }
}

fn read_request(mut table: Table<'_>, used: &Placeholders<'_>) -> Option<HttpRequest> {
    let method = table
        .word("method", &[("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("DELETE", "DELETE")])
        .unwrap_or("POST");
    let url = table.required("url", "where the request goes").and_then(|field| read_url(&field, used));
    let body = table.field("body").and_then(|field| used.any(&field));
    let expect = table.field("expect").map(|field| statuses(&field)).unwrap_or_else(|| vec![200]);
    let poll = table.field("poll").and_then(|field| field.table()).and_then(|mut poll| {
        let url = poll
            .required("url", "where to ask whether it is finished")
            .and_then(|field| read_url(&field, used));
        let contains = poll
            .required("contains", "what the answer holds when it is finished")
            .and_then(|field| field.text());
        poll.finish("[commands.NAME.request.poll]");
        Some((url?, contains?.value))
    });
    table.finish("[commands.NAME.request]");
    Some(HttpRequest { method: method.to_owned(), url: url?, body, expect, poll })
}

fn read_url(field: &Field<'_>, used: &Placeholders<'_>) -> Option<Template> {
    let url = used.plain(field)?;
    let fits = match url.parts.first() {
        Some(TemplatePart::Text(text)) => text.starts_with("https://"),
        Some(TemplatePart::Variable(_)) => true,
        _ => false,
    };
    if !fits {
        field.mistake(format!("{} is {}; it must begin with https://", field.path, shown(&url.to_string())));
    }
    Some(url)
}

fn read_consequences(table: &mut Table<'_>, kind: Option<CommandKind>) -> Consequences {
    let reading = table.source.reading;
    let by = |key: &str| format!("{key} of {table}");
    let (by_writes, by_serves, by_settle, by_undo) = (by("writes"), by("serves"), by("settle"), by("undo"));
    let mut writes = Vec::new();
    for text in table.texts("writes") {
        if let Some(folder) = text.value.strip_prefix("dir:") {
            reading.refer(Target::Folder, folder, &text.place, &by_writes);
            writes.push(Written::Folder(folder.to_owned()));
        } else if let Some(file) = parse_name::<FileName>(reading, &text.value, &text.place) {
            reading.refer(Target::File, file.as_str(), &text.place, &by_writes);
            writes.push(Written::File(file));
        }
    }
    let mut serves = Vec::new();
    for text in table.texts("serves") {
        if let Some(endpoint) = parse_name::<EndpointName>(reading, &text.value, &text.place) {
            reading.refer(Target::Endpoint, endpoint.as_str(), &text.place, &by_serves);
            serves.push(endpoint);
        }
    }
    let settle = table.text("settle").and_then(|text| match text.value.strip_prefix("served:") {
        Some(endpoint) => {
            let endpoint = parse_name::<EndpointName>(reading, endpoint, &text.place)?;
            reading.refer(Target::Endpoint, endpoint.as_str(), &text.place, &by_settle);
            Some(Settle::Served(endpoint))
        }
        None => {
            let command = parse_name::<CommandName>(reading, &text.value, &text.place)?;
            reading.refer(Target::Observation, command.as_str(), &text.place, &by_settle);
            Some(Settle::Command(command))
        }
    });
    let undo = table.field("undo").and_then(|field| {
        let command = field.name::<CommandName>()?;
        reading.refer(Target::Command, command.as_str(), &field.place, &by_undo);
        Some(command)
    });
    let restarts = table.texts("restarts").into_iter().map(|text| text.value).collect();
    let may_switch_roles = table.flag("may_switch_roles").unwrap_or(false);
    let everywhere = table.flag("everywhere").unwrap_or(false);
    let rerun_field = table.field("rerun");
    let rerun = rerun_field.as_ref().and_then(|field| field.word(RERUNS)).unwrap_or_default();
    if let (Some(field), Rerun::IfSettleSaysNo, None) = (&rerun_field, rerun, &settle)
        && table.field("settle").is_none()
    {
        field.mistake(format!("{table} says rerun = \"if-settle-says-no\" and has no settle"));
    }
    if kind == Some(CommandKind::Observe) {
        for key in
            ["writes", "restarts", "serves", "settle", "undo", "may_switch_roles", "everywhere", "rerun"]
        {
            if let Some(field) = table.field(key) {
                field.mistake(format!(
                    "{} is a consequence, and {table} observes; say kind = \"change\" if it changes anything",
                    field.path
                ));
            }
        }
    }
    Consequences { writes, restarts, serves, settle, undo, may_switch_roles, everywhere, rerun }
}

/// What a kind must have, and what would be ignored.
fn check_kind(table: &mut Table<'_>, kind: Option<CommandKind>) {
    let Some(kind) = kind else { return };
    let (needs, why): (&'static str, &str) = match kind {
        CommandKind::Observe | CommandKind::Change => ("argv", "the program and its arguments"),
        CommandKind::Manual => ("instruction", "what the operator is told to do"),
        CommandKind::Http => ("request", "the request that is sent"),
    };
    table.required(needs, why);
    let runs = matches!(kind, CommandKind::Observe | CommandKind::Change);
    for (key, applies) in [
        ("argv", runs),
        ("prompts", runs),
        ("terminal", runs),
        ("cwd", runs),
        ("env", runs),
        ("instruction", kind == CommandKind::Manual),
        ("request", kind == CommandKind::Http),
    ] {
        if !applies && let Some(field) = table.field(key) {
            field.mistake(format!("{} means nothing for kind = {:?}", field.path, kind_word(kind)));
        }
    }
    if kind == CommandKind::Change
        && ["writes", "restarts", "serves"].iter().all(|key| table.field(key).is_none())
    {
        table.mistake(format!(
            "{table} changes something and does not say what: name it in writes, restarts or serves \
             (writes = [] where it is nothing that the profile names)"
        ));
    }
    if kind == CommandKind::Manual && table.field("settle").is_none() {
        table.mistake(format!("{table} lacks \"settle\": the observation that proves that it was done"));
    }
}

pub(super) fn kind_word(kind: CommandKind) -> &'static str {
    // Every kind has its word in the table; the fallback is never seen.
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| word)
}

pub(super) fn parser_word(parser: Parser) -> &'static str {
    PARSERS.iter().find(|(_, known)| *known == parser).map_or("", |(word, _)| word)
}
