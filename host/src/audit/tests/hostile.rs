//! Plugins that mean harm (`tests/hostile/audit`): for each its trick, and what holds.
//!
//! `table.toml` says so, and every line of it can fail: a finding must be of the rule and about the effect that the
//! table names; what is harmless is denied in words that it names, with the cluster as it was; what only the night would
//! show is stopped by the envelope before it happens, and happens where the envelope only warns.

use crate::audit::{End, How, Setting, Stage, disagreements, rehearse, uses};
use crate::capability::secrets::PasswordPolicy;
use crate::model::audit::{Finding, Level, Rule};
use crate::model::{PauseReason, RunId};
use crate::plugin::tests::{guest, scripts};
use crate::plugin::{
    Engine, Kind, Language, Limits, Plugin, Profile, Script, ScriptEngine, engine, manifest,
};
use crate::policy::{Bounds, Rules};
use crate::site::{GrantBlock, Scenario};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Far more than any guest here needs that ends, and soon spent by one that does not.
const LIMITS: Limits =
    Limits { memory: 96 << 20, time: std::time::Duration::from_secs(10), fuel: 1_500_000_000, copy: 8 << 20 };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tricks: Vec<Trick>,
}

/// One plugin; exactly one of the last five says what holds of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trick {
    /// A file of the folder or beside it, or `hostile:NAME`: that trick of the guest in Rust.
    plugin: String,
    trick: String,
    #[serde(default)]
    scenario: String,
    flagged: Option<Flagged>,
    stopped: Option<Stopped>,
    harmless: Option<Harmless>,
    /// Why it does not load.
    refused: Option<String>,
    /// Why neither finds it.
    missed: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Flagged {
    rule: Rule,
    /// In the finding's effect.
    effect: Option<String>,
    /// The finding's call.
    call: Option<String>,
    /// In its message or its evidence.
    says: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Harmless {
    /// What the transcript has: a denial where nothing is granted; where it has all that it asks for, what holds it.
    says: String,
    #[serde(default)]
    granted: bool,
    /// Nor is there anything else to be found.
    #[serde(default)]
    clean: bool,
}

/// What is rehearsed says nothing; there it does something else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    there: String,
    /// As the envelope has it, and as a transcript does.
    entry: String,
    effect: String,
}

fn folder() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hostile/audit")
}

fn table() -> Vec<Trick> {
    let text = std::fs::read_to_string(folder().join("table.toml")).unwrap();
    toml::from_str::<Table>(&text).unwrap().tricks
}

fn rehearsing() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine(Profile::Rehearse).unwrap())
}

/// The engine of a language; none: it is not built here.
fn engine_of(language: Language) -> Option<ScriptEngine> {
    static ENGINES: OnceLock<Vec<ScriptEngine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| scripts::engines(rehearsing()));
    engines.iter().find(|engine| engine.language() == language).cloned()
}

/// Loads a plugin of the table; none: what it needs is not built here; an error: it is refused.
fn load(trick: &Trick) -> Option<Result<Arc<Plugin>, String>> {
    let said = |error: crate::plugin::PluginError| guest::chain(&error);
    let plugin = if trick.plugin.starts_with("hostile:") {
        let components = std::env::var_os("WINDLASS_COMPONENTS")?;
        static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = BUILT.get_or_init(|| std::fs::read(Path::new(&components).join("hostile.wasm")).unwrap());
        Plugin::compile(rehearsing(), "hostile.wasm", bytes)
    } else {
        let bytes = std::fs::read(folder().join(&trick.plugin)).unwrap();
        match Language::of(&trick.plugin) {
            Some(language) => {
                let script = Script::read(&trick.plugin, &bytes);
                let engine = engine_of(language)?;
                script.map(|script| Plugin::script(&engine, script))
            }
            None => {
                Plugin::compile(rehearsing(), &trick.plugin, &component(&String::from_utf8(bytes).unwrap()))
            }
        }
    };
    Some(plugin.map(|plugin| Arc::new(plugin.with_limits(LIMITS))).map_err(said))
}

