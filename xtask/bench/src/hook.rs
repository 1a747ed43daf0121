//! One call of a hook, whole: the event in, a fresh instance, one effect through the gate, the verdict out; the journal
//! aside, the image in the cache. Beside it, what starting another program for it would take. And what a hundred hooks
//! of one run hold in memory.

use crate::commit::Double;
use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::future::Future;
use std::pin::Pin;
use std::process::{Command, Stdio};
use windlass::model::{Answer, Effect, Entry};
use windlass::plugin::cache::Cache;
use windlass::plugin::{
    CallPath, Engine, HookEvent, Language, Performed, Plugin, Profile, Script, ScriptEngine, engine, manifest,
};
use windlass::policy::{Gate, Rules};
use windlass::site::GrantBlock;

const COUNT: usize = 200;
const MANY: usize = 100;
const HEAD: &str =
    "/// windlass\napi = \"0.1\"\nsummary = \"x\"\n\n[[needs]]\nreason = \"x\"\ngeneral = [\"note\"]\n///";

struct Gated(Gate);

impl CallPath for Gated {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(async move {
            Ok(match self.0.check(effect, &Double) {
                Err(denial) => Err(denial.to_fault()),
                Ok(_permit) => Ok(Answer::Done),
            })
        })
    }
}

pub fn measure(components: &Utf8Path, engines: Option<&Utf8Path>, folder: &Utf8Path) -> Result<()> {
    let cache = Cache::open(folder.join("images").as_std_path())?;
    let engine = engine(Profile::Run)?;
    let trail = std::fs::read(components.join("trail.wasm"))?;
    let rust = cache.load(&engine, "trail.wasm", &trail)?;
    call("Rust", &rust, 100e-6, ["sh", "-c", "true"])?;
    many(&engine, &cache, &trail)?;
    let Some(engines) = engines else {
        println!("scripts: not measured, as their engines were not built; cargo xtask engines builds them");
        return Ok(());
    };
    for (language, goal, peer) in [
        (Language::JavaScript, 1e-3, ["node", "-e", "0"]),
        (Language::Python, 3e-3, ["python3", "-c", "pass"]),
    ] {
        let file = engines.join(format!("{}.wasm", language.engine()));
        let bytes = std::fs::read(&file)?;
        let runs = ScriptEngine::load(&engine, &cache, language, file.as_str(), &bytes)?;
        let scripts = |number: usize| -> Result<Plugin> {
            let (comment, body) = match language {
                Language::Python => ("# ", "note(f'{event.code} {event.node}')"),
                Language::JavaScript => ("// ", "note(`${event.code} ${event.node}`)"),
            };
            let head: String = HEAD.lines().map(|line| format!("{comment}{line}\n")).collect();
            let name = format!("hook-{number}.{}", language.extension());
            Ok(Plugin::script(&runs, Script::read(&name, format!("{head}{body}\n").as_bytes())?))
        };
        call(&format!("{language} script"), &scripts(0)?, goal, peer)?;
        let before = resident()?;
        let bound = (0..MANY).map(scripts).collect::<Result<Vec<_>>>()?;
        bound.iter().try_for_each(|hook| once(hook).map(drop))?;
        println!("{MANY} {language} scripts of one run hold {} more", shown(before, resident()?));
    }
    Ok(())
}

fn call(what: &str, hook: &Plugin, goal: f64, peer: [&str; 3]) -> Result<()> {
    let times = (0..COUNT).map(|_| once(hook)).collect::<Result<Vec<_>>>()?;
    let spawned = Times::of(20, || {
        let status = Command::new(peer[0]).args(&peer[1..]).stdin(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(format!("{} failed", peer[0]).into()) }
    });
    let beside = match spawned {
        Ok(spawned) => crate::times::shown(spawned.median()),
        Err(why) => format!("not here: {why}"),
    };
    tell(
        &format!("one call of a hook: {what}"),
        &Times::new(times),
        Some(goal),
        &format!(
            "fresh instance, one note through the gate; {COUNT} times. Starting `{}`: {beside}",
            peer.join(" ")
        ),
    );
    Ok(())
}

/// Calls a hook once; returns how long that took.
fn once(hook: &Plugin) -> Result<f64> {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap_or_else(|error| panic!("{error}"));
    }
    let rules = || {
        let block = GrantBlock {
            general: vec!["note".into()],
            endpoints: vec!["ha@*".into()],
            ..GrantBlock::default()
        };
        Rules::parse(&block)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
    let event = HookEvent {
        code: "after-step".into(),
        details: vec![entry("step", "restart@first"), entry("node", "master1"), entry("nodes", "")],
        parameters: Vec::new(),
    };
    let mut path = Gated(Gate::new(hook.name().clone(), rules()?, rules()?, false));
    let began = std::time::Instant::now();
    RUNTIME
        .with(|runtime| runtime.block_on(hook.hook_handle(&mut path, &event)))?
        .map_err(|fault| fault.message)?;
    Ok(began.elapsed().as_secs_f64())
}

/// As many components, each of other bytes.
fn many(engine: &Engine, cache: &Cache, component: &[u8]) -> Result<()> {
    let mut own = manifest::read(component)?;
    let bare = component.len() - section(component, &own)?;
    let load = |number: usize| -> Result<Plugin> {
        own.name = windlass::model::PluginName::new(format!("hook-{number}"))?;
        let bytes = manifest::append(component.get(..bare).unwrap_or_default(), &own)?;
        Ok(cache.load(engine, "hook.wasm", &bytes)?)
    };
    // Compiled once, so that only what a run holds is counted.
    let mut load = load;
    (0..MANY).try_for_each(|number| load(number).map(drop))?;
    let before = resident()?;
    let bound = (0..MANY).map(load).collect::<Result<Vec<_>>>()?;
    bound.iter().try_for_each(|hook| once(hook).map(drop))?;
    println!("{MANY} hooks in Rust of one run hold {} more", shown(before, resident()?));
    Ok(())
}

/// The bytes of a component's last section, its manifest.
fn section(component: &[u8], own: &windlass::plugin::Manifest) -> Result<usize> {
    let json = serde_json::to_vec(own)?;
    let at = component
        .windows(json.len())
        .rposition(|window| window == json)
        .ok_or("the manifest is not its last")?;
    let head = component.get(..at).ok_or("no head")?;
    let name =
        head.windows(manifest::SECTION.len()).rposition(|window| window == manifest::SECTION.as_bytes());
    // Id, length and name's length before the name: found by trying which cut leaves a component without a manifest.
    let name = name.ok_or("no section")?;
    (2..8)
        .map(|back| name.saturating_sub(back))
        .find(|cut| {
            matches!(
                manifest::read(component.get(..*cut).unwrap_or_default()),
                Err(windlass::plugin::ManifestError::Missing)
            )
        })
        .map(|cut| component.len() - cut)
        .ok_or_else(|| "the manifest's section was not found".into())
}

/// Bytes of this process that are in memory.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? << 10)
}

fn shown(before: u64, after: u64) -> String {
    format!("{:.1} MiB", (after.saturating_sub(before)) as f64 / f64::from(1 << 20))
}
