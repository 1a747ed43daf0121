//! A declaration in words: what a name of the site or profile stands for, and who may use it.

mod command;

use super::mistake::nearest;
use super::types::*;
use crate::model::Entry;
use serde::Serialize;
use std::fmt;

/// What one name stands for. A name of several kinds has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `command`, `file`, `endpoint`, `node`, `procedure`, `variable`, `path`, `secret`, `profile`.
    pub kind: &'static str,
    pub name: String,
    pub facts: Vec<Entry>,
}

/// `KIND NAME`, then a line for each fact.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        let width = self.facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0);
        for Entry { name, value } in &self.facts {
            // What a file says reaches a terminal here: no escape sequence does.
            let value: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            write!(f, "\n  {name:width$}  {value}")?;
        }
        Ok(())
    }
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing in the site {site} or its profile {profile} is called {name:?}")]
pub struct Unknown {
    pub site: String,
    pub profile: String,
    pub name: String,
    pub nearest: Option<String>,
}

/// Says what `name` stands for.
///
/// # Errors
/// Where nothing has the name: with the nearest that something has.
pub fn explain(site: &Site, name: &str) -> Result<Vec<Explanation>, Unknown> {
    let profile = &site.profile;
    let mut found = Vec::new();
    let mut add = |kind: &'static str, facts: Vec<Entry>| {
        found.push(Explanation { kind, name: name.to_owned(), facts });
    };
    if let Some(declaration) = profile.commands.get(name) {
        add("command", command::explain(site, declaration));
    }
    if let Some(declaration) = profile.files.get(name) {
        add("file", file(site, declaration));
    }
    if let Some(declaration) = profile.endpoints.get(name) {
        add("endpoint", endpoint(site, declaration));
    }
    if let Some(declaration) = site.nodes.get(name) {
        add("node", node(site, declaration));
    }
    if let Some(var) = site.vars.get(name) {
        add("variable", variable(site, name, var));
    }
    if let Some(path) = profile.paths.get(name) {
        add("path", self::path(site, name, path));
    }
    if let Some(source) = site.secrets.get(name) {
        add("secret", secret(site, name, source));
    }
    if profile.name == name {
        add("profile", self::profile(site));
    }
    if site.procedures.contains_key(name)
        || profile.defaults.contains_key(name)
        || site.grants.contains_key(name)
        || site.hooks.iter().any(|hook| hook.plugin.as_str() == name)
    {
        let is_hook = site.hooks.iter().any(|hook| hook.plugin.as_str() == name);
        add(if is_hook { "hook" } else { "procedure" }, plugin(site, name));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let names = names(site);
    Err(Unknown {
        site: site.name.clone(),
        profile: profile.name.clone(),
        name: name.to_owned(),
        nearest: nearest(name, names).map(str::to_owned),
    })
}

/// Returns every name that can be explained.
pub(crate) fn names(site: &Site) -> Vec<&str> {
    let profile = &site.profile;
    let mut names: Vec<&str> = Vec::new();
    names.extend(profile.commands.keys().map(|name| name.as_str()));
    names.extend(profile.files.keys().map(|name| name.as_str()));
    names.extend(profile.endpoints.keys().map(|name| name.as_str()));
    names.extend(site.nodes.keys().map(|name| name.as_str()));
    names.extend(site.vars.keys().chain(profile.paths.keys()).map(String::as_str));
    names.extend(site.secrets.keys().map(String::as_str));
    names.extend(site.procedures.keys().chain(profile.defaults.keys()).map(|name| name.as_str()));
    names.extend(site.grants.keys().map(|name| name.as_str()));
    names.extend(site.hooks.iter().map(|hook| hook.plugin.as_str()));
    names.push(&profile.name);
    names
}

/// Facts with an empty value are left out: an absence is said in words or not at all.
#[derive(Default)]
struct Facts(Vec<Entry>);