/// A hook made of a text that does in `handle` what the text says of `apply`, with the needs of its lines `;;= list`, and
/// with what a line `;;+` says of its manifest: that it is a procedure's, or there a second time; or the whole component or module that the text is.
fn component(text: &str) -> Vec<u8> {
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(";;= ")).collect();
    let need = format!("reason = \"It says that it needs this\"\n{}", lines.join("\n"));
    let needs = if lines.is_empty() { Vec::new() } else { vec![toml::from_str(&need).unwrap()] };
    let whole = ["(component", "(module"].iter().any(|form| text.contains(form));
    let six = "(func $handle (param i32 i32 i32 i32 i32 i32)";
    let (kind, bare) = match whole {
        true => (Kind::Procedure, guest::bare_procedure(text)),
        false => (Kind::Hook, guest::bare_hook(&text.replace("(func $apply (param i32 i32)", six))),
    };
    let says = |what: &str| text.lines().any(|line| line.strip_prefix(";;+ ") == Some(what));
    let kind = if says("procedure") { Kind::Procedure } else { kind };
    let manifest = crate::plugin::Manifest { needs, ..guest::a_manifest(kind) };
    // What is no component takes no manifest either.
    let mut made = manifest::append(&bare, &manifest).unwrap_or_else(|_| bare.clone());
    if says("manifest") {
        let second = manifest::append(&bare, &manifest).unwrap();
        made.extend_from_slice(&second[bare.len()..]);
    }
    made
}

fn asked(plugin: &Plugin) -> Rules {
    let mut asked = Rules::default();
    for need in plugin.manifest().needs.clone() {
        asked.extend(
            Rules::parse(&GrantBlock {
                commands: need.commands,
                files: need.files,
                endpoints: need.endpoints,
                crypto: need.crypto,
                keyring: need.keyring,
                secrets: need.secrets,
                general: need.general,
                digest: None,
            })
            .unwrap(),
        );
    }
    asked
}

