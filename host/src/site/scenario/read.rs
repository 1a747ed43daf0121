//! Reads one scenario file.

use super::super::field::Field;
use super::super::grants_file;
use super::super::inventory::node_name;
use super::super::load::{Loading, read_text};
use super::super::mistake::{Place, Reading, nearest, shown};
use super::super::reader::{Located, Table, parse_name};
use super::super::site_file::literal;
use super::super::types::*;
use super::super::{check, compose, hooks};
use super::*;

/// The profile of a scenario that names none.
const PROFILE: &str = "mrs-2";
/// When a scenario begins that does not say.
const START: &str = "2026-01-05T02:00:00Z";
/// What the manager's page answers with, as `expect` of a site has it.
const ACCESSED: u16 = 200;
/// Longest secret of a scenario, in bytes: it is looked for in every form that it may have, and made longer and shorter
/// character by character. One that windlass generates has 128 at most.
const LONGEST_SECRET: usize = 1024;
const MOST_SECRETS: usize = 32;

/// The file as read: what hangs on the profile is checked afterwards.
struct Read {
    profile: Located<String>,
    nodes: IndexMap<NodeName, Located<Node>>,
    vars: IndexMap<String, Located<Var>>,
    patterns: Vec<(grants_file::Subject, Located<String>)>,
    /// Words that must be declared in the profile: what kind, which, where.
    declared: Vec<(&'static str, Located<String>)>,
    cluster: SimulatedCluster,
    grants: Option<GrantBlock>,
    params: IndexMap<String, String>,
    events: Vec<Located<ScenarioEvent>>,
    allow_secret_in_argv: bool,
}

pub(super) fn scenario(loading: &mut Loading<'_>, file: &Utf8Path) -> Option<Scenario> {
    let shown_file = loading.shown(file);
    let text = read_text(file, "there is no such file")
        .map_err(|why| loading.reading.mistake(&Place::file(&shown_file.as_str().into()), why))
        .ok()?;
    of_text(loading, &shown_file, file.file_stem().unwrap_or("scenario"), &text)
}

/// `name`: what the simulated site is called.
pub(super) fn of_text(
    loading: &mut Loading<'_>,
    shown_file: &str,
    name: &str,
    text: &str,
) -> Option<Scenario> {
    let Read {
        profile,
        nodes,
        vars,
        patterns,
        declared,
        cluster,
        grants,
        params,
        events,
        allow_secret_in_argv,
    } = loading.source(shown_file, text, read)?;
    let layer = loading.layers(&profile)?;
    let composed = compose::profile(&loading.reading, layer);
    let mut known = composed.profile.vars.clone();
    for (name, var) in &vars {
        if !known.contains_key(name) && !composed.uses(name) {
            let used = known.keys().map(String::as_str);
            loading.reading.mistake_near(
                &var.place,
                format!("no template of the profile {} uses the variable {}", profile.value, shown(name)),
                nearest(name, used),
            );
        }
    }
    known.extend(vars.into_iter().map(|(name, var)| (name, var.value)));
    compose::check(&loading.reading, &composed, &known);
    let profile = composed.profile;
    grants_file::check(&loading.reading, &patterns, &profile, &nodes);
    for (kind, word) in &declared {
        let names: Vec<&str> = match *kind {
            "file" => profile.files.keys().map(|name| name.as_str()).collect(),
            _ => profile.commands.keys().map(|name| name.as_str()).collect(),
        };
        if !names.contains(&word.value.as_str()) {
            loading.reading.mistake_near(
                &word.place,
                format!("the profile {} has no {kind} {}", profile.name, shown(&word.value)),
                nearest(&word.value, names),
            );
        }
    }
    check::managers_of(&loading.reading, &Place::file(&shown_file.into()), &nodes, &profile);
    for event in &events {
        let ScenarioEvent { procedure, at, .. } = &event.value;
        let named = at.step().map(|step| format!("{procedure}/{step}")).unwrap_or_default();
        hooks::check_place(&loading.reading, &event.place, &named, at, &nodes);
        if let Some(step) = at.step() {
            check_step(&loading.reading, &event.place, procedure, step.as_str());
        }
    }
    let events = events.into_iter().map(|event| event.value).collect();
    let nodes = nodes.into_iter().map(|(name, node)| (name, node.value)).collect();
    let site = simulated_site(name, nodes, profile, known);
    let mut scenario = Scenario { site, cluster, grants, params, events, allow_secret_in_argv };
    share_roles(&mut scenario);
    Some(scenario)
}

/// What the steps of the bundled procedures are called before their `@`. A site may have another procedure of the same
/// name, so a word that is like none of these is taken for one of its own.
pub(super) const STEPS: [(&str, &[&str]); 3] = [
    ("ha-cert", &["acknowledge", "root", "stage", "copy", "replace", "restart"]),
    (
        "root-key",
        &[
            "acknowledge",
            "applications",
            "backup",
            "stop",
            "update",
            "compare",
            "start",
            "rewrap",
            "level",
            "join",
        ],
    ),
    ("retire-key", &["acknowledge", "retire"]),
];

fn check_step(reading: &Reading, place: &Place, procedure: &PluginName, step: &str) {
    let Some((_, known)) = STEPS.iter().find(|(name, _)| *name == procedure.as_str()) else { return };
    let word = step.split_once('@').map_or(step, |(word, _)| word);
    if let (false, Some(meant)) = (known.contains(&word), nearest(word, known.iter().copied())) {
        let message = format!("{procedure} has no step {}", shown(word));
        reading.mistake_near(place, message, Some(meant));
    }
}

/// The managers that say nothing of their role: the first is active, the second is standby.
fn share_roles(scenario: &mut Scenario) {
    let managers: Vec<NodeName> = scenario.site.managers().into_iter().cloned().collect();
    let taken = |cluster: &SimulatedCluster, role: &str| cluster.nodes.values().any(|node| node.role == role);
    for manager in &managers {
        let free = ["active", "standby"].into_iter().find(|role| !taken(&scenario.cluster, role));
        if let (Some(free), Some(node)) = (free, scenario.cluster.nodes.get_mut(manager))
            && node.role.is_empty()
        {
            node.role = free.into();
        }
    }
    for node in scenario.cluster.nodes.values_mut().filter(|node| node.role.is_empty()) {
        node.role = "null".into();
    }
}

fn read(mut top: Table<'_>) -> Read {
    let place = top.place.clone();
    let profile = top.text("profile").unwrap_or(Located { value: PROFILE.into(), place });
    let mut declared = Vec::new();
    let (nodes, simulated) = read_nodes(&mut top);
    let mut patterns = Vec::new();
    let grants = top.field("grants").and_then(|field| field.table()).map(|mut table| {
        let block = grants_file::read_patterns(&mut table, &mut patterns);
        table.finish("[grants]");
        block
    });
    let cluster = SimulatedCluster {
        start: top.field("start").and_then(|field| read_start(&field)).unwrap_or_else(default_start),
        seed: top
            .field("seed")
            .and_then(|field| field.number(0..=1_000_000))
            .and_then(|seed| u32::try_from(seed).ok())
            .unwrap_or_default(),
        nodes: simulated,
        files: read_files(&mut top, &mut declared),
        happened: top
            .texts("happened")
            .into_iter()
            .filter_map(|text| {
                let command = parse_name(top.source.reading, &text.value, &text.place)?;
                declared.push(("command", text));
                Some(command)
            })
            .collect(),
        answers: read_answers(&mut top, &mut declared),
        secrets: read_secrets(&mut top),
        passphrase: None,
        operator: top
            .field("operator")
            .and_then(|field| field.table())
            .map(read_operator)
            .unwrap_or_default(),
        manager: match top.field("manager") {
            // 0: nothing answers.
            Some(field) => field.number(0..=599).and_then(|s| u16::try_from(s).ok()).filter(|s| *s > 0),
            None => Some(ACCESSED),
        },
        roles_move: top.flag("roles_move").unwrap_or(false),
    };
    let vars = top.field("vars").and_then(|field| field.table()).map(|table| {
        let var = |field: Field<'_>| {
            let value = literal(&field)?;
            Some((field.key.clone(), Located { value, place: field.key_place }))
        };
        table.all().into_iter().filter_map(var).collect()
    });
    let (params, events) = (texts(&mut top, "params"), top.field("events"));
    let events = events.map(|field| field.tables()).unwrap_or_default();
    let events = events.into_iter().filter_map(read_event).collect();
    let allow_secret_in_argv = top.flag("allow_secret_in_argv").unwrap_or(false);
    top.finish("scenarios/NAME.toml");
    let vars = vars.unwrap_or_default();
    Read { profile, nodes, vars, patterns, declared, cluster, grants, params, events, allow_secret_in_argv }
}

