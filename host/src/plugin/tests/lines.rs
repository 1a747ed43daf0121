//! Which lines of a script ran: what is told of them, and that a script does with marks what it does without.

use super::guest::Recorder;
use super::scripts::{engine_of, event, script, willing};
use crate::model::audit::Coverage;
use crate::model::{Effect, Fault, PauseReason, Stop, code};
use crate::plugin::{HookAnswer, Language, Limits, Performed, Plugin, PluginError, Script, ScriptEngine};
use std::time::Duration;

/// Effects after which a script is stopped.
const MOST: u32 = 500;

type Ended = Result<Result<HookAnswer, Fault>, PluginError>;

/// Plays a script at a moment, its effects answered by `answer`; returns what it asked for, and how it ended.
async fn played(plugin: &Plugin, moment: &str, answer: fn(&Effect) -> Performed) -> (Vec<Effect>, Ended) {
    let mut left = MOST;
    let mut path = Recorder::new(|effect: &Effect| {
        left -= 1;
        if left == 0 { Err(Stop::new(PauseReason::LeaseLost, "enough")) } else { answer(effect) }
    });
    let ended = plugin.hook_handle(&mut path, &event(moment)).await;
    (path.effects, ended)
}

/// Asserts that a script does with marks what it does without, and returns it with marks.
async fn alike(engine: &ScriptEngine, script: &Script, about: &str) -> Plugin {
    let denied = |_: &Effect| Ok(Err(Fault::new(code::DENIED, "may not").hint("grant it")));
    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    let plain = Plugin::script(engine, script.clone()).with_limits(limits);
    let measured = Plugin::script_measured(engine, script.clone()).await.with_limits(limits);
    for (moment, answer) in [
        ("before-step", willing as fn(&Effect) -> Performed),
        ("after-run", willing),
        ("before-step", denied),
    ] {
        let (effects, ended) = played(&plain, moment, answer).await;
        let (marked_effects, marked_ended) = played(&measured, moment, answer).await;
        assert!(
            effects == marked_effects,
            "{about}, {moment}: {} and {}",
            effects.len(),
            marked_effects.len()
        );
        assert_eq!(format!("{ended:?}"), format!("{marked_ended:?}"), "{about}, {moment}");
    }
    measured
}

fn lines_of(plugin: &Plugin) -> (u32, Vec<u32>) {
    let Coverage::Lines { lines, reached, unreached } = plugin.coverage() else {
        panic!("{:?}", plugin.coverage())
    };
    assert_eq!(lines, reached + unreached.len() as u32);
    (lines, unreached)
}

#[tokio::test]
async fn which_lines_of_a_script_ran_is_told_over_all_its_calls() {
    let python = "def used(x):\n    return x\n\ndef unused():\n    return 2\n\nif event.step == 'restart@first':\n    \
                  used(1)\nelse:\n    unused()\nraise ValueError('no')\n";
    let js = "function used(x) {\n  return x;\n}\nfunction unused() {\n  return 2;\n}\n\
              if (event.step === 'restart@first')\n  used(1);\nelse\n  unused();\nthrow new Error('no');\n";
    for (language, body, all, unreached) in [
        (Language::Python, python, &[5, 6, 8, 9, 11, 12, 14, 15][..], &[9, 14][..]),
        // A function is there before the first line runs, so that its own line runs never.
        (Language::JavaScript, js, &[6, 9, 11, 12, 14, 15], &[9, 14]),
    ] {
        let Some(engine) = engine_of(language) else { return };
        let plugin = Plugin::script_measured(&engine, script(language, body)).await;
        assert!(plugin.is_measured());
        assert_eq!(lines_of(&plugin), (all.len() as u32, all.into()), "{language}");
        // What it throws does not take its lines along.
        let (_, ended) = played(&plugin, "before-step", willing).await;
        assert!(ended.unwrap().unwrap_err().message.contains("no, at try."), "{language}");
        assert_eq!(lines_of(&plugin), (all.len() as u32, unreached.into()), "{language}");
        let mut other = event("before-step");
        other.details.retain(|detail| detail.name != "step");
        plugin.hook_handle(&mut Recorder::new(willing), &other).await.unwrap().unwrap_err();
        assert_eq!(lines_of(&plugin), (all.len() as u32, vec![]), "{language}");
    }
}

