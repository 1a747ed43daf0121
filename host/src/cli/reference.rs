//! `docs/cli.md`: every command and option, written from the same tree that reads the command line.
//!
//! A test holds the file to the tree; `WINDLASS_UPDATE=1 cargo test -p windlass --lib reference` writes it.

use clap::{Arg, Command};
use std::fmt::Write as _;

const HEAD: &str = "\
# Commands

Written from the command line's own definition; `windlass COMMAND --help` says the same. The meaning of exit codes
is in the README.
";

/// Returns the reference as Markdown.
fn reference() -> String {
    let mut tree = super::tree();
    tree.build();
    let mut text = HEAD.to_string();
    let mut options = Vec::new();
    describe(&mut text, &tree, "windlass", &mut options);
    text
}

/// `global`: the options described further up, which every command below takes too.
fn describe(text: &mut String, command: &Command, name: &str, global: &mut Vec<String>) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## `{name}`\n\n{about}.\n\n```\n{usage}\n```\n");
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .filter(|arg| !global.contains(&arg.get_id().to_string()))
        .collect();
    if !shown.is_empty() {
        text.push_str("\n| | |\n|---|---|\n");
    }
    for arg in &shown {
        let _ = writeln!(text, "| {} | {} |", spelling(arg), meaning(arg));
    }
    global.extend(shown.iter().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().to_string()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        describe(text, below, &format!("{name} {}", below.get_name()), global);
    }
}

fn spelling(arg: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.filter(|_| takes_value).map(|value| value.to_uppercase());
    match (names.is_empty(), value) {
        (true, value) => format!("`{}`", value.unwrap_or_default()),
        (false, Some(value)) => format!("`{} {value}`", names.join(", ")),
        (false, None) => format!("`{}`", names.join(", ")),
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    if arg.get_action().takes_values() {
        let possible: Vec<_> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !possible.is_empty() {
            let _ = write!(text, "; {}", possible.join(", "));
        }
        let defaults: Vec<_> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if !defaults.is_empty() {
            let _ = write!(text, "; default `{}`", defaults.join(" "));
        }
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, "; else `{}`", variable.to_string_lossy());
    }
    text
}

#[test]
fn the_reference_in_docs_is_the_command_line() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let reference = reference();
    if std::env::var_os("WINDLASS_UPDATE").is_some() {
        std::fs::write(path, &reference).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == reference,
        "docs/cli.md is not the command line's: WINDLASS_UPDATE=1 cargo test -p windlass --lib reference"
    );
}

#[test]
fn every_command_and_every_option_says_what_it_is_for() {
    fn look(command: &Command, name: &str) {
        assert!(command.get_about().is_some(), "{name} has no help");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            assert!(arg.get_help().is_some(), "{} of {name} has no help", arg.get_id());
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            look(below, &format!("{name} {}", below.get_name()));
        }
    }
    let mut tree = super::tree();
    tree.build();
    look(&tree, "windlass");
    tree.debug_assert();
}