impl Facts {
    fn add(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.push(Entry { name: name.to_owned(), value });
        }
        self
    }

    fn add_if(&mut self, applies: bool, name: &str, value: &str) -> &mut Self {
        if applies { self.add(name, value) } else { self }
    }
}

fn file(site: &Site, file: &FileDeclaration) -> Vec<Entry> {
    let mut facts = Facts::default();
    facts.add("path", unfolded(site, &file.path));
    facts.add("variables", variables_of(site, &[&file.path]));
    facts.add(
        "mode",
        match (file.mode, file.secret) {
            (Some(mode), _) => format!("{mode:04o}"),
            (None, true) => "kept; 0600 where it is new".to_owned(),
            (None, false) => "kept; 0644 where it is new".to_owned(),
        },
    );
    facts.add("owner", file.owner.clone().unwrap_or_else(|| "kept".to_owned()));
    facts.add_if(file.secret, "secret", "its bytes never reach a plugin");
    facts.add_if(file.guessable, "guessable", "no fingerprint of it is taken");
    facts.add_if(file.read_only, "read only", "Windlass never writes it");
    facts.add(
        "holds",
        match &file.holds {
            Holds::Bytes => String::new(),
            Holds::Certificate { issuer, request } => {
                let by = match issuer {
                    None => "a certificate that signs itself".to_owned(),
                    Some(issuer) => format!("a certificate issued by that of {issuer}"),
                };
                let on = request.as_ref().map(|request| format!(" on the request in {request}"));
                by + &on.unwrap_or_default()
            }
            Holds::Key { of } => format!("the key of {of}"),
            Holds::KeySet => "a key set".to_owned(),
        },
    );
    facts.add(
        "written by",
        commands_where(site, |command| {
            command.consequences.writes.iter().any(|written| match written {
                Written::File(name) => *name == file.name,
                Written::Folder(name) => {
                    let folder = site.profile.paths.get(name).map(|path| unfolded(site, path));
                    let path = unfolded(site, &file.path);
                    folder.is_some_and(|folder| {
                        path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'))
                    })
                }
            })
        }),
    );
    let served: Vec<&str> = site
        .profile
        .endpoints
        .values()
        .filter(|endpoint| endpoint.file.as_ref() == Some(&file.name))
        .map(|endpoint| endpoint.name.as_str())
        .collect();
    facts.add("served at", served.join(", "));
    facts.add(
        "granted to",
        granted(site, |block| {
            matching(&block.files, file.name.as_str(), |pattern| {
                pattern.split_once(' ').map_or(pattern, |(_, rest)| rest)
            })
        }),
    );
    facts.0
}

fn endpoint(site: &Site, endpoint: &Endpoint) -> Vec<Entry> {
    let mut facts = Facts::default();
    facts.add("port", endpoint.port.to_string());
    facts.add("presents", endpoint.file.as_ref().map(|file| file.to_string()).unwrap_or_default());
    facts.add(
        "renewed by",
        commands_where(site, |command| command.consequences.serves.contains(&endpoint.name)),
    );
    facts.add(
        "granted to",
        granted(site, |block| matching(&block.endpoints, endpoint.name.as_str(), |pattern| pattern)),
    );
    facts.0
}

