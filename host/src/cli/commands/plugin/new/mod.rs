//! `windlass plugin new`: the beginning of a plugin, which builds and goes as its transcripts say.

mod files;

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::model::PluginName;
use camino::{Utf8Path, Utf8PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the plugin is called: lower-case letters, digits and dashes
    name: PluginName,
    /// The language it is written in
    #[arg(long, value_name = "LANG")]
    lang: Language,
    /// What it is: called at the moments of a run, or a run itself
    #[arg(long, value_name = "KIND", default_value = "hook")]
    kind: Kind,
    /// The folder in which it is begun
    #[arg(long = "in", value_name = "DIR", default_value = ".")]
    within: Utf8PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Rust,
    Python,
    Js,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Hook,
    Procedure,
}

pub fn run(args: &Args, context: &Context) -> Result {
    let name = args.name.as_str();
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_plain {
        return Err(Error::new(
            Exit::Usage,
            format!("{name} cannot be the name of a project: lower-case letters, digits and dashes"),
        ));
    }
    if args.kind == Kind::Procedure && args.lang != Language::Rust {
        return Err(Error::new(Exit::Usage, "a script is a hook; a procedure is written in Rust")
            .hint(format!("windlass plugin new {name} --lang rust --kind procedure")));
    }
    let files = match (args.lang, args.kind) {
        (Language::Rust, Kind::Hook) => files::rust_hook(),
        (Language::Rust, Kind::Procedure) => files::rust_procedure(),
        (Language::Python, _) => files::script("py"),
        (Language::Js, _) => files::script("js"),
    };
    let kind = if args.kind == Kind::Hook { "hook" } else { "procedure" };
    let folder = args.within.join(name);
    if folder.exists() {
        return Err(Error::new(Exit::Usage, format!("{folder} is there already"))
            .hint("choose another name, or another folder with --in DIR"));
    }
    for (path, text) in files {
        let path = folder.join(filled(&path, name, kind));
        write(&path, &filled(text, name, kind))?;
    }
    let next = match args.lang {
        Language::Rust => {
            vec![format!("windlass plugin build {folder}"), format!("windlass plugin test {folder}")]
        }
        Language::Python => vec![format!("windlass plugin test {folder}/{name}.py")],
        Language::Js => vec![format!("windlass plugin test {folder}/{name}.js")],
    };
    if context.ui.is_json() {
        context.ui.json(&serde_json::json!({ "folder": folder, "next": next }));
    } else {
        context.ui.out(&folder);
        next.iter().for_each(|line| context.ui.say(format!("next: {line}")));
    }
    Ok(Exit::Done)
}

fn write(path: &Utf8Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Error::new(Exit::Usage, format!("{path} cannot be written: {error}")))
}

/// Puts the plugin's words where a template has room for them.
fn filled(template: &str, name: &str, kind: &str) -> String {
    template.replace("{{name}}", name).replace("{{type}}", &type_of(name)).replace("{{kind}}", kind)
}

/// `health-gate` → `HealthGate`.
fn type_of(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('-').filter_map(word).collect()
}
