//! Named commands, which do what their declarations say; and what the cluster says of itself.

use super::content::{Making, rank};
use super::{Rehearsal, certificates};
use crate::backend::declared::{self, as_declared, written_files};
use crate::backend::fault;
use crate::capability::nodes::{self, ArgumentValue, Ended, ResolvedCommand};
use crate::capability::secrets::Secret;
use crate::model::{
    Answer, Argument, CommandName, Effect, Fault, FileName, Member, NodeName, Outcome, PluginName,
    Quarantine, Value, code,
};
use crate::site::{CommandDeclaration, CommandKind, Settle, SimulatedAnswer};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A change takes this long, in milliseconds.
const CHANGE_TAKES: i64 = 1_000;

impl Rehearsal {
    pub(super) fn nodes(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::NodesMembers => Ok(Answer::Members(self.members())),
            Effect::NodesClockOffset { node } => self.clock_offset(node).map(Answer::Milliseconds),
            Effect::NodesRun { node, command, arguments } => {
                self.run(plugin, node, command, arguments).map(Answer::Outcome)
            }
            Effect::NodesQuarantine { node, reason } => {
                self.known(node)?;
                self.cluster().quarantined.insert(node.clone(), reason.clone());
                Ok(Answer::Done)
            }
            Effect::NodesRelease { node } => {
                self.known(node)?;
                self.cluster().quarantined.shift_remove(node);
                Ok(Answer::Done)
            }
            Effect::NodesQuarantined => {
                let cluster = self.cluster();
                let found = self.site.nodes.keys().filter_map(|node| {
                    let reason = cluster.quarantined.get(node)?.clone();
                    Some(Quarantine { node: node.clone(), reason })
                });
                Ok(Answer::Quarantined(found.collect()))
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of nodes"))),
        }
    }

    fn members(&self) -> Vec<Member> {
        let member = |node: &crate::site::Node| Member {
            name: node.name.clone(),
            role: self.role(&node.name).to_string(),
            groups: node.groups.clone(),
        };
        self.site.nodes.values().map(member).collect()
    }

    fn run(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        command: &CommandName,
        arguments: &[Argument],
    ) -> Result<Outcome, Fault> {
        let declaration = self.command(command)?;
        let context = self.context(node)?;
        let mut values = Vec::with_capacity(arguments.len());
        let mut passphrase = None;
        for argument in arguments {
            let value = match &argument.value {
                Value::Text(text) => ArgumentValue::Text(text.clone()),
                Value::Secret(name) => {
                    let secret = self.objects.secret(plugin, name)?;
                    let value = ArgumentValue::Secret(Zeroizing::new(secret.expose().to_vec()));
                    passphrase.get_or_insert(secret);
                    value
                }
            };
            values.push((argument.name.clone(), value));
        }
        let resolved = context
            .resolve_command(declaration, values, self.allow_secret_in_argv)
            .map_err(|error| error.to_fault())?;
        let outcome = match (self.answer_of(node, command), declaration.kind) {
            (Some(answer), _) => {
                let lines = answer.output.iter().map(|line| self.scenario.with_secrets(line) + "\n");
                ended(&resolved, answer.exit, lines.collect::<String>().into_bytes())
            }
            (None, CommandKind::Observe) => self.observed(node, declaration, &resolved),
            (None, CommandKind::Change) => succeeded(&resolved),
            (None, CommandKind::Http) => as_declared(declaration),
            (None, CommandKind::Manual) => self.by_hand(node, declaration)?,
        };
        if declaration.kind != CommandKind::Observe && outcome.succeeded {
            let passphrase = passphrase
                .unwrap_or_else(|| Arc::new(Secret::from_text(self.scenario.passphrase().to_owned())));
            if let Err(fault) = self.change(node, declaration, passphrase) {
                let reason = format!("a simulated command cannot do it: {}", fault.message);
                return Ok(Outcome { succeeded: false, reason, ..outcome });
            }
        }
        Ok(outcome)
    }

    /// What the scenario has a command answer, if it still does.
    fn answer_of(&self, node: &NodeName, command: &CommandName) -> Option<&SimulatedAnswer> {
        let mut cluster = self.cluster();
        let answers = self.scenario.answers.iter().zip(&mut cluster.given);
        for (answer, given) in answers {
            let is_of = answer.command == *command && answer.node.as_ref().is_none_or(|on| on == node);
            if is_of && answer.times.is_none_or(|times| *given < times) {
                *given += 1;
                return Some(answer);
            }
        }
        None
    }

    /// What a command that looks answers by itself: what settles a change says whether that happened, what gives
    /// health records gives them, and all else succeeds.
    fn observed(&self, node: &NodeName, command: &CommandDeclaration, resolved: &ResolvedCommand) -> Outcome {
        let settles = |change: &&CommandDeclaration| matches!(&change.consequences.settle, Some(Settle::Command(name)) if *name == command.name);
        let changes: Vec<_> = self.site.profile.commands.values().filter(settles).collect();
        let happened = {
            let cluster = self.cluster();
            changes.iter().any(|change| cluster.happened.contains(&(node.clone(), change.name.clone())))
        };
        if !changes.is_empty() && !happened {
            let exit = (0..).find(|exit| !is_success(resolved, *exit)).unwrap_or(1);
            return ended(resolved, exit, Vec::new());
        }
        if self.site.profile.health.as_ref() == Some(&command.name) {
            let rows = self.health().into_iter().filter(|row| row.reporter == *node);
            let lines = rows.map(|row| format!("{} {} {}\n", row.node, row.role, row.state));
            return ended(resolved, first_success(resolved), lines.collect::<String>().into_bytes());
        }
        succeeded(resolved)
    }