/// Each line that ends in `//+` has code and runs, in `//-` has code and does not; no other has any.
const FORMS: &[(&str, &str)] = &[
    (
        "one line, many statements",
        "const a = 1; let b = 2; if (a) b = 3; else b = 4; //+\nnote(`${a} ${b}`); //+\n",
    ),
    (
        "bodies without braces",
        "const on = true; //+
if (on) //+
  note('if') //+
else
  note('else') //-
if (!on) note('same line') //+
else if (on && 1) //+
  note('else if') //+
else if (on) note('never') //-
else
  note('else') //-
for (let i = 0; i < 2; i++) //+
  note('for') //+
for (const one of [1, 2]) //+
  if (one === 2) //+
    note('of') //+
  else if (one === 3) //+
    note('three') //-
for (const name in { x: 1 }) //+
  note(name) //+
let left = 2 //+
while (left) //+
  left-- //+
do //+
  left++ //+
while (left < 2) note('behind do') //+
for (;;) //+
  break //+
if ((on)) //+
  if ((!on) || 0, on) //+
    if (((on, !on))) //+
      note('inner') //-
    else
      note('inner else') //+
while (left--); //+
if (on); //+
else
  ;
",
    ),
    (
        "a body may be any statement",
        "const f = (x) => { //+
  if (x === 1) //+
    return //+
  else if (x === 2) //+
    throw new Error('two') //+
  if (x === 3) //+
    try { //+
      f(2) //+
    } catch ({ message }) {
      note(message) //+
    } finally {
      note('finally') //+
    }
  if (x === 4) //+
    switch (x) { //+
      case 4: return x //+
    }
  if (x === 5) //+
    one: for (;;) //+
      do break one //+
      while (1)
  if (x === 6) //+
    class_: { //+
      break class_ //+
    }
  return x //+
}
note([1, 3, 4, 5, 6].map(f).join()) //+
",
    ),
    (
        "functions",
        "note(early()) //+
function early(x = () =>
    'early') { //+
  return x() //+
}
function never(x = () =>
    'never') { //-
  return x() //-
}
function line() { note('line') } //+
function other() { note('other') } //-
line() //+
const short = (x) => x + 1, long = (x) => //+
  x + 2, //+
  unused = () =>
    3 //-
note([1].map(short).map(long).map(x => //+
  ({ x }).x).map((x) => //+
    (x, x + 1)).map(async () => //+
      await 1).length) //+
const named = (() => function () {})().name + (() => () => 1)().name //+
note(`[${named}] ${short.name} ${long.name} ${unused.name}`) //+
const object = { //+
  f() { return 1 }, //+
  get g() {
    return 2 //+
  },
  set g(x) {
    note(x) //-
  },
  h: function* () { yield 4; //+
    yield 5 //-
  },
  i: async () => { await null }, //-
}
note(object.f() + object.g + object.h().next().value) //+
const curried = (a) => //+
  (b) => //+
    (c) => a + b + c //+
note(curried(1)(2)(3)) //+
;(function () { note('called') })() //+
;[1].forEach(function (x) { //+
  note(x) //+
})
",
    ),
    (
        "classes",
        "class A { //+
  x = [1].map((x) =>
    x) //+
  #y = 2
  static z = 3
  static {
    this.w = 4 //+
  }
  ['computed']() {
    return this.#y //+
  }
  unused() {
    return 1 //-
  }
  constructor() {
    note(`${this.x} ${A.z} ${A.w}`) //+
  }
}
const B = class extends A { //+
  constructor() {
    super() //+
    note(this.computed()) //+
  }
}
new B() //+
",
    ),
    (
        "switch, try, labels",
        "for (const x of [1, 2, 3, 4]) //+
  switch (x) { //+
    case 1: note('one') //+
    case 2:
      note('two'); break //+
    case 3: {
      note('three') //+
      break //+
    }
    case 9: note('nine') //-
    default:
      note('default') //+
  }
outer: for (const x of [1, 2]) { //+
  inner:
  for (;;) { //+
    if (x === 1) continue outer //+
    break inner //+
  }
}
next:
for (const x of [1, 2]) //+
  for (;;) //+
    continue next //+
block: { note('in') //+
  if (1) break block //+
  note('never') //-
}
try { null.x } catch { note('caught') } finally { note('last') } //+
try { //+
  (() => { throw 1 })() //+
  note('never') //-
} catch {
} finally {
  note('last') //+
}
",
    ),
    (
        "where a semicolon is put in",
        "const f = () => { return //+
  1 } //-
