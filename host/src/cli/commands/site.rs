//! `windlass site check` and `windlass site explain`.

use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::session::{Found, candidates, check_bindings, load};
use crate::model::{Entry, NodeName};
use crate::site::{AUTO, Site, SiteErrors, count, explain, leaves_profile_open};
use serde::Serialize;

/// Check the site's files, or explain a name in them
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read the site and report every mistake at once
    Check {
        /// Also connect to every node and read its variables
        #[arg(long)]
        connect: bool,
    },
    /// Say what a command, file, endpoint, node, procedure, hook, variable, path or secret stands for
    Explain {
        /// Anything that the site, its profile or its grants name
        name: String,
    },
}

/// What `check --connect` found on one node.
#[derive(Debug, Clone, Serialize)]
pub struct Reached {
    pub node: NodeName,
    /// None: it was reached, and every user and variable is there.
    pub problem: Option<String>,
    /// What to do about the problem.
    pub hint: Option<String>,
}

/// Runs `site …`. `connect` goes to every node of the site, for `check --connect`; this module knows no
/// transport.
pub fn run(
    args: Args,
    context: &Context,
    connect: impl FnOnce(&Site) -> std::result::Result<Vec<Reached>, Error>,
) -> Result {
    match args.command {
        Command::Check { connect: wanted } => check(context, wanted.then_some(connect)),
        Command::Explain { name } => explain_name(context, &name),
    }
}

/// The mistakes of a site as a usage error that lists them all.
pub fn site_error(context: &Context, errors: &SiteErrors) -> Error {
    let error = Error::from_error(Exit::Usage, errors);
    if context.site_dir.join("site.toml").exists() {
        error.hint(format!("correct them, then `windlass -C {} site check`", context.site_dir))
    } else {
        error.hint("name the site's folder with -C or WINDLASS_SITE, or make one: `windlass init DIR`")
    }
}

#[derive(Serialize)]
struct Checked<'a> {
    site: &'a str,
    /// `auto` where the site leaves it to the nodes and they were not asked.
    profile: &'a str,
    /// What told the profile, where the nodes were asked for it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    told: &'a [String],
    digest: &'a str,
    mistakes: [(); 0],
    nodes: usize,
    commands: usize,
    files: usize,
    endpoints: usize,
    variables: usize,
    procedures: usize,
    hooks: usize,
    grants: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<&'a [Reached]>,
}

fn check(
    context: &Context,
    connect: Option<impl FnOnce(&Site) -> std::result::Result<Vec<Reached>, Error>>,
) -> Result {
    let right = match leaves_profile_open(&context.site_dir) {
        true => candidates(context).map(Some),
        false => Site::load(&context.site_dir).map(|_| None),
    };
    let open = right.map_err(|errors| {
        if context.ui.is_json() {
            context.ui.json(&serde_json::json!({ "dir": errors.dir, "mistakes": errors.mistakes }));
        }
        site_error(context, &errors)
    })?;
    if let (Some((sites, wrong)), None) = (open, &connect) {
        return check_open(context, &sites, &wrong);
    }
    let Found { site, told } = load(context)?;
    check_bindings(context, &site)?;
    let reached = match connect {
        Some(connect) => Some(connect(&site)?),
        None => None,
    };
    let checked = Checked {
        site: &site.name,
        profile: &site.profile.name,
        told: &told,
        digest: &site.digest,
        mistakes: [],
        nodes: site.nodes.len(),
        commands: site.profile.commands.len(),
        files: site.profile.files.len(),
        endpoints: site.profile.endpoints.len(),
        variables: site.vars.len(),
        procedures: site.procedures.len(),
        hooks: site.hooks.len(),
        grants: site.grants.len(),
        reached: reached.as_deref(),
    };
    if context.ui.is_json() {
        context.ui.json(&checked);
    } else {
        print_checked(context, &site, &checked);
    }
    let missed: Vec<&Reached> =
        reached.iter().flatten().filter(|reached| reached.problem.is_some()).collect();
    if missed.is_empty() {
        return Ok(Exit::Done);
    }
    let mut error = Error::new(
        Exit::Preflight,
        format!("{} of {} not ready", missed.len(), count(site.nodes.len(), "node")),
    );
    for reached in missed {
        error.causes.extend(reached.problem.clone());
        error.hints.extend(reached.hint.clone());
    }
    error.hints.dedup();
    Err(error)
}

