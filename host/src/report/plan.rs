//! A plan as an operator reads it. A plan may come from a file that anybody wrote: nothing of it reaches the
//! terminal but text.

use crate::model::{
    EffectClass, Moment, NodeName, Plan, PlannedCommand, PlannedEffect, PlannedFile, StepPlan,
};
use anstyle::{AnsiColor, Style};
use indexmap::IndexMap;

const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Returns the plan as lines; with `verbose` also what is only looked at or kept for later steps.
///
/// Styled: whoever prints it strips that where colour is off.
pub fn plan_lines(plan: &Plan, verbose: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "plan of {} on {}: {}",
        plan.procedure,
        harmless(&plan.covers.site.name),
        harmless(&plan.title)
    )];
    if let Some(roles) = &plan.covers.roles {
        lines.push(format!("roles: first (active) is {}, second (standby) is {}", roles.first, roles.second));
    }
    let given: Vec<_> = plan
        .covers
        .parameters
        .iter()
        .filter(|entry| !entry.value.is_empty())
        .map(|entry| format!("{} = {}", harmless(&entry.name), word(&entry.value)))
        .collect();
    if !given.is_empty() {
        lines.push(format!("parameters: {}", given.join(", ")));
    }
    lines.push(String::new());
    lines.push("preflight".into());
    effects(&plan.preflight, verbose, &mut lines);
    hooks(plan, &Moment::BeforeRun, verbose, &mut lines);
    for step in &plan.steps {
        hooks(plan, &Moment::BeforeStep(step.step.id.clone()), verbose, &mut lines);
        lines.push(String::new());
        step_lines(step, verbose, &mut lines);
        hooks(plan, &Moment::AfterStep(step.step.id.clone()), verbose, &mut lines);
    }
    hooks(plan, &Moment::AfterRun, verbose, &mut lines);
    if !plan.checks.is_empty() {
        lines.push(String::new());
        lines.push("at the end it is proven that".into());
        lines.extend(plan.checks.iter().map(|check| format!("  {}", harmless(check))));
    }
    if verbose {
        effects(&plan.verification, verbose, &mut lines);
    }
    if !plan.assumed.is_empty() {
        lines.push(String::new());
        lines.push("taken for granted, and found out only by the run".into());
        lines.extend(plan.assumed.iter().map(|assumed| format!("  {}", harmless(assumed))));
    }
    lines.push(String::new());
    if !plan.impact.is_empty() {
        lines.push(format!("impact: {}", harmless(&plan.impact)));
    }
    lines.push(format!("the impact's token: --ack {}", harmless(&plan.ack)));
    lines
}

/// The hooks of one moment, with what they do.
fn hooks(plan: &Plan, at: &Moment, verbose: bool, lines: &mut Vec<String>) {
    for planned in plan.hooks.iter().filter(|planned| planned.at == *at) {
        lines.push(String::new());
        lines.push(format!("hook {}, {}", planned.hook, planned.at));
        effects(&planned.effects, verbose, lines);
    }
}

fn step_lines(plan: &StepPlan, verbose: bool, lines: &mut Vec<String>) {
    let step = &plan.step;
    lines.push(format!("{}: {}{}", step.id, harmless(&step.title), super::on(&step.nodes)));
    if !step.impact.is_empty() {
        lines.push(format!("  impact: {}", harmless(&step.impact)));
    }
    if !step.guards.is_empty() {
        let guards: Vec<_> = step.guards.iter().map(|guard| harmless(guard)).collect();
        lines.push(format!("  guards: {}", guards.join(", ")));
    }
    if !step.undoable {
        lines.push("  cannot be taken back".into());
    }
    effects(&plan.effects, verbose, lines);
}

fn effects(effects: &[PlannedEffect], verbose: bool, lines: &mut Vec<String>) {
    // What a plugin keeps for its later steps is its own business.
    let quiet = |effect: &PlannedEffect| {
        effect.class == EffectClass::Observe || effect.effect["effect"] == "state.set"
    };
    let looks = effects.iter().filter(|effect| effect.class == EffectClass::Observe).count();
    for effect in effects.iter().filter(|effect| verbose || !quiet(effect)) {
        lines.push(format!("  {}", harmless(&effect.words)));
        grouped(&effect.detail.commands, |command| &command.node, command_lines_of, lines);
        grouped(&effect.detail.files, |file| &file.node, |file| vec![file_line(file)], lines);
        if let Some(asked) = &effect.detail.asks {
            lines.push(format!("      {}", harmless(asked)));
        }
        lines.extend(effect.born.iter().map(|born| format!("      {}: known after apply", harmless(born))));
    }
    if looks > 0 && !verbose {
        lines.push(format!("  (and {looks} looks, which change nothing: -v shows them)"));
    }
}