fn setting(trick: &Trick, plugin: &Arc<Plugin>, scenario: &str) -> Setting {
    // The simulated site is called as its scenario is.
    let file = tempfile::Builder::new().prefix("rehearsal-").suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), scenario).unwrap();
    let scenario = Scenario::load(&folder(), Utf8Path::from_path(file.path()).unwrap())
        .unwrap_or_else(|errors| panic!("{}: {errors}", trick.plugin));
    let mut parameters = IndexMap::new();
    if let Some(name) = trick.plugin.strip_prefix("hostile:") {
        parameters.insert("trick".to_owned(), name.to_owned());
    }
    let needs = asked(plugin);
    let grants = match &scenario.grants {
        Some(block) => Rules::parse(block).unwrap(),
        None => needs.clone(),
    };
    Setting {
        plugin: plugin.clone(),
        needs,
        grants,
        scenario,
        parameters,
        policy: PasswordPolicy::mrs_2(),
        run: RunId::new("rehearsal").unwrap(),
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Everything that an audit would say of it.
fn findings(plugin: &Plugin, setting: &Setting) -> (Vec<Finding>, crate::audit::Shown) {
    let how = How { threads: 1, only: None, progress: &|_, _, _| {} };
    let shown = rehearse(&[("here".to_owned(), setting.clone())], &how).unwrap();
    let mut all = shown.findings.clone();
    all.extend(block(disagreements(plugin)).unwrap_or_default());
    for need in &plugin.manifest().needs {
        for (list, patterns) in
            [("commands", &need.commands), ("files", &need.files), ("secrets", &need.secrets)]
        {
            for pattern in patterns.iter().filter(|pattern| uses(list, pattern, &shown.took) == 0) {
                all.push(Finding::new(Rule::NeedUnused, pattern, pattern.clone()));
            }
        }
    }
    (all, shown)
}

impl Flagged {
    fn is(&self, finding: &Finding) -> bool {
        let within = |wanted: &Option<String>, text: Option<&String>| match wanted {
            None => true,
            Some(wanted) => text.is_some_and(|text| text.contains(wanted.as_str())),
        };
        let said =
            [&finding.message].into_iter().chain(&finding.evidence).cloned().collect::<Vec<_>>().join("\n");
        finding.rule == self.rule
            && within(&self.effect, finding.effect.as_ref())
            && within(&self.call, finding.call.as_ref())
            && within(&self.says, Some(&said))
    }
}

/// Whether what the table says holds; an error says what does instead.
fn holds(trick: &Trick) -> Option<Result<(), String>> {
    let plugin = match (load(trick)?, &trick.refused) {
        (Ok(plugin), None) => plugin,
        (Ok(_), Some(says)) => return Some(Err(format!("it loads, and is to be refused: {says}"))),
        (Err(why), Some(says)) if why.contains(says.as_str()) => return Some(Ok(())),
        (Err(why), _) => return Some(Err(format!("it is refused: {why}"))),
    };
    let here = setting(trick, &plugin, &trick.scenario);
    Some(match (&trick.flagged, &trick.stopped, &trick.harmless, &trick.missed) {
        (Some(flagged), None, None, None) => flags(flagged, &plugin, &here),
        (None, Some(stopped), None, None) => stops(trick, stopped, &plugin, &here),
        (None, None, Some(harmless), None) => is_harmless(harmless, &plugin, &here),
        (None, None, None, Some(_)) => is_missed(&plugin, &here),
        _ => Err("the table does not say what holds".into()),
    })
}

fn flags(flagged: &Flagged, plugin: &Plugin, here: &Setting) -> Result<(), String> {
    if flagged.effect.is_none() && flagged.call.is_none() && flagged.says.is_none() {
        return Err("the table does not say what the finding is about".into());
    }
    let (found, shown) = findings(plugin, here);
    if found.iter().any(|finding| flagged.is(finding)) {
        return Ok(());
    }
    let found: Vec<String> = found
        .iter()
        .map(|one| format!("{} {:?} {:?} {} {:?}", one.id, one.effect, one.call, one.message, one.evidence))
        .collect();
    let transcript = &shown.rehearsals.scenarios[0].transcript;
    Err(format!("no {flagged:?} in {found:#?}\n{transcript:#?}"))
}

fn is_missed(plugin: &Plugin, here: &Setting) -> Result<(), String> {
    let (found, _) = findings(plugin, here);
    match found.iter().find(|finding| finding.level > Level::Note) {
        None => Ok(()),
        Some(finding) => Err(format!("it is found after all: {finding:?}")),
    }
}

/// Nothing is granted: it is denied, and nothing is changed. Or all is, and something else holds it.
fn is_harmless(harmless: &Harmless, plugin: &Plugin, here: &Setting) -> Result<(), String> {
    let grants = if harmless.granted { here.grants.clone() } else { Rules::default() };
    let here = Setting { grants, ..here.clone() };
    let played = block(Stage::set(here.clone()).unwrap().play(None)).unwrap();
    let lines = Stage::transcript(&played);
    let sign = if harmless.granted { "" } else { "  ! " };
    let is_held = lines.iter().any(|line| line.contains(sign) && line.contains(&harmless.says));
    let changes = lines.iter().any(|line| line.trim_start().starts_with("* "));
    let is_as_it_was = !changes && played.life.standing().is_as_it_was();
    if !is_held || !(is_as_it_was || harmless.granted) {
        return Err(format!("it is not held by {:?}: {lines:#?}", harmless.says));
    }
    if harmless.clean { is_missed(plugin, &here) } else { Ok(()) }
}

/// What was rehearsed says nothing; where its trigger fires, the envelope stops it before it acts. Where it only warns, it
/// acts: so the trigger fires, and it is the envelope that stops it.
fn stops(trick: &Trick, stopped: &Stopped, plugin: &Arc<Plugin>, here: &Setting) -> Result<(), String> {
    let (found, shown) = findings(plugin, here);
    let above: Vec<&Finding> = found.iter().filter(|one| one.level > Level::Note).collect();
    if !above.is_empty() {
        return Err(format!("the audit finds it, which is better: {above:#?}"));
    }
    let play = |pauses: bool| {
        let there = setting(trick, plugin, &stopped.there);
        let bounds = Bounds {
            envelope: shown.envelope.clone(),
            nodes: there.scenario.site.nodes.keys().cloned().collect(),
            parameters: there.parameters.clone().into_iter().collect(),
            pauses,
        };
        let played = block(Stage::set(there).unwrap().held_to(bounds).play(None)).unwrap();
        let lines = Stage::transcript(&played);
        (played, lines)
    };
    let (played, lines) = play(true);
    let acts = |lines: &[String]| {
        lines.iter().any(|line| line.trim_start().starts_with(&format!("* {}", stopped.effect)))
    };
    let why = match &played.end {
        End::Paused(PauseReason::OutsideEnvelope, why) => why.clone(),
        End::Answered(answers) => {
            answers.iter().find_map(|one| Some(one.as_ref().err()?.message.clone())).unwrap_or_default()
        }
        other => other.words(),
    };
    if !why.contains(&format!("no rehearsal of what was certified did this: {}", stopped.entry))
        || acts(&lines)
    {
        return Err(format!("it is not stopped: {why}: {lines:#?}"));
    }
    let (_, lines) = play(false);
    match acts(&lines) {
        true => Ok(()),
        false => Err(format!("its trigger does not fire there: {lines:#?}")),
    }
}

/// Holds those of the table whose plugin is of one kind.
fn hold(kind: &str, of: impl Fn(&Trick) -> bool) {
    let only = std::env::var("WINDLASS_TRICK").ok();
    let mut tricks = table();
    tricks.retain(|trick| of(trick) && only.as_ref().is_none_or(|only| trick.plugin.contains(only.as_str())));
    let (next, failures, skipped) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(trick) = tricks.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let began = std::time::Instant::now();
                    match holds(trick) {
                        Some(Ok(())) => {}
                        Some(Err(why)) => {
                            failures.lock().unwrap().push(format!("{}: {}: {why}", trick.plugin, trick.trick))
                        }
                        None => drop(skipped.fetch_add(1, Ordering::SeqCst)),
                    }
                    println!("{}: {} ms", trick.plugin, began.elapsed().as_millis());
                }
            });
        }
    });
    let (failures, skipped) = (failures.into_inner().unwrap(), skipped.into_inner());
    if skipped > 0 {
        println!(
            "skipped: {skipped} tricks in {kind}, whose engine or guest is not built; run `cargo xtask test`"
        );
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), tricks.len(), failures.join("\n\n"));
}

