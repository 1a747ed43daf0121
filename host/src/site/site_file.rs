//! Reads `site.toml`. What needs the profile to be judged is left to `check`.

use super::bundled::AUTO;
use super::field::Field;
use super::hooks;
use super::inventory::{read_become, read_nodes, read_ssh};
use super::mistake::{Place, nearest, shown};
use super::reader::{Located, Table};
use super::types::*;
use crate::model::{NodeName, PluginName};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

/// `site.toml` as read: what is None was missing or wrong, and a mistake says so.
pub(super) struct SiteFile {
    pub place: Place,
    pub name: Option<String>,
    /// [`AUTO`] where the site names none.
    pub profile: Option<Located<String>>,
    pub trust: Trust,
    pub outside_envelope: OutsideEnvelope,
    pub operators: Vec<String>,
    pub nodes: IndexMap<NodeName, Located<Node>>,
    pub vars: IndexMap<String, Located<Var>>,
    pub become_users: IndexMap<String, Become>,
    pub manager: Option<Manager>,
    pub secrets: IndexMap<String, SecretSource>,
    pub procedures: IndexMap<PluginName, ProcedureSettings>,
    pub hooks: Vec<Located<HookBinding>>,
    pub ssh: SshSettings,
    pub attention: AttentionSettings,
    pub lab: Option<Utf8PathBuf>,
}

pub(super) fn read(mut top: Table<'_>, dir: &Utf8Path) -> SiteFile {
    let mut name = None;
    let mut profile = None;
    let mut trust = None;
    let mut outside_envelope = None;
    let mut operators = Vec::new();
    let mut place = top.place.clone();
    if let Some(mut site) =
        top.required("site", "the site's name and profile stand there").and_then(|f| f.table())
    {
        place = site.place.clone();
        name = site
            .required("name", "what this cluster is called")
            .and_then(|field| field.name::<NodeName>())
            .map(String::from);
        profile = match site.field("profile") {
            Some(field) => field.text(),
            None => Some(Located { value: AUTO.to_owned(), place: site.place.clone() }),
        };
        trust = site.word(
            "trust",
            &[
                ("dev", Trust::Dev),
                ("locked", Trust::Locked),
                ("signed", Trust::Signed),
                ("certified", Trust::Certified),
            ],
        );
        outside_envelope = site
            .word("outside_envelope", &[("pause", OutsideEnvelope::Pause), ("warn", OutsideEnvelope::Warn)]);
        operators = read_operators(&mut site);
        site.finish("[site]");
    }
    let nodes = read_nodes(&mut top, dir);
    let vars = top.field("vars").and_then(|field| field.table()).map(|t| read_vars(&t)).unwrap_or_default();
    let file = SiteFile {
        place,
        name,
        profile,
        trust: trust.unwrap_or(Trust::Locked),
        outside_envelope: outside_envelope.unwrap_or(OutsideEnvelope::Warn),
        operators,
        nodes,
        vars,
        become_users: read_become(&mut top),
        manager: top.field("manager").and_then(|field| field.table()).and_then(|t| read_manager(t, dir)),
        secrets: read_secrets(&mut top, dir),
        procedures: read_procedures(&mut top, dir),
        hooks: hooks::read(&mut top),
        ssh: top.field("ssh").and_then(|field| field.table()).map(|t| read_ssh(t, dir)).unwrap_or_default(),
        attention: top
            .field("status")
            .and_then(|field| field.table())
            .map(read_attention)
            .unwrap_or_default(),
        lab: top.field("lab").and_then(|field| field.table()).and_then(|mut lab| {
            let pid = lab
                .required("pid", "the file that holds the pid of the practice cluster")
                .and_then(|field| field.text());
            lab.finish("[lab]");
            pid.map(|pid| dir.join(pid.value))
        }),
    };
    top.finish("site.toml");
    file
}

fn read_attention(mut table: Table<'_>) -> AttentionSettings {
    let default = AttentionSettings::default();
    let mut days =
        |key, default| table.field(key).and_then(|field| field.number(0..=36_500)).unwrap_or(default);
    let settings = AttentionSettings {
        certificate_days: days("certificate_days", default.certificate_days),
        key_days: days("key_days", default.key_days),
    };
    table.finish("[status]");
    settings
}

fn read_operators(site: &mut Table<'_>) -> Vec<String> {
    let mut operators = Vec::new();
    for operator in site.texts("operators") {
        let fits = operator.value.strip_prefix("age1").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        });
        if fits {
            operators.push(operator.value);
        } else {
            site.source.reading.mistake(
                &operator.place,
                format!(
                    "{} is not an age recipient (age1 and lower-case letters and digits)",
                    shown(&operator.value)
                ),
            );
        }
    }
    operators
}

