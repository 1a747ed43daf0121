//! Named commands: observed directly, changed as jobs, asked of a person, or requested of a server.

use super::{Live, fault};
use crate::backend::{Acted, Ready};
use crate::capability::files::{ResolvedFile, Target};
use crate::capability::nodes::{self, ArgumentValue, JobKey, NodeContext, NodesError, ResolvedCommand};
use crate::journal::Trace;
use crate::model::{
    Answer, Argument, CommandName, Effect, Event, Fault, NodeName, Outcome, PauseReason, PluginName, Stop,
    Value, code,
};
use crate::site::{CommandDeclaration, CommandKind, Settle};
use crate::transport::jobs::{self, JobError};
use futures::StreamExt as _;
use futures::future::try_join_all;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What running a change on one node came to.
pub(super) type Ran = Result<Result<(Outcome, Vec<Trace>), Fault>, Stop>;

impl Live {
    pub(super) async fn nodes(
        &self,
        plugin: &PluginName,
        effect: &Effect,
        sequence: i64,
        ready: Ready,
    ) -> Result<Acted, Stop> {
        match effect {
            Effect::NodesMembers => Ok(Ok(Answer::Members(self.look().members())).into()),
            Effect::NodesClockOffset { node } => {
                let asked = self.transports.clock_offset(node, &self.site.profile.service_user).await;
                Ok(asked.map(Answer::Milliseconds).map_err(fault(code::UNREACHABLE)).into())
            }
            Effect::NodesRun { node, command, arguments } => {
                let ran = self.run(plugin, node, command, arguments, (&job_id(sequence), ready)).await?;
                Ok(match ran {
                    Ok((outcome, traces)) => Acted { traces, ..Ok(Answer::Outcome(outcome)).into() },
                    Err(fault) => Err(fault).into(),
                })
            }
            // What stands in the journal of these is all that there is of them.
            Effect::NodesQuarantine { node, .. } | Effect::NodesRelease { node } => {
                Ok(self.look().known(node).map(|()| Answer::Done).into())
            }
            Effect::NodesQuarantined => {
                let found = self.standing.quarantined().map(|found| self.look().in_order(found));
                Ok(found.map(Answer::Quarantined).into())
            }
            other => Ok(Err(Fault::new(code::INVALID, format!("{other} is no effect of nodes"))).into()),
        }
    }

    async fn run(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        command: &CommandName,
        arguments: &[Argument],
        job: (&str, Ready),
    ) -> Ran {
        let declaration = match self.command(command) {
            Ok(declaration) => declaration,
            Err(fault) => return Ok(Err(fault)),
        };
        let resolved = match self.resolved(plugin, node, declaration, arguments).await {
            Ok(resolved) => resolved,
            Err(fault) => return Ok(Err(fault)),
        };
        match declaration.kind {
            CommandKind::Observe => Ok(nodes::observe(&self.transports, &resolved)
                .await
                .map_err(to_fault)
                .map(|ended| (nodes::outcome(&resolved, &ended), Vec::new()))),
            CommandKind::Change => self.change(node, declaration, resolved, job).await,
            CommandKind::Manual => {
                Ok(self.manual(node, declaration).await.map(|outcome| (outcome, Vec::new())))
            }
            CommandKind::Http => {
                let ca = match self.look().manager_ca() {
                    Ok(ca) => ca,
                    Err(fault) => return Ok(Err(fault)),
                };
                let resolved = Arc::new(resolved);
                let asked = nodes::request(resolved.clone(), ca).await.map_err(to_fault);
                Ok(asked.map(|ended| (nodes::outcome(&resolved, &ended), Vec::new())))
            }
        }
    }

    /// Saves what the command is declared to write, and has the node note what its other files look like.
    pub(super) async fn before_command(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
        id: &str,
    ) -> Result<Vec<Trace>, Fault> {
        let files = self.node_files(node).await?;
        let (targets, others) = self.touches(node, declaration).await?;
        let (traces, kept) = futures::join!(self.save(&files, &targets), files.keep_marks(&others, id));
        kept.map_err(super::files::to_fault)?;
        let mut traces = traces?;
        if declaration.consequences.everywhere && !targets.is_empty() {
            traces.extend(self.save_elsewhere(node, declaration).await?);
        }
        Ok(traces)
    }