    fn by_hand(&self, node: &NodeName, command: &CommandDeclaration) -> Result<Outcome, Fault> {
        match self.scenario.operator.by_hand {
            Some(true) => Ok(Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() }),
            Some(false) => {
                Err(Fault::new(code::DECLINED, format!("the operator did not do {}", command.name)))
            }
            None => Err(Fault::new(
                code::UNKNOWN,
                format!("{} on {node} is done by hand, and there is nobody to ask", command.name),
            )),
        }
    }

    /// Does to the cluster what a command is declared to do.
    fn change(
        &self,
        node: &NodeName,
        command: &CommandDeclaration,
        passphrase: Arc<Secret>,
    ) -> Result<(), Fault> {
        let profile = &self.site.profile;
        let context = self.context(node)?;
        let mut written = written_files(context, profile, command)?;
        written.sort_by_key(|(name, _)| profile.files.get(name).map(|file| rank(&file.holds)));
        let beside: Vec<FileName> = written.iter().map(|(name, _)| name.clone()).collect();
        let everywhere = command.consequences.everywhere;
        let reached: Vec<&NodeName> =
            self.site.nodes.keys().filter(|other| *other == node || everywhere).collect();

        let mut cluster = self.cluster();
        cluster.now += CHANGE_TAKES;
        *cluster.ran.entry((node.clone(), command.name.clone())).or_default() += 1;
        // Folders as a whole, and what lies in them.
        let targets = context.written(profile, command).map_err(|error| error.to_fault())?;
        targets.iter().for_each(|target| cluster.save(node, &target.path));
        for name in &beside {
            let Some(file) = profile.files.get(name) else { continue };
            let making = Making {
                site: &self.site,
                context,
                name: format!("{name}@{node}"),
                passphrase: passphrase.clone(),
                command: Some(&command.name),
                beside: &beside,
                at: cluster.seconds(),
            };
            let held = cluster.make(&making, file)?;
            for on in &reached {
                // One that has no place for it has none of it.
                let Ok(there) = self.file(on, name) else { continue };
                cluster.save(on, &there.path);
                cluster.lay(on, &there, held.clone(), true);
            }
        }
        for endpoint in &command.consequences.serves {
            for on in &reached {
                cluster.serve(&self.site, &self.contexts, on, endpoint)?;
            }
        }
        let taken_back = |other: &&CommandDeclaration| {
            other.consequences.undo.as_ref() == Some(&command.name)
                || command.consequences.undo.as_ref() == Some(&other.name)
        };
        let taken_back: Vec<_> = profile.commands.values().filter(taken_back).collect();
        for on in reached {
            for other in &taken_back {
                cluster.happened.remove(&(on.clone(), other.name.clone()));
            }
            cluster.happened.insert((on.clone(), command.name.clone()));
        }
        if command.consequences.may_switch_roles && self.scenario.roles_move {
            cluster.move_role(node);
        }
        Ok(())
    }

    /// What only looks at the cluster.
    pub(super) fn looks(&self, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::ClusterHealth => match &self.site.profile.health {
                Some(_) => Ok(Answer::Health(self.health())),
                None => Err(Fault::new(
                    code::UNKNOWN,
                    format!("profile {} has no health command", self.site.profile.name),
                )),
            },
            Effect::ClusterServed { node, endpoint } => {
                self.known(node)?;
                declared::endpoint(&self.site.profile, endpoint)?;
                let der = self.cluster().served(node, endpoint).ok_or_else(|| {
                    Fault::new(
                        code::UNREACHABLE,
                        format!("ask {endpoint} on {node} for its certificate: nothing answers there"),
                    )
                })?;
                let says = certificates::inspect(&der).map_err(fault(code::INVALID))?;
                Ok(Answer::Certificate(Box::new(says)))
            }
            Effect::ClusterManager => self.manager(),
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of cluster"))),
        }
    }

    fn manager(&self) -> Result<Answer, Fault> {
        let Some(manager) = &self.site.manager else {
            return Err(Fault::new(code::UNKNOWN, "the site names no manager page"));
        };
        match self.scenario.manager {
            None => {
                Err(Fault::new(code::UNREACHABLE, format!("access {}: nothing answers there", manager.url)))
            }
            Some(status) if manager.expect.contains(&status) => Ok(Answer::Number(status.into())),
            Some(status) => Err(Fault::new(
                code::FAILED,
                format!("access {}: it answers with the status {status}", manager.url),
            )),
        }
    }
}

fn is_success(command: &ResolvedCommand, exit: i32) -> bool {
    match command.success.exit.as_slice() {
        [] => exit == 0,
        exits => exits.contains(&exit),
    }
}

fn first_success(command: &ResolvedCommand) -> i32 {
    command.success.exit.first().copied().unwrap_or(0)
}

/// A command that ended as its success is declared: it printed what that must hold.
fn succeeded(command: &ResolvedCommand) -> Outcome {
    let printed = command.success.contains.iter().map(|line| format!("{line}\n"));
    ended(command, first_success(command), printed.collect::<String>().into_bytes())
}

/// Judged as a run judges it. All that was asked was answered.
fn ended(command: &ResolvedCommand, exit: i32, output: Vec<u8>) -> Outcome {
    let answered = command.prompts.len();
    let output = Zeroizing::new(output);
    nodes::outcome(command, &Ended { exit, output, truncated: false, answered, timed_out: false })
}