/// A path of this machine, relative to the site's folder.
pub(super) fn site_path(field: &Field<'_>, dir: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = field.text()?.value;
    if text.is_empty() || text.contains('\0') {
        field.mistake(format!("{} is no path", field.path));
        return None;
    }
    // By components, so that `x` and `./x` are one path.
    Some(dir.join(text).components().collect())
}

/// As [`site_path`], of a file that must be there.
pub(super) fn site_file(field: &Field<'_>, dir: &Utf8Path) -> Option<Utf8PathBuf> {
    let path = site_path(field, dir)?;
    if !path.is_file() {
        field.mistake(format!("{} names a file that is not there: {path}", field.path));
        return None;
    }
    Some(path)
}

/// Reads `[vars]`; the profile's has the same shape. `override` is the profile's to check.
pub(super) fn read_vars(table: &Table<'_>) -> IndexMap<String, Located<Var>> {
    let mut vars = IndexMap::new();
    for field in table.all() {
        if let Some(var) = read_var(&field) {
            vars.insert(field.key.clone(), Located { value: var, place: field.key_place.clone() });
        }
    }
    vars
}

fn read_var(field: &Field<'_>) -> Option<Var> {
    if !valid_variable_name(field) {
        return None;
    }
    if field.is_text() {
        return literal(field);
    }
    let mut table = field.table_or("text or a table")?;
    let (var, _) = read_var_table(&mut table)?;
    table.finish("[vars]");
    Some(var)
}

pub(super) fn valid_variable_name(field: &Field<'_>) -> bool {
    let valid = !field.key.is_empty() && field.key.chars().all(super::template::is_name_character);
    if !valid {
        field.source.reading.mistake(
            &field.key_place,
            format!("{} is not a variable's name: letters, digits, '_' and '-' only", shown(&field.key)),
        );
    }
    valid
}

pub(super) fn literal(field: &Field<'_>) -> Option<Var> {
    let text = field.text()?;
    if text.value.is_empty() || text.value.chars().any(char::is_control) {
        field.mistake(format!("{} is empty or has control characters: a variable needs a value", field.path));
        return None;
    }
    Some(Var::Literal(text.value))
}

/// Reads `{ login_env = "NAME", user = "USER" }`; an absent user is returned as empty, for the profile's
/// service user.
pub(super) fn read_var_table(table: &mut Table<'_>) -> Option<(Var, Place)> {
    let variable = table.required("login_env", "the variable of the user's login environment")?;
    let user = table.field("user").and_then(|field| user_name(&field)).unwrap_or_default();
    let name = variable.text()?;
    let fits = name.value.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        variable.mistake(format!("{} is not the name of an environment variable", shown(&name.value)));
        return None;
    }
    Some((Var::LoginEnv { variable: name.value, user }, table.place.clone()))
}

pub(super) fn user_name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?.value;
    if is_user_name(&text) {
        return Some(text);
    }
    field.mistake(format!("{} is not a user's name", shown(&text)));
    None
}