    /// Saves what a command is declared to write on the site's other nodes. One that does not answer has nothing
    /// saved: the command does not reach it either, or the procedure finds out that it did.
    async fn save_elsewhere(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<Vec<Trace>, Fault> {
        let mut saving = Vec::new();
        for other in self.site.nodes.keys() {
            if other != node {
                saving.push(self.save_targets(other, declaration));
            }
        }
        let saved: Vec<_> = futures::stream::iter(saving).buffered(self.site.ssh.concurrency).collect().await;
        let mut traces = Vec::new();
        for saved in saved {
            match saved {
                Ok(more) => traces.extend(more),
                Err(away) if away.code == code::UNREACHABLE => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(traces)
    }

    async fn save_targets(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<Vec<Trace>, Fault> {
        let (targets, _) = self.touches(node, declaration).await?;
        self.save(&self.node_files(node).await?, &targets).await
    }

    /// What a command is declared to write on a node, and the profile's other files.
    async fn touches(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<(Vec<Target>, Vec<ResolvedFile>), Fault> {
        let context = self.context(node).await?;
        let targets = context.written(&self.site.profile, declaration).map_err(|error| error.to_fault())?;
        let others = self.not_below(&context, &targets);
        Ok((targets, others))
    }

    /// Runs a command as a job, with what it writes saved before.
    async fn change(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
        resolved: ResolvedCommand,
        (id, ready): (&str, Ready),
    ) -> Ran {
        let mut traces = match ready.or(self.before_command(node, declaration, id)).await {
            Ok(traces) => traces,
            Err(fault) => return Ok(Err(fault)),
        };
        let key = JobKey { id, run: &self.run, token: self.token(node) };
        let mut on_line = |line| (self.events)(&Event::Output { node: node.clone(), line });
        match nodes::run_change(&self.transports, &resolved, key, &mut on_line).await {
            Ok(ended) => {
                traces.extend(self.strayed(node, declaration, id).await);
                Ok(Ok((nodes::outcome(&resolved, &ended), traces)))
            }
            Err(NodesError::Job { cause, .. }) => {
                let settled = self.job_failed(node, declaration, *cause).await?;
                Ok(settled.map(|outcome| (outcome, traces)))
            }
            Err(error) => Ok(Err(error.to_fault())),
        }
    }

    /// The profile's files that none of a command's targets is or holds: it has no business with them.
    fn not_below(&self, context: &NodeContext, targets: &[Target]) -> Vec<ResolvedFile> {
        let resolved = self.site.profile.files.values().filter_map(|file| context.resolve_file(file).ok());
        let written = |file: &ResolvedFile| {
            targets.iter().any(|target| {
                let below = file.path.strip_prefix(&target.path);
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        resolved.filter(|file| !written(file)).collect()
    }

    /// What changed while a command ran, and is not declared to: a finding, told at once and kept. It is worth no
    /// failure: what cannot be looked at now is looked at by the next step.
    pub(super) async fn strayed(
        &self,
        node: &NodeName,
        command: &CommandDeclaration,
        id: &str,
    ) -> Vec<Trace> {
        let (Ok(files), Ok((_, others))) = (self.node_files(node).await, self.touches(node, command).await)
        else {
            return Vec::new();
        };
        let changed = files.changed_since(&others, id).await.unwrap_or_default();
        let strays = changed.into_iter().map(|file| {
            let (command, file) = (command.name.clone(), file.name.clone());
            let stray = Event::Strayed { node: node.clone(), command: command.clone(), file: file.clone() };
            (self.events)(&stray);
            Trace::Strayed { node: node.clone(), command, file }
        });
        strays.collect()
    }

    /// What an error of a job means. Where it may have run, only a stop is safe: its intent stays open, and
    /// a resume asks the node what became of it.
    pub(super) async fn job_failed(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
        error: JobError,
    ) -> Result<Result<Outcome, Fault>, Stop> {
        match error {
            JobError::Fenced { .. } => Err(Stop::new(PauseReason::LeaseLost, error.to_string())),
            JobError::Invalid { .. } | JobError::Unable { .. } => Ok(Err(fault(code::FAILED)(error))),
            JobError::Vanished { .. } => match self.settled_by_declaration(node, declaration).await? {
                Some(true) => Ok(Ok(found_done())),
                answer => Err(Stop::new(
                    PauseReason::Unsettled,
                    format!(
                        "{error}; {}",
                        match answer {
                            None => "the profile declares nothing that tells whether it happened",
                            Some(_) =>
                                "what the profile declares to tell says that it did not happen, and it may be half done",
                        }
                    ),
                )),
            },
            error => Err(Stop::new(
                PauseReason::Unreachable,
                format!(
                    "{} on {node} may still be running: {}",
                    declaration.name,
                    fault(code::FAILED)(error).message
                ),
            )),
        }
    }

    /// Asks what the profile declares to tell whether a change happened. None: nothing is declared.
    pub(super) async fn settled_by_declaration(
        &self,
        node: &NodeName,
        declaration: &CommandDeclaration,
    ) -> Result<Option<bool>, Stop> {
        let unreachable = |fault: Fault| Stop::new(PauseReason::Unreachable, fault.message);
        match &declaration.consequences.settle {
            None => Ok(None),
            Some(Settle::Command(name)) => {
                let observing = self.command(name).map_err(unreachable)?;
                Ok(Some(self.look().observe(node, observing).await.map_err(unreachable)?.succeeded))
            }
            Some(Settle::Served(endpoint)) => {
                let Ok(served) = self.look().served(node, endpoint).await else { return Ok(Some(false)) };
                let file =
                    self.site.profile.endpoints.get(endpoint).and_then(|endpoint| endpoint.file.clone());
                let Some(file) = file else { return Ok(None) };
                let on_disk = self.file_bytes(node, &file).await.map_err(unreachable)?;
                Ok(Some(super::der_of(&on_disk).is_ok_and(|on_disk| on_disk == served)))
            }
        }
    }

    async fn manual(&self, node: &NodeName, declaration: &CommandDeclaration) -> Result<Outcome, Fault> {
        let instruction = declaration.instruction.as_deref().unwrap_or_default();
        let done = self.operator.instruct(&format!("on {node}: {instruction}")).ok_or_else(|| {
            Fault::new(
                code::UNKNOWN,
                format!("{} is done by hand, and there is nobody to ask", declaration.name),
            )
            .hint("run this on a terminal")
        })?;
        if !done {
            return Err(Fault::new(code::DECLINED, format!("the operator did not do {}", declaration.name)));
        }
        match self.settled_by_declaration(node, declaration).await {
            Ok(Some(false)) => Ok(Outcome {
                succeeded: false,
                exit: 0,
                reason: "what the profile declares to prove it says that it did not happen".into(),
                output: Vec::new(),
            }),
            Ok(_) => Ok(found_done()),
            Err(stop) => Err(Fault::new(code::UNREACHABLE, stop.message)),
        }
    }

    pub(super) async fn resolved(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        declaration: &CommandDeclaration,
        arguments: &[Argument],
    ) -> Result<ResolvedCommand, Fault> {
        let context = self.context(node).await?;
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let value = match &argument.value {
                Value::Text(text) => ArgumentValue::Text(text.clone()),
                Value::Secret(name) => {
                    let secret = self.objects.secret(plugin, name)?;
                    ArgumentValue::Secret(Zeroizing::new(secret.expose().to_vec()))
                }
            };
            values.push((argument.name.clone(), value));
        }
        context
            .resolve_command(declaration, values, self.settings.allow_secret_in_argv)
            .map_err(|error| error.to_fault())
    }

    /// Removes the job records of the run from every node that has any.
    pub(crate) async fn purge_jobs(&self) -> Result<(), Fault> {
        let users: std::collections::BTreeSet<&str> =
            self.site.profile.commands.values().map(|command| command.user.as_str()).collect();
        for user in users {
            try_join_all(
                self.touched()
                    .iter()
                    .map(|node| jobs::purge(&self.transports, node, user, &self.run, self.token(node))),
            )
            .await
            .map_err(fault(code::FAILED))?;
        }
        Ok(())
    }
}

/// The id of an effect's job: the same on resume, and never that of another effect of the run.
pub(super) fn job_id(sequence: i64) -> String {
    format!("e{sequence}")
}

/// The outcome of a change that was found done and whose own words are gone.
pub(super) fn found_done() -> Outcome {
    Outcome { succeeded: true, exit: 0, reason: String::new(), output: Vec::new() }
}

fn to_fault(error: NodesError) -> Fault {
    error.to_fault()
}
