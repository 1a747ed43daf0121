//! What was published stays: the contract is held against what was recorded of it, and guests that were built for it
//! are loaded and called.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use windlass::model::{Answer, Effect, Entry, Fault, StepId};
use windlass::plugin::{CallPath, HookAnswer, HookEvent, Performed, Plugin, Profile, engine};
use wit_parser::{Resolve, Type, TypeDef, TypeDefKind, TypeOwner, WorldItem};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every function, type and export of the package, a line each; documentation is not part of it.
fn lines(wit: &Path) -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).expect("wit/ holds one valid package");
    // Within a series a later version has all that an earlier one had.
    let name = resolve.packages[package].name.to_string();
    let (series, _) = name.rsplit_once('.').expect("the package has a version");
    let mut lines = BTreeSet::from([format!("package {series}")]);
    for (interface_name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        for (type_name, id) in &interface.types {
            lines.insert(format!("{interface_name}.{type_name}: {}", defined(&resolve, &resolve.types[*id])));
        }
        for (function_name, function) in &interface.functions {
            let parameters: Vec<String> = function
                .params
                .iter()
                .map(|parameter| format!("{}: {}", parameter.name, named(&resolve, &parameter.ty)))
                .collect();
            let result = function.result.map_or("_".into(), |ty| named(&resolve, &ty));
            lines.insert(format!(
                "{interface_name}.{function_name}: func({}) -> {result}",
                parameters.join(", ")
            ));
        }
    }
    for (world_name, id) in &resolve.packages[package].worlds {
        let world = &resolve.worlds[*id];
        for (way, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            for item in items.values() {
                let WorldItem::Interface { id, .. } = item else { continue };
                let interface = resolve.interfaces[*id].name.as_deref().unwrap_or("?");
                lines.insert(format!("world {world_name} {way} {interface}"));
            }
        }
    }
    lines
}

/// A type by its name, or by its structure where it has none.
fn named(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
    let definition = &resolve.types[*id];
    match (&definition.name, definition.owner) {
        (Some(name), TypeOwner::Interface(owner)) => {
            format!("{}.{name}", resolve.interfaces[owner].name.as_deref().unwrap_or("?"))
        }
        _ => defined(resolve, definition),
    }
}

fn defined(resolve: &Resolve, definition: &TypeDef) -> String {
    let optional = |ty: &Option<Type>| ty.as_ref().map_or("_".into(), |ty| named(resolve, ty));
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, named(resolve, &field.ty)))
                .collect();
            format!("record {{ {} }}", fields.join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases: Vec<_> =
                variant.cases.iter().map(|case| format!("{}({})", case.name, optional(&case.ty))).collect();
            format!("variant {{ {} }}", cases.join(", "))
        }
        TypeDefKind::Enum(of) => {
            format!(
                "enum {{ {} }}",
                of.cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>().join(", ")
            )
        }
        TypeDefKind::List(of) => format!("list<{}>", named(resolve, of)),
        TypeDefKind::Option(of) => format!("option<{}>", named(resolve, of)),
        TypeDefKind::Result(of) => format!("result<{}, {}>", optional(&of.ok), optional(&of.err)),
        TypeDefKind::Tuple(of) => {
            format!("tuple<{}>", of.types.iter().map(|ty| named(resolve, ty)).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Type(of) => named(resolve, of),
        other => format!("{other:?}"),
    }
}

/// What of the recorded contract the present one breaks.
fn broken(recorded: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    recorded.difference(now).cloned().collect()
}

#[test]
fn the_contract_is_what_was_recorded_but_for_additions() {
    let file = root().join("tests/fixtures/contract.txt");
    let now = lines(&root().join("wit"));
    if std::env::var_os("WINDLASS_UPDATE").is_some() {
        let text: Vec<&str> = now.iter().map(String::as_str).collect();
        std::fs::write(&file, text.join("\n") + "\n").unwrap();
    }
    let recorded: BTreeSet<String> =
        std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    assert!(recorded.len() > 100, "{recorded:?}");
    let broken = broken(&recorded, &now);
    assert!(
        broken.is_empty(),
        "the contract was recorded with these, and is without them; guests that were built for it would not load (see \
         wit/README.md; before 0.1 is frozen, WINDLASS_UPDATE=1 records it anew):\n{}",
        broken.join("\n")
    );
    // What is added is recorded with the change that adds it.
    let unrecorded: Vec<_> = now.difference(&recorded).collect();
    assert!(unrecorded.is_empty(), "not recorded yet: WINDLASS_UPDATE=1 does it\n{unrecorded:#?}");
}

#[test]
fn what_breaks_a_guest_is_seen() {
    let good = "package a:b@0.1.0; interface i { record r { x: u32 } f: func(r: r) -> result<_, string>; } \
                world w { import i; }";
    let of = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.wit"), text).unwrap();
        lines(folder.path())
    };
    let recorded = of(good);
    for (from, to, breaks) in [
        ("x: u32", "x: u64", true),
        ("x: u32", "x: u32, y: u32", true),
        ("func(r: r)", "func(s: r)", true),
        ("result<_, string>", "result<u32, string>", true),
        ("f: func", "g: func", true),
        ("import i;", "", true),
        ("@0.1.0", "@0.2.0", true),
        ("@0.1.0", "@0.1.7", false),
        ("f: func", "g: func(); f: func", false),
        ("record r", "record s { y: r } record r", false),
        ("interface i {", "/// Documented.\n interface i {", false),
    ] {
        let now = of(&good.replace(from, to));
        assert_eq!(!broken(&recorded, &now).is_empty(), breaks, "{from} to {to}");
    }
}

/// Answers everything with one fault, and keeps what was asked.
struct Unwilling(Vec<String>);

impl CallPath for Unwilling {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        self.0.push(match &effect {
            Effect::OperatorNote { text } => text.clone(),
            other => other.to_string(),
        });
        let answer = match effect {
            Effect::OperatorNote { .. } => Ok(Answer::Done),
            _ => Err(Fault::new("unreachable", "nobody is there")),
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// Components as they were built when their version of the contract was recorded; they are never built again.
#[test]
fn guests_of_every_published_version_load_and_do_what_they_did() {
    let engine = engine(Profile::Run).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let load = |name: &str| {
        let file = root().join("tests/fixtures/0.1").join(name);
        Plugin::compile(&engine, name, &std::fs::read(file).unwrap()).unwrap()
    };
    let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
    let event = HookEvent {
        code: "before-step".into(),
        details: vec![entry("step", "restart@first"), entry("nodes", "master1 master2")],
        parameters: vec![entry("strict", "yes")],
    };
    for name in ["trail.wasm", "trail-js.wasm"] {
        let mut path = Unwilling(Vec::new());
        let answer = runtime.block_on(load(name).hook_handle(&mut path, &event)).unwrap();
        assert_eq!(answer, Ok(HookAnswer::Veto("restart@first is not to be done".into())), "{name}");
        assert_eq!(path.0[1], "before-step restart@first: master1 serves unreachable", "{name}");
        assert_eq!(path.0.len(), 4, "{name}");
    }
    // It imports every function there is.
    let probe = load("probe.wasm");
    let described = runtime.block_on(probe.procedure_describe()).unwrap();
    assert!(!described.title.is_empty());
    let mut path = Unwilling(Vec::new());
    let step = StepId::new("clock.now").unwrap();
    runtime.block_on(probe.procedure_apply(&mut path, &step)).unwrap().unwrap_err();
    assert_eq!(path.0, ["read the clock"]);
}
