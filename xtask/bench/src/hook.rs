//! One call of a hook, whole: the event in, a fresh instance, one effect through the gate, the verdict out; the journal
//! aside, the image in the cache. Beside it, what starting another program for it would take. And what a hundred hooks
//! of one run hold in memory.

use crate::call::Gated;
use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::process::{Command, Stdio};
use windlass::model::{Answer, Entry};
use windlass::plugin::cache::Cache;
use windlass::plugin::{Engine, HookEvent, Language, Plugin, Profile, Script, ScriptEngine, engine, sha256};
use windlass::policy::{Gate, Rules};
use windlass::site::GrantBlock;

const COUNT: usize = 200;
const MANY: usize = 100;
const HEAD: &str =
    "/// windlass\napi = \"0.1\"\nsummary = \"x\"\n\n[[needs]]\nreason = \"x\"\ngeneral = [\"note\"]\n///";

pub fn measure(components: &Utf8Path, engines: Option<&Utf8Path>, folder: &Utf8Path) -> Result<()> {
    let bench = Bench {
        cache: Cache::open(folder.join("images").as_std_path())?,
        engine: engine(Profile::Run)?,
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    let trail = std::fs::read(components.join("trail.wasm"))?;
    let rust = bench.cache.load(&bench.engine, "trail.wasm", &trail)?;
    bench.call("Rust", &rust, 100e-6, ["sh", "-c", "true"])?;
    many(&bench, &trail)?;
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
        let digest = sha256(&bytes);
        let runs = ScriptEngine::load(&bench.engine, &bench.cache, language, file.as_str(), &bytes, digest)?;
        let scripts = |number: usize| -> Result<Plugin> {
            let (comment, body) = match language {
                Language::Python => ("# ", "note(f'{event.code} {event.node}')"),
                Language::JavaScript => ("// ", "note(`${event.code} ${event.node}`)"),
            };
            let head: String = HEAD.lines().map(|line| format!("{comment}{line}\n")).collect();
            let name = format!("hook-{number}.{}", language.extension());
            Ok(Plugin::script(&runs, Script::read(&name, format!("{head}{body}\n").as_bytes())?))
        };
        bench.call(&format!("{language} script"), &scripts(0)?, goal, peer)?;
        let before = resident()?;
        let bound = (0..MANY).map(scripts).collect::<Result<Vec<_>>>()?;
        bound.iter().try_for_each(|hook| bench.once(hook).map(drop))?;
        println!("{MANY} {language} scripts of one run hold {} more", shown(before, resident()?));
    }
    Ok(())
}

/// What every measurement needs.
struct Bench {
    engine: Engine,
    cache: Cache,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// Times one hook, beside starting a program.
    fn call(&self, what: &str, hook: &Plugin, goal: f64, peer: [&str; 3]) -> Result<()> {
        let times = (0..COUNT).map(|_| self.once(hook)).collect::<Result<Vec<_>>>()?;
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
    fn once(&self, hook: &Plugin) -> Result<f64> {
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
        let gate = Gate::new(hook.name().clone(), rules()?, rules()?, false);
        let mut path = Gated { gate, answer: Answer::Done };
        let began = std::time::Instant::now();
        self.runtime.block_on(hook.hook_handle(&mut path, &event))?.map_err(|fault| fault.message)?;
        Ok(began.elapsed().as_secs_f64())
    }
}

/// As many components, each of other bytes: a custom section behind the manifest says which one it is.
fn many(bench: &Bench, component: &[u8]) -> Result<()> {
    let load = |number: usize| -> Result<Plugin> {
        let name = format!("{number:03}");
        let mut bytes = component.to_vec();
        // Custom, four bytes long, three of them its name.
        bytes.extend_from_slice(&[0, 4, 3]);
        bytes.extend_from_slice(name.as_bytes());
        Ok(bench.cache.load(&bench.engine, "hook.wasm", &bytes)?)
    };
    // Compiled once, so that only what a run holds is counted.
    (0..MANY).try_for_each(|number| load(number).map(drop))?;
    let before = resident()?;
    let bound = (0..MANY).map(load).collect::<Result<Vec<_>>>()?;
    bound.iter().try_for_each(|hook| bench.once(hook).map(drop))?;
    println!("{MANY} hooks in Rust of one run hold {} more", shown(before, resident()?));
    Ok(())
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
