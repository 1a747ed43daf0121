//! Components made from text, and a call path that records.

use crate::model::{Answer, Effect, StepId, Stop};
use crate::plugin::types::Performed;
use crate::plugin::{CallPath, Engine, Kind, Limits, Manifest, Plugin, Profile, engine, manifest};
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// One engine for all tests: making one takes longer than most of them.
pub fn run_engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine(Profile::Run).unwrap())
}

/// Short enough for a test to wait for, long enough for a busy machine.
pub fn tight() -> Limits {
    Limits { memory: 32 << 20, time: Duration::from_millis(200), ..Limits::default() }
}

pub fn step(id: &str) -> StepId {
    StepId::new(id).unwrap()
}

pub fn a_manifest(kind: Kind) -> Manifest {
    Manifest {
        name: crate::model::PluginName::new("guest").unwrap(),
        version: "1.0.0".into(),
        kind,
        api: "0.1".into(),
        summary: "A guest of the tests".into(),
        approvals: 0,
        needs: vec![],
    }
}

/// Returns a component with a manifest, made from text: a whole component or module, or the fields of the
/// core module of a procedure. Exports that the fields lack answer with zeros: no text, no steps, all well.
pub fn procedure(text: &str) -> Vec<u8> {
    with_manifest(bare_procedure(text), Kind::Procedure)
}

pub fn with_manifest(component: Vec<u8>, kind: Kind) -> Vec<u8> {
    manifest::append(&component, &a_manifest(kind)).unwrap()
}

pub fn bare_procedure(text: &str) -> Vec<u8> {
    if text.contains("(component") || text.contains("(module") {
        return wat::parse_str(text).unwrap();
    }
    let exports = [
        ("describe", "(result i32)"),
        ("steps", "(result i32)"),
        ("apply", "(param i32 i32) (result i32)"),
        ("undo", "(param i32 i32) (result i32)"),
        ("verify", "(result i32)"),
    ];
    component("procedure", "procedure-api", &exports, text)
}

pub fn hook(text: &str) -> Vec<u8> {
    with_manifest(bare_hook(text), Kind::Hook)
}

pub fn bare_hook(text: &str) -> Vec<u8> {
    // The event is six words: of its code, its details and its parameters, where they are and how many.
    let exports = [("describe", "(result i32)"), ("handle", "(param i32 i32 i32 i32 i32 i32) (result i32)")];
    component("hook", "hook-api", &exports, text)
}

fn component(world: &str, interface: &str, exports: &[(&str, &str)], fields: &str) -> Vec<u8> {
    let mut module = format!("(module {fields}\n");
    for (name, signature) in exports {
        if !fields.contains(&format!("(func ${name} ")) {
            module += &format!("(func ${name} {signature} (i32.const 1024))\n");
        }
        module += &format!("(export \"windlass:plugin/{interface}@0.1.1#{name}\" (func ${name}))\n");
    }
    if !fields.contains("(memory ") {
        module += "(memory (export \"memory\") 1)\n";
    }
    // Hands out memory from 32 KiB on, and never takes it back.
    module += "(global $free (mut i32) (i32.const 32768))
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
          (global.get $free)
          (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7))
                                     (i32.const -8)))))";
    let mut module = wat::parse_str(&module).unwrap();
    let mut resolve = Resolve::default();
    let (mut package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let mut world = world.to_owned();
    // What a guest has besides: a text in WIT with a world of its own, line by line behind `;;:`.
    let more: Vec<&str> = fields.lines().filter_map(|line| line.strip_prefix(";;: ")).collect();
    if !more.is_empty() {
        let text = more.join("\n").replace("WORLD", &world);
        package = resolve.push_str("more.wit", &text).unwrap();
        world = "guest".to_owned();
    }
    let world = resolve.select_world(&[package], Some(&world)).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

pub fn load(component: &[u8]) -> Plugin {
    Plugin::compile(run_engine(), "guest.wasm", component).unwrap()
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// Answers every effect by a function, and keeps what was asked.
pub struct Recorder<F> {
    pub effects: Vec<Effect>,
    answer: F,
    /// How long each effect takes.
    pub delay: Duration,
}

impl<F: FnMut(&Effect) -> Performed + Send> Recorder<F> {
    pub fn new(answer: F) -> Self {
        Self { effects: vec![], answer, delay: Duration::ZERO }
    }
}

impl<F: FnMut(&Effect) -> Performed + Send> CallPath for Recorder<F> {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(async move {
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            let answer = (self.answer)(&effect);
            self.effects.push(effect);
            answer
        })
    }
}

/// A path for guests that are not meant to reach it.
pub fn unreached() -> Recorder<impl FnMut(&Effect) -> Performed + Send> {
    Recorder::new(|effect| panic!("no effect was expected: {effect}"))
}

pub fn answered(answer: Answer) -> Performed {
    Ok(Ok(answer))
}

pub fn stopped(message: &str) -> Performed {
    Err(Stop::new(crate::model::PauseReason::LeaseLost, message))
}