note(String(f())) //+
let a = 1 //+
let b = a //+
++b //+
a //+
/* over
lines */ ++b //+
note(`${a} ${b}`) //+
const g = (x) => x //+
const h = g //+
(2)
;(3) //+
const i = h //+
;[4].map((x) => x) //+
note(`${h} ${i}`) //+
var async //+
async //+
function k() {}
note(k.name) //+
let c = 1, d = 2, e = 3 //+
c = d //+
/e/1
note(c) //+
;`x` //+
note(`${ //+
  (() => {
    return 'in a template' //+
  })()
}`)
note('last') //+
",
    ),
    (
        "directives and where they end",
        "'use asm'; \"another\"
const f = function () { //+
  'use strict'
  return this //+
}
note(String(f())) //+
const g = () => { 'use strict'; return 1 } //+
g(); 'not a directive' //+
",
    ),
    (
        "what ends it",
        "note('ends') //+
early() //+
return //+
note('never') //-
note('never'); function early() { note('early') } //+
",
    ),
    (
        "what it reads of itself",
        "const f = (...given) => [given.length, arguments.length] //+\nnote(f(1).join()) //+\n",
    ),
    (
        "lines end in other ways",
        "note( //+\r\n'a\\\r\nb')\r\nif (1) //+\r\n  note(`\u{2028}`) //+\r\nnote('/* \u{2028} */') /* \u{2029} */; //+\r\nnote('x') //+\r\n",
    ),
    ("nothing", "// nothing\n/* at\nall */\n;;\n{ ; }\n"),
];

