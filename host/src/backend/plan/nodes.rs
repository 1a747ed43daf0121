//! Named commands, answered from their declarations; and what endpoints would present.

use super::Planning;
use super::imagined::{Held, Laid};
use crate::backend::declared::{as_declared, written_files};
use crate::backend::fault;
use crate::capability::crypto;
use crate::capability::nodes::{self, ArgumentValue};
use crate::model::{
    Answer, Argument, CommandName, Effect, Fault, Health, NodeName, Outcome, PluginName, Quarantine, Value,
    code,
};
use crate::site::{CommandDeclaration, CommandKind, Settle};

impl Planning {
    pub(super) async fn nodes(&self, plugin: &PluginName, effect: &Effect) -> Result<Answer, Fault> {
        match effect {
            Effect::NodesMembers => Ok(Answer::Members(self.look().members())),
            Effect::NodesClockOffset { node } => self
                .transports
                .clock_offset(node, &self.site.profile.service_user)
                .await
                .map(Answer::Milliseconds)
                .map_err(fault(code::UNREACHABLE)),
            Effect::NodesRun { node, command, arguments } => {
                self.run(plugin, node, command, arguments).await.map(Answer::Outcome)
            }
            Effect::NodesQuarantine { node, reason } => {
                self.look().known(node)?;
                self.imagined().quarantined.insert(node.clone(), Some(reason.clone()));
                Ok(Answer::Done)
            }
            Effect::NodesRelease { node } => {
                self.look().known(node)?;
                self.imagined().quarantined.insert(node.clone(), None);
                Ok(Answer::Done)
            }
            Effect::NodesQuarantined => {
                let mut found = self.standing.quarantined()?;
                for (node, reason) in &self.imagined().quarantined {
                    found.retain(|quarantine| quarantine.node != *node);
                    let new = reason.clone().map(|reason| Quarantine { node: node.clone(), reason });
                    found.extend(new);
                }
                Ok(Answer::Quarantined(self.look().in_order(found)))
            }
            other => Err(Fault::new(code::INVALID, format!("{other} is no effect of nodes"))),
        }
    }