/// What is the same on many nodes is said once, with the nodes.
fn grouped<T>(
    all: &[T],
    node: impl Fn(&T) -> &NodeName,
    said: impl Fn(&T) -> Vec<String>,
    lines: &mut Vec<String>,
) {
    let mut groups: IndexMap<Vec<String>, Vec<NodeName>> = IndexMap::new();
    for one in all {
        // What names its own node, or lies in its own folder, differs by that alone.
        let (own, folder) = (format!(" on {}", node(one)), format!("/{}/", node(one)));
        let alike = |line: String| line.replace(&own, " on @").replace(&folder, "/@/");
        groups.entry(said(one).into_iter().map(alike).collect()).or_default().push(node(one).clone());
    }
    for (said, nodes) in groups {
        let (named, several) = (super::names(&nodes), nodes.len() > 1);
        let folder = if several { "/NODE/".to_owned() } else { format!("/{named}/") };
        for (at, line) in said.into_iter().enumerate() {
            let line = line.replace(" on @", &format!(" on {named}")).replace("/@/", &folder);
            let apart = several && at == 0 && !line.contains(&named);
            lines
                .push(format!("      {line}{}", if apart { format!(", on {named}") } else { String::new() }));
        }
    }
}

fn command_lines_of(command: &PlannedCommand) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |line: String| lines.push(line);
    if let Some(instruction) = &command.instruction {
        add(format!("done by hand on {}: {}", command.node, harmless(instruction)));
    }
    if !command.argv.is_empty() {
        let argv: Vec<_> = command.argv.iter().map(|argument| word(argument)).collect();
        let line = format!("as {} on {}: {}", harmless(&command.user), command.node, argv.join(" "));
        if command.secret_in_argv {
            add(format!("{ALARM}{line}{ALARM:#}"));
            add(format!(
                "{ALARM}a secret stands on this command line: while it runs, every user of {} can read it{ALARM:#}",
                command.node
            ));
        } else {
            add(line);
        }
    }
    if let Some(request) = &command.request {
        add(format!("{} {}", harmless(&request.method), harmless(&request.url)));
        if let Some(body) = &request.body {
            add(format!("with {}", harmless(body)));
        }
    }
    if let Some(cwd) = &command.cwd {
        add(format!("in {}", harmless(cwd)));
    }
    for entry in &command.env {
        add(format!("with {}={}", harmless(&entry.name), word(&entry.value)));
    }
    for prompt in &command.prompts {
        add(format!("asked {:?} it is answered {}", harmless(&prompt.expect), harmless(&prompt.reply)));
    }
    if command.kind != "observe" {
        let mut success: Vec<_> =
            command.contains.iter().map(|contains| format!("{:?}", harmless(contains))).collect();
        let exits: Vec<_> = command.exit.iter().map(ToString::to_string).collect();
        if !command.argv.is_empty() {
            success.push(format!("exit status {}", exits.join(" or ")));
        }
        if !success.is_empty() {
            add(format!("succeeds with {}, within {} s", success.join(", "), command.timeout));
        }
    }
    for (what, names) in
        [("writes", &command.writes), ("restarts", &command.restarts), ("serves anew", &command.serves)]
    {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| harmless(name)).collect();
            add(format!("{what} {}", names.join(", ")));
        }
    }
    if command.everywhere {
        add("on every node of the site".into());
    }
    if command.may_switch_roles {
        add("may make the other node the active one".into());
    }
    lines
}

fn file_line(file: &PlannedFile) -> String {
    let mut line = harmless(&file.path);
    if let Some(mode) = &file.mode {
        line.push_str(&format!(", mode {}", harmless(mode)));
    }
    if let Some(owner) = &file.owner {
        line.push_str(&format!(", owner {}", harmless(owner)));
    }
    line
}

/// An argument as one would type it.
fn word(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:@%+,<>".contains(c);
    let argument = harmless(argument);
    // A secret's own mark holds a space.
    let outside = argument.replace("<secret ", "<secret");
    match !argument.is_empty() && outside.chars().all(plain) {
        true => argument,
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

/// Text that steers no terminal.
pub(crate) fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}