pub(super) fn is_user_name(text: &str) -> bool {
    !text.starts_with('-')
        && (1..=64).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

pub(super) fn argument_vector(field: &Field<'_>) -> Vec<String> {
    let argv: Vec<String> = field.texts().into_iter().map(|text| text.value).collect();
    if field.is_array() && argv.first().is_none_or(|program| program.is_empty()) {
        field.mistake(format!("{} names no program", field.path));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        field.mistake(format!("{} has a NUL, which no argument can hold", field.path));
    }
    argv
}

fn read_manager(mut table: Table<'_>, dir: &Utf8Path) -> Option<Manager> {
    let url = table.required("url", "the manager's page").and_then(|field| {
        let text = field.text()?.value;
        let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        let fits = plain && text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        if !fits {
            field.mistake(format!("{} is {}; it must begin with https://", field.path, shown(&text)));
        }
        fits.then_some(text)
    });
    let ca = table.field("ca").and_then(|field| site_file(&field, dir));
    let expect = table.field("expect").map(|field| statuses(&field)).unwrap_or_else(|| vec![200]);
    table.finish("[manager]");
    Some(Manager { url: url?, ca, expect })
}

pub(super) fn statuses(field: &Field<'_>) -> Vec<u16> {
    // The range keeps the conversion exact.
    field.numbers(100..=599).into_iter().filter_map(|status| u16::try_from(status).ok()).collect()
}

fn read_secrets(top: &mut Table<'_>, dir: &Utf8Path) -> IndexMap<String, SecretSource> {
    let mut secrets = IndexMap::new();
    for (field, mut table) in top.named("secrets") {
        let name = field.key_name::<crate::model::ObjectName>();
        let source = table
            .required("source", "\"prompt\", \"file:PATH\", \"fd:NUMBER\", or a local command as an array")
            .and_then(|source| read_source(&source, dir));
        table.finish("[secrets.NAME]");
        if let (Some(name), Some(source)) = (name, source) {
            secrets.insert(name.into(), source);
        }
    }
    secrets
}

fn read_source(field: &Field<'_>, dir: &Utf8Path) -> Option<SecretSource> {
    if field.is_array() {
        return Some(SecretSource::Command(argument_vector(field)));
    }
    let text = field.text()?.value;
    if text == "prompt" {
        return Some(SecretSource::Prompt);
    }
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
        return Some(SecretSource::File(dir.join(path)));
    }
    if let Some(number) = text.strip_prefix("fd:").and_then(|number| number.parse::<i32>().ok())
        && number >= 0
    {
        return Some(SecretSource::Descriptor(number));
    }
    // The text itself is not shown: it may be the secret, put where only its source belongs.
    field.source.reading.mistake_near(
        &field.place,
        format!(
            "{} is not a source: \"prompt\", \"file:PATH\", \"fd:NUMBER\", or a local command as an array",
            field.path
        ),
        nearest(&text, ["prompt"]),
    );
    None
}

/// The settings of a procedure that are the host's; every other key is a parameter.
fn read_procedures(top: &mut Table<'_>, dir: &Utf8Path) -> IndexMap<PluginName, ProcedureSettings> {
    let mut procedures = IndexMap::new();
    for (field, mut table) in top.named("procedures") {
        let name = field.key_name::<PluginName>();
        let approvals = table
            .field("approvals")
            .and_then(|field| field.number(0..=20))
            .and_then(|n| u32::try_from(n).ok());
        let approvers = read_approvers(&mut table);
        let on_failure =
            table.word("on_failure", &[("pause", OnFailure::Pause), ("rollback", OnFailure::Rollback)]);
        let allow_secret_in_argv = table.flag("allow_secret_in_argv").unwrap_or(false);
        let supplied = table.field("supplied").and_then(|field| field.table()).and_then(|mut supplied| {
            let mut path = |key, why| supplied.required(key, why).and_then(|field| site_path(&field, dir));
            let certificate = path("certificate", "the CA's certificate, a PEM file");
            let key = path("key", "the CA's key, a PEM file");
            supplied.finish("[procedures.NAME.supplied]");
            Some(SuppliedCa { certificate: certificate?, key: key? })
        });
        let mut params = IndexMap::new();
        let mut first: IndexMap<String, Place> = IndexMap::new();
        let nested = table.field("params").and_then(|field| field.table());
        for param in nested.map(|nested| nested.all()).unwrap_or_default() {
            first.insert(param.key.clone(), param.key_place.clone());
            if let Some(value) = param.scalar() {
                params.insert(param.key, value);
            }
        }
        for param in table.others() {
            if let Some(near) = nearest(&param.key, table.asked().iter().copied()) {
                table.source.reading.mistake_near(
                    &param.key_place,
                    format!(
                        "{} is no setting of {table}; a parameter of that name belongs in [{}.params]",
                        shown(&param.key),
                        table.path
                    ),
                    Some(near),
                );
            } else if let Some(other) = first.get(&param.key) {
                param.mistake(format!("the parameter {} is given twice, also at {other}", shown(&param.key)));
            } else if let Some(value) = param.scalar() {
                params.insert(param.key, value);
            }
        }
        table.note_keys("[procedures.NAME]");
        if let Some(name) = name {
            let settings = ProcedureSettings {
                params,
                approvals,
                approvers,
                on_failure: on_failure.unwrap_or_default(),
                allow_secret_in_argv,
                supplied,
            };
            procedures.insert(name, settings);
        }
    }
    procedures
}

/// Principals, as `allowed_signers` names them.
fn read_approvers(table: &mut Table<'_>) -> Vec<String> {
    let mut approvers = Vec::new();
    for approver in table.texts("approvers") {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !",*?!\"".contains(c);
        if !approver.value.is_empty() && approver.value.chars().all(plain) {
            approvers.push(approver.value);
        } else {
            table.source.reading.mistake(
                &approver.place,
                format!(
                    "{} is not a principal's name (no spaces, commas or patterns)",
                    shown(&approver.value)
                ),
            );
        }
    }
    approvers
}