    async fn run(
        &self,
        plugin: &PluginName,
        node: &NodeName,
        command: &CommandName,
        arguments: &[Argument],
    ) -> Result<Outcome, Fault> {
        let look = self.look();
        let declaration = look.command(command)?;
        let context = look.context(node).await?;
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let value = match &argument.value {
                Value::Text(text) => ArgumentValue::Text(text.clone()),
                Value::Secret(name) => {
                    self.imagined().secret(plugin, name)?;
                    ArgumentValue::Named(name.clone())
                }
            };
            values.push((argument.name.clone(), value));
        }
        // As a run resolves it, so that what a run would refuse is refused here.
        let resolved = context
            .resolve_command(declaration, values, self.settings.allow_secret_in_argv)
            .map_err(|error| error.to_fault())?;
        if declaration.kind == CommandKind::Observe {
            if self.is_settled_by(node, command) {
                return Ok(as_declared(declaration));
            }
            let ended =
                nodes::observe(&self.transports, &resolved).await.map_err(|error| error.to_fault())?;
            return Ok(nodes::outcome(&resolved, &ended));
        }
        self.change(node, declaration).await?;
        Ok(as_declared(declaration))
    }

    /// Whether an observing command tells that a change happened that would have happened by now.
    fn is_settled_by(&self, node: &NodeName, observing: &CommandName) -> bool {
        let imagined = self.imagined();
        self.site.profile.commands.values().any(|command| {
            let ran = |on: &NodeName| imagined.ran.contains(&(on.clone(), command.name.to_string()));
            matches!(&command.consequences.settle, Some(Settle::Command(name)) if name == observing)
                && (ran(node) || (command.consequences.everywhere && self.site.nodes.keys().any(ran)))
        })
    }

    /// Lays what a command is declared to do over the node.
    async fn change(&self, node: &NodeName, declaration: &CommandDeclaration) -> Result<(), Fault> {
        let context = self.look().context(node).await?;
        for (file, path) in written_files(&context, &self.site.profile, declaration)? {
            let born = {
                let mut imagined = self.imagined();
                let born = imagined.symbols.name(&format!("{file}@{node}"));
                imagined.born.push(born.clone());
                imagined.lay(node, &path, Held::Born(born.clone()), true);
                born
            };
            let others = self.site.nodes.keys().filter(|other| *other != node);
            for other in others.filter(|_| declaration.consequences.everywhere) {
                // One that does not answer now has none of it.
                if let Ok(there) = self.file(other, &file).await {
                    self.imagined().lay(other, &there.path, Held::Born(born.clone()), true);
                }
            }
        }
        for endpoint in &declaration.consequences.serves {
            let file = self.site.profile.endpoints.get(endpoint).and_then(|endpoint| endpoint.file.clone());
            let held = match file {
                Some(file) => {
                    let file = self.file(node, &file).await?;
                    match self.imagined().at(node, &file.path) {
                        Some(Laid { held, .. }) => held,
                        None => Held::Live { node: node.clone(), file },
                    }
                }
                // What it presents stands in no file that is known.
                None => {
                    let mut imagined = self.imagined();
                    let born = imagined.symbols.name(&format!("{endpoint}@{node}"));
                    imagined.born.push(born.clone());
                    Held::Born(born)
                }
            };
            self.imagined().serve(node, endpoint, held);
        }
        let mut imagined = self.imagined();
        imagined.restarted |= !declaration.consequences.restarts.is_empty();
        imagined.ran.insert((node.clone(), declaration.name.to_string()));
        Ok(())
    }

    pub(super) async fn cluster(&self, effect: &Effect) -> Result<Answer, Fault> {
        let Effect::ClusterServed { node, endpoint } = effect else {
            let now = self.look().cluster(effect).await;
            return if self.imagined().restarted { self.recovered(effect, now) } else { now };
        };
        let Some(held) = self.imagined().served(node, endpoint) else {
            return self.look().cluster(effect).await;
        };
        if let Held::Born(born) = &held {
            let now = self.now();
            return Ok(Answer::Certificate(Box::new(self.imagined().says(born, now).says)));
        }
        let bytes = self.bytes(&held).await?.ok_or_else(|| {
            Fault::new(
                code::UNREACHABLE,
                format!("ask {endpoint} on {node} for its certificate: its file would be gone"),
            )
        })?;
        let says = crypto::inspect(&bytes).map_err(fault(code::INVALID))?;
        Ok(Answer::Certificate(Box::new(says)))
    }
}

impl Planning {
    /// What a restart is declared to bring about: a service that is well, whatever it is now. What is well now is
    /// taken as it is.
    fn recovered(&self, effect: &Effect, now: Result<Answer, Fault>) -> Result<Answer, Fault> {
        let managers = self.look().managers();
        match (effect, now) {
            (Effect::ClusterHealth, Ok(Answer::Health(rows)))
                if rows.is_empty() || rows.iter().any(|row| row.state != "normal") =>
            {
                self.imagined().assumed.insert("every manager is normal once it is restarted".into());
                let row = |reporter: &NodeName, node: &NodeName| Health {
                    reporter: reporter.clone(),
                    node: node.to_string(),
                    role: if self.look().role(node) == "first" { "active" } else { "standby" }.into(),
                    state: "normal".into(),
                    phase: "planned".into(),
                };
                let rows = managers
                    .iter()
                    .flat_map(|reporter| managers.iter().map(|node| row(reporter, node)))
                    .collect();
                Ok(Answer::Health(rows))
            }
            (Effect::ClusterManager, Err(fault)) if fault.code != code::UNKNOWN => {
                let expected = self.site.manager.as_ref().and_then(|manager| manager.expect.first());
                self.imagined().assumed.insert("the manager's page can be accessed again".into());
                Ok(Answer::Number(u64::from(*expected.unwrap_or(&200))))
            }
            (_, now) => now,
        }
    }
}
