//! The host's functions from one node's point of view: `node("master1").run("restart-ha").call()`.

use crate::host::{cluster, files, nodes};
use crate::{Argument, Certificate, Content, Fault, FileStat, Outcome, Value};

/// Returns the node of this name. Nothing is asked of the host before a method is called.
pub fn node(name: &str) -> Node<'_> {
    Node { name }
}

/// Returns the name of the node that this run has bound as `first` (active when it began) or `second` (standby then).
pub fn bound(role: &str) -> Result<String, Fault> {
    let mut members = nodes::members()?.into_iter().filter(|member| member.role == role);
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member.name),
        _ => Err(Fault::failed(format!("this run has not bound one node as {role}"))),
    }
}

/// A node, by its name in the inventory.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    pub name: &'a str,
}

impl<'a> Node<'a> {
    /// Prepares a named command; [`Command::call`] runs it.
    pub fn run(self, command: &'a str) -> Command<'a> {
        Command { node: self.name, command, arguments: Vec::new() }
    }

    /// See [`nodes::clock_offset`].
    pub fn clock_offset(self) -> Result<i64, Fault> {
        nodes::clock_offset(self.name)
    }

    /// See [`files::stat`].
    pub fn stat(self, file: &str) -> Result<Option<FileStat>, Fault> {
        files::stat(self.name, file)
    }

    /// See [`files::fingerprint`].
    pub fn fingerprint(self, file: &str) -> Result<Option<String>, Fault> {
        files::fingerprint(self.name, file)
    }

    /// See [`files::read`].
    pub fn read(self, file: &str) -> Result<Vec<u8>, Fault> {
        files::read(self.name, file)
    }

    /// See [`files::space`].
    pub fn space(self, file: &str) -> Result<u64, Fault> {
        files::space(self.name, file)
    }

    /// See [`files::put`].
    pub fn put(self, file: &str, content: &Content) -> Result<(), Fault> {
        files::put(self.name, file, content)
    }

    /// See [`files::stage`].
    pub fn stage(self, set: &str, file: &str, content: &Content) -> Result<(), Fault> {
        files::stage(set, self.name, file, content)
    }

    /// See [`files::swap`].
    pub fn swap(self, set: &str) -> Result<(), Fault> {
        files::swap(set, self.name)
    }

    /// See [`files::discard`].
    pub fn discard(self, set: &str) -> Result<(), Fault> {
        files::discard(set, self.name)
    }

    /// See [`files::remove`].
    pub fn remove(self, file: &str) -> Result<(), Fault> {
        files::remove(self.name, file)
    }

    /// See [`files::restore`].
    pub fn restore(self, name: &str) -> Result<(), Fault> {
        files::restore(self.name, name)
    }

    /// See [`cluster::served`].
    pub fn served(self, endpoint: &str) -> Result<Certificate, Fault> {
        cluster::served(self.name, endpoint)
    }
}

/// A named command with the arguments given so far.
#[derive(Debug, Clone)]
#[must_use = "a command runs when `call` is called"]
pub struct Command<'a> {
    node: &'a str,
    command: &'a str,
    arguments: Vec<Argument>,
}

impl Command<'_> {
    /// Gives a placeholder its text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.argument(name, Value::Text(value.into()))
    }

    /// Gives a placeholder a secret of the run, by the secret's name.
    pub fn secret(self, name: &str, secret: impl AsRef<str>) -> Self {
        self.argument(name, Value::Secret(secret.as_ref().into()))
    }

    /// Runs the command and waits for it. That it ran and failed is no fault: look at
    /// [`Outcome::succeeded`].
    pub fn call(self) -> Result<Outcome, Fault> {
        nodes::run(self.node, self.command, &self.arguments)
    }

    /// As [`call`](Self::call), where it is of no use that the command ran and failed: that is a fault too.
    pub fn succeed(self) -> Result<Outcome, Fault> {
        let (node, command) = (self.node, self.command);
        let outcome = self.call()?;
        match outcome.succeeded {
            true => Ok(outcome),
            false => Err(Fault::failed(format!(
                "{command} on {node} failed: {} (exit status {})",
                outcome.reason, outcome.exit
            ))),
        }
    }

    fn argument(mut self, name: &str, value: Value) -> Self {
        self.arguments.push(Argument { name: name.into(), value });
        self
    }
}