#[test]
fn what_is_tried_in_python_is_found_harmless_or_stopped() {
    hold("Python", |trick| trick.plugin.ends_with(".py"));
}

#[test]
fn what_is_tried_in_javascript_is_found_harmless_or_stopped() {
    hold("JavaScript", |trick| trick.plugin.ends_with(".js"));
}

#[test]
fn what_is_tried_in_components_is_found_harmless_or_stopped() {
    hold("components", |trick| !trick.plugin.ends_with(".py") && !trick.plugin.ends_with(".js"));
}

#[test]
fn the_table_is_whole() {
    let tricks = table();
    let held = tricks.iter().filter(|trick| trick.missed.is_none()).count();
    assert!(held >= 40, "{held}");
    let of = |is: &dyn Fn(&str) -> bool| tricks.iter().filter(|trick| is(&trick.plugin)).count();
    for ending in [".py", ".js", ".wat"] {
        assert!(of(&|plugin| plugin.ends_with(ending)) >= 8, "{ending}");
    }
    assert!(of(&|plugin| plugin.starts_with("hostile:")) >= 8);
    let named: BTreeSet<String> = tricks.iter().map(|trick| trick.plugin.clone()).collect();
    assert_eq!(named.len(), tricks.len(), "a plugin is there twice");
    for entry in folder().read_dir_utf8().unwrap() {
        let file = entry.unwrap().file_name().to_owned();
        let is_plugin = [".py", ".js", ".wat"].iter().any(|ending| file.ends_with(ending));
        assert!(!is_plugin || named.contains(&file), "{file} is in no line of the table");
    }
    for trick in tricks.iter().filter(|trick| trick.missed.is_some()) {
        println!(
            "missed: {}: {}: {}",
            trick.plugin,
            trick.trick,
            trick.missed.as_deref().unwrap_or_default()
        );
    }
}