/// Without asking the nodes, a site that leaves its profile to them is checked under each that there is.
fn check_open(context: &Context, sites: &[Site], wrong: &[(&'static str, SiteErrors)]) -> Result {
    let names: Vec<&str> = sites.iter().map(|site| site.profile.name.as_str()).collect();
    if context.ui.is_json() {
        let site = sites.first().map(|site| &site.name);
        let wrong: serde_json::Map<_, _> = wrong
            .iter()
            .map(|(name, errors)| ((*name).to_owned(), serde_json::json!(errors.mistakes)))
            .collect();
        context.ui.json(&serde_json::json!({
            "site": site, "profile": AUTO, "fits": names, "mistakes": [], "mistakes_under": wrong,
        }));
        return Ok(Exit::Done);
    }
    let ui = &context.ui;
    if let Some(site) = sites.first() {
        ui.out(format!("site {}: no mistakes", site.name));
    }
    ui.out(format!("  profile      left to the nodes; the site is right under {}", names.join(", ")));
    for (name, errors) in wrong {
        ui.out(format!("  not under {name}: {}", count(errors.mistakes.len(), "mistake")));
        for mistake in &errors.mistakes {
            ui.out(format!("    {mistake}"));
        }
    }
    ui.say("no node was asked which it is; --connect does");
    Ok(Exit::Done)
}

fn print_checked(context: &Context, site: &Site, checked: &Checked<'_>) {
    let ui = &context.ui;
    ui.out(format!("site {}: no mistakes", checked.site));
    ui.out(format!(
        "  site.toml    {}, {}, {}",
        count(checked.nodes, "node"),
        count(checked.procedures, "procedure"),
        count(checked.hooks, "hook")
    ));
    ui.out(format!("  grants.toml  {}", count(checked.grants, "block")));
    ui.out(format!(
        "  profile      {} ({}): {}, {}, {}, {}",
        checked.profile,
        site.profile.title,
        count(checked.commands, "command"),
        count(checked.files, "file"),
        count(checked.endpoints, "endpoint"),
        count(checked.variables, "variable")
    ));
    for line in checked.told {
        ui.out(format!("    {line}"));
    }
    match checked.reached {
        None => ui.say("no node was asked; --connect does"),
        Some(reached) => {
            for Reached { node, problem, .. } in reached {
                ui.out(format!("  {node}: {}", problem.as_deref().unwrap_or("reached, variables set")));
            }
        }
    }
}

fn explain_name(context: &Context, name: &str) -> Result {
    let Found { site, told } = load(context)?;
    // What the nodes were asked for can also be asked for under the word that left it to them.
    let wanted = if name == AUTO && !told.is_empty() { site.profile.name.as_str() } else { name };
    let mut explanations = explain(&site, wanted).map_err(|unknown| {
        let error = Error::from_error(Exit::Usage, &unknown);
        match &unknown.nearest {
            Some(near) => error.hint(format!("did you mean `windlass site explain {near}`?")),
            None => error
                .hint("names stand in site.toml and in the profile; `windlass site check` lists their files"),
        }
    })?;
    for explanation in explanations.iter_mut().filter(|one| one.kind == "profile") {
        explanation
            .facts
            .extend(told.iter().map(|line| Entry { name: "told by".into(), value: line.clone() }));
    }
    if context.ui.is_json() {
        context.ui.json(&explanations);
        return Ok(Exit::Done);
    }
    for explanation in &explanations {
        context.ui.out(explanation.to_string());
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ui::{Format, Loudness, Ui};
    use camino::Utf8Path;

    const SITE: &str = r#"
[site]
name = "x"
profile = "mrs-2"
[nodes.master1]
local = "nodes/master1"
groups = ["managers"]
"#;

    fn call(site: &str, command: Command, found: Option<&str>) -> Result {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        std::fs::write(dir.join("site.toml"), site).unwrap();
        let ui = Ui::new(Format::Text, Loudness::Quiet, true);
        let context = Context {
            ui,
            site_dir: dir.to_owned(),
            state: None,
            cache: None,
            config: None,
            bundle: None,
            engines: None,
        };
        let connect = |site: &Site| {
            let reached = |node: &NodeName| Reached {
                node: node.clone(),
                problem: found.map(str::to_owned),
                hint: found.map(|_| "ssh to it".to_owned()),
            };
            Ok(site.nodes.keys().map(reached).collect())
        };
        run(Args { command }, &context, connect)
    }

    #[test]
    fn mistakes_are_a_usage_error_that_lists_them_all() {
        let site = SITE.replace("profile", "profil").replace("groups", "grups");
        let error = call(&site, Command::Check { connect: false }, None).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        for expected in ["has 3 mistakes", "did you mean \"profile\"?", "did you mean \"groups\"?"] {
            assert!(error.message.contains(expected), "{}", error.message);
        }
    }

    #[test]
    fn a_node_that_is_not_ready_fails_the_preflight_and_only_where_it_was_asked() {
        let problem = Some("master1 cannot be reached: no route");
        assert_eq!(call(SITE, Command::Check { connect: false }, problem).unwrap(), Exit::Done);
        assert_eq!(call(SITE, Command::Check { connect: true }, None).unwrap(), Exit::Done);
        let error = call(SITE, Command::Check { connect: true }, problem).unwrap_err();
        assert_eq!(error.exit, Exit::Preflight);
        assert_eq!(error.causes, ["master1 cannot be reached: no route"]);
        assert_eq!(error.hints, ["ssh to it"]);
    }

    #[test]
    fn explaining_an_unknown_name_says_the_nearest() {
        let explain = |name: &str| call(SITE, Command::Explain { name: name.to_owned() }, None);
        assert_eq!(explain("restart-ha").unwrap(), Exit::Done);
        let error = explain("restart-oms").unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert_eq!(error.hints, ["did you mean `windlass site explain restart-ha`?"]);
    }
}