#[tokio::test]
async fn every_form_of_a_statement_is_marked_on_its_line_and_does_what_it_did() {
    let Some(engine) = engine_of(Language::JavaScript) else { return };
    let mut wrong = Vec::new();
    for (about, body) in FORMS {
        let script = script(Language::JavaScript, body);
        let ending = |signs: &[&str]| -> Vec<u32> {
            let lines = (1..).zip(script.script.text.split('\n'));
            let signed = lines.filter(|(_, line)| signs.iter().any(|sign| line.trim_end().ends_with(sign)));
            signed.map(|(number, _)| number).collect()
        };
        let all = lines_of(&Plugin::script_measured(&engine, script.clone()).await).1;
        let plugin = alike(&engine, &script, about).await;
        let (_, ended) = played(&plugin, "before-step", willing).await;
        let told = (ended, all, lines_of(&plugin).1);
        let wanted: (Ended, _, _) = (Ok(Ok(HookAnswer::GoOn)), ending(&["//+", "//-"]), ending(&["//-"]));
        if format!("{told:?}") != format!("{wanted:?}") {
            wrong.push(format!("{about}: {told:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Over all scripts that there are: ours, and those that mean harm.
#[tokio::test]
async fn every_script_here_does_with_marks_what_it_does_without() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = Vec::new();
    for folder in
        ["examples/scripts/drain", "examples/scripts/notify", "examples/scripts/trail", "tests/hostile/audit"]
    {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            let Some(language) = Language::of(name) else { continue };
            let Some(engine) = engine_of(language) else { return };
            // One is there that is no script, for its name.
            let Ok(script) = Script::read(name, &std::fs::read(&file).unwrap()) else { continue };
            let plugin = alike(&engine, &script, name).await;
            let (lines, unreached) = lines_of(&plugin);
            println!("{name}: {} of {lines} lines", lines as usize - unreached.len());
            assert!(lines > 0, "{name}");
            seen.push(language);
        }
    }
    let javascript = seen.iter().filter(|language| **language == Language::JavaScript).count();
    assert!(javascript > 15 && seen.len() > 40, "{javascript} of {}", seen.len());
}

#[tokio::test]
async fn a_script_cannot_change_how_its_lines_are_noted() {
    let Some(engine) = engine_of(Language::JavaScript) else { return };
    for body in [
        "try { (0, eval)('$windlass = 1') } catch { note('no') }",
        "try { globalThis['$wind' + 'lass'] = () => {} } catch { note('no') }",
        "try { Object.defineProperty(globalThis, '$wind' + 'lass', { value: 1 }) } catch { note('no') }",
        "try { delete globalThis['$wind' + 'lass'] } catch { note('no') }",
        "try { eval('const $windlass = 1') } catch { note('no') }",
        "Array.prototype.push = Object.keys = Object.values = Object.entries = Set.prototype.add = null",
        "new Function('$windlass', '$windlass(6)')(() => {})",
        // What it notes that is no line of it does not count.
        "(0, eval)('globalThis.$windlass?.(\"x\"); globalThis.$windlass?.(1); globalThis.$windlass?.(-1)')",
        "const f = () => 1\nnote(f.toString() + new Error().stack)",
    ] {
        let body = format!("{body}\nif (event.step === null)\n  note('never')\nnote('last')\n");
        let plugin = Plugin::script_measured(&engine, script(Language::JavaScript, &body)).await;
        let (effects, ended) = played(&plugin, "before-step", willing).await;
        assert_eq!(ended.unwrap(), Ok(HookAnswer::GoOn), "{body}");
        assert_eq!(effects.last().unwrap().to_string(), "note", "{body}");
        let (lines, unreached) = lines_of(&plugin);
        assert_eq!(unreached, [lines + 3], "{body}");
    }
}

/// A text that is too deep, too long or wrong has no marks, and its own error at its own line.
#[tokio::test]
async fn a_script_that_cannot_be_marked_says_why_and_does_what_it_does() {
    let Some(engine) = engine_of(Language::JavaScript) else { return };
    let much = |words: &str| words.repeat(1_000_000 / words.len());
    let deep = "its calls nest too deeply";
    for (body, says) in [
        ("note('x');\nconst = 1;".to_owned(), "it cannot be marked: Unexpected token (6:6)"),
        ("}); note('out'); (function () {".into(), "it cannot be marked: Unexpected token (5:0)"),
        ("const $windlass = 1;".into(), "it cannot be marked: it has the name $windlass itself"),
        ("const \\u0024windlass = 1;".into(), "it cannot be marked: it has the name $windlass itself"),
        ("(".repeat(500_000) + &")".repeat(500_000), deep),
        (much("("), deep),
        (much("["), deep),
        ("{".repeat(500_000) + &"}".repeat(500_000), deep),
        (much("if (1)\n") + "note('x')", deep),
        (much("if (0); else\n") + "note('x')", deep),
        (much("x => ") + "1", deep),
        (much("1 + ") + "1", deep),
        (much("`${"), deep),
        (much("!") + "1", deep),
        (much("note;\n"), "used up its 4s of computing time in mark()"),
    ] {
        let about = format!("{body:.40}");
        let plugin = alike(&engine, &script(Language::JavaScript, &body), &about).await;
        assert!(!plugin.is_measured(), "{about}");
        let Coverage::NotMeasurable { why } = plugin.coverage() else { panic!("{about}") };
        assert!(why.contains(says), "{about}: {why}");
    }
    let Some(engine) = engine_of(Language::Python) else { return };
    for (body, says) in [
        ("note('x')\ndef (".to_owned(), "it cannot be marked: invalid syntax (script, line 6)"),
        (much("("), "it cannot be marked: "),
        (much("-") + "1", "it cannot be marked: "),
    ] {
        let about = format!("{body:.40}");
        let plugin = alike(&engine, &script(Language::Python, &body), &about).await;
        let Coverage::NotMeasurable { why } = plugin.coverage() else { panic!("{about}") };
        assert!(why.contains(says), "{about}: {why}");
    }
}

/// As deep as code is that somebody wrote.
#[tokio::test]
async fn what_nests_as_code_does_is_marked() {
    let Some(engine) = engine_of(Language::JavaScript) else { return };
    for (body, lines) in [
        ("if (1) {\n".repeat(50) + "note('x')" + &"}".repeat(50), 51),
        ("if (0);\nelse ".repeat(100) + "note('x')", 101),
        ("note('x'\n + '".to_owned() + &"y'\n + '".repeat(150) + "')", 1),
        ("[1].map(() =>\n".repeat(20) + "note('x')" + &")".repeat(20), 21),
    ] {
        let about = format!("{body:.40}");
        let plugin = alike(&engine, &script(Language::JavaScript, &body), &about).await;
        assert_eq!(lines_of(&plugin), (lines, vec![]), "{about}");
    }
}