/// A site that nobody has: what a rehearsal needs of one, and no way to any node.
fn simulated_site(
    name: &str,
    nodes: IndexMap<NodeName, Node>,
    profile: Profile,
    vars: IndexMap<String, Var>,
) -> Site {
    Site {
        dir: Utf8PathBuf::new(),
        name: name.to_owned(),
        trust: Trust::Dev,
        outside_envelope: OutsideEnvelope::Warn,
        operators: Vec::new(),
        nodes,
        become_users: IndexMap::new(),
        manager: Some(Manager { url: "https://manager.invalid".into(), ca: None, expect: vec![ACCESSED] }),
        secrets: IndexMap::new(),
        procedures: IndexMap::new(),
        hooks: Vec::new(),
        grants: IndexMap::new(),
        profile,
        vars,
        ssh: SshSettings::default(),
        attention: AttentionSettings::default(),
        digest: String::new(),
        digests: Digests::default(),
        lab: None,
    }
}

type Nodes = (IndexMap<NodeName, Located<Node>>, IndexMap<NodeName, SimulatedNode>);

/// The nodes; without any, two managers.
fn read_nodes(top: &mut Table<'_>) -> Nodes {
    let (mut nodes, mut simulated) = (IndexMap::new(), IndexMap::new());
    let place = top.place.clone();
    let node = |name: &NodeName, groups: Vec<String>, place: Place| {
        let address = Address::Ssh(name.to_string());
        let node = Node { name: name.clone(), address, groups, host: None, alias: Vec::new() };
        Located { value: node, place }
    };
    let given = top.field("nodes").is_some();
    for (field, mut table) in top.named("nodes") {
        let name = node_name(&field, &table);
        let groups = match table.field("groups") {
            Some(groups) => groups
                .texts()
                .into_iter()
                .filter_map(|group| {
                    let checked: NodeName = parse_name(table.source.reading, &group.value, &group.place)?;
                    Some(String::from(checked))
                })
                .collect(),
            None => vec!["managers".to_owned()],
        };
        let role = table.word("role", &[("active", "active"), ("standby", "standby"), ("null", "null")]);
        let state = table.word("state", &[("normal", "normal"), ("abnormal", "abnormal"), ("null", "null")]);
        let settles = table.field("settles").and_then(|field| field.duration());
        let clock = table.field("clock").and_then(|field| field.number(-86_400_000..=86_400_000));
        let at = table.place.clone();
        table.finish("[nodes.NAME]");
        if let Some(name) = name {
            simulated.insert(
                name.clone(),
                SimulatedNode {
                    role: role.unwrap_or_default().into(),
                    state: state.unwrap_or("normal").into(),
                    settles,
                    clock: clock.unwrap_or_default(),
                },
            );
            nodes.insert(name.clone(), node(&name, groups, at));
        }
    }
    if !given {
        for name in ["master1", "master2"].into_iter().filter_map(|name| NodeName::new(name).ok()) {
            nodes.insert(name.clone(), node(&name, vec!["managers".to_owned()], place.clone()));
            simulated.insert(
                name,
                SimulatedNode { role: String::new(), state: "normal".into(), settles: None, clock: 0 },
            );
        }
    }
    (nodes, simulated)
}

