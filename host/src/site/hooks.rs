//! Reads `[[hooks]]`: which hook is called at which moments of which procedure.

use super::field::Field;
use super::grants_file::ROLES;
use super::mistake::{Place, Reading, nearest, shown};
use super::reader::{Located, Table};
use super::site_file::SiteFile;
use super::types::{HookAt, HookBinding, Node, Steps};
use crate::model::{NodeName, PluginName, StepId};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use std::time::Duration;

/// How long one call of a hook may take, commands and waits included, where the site does not say.
const TIMEOUT: Duration = Duration::from_secs(600);

const FORMS: &str =
    "\"PROCEDURE/STEP\", as \"ha-cert/restart@first\", \"PROCEDURE/*\" for every step, or \"PROCEDURE/run\"";

pub(super) fn read(top: &mut Table<'_>) -> Vec<Located<HookBinding>> {
    let tables = top.field("hooks").map(|field| field.tables()).unwrap_or_default();
    tables.into_iter().filter_map(read_one).collect()
}

fn read_one(mut table: Table<'_>) -> Option<Located<HookBinding>> {
    let plugin = table
        .required("plugin", "the hook's name, as of hooks/NAME.py")
        .and_then(|field| field.name::<PluginName>());
    let bound = bound(&mut table);
    let order = table.field("order").and_then(|field| field.number(-1_000_000..=1_000_000)).unwrap_or(0);
    let on_error = table.field("on_error");
    let stop_on_error = on_error.as_ref().and_then(|field| field.word(&[("stop", true), ("warn", false)]));
    let optional = table.flag("optional").unwrap_or(false);
    let timeout = table.field("timeout").and_then(|field| field.duration()).unwrap_or(TIMEOUT);
    let params = table.field("params").and_then(|field| field.table());
    let params = params.map(|params| params.all()).unwrap_or_default();
    let params: IndexMap<String, String> =
        params.into_iter().filter_map(|param| Some((param.key.clone(), param.scalar()?))).collect();
    if let (Some((_, HookAt::OnFailure | HookAt::OnRollback)), Some(true), Some(field)) =
        (bound.as_ref().map(|bound| &bound.value), stop_on_error, &on_error)
    {
        field.mistake(format!(
            "{} is \"stop\", and a run that fails or goes back waits for no hook: leave it out, or say \"warn\"",
            field.path
        ));
    }
    table.finish("[[hooks]]");
    let Located { value: (procedure, at), place } = bound?;
    let stop_on_error = stop_on_error.unwrap_or(!matches!(at, HookAt::OnFailure | HookAt::OnRollback));
    let plugin = plugin?;
    let binding = HookBinding { plugin, procedure, at, order, stop_on_error, optional, timeout, params };
    Some(Located { value: binding, place })
}

pub(super) fn bound(table: &mut Table<'_>) -> Option<Located<(PluginName, HookAt)>> {
    let keys = ["before", "after", "on"].map(|key| table.field(key));
    let mut given = keys.iter().flatten();
    let Some(field) = given.next() else {
        table.mistake(format!(
            "{table} is bound to nothing: say before = \"PROCEDURE/STEP\", or after, or on = \"PROCEDURE/failure\""
        ));
        return None;
    };
    if let Some(other) = given.next() {
        other.mistake(format!("{table} has both {} and {}; a binding has one of them", field.key, other.key));
        return None;
    }
    let text = field.text()?;
    let value = match field.key.as_str() {
        "on" => told(field, &text.value)?,
        "before" => event(field, &text.value, HookAt::BeforeRun, HookAt::BeforeStep)?,
        _ => event(field, &text.value, HookAt::AfterRun, HookAt::AfterStep)?,
    };
    Some(Located { value, place: text.place })
}

fn event(
    field: &Field<'_>,
    text: &str,
    run: HookAt,
    step: fn(Steps) -> HookAt,
) -> Option<(PluginName, HookAt)> {
    let parsed = text.split_once('/').and_then(|(procedure, event)| {
        let at = match event {
            "run" => run,
            "*" => step(Steps::Each),
            id => step(Steps::One(StepId::new(id).ok()?)),
        };
        Some((PluginName::new(procedure).ok()?, at))
    });
    if parsed.is_none() {
        field.mistake(format!("{} is no event: it reads {FORMS}", shown(text)));
    }
    parsed
}

fn told(field: &Field<'_>, text: &str) -> Option<(PluginName, HookAt)> {
    let parsed = text.split_once('/').and_then(|(procedure, event)| {
        let at = match event {
            "failure" => HookAt::OnFailure,
            "rollback" => HookAt::OnRollback,
            _ => return None,
        };
        Some((PluginName::new(procedure).ok()?, at))
    });
    if parsed.is_none() {
        field.mistake(format!(
            "{} is no event of on: it reads \"PROCEDURE/failure\" or \"PROCEDURE/rollback\"",
            shown(text)
        ));
    }
    parsed
}

/// Judged with the whole site in view. Whether the strategy has the step, the procedure knows.
pub(super) fn check(reading: &Reading, site: &SiteFile) {
    for (at, hook) in site.hooks.iter().enumerate() {
        check_place(reading, &hook.place, &hook.value.event(), &hook.value.at, &site.nodes);
        let twin = site.hooks.iter().take(at).find(|other| other.value.meets_with(&hook.value));
        if let Some(twin) = twin {
            reading.mistake(
                &hook.place,
                format!(
                    "{} is bound twice {} {}, also at {}: it would be called once",
                    hook.value.plugin,
                    hook.value.when(),
                    hook.value.event(),
                    twin.place
                ),
            );
        }
    }
}

/// What stands behind the @ of an event's step is a node of the site, or a role.
pub(super) fn check_place(
    reading: &Reading,
    place: &Place,
    event: &str,
    at: &HookAt,
    nodes: &IndexMap<NodeName, Located<Node>>,
) {
    if let Some(step) = at.step()
        && let Some((_, node)) = step.as_str().split_once('@')
        && !ROLES.contains(&node)
        && !nodes.contains_key(node)
    {
        reading.mistake_near(
            place,
            format!(
                "{} names no node of the site: {}; a node, first or second stands after the @",
                shown(event),
                shown(node)
            ),
            nearest(node, nodes.keys().map(|name| name.as_str()).chain(ROLES.iter().copied())),
        );
    }
}

/// Why a hook has no file that could be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookFileError {
    #[error("the hook {hook} has no file: there is no {folder}/{hook}.wasm, .py or .js")]
    None { hook: PluginName, folder: Utf8PathBuf },
    #[error("the hook {hook} has more than one file: {}; keep one of them", files.join(", "))]
    Several { hook: PluginName, files: Vec<String> },
}

/// Finds the file of a hook in a site's folder: `hooks/NAME.wasm`, `.py` or `.js`.
pub fn file_of(site: &Utf8Path, hook: &PluginName) -> Result<Utf8PathBuf, HookFileError> {
    let folder = site.join("hooks");
    let found: Vec<_> = HOOK_FILES.map(|kind| format!("{hook}.{kind}")).into_iter().collect();
    let found: Vec<_> = found.into_iter().filter(|name| folder.join(name).exists()).collect();
    match found.as_slice() {
        [] => Err(HookFileError::None { hook: hook.clone(), folder }),
        [one] => Ok(folder.join(one)),
        several => Err(HookFileError::Several { hook: hook.clone(), files: several.to_vec() }),
    }
}

/// How the name of a hook's file ends.
pub const HOOK_FILES: [&str; 3] = ["wasm", "py", "js"];