fn node(site: &Site, node: &Node) -> Vec<Entry> {
    let mut facts = Facts::default();
    match &node.address {
        Address::Ssh(destination) => facts.add("reached by", format!("ssh {destination}")),
        Address::Local(folder) => facts.add("reached by", format!("the folder {folder} of this machine")),
    };
    facts.add("groups", node.groups.join(", "));
    facts.add("endpoints at", node.host.clone().unwrap_or_default());
    facts.add("in the health table", node.alias.join(", "));
    facts.add_if(
        node.groups.contains(&site.profile.managers),
        "carries",
        "the lease, and is asked for the health of the cluster",
    );
    for (user, r#become) in &site.become_users {
        facts.add("becomes", format!("{user} by {}", r#become.argv.join(" ")));
    }
    for (user, variables) in super::vars_needed(&site.vars) {
        facts.add("must set", format!("{} in the login environment of {user}", variables.join(", ")));
    }
    facts.0
}

fn plugin(site: &Site, name: &str) -> Vec<Entry> {
    let mut facts = Facts::default();
    if let Some(settings) = site.procedures.get(name) {
        for (key, value) in &settings.params {
            facts.add("parameter", format!("{key} = {value:?}"));
        }
        let approvals = settings.approvals.map(|approvals| approvals.to_string());
        facts.add(
            "approvals",
            approvals.unwrap_or_else(|| "as many as the procedure asks for by itself".into()),
        );
        facts.add_if(!settings.approvers.is_empty(), "approvers", &settings.approvers.join(", "));
        facts.add(
            "after a failure",
            match settings.on_failure {
                OnFailure::Pause => "the run pauses",
                OnFailure::Rollback => "the run rolls back by itself",
            },
        );
        facts.add_if(settings.allow_secret_in_argv, "secret in argv", "allowed");
        if let Some(supplied) = &settings.supplied {
            facts.add("supplied CA", format!("{}, key {}", supplied.certificate, supplied.key));
        }
    }
    if let Some(defaults) = site.profile.defaults.get(name) {
        let given = site.procedures.get(name);
        for (key, value) in defaults {
            if given.is_none_or(|settings| !settings.params.contains_key(key)) {
                facts.add("of the profile", format!("{key} = {value:?}"));
            }
        }
    }
    for hook in &site.hooks {
        let (when, event) = (hook.when(), hook.event());
        if hook.plugin.as_str() == name {
            let error = if hook.stop_on_error { "stops the run" } else { "is a warning" };
            facts.add(
                "bound",
                format!(
                    "{when} {event}, order {}; within {:?}; an error of it {error}",
                    hook.order, hook.timeout
                ),
            );
        } else if hook.procedure.as_str() == name {
            facts.add("hook", format!("{} {when} {event}", hook.plugin));
        }
    }
    match site.grants.get(name) {
        Some(block) => {
            for (key, patterns) in block.lists() {
                facts.add(
                    "granted",
                    if patterns.is_empty() {
                        String::new()
                    } else {
                        format!("{key}: {}", patterns.join(", "))
                    },
                );
            }
            facts.add("only for digest", block.digest.clone().unwrap_or_default());
        }
        None => {
            facts.add("granted", "nothing in grants.toml; a bundled procedure brings its own grants");
        }
    }
    facts.0
}

fn variable(site: &Site, name: &str, var: &Var) -> Vec<Entry> {
    let mut facts = Facts::default();
    facts.add("value", var_in_words(var));
    facts.add("used by", users_of(site, name));
    facts.0
}

fn path(site: &Site, name: &str, path: &Template) -> Vec<Entry> {
    let mut facts = Facts::default();
    facts.add("folder", unfolded(site, path));
    facts.add("variables", variables_of(site, &[path]));
    facts.add("used by", users_of(site, name));
    facts.add(
        "written by",
        commands_where(site, |command| {
            command
                .consequences
                .writes
                .iter()
                .any(|written| matches!(written, Written::Folder(folder) if folder == name))
        }),
    );
    facts.0
}

fn profile(site: &Site) -> Vec<Entry> {
    let profile = &site.profile;
    let mut facts = Facts::default();
    facts.add("product", profile.title.clone());
    facts.add("service user", profile.service_user.clone());
    facts.add("managers", format!("the group {}", profile.managers));
    facts.add("health", profile.health.as_ref().map(ToString::to_string).unwrap_or_default());
    facts.add("keyring", profile.keyring.as_ref().map(ToString::to_string).unwrap_or_default());
    for path in &profile.known_by {
        let folder = profile.paths.get(path).map(|path| unfolded(site, path)).unwrap_or_default();
        facts.add("known by", folder);
    }
    facts.0
}

fn secret(site: &Site, name: &str, source: &SecretSource) -> Vec<Entry> {
    let mut facts = Facts::default();
    facts.add(
        "comes from",
        match source {
            SecretSource::Prompt => "the operator, who is asked".to_owned(),
            SecretSource::File(path) => format!("the file {path}"),
            SecretSource::Descriptor(number) => format!("file descriptor {number}"),
            SecretSource::Command(argv) => format!("the output of {}", argv.join(" ")),
        },
    );
    facts.add(
        "granted to",
        granted(site, |block| {
            block
                .secrets
                .iter()
                .filter(|pattern| pattern.split("->").next().map(str::trim) == Some(name))
                .cloned()
                .collect()
        }),
    );
    facts.0
}

fn var_in_words(var: &Var) -> String {
    match var {
        Var::Literal(value) => value.clone(),
        Var::LoginEnv { variable, user } => {
            format!("{variable} of {user}'s login environment, read on each node")
        }
    }
}

/// The template with named paths spelt out, down to variables.
fn unfolded(site: &Site, template: &Template) -> String {
    fn write(site: &Site, template: &Template, depth: usize, text: &mut String) {
        for part in &template.parts {
            // Paths that double each other are refused when they are used; here they are cut.
            if text.len() > 10_000 {
                return;
            }
            match part {
                TemplatePart::Text(plain) => text.push_str(plain),
                TemplatePart::Placeholder(name) => text.push_str(&format!("{{{name}}}")),
                TemplatePart::Variable(name) => match site.profile.paths.get(name) {
                    // A loaded site has no circles; the depth is a second lock.
                    Some(path) if depth < 32 => write(site, path, depth + 1, text),
                    _ => text.push_str(&format!("${{{name}}}")),
                },
            }
        }
    }
    let mut text = String::new();
    write(site, template, 0, &mut text);
    text
}

/// The variables of templates, through named paths, each with where it comes from.
fn variables_of(site: &Site, templates: &[&Template]) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut open: Vec<&Template> = templates.to_vec();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(template) = open.pop() {
        for name in template.variables() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match site.profile.paths.get(name) {
                Some(path) => open.push(path),
                None => names.push(name),
            }
        }
    }
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| Some(format!("{name} is {}", var_in_words(site.vars.get(name)?))))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The entries of the profile whose own templates hold `${name}`.
fn users_of(site: &Site, name: &str) -> String {
    let profile = &site.profile;
    let holds = |template: &Template| template.variables().any(|variable| variable == name);
    let mut users: Vec<&str> = Vec::new();
    users.extend(profile.paths.iter().filter(|(_, path)| holds(path)).map(|(name, _)| name.as_str()));
    users.extend(profile.files.values().filter(|file| holds(&file.path)).map(|file| file.name.as_str()));
    users.extend(
        profile
            .commands
            .values()
            .filter(|command| command::templates(command).into_iter().any(holds))
            .map(|command| command.name.as_str()),
    );
    if users.is_empty() { "nothing".to_owned() } else { users.join(", ") }
}

fn commands_where(site: &Site, applies: impl Fn(&CommandDeclaration) -> bool) -> String {
    let names: Vec<&str> = site
        .profile
        .commands
        .values()
        .filter(|command| applies(command))
        .map(|command| command.name.as_str())
        .collect();
    names.join(", ")
}

fn matching(patterns: &[String], name: &str, named: impl Fn(&str) -> &str) -> Vec<String> {
    patterns.iter().filter(|pattern| named(pattern).split('@').next() == Some(name)).cloned().collect()
}

fn granted(site: &Site, patterns: impl Fn(&GrantBlock) -> Vec<String>) -> String {
    let granted: Vec<String> = site
        .grants
        .iter()
        .filter_map(|(plugin, block)| {
            let patterns = patterns(block);
            (!patterns.is_empty()).then(|| format!("{plugin} ({})", patterns.join(", ")))
        })
        .collect();
    if granted.is_empty() { "no plugin of grants.toml".to_owned() } else { granted.join("; ") }
}
