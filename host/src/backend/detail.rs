//! What the names of an effect stand for, resolved: paths, argument vectors, users, prompts.
//!
//! A plan shows it and people sign it; a run that follows a plan makes it anew before each change and compares.
//! No secret is needed for it: one stands as `<secret NAME>`.

use super::look::Look;
use crate::capability::nodes::{ArgumentValue, NodeContext, ResolvedCommand};
use crate::model::{
    Argument, CommandName, Content, Detail, Effect, Entry, Fault, FileName, NodeName, PlannedCommand,
    PlannedFile, PlannedPrompt, PlannedRequest, Value,
};
use crate::site::{CommandDeclaration, CommandKind, Parser};

impl Look<'_> {
    /// Returns what an effect's names stand for. `members` are the files of its staged set.
    pub async fn detail(
        self,
        effect: &Effect,
        members: Vec<FileName>,
        allow_secret_in_argv: bool,
    ) -> Result<Detail, Fault> {
        let mut detail = Detail::default();
        match effect {
            Effect::NodesRun { node, command, arguments } => {
                detail.commands.push(self.planned(node, command, arguments, allow_secret_in_argv).await?);
            }
            Effect::NodesRunEach { nodes, command, arguments } => {
                for node in nodes {
                    let planned = self.planned(node, command, arguments, allow_secret_in_argv).await?;
                    detail.commands.push(planned);
                }
            }
            Effect::ClusterHealth => {
                for manager in self.managers() {
                    if let Some(command) = &self.site.profile.health {
                        detail.commands.push(self.planned(manager, command, &[], false).await?);
                    }
                }
            }
            Effect::ClusterServed { node, endpoint } => {
                let (host, port) = self.endpoint(node, endpoint)?;
                detail.asks = Some(format!("{host}:{port}"));
            }
            Effect::ClusterManager => {
                detail.asks = self.site.manager.as_ref().map(|manager| manager.url.clone());
            }
            Effect::FilesStat { node, file }
            | Effect::CryptoCheckKey { node, file, .. }
            | Effect::FilesFingerprint { node, file }
            | Effect::FilesRead { node, file }
            | Effect::FilesSpace { node, file }
            | Effect::KeyringVersions { node, file }
            | Effect::KeyringAdd { node, file, .. }
            | Effect::KeyringRetire { node, file, .. }
            | Effect::KeyringCanary { node, file, .. }
            | Effect::KeyringOpens { node, file, .. }
            | Effect::KeyringRewrap { node, file }
            | Effect::FilesRemove { node, file } => detail.files.push(self.file(node, file).await?),
            Effect::FilesPut { node, file, content } | Effect::FilesStage { node, file, content, .. } => {
                detail.files.push(self.file(node, file).await?);
                if let Content::File { node, file } = content {
                    detail.files.push(self.file(node, file).await?);
                }
            }
            Effect::FilesFingerprintEach { nodes, file } => {
                for node in nodes {
                    detail.files.push(self.file(node, file).await?);
                }
            }
            Effect::FilesPutEach { nodes, file, content } => {
                for node in nodes {
                    detail.files.push(self.file(node, file).await?);
                }
                if let Content::File { node, file } = content {
                    detail.files.push(self.file(node, file).await?);
                }
            }
            Effect::FilesSwap { node, .. } | Effect::FilesDiscard { node, .. } => {
                for file in &members {
                    detail.files.push(self.file(node, file).await?);
                }
            }
            Effect::FilesRestore { node, name } => self.restored(node, name, &mut detail).await?,
            _ => {}
        }
        Ok(detail)
    }

    async fn restored(self, node: &NodeName, name: &str, detail: &mut Detail) -> Result<(), Fault> {
        if !self.is_command(name) {
            // A name that is neither is answered where the effect acts.
            if let Ok(file) = FileName::new(name) {
                detail.files.push(self.file(node, &file).await?);
            }
            return Ok(());
        }
        let Ok(command) = CommandName::new(name) else { return Ok(()) };
        let context = self.context(node).await?;
        let written =
            context.written(&self.site.profile, self.command(&command)?).map_err(|error| error.to_fault())?;
        detail.files.extend(written.into_iter().map(|target| PlannedFile {
            node: node.clone(),
            file: target.name,
            path: target.path,
            mode: None,
            owner: None,
            secret: false,
        }));
        Ok(())
    }

    async fn file(self, node: &NodeName, file: &FileName) -> Result<PlannedFile, Fault> {
        let context = self.context(node).await?;
        let resolved = self.resolve(&context, file)?;
        Ok(PlannedFile {
            node: node.clone(),
            file: resolved.name.to_string(),
            path: resolved.path,
            mode: resolved.mode.map(|mode| format!("{mode:04o}")),
            owner: resolved.owner,
            secret: resolved.secret,
        })
    }

    async fn planned(
        self,
        node: &NodeName,
        command: &CommandName,
        arguments: &[Argument],
        allow_secret_in_argv: bool,
    ) -> Result<PlannedCommand, Fault> {
        let declaration = self.command(command)?;
        let context = self.context(node).await?;
        let values = arguments
            .iter()
            .map(|argument| {
                let value = match &argument.value {
                    Value::Text(text) => ArgumentValue::Text(text.clone()),
                    Value::Secret(name) => ArgumentValue::Named(name.clone()),
                };
                (argument.name.clone(), value)
            })
            .collect();
        let resolved = context
            .resolve_command(declaration, values, allow_secret_in_argv)
            .map_err(|error| error.to_fault())?;
        let writes = context.written(&self.site.profile, declaration).map_err(|error| error.to_fault())?;
        let writes = writes.into_iter().map(|target| target.path).collect();
        Ok(describe(&context, declaration, resolved, writes))
    }
}

fn describe(
    context: &NodeContext,
    declaration: &CommandDeclaration,
    resolved: ResolvedCommand,
    writes: Vec<String>,
) -> PlannedCommand {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let consequences = &declaration.consequences;
    PlannedCommand {
        node: context.node().clone(),
        command: resolved.name.to_string(),
        kind: match declaration.kind {
            CommandKind::Observe => "observe",
            CommandKind::Change => "change",
            CommandKind::Manual => "manual",
            CommandKind::Http => "http",
        }
        .into(),
        user: resolved.user,
        argv: resolved.argv.iter().map(|word| word.to_string()).collect(),
        secret_in_argv: declaration.secret_in_argv,
        cwd: resolved.cwd,
        env: resolved.env.into_iter().map(|(name, value)| Entry { name, value }).collect(),
        prompts: resolved
            .prompts
            .iter()
            .map(|prompt| PlannedPrompt { expect: prompt.expect.clone(), reply: text(&prompt.reply) })
            .collect(),
        terminal: resolved.terminal,
        contains: resolved.success.contains,
        exit: resolved.success.exit,
        parser: match resolved.output {
            Parser::None => "none",
            Parser::Lines => "lines",
            Parser::Json => "json",
            Parser::OmsStatus => "oms-status",
        }
        .into(),
        timeout: resolved.timeout.as_secs(),
        instruction: declaration.instruction.clone(),
        request: resolved.request.map(|request| PlannedRequest {
            method: request.method,
            url: request.url,
            body: request.body.map(|body| text(&body.bytes)),
            expect: request.expect,
            poll: request.poll.map(|(url, _)| url),
        }),
        writes,
        restarts: consequences.restarts.clone(),
        serves: consequences.serves.iter().map(ToString::to_string).collect(),
        may_switch_roles: consequences.may_switch_roles,
        everywhere: consequences.everywhere,
    }
}