fn default_start() -> i64 {
    START.parse::<jiff::Timestamp>().map_or(0, |start| start.as_millisecond())
}

fn read_start(field: &Field<'_>) -> Option<i64> {
    let text = field.text()?;
    match text.value.parse::<jiff::Timestamp>() {
        Ok(start) => Some(start.as_millisecond()),
        Err(_) => {
            field.mistake(format!(
                "{} is {}; a moment is written as \"{START}\"",
                field.path,
                shown(&text.value)
            ));
            None
        }
    }
}

fn read_files(
    top: &mut Table<'_>,
    declared: &mut Vec<(&'static str, Located<String>)>,
) -> IndexMap<FileName, SimulatedFile> {
    let mut files = IndexMap::new();
    for (field, mut table) in top.named("files") {
        let name = field.key_name::<FileName>();
        let (absent, text) = (table.flag("absent").unwrap_or(false), table.text("text"));
        let file = match (absent, text) {
            (true, None) => Some(SimulatedFile::Absent),
            (false, Some(text)) => Some(SimulatedFile::Text(text.value)),
            _ => {
                table.mistake(format!("{table} says either absent = true or text = \"…\""));
                None
            }
        };
        table.finish("[files.NAME]");
        declared.push(("file", Located { value: field.key.clone(), place: field.key_place.clone() }));
        if let (Some(name), Some(file)) = (name, file) {
            files.insert(name, file);
        }
    }
    files
}

fn read_answers(
    top: &mut Table<'_>,
    declared: &mut Vec<(&'static str, Located<String>)>,
) -> Vec<SimulatedAnswer> {
    let tables = top.field("answers").map(|field| field.tables()).unwrap_or_default();
    let mut answers = Vec::new();
    for mut table in tables {
        let command = table.required("command", "the command that answers").and_then(|field| {
            let name = field.name::<CommandName>()?;
            declared.push(("command", Located { value: name.to_string(), place: field.place.clone() }));
            Some(name)
        });
        let node = table.field("node").and_then(|field| field.name::<NodeName>());
        let exit = table.field("exit").and_then(|field| field.number(0..=255)).unwrap_or(0);
        let output = table.texts("output").into_iter().map(|line| line.value).collect();
        let times = table.field("times").and_then(|field| field.number(1..=1_000_000));
        table.finish("[[answers]]");
        if let Some(command) = command {
            answers.push(SimulatedAnswer {
                command,
                node,
                exit: i32::try_from(exit).unwrap_or_default(),
                output,
                times: times.and_then(|times| u32::try_from(times).ok()),
            });
        }
    }
    answers
}

fn read_operator(mut table: Table<'_>) -> SimulatedOperator {
    const WORDS: &[(&str, Option<bool>)] = &[("yes", Some(true)), ("no", Some(false)), ("nobody", None)];
    let mut said = |key| table.word(key, WORDS).unwrap_or(Some(true));
    let operator = SimulatedOperator {
        confirm: said("confirm"),
        acknowledge: said("acknowledge"),
        by_hand: said("by_hand"),
    };
    table.finish("[operator]");
    operator
}

/// One event: bound as a hook is in a site, but to one step.
fn read_event(mut table: Table<'_>) -> Option<Located<ScenarioEvent>> {
    let reading = table.source.reading;
    let bound = hooks::bound(&mut table);
    let (details, params) = (texts(&mut table, "details"), texts(&mut table, "params"));
    table.finish("[[events]]");
    let Located { value: (procedure, at), place } = bound?;
    if let HookAt::BeforeStep(Steps::Each) | HookAt::AfterStep(Steps::Each) = at {
        reading.mistake(&place, format!("an event is of one step, as \"{procedure}/restart@first\""));
    }
    Some(Located { value: ScenarioEvent { procedure, at, details, params }, place })
}

/// A table of names with their values.
fn read_secrets(top: &mut Table<'_>) -> IndexMap<String, String> {
    let Some(secrets) = top.field("secrets") else { return IndexMap::new() };
    let fields = secrets.table().map(|table| table.all()).unwrap_or_default();
    if fields.len() > MOST_SECRETS {
        secrets.mistake(format!("{} secrets are given, and {MOST_SECRETS} may be", fields.len()));
        return IndexMap::new();
    }
    let read = |field: Field<'_>| {
        let secret = field.scalar()?;
        if secret.len() > LONGEST_SECRET {
            let length = secret.len();
            field.mistake(format!("{} has {length} bytes, and may have {LONGEST_SECRET}", field.path));
            return None;
        }
        Some((field.key.clone(), secret))
    };
    fields.into_iter().filter_map(read).collect()
}

fn texts(table: &mut Table<'_>, key: &'static str) -> IndexMap<String, String> {
    let inner = table.field(key).and_then(|field| field.table());
    let fields = inner.map(|table| table.all()).unwrap_or_default();
    fields.into_iter().filter_map(|field| Some((field.key.clone(), field.scalar()?))).collect()
}
