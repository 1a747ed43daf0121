//! A command in words: what it runs, as whom, what it changes, and how that is settled.

use super::{Facts, granted, matching, unfolded, variables_of};
use crate::model::Entry;
use crate::site::command::{kind_word, parser_word};
use crate::site::types::*;

pub(super) fn explain(site: &Site, command: &CommandDeclaration) -> Vec<Entry> {
    let mut facts = Facts::default();
    let runs = matches!(command.kind, CommandKind::Observe | CommandKind::Change);
    facts.add("kind", kind_in_words(command.kind));
    facts.add(
        "runs",
        command.argv.iter().map(|part| quoted(&unfolded(site, part))).collect::<Vec<_>>().join(" "),
    );
    facts.add_if(runs, "as", &command.user);
    facts.add("in", command.cwd.as_ref().map(|cwd| unfolded(site, cwd)).unwrap_or_default());
    for (name, value) in &command.env {
        facts.add("environment", format!("{name}={}", unfolded(site, value)));
    }
    facts.add("instruction", command.instruction.clone().unwrap_or_default());
    if let Some(request) = &command.request {
        facts.add(
            "sends",
            format!(
                "{} {}, expecting {}",
                request.method,
                unfolded(site, &request.url),
                numbers(&request.expect)
            ),
        );
        if let Some((url, contains)) = &request.poll {
            facts.add("finished when", format!("{} answers with {contains:?}", unfolded(site, url)));
        }
    }
    facts.add("variables", variables_of(site, &templates(command)));
    for prompt in &command.prompts {
        facts.add("prompt", format!("{:?} is answered with {}", prompt.expect, prompt.reply));
    }
    for (name, argument) in &command.args {
        facts.add("placeholder", placeholder(name, argument));
    }
    facts.add_if(
        command.secret_in_argv,
        "secret in argv",
        "yes: every user of the node can read it while it runs; needs allow_secret_in_argv in the procedure",
    );
    facts.add_if(command.terminal, "terminal", "it gets one of its own");
    if runs {
        let mut success = format!("exit status {}", numbers(&command.success.exit));
        for text in &command.success.contains {
            success.push_str(&format!(", output with {text:?}"));
        }
        facts.add("succeeds with", success);
        facts.add("gives up after", format!("{} s", command.timeout.as_secs()));
        facts.add_if(command.output == Parser::None, "output", "none of it reaches a plugin");
        facts.add_if(command.output != Parser::None, "output", parser_word(command.output));
    }
    consequences(site, command, &mut facts);
    facts.add(
        "granted to",
        granted(site, |block| matching(&block.commands, command.name.as_str(), |pattern| pattern)),
    );
    facts.0
}

fn consequences(site: &Site, command: &CommandDeclaration, facts: &mut Facts) {
    if command.kind == CommandKind::Observe {
        facts.add("changes", "nothing");
        return;
    }
    let Consequences { writes, restarts, serves, settle, undo, may_switch_roles, everywhere, rerun } =
        &command.consequences;
    let profile = &site.profile;
    for written in writes {
        facts.add(
            "writes",
            match written {
                Written::File(file) => match profile.files.get(file) {
                    Some(declared) => format!("the file {file}: {}", unfolded(site, &declared.path)),
                    None => format!("the file {file}"),
                },
                Written::Folder(name) => match profile.paths.get(name) {
                    Some(path) => format!("the folder {name}: {}", unfolded(site, path)),
                    None => format!("the folder {name}"),
                },
            },
        );
    }
    facts.add("restarts", restarts.join(", "));
    facts.add("serves anew", serves.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", "));
    facts.add(
        "settled by",
        match settle {
            Some(Settle::Command(observation)) => format!("{observation}: it happened if that succeeds"),
            Some(Settle::Served(endpoint)) => {
                let file = profile.endpoints.get(endpoint).and_then(|endpoint| endpoint.file.as_ref());
                match file {
                    Some(file) => format!("the endpoint {endpoint}: it happened if that presents {file}"),
                    None => format!("the endpoint {endpoint}"),
                }
            }
            None if *rerun == Rerun::Always => String::new(),
            None => "nothing: where its own record is lost, a run pauses".to_owned(),
        },
    );
    facts.add(
        "undone by",
        match undo {
            Some(undo) => undo.to_string(),
            None if writes.is_empty() => String::new(),
            None => "putting back what it writes, saved before it runs".to_owned(),
        },
    );
    facts.add_if(*may_switch_roles, "roles", "it may make the other node the active one");
    facts.add_if(*everywhere, "reaches", "every node of the site, whichever it runs on");
    facts.add(
        "run again",
        match rerun {
            Rerun::Never => "never by itself",
            Rerun::IfSettleSaysNo => "where settling says that it did not happen",
            Rerun::Always => "whenever its end is not known",
        },
    );
}

fn kind_in_words(kind: CommandKind) -> String {
    let words = match kind {
        CommandKind::Observe => "looks, changes nothing",
        CommandKind::Change => "changes the node",
        CommandKind::Manual => "done by the operator, proven by an observation",
        CommandKind::Http => "a request over HTTPS",
    };
    format!("{}: {words}", kind_word(kind))
}

fn placeholder(name: &str, argument: &ArgumentDeclaration) -> String {
    let mut text = format!("{name}: at most {} bytes", argument.longest);
    match (argument.secret, argument.characters.as_str()) {
        (true, _) => text.push_str(", secret"),
        (false, "") => text.push_str(", letters and digits"),
        (false, others) => text.push_str(&format!(", letters, digits and {others:?}")),
    }
    if let Some(default) = &argument.default {
        text.push_str(&format!("; {default:?} where none is given"));
    }
    text
}

fn quoted(argument: &str) -> String {
    let plain = !argument.is_empty()
        && !argument.contains(|c: char| c.is_whitespace() || "'\"`\\;&|<>()".contains(c));
    if plain { argument.to_owned() } else { format!("{argument:?}") }
}

pub(super) fn templates(command: &CommandDeclaration) -> Vec<&Template> {
    let mut templates: Vec<&Template> =
        command.argv.iter().chain(&command.cwd).chain(command.env.values()).collect();
    templates.extend(command.prompts.iter().map(|prompt| &prompt.reply));
    if let Some(request) = &command.request {
        templates.push(&request.url);
        templates.extend(&request.body);
        templates.extend(request.poll.iter().map(|(url, _)| url));
    }
    templates
}

fn numbers<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}
