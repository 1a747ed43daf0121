//! Running a command that only looks: directly, without a job, its output capped.

use super::error::NodesError;
use super::evaluate::{Ended, OUTPUT_LIMIT};
use super::resolve::ResolvedCommand;
use crate::capability::remote::Remote;
use crate::transport::word::{push_word, room_for};
use crate::transport::{Request, Script, TransportError};
use zeroize::Zeroizing;

const OBSERVE: Script = Script { name: "observe", text: TEXT };
const TEXT: &str =
    concat!(include_str!("../../transport/scripts/word.sh"), include_str!("scripts/observe.sh"));
/// The script's own words stand on its stderr, which the command does not share.
const FAULT: &str = "windlass-fault ";

/// Runs an observing command and waits for its end, at most for its time-out. Its standard input is
/// empty, so it can answer no prompt.
pub async fn observe<R: Remote>(remote: &R, command: &ResolvedCommand) -> Result<Ended, NodesError> {
    let start = |why: &str| NodesError::Start {
        command: command.name.clone(),
        node: command.node.clone(),
        why: why.into(),
    };
    if !command.prompts.is_empty() {
        return Err(start("it is declared to observe and to answer prompts; only a change can do that"));
    }
    let request = Request {
        node: &command.node,
        user: &command.user,
        script: OBSERVE,
        input: input(command),
        timeout: command.timeout,
        output_limit: OUTPUT_LIMIT,
    };
    let reply = remote.exec(request).await.map_err(|cause| match cause {
        TransportError::TimedOut { timeout, .. } => {
            NodesError::TimedOut { command: command.name.clone(), node: command.node.clone(), timeout }
        }
        cause => NodesError::Transport { command: command.name.clone(), node: command.node.clone(), cause },
    })?;
    let said = String::from_utf8_lossy(&reply.stderr);
    match said.lines().find_map(|line| line.strip_prefix(FAULT)) {
        Some("cwd") => Err(start(&format!(
            "the folder it runs in, {}, cannot be entered",
            command.cwd.as_deref().unwrap_or_default()
        ))),
        Some(_) => Err(start("its arguments did not arrive whole")),
        None => Ok(Ended {
            exit: reply.exit,
            output: Zeroizing::new(reply.stdout),
            truncated: reply.truncated,
            answered: 0,
            timed_out: false,
        }),
    }
}

/// Folder, count, then `NAME=VALUE` words and the argument vector, each a line.
fn input(command: &ResolvedCommand) -> Zeroizing<Vec<u8>> {
    let env: Vec<String> = command.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let words: Vec<&str> =
        env.iter().map(String::as_str).chain(command.argv.iter().map(|word| word.as_str())).collect();
    let cwd = command.cwd.as_deref().unwrap_or_default();
    // Room for all of it from the start: growing would leave a copy of what may be secret.
    let room = words.iter().map(|word| room_for(word.len())).sum::<usize>() + room_for(cwd.len()) + 32;
    let mut input = Zeroizing::new(Vec::with_capacity(room));
    push_word(&mut input, cwd.as_bytes());
    push_word(&mut input, words.len().to_string().as_bytes());
    for word in words {
        push_word(&mut input, word.as_bytes());
    }
    input
}

#[cfg(test)]
mod tests;
